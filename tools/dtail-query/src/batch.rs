//! The numbers of lines whose groups are known, to be added up column by column: what kind of
//! aggregate a column is need not be found out for each line. Never sees a line.

use crate::{
    groups::Groups,
    plan::{Input, Plan},
};

/// Lines that are kept. More would not stay in the first-level cache.
const MOST: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Of each line.
    groups: Vec<usize>,
    /// Of each line as many as [`Plan::numbers`], one line after the other.
    numbers: Vec<Option<f64>>,
}

impl Batch {
    /// Adds the next number of a line.
    #[inline]
    pub(crate) fn push(&mut self, number: Option<f64>) {
        self.numbers.push(number);
    }

    /// The numbers of the line that was not ended.
    pub(crate) fn last_line(&self, count: usize) -> &[Option<f64>] {
        &self.numbers[self.numbers.len() - count..]
    }

    /// The line that was not ended has no group.
    pub(crate) fn forget_line(&mut self, count: usize) {
        self.numbers.truncate(self.numbers.len() - count);
    }

    /// All numbers of a line are there, and its group is known.
    #[inline]
    pub(crate) fn end_line(&mut self, group: usize) {
        self.groups.push(group);
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.groups.len() >= MOST
    }

    /// Adds all lines to their groups.
    pub(crate) fn add_up(&mut self, plan: &Plan, groups: &mut Groups) {
        let Batch { groups: lines, numbers } = self;
        groups.add_samples(lines.iter().copied());
        let count = plan.numbers.len().max(1);
        let of = |index: usize| numbers.chunks_exact(count).map(move |line| line[index]);
        for (column, input) in plan.columns.iter().enumerate() {
            let lines = lines.iter().copied();
            match *input {
                Input::EveryLine => groups.count(column, lines),
                Input::Number(index) => groups.add_numbers(column, lines.zip(of(index))),
                Input::Rate { amount: Some(amount), time } => {
                    groups.add_at(column, lines.zip(of(amount).zip(of(time))));
                }
                Input::Rate { amount: None, time } => {
                    let amounts = std::iter::repeat(Some(1.0));
                    groups.add_at(column, lines.zip(amounts.zip(of(time))));
                }
                // Texts are gone when their line is over.
                Input::Value(_) | Input::Key(_) => {}
            }
        }
        lines.clear();
        numbers.clear();
    }
}
