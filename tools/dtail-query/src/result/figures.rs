//! How the cells of one aggregate are said, and what they are as numbers.

use std::io::Write;

use crate::{
    cell::Cell, evaluate, groups::Groups, number, query::Aggregation, sum::ExactSum,
    table::ResultTable,
};

/// How the cells of one aggregate are said.
pub(super) enum Figures {
    Plain,
    /// DTail's numbers, which are 0 where there is no value.
    NeverMissing,
    /// In percent of this.
    ShareOf(f64),
    /// In percent of the groups, by the rank among these sorted numbers.
    RankAmong(Vec<f64>),
}

impl Figures {
    pub(super) fn new(groups: &Groups, column: usize, aggregation: Aggregation) -> Figures {
        let numbers = || (0..groups.len()).map(|group| groups.number(group, column));
        match aggregation {
            Aggregation::Percentage if groups.is_strict() => {
                // In the order of the rows, since it rounds.
                let mut order: Vec<usize> = (0..groups.len()).collect();
                order.sort_unstable_by(|&left, &right| groups.compare_keys(left, right));
                Figures::ShareOf(order.iter().map(|&group| groups.number(group, column)).sum())
            }
            Aggregation::Percentage => {
                let mut total = ExactSum::default();
                numbers().for_each(|number| total.add(number));
                Figures::ShareOf(total.value())
            }
            Aggregation::Percentile => {
                let mut ranked: Vec<f64> = numbers().filter(|number| !number.is_nan()).collect();
                ranked.sort_unstable_by(f64::total_cmp);
                Figures::RankAmong(ranked)
            }
            other if other.is_dtails() => Figures::NeverMissing,
            _ => Figures::Plain,
        }
    }

    /// What a column is ordered by in DTail: 0 for texts and missing values.
    pub(super) fn number(&self, groups: &Groups, group: usize, column: usize) -> f64 {
        groups.number(group, column)
    }

    /// The number that is shown. Nothing for texts, and for missing values other than DTail's.
    pub(super) fn known_number(&self, groups: &Groups, group: usize, column: usize) -> Option<f64> {
        let number = || groups.number(group, column);
        match self {
            Figures::Plain => groups.known_number(group, column),
            Figures::NeverMissing if groups.is_text(column) => None,
            Figures::NeverMissing => Some(number()),
            Figures::ShareOf(total) if *total == 0.0 => Some(0.0),
            Figures::ShareOf(total) => Some(100.0 * number() / total),
            Figures::RankAmong(ranked) => {
                let number = number();
                let rank = ranked.partition_point(|other| *other <= number);
                Some(100.0 * rank as f64 / groups.len() as f64)
            }
        }
    }

    /// What computations start from: numbers with all their digits. False: there is no value.
    pub(super) fn write_exactly(
        &self,
        groups: &Groups,
        group: usize,
        column: usize,
        write: &mut dyn FnMut(&[u8]),
    ) -> bool {
        if let Some(text) = groups.shared_text(group, column) {
            text.into_iter().for_each(write);
            return text.is_some();
        }
        match &*groups.cell(group, column) {
            Cell::Last(text, _) | Cell::First(text, _) => match text {
                Some(text) => write(text),
                None => return false,
            },
            Cell::Histogram(Some(histogram), width) => {
                let mut text = Vec::new();
                histogram.write(*width, &mut text);
                write(&text);
            }
            // Unlike in a column of its own, nothing is nothing.
            Cell::Min(None) | Cell::Max(None) | Cell::Avg { terms: 0, .. } | Cell::Len(None, _) => {
                return false;
            }
            _ => match self.known_number(groups, group, column) {
                Some(number) => {
                    let mut text = Vec::new();
                    evaluate::write_shortest(number, &mut text);
                    write(&text);
                }
                None => return false,
            },
        }
        true
    }

    /// How wide the cell of a column is that is this aggregate, if that is known without writing
    /// it.
    pub(super) fn width(&self, groups: &Groups, group: usize, column: usize) -> Option<usize> {
        if let Some(text) = groups.shared_text(group, column) {
            return Some(text.map_or(0, <[u8]>::len));
        }
        if let Some(count) = groups.count_of(group, column) {
            return Some(digits(count));
        }
        if groups.is_text(column) {
            return None;
        }
        number::width(self.known_number(groups, group, column)?)
    }

    /// Appends the cell of a column that is this aggregate.
    pub(super) fn push(
        &self,
        groups: &Groups,
        group: usize,
        column: usize,
        table: &mut ResultTable,
    ) {
        if let Some(text) = groups.shared_text(group, column) {
            match text {
                Some(text) => table.push_cell(|cell| cell.extend_from_slice(text)),
                None => table.push_missing(),
            }
            return;
        }
        match &*groups.cell(group, column) {
            Cell::Last(None, _) | Cell::First(None, _) | Cell::Histogram(None, _) => {
                table.push_missing();
            }
            Cell::Last(Some(text), _) | Cell::First(Some(text), _) => {
                table.push_cell(|cell| cell.extend_from_slice(text));
            }
            Cell::Histogram(Some(histogram), width) => {
                table.push_cell(|cell| histogram.write(*width, cell));
            }
            Cell::Count(count) => {
                table.push_number(|cell| infallibly(write!(cell, "{count}")));
            }
            Cell::CountDistinct(texts) => {
                let count = texts.as_ref().map_or(0, |texts| texts.len());
                table.push_number(|cell| infallibly(write!(cell, "{count}")));
            }
            _ => match self.known_number(groups, group, column) {
                Some(number) => table.push_number(|cell| infallibly(number::write(number, cell))),
                None => table.push_missing(),
            },
        }
    }
}

fn digits(count: u64) -> usize {
    count.checked_ilog10().map_or(1, |it| it as usize + 1)
}

/// At most six decimals, like all numbers of results, but none that say nothing.
pub(super) fn write_computed(number: f64, text: &mut Vec<u8>) {
    let start = text.len();
    infallibly(number::write(number + 0.0, text));
    if text[start..].contains(&b'.') {
        while text.last() == Some(&b'0') {
            text.pop();
        }
        if text.last() == Some(&b'.') {
            text.pop();
        }
    }
    if text[start..] == *b"-0" {
        text.remove(start);
    }
}

fn infallibly(written: std::io::Result<()>) {
    written.expect("a Vec takes every write");
}
