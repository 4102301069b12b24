//! Finds the files to follow: looks at paths and evaluates globs. Never reads from a file.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::log::{Identity, Log};
use super::pipes::Pipe;
use super::rotated::{self, Rotated};
use super::{FollowNotice, Follower, MAX_JOURNALS};
use crate::error::FileError;
use crate::glob::Effort;
use crate::opening::{Opened, missing, open_file};
use crate::target::{Place, Target, resolve_within};

/// A glob that is evaluated again and again.
pub(super) struct Glob {
    pub(super) argument: OsString,
    pub(super) complained: bool,
}

/// A path that is looked at again and again.
pub(super) struct Watch {
    pub(super) path: PathBuf,
    pub(super) stream: usize,
    pub(super) from_glob: bool,
    /// The inode last found there.
    pub(super) last: Option<Identity>,
    /// The path led to `last` at the last look.
    pub(super) present: bool,
    pub(super) complained: bool,
    /// The operator knows that it leads to what is not permitted.
    pub(super) refused: bool,
    pub(super) given_up: bool,
}

impl Follower {
    fn new_stream(&mut self, source: Arc<str>) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    pub(super) fn follow_pipe(&mut self, target: &Target) {
        let is_journal = matches!(target.place, Place::Journal(_));
        let journals = self.pipes.iter().filter(|pipe| pipe.is_journal()).count();
        if is_journal && journals >= MAX_JOURNALS {
            let err = FileError::ManyJournals(MAX_JOURNALS);
            return self.notices.push_back(FollowNotice::Failed(err));
        }
        if self.watches.len() + self.pipes.len() >= self.limits.max_targets {
            let err = FileError::ManyTargets(self.limits.max_targets);
            return self.notices.push_back(FollowNotice::Failed(err));
        }
        let stream = self.sources.len();
        match Pipe::open(target, stream, &self.site, self.limits.max_line_length) {
            Ok(pipe) => {
                self.new_stream(target.source.clone());
                self.pipes.push(pipe);
            }
            Err(err) => self.notices.push_back(FollowNotice::Failed(err)),
        }
    }

    /// Watches a path that is not yet watched. `false` if there is no room for it.
    pub(super) fn watch(&mut self, target: Target, from_glob: bool) -> bool {
        let Place::File(path) = target.place else { return true };
        if self.watches.iter().any(|watch| watch.path == path) {
            return true;
        }
        if self.watches.len() + self.pipes.len() >= self.limits.max_targets {
            return false;
        }
        let stream = self.new_stream(target.source);
        self.bell.listen_to_file(&path);
        self.watches.push(Watch {
            path,
            stream,
            from_glob,
            last: None,
            present: false,
            complained: false,
            refused: false,
            given_up: false,
        });
        true
    }

    pub(super) fn evaluate_globs(&mut self) {
        self.globs_evaluated = Instant::now();
        self.globs_are_due = false;
        let mut globs = std::mem::take(&mut self.globs);
        let mut effort = Effort::new(&self.site.access);
        globs.retain_mut(|glob| self.evaluate_glob(glob, &mut effort));
        self.globs = globs;
    }

    /// Watches what the glob names now. `false` if it never names anything.
    fn evaluate_glob(&mut self, glob: &mut Glob, effort: &mut Effort) -> bool {
        let mut notices = Vec::new();
        match resolve_within(effort, &glob.argument, self.limits.max_glob_targets, &self.site) {
            Ok(found) => {
                let mut dropped = found.dropped;
                for target in found.targets {
                    dropped += usize::from(!self.watch(target, true));
                }
                if dropped > 0 {
                    let glob = glob.argument.to_string_lossy().into_owned();
                    notices.push(FollowNotice::Dropped { glob, dropped });
                }
                notices.extend(found.withheld.map(FollowNotice::Withheld));
            }
            Err(err @ (FileError::NoMatch(_) | FileError::Refused { .. })) => {
                notices.push(FollowNotice::Waiting(err));
            }
            Err(err) => {
                self.notices.push_back(FollowNotice::Failed(err));
                return false;
            }
        }
        if !notices.is_empty() && !std::mem::replace(&mut glob.complained, true) {
            self.notices.extend(notices);
        }
        true
    }

    pub(super) fn look_at_paths(&mut self, at_start: bool) {
        self.paths_looked_at = Instant::now();
        let mut watches = std::mem::take(&mut self.watches);
        for watch in watches.iter_mut().filter(|watch| !watch.given_up) {
            if let Err(err) = self.look_at(watch, at_start) {
                watch.present = false;
                self.complain(watch, err);
            }
        }
        // A path that only a glob led to is forgotten with its file, but not while it is there and
        // cannot be opened: its glob would find it again and again.
        watches.retain(|watch| {
            let gone = watch.from_glob && !watch.present && !watch.given_up;
            let gone = gone && watch.path.symlink_metadata().is_err();
            let stays = !gone || self.logs.iter().any(|log| Some(log.identity) == watch.last);
            if !stays {
                self.bell.forget_file(&watch.path);
            }
            stays
        });
        self.watches = watches;
        let present = self.watches.iter().filter(|watch| watch.present);
        self.reachable = present.filter_map(|watch| watch.last).collect();
    }

    fn is_followed(&self, identity: Identity) -> bool {
        self.logs.iter().any(|log| log.identity == identity)
    }

    /// The path where a stream was found.
    pub(super) fn path_of(&self, stream: usize) -> PathBuf {
        let watch = self.watches.iter().find(|watch| watch.stream == stream);
        watch.map_or_else(|| self.source(stream).to_string().into(), |watch| watch.path.clone())
    }

    /// Says once what is wrong with a path. What can never be followed is given up, the rest is
    /// tried again.
    fn complain(&mut self, watch: &mut Watch, err: FileError) {
        if let FileError::Directory(_) | FileError::NotRegular(_) | FileError::NoStdin = err {
            watch.given_up = true;
            self.notices.push_back(FollowNotice::Failed(err));
        } else if watch.last.is_none() {
            if !std::mem::replace(&mut watch.complained, true) {
                self.notices.push_back(FollowNotice::Waiting(err));
            }
        } else if let Some(secret) = err.secret()
            && !std::mem::replace(&mut watch.refused, true)
        {
            // The path once led to a file that was permitted and now leads elsewhere.
            self.notices.push_back(FollowNotice::Withheld(secret));
        }
    }

    /// Follows what was at the path between the file last seen there and the present one. Returns
    /// the predecessor of the latter.
    fn follow_rotated(&mut self, watch: &Watch, last: Identity, present: &File) -> Identity {
        let Some(log) = self.logs.iter().find(|log| log.identity == last) else { return last };
        let mut predecessor = last;
        for Rotated { identity, file } in
            rotated::between(&watch.path, log.file(), present, &self.site)
        {
            if !self.is_followed(identity) {
                let max_line_length = self.limits.max_line_length;
                let before = Some(predecessor);
                self.logs.push(Log::new(identity, file, watch.stream, max_line_length, before));
                predecessor = identity;
            }
        }
        predecessor
    }

    /// Writes through another path are told of under that path.
    fn listen_behind_links(&mut self, path: &Path) {
        if path.is_symlink()
            && let Ok(real) = path.canonicalize()
        {
            self.bell.listen_to_file(&real);
        }
    }

    fn look_at(&mut self, watch: &mut Watch, at_start: bool) -> Result<(), FileError> {
        let failed = |err| FileError::Open(watch.path.clone(), err);
        let found = watch.path.metadata().map_err(|err| {
            // That a file followed before is gone for now is neither a secret nor worth a word.
            let is_secret = !self.site.access.is_everything() && watch.last.is_none();
            if is_secret { missing(&watch.path, err) } else { failed(err) }
        })?;
        let found = Identity::of(&found);
        let unchanged = watch.present && watch.last == Some(found);
        if !unchanged && !self.is_followed(found) {
            // Between the look and the opening the path may have got yet another file.
            let file = match open_file(&watch.path, &self.site)? {
                Opened::Regular(file) => file,
                Opened::Stream(_) => {
                    watch.given_up = true;
                    let source = self.sources[watch.stream].clone();
                    let place = Place::File(watch.path.clone());
                    self.follow_pipe(&Target { place, source });
                    return Ok(());
                }
            };
            let opened = Identity::of(&file.metadata().map_err(failed)?);
            if !self.is_followed(opened) {
                let predecessor = watch.last.filter(|&last| self.is_followed(last));
                let predecessor =
                    predecessor.map(|it| self.follow_rotated(watch, it, &file)).or(predecessor);
                let max_line_length = self.limits.max_line_length;
                let mut log = Log::new(opened, file, watch.stream, max_line_length, predecessor);
                self.listen_behind_links(&watch.path);
                if at_start && let Some(format) = log.begin(self.from).map_err(failed)? {
                    let err = FileError::Compressed(watch.path.clone(), format);
                    self.notices.push_back(FollowNotice::Failed(err));
                    // Nothing will ever be appended to it; a path of a glob is left to its glob.
                    if !watch.from_glob {
                        watch.given_up = true;
                        return Ok(());
                    }
                }
                self.logs.push(log);
            }
            watch.last = Some(opened);
        } else {
            watch.last = Some(found);
        }
        watch.present = true;
        Ok(())
    }
}
