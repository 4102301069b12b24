//! How much a host may send before what it sent has been passed on, so that memory is bounded by
//! one budget for all hosts. Never sees a frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Bytes that all hosts together may have under way.
const BUDGET: u64 = 64 << 20;
/// Less would make a host wait for each of its blocks.
const LEAST: u64 = 64 << 10;
/// More would not make a single host faster.
const MOST: u64 = 2 << 20;

/// Each host's share of the budget.
pub(crate) fn share(hosts: usize) -> u64 {
    (BUDGET / (hosts as u64).max(1)).clamp(LEAST, MOST)
}

/// What one connection has to give back to its host.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    returned: AtomicU64,
    changed: Notify,
}

/// Bytes under way; given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    bytes: u64,
    ledger: Arc<Ledger>,
}

impl Ledger {
    /// Bytes have arrived.
    pub(crate) fn charge(self: &Arc<Ledger>, bytes: u64) -> Charge {
        Charge { bytes, ledger: Arc::clone(self) }
    }

    /// Waits until something was given back. Nothing is lost when the waiting is given up.
    pub(crate) async fn returned(&self) -> u64 {
        loop {
            let bytes = self.returned.swap(0, Ordering::Relaxed);
            if bytes > 0 {
                return bytes;
            }
            self.changed.notified().await;
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.ledger.returned.fetch_add(self.bytes, Ordering::Relaxed);
        self.ledger.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Ledger, share};

    #[test]
    fn many_hosts_share_one_budget() {
        assert_eq!(
            [1, 32, 64, 1000, 100_000].map(share),
            [2 << 20, 2 << 20, 1 << 20, 67_108, 64 << 10]
        );
    }

    #[tokio::test]
    async fn what_was_passed_on_is_given_back() {
        let ledger = Arc::new(Ledger::default());
        let (first, second) = (ledger.charge(3), ledger.charge(4));
        drop(first);
        assert_eq!(ledger.returned().await, 3);
        let waiting = tokio::spawn({
            let ledger = Arc::clone(&ledger);
            async move { ledger.returned().await }
        });
        drop(second);
        assert_eq!(waiting.await.unwrap(), 4);
    }
}
