//! How the lines of a block are looked for: by literals that must be in them or by the expression
//! itself, whichever promises to be faster. Never decides whether a line matches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use memchr::{memchr, memchr_iter};

use crate::literals::Needles;
use crate::scan::Scan;

/// So many sets of literals are tried on a sample.
const MAX_TRIED: usize = 4;

/// As much of the first block is looked at.
const MAX_SAMPLE: usize = 64 << 10;

/// A sample smaller than this says nothing; the expression itself will do for such a block.
const MIN_SAMPLE: usize = 1 << 10;

/// What the expression costs for each byte it looks at, in nanoseconds; roughly.
const BYTE: f64 = 1.0;

/// What it costs to find a line's ends and to start the expression on it.
const LINE: f64 = 60.0;

/// A way to look for lines, decided on when there is something to look at. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    sets: Arc<[Needles]>,
    decided: Arc<OnceLock<Option<Filter>>>,
    gave_up: Arc<AtomicBool>,
}

/// Literals that are looked for first.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) scan: Scan,
    /// A match begins where the literal does, and not before.
    pub(crate) at_start: bool,
    /// The literal is a match.
    pub(crate) sure: bool,
}

impl Plan {
    /// A choice among these and the expression itself.
    pub(crate) fn new(sets: Vec<Needles>) -> Plan {
        Plan { sets: sets.into(), decided: Arc::default(), gave_up: Arc::default() }
    }

    /// What to look for in a block, if it is worth it.
    pub(crate) fn filter(&self, block: &[u8]) -> Option<&Filter> {
        if self.sets.is_empty() || self.gave_up.load(Ordering::Relaxed) {
            return None;
        }
        let is_sure = self.sets[0].sure;
        if block.len() < MIN_SAMPLE && !is_sure && self.decided.get().is_none() {
            return None;
        }
        let filter = self.decided.get_or_init(|| {
            let sample = &block[..block.len().min(MAX_SAMPLE)];
            if is_sure { Some(Filter::new(&self.sets[0], sample)) } else { self.choose(sample) }
        });
        filter.as_ref().filter(|filter| !filter.scan.may_miss(block))
    }

    fn choose(&self, sample: &[u8]) -> Option<Filter> {
        let tried = self.sets.iter().take(MAX_TRIED).map(|set| {
            let filter = Filter::new(set, sample);
            let cost = filter.cost(sample);
            (filter, cost)
        });
        let (filter, cost) = tried.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        (cost < BYTE * sample.len() as f64).then_some(filter)
    }

    /// Looking for literals has turned out not to be worth it.
    pub(crate) fn give_up(&self) {
        self.gave_up.store(true, Ordering::Relaxed);
    }
}

impl Filter {
    fn new(needles: &Needles, sample: &[u8]) -> Filter {
        let scan = Scan::new(needles, sample);
        let at_start = needles.at_start && scan.finds_first;
        Filter { scan, at_start, sure: needles.sure }
    }

    /// What it costs to look through the sample, in nanoseconds; roughly.
    fn cost(&self, sample: &[u8]) -> f64 {
        let mut lines = 0;
        let mut from = 0;
        while let Some(found) = self.scan.find(sample, from) {
            lines += 1;
            let newline = memchr(b'\n', &sample[found.end..]);
            let Some(newline) = newline else { break };
            from = found.end + newline + 1;
        }
        let all = memchr_iter(b'\n', sample).count().max(1);
        let line = LINE + BYTE * (sample.len() / all) as f64;
        self.scan.cost() * sample.len() as f64 + f64::from(lines) * line
    }
}

/// Whether looking for literals is worth it, while it is being done.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Account {
    spent: f64,
    failures: u32,
}

impl Account {
    /// A line had the literal and did not match.
    pub(crate) fn failed(&mut self, line: usize) {
        self.spent += LINE + BYTE * line as f64;
        self.failures += 1;
    }

    /// Whether the expression itself would have cost less for so many bytes.
    pub(crate) fn is_lost(&self, bytes: usize) -> bool {
        self.failures >= 64 && self.spent > BYTE * 1.25 * bytes as f64
    }
}
