//! From blocks of lines to increments of aggregates. Never reads files.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dtail_protocol::{Mode, Request};
use dtail_query::{Aggregator, LogFormat, Query};
use dtail_search::{Pattern, lines};

use crate::outlet::Outlet;
use crate::{Output, RequestError, Settings};

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
    pub(crate) fn take(&mut self, mut block: &[u8]) {
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

    /// Puts out the rest.
    pub(crate) fn finish(&mut self, outlet: &mut Outlet<'_>) {
        self.flush(outlet);
        outlet.summary.matches += self.lines_aggregated;
    }

    fn flush(&mut self, outlet: &mut Outlet<'_>) {
        for warning in self.aggregator.take_warnings() {
            outlet.warn(warning);
        }
        let increment = self.aggregator.take();
        if !increment.is_empty() {
            outlet.put(Output::Aggregate(increment));
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
