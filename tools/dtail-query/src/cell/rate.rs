//! An amount per second of the time that its lines span.

use std::cmp::Ordering;

use crate::sum::ExactSum;

/// A sum, and the first and the last time.
#[derive(Debug, Clone)]
pub(crate) struct Rate {
    pub(crate) sum: ExactSum,
    pub(crate) first: f64,
    pub(crate) last: f64,
}

impl Rate {
    pub(crate) fn of(amount: f64, time: f64) -> Rate {
        Rate { sum: ExactSum::of(amount), first: time, last: time }
    }

    pub(crate) fn add(&mut self, amount: f64, time: f64) {
        self.sum.add(amount);
        self.span(time, time);
    }

    pub(crate) fn merge(&mut self, other: &Rate) {
        self.sum.merge(&other.sum);
        self.span(other.first, other.last);
    }

    fn span(&mut self, first: f64, last: f64) {
        if first.total_cmp(&self.first) == Ordering::Less {
            self.first = first;
        }
        if last.total_cmp(&self.last) == Ordering::Greater {
            self.last = last;
        }
    }

    /// Lines that are all of one time have none.
    pub(crate) fn per_second(&self) -> Option<f64> {
        let seconds = self.last - self.first;
        (seconds > 0.0).then(|| self.sum.value() / seconds)
    }
}
