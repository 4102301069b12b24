//! Rations what may be read at the same time by all sessions of a process. Never knows what is
//! read.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::outlet::Outlet;

/// How often somebody who waits looks whether it is still wanted.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// How long to wait for a permit before the user is told.
const PATIENCE: Duration = Duration::from_secs(1);

/// A number of permits, given out in the order in which they are asked for.
#[derive(Debug)]
pub struct Permits {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Tickets of those who wait, the first one in front.
    queue: VecDeque<u64>,
    next_ticket: u64,
}

/// A permit; given back when dropped. It is of no ration when nothing is rationed.
#[derive(Debug)]
pub(crate) struct Permit<'a>(Option<&'a Permits>);

impl Permit<'_> {
    /// For those whom nothing is rationed to.
    pub(crate) fn unrationed() -> Permit<'static> {
        Permit(None)
    }
}

impl Permits {
    /// So many permits, at least one.
    pub fn new(n: usize) -> Permits {
        let state = State { free: n.max(1), queue: VecDeque::new(), next_ticket: 0 };
        Permits { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for a permit, calling `is_cancelled` at least every 100 ms. `None` once that says yes.
    pub(crate) fn acquire(&self, mut is_cancelled: impl FnMut() -> bool) -> Option<Permit<'_>> {
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queue.push_back(ticket);
        loop {
            if state.free > 0 && state.queue.front() == Some(&ticket) {
                state.queue.pop_front();
                state.free -= 1;
                drop(state);
                // Another permit may be free for the next in the queue.
                self.changed.notify_all();
                return Some(Permit(Some(self)));
            }
            drop(state);
            let cancelled = is_cancelled();
            state = self.lock();
            if cancelled {
                state.queue.retain(|&waiting| waiting != ticket);
                drop(state);
                self.changed.notify_all();
                return None;
            }
            if state.free == 0 || state.queue.front() != Some(&ticket) {
                let waited = self.changed.wait_timeout(state, CANCEL_INTERVAL);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// No code that holds the lock can panic half way, so what a poisoned one guards is sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(permits) = self.0 {
            permits.lock().free += 1;
            permits.changed.notify_all();
        }
    }
}

/// Waits for a permit, if files are rationed, and tells the user of `key` when that takes long.
/// `None` when it is no longer wanted.
pub(crate) fn wait_for_permit<'a>(
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::Permits;

    const LIMIT: Duration = Duration::from_secs(10);

    #[track_caller]
    fn wait_for(queued: usize, permits: &Permits) {
        let start = Instant::now();
        while permits.lock().queue.len() != queued {
            assert!(start.elapsed() < LIMIT, "{queued} wait");
            thread::yield_now();
        }
    }

    #[test]
    fn permits_are_given_in_the_order_asked_for() {
        let permits = Arc::new(Permits::new(2));
        let first = permits.acquire(|| false).expect("free");
        let second = permits.acquire(|| false).expect("free");
        let order = Arc::new(Mutex::new(Vec::new()));
        let waiting: Vec<_> = (0..5)
            .map(|number| {
                let (permits_there, order) = (permits.clone(), order.clone());
                let handle = thread::spawn(move || {
                    let permit = permits_there.acquire(|| false).expect("never cancelled");
                    order.lock().expect("no panic").push(number);
                    drop(permit);
                });
                wait_for(number + 1, &permits);
                handle
            })
            .collect();
        assert!(order.lock().expect("no panic").is_empty());
        // With a single permit going round, nobody can overtake.
        drop(first);
        waiting.into_iter().for_each(|handle| handle.join().expect("no panic"));
        assert_eq!(*order.lock().expect("no panic"), [0, 1, 2, 3, 4]);
        drop(second);
        assert_eq!(permits.lock().free, 2);
    }

    #[test]
    fn who_is_cancelled_leaves_the_queue() {
        let permits = Permits::new(1);
        let held = permits.acquire(|| false).expect("free");
        let cancelled = AtomicBool::new(false);
        thread::scope(|scope| {
            let impatient = scope.spawn(|| permits.acquire(|| cancelled.load(Ordering::Relaxed)));
            wait_for(1, &permits);
            let patient = scope.spawn(|| permits.acquire(|| false));
            wait_for(2, &permits);
            let start = Instant::now();
            cancelled.store(true, Ordering::Relaxed);
            assert!(impatient.join().expect("no panic").is_none());
            assert!(start.elapsed() < Duration::from_secs(2), "noticed at once");
            drop(held);
            assert!(patient.join().expect("no panic").is_some());
        });
        assert!(permits.lock().queue.is_empty());
        assert_eq!(permits.lock().free, 1);
    }

    #[test]
    fn no_permits_at_all_would_be_useless() {
        assert!(Permits::new(0).acquire(|| false).is_some());
    }
}
