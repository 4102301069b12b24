//! One aggregate of one group: takes values in, merges with its like, says what it has come to.

mod histogram;
mod moments;
mod rate;
mod sketch;
mod text;
mod texts;

pub(crate) use histogram::Histogram;
pub(crate) use moments::Moments;
pub(crate) use rate::Rate;
pub(crate) use sketch::{Bins, Sketch};
pub(crate) use text::Text;
pub(crate) use texts::TextSet;

use std::cmp::Ordering;

use crate::{
    memory::heap_of,
    query::{Aggregation, Share, Width},
    sum::ExactSum,
};

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
    Last(Option<Text>, Moment),
    Len(Option<u64>, Moment),
    First(Option<Text>, Moment),
    // What follows is large and rare, so it is elsewhere, and only when there is a value.
    CountDistinct(Option<Box<TextSet>>),
    Quantile(Option<Box<Sketch>>, Share),
    Variance(Option<Box<Moments>>),
    Deviation(Option<Box<Moments>>),
    Rate(Option<Box<Rate>>),
    Histogram(Option<Box<Histogram>>, Option<Width>),
}

/// When a value was written, as far as it is known: the larger is the later.
pub(crate) type Moment = u64;

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
            Aggregation::Last => Cell::Last(None, 0),
            Aggregation::Len => Cell::Len(None, 0),
            Aggregation::First => Cell::First(None, 0),
            Aggregation::CountDistinct => Cell::CountDistinct(None),
            Aggregation::Quantile(share) => Cell::Quantile(None, share),
            Aggregation::Variance => Cell::Variance(None),
            Aggregation::Deviation => Cell::Deviation(None),
            Aggregation::Rate => Cell::Rate(None),
            Aggregation::Histogram(width) => Cell::Histogram(None, width),
        }
    }

    /// Takes in the value of a line that has the field, for columns that take it as it is. Returns
    /// by how many bytes the [`Cell::heap`] has grown.
    pub(crate) fn add_value(&mut self, value: &[u8], moment: Moment) -> usize {
        match self {
            Cell::Count(count) => *count += 1,
            Cell::Last(last, known) if last.is_none() || moment >= *known => {
                *known = moment;
                return replace(last, value);
            }
            Cell::Len(length, known) if length.is_none() || moment >= *known => {
                *known = moment;
                *length = Some(value.len() as u64);
            }
            Cell::First(first, known) if first.is_none() || moment < *known => {
                *known = moment;
                return replace(first, value);
            }
            Cell::CountDistinct(_) => {
                let before = self.heap();
                if let Cell::CountDistinct(texts) = self {
                    texts.get_or_insert_default().add(value);
                }
                return self.heap() - before;
            }
            _ => {}
        }
        0
    }

    /// Takes in a value that is the same in all lines, if it need not be known again.
    #[inline]
    pub(crate) fn touch(&mut self, moment: Moment) -> bool {
        match self {
            Cell::Last(Some(_), known) => *known = moment.max(*known),
            Cell::First(Some(_), known) => *known = moment.min(*known),
            _ => return false,
        }
        true
    }

    /// Takes in the number of a line that has the field. `strict`: rounding as DTail. Returns by
    /// how many bytes the [`Cell::heap`] has grown.
    #[inline(always)]
    pub(crate) fn add_number(&mut self, number: f64, strict: bool) -> usize {
        match self {
            Cell::Sum(sum) => return add(sum, number, strict),
            Cell::Avg { sum, terms } => {
                *terms += 1;
                return add(sum, number, strict);
            }
            Cell::Min(min) => *min = Some(extreme(*min, number, Ordering::Less)),
            Cell::Max(max) => *max = Some(extreme(*max, number, Ordering::Greater)),
            _ => return self.add_to_large(number),
        }
        0
    }

    fn add_to_large(&mut self, number: f64) -> usize {
        let before = self.heap();
        match self {
            Cell::Quantile(sketch, _) => sketch.get_or_insert_default().add(number),
            Cell::Variance(moments) | Cell::Deviation(moments) => {
                moments.get_or_insert_default().add(number);
            }
            Cell::Histogram(histogram, width) => {
                histogram.get_or_insert_default().add(number, *width);
            }
            _ => {}
        }
        // A sum may need less than before, but not less memory.
        self.heap().saturating_sub(before)
    }

    /// Takes in the amount of a line and its time, for rates. Returns as the others.
    pub(crate) fn add_at(&mut self, amount: f64, time: f64) -> usize {
        let before = self.heap();
        if let Cell::Rate(rate) = self {
            match rate {
                Some(rate) => rate.add(amount, time),
                None => *rate = Some(Box::new(Rate::of(amount, time))),
            }
        }
        self.heap().saturating_sub(before)
    }

    /// Bytes held beyond the value itself.
    pub(crate) fn heap(&self) -> usize {
        match self {
            Cell::Sum(sum) | Cell::Avg { sum, .. } => sum.heap(),
            Cell::Last(text, _) | Cell::First(text, _) => text.as_ref().map_or(0, Text::heap),
            Cell::CountDistinct(texts) => boxed(texts.as_deref(), TextSet::heap),
            Cell::Quantile(sketch, _) => boxed(sketch.as_deref(), Sketch::heap),
            Cell::Variance(moments) | Cell::Deviation(moments) => {
                boxed(moments.as_deref(), Moments::heap)
            }
            Cell::Rate(rate) => boxed(rate.as_deref(), |rate| rate.sum.heap()),
            Cell::Histogram(histogram, _) => boxed(histogram.as_deref(), Histogram::heap),
            Cell::Count(_) | Cell::Min(_) | Cell::Max(_) | Cell::Len(..) => 0,
        }
    }

    /// Takes in what another part of the lines has come to. Of two last values the later wins, of
    /// two of one moment the greater, but with `strict` the one that is merged later.
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
            (Cell::Last(last, known), Cell::Last(Some(later), moment))
                if strict || last.as_ref().is_none_or(|last| (*known, last) < (moment, &later)) =>
            {
                (*last, *known) = (Some(later), moment);
            }
            (Cell::Len(length, known), Cell::Len(Some(later), moment))
                if strict || length.is_none_or(|length| (*known, length) < (moment, later)) =>
            {
                (*length, *known) = (Some(later), moment);
            }
            (Cell::First(first, known), Cell::First(Some(other), moment)) => {
                let is_earlier =
                    |first: &Text| moment < *known || moment == *known && other > *first;
                if first.as_ref().is_none_or(is_earlier) {
                    (*first, *known) = (Some(other), moment);
                }
            }
            (Cell::CountDistinct(known), Cell::CountDistinct(Some(more))) => {
                merge_boxed(known, more, TextSet::merge);
            }
            (Cell::Quantile(known, _), Cell::Quantile(Some(more), _)) => {
                merge_boxed(known, more, Sketch::merge);
            }
            (Cell::Variance(known), Cell::Variance(Some(more)))
            | (Cell::Deviation(known), Cell::Deviation(Some(more))) => {
                merge_boxed(known, more, Moments::merge);
            }
            (Cell::Rate(known), Cell::Rate(Some(more))) => merge_boxed(known, more, Rate::merge),
            (Cell::Histogram(known, _), Cell::Histogram(Some(more), _)) => {
                merge_boxed(known, more, Histogram::merge);
            }
            // The later part knows nothing of this column. Cells of one column are of one kind.
            _ => {}
        }
    }

    /// What the cell has come to, as a number; nothing for texts and where nothing was seen.
    /// `samples`: the lines of the group, by which DTail divides averages.
    pub(crate) fn known_number(&self, samples: u64, strict: bool) -> Option<f64> {
        match self {
            Cell::Count(count) => Some(*count as f64),
            Cell::Sum(sum) => Some(sum.value()),
            Cell::Avg { terms: 0, .. } => None,
            Cell::Avg { sum, terms } => {
                Some(sum.value() / if strict { samples } else { *terms } as f64)
            }
            Cell::Min(extreme) | Cell::Max(extreme) => *extreme,
            Cell::Len(length, _) => length.map(|length| length as f64),
            Cell::CountDistinct(texts) => Some(texts.as_ref().map_or(0, |it| it.len()) as f64),
            Cell::Quantile(sketch, share) => sketch.as_ref()?.quantile(share.fraction()),
            Cell::Variance(moments) => moments.as_ref()?.variance(),
            Cell::Deviation(moments) => moments.as_ref()?.variance().map(f64::sqrt),
            Cell::Rate(rate) => rate.as_ref()?.per_second(),
            Cell::Last(..) | Cell::First(..) | Cell::Histogram(..) => None,
        }
    }
}

/// Keeps a value in the memory of the one before. Returns by how many bytes it has grown.
fn replace(known: &mut Option<Text>, value: &[u8]) -> usize {
    match known {
        Some(known) => {
            let before = known.heap();
            known.set(value);
            known.heap() - before
        }
        None => known.insert(Text::new(value)).heap(),
    }
}

/// Bytes of what is elsewhere, if there is anything.
fn boxed<T>(value: Option<&T>, heap: impl Fn(&T) -> usize) -> usize {
    value.map_or(0, |value| heap_of(size_of::<T>()) + heap(value))
}

fn merge_boxed<T>(known: &mut Option<Box<T>>, more: Box<T>, merge: fn(&mut T, &T)) {
    match known {
        Some(known) => merge(known, &more),
        None => *known = Some(more),
    }
}

#[inline]
fn add(sum: &mut ExactSum, term: f64, strict: bool) -> usize {
    if strict {
        sum.add_rounded(term);
        return 0;
    }
    if sum.add_exactly(term) {
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
#[inline]
pub(crate) fn extreme(known: Option<f64>, number: f64, wanted: Ordering) -> f64 {
    match known {
        None => number,
        Some(known) if known.is_nan() => number,
        Some(known) if number.is_nan() || number.total_cmp(&known) != wanted => known,
        Some(_) => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten million groups have some tens of millions of them.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn cells_are_small() {
        assert_eq!(size_of::<Cell>(), 32);
    }
}
