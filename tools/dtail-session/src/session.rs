//! Carries a request out: file after file, or all files at once when following. Never decides
//! which lines are wanted.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use dtail_lines::{
    Block, BlockReader, FileError, Filled, FollowEvent, FollowNotice, Follower, Limits, Site,
    Target, resolve,
};
use dtail_protocol::{Context, LineBlock, LineNumbers, Mode, Request, Summary};
use dtail_search::{Pattern, Progress, lines};

use crate::aggregation::Aggregation;
use crate::outlet::Outlet;
use crate::permits::{Permit, Permits};
use crate::selection::Selection;
use crate::{Output, RequestError, Settings};

/// How long to wait for standard input before looking whether to stop.
const WAIT: Duration = Duration::from_millis(100);

/// A block buffer with more room than this is given back while nothing happens, so that a thousand
/// quiet follows need little memory.
const IDLE_ROOM: usize = 16 * 1024;
/// How long to wait for a permit before the user is told.
const PATIENCE: Duration = Duration::from_secs(1);

/// A request whose pattern and query are known to be good.
pub struct Session {
    request: Request,
    settings: Settings,
    site: Site,
    work: Work,
}

/// What is done with the lines.
enum Work {
    /// Bytes are passed on, lines do not matter.
    Copy,
    Select(Selection),
    Aggregate(Box<Aggregation>),
}

/// A file or whatever else lines come from.
#[derive(Default)]
struct Source {
    id: Arc<str>,
    progress: Progress,
    started: bool,
}

impl Session {
    /// Compiles pattern and query; nothing is opened or read yet. The worst of patterns take a
    /// second and 1 MiB of stack.
    pub fn new(request: Request, settings: Settings) -> Result<Session, RequestError> {
        let (named, limit) = (request.files.len(), settings.max_glob_targets);
        if settings.remote && named > limit {
            return Err(RequestError::TooManyFiles { named, limit });
        }
        let pattern = match &request.pattern {
            None => Pattern::literal(b""),
            Some(wanted) => {
                Pattern::new(&wanted.text, wanted.invert).map_err(RequestError::Pattern)?
            }
        };
        let work = match &request.query {
            Some(query) => {
                let aggregation = Aggregation::new(query, pattern, &request, &settings)?;
                Work::Aggregate(Box::new(aggregation))
            }
            None if request.mode == Mode::Map => return Err(RequestError::NoQuery),
            None if wants_bytes_only(&request) && !settings.strict => Work::Copy,
            None => Work::Select(Selection::new(pattern, &request, &settings)),
        };
        let site = Site {
            access: settings.access.clone(),
            has_stdin: !settings.remote,
            journalctl: settings.journalctl.clone(),
        };
        Ok(Session { request, settings, site, work })
    }

    /// Does the work on the calling thread, for which 256 KiB of stack are enough, until the input
    /// ends, `cancel` is set (noticed within 100 ms), the time is over, a limit is reached, or
    /// `emit` returns `Break` because the receiver is gone.
    pub fn run(
        mut self,
        cancel: &AtomicBool,
        emit: &mut dyn FnMut(Output) -> ControlFlow<()>,
    ) -> Summary {
        let deadline = self.request.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut outlet = Outlet::new(emit, cancel, deadline, self.settings.log.clone());
        if let Work::Aggregate(aggregation) = &mut self.work {
            aggregation.start(&mut outlet);
        }
        match self.request.mode {
            Mode::Tail => self.follow(&mut outlet),
            Mode::Cat | Mode::Grep | Mode::Map => self.read_all(&mut outlet),
        }
        if let Work::Aggregate(aggregation) = &mut self.work {
            aggregation.finish(&mut outlet);
        }
        outlet.summary
    }

    /// Reads file after file in the order given.
    fn read_all(&mut self, outlet: &mut Outlet<'_>) {
        let mut block = Block::default();
        for argument in std::mem::take(&mut self.request.files) {
            if outlet.is_closed() {
                return;
            }
            let found = match resolve(&argument, self.settings.max_glob_targets, &self.site) {
                Ok(found) => found,
                Err(err) => {
                    outlet.fail_file(&err);
                    continue;
                }
            };
            outlet.log(found.withheld.as_deref());
            if found.dropped > 0 {
                let (glob, dropped) = (argument.to_string_lossy().into_owned(), found.dropped);
                outlet.warn(FollowNotice::Dropped { glob, dropped });
            }
            for target in &found.targets {
                let permits = self.settings.file_permits.clone();
                let Some(permit) = wait_for_permit(permits.as_deref(), "MaxConcurrentCats", outlet)
                else {
                    return;
                };
                match self.read(target, &mut block, outlet) {
                    Ok(()) => outlet.summary.files += 1,
                    Err(err) => outlet.fail_file(&err),
                }
                drop(permit);
            }
        }
    }

    /// Reads one file to its end, its limit, or the end of the session.
    fn read(
        &mut self,
        target: &Target,
        block: &mut Block,
        outlet: &mut Outlet<'_>,
    ) -> Result<(), FileError> {
        let mut reader = BlockReader::open(target, &self.site, self.settings.max_line_length)?;
        let mut source = Source { id: target.source.clone(), ..Source::default() };
        let result = loop {
            if source.progress.is_done() || outlet.is_closed() {
                break Ok(());
            }
            let filled = match self.work {
                Work::Copy => reader.fill_unsplit(block, WAIT),
                Work::Select(_) | Work::Aggregate(_) => reader.fill(block, WAIT),
            };
            match filled {
                Ok(Filled::Lines) => self.work.take(block, &mut source, outlet),
                Ok(Filled::Waiting) => {}
                Ok(Filled::End) => break Ok(()),
                Err(err) => break Err(err),
            }
            self.work.tick(outlet);
        };
        outlet.summary.bytes_read += reader.bytes_read();
        self.work.end_source(&source, outlet);
        result
    }

    /// Follows all files in one loop.
    fn follow(&mut self, outlet: &mut Outlet<'_>) {
        let max_line_length = self.settings.max_line_length;
        let max_glob_targets = self.settings.max_glob_targets;
        let max_targets = if self.settings.remote { max_glob_targets } else { usize::MAX };
        let limits = Limits { max_line_length, max_glob_targets, max_targets };
        let permits = self.settings.file_permits.clone();
        let Some(_permit) = wait_for_permit(permits.as_deref(), "MaxConcurrentTails", outlet)
        else {
            return;
        };
        let mut follower = Follower::new(&self.request.files, limits, self.site.clone());
        let mut sources: Vec<Source> = Vec::new();
        let mut block = Block::default();
        while !outlet.is_closed() {
            match follower.next(&mut block) {
                FollowEvent::Lines(stream) => {
                    while sources.len() <= stream {
                        let id = follower.source(sources.len()).clone();
                        sources.push(Source { id, ..Source::default() });
                    }
                    outlet.summary.bytes_read += block.bytes.len() as u64;
                    self.work.take(&mut block, &mut sources[stream], outlet);
                    if sources[stream].progress.is_done() {
                        follower.finish_stream(stream);
                    }
                }
                FollowEvent::Notice(FollowNotice::Failed(err)) => outlet.fail_file(&err),
                FollowEvent::Notice(FollowNotice::Withheld(secret)) => outlet.log(Some(&secret)),
                FollowEvent::Notice(notice) => {
                    if let FollowNotice::Waiting(err) = &notice {
                        outlet.log(err.secret().as_deref());
                    }
                    outlet.warn(notice);
                }
                FollowEvent::Idle if block.bytes.capacity() > IDLE_ROOM => block = Block::default(),
                FollowEvent::Idle => {}
                FollowEvent::Ended => break,
            }
            self.work.tick(outlet);
        }
        // A file that was quiet all the time was followed all the same.
        let followed = follower.streams() as u64;
        outlet.summary.files = followed.saturating_sub(outlet.summary.failed_files);
        for source in sources.iter().filter(|source| source.started) {
            self.work.end_source(source, outlet);
        }
    }
}

impl Work {
    /// Takes in the next block of a source.
    fn take(&mut self, block: &mut Block, source: &mut Source, outlet: &mut Outlet<'_>) {
        let begins = !std::mem::replace(&mut source.started, true);
        for &offset in &block.long_lines {
            let place = match self {
                Work::Select(selection) if selection.numbers() => {
                    let earlier = lines(&block.bytes[..offset]).count() as u64;
                    format!("{} line {}", source.id, source.progress.lines() + earlier + 1)
                }
                _ => source.id.to_string(),
            };
            outlet.warn(format_args!("Long log line, splitting into multiple lines: {place}"));
        }
        match self {
            Work::Copy => {
                let bytes = std::mem::take(&mut block.bytes);
                let (source, numbers) = (source.id.clone(), LineNumbers::Unnumbered);
                outlet.put(Output::Lines(LineBlock { source, bytes, numbers }));
            }
            Work::Select(selection) => {
                selection.take(block, &source.id, &mut source.progress, outlet);
            }
            Work::Aggregate(aggregation) => {
                if begins {
                    aggregation.start_source();
                }
                aggregation.take(&block.bytes, outlet);
            }
        }
    }

    /// Time has passed.
    fn tick(&mut self, outlet: &mut Outlet<'_>) {
        if let Work::Aggregate(aggregation) = self {
            aggregation.tick(outlet);
        }
    }

    fn end_source(&self, source: &Source, outlet: &mut Outlet<'_>) {
        if let Work::Select(selection) = self {
            selection.count(&source.id, &source.progress, outlet);
        }
    }
}

/// Waits for a permit, if files are rationed, and tells the user of `key` when that takes long.
/// `None` when it is no longer wanted.
fn wait_for_permit<'a>(
    permits: Option<&'a Permits>,
    key: &str,
    outlet: &mut Outlet<'_>,
) -> Option<Permit<'a>> {
    if outlet.is_closed() {
        return None;
    }
    let Some(permits) = permits else { return Some(Permit::unrationed()) };
    let start = Instant::now();
    let mut told = false;
    permits.acquire(|| {
        if !told && start.elapsed() >= PATIENCE {
            told = true;
            outlet.warn(format_args!("waiting until others are done (Server.{key})"));
        }
        outlet.is_closed()
    })
}

/// Whether nobody would notice if lines were not looked at.
fn wants_bytes_only(request: &Request) -> bool {
    let unlimited = request.context == Context::default();
    request.mode == Mode::Cat && request.plain && request.pattern.is_none() && unlimited
}

#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod tests;
