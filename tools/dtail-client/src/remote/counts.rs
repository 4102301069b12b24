//! How many hosts do what, counted by whoever begins and stops doing it. Never decides anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::HostCounts;

/// The counters of a run.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) total: usize,
    pub(crate) connected: AtomicUsize,
    pub(crate) connecting: AtomicUsize,
    pub(crate) interactive: AtomicUsize,
    pub(crate) failed: AtomicUsize,
}

/// One host that does something, until dropped.
pub(crate) struct Counted {
    counts: Arc<Counts>,
    which: fn(&Counts) -> &AtomicUsize,
}

impl Counts {
    pub(crate) fn new(total: usize) -> Arc<Counts> {
        Arc::new(Counts { total, ..Counts::default() })
    }

    pub(crate) fn now(&self) -> HostCounts {
        let get = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        HostCounts {
            total: self.total,
            connected: get(&self.connected),
            connecting: get(&self.connecting),
            interactive: get(&self.interactive),
            failed: get(&self.failed),
        }
    }

    /// Counts one more.
    pub(crate) fn count(self: &Arc<Counts>, which: fn(&Counts) -> &AtomicUsize) -> Counted {
        which(self).fetch_add(1, Ordering::Relaxed);
        Counted { counts: Arc::clone(self), which }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.which)(&self.counts).fetch_sub(1, Ordering::Relaxed);
    }
}
