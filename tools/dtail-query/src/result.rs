//! From groups to rows: what each cell says, which rows there are, and in which order they come.

mod figures;
mod ranking;

use std::cmp::Ordering;

use crate::{
    complaints::Complaints,
    evaluate::{Evaluation, Value, Work},
    expression::Expression,
    fields::Fields,
    filter,
    groups::Groups,
    number,
    query::{Order, Output, Query, Selection},
    table::{ResultTable, Title},
};
use figures::Figures;
use ranking::Ranking;

/// `measures`: columns will be as wide as their widest cell, also one in a row that is not shown.
pub(crate) fn table(groups: &Groups, query: &Query, measures: bool) -> ResultTable {
    let mut rows = Rows::new(groups, query, measures);
    let order = rows.order(query);
    let titles = titles(query, groups.is_strict());
    let mut table = ResultTable::new(query.text(), titles, query.limit(), groups.is_strict());
    table.hide_rows(rows.count - order.len(), std::mem::take(&mut rows.widths));
    table.reserve(order.len());
    for group in order {
        for selection in &query.selections {
            rows.push(group, &selection.value, &mut table);
        }
    }
    table
}

fn titles(query: &Query, strict: bool) -> Vec<Title> {
    let group_keys = query.group_keys(strict);
    let is_group_key = |selection: &Selection| {
        let is_title = |key: &&Expression<String>| match key {
            Expression::Field(field) => *field == selection.title,
            _ => false,
        };
        let is_input = || match query.input_of(&selection.value) {
            Some(input @ (Expression::Call(..) | Expression::Arithmetic(..))) => {
                selection.is_bare && group_keys.contains(&input)
            }
            Some(input) => selection.is_renamed && group_keys.contains(&input),
            None => false,
        };
        group_keys.iter().any(is_title) || selection.is_bare && is_input()
    };
    let title = |selection: &Selection| Title {
        text: selection.title.clone(),
        is_sort_key: query.orders.iter().any(|order| order.title == selection.title),
        is_group_key: is_group_key(selection),
    };
    query.selections.iter().map(title).collect()
}

/// Reads groups one at a time.
struct Rows<'a> {
    groups: &'a Groups,
    figures: Vec<Figures>,
    /// One field for each aggregate, for what is computed of them.
    fields: Fields,
    work: Work,
    complaints: Complaints,
    /// Groups that are rows.
    count: usize,
    /// Whether anybody wants to know the widths.
    measures: bool,
    /// Of each column the widest cell in all of them, if not all are shown.
    widths: Vec<usize>,
    /// One row.
    row: ResultTable,
}

impl<'a> Rows<'a> {
    fn new(groups: &'a Groups, query: &Query, measures: bool) -> Rows<'a> {
        let kinds = query.cell_kinds();
        let figures =
            kinds.iter().enumerate().map(|(index, kind)| Figures::new(groups, index, *kind));
        let mut fields = Fields::default();
        let is_computed = query.having.is_some()
            || query.selections.iter().any(|it| matches!(it.value, Output::Computed(_)))
            || query.orders.iter().any(|it| matches!(it.value, Output::Computed(_)));
        for _ in 0..if is_computed { kinds.len() } else { 0 } {
            fields.add_anonymous();
        }
        let complaints = Complaints::new(fields.count());
        Rows {
            groups,
            figures: figures.collect(),
            fields,
            work: Work::default(),
            complaints,
            count: 0,
            measures,
            widths: vec![0; query.selections.len()],
            row: ResultTable::default(),
        }
    }

    /// Puts what the leaves of a tree have come to into the fields.
    fn read(&mut self, group: usize, leaves: &[usize]) {
        self.fields.begin_line();
        let Rows { groups, figures, fields, .. } = self;
        for index in leaves {
            if fields.is_present(*index) {
                continue;
            }
            let start = fields.computed_length();
            if figures[*index]
                .write_exactly(groups, group, *index, &mut |text| fields.compute(text))
            {
                let span = fields.computed_since(start);
                fields.put(*index, span);
            }
        }
    }

    fn evaluation(&mut self) -> Evaluation<'_> {
        let Rows { fields, complaints, work, .. } = self;
        Evaluation { fields, line: b"", complaints, work }
    }

    fn computed(&mut self, group: usize, tree: &Expression<usize>) -> Value {
        let mut leaves = Vec::new();
        tree.each_leaf(&mut |index| leaves.push(*index));
        self.read(group, &leaves);
        self.evaluation().value(tree)
    }

    fn push(&mut self, group: usize, output: &Output, table: &mut ResultTable) {
        match output {
            Output::Aggregate(index) => {
                self.figures[*index].push(self.groups, group, *index, table);
            }
            Output::Computed(tree) => match self.computed(group, tree) {
                Value::Missing => table.push_missing(),
                Value::Number(number) => {
                    table.push_number(|text| figures::write_computed(number, text));
                }
                Value::Text(span) => {
                    let text = self.fields.bytes(span, b"").unwrap_or_default();
                    table.push_cell(|cell| cell.extend_from_slice(text));
                }
            },
        }
    }

    /// The groups that `having` lets through, in the order of their rows: as the query says, then
    /// by key. Those beyond the limit are measured only, if that.
    fn order(&mut self, query: &Query) -> Vec<usize> {
        let groups = self.groups;
        match query.orders.as_slice() {
            [] => self.ranked(
                query,
                |rows, group| first_bytes(rows.groups.key_text(group)),
                |left, right| {
                    left.0.cmp(&right.0).then_with(|| groups.compare_keys(left.1, right.1))
                },
            ),
            [Order { is_ascending, value: Output::Aggregate(index), by_text: false, .. }] => self
                .ranked(
                    query,
                    // Adding 0 makes -0 the same as 0.
                    |rows, group| rows.figures[*index].number(groups, group, *index) + 0.0,
                    |left, right| {
                        directed(left.0.total_cmp(&right.0), *is_ascending)
                            .then_with(|| groups.compare_keys(left.1, right.1))
                    },
                ),
            orders => self.ranked(
                query,
                |rows, group| orders.iter().map(|order| rows.key(order, group)).collect::<Vec<_>>(),
                |left, right| {
                    let by_keys = left.0.iter().zip(&right.0).zip(orders);
                    by_keys
                        .map(|((left, right), order)| {
                            directed(left.compare(right), order.is_ascending)
                        })
                        .find(|it| *it != Ordering::Equal)
                        .unwrap_or_else(|| groups.compare_keys(left.1, right.1))
                },
            ),
        }
    }

    fn ranked<K>(
        &mut self,
        query: &Query,
        mut key: impl FnMut(&mut Self, usize) -> K,
        compare: impl Fn(&(K, usize), &(K, usize)) -> Ordering,
    ) -> Vec<usize> {
        let all = self.groups.len();
        let wanted = query.limit().unwrap_or(usize::MAX);
        let mut ranking = Ranking::new(wanted, all, compare);
        let mut leaves = Vec::new();
        if let Some(having) = &query.having {
            having.each_leaf(&mut |index| leaves.push(*index));
        }
        for group in 0..all {
            if let Some(having) = &query.having {
                self.read(group, &leaves);
                if filter::truth(having, &mut self.evaluation()) != Some(true) {
                    continue;
                }
            }
            self.count += 1;
            if self.measures && wanted < all {
                self.measure(group, query);
            }
            let key = key(self, group);
            ranking.offer(key, group);
        }
        ranking.finish()
    }

    /// Looks how wide the cells of a row are.
    fn measure(&mut self, group: usize, query: &Query) {
        for (column, selection) in query.selections.iter().enumerate() {
            let width = match &selection.value {
                Output::Aggregate(index) => self.figures[*index].width(self.groups, group, *index),
                Output::Computed(_) => None,
            };
            let width = width.unwrap_or_else(|| {
                let mut row = std::mem::take(&mut self.row);
                self.push(group, &selection.value, &mut row);
                let width = row.clear_cells();
                self.row = row;
                width
            });
            self.widths[column] = self.widths[column].max(width);
        }
    }

    fn key(&mut self, order: &Order, group: usize) -> SortKey {
        let value = match &order.value {
            Output::Aggregate(index) => {
                let figures = &self.figures[*index];
                if let Some(number) = figures.known_number(self.groups, group, *index) {
                    return SortKey::Number(number + 0.0);
                }
                let mut text = Vec::new();
                let is_known = figures.write_exactly(self.groups, group, *index, &mut |it| {
                    text.extend_from_slice(it);
                });
                if is_known { Some(text) } else { None }
            }
            Output::Computed(tree) => match self.computed(group, tree) {
                Value::Missing => None,
                Value::Number(number) => return SortKey::Number(number + 0.0),
                Value::Text(span) => Some(self.evaluation().bytes(span).to_vec()),
            },
        };
        match value {
            None => SortKey::Missing,
            Some(text) => match number::parse(&text) {
                Some(number) => SortKey::Number(number + 0.0),
                None if order.by_text => SortKey::Text(text),
                None => SortKey::Number(0.0),
            },
        }
    }
}

/// The first bytes of a text, as a number that is ordered as they are. Texts of which they are the
/// same need not be the same.
fn first_bytes(text: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = text.len().min(first.len());
    first[..length].copy_from_slice(&text[..length]);
    u64::from_be_bytes(first)
}

fn directed(order: Ordering, is_ascending: bool) -> Ordering {
    if is_ascending { order } else { order.reverse() }
}

/// What a row is ordered by: missing values before numbers, numbers before texts.
#[derive(Debug, Clone)]
enum SortKey {
    Missing,
    Number(f64),
    Text(Vec<u8>),
}

impl SortKey {
    fn compare(&self, other: &SortKey) -> Ordering {
        match (self, other) {
            (SortKey::Number(left), SortKey::Number(right)) => left.total_cmp(right),
            (SortKey::Text(left), SortKey::Text(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            SortKey::Missing => 0,
            SortKey::Number(_) => 1,
            SortKey::Text(_) => 2,
        }
    }
}
