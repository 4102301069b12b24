//! Groups of aggregated lines, and how two partial results become one.
//!
//! Never sees a line: the aggregator finds the group and hands its cells the values.

mod legacy;
mod partial;
#[cfg(test)]
mod tests;

pub use partial::BadPartialResult;

use std::{
    cmp::Ordering,
    hash::{BuildHasher, Hasher},
};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::{
    cell::{Cell, Moment},
    memory::heap_of,
    query::{Aggregation, Query},
    result,
    same::same,
    table::ResultTable,
};

/// Groups that are merged before their memory is given back.
const MERGED_AT_ONCE: usize = 1 << 16;

/// A partial result: one entry per group key. Merging is exact, and its order does not matter:
/// `first`, `last` and `len` go by the numbers of the blocks their values were in.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    strict: bool,
    columns: Vec<Aggregation>,
    index: HashTable<usize>,
    hasher: DefaultHashBuilder,
    groups: Vec<Group>,
    /// All keys, one after the other.
    keys: Vec<u8>,
    /// As many as there are columns for each group.
    cells: Vec<Cell>,
    /// Bytes that the cells hold elsewhere.
    heap: usize,
    /// Groups read from DTail, which does not say when anything was; they come one after another.
    arrivals: u64,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    /// A part of it, for the quick look.
    hash: u32,
    /// How many places at the end of the key are not its text, see [`GroupKey`].
    bounds: u32,
    key_start: usize,
    key_end: usize,
    /// Lines that gave at least one column something.
    samples: u64,
}

/// The values of the group fields in a reusable buffer: the values joined by `,`, which is what
/// rows are ordered by, then (unless strict) where each but the last ends, so that `a,b` and `c`
/// are not taken for `a` and `b,c`.
#[derive(Debug, Default)]
pub(crate) struct GroupKey {
    bytes: Vec<u8>,
    ends: Vec<u8>,
    is_empty: bool,
}

impl GroupKey {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.is_empty = true;
    }

    pub(crate) fn push(&mut self, value: &[u8]) {
        if !self.is_empty {
            self.ends.extend_from_slice(&self.bytes.len().to_le_bytes());
            self.bytes.push(b',');
        }
        self.bytes.extend_from_slice(value);
        self.is_empty = false;
    }

    fn finish(&mut self, strict: bool) -> usize {
        if strict {
            self.ends.clear();
        }
        self.bytes.extend_from_slice(&self.ends);
        self.ends.len()
    }
}

impl Group {
    fn new(hash: u64, key_start: usize, key_end: usize, bounds: usize) -> Group {
        let bounds = (bounds / size_of::<usize>()) as u32;
        Group { hash: short(hash), bounds, key_start, key_end, samples: 0 }
    }

    /// Bytes at the end of the key that are not its text.
    fn bounds(&self) -> usize {
        self.bounds as usize * size_of::<usize>()
    }
}

/// Bits of a hash that do not say where it is in the index.
fn short(hash: u64) -> u32 {
    (hash >> 25) as u32
}

#[inline]
fn hash_of(hasher: &DefaultHashBuilder, key: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(key);
    hasher.finish()
}

impl Groups {
    /// No groups yet: something to merge increments into. `strict` as in `Aggregator::new`.
    pub fn new(strict: bool) -> Groups {
        Groups { strict, ..Groups::default() }
    }

    pub(crate) fn with_columns(columns: Vec<Aggregation>, strict: bool) -> Groups {
        Groups { strict, columns, ..Groups::default() }
    }

    /// The group that a line belongs to; the line is counted as one of its samples.
    pub(crate) fn add_sample(&mut self, key: &mut GroupKey) -> usize {
        let bounds = key.finish(self.strict);
        let group = self.find_or_insert(&key.bytes, bounds);
        self.groups[group].samples += 1;
        group
    }

    /// The same for the value of the only group field.
    #[inline]
    pub(crate) fn add_sample_of(&mut self, value: &[u8]) -> usize {
        let group = self.find_or_insert(value, 0);
        self.groups[group].samples += 1;
        group
    }

    /// Takes in a value that is the same in all lines of a group, if it need not be known again.
    #[inline]
    pub(crate) fn touch_key(&mut self, group: usize, column: usize, moment: Moment) -> bool {
        self.cells[group * self.columns.len() + column].touch(moment)
    }

    /// Takes in a value as it is.
    pub(crate) fn add_value(&mut self, group: usize, column: usize, value: &[u8], moment: Moment) {
        let cell = &mut self.cells[group * self.columns.len() + column];
        self.heap += cell.add_value(value, moment);
    }

    /// Counts a line in each of these groups.
    pub(crate) fn count(&mut self, column: usize, lines: impl Iterator<Item = usize>) {
        let width = self.columns.len();
        for group in lines {
            if let Cell::Count(count) = &mut self.cells[group * width + column] {
                *count += 1;
            }
        }
    }

    /// Takes in the numbers of lines for each of these groups.
    pub(crate) fn add_numbers(
        &mut self,
        column: usize,
        lines: impl Iterator<Item = (usize, Option<f64>)>,
    ) {
        // What is asked here is not asked again for each line.
        match self.columns[column] {
            Aggregation::Avg => self.add_to(column, lines, |it| matches!(it, Cell::Avg { .. })),
            Aggregation::Sum => self.add_to(column, lines, |it| matches!(it, Cell::Sum(_))),
            Aggregation::Min => self.add_to(column, lines, |it| matches!(it, Cell::Min(_))),
            Aggregation::Max => self.add_to(column, lines, |it| matches!(it, Cell::Max(_))),
            _ => self.add_to(column, lines, |_| true),
        }
    }

    #[inline]
    fn add_to(
        &mut self,
        column: usize,
        lines: impl Iterator<Item = (usize, Option<f64>)>,
        is_right: impl Fn(&Cell) -> bool,
    ) {
        let Groups { strict, columns, cells, heap, .. } = self;
        let width = columns.len();
        for (group, number) in lines {
            let cell = &mut cells[group * width + column];
            if let Some(number) = number
                && is_right(cell)
            {
                *heap += cell.add_number(number, *strict);
            }
        }
    }

    /// Takes in amounts and times for each of these groups.
    pub(crate) fn add_at(
        &mut self,
        column: usize,
        lines: impl Iterator<Item = (usize, (Option<f64>, Option<f64>))>,
    ) {
        let width = self.columns.len();
        for (group, amount_and_time) in lines {
            if let (Some(amount), Some(time)) = amount_and_time {
                self.heap += self.cells[group * width + column].add_at(amount, time);
            }
        }
    }

    #[inline]
    fn find_or_insert(&mut self, key: &[u8], bounds: usize) -> usize {
        let hash = hash_of(&self.hasher, key);
        let Groups { groups, keys, index, hasher, .. } = self;
        let is_same = |&group: &usize| {
            let group = &groups[group];
            group.hash == short(hash) && same(&keys[group.key_start..group.key_end], key)
        };
        if let Some(group) = index.find(hash, is_same) {
            return *group;
        }
        let key_start = keys.len();
        keys.extend_from_slice(key);
        groups.push(Group::new(hash, key_start, keys.len(), bounds));
        index.insert_unique(hash, groups.len() - 1, |&group| {
            let group = &groups[group];
            hash_of(hasher, &keys[group.key_start..group.key_end])
        });
        self.cells.extend(self.columns.iter().map(|column| Cell::new(*column)));
        self.groups.len() - 1
    }

    /// All groups so far; what stays behind is empty and has the same columns.
    pub(crate) fn take(&mut self) -> Groups {
        let empty = Groups::with_columns(self.columns.clone(), self.strict);
        let mut taken = std::mem::replace(self, empty);
        if taken.strict {
            taken.cells.iter_mut().for_each(Cell::settle_extremes);
        }
        taken
    }

    /// Adds what was aggregated since.
    pub fn merge(&mut self, mut increment: Groups) {
        if self.groups.is_empty() {
            *self = increment;
            return;
        }
        increment.index = HashTable::new();
        let width = increment.columns.len();
        // From the end, so that memory can be given back while ours grows.
        while let Some(group) = increment.groups.pop() {
            let left = increment.groups.len();
            let key = &increment.keys[group.key_start..group.key_end];
            // As many cells as the increment has columns, which are the same query's.
            let later = increment.cells.drain(left * width..);
            self.merge_group(key, group.bounds(), group.samples, later);
            if left.is_multiple_of(MERGED_AT_ONCE) {
                increment.groups.shrink_to_fit();
                increment.cells.shrink_to_fit();
                increment.keys.truncate(group.key_start);
                increment.keys.shrink_to_fit();
            }
        }
    }

    /// Adds what was aggregated of one group since.
    fn merge_group(
        &mut self,
        key: &[u8],
        bounds: usize,
        samples: u64,
        later: impl Iterator<Item = Cell>,
    ) {
        let known = self.find_or_insert(key, bounds);
        let Groups { groups, cells, heap, columns, strict, .. } = self;
        groups[known].samples = groups[known].samples.saturating_add(samples);
        let known_cells = &mut cells[known * columns.len()..][..columns.len()];
        for (cell, later) in known_cells.iter_mut().zip(later) {
            let before = cell.heap();
            cell.merge(later, *strict);
            *heap = (*heap + cell.heap()).saturating_sub(before);
        }
    }

    /// Bytes held: not less than half of what it really is, and found out at once.
    pub fn memory(&self) -> usize {
        self.index.allocation_size()
            + heap_of(self.groups.capacity() * size_of::<Group>())
            + heap_of(self.keys.capacity())
            + heap_of(self.cells.capacity() * size_of::<Cell>())
            + self.heap
    }

    /// Whether there is no group at all.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// The result as titles and sorted rows. `query` is the one that was aggregated by.
    pub fn table(&self, query: &Query) -> ResultTable {
        result::table(self, query)
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    pub(crate) fn cell(&self, group: usize, column: usize) -> &Cell {
        &self.cells[group * self.columns.len() + column]
    }

    /// What one aggregate of one group has come to, as a number.
    pub(crate) fn number(&self, group: usize, column: usize) -> f64 {
        self.cell(group, column).number(self.groups[group].samples, self.strict)
    }

    /// The same, but nothing for texts and where there was no value.
    pub(crate) fn known_number(&self, group: usize, column: usize) -> Option<f64> {
        self.cell(group, column).known_number(self.groups[group].samples, self.strict)
    }

    /// The order of two groups by their keys.
    pub(crate) fn compare_keys(&self, left: usize, right: usize) -> Ordering {
        let parts = |group: usize| {
            let group = &self.groups[group];
            self.keys[group.key_start..group.key_end]
                .split_at(group.key_end - group.key_start - group.bounds())
        };
        parts(left).cmp(&parts(right))
    }
}
