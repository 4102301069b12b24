//! One aggregate of one group: takes values in, merges with its like, says what it has come to.

use std::cmp::Ordering;

use crate::{memory::heap_of, query::Aggregation, sum::ExactSum};

/// What is known of one column in one group.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Count(u64),
    /// Also for `percentage` and `percentile`, which compare the sums of all groups.
    Sum(ExactSum),
    Avg {
        sum: ExactSum,
        /// Lines that had the field.
        terms: u64,
    },
    Min(Option<f64>),
    Max(Option<f64>),
    Last(Option<Vec<u8>>),
    Len(Option<u64>),
}

impl Cell {
    pub(crate) fn new(aggregation: Aggregation) -> Cell {
        match aggregation {
            Aggregation::Count => Cell::Count(0),
            Aggregation::Sum | Aggregation::Percentage | Aggregation::Percentile => {
                Cell::Sum(ExactSum::default())
            }
            Aggregation::Avg => Cell::Avg { sum: ExactSum::default(), terms: 0 },
            Aggregation::Min => Cell::Min(None),
            Aggregation::Max => Cell::Max(None),
            Aggregation::Last => Cell::Last(None),
            Aggregation::Len => Cell::Len(None),
        }
    }

    /// Takes in the value of a line that has the field, for columns that take it as it is. Returns
    /// by how many bytes the [`Cell::heap`] has grown.
    pub(crate) fn add_value(&mut self, value: &[u8]) -> usize {
        match self {
            Cell::Count(count) => *count += 1,
            Cell::Last(last) => {
                let last = last.get_or_insert_default();
                let before = heap_of(last.capacity());
                last.clear();
                last.extend_from_slice(value);
                return heap_of(last.capacity()) - before;
            }
            Cell::Len(length) => *length = Some(value.len() as u64),
            Cell::Sum(_) | Cell::Avg { .. } | Cell::Min(_) | Cell::Max(_) => {}
        }
        0
    }

    /// Takes in the number of a line that has the field. `strict`: rounding as DTail. Returns by
    /// how many bytes the [`Cell::heap`] has grown.
    pub(crate) fn add_number(&mut self, number: f64, strict: bool) -> usize {
        match self {
            Cell::Sum(sum) => return add(sum, number, strict),
            Cell::Avg { sum, terms } => {
                *terms += 1;
                return add(sum, number, strict);
            }
            Cell::Min(min) => *min = Some(extreme(*min, number, Ordering::Less)),
            Cell::Max(max) => *max = Some(extreme(*max, number, Ordering::Greater)),
            Cell::Count(_) | Cell::Last(_) | Cell::Len(_) => {}
        }
        0
    }

    /// Bytes held beyond the value itself.
    pub(crate) fn heap(&self) -> usize {
        match self {
            Cell::Sum(sum) | Cell::Avg { sum, .. } => sum.heap(),
            Cell::Last(Some(last)) => heap_of(last.capacity()),
            Cell::Last(None) | Cell::Count(_) | Cell::Min(_) | Cell::Max(_) | Cell::Len(_) => 0,
        }
    }

    /// Takes in what another part of the lines has come to. Of two last values the later wins.
    /// Numbers that cannot be, which only a broken host sends, stop at the largest.
    pub(crate) fn merge(&mut self, later: Cell, strict: bool) {
        match (self, later) {
            (Cell::Count(count), Cell::Count(more)) => *count = count.saturating_add(more),
            (Cell::Sum(sum), Cell::Sum(more)) => merge_sums(sum, &more, strict),
            (Cell::Avg { sum, terms }, Cell::Avg { sum: more, terms: more_terms }) => {
                merge_sums(sum, &more, strict);
                *terms = terms.saturating_add(more_terms);
            }
            (min @ Cell::Min(_), Cell::Min(Some(number)))
            | (min @ Cell::Max(_), Cell::Max(Some(number))) => {
                min.add_number(number, strict);
            }
            (Cell::Last(last), Cell::Last(Some(later))) => *last = Some(later),
            (Cell::Len(length), Cell::Len(Some(later))) => *length = Some(later),
            // The later part knows nothing of this column. Cells of one column are of one kind.
            _ => {}
        }
    }

    /// Before DTail sends a part, extremes it has not seen become 0 and count as seen.
    pub(crate) fn settle_extremes(&mut self) {
        if let Cell::Min(extreme @ None) | Cell::Max(extreme @ None) = self {
            *extreme = Some(0.0);
        }
    }

    /// What the cell has come to, as a number; 0 for texts and where nothing was seen. `samples`:
    /// the lines of the group, by which DTail divides averages.
    pub(crate) fn number(&self, samples: u64, strict: bool) -> f64 {
        match self {
            Cell::Count(count) => *count as f64,
            Cell::Sum(sum) => sum.value(),
            Cell::Avg { terms: 0, .. } => 0.0,
            Cell::Avg { sum, terms } => sum.value() / if strict { samples } else { *terms } as f64,
            Cell::Min(extreme) | Cell::Max(extreme) => extreme.unwrap_or(0.0),
            Cell::Last(_) => 0.0,
            Cell::Len(length) => length.unwrap_or(0) as f64,
        }
    }
}

fn add(sum: &mut ExactSum, term: f64, strict: bool) -> usize {
    if strict {
        sum.add_rounded(term);
        return 0;
    }
    let before = sum.heap();
    sum.add(term);
    sum.heap() - before
}

fn merge_sums(sum: &mut ExactSum, later: &ExactSum, strict: bool) {
    if strict {
        sum.add_rounded(later.value());
    } else {
        sum.merge(later);
    }
}

/// The one of two numbers that is `wanted` (less or greater); NaN only if there is nothing else.
/// A total order, so that it does not matter which came first.
fn extreme(known: Option<f64>, number: f64, wanted: Ordering) -> f64 {
    match known {
        None => number,
        Some(known) if known.is_nan() => number,
        Some(known) if number.is_nan() || number.total_cmp(&known) != wanted => known,
        Some(_) => number,
    }
}
