//! One aggregate of all groups. What is common is kept as bare numbers; the rest as cells. Never
//! knows keys.

use std::cmp::Ordering;

use super::blocks::{Blocks, Counts};
use crate::{
    cell::{Cell, Moment, extreme},
    query::Aggregation,
    sum::ExactSum,
};

/// Stands for no extreme. It is not the NaN that numbers are.
const NOTHING: u64 = 0x7ff8_dead_0000_0001;

#[derive(Debug, Clone)]
pub(super) enum Column {
    Counts(Counts),
    /// Sums that one float says; as soon as one does not, all are cells.
    Sums(Blocks<f64>),
    /// The same, and how many terms they have.
    Averages(Blocks<f64>, Counts),
    /// The least numbers or the greatest.
    Extremes(Ordering, Blocks<f64>),
    /// A field that all lines of a group have in common, by its place in the key: whether there was
    /// one.
    Keys(usize, Blocks<bool>),
    /// Anything, and the bytes that cells hold elsewhere.
    Cells(Aggregation, Blocks<Cell>, usize),
}

/// A cell that a column has no place for.
pub(super) struct Unfit(pub(super) Cell);

impl Column {
    /// `key`: what is aggregated is this field of the key.
    pub(super) fn new(aggregation: Aggregation, key: Option<usize>) -> Column {
        match (aggregation, key) {
            (Aggregation::Last, Some(field)) => Column::Keys(field, Blocks::default()),
            (Aggregation::Count, _) => Column::Counts(Counts::default()),
            (Aggregation::Sum | Aggregation::Percentage | Aggregation::Percentile, _) => {
                Column::Sums(Blocks::default())
            }
            (Aggregation::Avg, _) => Column::Averages(Blocks::default(), Counts::default()),
            (Aggregation::Min, _) => Column::Extremes(Ordering::Less, Blocks::default()),
            (Aggregation::Max, _) => Column::Extremes(Ordering::Greater, Blocks::default()),
            _ => Column::Cells(aggregation, Blocks::default(), 0),
        }
    }

    /// A column of the same kind without groups.
    pub(super) fn another(&self, aggregation: Aggregation) -> Column {
        let key = if let Column::Keys(field, _) = self { Some(*field) } else { None };
        Column::new(aggregation, key)
    }

    /// A new group.
    #[inline]
    pub(super) fn push_empty(&mut self) {
        match self {
            Column::Counts(counts) => counts.push_zero(),
            Column::Sums(sums) => sums.push(0.0),
            Column::Averages(sums, terms) => {
                sums.push(0.0);
                terms.push_zero();
            }
            Column::Extremes(_, extremes) => extremes.push(f64::from_bits(NOTHING)),
            Column::Keys(_, seen) => seen.push(false),
            Column::Cells(aggregation, cells, _) => cells.push(Cell::new(*aggregation)),
        }
    }

    /// Takes in a value as it is. `false`: the column has no place for it.
    pub(super) fn add_value(&mut self, group: usize, value: &[u8], moment: Moment) -> bool {
        match self {
            Column::Counts(counts) => counts.add_one(group),
            Column::Cells(_, cells, heap) => *heap += cells[group].add_value(value, moment),
            Column::Keys(..) => return false,
            _ => {}
        }
        true
    }

    /// Takes in what the value in the key says, if it need not be known again.
    #[inline]
    pub(super) fn touch_key(&mut self, group: usize, moment: Moment) -> bool {
        match self {
            Column::Keys(_, seen) => seen[group] = true,
            Column::Cells(_, cells, _) => return cells[group].touch(moment),
            _ => return false,
        }
        true
    }

    /// Takes in the numbers of lines. If one has no place here it is given back with its group, and
    /// those behind it were not looked at.
    pub(super) fn add_numbers(
        &mut self,
        lines: &mut impl Iterator<Item = (usize, Option<f64>)>,
        strict: bool,
    ) -> Option<(usize, f64)> {
        let lines = lines.filter_map(|(group, number)| Some((group, number?)));
        // What is asked here is not asked again for each line.
        match self {
            Column::Sums(sums) => {
                return sums.try_change(lines, |sum, _, number| add(sum, number, strict));
            }
            Column::Averages(sums, terms) => {
                return sums.try_change(lines, |sum, group, number| {
                    let is_added = add(sum, number, strict);
                    if is_added {
                        terms.add_one(group);
                    }
                    is_added
                });
            }
            Column::Extremes(wanted, extremes) if *wanted == Ordering::Less => {
                extremes.change(lines, |it, number| reach(it, number, Ordering::Less));
            }
            Column::Extremes(_, extremes) => {
                extremes.change(lines, |it, number| reach(it, number, Ordering::Greater));
            }
            Column::Cells(_, cells, heap) => {
                for (group, number) in lines {
                    *heap += cells[group].add_number(number, strict);
                }
            }
            Column::Counts(_) | Column::Keys(..) => {}
        }
        None
    }

    /// Counts a line in each of these groups.
    pub(super) fn count(&mut self, lines: impl Iterator<Item = usize>) {
        if let Column::Counts(counts) = self {
            counts.add_ones(lines);
        }
    }

    /// Takes in an amount and a time.
    pub(super) fn add_at(&mut self, group: usize, amount: f64, time: f64) {
        if let Column::Cells(_, cells, heap) = self {
            *heap += cells[group].add_at(amount, time);
        }
    }

    /// What is known of a group, without a key.
    pub(super) fn cell(&self, group: usize, aggregation: Aggregation) -> Option<Cell> {
        Some(match self {
            Column::Counts(counts) => Cell::Count(counts.get(group)),
            Column::Sums(sums) => Cell::Sum(ExactSum::of(sums[group])),
            Column::Averages(sums, terms) => {
                Cell::Avg { sum: ExactSum::of(sums[group]), terms: terms.get(group) }
            }
            Column::Extremes(_, extremes) => {
                let extreme = known(extremes[group]);
                if aggregation == Aggregation::Min {
                    Cell::Min(extreme)
                } else {
                    Cell::Max(extreme)
                }
            }
            Column::Keys(..) | Column::Cells(..) => return None,
        })
    }

    /// Takes in what another part of the lines has come to. `key`: what the group's key says.
    pub(super) fn merge_cell(
        &mut self,
        group: usize,
        cell: Cell,
        key: Option<&[u8]>,
        strict: bool,
    ) -> Result<(), Unfit> {
        match (self, cell) {
            (Column::Counts(counts), Cell::Count(more)) => counts.add(group, more),
            (Column::Sums(sums), Cell::Sum(sum)) => {
                let merged = merged(sums[group], &sum, strict);
                sums[group] = merged.ok_or(Unfit(Cell::Sum(sum)))?;
            }
            (Column::Averages(sums, terms), Cell::Avg { sum, terms: more }) => {
                let merged = merged(sums[group], &sum, strict);
                sums[group] = merged.ok_or(Unfit(Cell::Avg { sum, terms: more }))?;
                terms.add(group, more);
            }
            (Column::Extremes(wanted, extremes), Cell::Min(number) | Cell::Max(number)) => {
                if let Some(number) = number {
                    reach(&mut extremes[group], number, *wanted);
                }
            }
            (Column::Keys(_, seen), Cell::Last(text, moment)) => match text {
                Some(text) if key != Some(&text) => {
                    return Err(Unfit(Cell::Last(Some(text), moment)));
                }
                text => seen[group] |= text.is_some(),
            },
            (Column::Cells(_, cells, heap), later) => {
                *heap = merge_cells(&mut cells[group], later, *heap, strict);
            }
            // Cells of one column are of one kind.
            _ => {}
        }
        Ok(())
    }

    /// Takes in the last block of a column of another part, of which the first group is `first`;
    /// `ours` are its groups here. Returns how many of them it could take in as a whole.
    pub(super) fn merge_block(
        &mut self,
        later: &mut Column,
        first: usize,
        ours: &[usize],
        strict: bool,
    ) -> usize {
        let pairs = (first..).zip(ours.iter().copied());
        match (self, later) {
            (Column::Counts(counts), Column::Counts(more)) => {
                pairs.for_each(|(their, our)| counts.add(our, more.get(their)));
            }
            (Column::Sums(sums), Column::Sums(more)) => {
                for (their, our) in pairs {
                    if !add(&mut sums[our], more[their], strict) {
                        return their - first;
                    }
                }
            }
            (Column::Averages(sums, terms), Column::Averages(more, more_terms)) => {
                for (their, our) in pairs {
                    if !add(&mut sums[our], more[their], strict) {
                        return their - first;
                    }
                    terms.add(our, more_terms.get(their));
                }
            }
            (Column::Extremes(wanted, extremes), Column::Extremes(_, more)) => {
                for (their, our) in pairs {
                    if let Some(number) = known(more[their]) {
                        reach(&mut extremes[our], number, *wanted);
                    }
                }
            }
            (Column::Keys(_, seen), Column::Keys(_, more)) => {
                pairs.for_each(|(their, our)| seen[our] |= more[their]);
            }
            (Column::Cells(_, cells, heap), Column::Cells(_, more, _)) => {
                for (later, &our) in more.pop_block().into_iter().zip(ours) {
                    *heap = merge_cells(&mut cells[our], later, *heap, strict);
                }
            }
            _ => return 0,
        }
        ours.len()
    }

    /// Gives back the last block, unless it was merged and so has gone.
    pub(super) fn pop_block(&mut self, first: usize) {
        match self {
            Column::Counts(counts) => counts.pop_block(),
            Column::Sums(numbers) | Column::Extremes(_, numbers) => drop(numbers.pop_block()),
            Column::Averages(sums, terms) => {
                sums.pop_block();
                terms.pop_block();
            }
            Column::Keys(_, seen) => drop(seen.pop_block()),
            Column::Cells(_, cells, _) if cells.len() > first => drop(cells.pop_block()),
            Column::Cells(..) => {}
        }
    }

    /// Before DTail sends a part, extremes it has not seen become 0 and count as seen.
    pub(super) fn settle_extremes(&mut self) {
        if let Column::Extremes(_, extremes) = self {
            for extreme in extremes.iter_mut().filter(|it| known(**it).is_none()) {
                *extreme = 0.0;
            }
        }
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        match self {
            Column::Counts(counts) => counts.memory(),
            Column::Sums(numbers) | Column::Extremes(_, numbers) => numbers.memory(),
            Column::Averages(sums, terms) => sums.memory() + terms.memory(),
            Column::Keys(_, seen) => seen.memory(),
            Column::Cells(_, cells, heap) => cells.memory() + heap,
        }
    }
}

/// Returns what all cells hold then, if they hold `heap`.
fn merge_cells(cell: &mut Cell, later: Cell, heap: usize, strict: bool) -> usize {
    let before = cell.heap();
    cell.merge(later, strict);
    (heap + cell.heap()).saturating_sub(before)
}

/// Adds to a sum, if one float says it then. `strict`: rounding as DTail.
#[inline]
fn add(sum: &mut f64, number: f64, strict: bool) -> bool {
    if strict {
        *sum += number;
        return true;
    }
    let mut exact = ExactSum::of(*sum);
    let is_added = exact.add_exactly(number) || exact.add_bare(number);
    if is_added {
        *sum = exact.terms().0;
    }
    is_added
}

/// Two sums together, if one float says that.
fn merged(sum: f64, more: &ExactSum, strict: bool) -> Option<f64> {
    if strict {
        return Some(sum + more.value());
    }
    let mut merged = ExactSum::of(sum);
    merged.merge(more);
    let (high, rest) = merged.terms();
    rest.is_empty().then_some(high)
}

#[inline]
fn known(extreme: f64) -> Option<f64> {
    (extreme.to_bits() != NOTHING).then_some(extreme)
}

#[inline]
fn reach(reached: &mut f64, number: f64, wanted: Ordering) {
    // Most numbers are no extreme. What is no number is neither less nor greater.
    let is_none = if wanted == Ordering::Less { number > *reached } else { number < *reached };
    if !is_none {
        reach_anything(reached, number, wanted);
    }
}

fn reach_anything(reached: &mut f64, number: f64, wanted: Ordering) {
    let reached_now = extreme(known(*reached), number, wanted);
    // What stands for nothing can only come from a broken host.
    *reached = if reached_now.is_nan() { f64::NAN } else { reached_now };
}
