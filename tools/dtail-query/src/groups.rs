//! Groups of aggregated lines, and how two partial results become one.
//!
//! Never sees a line: the aggregator finds the group and hands its cells the values.

mod blocks;
mod column;
mod keys;
mod legacy;
mod partial;
mod recent;
#[cfg(test)]
mod tests;

pub use partial::BadPartialResult;

use std::{borrow::Cow, cmp::Ordering};

use hashbrown::HashSet;

use crate::{
    cell::{Cell, Moment, Text},
    query::{Aggregation, Query},
    result,
    table::ResultTable,
};
use blocks::{Blocks, Counts};
use column::{Column, Unfit};
use keys::Keys;

/// Bytes of a place in a key.
const BOUND: usize = size_of::<usize>();

/// A partial result: one entry per group key. Merging is exact, and its order does not matter:
/// `first`, `last` and `len` go by the numbers of the blocks their values were in.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    strict: bool,
    keys: Keys,
    /// How many places at the end of each key are not its text, see [`GroupKey`].
    bounds: usize,
    /// Groups of which the key is nothing but a text, though it should have bounds.
    unclear: HashSet<usize>,
    /// Lines of each group that gave at least one column something.
    samples: Counts,
    kinds: Vec<Aggregation>,
    columns: Vec<Column>,
    /// Groups read from DTail, which does not say when anything was; they come one after another.
    arrivals: u64,
}

/// The columns of a group to which an increment is merged.
struct Target {
    group: usize,
    column: usize,
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

impl Groups {
    /// No groups yet: something to merge increments into. `strict` as in `Aggregator::new`.
    pub fn new(strict: bool) -> Groups {
        Groups { strict, ..Groups::default() }
    }

    /// No groups of this query.
    pub(crate) fn of_query(query: &Query, strict: bool) -> Groups {
        let kinds = query.cell_kinds();
        let keys = query.key_columns(strict);
        let columns = kinds.iter().zip(keys).map(|(kind, key)| Column::new(*kind, key)).collect();
        let bounds = if strict { 0 } else { query.group_keys(strict).len().saturating_sub(1) };
        Groups { strict, bounds, kinds, columns, ..Groups::default() }
    }

    /// No groups of the same query, for lines that will be merged with these.
    pub(crate) fn another(&self) -> Groups {
        let columns = self.columns.iter().zip(&self.kinds);
        Groups {
            strict: self.strict,
            keys: self.keys.another(),
            bounds: self.bounds,
            kinds: self.kinds.clone(),
            columns: columns.map(|(column, kind)| column.another(*kind)).collect(),
            ..Groups::default()
        }
    }

    /// The group that a line belongs to.
    pub(crate) fn group(&mut self, key: &mut GroupKey) -> usize {
        let bounds = key.finish(self.strict);
        self.find_or_insert(&key.bytes, bounds)
    }

    /// The same for the value of the only group field.
    #[inline]
    pub(crate) fn group_of(&mut self, value: &[u8]) -> usize {
        let (group, is_new) = self.keys.find_or_insert(value);
        if is_new {
            self.begin();
        }
        group
    }

    fn find_or_insert(&mut self, key: &[u8], bounds: usize) -> usize {
        let (group, is_new) = self.keys.find_or_insert(key);
        if is_new {
            self.begin();
            if bounds != self.bounds * BOUND {
                self.unclear.insert(group);
            }
        }
        group
    }

    /// A group is new.
    fn begin(&mut self) {
        self.samples.push_zero();
        self.columns.iter_mut().for_each(Column::push_empty);
    }

    /// Takes in a value that is the same in all lines of a group, if it need not be known again.
    #[inline]
    pub(crate) fn touch_key(&mut self, group: usize, column: usize, moment: Moment) -> bool {
        self.columns[column].touch_key(group, moment)
    }

    /// Takes in a value as it is.
    pub(crate) fn add_value(&mut self, group: usize, column: usize, value: &[u8], moment: Moment) {
        if !self.columns[column].add_value(group, value, moment) {
            self.make_cells(column);
            self.columns[column].add_value(group, value, moment);
        }
    }

    /// Counts a line as a sample of each of these groups.
    pub(crate) fn add_samples(&mut self, lines: impl Iterator<Item = usize>) {
        self.samples.add_ones(lines);
    }

    /// Counts a line in each of these groups.
    pub(crate) fn count(&mut self, column: usize, lines: impl Iterator<Item = usize>) {
        self.columns[column].count(lines);
    }

    /// Takes in the numbers of lines for each of these groups.
    pub(crate) fn add_numbers(
        &mut self,
        column: usize,
        mut lines: impl Iterator<Item = (usize, Option<f64>)>,
    ) {
        if let Some((group, number)) = self.columns[column].add_numbers(&mut lines, self.strict) {
            self.make_cells(column);
            let mut rest = std::iter::once((group, Some(number))).chain(lines);
            self.columns[column].add_numbers(&mut rest, self.strict);
        }
    }

    /// Takes in amounts and times for each of these groups.
    pub(crate) fn add_at(
        &mut self,
        column: usize,
        lines: impl Iterator<Item = (usize, (Option<f64>, Option<f64>))>,
    ) {
        for (group, amount_and_time) in lines {
            if let (Some(amount), Some(time)) = amount_and_time {
                self.columns[column].add_at(group, amount, time);
            }
        }
    }

    /// Makes cells of a column, which can be anything.
    #[cold]
    fn make_cells(&mut self, column: usize) {
        let mut cells = Blocks::default();
        (0..self.len()).for_each(|group| cells.push(self.cell(group, column).into_owned()));
        self.columns[column] = Column::Cells(self.kinds[column], cells, 0);
        if let Column::Cells(_, cells, heap) = &mut self.columns[column] {
            *heap = cells.iter().map(Cell::heap).sum();
        }
    }

    /// All groups so far; what stays behind is empty and has the same columns.
    pub(crate) fn take(&mut self) -> Groups {
        let empty = self.another();
        let mut taken = std::mem::replace(self, empty);
        if taken.strict {
            taken.columns.iter_mut().for_each(Column::settle_extremes);
        }
        taken
    }

    /// Adds what was aggregated since.
    pub fn merge(&mut self, mut increment: Groups) {
        if self.is_empty() {
            *self = increment;
            return;
        }
        increment.keys.forget_index();
        let mut ours = Vec::new();
        // From the end, so that memory can be given back while ours grows.
        while let Some(theirs) = increment.keys.last_block() {
            let Groups { keys, samples, columns, unclear, .. } = self;
            keys.join(&increment.keys, theirs.clone(), &mut ours, |our, their| {
                samples.push_zero();
                columns.iter_mut().for_each(Column::push_empty);
                if increment.unclear.contains(&their) {
                    unclear.insert(our);
                }
            });
            for (their, &our) in theirs.clone().zip(&ours) {
                samples.add(our, increment.samples.get(their));
            }
            for column in 0..self.columns.len() {
                self.merge_column(column, &mut increment, theirs.start, &ours);
            }
            increment.keys.pop_block();
            increment.samples.pop_block();
            increment.columns.iter_mut().for_each(|column| column.pop_block(theirs.start));
        }
    }

    /// Adds the last block of one column.
    fn merge_column(
        &mut self,
        column: usize,
        increment: &mut Groups,
        first: usize,
        ours: &[usize],
    ) {
        let later = &mut increment.columns[column];
        let merged = self.columns[column].merge_block(later, first, ours, self.strict);
        for (their, &group) in (first..).zip(ours).skip(merged) {
            let cell = increment.cell(their, column).into_owned();
            self.merge_cell(&Target { group, column }, cell);
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
        let group = self.find_or_insert(key, bounds);
        self.samples.add(group, samples);
        // As many cells as there are columns, which are the same query's.
        for (column, cell) in later.enumerate().take(self.columns.len()) {
            self.merge_cell(&Target { group, column }, cell);
        }
    }

    fn merge_cell(&mut self, target: &Target, cell: Cell) {
        let Target { group, column } = *target;
        let key = match &self.columns[column] {
            Column::Keys(field, _) => self.field(group, *field),
            _ => None,
        };
        // A copy, which the decoder of partial results needs for short texts only.
        let key = key.map(<[u8]>::to_vec);
        let merged = self.columns[column].merge_cell(group, cell, key.as_deref(), self.strict);
        if let Err(Unfit(cell)) = merged {
            self.make_cells(column);
            let merged = self.columns[column].merge_cell(group, cell, None, self.strict);
            debug_assert!(merged.is_ok(), "cells take every cell");
        }
    }

    /// Bytes held: not less than half of what it really is, and found out at once.
    pub fn memory(&self) -> usize {
        let columns: usize = self.columns.iter().map(Column::memory).sum();
        self.keys.memory() + self.samples.memory() + columns
    }

    /// Whether there is no group at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The result as titles and sorted rows. `query` is the one that was aggregated by.
    pub fn table(&self, query: &Query) -> ResultTable {
        result::table(self, query, true)
    }

    /// The same for whoever does not call [`ResultTable::write_text`]: how wide the rows are that a
    /// limit leaves out is not looked at.
    pub fn unmeasured_table(&self, query: &Query) -> ResultTable {
        result::table(self, query, false)
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    /// The text of a key and what of it is bounds.
    fn parts(&self, group: usize) -> (&[u8], &[u8]) {
        let key = self.keys.get(group);
        let is_unclear = !self.unclear.is_empty() && self.unclear.contains(&group);
        let bounds = if is_unclear { 0 } else { self.bounds * BOUND };
        key.split_at(key.len() - bounds)
    }

    /// The text of a key, in which its fields are joined by commas.
    pub(crate) fn key_text(&self, group: usize) -> &[u8] {
        self.parts(group).0
    }

    /// One of the fields that make the key. None: it cannot be told.
    fn field(&self, group: usize, field: usize) -> Option<&[u8]> {
        let (text, bounds) = self.parts(group);
        let (bounds, _) = bounds.as_chunks::<BOUND>();
        if bounds.len() < self.bounds {
            return None;
        }
        let bound = |index: usize| bounds.get(index).map(|it| usize::from_le_bytes(*it));
        let start = if field == 0 { 0 } else { bound(field - 1)? + 1 };
        text.get(start..bound(field).unwrap_or(text.len()))
    }

    pub(crate) fn cell(&self, group: usize, column: usize) -> Cow<'_, Cell> {
        match &self.columns[column] {
            Column::Cells(_, cells, _) => Cow::Borrowed(&cells[group]),
            Column::Keys(..) => {
                let text = self.shared_text(group, column).flatten();
                Cow::Owned(Cell::Last(text.map(Text::new), 0))
            }
            other => {
                let kind = self.kinds[column];
                Cow::Owned(other.cell(group, kind).unwrap_or_else(|| Cell::new(kind)))
            }
        }
    }

    /// Of a column that says a field of the key: that field, if any line had it.
    pub(crate) fn shared_text(&self, group: usize, column: usize) -> Option<Option<&[u8]>> {
        let Column::Keys(field, seen) = &self.columns[column] else { return None };
        Some(self.field(group, *field).filter(|_| seen[group]))
    }

    /// Whether a column's values are those of DTail that are no numbers.
    pub(crate) fn is_text(&self, column: usize) -> bool {
        self.kinds[column] == Aggregation::Last
    }

    /// What has come to a group in a column that counts lines.
    pub(crate) fn count_of(&self, group: usize, column: usize) -> Option<u64> {
        let Column::Counts(counts) = &self.columns[column] else { return None };
        Some(counts.get(group))
    }

    /// What one aggregate of one group has come to, as a number.
    pub(crate) fn number(&self, group: usize, column: usize) -> f64 {
        self.known_number(group, column).unwrap_or(0.0)
    }

    /// The same, but nothing for texts and where there was no value.
    pub(crate) fn known_number(&self, group: usize, column: usize) -> Option<f64> {
        match &self.columns[column] {
            Column::Keys(..) => return None,
            // Most that rows are ordered by.
            Column::Sums(sums) => return Some(sums[group]),
            _ => {}
        }
        self.cell(group, column).known_number(self.samples.get(group), self.strict)
    }

    /// The order of two groups by their keys.
    pub(crate) fn compare_keys(&self, left: usize, right: usize) -> Ordering {
        self.parts(left).cmp(&self.parts(right))
    }
}
