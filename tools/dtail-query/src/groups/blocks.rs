//! Long sequences that grow without being moved: with ten million groups, a copy for each doubling
//! would need the memory twice. Never knows what it keeps.

use std::ops::{Index, IndexMut, Range};

use hashbrown::HashMap;

use crate::memory::heap_of;

const BITS: u32 = 14;

/// Entries that are in one piece of memory.
pub(super) const BLOCK: usize = 1 << BITS;

/// A sequence in pieces, of which the last can be given back.
#[derive(Debug, Clone)]
pub(crate) struct Blocks<T> {
    blocks: Vec<Vec<T>>,
}

impl<T> Default for Blocks<T> {
    fn default() -> Blocks<T> {
        Blocks { blocks: Vec::new() }
    }
}

impl<T> Blocks<T> {
    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        match self.blocks.last_mut() {
            Some(last) if last.len() < BLOCK => last.push(value),
            _ => self.begin_block(value),
        }
    }

    fn begin_block(&mut self, value: T) {
        // Most sequences are short, and the first block grows as they do.
        let capacity = if self.blocks.is_empty() { 1 } else { BLOCK };
        let mut block = Vec::with_capacity(capacity);
        block.push(value);
        self.blocks.push(block);
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.blocks.iter_mut().flatten()
    }

    /// Changes many entries, which are in one block if there are few groups.
    #[inline]
    pub(super) fn change<X>(
        &mut self,
        changes: impl Iterator<Item = (usize, X)>,
        mut change: impl FnMut(&mut T, X),
    ) {
        if let [block] = &mut self.blocks[..] {
            changes.for_each(|(index, by)| change(&mut block[index], by));
        } else {
            changes.for_each(|(index, by)| change(&mut self[index], by));
        }
    }

    /// The same until a change is refused, which is given back.
    #[inline]
    pub(super) fn try_change<X: Copy>(
        &mut self,
        mut changes: impl Iterator<Item = (usize, X)>,
        mut change: impl FnMut(&mut T, usize, X) -> bool,
    ) -> Option<(usize, X)> {
        if let [block] = &mut self.blocks[..] {
            changes.find(|&(index, by)| !change(&mut block[index], index, by))
        } else {
            changes.find(|&(index, by)| !change(&mut self[index], index, by))
        }
    }

    /// Where the entries of the last block are.
    pub(super) fn last_block(&self) -> Option<Range<usize>> {
        let first = self.blocks.len().checked_sub(1)? * BLOCK;
        Some(first..self.len())
    }

    pub(super) fn pop_block(&mut self) -> Vec<T> {
        self.blocks.pop().unwrap_or_default()
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        let Some(last) = self.blocks.last() else { return 0 };
        let full = (self.blocks.len() - 1) * heap_of(BLOCK * size_of::<T>());
        let blocks = heap_of(self.blocks.capacity() * size_of::<Vec<T>>());
        full + heap_of(last.capacity() * size_of::<T>()) + blocks
    }
}

impl<T> Index<usize> for Blocks<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: usize) -> &T {
        &self.blocks[index / BLOCK][index % BLOCK]
    }
}

impl<T> IndexMut<usize> for Blocks<T> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.blocks[index / BLOCK][index % BLOCK]
    }
}

/// Counts, most of which are small.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    low: Blocks<u32>,
    /// What is too much for the others: the upper halves of counts, in their place.
    high: HashMap<usize, u64>,
}

impl Counts {
    #[inline]
    pub(super) fn push_zero(&mut self) {
        self.low.push(0);
    }

    #[inline]
    pub(super) fn add_one(&mut self, index: usize) {
        let low = &mut self.low[index];
        match low.checked_add(1) {
            Some(sum) => *low = sum,
            None => self.carry(index, 1),
        }
    }

    /// Adds one to each of these.
    #[inline]
    pub(super) fn add_ones(&mut self, indices: impl Iterator<Item = usize>) {
        let mut carried = Vec::new();
        self.low.change(indices.map(|index| (index, index)), |low, index| {
            let (sum, is_carried) = low.overflowing_add(1);
            *low = sum;
            if is_carried {
                carried.push(index);
            }
        });
        for index in carried {
            let high = self.high.entry(index).or_default();
            *high = high.saturating_add(1 << 32);
        }
    }

    /// Stops at the largest.
    #[inline]
    pub(super) fn add(&mut self, index: usize, more: u64) {
        let low = &mut self.low[index];
        match u32::try_from(more).ok().and_then(|more| low.checked_add(more)) {
            Some(sum) => *low = sum,
            None => self.carry(index, more),
        }
    }

    #[cold]
    fn carry(&mut self, index: usize, more: u64) {
        let sum = self.get(index).saturating_add(more);
        self.low[index] = sum as u32;
        self.high.insert(index, sum >> 32 << 32);
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> u64 {
        let low = u64::from(self.low[index]);
        if self.high.is_empty() {
            return low;
        }
        low + self.high.get(&index).copied().unwrap_or(0)
    }

    pub(super) fn pop_block(&mut self) {
        self.low.pop_block();
    }

    pub(super) fn memory(&self) -> usize {
        self.low.memory() + heap_of(self.high.capacity() * size_of::<(usize, u64)>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stay_where_they_are_and_go_block_by_block() {
        let mut blocks = Blocks::default();
        let many = 2 * BLOCK + 5;
        (0..many).for_each(|it| blocks.push(it));
        assert_eq!(blocks.len(), many);
        assert!(blocks.iter().copied().eq(0..many));
        assert!((0..many).all(|it| blocks[it] == it));
        assert!(blocks.memory() >= many * size_of::<usize>());
        assert_eq!(blocks.last_block(), Some(2 * BLOCK..many));
        assert_eq!(blocks.pop_block().len(), 5);
        assert_eq!(blocks.pop_block().len(), BLOCK);
        assert_eq!(blocks.len(), BLOCK);
        blocks.push(7);
        assert_eq!((blocks.len(), blocks[BLOCK]), (BLOCK + 1, 7));
        assert_eq!(Blocks::<u8>::default().len(), 0);
        assert_eq!(Blocks::<u8>::default().last_block(), None);
    }

    #[test]
    fn counts_go_beyond_32_bits_and_stop_at_the_largest() {
        let mut counts = Counts::default();
        counts.push_zero();
        counts.push_zero();
        counts.add(0, u64::from(u32::MAX));
        counts.add_ones([0, 0].into_iter());
        assert_eq!((counts.get(0), counts.get(1)), (1 << 32 | 1, 0));
        counts.add(1, 5 << 32);
        counts.add(1, u64::from(u32::MAX));
        counts.add_one(1);
        assert_eq!(counts.get(1), 6 << 32);
        counts.add(0, (1 << 32) - 2);
        counts.add_ones([0].into_iter());
        assert_eq!(counts.get(0), 2 << 32);
        counts.add(1, u64::MAX);
        assert_eq!(counts.get(1), u64::MAX);
        counts.add_one(1);
        assert_eq!(counts.get(1), u64::MAX);
    }
}
