//! Finds the files to follow: looks at paths and evaluates globs. Never reads from a file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::log::{Identity, Log};
use super::{FollowNotice, Follower, Pipe};
use crate::error::FileError;
use crate::input::{Opened, open_file};
use crate::reader::BlockReader;
use crate::target::{Place, Target, resolve};

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
    pub(super) given_up: bool,
}

impl Follower {
    fn new_stream(&mut self, source: Arc<str>) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    pub(super) fn follow_pipe(&mut self, target: &Target) {
        match BlockReader::open(target, self.limits.max_line_length) {
            Ok(reader) => {
                let stream = self.new_stream(target.source.clone());
                self.pipes.push(Pipe { stream, reader });
            }
            Err(err) => self.notices.push_back(FollowNotice::Failed(err)),
        }
    }

    pub(super) fn watch(&mut self, target: Target, from_glob: bool) {
        let Place::File(path) = target.place else { return };
        if self.watches.iter().any(|watch| watch.path == path) {
            return;
        }
        let stream = self.new_stream(target.source);
        self.watches.push(Watch {
            path,
            stream,
            from_glob,
            last: None,
            present: false,
            complained: false,
            given_up: false,
        });
    }

    pub(super) fn evaluate_globs(&mut self) {
        self.globs_evaluated = Instant::now();
        let mut globs = std::mem::take(&mut self.globs);
        globs.retain_mut(|glob| self.evaluate_glob(glob));
        self.globs = globs;
    }

    /// Watches what the glob names now. `false` if it never names anything.
    fn evaluate_glob(&mut self, glob: &mut Glob) -> bool {
        let notice = match resolve(&glob.argument, self.limits.max_glob_targets) {
            Ok(found) => {
                found.targets.into_iter().for_each(|target| self.watch(target, true));
                let dropped = found.dropped;
                let glob = glob.argument.to_string_lossy().into_owned();
                (dropped > 0).then_some(FollowNotice::Dropped { glob, dropped })
            }
            Err(err @ FileError::NoMatch(_)) => Some(FollowNotice::Waiting(err)),
            Err(err) => {
                self.notices.push_back(FollowNotice::Failed(err));
                return false;
            }
        };
        if let Some(notice) = notice
            && !std::mem::replace(&mut glob.complained, true)
        {
            self.notices.push_back(notice);
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
        // A path that only a glob led to is forgotten with its file.
        watches.retain(|watch| {
            let gone = watch.from_glob && !watch.present && !watch.given_up;
            !gone || self.logs.iter().any(|log| Some(log.identity) == watch.last)
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

    /// Says once what is wrong with a path. A directory is given up, the rest is tried again.
    fn complain(&mut self, watch: &mut Watch, err: FileError) {
        if let FileError::Directory(_) = err {
            watch.given_up = true;
            self.notices.push_back(FollowNotice::Failed(err));
        } else if watch.last.is_none() && !std::mem::replace(&mut watch.complained, true) {
            self.notices.push_back(FollowNotice::Waiting(err));
        }
    }

    fn look_at(&mut self, watch: &mut Watch, at_start: bool) -> Result<(), FileError> {
        let failed = |err| FileError::Open(watch.path.clone(), err);
        let found = Identity::of(&watch.path.metadata().map_err(failed)?);
        let unchanged = watch.present && watch.last == Some(found);
        if !unchanged && !self.is_followed(found) {
            // Between the look and the opening the path may have got yet another file.
            let file = match open_file(&watch.path)? {
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
                let max_line_length = self.limits.max_line_length;
                let mut log = Log::new(opened, file, watch.stream, max_line_length, predecessor);
                if at_start && let Some(format) = log.skip_to_end().map_err(failed)? {
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
