//! From groups to rows: what each cell says, which rows there are, and in which order they come.

mod figures;

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

pub(crate) fn table(groups: &Groups, query: &Query) -> ResultTable {
    let mut rows = Rows::new(groups, query);
    let order = rows.order(query);
    let titles = titles(query, groups.is_strict());
    let mut table = ResultTable::new(query.text(), titles, query.limit(), groups.is_strict());
    for (row, &group) in order.iter().enumerate() {
        for selection in &query.selections {
            rows.push(group, &selection.value, &mut table);
        }
        if query.limit().is_some_and(|limit| row >= limit) {
            table.hide_row();
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
}

impl<'a> Rows<'a> {
    fn new(groups: &'a Groups, query: &Query) -> Rows<'a> {
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
        Rows { groups, figures: figures.collect(), fields, work: Work::default(), complaints }
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
    /// by key. Those beyond the limit are in no order.
    fn order(&mut self, query: &Query) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        if let Some(having) = &query.having {
            let mut leaves = Vec::new();
            having.each_leaf(&mut |index| leaves.push(*index));
            order.retain(|&group| {
                self.read(group, &leaves);
                filter::truth(having, &mut self.evaluation()) == Some(true)
            });
        }
        let groups = self.groups;
        let shown = query.limit().unwrap_or(usize::MAX);
        match query.orders.as_slice() {
            [] => sort(&mut order, shown, |left, right| groups.compare_keys(left, right)),
            [Order { is_ascending, value: Output::Aggregate(index), by_text: false, .. }] => {
                // Adding 0 makes -0 the same as 0.
                let mut numbers = vec![0.0; groups.len()];
                for &group in &order {
                    numbers[group] = self.figures[*index].number(groups, group, *index) + 0.0;
                }
                sort(&mut order, shown, |left, right| {
                    let by_number = numbers[left].total_cmp(&numbers[right]);
                    directed(by_number, *is_ascending)
                        .then_with(|| groups.compare_keys(left, right))
                });
            }
            orders => {
                let keys = self.keys(orders, &order);
                sort(&mut order, shown, |left, right| {
                    let by_keys = keys[left].iter().zip(&keys[right]).zip(orders);
                    by_keys
                        .map(|((left, right), order)| {
                            directed(left.compare(right), order.is_ascending)
                        })
                        .find(|it| *it != Ordering::Equal)
                        .unwrap_or_else(|| groups.compare_keys(left, right))
                });
            }
        }
        order
    }

    /// For each group what it is ordered by; nothing for those that are not shown.
    fn keys(&mut self, orders: &[Order], shown: &[usize]) -> Vec<Vec<SortKey>> {
        let mut keys = vec![Vec::new(); self.groups.len()];
        for &group in shown {
            keys[group] = orders.iter().map(|order| self.key(order, group)).collect();
        }
        keys
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

/// Sorts what is shown.
fn sort(order: &mut [usize], shown: usize, compare: impl Fn(usize, usize) -> Ordering) {
    let compare = |left: &usize, right: &usize| compare(*left, *right);
    let sorted =
        if shown < order.len() { order.select_nth_unstable_by(shown, compare).0 } else { order };
    sorted.sort_unstable_by(compare);
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
