//! The allocator of our programs: the system's, of which one allocation in a while is sampled when
//! a heap profile is wanted. Otherwise it costs one load and a branch that is never taken.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use crate::heap;
use crate::machine::{self, Registers};

/// Bytes between two samples on average, as in Go.
pub(crate) const MEAN_GAP: f64 = 512.0 * 1024.0;
/// Places of the filter: collisions stay rare up to some ten thousand sampled allocations alive.
const PLACES: usize = 1 << 16;

/// Whether allocations are sampled.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// How many sampled allocations that are alive fall on each place, so that freeing any other
/// finds out quickly that it is of no interest.
static FILTER: [AtomicU16; PLACES] = [const { AtomicU16::new(0) }; PLACES];

thread_local! {
    static GAP: Gap = const { Gap { left: Cell::new(0), seed: Cell::new(0), is_inside: Cell::new(false) } };
}

/// What lies ahead of a thread. It has no destructor, so that it can be used to the very end.
struct Gap {
    /// Bytes until the next sample.
    left: Cell<isize>,
    /// 0 until the thread is first asked.
    seed: Cell<u64>,
    /// What the profiler itself allocates is not sampled.
    is_inside: Cell<bool>,
}

/// The allocator to install as the global one.
#[derive(Debug, Clone, Copy, Default)]
pub struct SamplingAllocator;

// SAFETY: all memory is the system allocator's; what is noted about it does not touch it.
unsafe impl GlobalAlloc for SamplingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the same.
        let pointer = unsafe { System.alloc(layout) };
        if IS_ON.load(Ordering::Relaxed) {
            note_allocation(pointer, layout.size());
        }
        pointer
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the same.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        if IS_ON.load(Ordering::Relaxed) {
            note_allocation(pointer, layout.size());
        }
        pointer
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // Before it is freed: then another thread may get the same address.
        if IS_ON.load(Ordering::Relaxed) {
            note_free(pointer);
        }
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(pointer, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if IS_ON.load(Ordering::Relaxed) {
            note_free(pointer);
        }
        // SAFETY: the caller's promises are the same.
        let moved = unsafe { System.realloc(pointer, layout, size) };
        if IS_ON.load(Ordering::Relaxed) {
            note_allocation(moved, size);
        }
        moved
    }
}

/// Switches sampling on or off.
pub(crate) fn switch(on: bool) {
    IS_ON.store(on, Ordering::SeqCst);
}

/// Runs `work`, whose allocations are not sampled on this thread. What it allocates it must free
/// itself.
pub(crate) fn unsampled<R>(work: impl FnOnce() -> R) -> R {
    GAP.with(|gap| {
        let before = gap.is_inside.replace(true);
        let result = work();
        gap.is_inside.set(before);
        result
    })
}

#[cold]
#[inline(never)]
fn note_allocation(pointer: *mut u8, size: usize) {
    // In this function, which is never inlined, so that stacks have exactly one frame too many.
    let place = machine::own_registers();
    GAP.with(|gap| {
        let left = gap.left.get().saturating_sub_unsigned(size);
        if left > 0 {
            gap.left.set(left);
        } else if !pointer.is_null() {
            gap.end(pointer, size, place);
        }
    });
}

#[cold]
#[inline(never)]
fn note_free(pointer: *mut u8) {
    if FILTER[place(pointer as usize)].load(Ordering::Relaxed) != 0
        && !GAP.with(|gap| gap.is_inside.get())
    {
        unsampled(|| heap::forget(pointer as usize));
    }
}

impl Gap {
    fn end(&self, pointer: *mut u8, size: usize, place: Registers) {
        if self.is_inside.get() {
            return;
        }
        if self.seed.get() == 0 {
            // Threads differ by where this lies.
            self.seed.set(std::ptr::from_ref(self) as u64 | 1);
            self.draw();
            self.left.set(self.left.get().saturating_sub_unsigned(size));
            if self.left.get() > 0 {
                return;
            }
        }
        self.draw();
        unsampled(|| heap::remember(pointer as usize, size, place));
    }

    /// The gap to the next sample: exponentially distributed, so that each byte has the same chance
    /// whatever comes before it.
    fn draw(&self) {
        let mut seed = self.seed.get();
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        self.seed.set(seed);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let fraction = ((seed >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        #[expect(clippy::cast_possible_truncation, reason = "at most 37 times the mean")]
        self.left.set((-fraction.ln() * MEAN_GAP) as isize);
    }
}

/// Adds an address to the filter, or takes it off. For the holder of the address's lock.
pub(crate) fn filter(address: usize, is_sampled: bool) {
    let place = &FILTER[place(address)];
    match is_sampled {
        true => place.fetch_add(1, Ordering::Relaxed),
        false => place.fetch_sub(1, Ordering::Relaxed),
    };
}

/// Forgets all addresses.
pub(crate) fn clear_filter() {
    FILTER.iter().for_each(|place| place.store(0, Ordering::Relaxed));
}

fn place(address: usize) -> usize {
    // Multiplicative hashing; the lowest bits of an address say nothing.
    ((address as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize & (PLACES - 1)
}
