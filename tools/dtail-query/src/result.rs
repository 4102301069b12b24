//! From groups to rows: what each cell says, and in which order the rows come.

use std::io::Write;

use crate::{
    cell::Cell,
    groups::Groups,
    number,
    query::{Aggregation, Query, Selection},
    sum::ExactSum,
    table::{ResultTable, Title},
};

pub(crate) fn table(groups: &Groups, query: &Query) -> ResultTable {
    let order = row_order(groups, query);
    let figures: Vec<Figures> = query
        .selections
        .iter()
        .enumerate()
        .map(|(column, selection)| Figures::new(groups, &order, column, selection.aggregation))
        .collect();
    let titles = titles(query, groups.is_strict());
    let mut table = ResultTable::new(query.text(), titles, query.limit(), groups.is_strict());
    for &group in &order {
        for (column, figures) in figures.iter().enumerate() {
            match groups.cell(group, column) {
                Cell::Last(None) => table.push_missing(),
                Cell::Last(Some(_)) => {
                    table.push_cell(|text| figures.write(groups, group, column, text));
                }
                _ => table.push_number(|text| figures.write(groups, group, column, text)),
            }
        }
    }
    table
}

fn titles(query: &Query, strict: bool) -> Vec<Title> {
    let group_fields = query.group_fields(strict);
    let title = |selection: &Selection| Title {
        text: selection.title.clone(),
        is_sort_key: query.order.as_ref().is_some_and(|order| order.title == selection.title),
        is_group_key: group_fields.contains(&selection.title.as_str()),
    };
    query.selections.iter().map(title).collect()
}

/// The groups in the order of their rows: by number if the query says so, then by key.
fn row_order(groups: &Groups, query: &Query) -> Vec<usize> {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    let ordered_column = query.order.as_ref().and_then(|order| {
        let column = query.selections.iter().position(|it| it.title == order.title)?;
        Some((column, order.is_ascending))
    });
    let Some((column, is_ascending)) = ordered_column else {
        order.sort_unstable_by(|&left, &right| groups.compare_keys(left, right));
        return order;
    };
    // Adding 0 makes -0 the same as 0.
    let numbers: Vec<f64> = order.iter().map(|&group| groups.number(group, column) + 0.0).collect();
    order.sort_unstable_by(|&left, &right| {
        let by_number = numbers[left].total_cmp(&numbers[right]);
        let by_number = if is_ascending { by_number } else { by_number.reverse() };
        by_number.then_with(|| groups.compare_keys(left, right))
    });
    order
}

/// How the cells of one column are said.
enum Figures {
    Plain,
    /// In percent of this.
    ShareOf(f64),
    /// In percent of the groups, by the rank among these sorted numbers.
    RankAmong(Vec<f64>),
}

impl Figures {
    fn new(groups: &Groups, order: &[usize], column: usize, aggregation: Aggregation) -> Figures {
        let numbers = order.iter().map(|&group| groups.number(group, column));
        match aggregation {
            Aggregation::Percentage if groups.is_strict() => Figures::ShareOf(numbers.sum()),
            Aggregation::Percentage => {
                let mut total = ExactSum::default();
                numbers.for_each(|number| total.add(number));
                Figures::ShareOf(total.value())
            }
            Aggregation::Percentile => {
                let mut ranked: Vec<f64> = numbers.filter(|number| !number.is_nan()).collect();
                ranked.sort_unstable_by(f64::total_cmp);
                Figures::RankAmong(ranked)
            }
            _ => Figures::Plain,
        }
    }

    fn write(&self, groups: &Groups, group: usize, column: usize, text: &mut Vec<u8>) {
        let number = || groups.number(group, column);
        let number = match (self, groups.cell(group, column)) {
            (_, Cell::Last(last)) => return text.extend_from_slice(last.as_deref().unwrap_or(b"")),
            (_, Cell::Count(count)) => return write_infallibly(text, |w| write!(w, "{count}")),
            (Figures::Plain, _) => number(),
            (Figures::ShareOf(total), _) if *total == 0.0 => 0.0,
            (Figures::ShareOf(total), _) => 100.0 * number() / total,
            (Figures::RankAmong(ranked), _) => {
                let number = number();
                let rank = ranked.partition_point(|other| *other <= number);
                100.0 * rank as f64 / groups.len() as f64
            }
        };
        write_infallibly(text, |w| number::write(number, w));
    }
}

fn write_infallibly(text: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) {
    write(text).expect("a Vec takes every write");
}
