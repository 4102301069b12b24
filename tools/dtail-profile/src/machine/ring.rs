//! A queue from signal handlers to one thread. It is made beforehand, never allocates, never
//! waits, and drops what finds no place.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::stack::DEPTH;

/// What a handler saw.
pub(super) struct Sample {
    /// The thread.
    pub(super) thread: i32,
    /// How many ticks it stands for.
    pub(super) ticks: u32,
    /// How many of `frames` are set.
    pub(super) length: usize,
    /// Addresses, the innermost first.
    pub(super) frames: [u64; DEPTH],
}

struct Slot {
    /// The position this slot waits for, less its index, so that a ring of zeros is an empty one:
    /// that of its next writer, or one more when it waits for its reader.
    turn: AtomicUsize,
    sample: UnsafeCell<Sample>,
}

/// A bounded queue with many writers and one reader.
pub(super) struct Ring {
    slots: Box<[Slot]>,
    head: AtomicUsize,
    tail: AtomicUsize,
    dropped: AtomicU64,
}

// SAFETY: a slot's sample is touched by nobody but the one whose turn `turn` says it is.
unsafe impl Sync for Ring {}
// SAFETY: samples are plain numbers.
unsafe impl Send for Ring {}

impl Ring {
    /// A ring for so many samples, a power of two. Its memory is touched only as it is used.
    pub(super) fn new(capacity: usize) -> Ring {
        assert!(capacity.is_power_of_two(), "positions wrap around");
        // SAFETY: zeros are a valid slot: numbers and atomic numbers.
        let slots = unsafe { Box::<[Slot]>::new_zeroed_slice(capacity).assume_init() };
        let (head, tail) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Ring { slots, head, tail, dropped: AtomicU64::new(0) }
    }

    /// Lets `fill` write a sample, which it says is one. Signal handlers may call it.
    pub(super) fn push(&self, fill: impl FnOnce(&mut Sample)) {
        let mut position = self.head.load(Ordering::Relaxed);
        loop {
            let index = position & (self.slots.len() - 1);
            let turn = self.slots[index].turn.load(Ordering::Acquire);
            let ahead = turn.wrapping_add(index).wrapping_sub(position).cast_signed();
            if ahead < 0 {
                self.count_dropped();
                return;
            }
            if ahead > 0 {
                position = self.head.load(Ordering::Relaxed);
                continue;
            }
            match self.head.compare_exchange_weak(
                position,
                position.wrapping_add(1),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Err(now) => position = now,
                Ok(_) => {
                    let slot = &self.slots[index];
                    // SAFETY: this position is ours alone until `turn` says it is the reader's.
                    fill(unsafe { &mut *slot.sample.get() });
                    let next = position.wrapping_add(1).wrapping_sub(index);
                    slot.turn.store(next, Ordering::Release);
                    return;
                }
            }
        }
    }

    /// Calls `with` for every sample that is there. For one thread at a time.
    pub(super) fn drain(&self, mut with: impl FnMut(&Sample)) {
        loop {
            let position = self.tail.load(Ordering::Relaxed);
            let index = position & (self.slots.len() - 1);
            let slot = &self.slots[index];
            let turn = slot.turn.load(Ordering::Acquire);
            if turn.wrapping_add(index) != position.wrapping_add(1) {
                return;
            }
            // SAFETY: the writer is done with it, and the next one waits for the turn set below.
            with(unsafe { &*slot.sample.get() });
            let next = position.wrapping_add(self.slots.len()).wrapping_sub(index);
            slot.turn.store(next, Ordering::Release);
            self.tail.store(position.wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// Counts a sample that could not be taken.
    pub(super) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// How many samples were lost.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::Ring;

    fn push(ring: &Ring, value: u32) {
        ring.push(|sample| {
            (sample.ticks, sample.length) = (value, 1);
            sample.frames[0] = u64::from(value);
        });
    }

    fn drained(ring: &Ring) -> Vec<u32> {
        let mut all = Vec::new();
        ring.drain(|sample| {
            assert_eq!(sample.frames[0], u64::from(sample.ticks));
            all.push(sample.ticks);
        });
        all
    }

    #[test]
    fn what_finds_no_place_is_dropped_and_counted() {
        let ring = Ring::new(4);
        for round in 0..5 {
            (0..6).for_each(|value| push(&ring, round * 10 + value));
            let expected: Vec<u32> = (0..4).map(|value| round * 10 + value).collect();
            assert_eq!(drained(&ring), expected);
            assert_eq!(ring.dropped(), u64::from(round + 1) * 2);
        }
    }

    #[test]
    fn many_writers_lose_nothing_they_do_not_count() {
        const EACH: u32 = 20_000;
        let (ring, done) = (Ring::new(64), AtomicBool::new(false));
        let (mut sum, mut count) = (0_u64, 0_u64);
        thread::scope(|scope| {
            let writers: Vec<_> =
                (0..3).map(|_| scope.spawn(|| (0..EACH).for_each(|it| push(&ring, it)))).collect();
            scope.spawn(|| {
                writers.into_iter().for_each(|writer| writer.join().unwrap());
                done.store(true, Ordering::SeqCst);
            });
            loop {
                let last = done.load(Ordering::SeqCst);
                for value in drained(&ring) {
                    sum += u64::from(value);
                    count += 1;
                }
                if last {
                    break;
                }
            }
        });
        assert_eq!(count + ring.dropped(), u64::from(EACH) * 3);
        assert!(sum <= u64::from(EACH) * u64::from(EACH) * 3 / 2);
    }
}
