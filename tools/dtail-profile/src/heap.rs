//! Heap profiles: which stacks asked for the memory that is in use and for all that ever was, by
//! the sampled allocations. It does not decide which are sampled.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use dtail_pprof::{Profile, Text, ValueType};

use crate::allocator::{self, MEAN_GAP, unsampled};
use crate::assembly::Assembly;
use crate::machine::{self, DEPTH, Registers};
use crate::symbols::Symbols;

/// Locks of the table of addresses.
const SHARDS: usize = 16;
/// Sampled allocations that are remembered while they are alive, in each of the shards.
const MOST_LIVE: usize = 1 << 14;
/// Different stacks that are told apart; what comes later is counted as one.
const MOST_STACKS: usize = 1 << 16;

/// What stands for the samples of one stack, or of all. Estimates, so that they have fractions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) objects: f64,
    pub(crate) bytes: f64,
    pub(crate) freed_objects: f64,
    pub(crate) freed_bytes: f64,
}

/// The state of the heap at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeapState {
    stacks: HashMap<Box<[u64]>, Totals>,
}

/// Which of the four values is shown first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Memory in use.
    InUse,
    /// All that was ever asked for.
    Allocated,
}

impl Shown {
    /// The kind of the values.
    pub(crate) fn sample_type(self) -> &'static str {
        match self {
            Shown::InUse => "inuse_space",
            Shown::Allocated => "alloc_space",
        }
    }
}

struct Heap {
    stacks: Mutex<Stacks>,
    live: [Mutex<HashMap<usize, Live>>; SHARDS],
    started: Mutex<SystemTime>,
}

#[derive(Default)]
struct Stacks {
    numbers: HashMap<Box<[u64]>, usize>,
    totals: Vec<Totals>,
}

#[derive(Clone, Copy)]
struct Live {
    stack: usize,
    size: usize,
}

static HEAP: OnceLock<Heap> = OnceLock::new();
static USERS: AtomicUsize = AtomicUsize::new(0);

/// Allocations are sampled, as long as one of these is there.
#[derive(Debug)]
pub(crate) struct HeapRecording(());

impl HeapRecording {
    /// Starts to sample unless somebody else has.
    pub(crate) fn start() -> HeapRecording {
        machine::prepare();
        let heap = HEAP.get_or_init(|| Heap {
            stacks: Mutex::default(),
            live: std::array::from_fn(|_| Mutex::default()),
            started: Mutex::new(SystemTime::now()),
        });
        if USERS.fetch_add(1, Ordering::SeqCst) == 0 {
            unsampled(|| {
                *lock(&heap.stacks) = Stacks::default();
                heap.live.iter().for_each(|shard| lock(shard).clear());
                allocator::clear_filter();
                *lock(&heap.started) = SystemTime::now();
            });
            allocator::switch(true);
        }
        HeapRecording(())
    }
}

impl Drop for HeapRecording {
    fn drop(&mut self) {
        if USERS.fetch_sub(1, Ordering::SeqCst) == 1 {
            allocator::switch(false);
        }
    }
}

/// Whether allocations are being sampled.
pub(crate) fn is_recorded() -> bool {
    USERS.load(Ordering::SeqCst) > 0
}

/// Notes a sampled allocation. For the allocator.
pub(crate) fn remember(address: usize, size: usize, place: Registers) {
    let Some(heap) = HEAP.get() else { return };
    let mut frames = [0; DEPTH];
    let length = machine::walk(place, &mut frames).unwrap_or(0);
    let one = of_one(size);
    let stack = {
        let mut stacks = lock(&heap.stacks);
        // The first is the allocator's own.
        let stack = stacks.number(frames[..length].get(1..).unwrap_or_default());
        stacks.totals[stack].objects += one.objects;
        stacks.totals[stack].bytes += one.bytes;
        stack
    };
    let mut live = lock(&heap.live[shard(address)]);
    if live.len() < MOST_LIVE && live.insert(address, Live { stack, size }).is_none() {
        allocator::filter(address, true);
    }
}

/// Notes that an address is freed which perhaps was sampled. For the allocator.
pub(crate) fn forget(address: usize) {
    let Some(heap) = HEAP.get() else { return };
    let gone = {
        let mut live = lock(&heap.live[shard(address)]);
        let gone = live.remove(&address);
        if gone.is_some() {
            allocator::filter(address, false);
        }
        gone
    };
    if let Some(Live { stack, size }) = gone
        && let Some(totals) = lock(&heap.stacks).totals.get_mut(stack)
    {
        let one = of_one(size);
        totals.freed_objects += one.objects;
        totals.freed_bytes += one.bytes;
    }
}

/// For how many allocations of a size a sampled one stands: it had this chance to be sampled.
fn of_one(size: usize) -> Totals {
    #[expect(clippy::cast_precision_loss, reason = "nobody has so much memory")]
    let size = size as f64;
    let objects = 1.0 / -(-size / MEAN_GAP).exp_m1();
    Totals { objects, bytes: objects * size, ..Totals::default() }
}

impl Stacks {
    fn number(&mut self, stack: &[u64]) -> usize {
        if let Some(number) = self.numbers.get(stack) {
            return *number;
        }
        let stack = if self.totals.len() < MOST_STACKS { stack } else { &[] };
        let Stacks { numbers, totals } = self;
        *numbers.entry(stack.into()).or_insert_with(|| {
            totals.push(Totals::default());
            totals.len() - 1
        })
    }
}

impl HeapState {
    /// As it is now.
    pub(crate) fn now() -> HeapState {
        let Some(heap) = HEAP.get() else { return HeapState::default() };
        unsampled(|| {
            let stacks = lock(&heap.stacks);
            let all = stacks.numbers.iter().map(|(stack, number)| {
                (stack.clone(), stacks.totals.get(*number).copied().unwrap_or_default())
            });
            HeapState { stacks: all.collect() }
        })
    }

    /// What was added since.
    pub(crate) fn since(self, before: &HeapState) -> HeapState {
        self.without(before, |before| *before)
    }

    /// What was asked for since; memory in use stays what it is.
    pub(crate) fn asked_since(self, before: &HeapState) -> HeapState {
        // As if all that was asked for before had been freed before.
        self.without(before, |before| Totals {
            freed_objects: before.objects,
            freed_bytes: before.bytes,
            ..*before
        })
    }

    /// Takes off each stack what `part` makes of the state before, and leaves out those of which
    /// nothing is left.
    fn without(mut self, before: &HeapState, part: fn(&Totals) -> Totals) -> HeapState {
        for (stack, totals) in &mut self.stacks {
            if let Some(before) = before.stacks.get(stack) {
                let before = part(before);
                totals.objects -= before.objects;
                totals.bytes -= before.bytes;
                totals.freed_objects -= before.freed_objects;
                totals.freed_bytes -= before.freed_bytes;
            }
        }
        self.stacks.retain(|_, totals| *totals != Totals::default());
        self
    }

    /// The sum of all stacks.
    pub(crate) fn sum(&self) -> Totals {
        self.stacks.values().fold(Totals::default(), |sum, it| Totals {
            objects: sum.objects + it.objects,
            bytes: sum.bytes + it.bytes,
            freed_objects: sum.freed_objects + it.freed_objects,
            freed_bytes: sum.freed_bytes + it.freed_bytes,
        })
    }

    /// The profile with names and all four of Go's values.
    pub(crate) fn profile(&self, shown: Shown, symbols: &mut Symbols) -> Profile {
        unsampled(|| self.assemble(shown, symbols))
    }

    fn assemble(&self, shown: Shown, symbols: &mut Symbols) -> Profile {
        let types = [
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ];
        let started = HEAP.get().map_or_else(SystemTime::now, |heap| *lock(&heap.started));
        symbols.learn(self.stacks.keys().flatten());
        let mut assembly = Assembly::new(symbols, &types, started);
        assembly.hide_allocation();
        for (stack, totals) in &self.stacks {
            let Totals { objects, bytes, freed_objects, freed_bytes } = *totals;
            let values = [objects, bytes, objects - freed_objects, bytes - freed_bytes];
            #[expect(clippy::cast_possible_truncation, reason = "nobody has so much memory")]
            let values = values.map(|value| value.round() as i64).to_vec();
            if stack.is_empty() {
                assembly.add_named("[stacks nobody could tell apart]", values);
            } else {
                assembly.add(stack, values, &[]);
            }
        }
        let profile = assembly.profile();
        profile.period_type = Some(ValueType::new("space", "bytes"));
        #[expect(clippy::cast_possible_truncation, reason = "it is half a million")]
        let period = MEAN_GAP as i64;
        profile.period = period;
        profile.default_sample_type = Some(Text::from(shown.sample_type()));
        assembly.finish()
    }
}

fn shard(address: usize) -> usize {
    ((address as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % SHARDS
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::hint::black_box;

    use dtail_pprof::Profile;

    use super::{HeapRecording, HeapState, Shown};
    use crate::SamplingAllocator;
    use crate::symbols::Symbols;

    #[global_allocator]
    static ALLOCATOR: SamplingAllocator = SamplingAllocator;

    const BLOCKS: usize = 20_000;
    const BLOCK: usize = 10_000;

    #[inline(never)]
    fn asks_for_memory() -> Vec<Box<[u8]>> {
        (0..BLOCKS).map(|_| black_box(vec![1_u8; BLOCK].into_boxed_slice())).collect()
    }

    /// The value of all stacks with this function.
    fn value(profile: &Profile, function: &str, kind: usize) -> f64 {
        let has_it = |location: &u32| {
            let lines = &profile.locations[*location as usize].lines;
            let mut names = lines.iter().map(|it| &profile.functions[it.function as usize].name);
            names.any(|name| name.ends_with(function))
        };
        let samples = profile.samples.iter().filter(|it| it.locations.iter().any(has_it));
        samples.map(|sample| sample.values[kind] as f64).sum()
    }

    #[test]
    fn memory_in_use_and_all_that_ever_was_are_estimated() {
        let recording = HeapRecording::start();
        let blocks = asks_for_memory();
        let full = HeapState::now();
        drop(blocks);
        let empty = HeapState::now();
        drop(recording);
        let (bytes, objects) = ((BLOCKS * BLOCK) as f64, BLOCKS as f64);
        let profile = full.profile(Shown::InUse, &mut Symbols::new());
        // Some 400 samples stand for them all: a fifth is four standard deviations.
        for (kind, expected) in [(0, objects), (1, bytes), (2, objects), (3, bytes)] {
            let value = value(&profile, "asks_for_memory", kind);
            assert!((value / expected - 1.0).abs() < 0.2, "{kind}: {value}, not {expected}");
        }
        let profile = empty.clone().profile(Shown::Allocated, &mut Symbols::new());
        assert!(value(&profile, "asks_for_memory", 1) > bytes * 0.8);
        assert!(value(&profile, "asks_for_memory", 3) < bytes * 0.02);
        assert!(empty.clone().since(&full).sum().freed_bytes > bytes * 0.8);
        let scraped = empty.clone().asked_since(&full).sum();
        let (all, part) = (empty.sum(), full.sum());
        assert!((scraped.bytes - (all.bytes - part.bytes)).abs() < 1.0, "{scraped:?}");
        let in_use = all.bytes - all.freed_bytes;
        assert!((scraped.bytes - scraped.freed_bytes - in_use).abs() < 1.0, "{scraped:?}");
        let names = profile.functions.iter().map(|it| it.name.to_string());
        let own: Vec<_> = names.filter(|name| name.contains("SamplingAllocator")).collect();
        assert_eq!(own, [""; 0]);
    }
}
