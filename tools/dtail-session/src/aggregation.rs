//! From blocks of lines to increments of aggregates. Never reads files.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dtail_protocol::{Mode, Request};
use dtail_query::{Aggregator, Groups, LogFormat, Query};
use dtail_search::{Pattern, lines};

use crate::outlet::Outlet;
use crate::{Output, RequestError, Settings};

/// Groups may have grown by so much when so many lines or bytes were taken in since they were last
/// measured.
const UNMEASURED_LINES: u64 = 16 * 1024;
const UNMEASURED_BYTES: usize = 1 << 20;

/// Keeps the groups of an interval below a limit.
struct MemoryLimit {
    /// Bytes; 0 means no limit.
    limit: usize,
    /// Groups that were measured; they come before those that the aggregator holds.
    measured: Groups,
    measured_at_line: u64,
    unmeasured_bytes: usize,
    strict: bool,
}

/// Aggregates lines and puts out increments.
pub(crate) struct Aggregation {
    aggregator: Aggregator,
    /// The lines of the query's table.
    table: Pattern,
    pattern: Pattern,
    /// The first line of a source names its columns and is never filtered.
    has_header: bool,
    /// The source of the last block is at its first line.
    at_header: bool,
    interval: Duration,
    due: Instant,
    lines_aggregated: u64,
    memory: MemoryLimit,
    /// A log format that does not exist, which DTail replaces by `generic`.
    replaced_format: Option<String>,
}

impl Aggregation {
    /// Plans the query of a request.
    pub(crate) fn new(
        text: &str,
        pattern: Pattern,
        request: &Request,
        settings: &Settings,
    ) -> Result<Aggregation, RequestError> {
        let query = Query::parse(text).map_err(RequestError::Query)?;
        let mut replaced_format = None;
        let format = match LogFormat::choose(&query, &settings.default_log_format) {
            Ok(format) => format,
            Err(err) if settings.strict => {
                replaced_format = Some(err.to_string());
                LogFormat::Generic
            }
            Err(err) => return Err(RequestError::Format(err)),
        };
        let interval = query.interval();
        let host = settings.host.clone();
        let aggregator = Aggregator::new(Arc::new(query), format, host, settings.strict);
        // DTail's first result of a one-shot query comes after half an interval.
        let first = if request.mode == Mode::Tail { interval } else { interval / 2 };
        Ok(Aggregation {
            table: Pattern::literal(aggregator.line_filter().unwrap_or_default()),
            aggregator,
            pattern,
            has_header: format == LogFormat::Csv,
            at_header: false,
            interval,
            due: Instant::now() + first,
            lines_aggregated: 0,
            memory: MemoryLimit::new(settings),
            replaced_format,
        })
    }

    /// Called once before the first source.
    pub(crate) fn start(&mut self, outlet: &mut Outlet<'_>) {
        if let Some(text) = self.replaced_format.take() {
            outlet.error(format_args!("{text}, using generic"));
        }
    }

    /// The next block begins a source.
    pub(crate) fn start_source(&mut self) {
        self.aggregator.start_source();
        self.at_header = self.has_header;
    }

    /// Aggregates a block of whole lines.
    pub(crate) fn take(&mut self, mut block: &[u8], outlet: &mut Outlet<'_>) {
        self.memory.unmeasured_bytes += block.len();
        if self.at_header
            && let Some(header) = lines(block).next()
        {
            self.at_header = false;
            self.aggregator.line(header);
            block = &block[header.len() + 1..];
        }
        let Aggregation { aggregator, table, pattern, lines_aggregated, .. } = self;
        each_run(table, block, |run| {
            each_run(pattern, run, |run| {
                for line in lines(run) {
                    aggregator.line(line);
                    *lines_aggregated += 1;
                }
            });
        });
        self.memory.check(aggregator, *lines_aggregated, outlet);
    }

    /// Puts an increment out if an interval is over.
    pub(crate) fn tick(&mut self, outlet: &mut Outlet<'_>) {
        let now = Instant::now();
        if now >= self.due {
            self.due += self.interval;
            if self.due <= now {
                self.due = now + self.interval;
            }
            self.flush(outlet);
        }
    }

    /// Puts out the rest, unless the request was given up: then it would be a part of the truth.
    pub(crate) fn finish(&mut self, outlet: &mut Outlet<'_>) {
        if !outlet.summary.aborted {
            self.flush(outlet);
        }
        outlet.summary.matches += self.lines_aggregated;
    }

    fn flush(&mut self, outlet: &mut Outlet<'_>) {
        for warning in self.aggregator.take_warnings() {
            outlet.warn(warning);
        }
        let increment = self.memory.take(&mut self.aggregator);
        if !increment.is_empty() {
            outlet.put(Output::Aggregate(increment));
        }
    }
}

impl MemoryLimit {
    fn new(settings: &Settings) -> MemoryLimit {
        let strict = settings.strict;
        MemoryLimit {
            limit: settings.max_query_memory,
            measured: Groups::new(strict),
            measured_at_line: 0,
            unmeasured_bytes: 0,
            strict,
        }
    }

    /// Everything aggregated since the last call.
    fn take(&mut self, aggregator: &mut Aggregator) -> Groups {
        let mut groups = std::mem::replace(&mut self.measured, Groups::new(self.strict));
        groups.merge(aggregator.take());
        groups
    }

    /// Gives the request up when its groups have become too many.
    fn check(&mut self, aggregator: &mut Aggregator, lines: u64, outlet: &mut Outlet<'_>) {
        let is_due = lines - self.measured_at_line >= UNMEASURED_LINES
            || self.unmeasured_bytes >= UNMEASURED_BYTES;
        if self.limit == 0 || !is_due {
            return;
        }
        self.measured_at_line = lines;
        self.unmeasured_bytes = 0;
        self.measured.merge(aggregator.take());
        if self.measured.memory() > self.limit {
            self.measured = Groups::new(self.strict);
            let limit = Size(self.limit);
            outlet.abort(format_args!(
                "the groups of this query need more than the {limit} of memory of \
                 Server.MaxQueryMemory: group by fewer different values or select fewer lines"
            ));
        }
    }
}

/// A number of bytes for people.
struct Size(usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes % (1 << 20) == 0 => write!(f, "{} MiB", bytes >> 20),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// Calls `each` with every run of selected lines of a block.
fn each_run(pattern: &Pattern, block: &[u8], mut each: impl FnMut(&[u8])) {
    let cursor = pattern.over(block);
    let mut from = 0;
    while let Some(run) = cursor.next_run(from) {
        from = run.end;
        each(&block[run]);
    }
}
