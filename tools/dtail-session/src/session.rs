//! Understands a request and has it carried out: by reading or by following. Never decides which
//! lines are wanted.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use dtail_lines::{Block, Site};
use dtail_protocol::{Context, LineBlock, LineNumbers, Mode, Request, Summary};
use dtail_search::{Pattern, lines};
use probe::probe;

use crate::aggregation::Aggregation;
use crate::outlet::Outlet;
use crate::selection::{Selection, wish};
use crate::source::Source;
use crate::{Output, RequestError, Settings};

/// A request whose pattern and query are known to be good.
pub struct Session {
    pub(crate) request: Request,
    pub(crate) settings: Settings,
    pub(crate) site: Site,
    pub(crate) work: Work,
}

/// What is done with the lines.
pub(crate) enum Work {
    /// Bytes are passed on, lines do not matter.
    Copy,
    Select(Selection),
    Aggregate(Box<Aggregation>),
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
            Some(wanted) => Pattern::new(&wish(wanted)).map_err(RequestError::Pattern)?,
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
        // 0 cat, 1 grep, 2 tail, 3 map; how many files or patterns of files were named.
        probe!(dtail, query_start, self.request.mode as u8, self.request.files.len());
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
        let summary = outlet.summary;
        let aborted = u8::from(summary.aborted);
        probe!(dtail, query_stop, summary.files, summary.bytes_read, summary.matches, aborted);
        summary
    }
}

impl Work {
    /// Takes in the next block of a source.
    pub(crate) fn take(&mut self, block: &mut Block, source: &mut Source, outlet: &mut Outlet<'_>) {
        probe!(dtail, line_batch, block.bytes.len());
        let begins = !std::mem::replace(&mut source.started, true);
        for &offset in &block.long_lines {
            let place = match self {
                Work::Select(selection) if selection.numbers => {
                    let earlier = lines(&block.bytes[..offset]).count() as u64;
                    format!("{} line {}", source.id, source.lines() + earlier + 1)
                }
                _ => source.id.to_string(),
            };
            outlet.warn(format_args!("Long log line, splitting into multiple lines: {place}"));
        }
        match self {
            Work::Copy => {
                let bytes = std::mem::take(&mut block.bytes);
                let (source, numbers) = (source.id.clone(), LineNumbers::Unnumbered);
                outlet.put(Output::Lines(LineBlock {
                    source,
                    bytes,
                    numbers,
                    offsets: Vec::new(),
                }));
            }
            Work::Select(selection) => {
                selection.take(block, source, outlet);
            }
            Work::Aggregate(aggregation) => aggregation.take(begins, &block.bytes, outlet),
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, outlet: &mut Outlet<'_>) {
        if let Work::Aggregate(aggregation) = self {
            aggregation.tick(outlet);
        }
    }

    pub(crate) fn end_source(&self, source: &Source, outlet: &mut Outlet<'_>) {
        if let Work::Select(selection) = self {
            selection.count(source, outlet);
        }
    }
}

/// Whether nobody would notice if lines were not looked at.
fn wants_bytes_only(request: &Request) -> bool {
    let unlimited = request.context == Context::default();
    request.mode == Mode::Cat && !request.extras.numbers && request.pattern.is_none() && unlimited
}

#[cfg(test)]
mod aggregation_tests;
#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod tests;
