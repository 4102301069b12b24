//! What one thread aggregates, and how much all of them hold. Never reads files and never puts
//! anything out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dtail_query::Aggregator;
use dtail_search::lines;

use crate::sieve::Sieve;

/// Blocks of one source have numbers in its part of the sequence, which has room for 256 GB.
const SOURCE_BITS: u32 = 20;

/// Where a source comes in the order of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn(u64);

impl Turn {
    /// The first source, or the only one.
    pub(crate) const FIRST: Turn = Turn(0);

    /// The turn of the source that comes next.
    pub(crate) fn next(self) -> Turn {
        Turn(self.0 + 1)
    }

    /// The place of a block in the order of reading.
    pub(crate) fn sequence(self, block: u64) -> u64 {
        (self.0 << SOURCE_BITS) + block
    }
}

/// The first line of a source, which says what the others hold.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) turn: Turn,
    pub(crate) line: Vec<u8>,
}

/// How a block relates to its source.
pub(crate) enum Beginning<'a> {
    /// The source begins with it.
    Source,
    /// It comes later in a source that begins so.
    Later(Option<&'a Header>),
    /// It follows the block before.
    Continued,
}

/// How much all threads hold and may hold.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Bytes; 0 means no limit.
    pub(crate) limit: usize,
    held: AtomicUsize,
    is_exceeded: AtomicBool,
}

impl Meter {
    pub(crate) fn new(limit: usize) -> Meter {
        Meter { limit, held: AtomicUsize::new(0), is_exceeded: AtomicBool::new(false) }
    }

    /// Whether the groups have become too many.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.is_exceeded.load(Ordering::Relaxed)
    }

    /// One thread holds so much instead of what it held before.
    fn update(&self, before: usize, now: usize) {
        if self.limit == 0 {
            return;
        }
        let others = self.held.fetch_sub(before, Ordering::Relaxed) - before;
        let held = self.held.fetch_add(now, Ordering::Relaxed) + now;
        if held.max(others + now) > self.limit {
            self.is_exceeded.store(true, Ordering::Relaxed);
        }
    }
}

/// What one thread aggregates.
pub(crate) struct Share {
    pub(crate) aggregator: Aggregator,
    sieve: Sieve,
    /// The first line of a source names its columns and is never filtered.
    has_header: bool,
    /// The source of the last block is at its first line.
    at_header: bool,
    /// The source whose header the aggregator knows.
    known: Option<Turn>,
    /// Lines that were looked at.
    pub(crate) lines: u64,
    meter: Arc<Meter>,
    held: usize,
}

impl Share {
    pub(crate) fn new(
        aggregator: Aggregator,
        sieve: Sieve,
        meter: Arc<Meter>,
        has_header: bool,
    ) -> Share {
        let (at_header, known, lines, held) = (false, None, 0, 0);
        Share { aggregator, sieve, has_header, at_header, known, lines, meter, held }
    }

    /// One with nothing in it, for another thread.
    pub(crate) fn another(&self) -> Share {
        let (sieve, meter) = (self.sieve.clone(), self.meter.clone());
        Share::new(self.aggregator.clone_empty(), sieve, meter, self.has_header)
    }

    /// Aggregates a block of whole lines, of which this is the place in the order of reading.
    pub(crate) fn take(&mut self, beginning: &Beginning<'_>, sequence: u64, mut block: &[u8]) {
        if self.meter.is_exceeded() {
            return;
        }
        match *beginning {
            Beginning::Source => {
                self.aggregator.start_source();
                self.at_header = self.has_header;
                self.known = None;
            }
            Beginning::Later(Some(header)) => _ = self.know(header),
            Beginning::Later(None) | Beginning::Continued => {}
        }
        self.aggregator.begin_block(sequence);
        // Blank lines may precede it.
        while self.at_header
            && let Some(header) = lines(block).next()
        {
            self.aggregator.line(header);
            self.at_header = !self.aggregator.knows_columns();
            block = &block[(header.len() + 1).min(block.len())..];
        }
        self.lines += self.sieve.sift(block, &mut self.aggregator);
        self.weigh();
    }

    /// Goes on within a source that begins so. `false`: that is no header.
    pub(crate) fn know(&mut self, header: &Header) -> bool {
        self.at_header = false;
        let is_new = self.known != Some(header.turn);
        self.known = Some(header.turn);
        !is_new || self.aggregator.start_source_with(&header.line)
    }

    /// Tells the others how much is held.
    pub(crate) fn weigh(&mut self) {
        if self.meter.limit > 0 {
            let held = self.aggregator.memory();
            self.meter.update(self.held, held);
            self.held = held;
        }
    }
}
