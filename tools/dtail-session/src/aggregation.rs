//! From blocks of lines to increments of aggregates: plans a query, hands out shares of the work,
//! and puts out what they have come to. Never reads files.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dtail_protocol::{Mode, Request};
use dtail_query::{Aggregator, LogFormat, Query};
use dtail_search::Pattern;
use probe::probe;

use crate::outlet::Outlet;
use crate::share::{Beginning, Header, Meter, Share, Turn};
use crate::sieve::Sieve;
use crate::{Output, RequestError, Settings};

/// Aggregates lines and puts out increments.
pub(crate) struct Aggregation {
    /// One for each thread; the first one is that of the thread that puts things out.
    shares: Vec<Arc<Mutex<Share>>>,
    meter: Arc<Meter>,
    has_header: bool,
    /// The source that is read.
    turn: Turn,
    /// Blocks of it that were read.
    blocks: u64,
    interval: Duration,
    due: Instant,
    /// Increments are wanted before the end.
    is_interim: bool,
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
        let chosen =
            LogFormat::choose(&query, &settings.default_log_format, &settings.user_formats);
        let format = match chosen {
            Ok(format) => format,
            Err(err) if settings.strict => {
                replaced_format = Some(err.to_string());
                LogFormat::Generic
            }
            Err(err) => return Err(RequestError::Format(err)),
        };
        let interval = query.interval();
        let host = settings.host.clone();
        let has_header = format.has_header();
        let aggregator = Aggregator::new(Arc::new(query), format, host, settings.strict);
        let sieve = Sieve::new(&aggregator, pattern);
        let meter = Arc::new(Meter::new(settings.max_query_memory));
        let share = Share::new(aggregator, sieve, meter.clone(), has_header);
        // DTail's first result of a one-shot query comes after half an interval.
        let first = if request.mode == Mode::Tail { interval } else { interval / 2 };
        Ok(Aggregation {
            shares: vec![Arc::new(Mutex::new(share))],
            meter,
            has_header,
            turn: Turn::FIRST,
            blocks: 0,
            interval,
            due: Instant::now() + first,
            is_interim: request.mode == Mode::Tail || !settings.final_only,
            replaced_format,
        })
    }

    /// Called once before the first source.
    pub(crate) fn start(&mut self, outlet: &mut Outlet<'_>) {
        if let Some(text) = self.replaced_format.take() {
            outlet.error(format_args!("{text}, using generic"));
        }
    }

    /// The share of the calling thread, which puts things out.
    pub(crate) fn own_share(&self) -> Arc<Mutex<Share>> {
        self.shares[0].clone()
    }

    /// A share for another thread.
    pub(crate) fn new_share(&mut self) -> Arc<Mutex<Share>> {
        let share = Arc::new(Mutex::new(lock(&self.shares[0]).another()));
        self.shares.push(share.clone());
        share
    }

    /// Whether the first line of a source is needed to read the others.
    pub(crate) fn has_header(&self) -> bool {
        self.has_header
    }

    /// Whether this is a header, and not only the first line.
    pub(crate) fn understands(&self, header: &Header) -> bool {
        lock(&self.shares[0]).know(header)
    }

    /// The blocks that follow are of another source.
    pub(crate) fn begin_turn(&mut self, turn: Turn) {
        (self.turn, self.blocks) = (turn, 0);
    }

    /// So many blocks of the source were taken by others.
    pub(crate) fn go_on(&mut self, blocks: u64, header: Option<&Header>) {
        self.blocks = blocks;
        if let Some(header) = header {
            lock(&self.shares[0]).know(header);
        }
    }

    /// Aggregates a block of whole lines on the calling thread.
    pub(crate) fn take(&mut self, begins: bool, block: &[u8], outlet: &mut Outlet<'_>) {
        let beginning = if begins { Beginning::Source } else { Beginning::Continued };
        let sequence = self.turn.sequence(self.blocks);
        self.blocks += 1;
        lock(&self.shares[0]).take(&beginning, sequence, block);
        self.check(outlet);
    }

    /// Gives the request up when its groups have become too many.
    pub(crate) fn check(&mut self, outlet: &mut Outlet<'_>) {
        if self.meter.is_exceeded() && !outlet.summary.aborted {
            let limit = Size(self.meter.limit);
            outlet.abort(format_args!(
                "the groups of this query need more than the {limit} of memory of \
                 Server.MaxQueryMemory: group by fewer different values or select fewer lines"
            ));
        }
    }

    /// Puts an increment out if an interval is over.
    pub(crate) fn tick(&mut self, outlet: &mut Outlet<'_>) {
        let now = Instant::now();
        if self.is_interim && now >= self.due {
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
        outlet.summary.matches += self.shares.iter().map(|share| lock(share).lines).sum::<u64>();
    }

    fn flush(&mut self, outlet: &mut Outlet<'_>) {
        let [own, others @ ..] = &self.shares[..] else { return };
        let mut own = lock(own);
        let mut increment = own.aggregator.take();
        own.weigh();
        for share in others {
            let mut share = lock(share);
            own.aggregator.absorb_complaints(&mut share.aggregator);
            let mut groups = share.aggregator.take();
            share.weigh();
            drop(share);
            if groups.len() > increment.len() {
                std::mem::swap(&mut groups, &mut increment);
            }
            increment.merge(groups);
        }
        for warning in own.aggregator.take_warnings() {
            outlet.warn(warning);
        }
        drop(own);
        probe!(dtail, aggregate_flush, increment.len());
        if !increment.is_empty() {
            outlet.put(Output::Aggregate(increment));
        }
    }
}

/// A thread that panicked with its share ends the session, whatever it left.
pub(crate) fn lock(share: &Mutex<Share>) -> MutexGuard<'_, Share> {
    share.lock().unwrap_or_else(PoisonError::into_inner)
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
