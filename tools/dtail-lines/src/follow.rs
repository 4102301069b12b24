//! Follows growing files through truncation, rotation and re-creation, all in one loop. Never
//! selects lines.
//!
//! What is followed are inodes; a path is only a way to find them. So a file renamed within the
//! watched paths is not taken for a new one, and one found on two paths is read once. A new inode
//! on a path begins to be read, from its start, when the old one has been quiet for a poll; the
//! old one is listened to for some seconds more, for writers that reopen late.

use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::FileError;
use crate::journal;
use crate::site::Site;
use crate::splitter::Block;
use crate::target::{Target, is_glob};
use bell::{Bell, Rung};
use log::{Advance, Identity, Log};
use paths::{Glob, Watch};
use pipes::{Pipe, PipeAdvance};

mod bell;
mod log;
mod paths;
mod pipes;
mod rotated;
#[cfg(test)]
mod tests;

/// Longest pause when nothing is new, and time between two looks at the paths.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Time between two evaluations of the globs.
const GLOB_INTERVAL: Duration = Duration::from_secs(1);
/// The same when a folder is known to have changed.
const SHORT_GLOB_INTERVAL: Duration = Duration::from_millis(20);
/// Most journals of one follow, each of which is a process.
const MAX_JOURNALS: usize = 16;
/// How long an inode that no path leads to any more is still listened to.
const LINGER: Duration = Duration::from_secs(5);

/// Where following begins in files that exist at the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FollowFrom {
    /// At their ends.
    #[default]
    End,
    /// So many lines before their ends; an unterminated last line counts.
    Lines(u64),
    /// So many bytes before their ends.
    Bytes(u64),
    /// At their beginnings.
    Beginning,
}

/// Limits of a follower.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest line in bytes; longer ones are cut into pieces of this size.
    pub max_line_length: usize,
    /// Most paths one glob may lead to.
    pub max_glob_targets: usize,
    /// Most paths and pipes all arguments together may lead to.
    pub max_targets: usize,
}

/// What a follower met.
#[derive(Debug)]
pub enum FollowEvent {
    /// The block holds lines of the stream with this index.
    Lines(usize),
    /// The user should know this.
    Notice(FollowNotice),
    /// Nothing new for one poll interval, 100 ms, which has already been waited.
    Idle,
    /// Nothing can come any more.
    Ended,
}

/// What the user of a follower should know.
#[derive(Debug)]
pub enum FollowNotice {
    /// Not there or not readable, looked for again and again.
    Waiting(FileError),
    /// Given up.
    Failed(FileError),
    /// So many matches of a glob are left out.
    Dropped {
        /// The glob.
        glob: String,
        /// Matches left out.
        dropped: usize,
    },
    /// Something is not followed for a reason that only the operator of the host may know.
    Withheld(String),
}

impl fmt::Display for FollowNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FollowNotice::Waiting(err) => write!(f, "{err}, waiting for it"),
            FollowNotice::Failed(err) => err.fmt(f),
            FollowNotice::Dropped { glob, dropped } => {
                write!(f, "too many files match {glob}, leaving out {dropped}")
            }
            FollowNotice::Withheld(_) => f.write_str("something is not permitted"),
        }
    }
}

/// Follows any number of files.
pub struct Follower {
    limits: Limits,
    site: Site,
    from: FollowFrom,
    bell: Bell,
    poll_interval: Duration,
    globs: Vec<Glob>,
    watches: Vec<Watch>,
    /// In the order they were found, so that an old inode is read before the one that replaced it.
    logs: Vec<Log>,
    pipes: Vec<Pipe>,
    /// Source ids by stream index.
    sources: Vec<Arc<str>>,
    notices: VecDeque<FollowNotice>,
    /// Next log or pipe of the present round.
    cursor: usize,
    round_brought_lines: bool,
    paths_looked_at: Instant,
    globs_evaluated: Instant,
    /// A folder has changed since the globs were evaluated.
    globs_are_due: bool,
    /// What the paths led to when last looked at.
    reachable: HashSet<Identity>,
}

impl Follower {
    /// Begins to follow what the arguments name: files that exist where `from` says, others, when
    /// they appear, from their start.
    pub fn new(arguments: &[OsString], limits: Limits, site: Site, from: FollowFrom) -> Follower {
        let now = Instant::now();
        let mut follower = Follower {
            limits,
            site,
            from,
            bell: Bell::default(),
            poll_interval: POLL_INTERVAL,
            globs: Vec::new(),
            watches: Vec::new(),
            logs: Vec::new(),
            pipes: Vec::new(),
            sources: Vec::new(),
            notices: VecDeque::new(),
            cursor: 0,
            round_brought_lines: false,
            paths_looked_at: now,
            globs_evaluated: now,
            globs_are_due: false,
            reachable: HashSet::new(),
        };
        for argument in arguments {
            if argument == "-" {
                follower.follow_pipe(&Target::stdin());
            } else if let Some(unit) = journal::unit(argument.as_bytes(), &follower.site) {
                match unit {
                    Ok(unit) => follower.follow_pipe(&Target::journal(unit)),
                    Err(err) => follower.notices.push_back(FollowNotice::Failed(err)),
                }
            } else if is_glob(argument, &follower.site) {
                follower.bell.listen_to_folder(&fixed_folder(argument));
                follower.globs.push(Glob { argument: argument.clone(), complained: false });
            } else {
                follower.watch(Target::file(Path::new(argument)), false);
            }
        }
        follower.evaluate_globs();
        follower.look_at_paths(true);
        follower
    }

    /// The source id of a stream. Streams are numbered from 0 without gaps.
    pub fn source(&self, stream: usize) -> &Arc<str> {
        &self.sources[stream]
    }

    /// How many streams there have been, those that could not be followed among them.
    pub fn streams(&self) -> usize {
        self.sources.len()
    }

    /// Nothing more is wanted from a stream.
    pub fn finish_stream(&mut self, stream: usize) {
        self.pipes.retain(|pipe| pipe.stream != stream);
        // Kept open, so that another path to the same inode does not take it for a new one.
        self.logs.iter_mut().filter(|log| log.stream == stream).for_each(Log::give_up);
        let finished = self.watches.iter_mut().filter(|watch| watch.stream == stream);
        finished.for_each(|watch| watch.given_up = true);
        self.cursor = 0;
    }

    /// The next event. Returns after at most one poll interval.
    pub fn next(&mut self, block: &mut Block) -> FollowEvent {
        let called = Instant::now();
        loop {
            if let Some(notice) = self.notices.pop_front() {
                return FollowEvent::Notice(notice);
            }
            if let Some(stream) = self.continue_round(block) {
                self.round_brought_lines = true;
                return FollowEvent::Lines(stream);
            }
            if !self.notices.is_empty() {
                continue;
            }
            if let Some(stream) = self.close_one_left_behind(block) {
                return FollowEvent::Lines(stream);
            }
            self.cursor = 0;
            if !std::mem::take(&mut self.round_brought_lines) {
                if self.has_ended() {
                    return FollowEvent::Ended;
                }
                let left = self.poll_interval.saturating_sub(called.elapsed());
                let is_due = self.globs_are_due;
                let pause = if is_due { left.min(SHORT_GLOB_INTERVAL) } else { left };
                let rung = self.bell.wait(pause);
                self.look_around(rung);
                if left.is_zero() || (rung == Rung::default() && !is_due) {
                    return FollowEvent::Idle;
                }
            } else {
                self.look_around(Rung::default());
            }
        }
    }

    fn look_around(&mut self, rung: Rung) {
        self.globs_are_due |= rung.names;
        let interval = if self.globs_are_due { SHORT_GLOB_INTERVAL } else { GLOB_INTERVAL };
        let evaluates = self.globs_evaluated.elapsed() >= interval;
        if evaluates {
            self.evaluate_globs();
        }
        if evaluates || rung.names || self.paths_looked_at.elapsed() >= self.poll_interval {
            self.look_at_paths(false);
        }
    }

    fn has_ended(&self) -> bool {
        self.pipes.is_empty()
            && self.globs.is_empty()
            && self.watches.iter().all(|watch| watch.given_up)
    }

    /// Lets the logs and pipes of this round that have not had their turn go on, until one brings
    /// lines or a notice.
    fn continue_round(&mut self, block: &mut Block) -> Option<usize> {
        while self.cursor < self.logs.len() + self.pipes.len() {
            let turn = self.cursor;
            self.cursor += 1;
            let stream = match turn.checked_sub(self.logs.len()) {
                None => self.advance_log(turn, block),
                Some(pipe) => self.advance_pipe(pipe, block),
            };
            if stream.is_some() || !self.notices.is_empty() {
                return stream;
            }
        }
        None
    }

    fn advance_log(&mut self, index: usize, block: &mut Block) -> Option<usize> {
        if let Some(predecessor) = self.logs[index].predecessor {
            let found = self.logs.iter().position(|log| log.identity == predecessor);
            if let Some(found) = found {
                let log = &self.logs[index];
                if log.is_empty() || !self.logs[found].was_quiet_since(log.found_at, POLL_INTERVAL)
                {
                    return None;
                }
            }
            self.logs[index].predecessor = None;
            if let Some(found) = found
                && self.logs[found].finish(block)
            {
                // The new file begins at its next turn.
                return Some(self.logs[found].stream);
            }
        }
        let log = &mut self.logs[index];
        let stream = log.stream;
        match log.advance(block) {
            Advance::Nothing => return None,
            Advance::Lines => return Some(stream),
            Advance::Failed(err) => {
                let name = self.path_of(stream).display().to_string();
                self.notices.push_back(FollowNotice::Failed(FileError::Read(name, err)));
            }
            Advance::Compressed(format) => {
                let err = FileError::Compressed(self.path_of(stream), format);
                self.notices.push_back(FollowNotice::Failed(err));
            }
        }
        None
    }

    fn advance_pipe(&mut self, index: usize, block: &mut Block) -> Option<usize> {
        let pipe = &mut self.pipes[index];
        let notice = match pipe.advance(block, &self.site, self.limits.max_line_length) {
            PipeAdvance::Lines => return Some(pipe.stream),
            PipeAdvance::Nothing => return None,
            PipeAdvance::Notice(notice) => Some(notice),
            PipeAdvance::Ended(error) => {
                self.pipes.remove(index);
                self.cursor -= 1;
                error.map(FollowNotice::Failed)
            }
        };
        self.notices.extend(notice);
        None
    }

    /// Closes one inode that no path leads to any more and that is quiet for long: deleted, or
    /// replaced by another one. Its unterminated last line becomes a line.
    fn close_one_left_behind(&mut self, block: &mut Block) -> Option<usize> {
        let index = self.logs.iter().position(|log| {
            !self.reachable.contains(&log.identity)
                && log.was_quiet_since(log.found_at, LINGER)
                && self.logs.iter().all(|other| other.predecessor != Some(log.identity))
                && (log.is_deleted() || !self.is_missing(log))
        })?;
        let mut log = self.logs.remove(index);
        log.finish(block).then_some(log.stream)
    }

    /// Whether the path where an inode was found leads nowhere now.
    fn is_missing(&self, log: &Log) -> bool {
        self.watches.iter().any(|watch| watch.stream == log.stream && !watch.present)
    }
}

/// The folder that a glob begins with.
fn fixed_folder(glob: &OsStr) -> PathBuf {
    let bytes = glob.as_bytes();
    let fixed =
        &bytes[..bytes.iter().position(|byte| br"*?[\".contains(byte)).unwrap_or(bytes.len())];
    match fixed.iter().rposition(|byte| *byte == b'/') {
        Some(0) => PathBuf::from("/"),
        Some(end) => PathBuf::from(OsStr::from_bytes(&fixed[..end])),
        None => PathBuf::from("."),
    }
}
