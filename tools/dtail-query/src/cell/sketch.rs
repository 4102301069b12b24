//! Quantiles of any number of values in little memory: exact as long as there are few different
//! ones, then counts of logarithmic bins, after DDSketch (Masson, Rim, Lee 2019) but never
//! collapsed. So what is kept depends on the values alone, not on the order of adding or merging,
//! and every quantile is within [`ERROR`] of the value of its rank.
//!
//! Our own and not a crate's, since it must say what memory it takes, come from foreign bytes
//! within a bound, and never collapse.

use crate::memory::heap_of;

/// Up to so many different values are kept as they are.
const MOST_EXACT: usize = 128;

/// The relative error of a quantile.
const ERROR: f64 = 0.005;

/// The logarithm of (1 + ERROR) / (1 - ERROR), the ratio of one bin to the next.
const LOG_RATIO: f64 = 0.010_000_083_334_583_4;

/// More than the number of any bin of numbers below 1, so that all bins of numbers above 0 are.
const OFFSET: i32 = 80_000;
/// The bin of infinity.
const INFINITE: i32 = 200_000;

/// NaN is left out of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sketch {
    /// Different values in order, and how often each was there.
    Exact(Vec<(f64, u64)>),
    Binned(Bins),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bins {
    /// Those that have values, in order. Those below 0 are of numbers below 0.
    pub(crate) counts: Vec<(i32, u64)>,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch::Exact(Vec::new())
    }
}

impl Sketch {
    pub(crate) fn add(&mut self, number: f64) {
        if !number.is_nan() {
            // Adding 0 makes -0 the same as 0.
            self.add_times(number + 0.0, 1);
        }
    }

    fn add_times(&mut self, number: f64, times: u64) {
        match self {
            Sketch::Exact(values) => {
                match values.binary_search_by(|(value, _)| value.total_cmp(&number)) {
                    Ok(index) => values[index].1 = values[index].1.saturating_add(times),
                    Err(index) => values.insert(index, (number, times)),
                }
                if values.len() > MOST_EXACT {
                    *self = Sketch::Binned(Bins::of(values));
                }
            }
            Sketch::Binned(bins) => bins.add(number, times),
        }
    }

    pub(crate) fn merge(&mut self, other: &Sketch) {
        match other {
            Sketch::Exact(values) => values.iter().for_each(|it| self.add_times(it.0, it.1)),
            Sketch::Binned(more) => {
                if let Sketch::Exact(values) = self {
                    *self = Sketch::Binned(Bins::of(values));
                }
                if let Sketch::Binned(bins) = self {
                    bins.merge(more);
                }
            }
        }
    }

    /// The value of this rank among all values, from 0 to 1, as near as can be told.
    pub(crate) fn quantile(&self, fraction: f64) -> Option<f64> {
        match self {
            Sketch::Exact(values) => at_rank(values, fraction),
            Sketch::Binned(bins) => {
                let bin = at_rank(&bins.counts, fraction)?;
                Some(middle_of(bin).clamp(bins.min, bins.max))
            }
        }
    }

    pub(crate) fn heap(&self) -> usize {
        match self {
            Sketch::Exact(values) => heap_of(values.capacity() * size_of::<(f64, u64)>()),
            Sketch::Binned(bins) => heap_of(bins.counts.capacity() * size_of::<(i32, u64)>()),
        }
    }

    /// Whether a sketch of foreign parts can be one of ours.
    pub(crate) fn is_proper(&self) -> bool {
        match self {
            Sketch::Exact(values) => {
                let is_sorted = values.is_sorted_by(|left, right| left.0 < right.0);
                let is_value = |it: f64| !it.is_nan() && (it != 0.0 || it.is_sign_positive());
                let are_counted = values.iter().all(|it| is_value(it.0) && it.1 > 0);
                is_sorted && are_counted && (1..=MOST_EXACT).contains(&values.len())
            }
            Sketch::Binned(Bins { counts, min, max }) => {
                let is_sorted = counts.is_sorted_by(|left, right| left.0 < right.0);
                let are_bins =
                    counts.iter().all(|(bin, count)| bin.abs() <= INFINITE && *count > 0);
                is_sorted && are_bins && !counts.is_empty() && min <= max
            }
        }
    }
}

impl Bins {
    fn of(values: &[(f64, u64)]) -> Bins {
        let mut bins = Bins { counts: Vec::new(), min: f64::INFINITY, max: f64::NEG_INFINITY };
        values.iter().for_each(|(value, count)| bins.add(*value, *count));
        bins
    }

    fn add(&mut self, number: f64, times: u64) {
        self.min = self.min.min(number);
        self.max = self.max.max(number);
        self.add_to_bin(bin_of(number), times);
    }

    fn add_to_bin(&mut self, bin: i32, count: u64) {
        match self.counts.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(index) => self.counts[index].1 = self.counts[index].1.saturating_add(count),
            Err(index) => self.counts.insert(index, (bin, count)),
        }
    }

    fn merge(&mut self, other: &Bins) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        for &(bin, count) in &other.counts {
            self.add_to_bin(bin, count);
        }
    }
}

/// What has this rank, from 0 to 1, among things in order.
fn at_rank<T: Copy>(counts: &[(T, u64)], fraction: f64) -> Option<T> {
    let total = counts.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    // Counts beyond the precision of floats are far beyond what anybody counts.
    let rank = (fraction * total.checked_sub(1)? as f64).floor() as u64;
    let mut below = 0_u64;
    for &(thing, count) in counts {
        below = below.saturating_add(count);
        if below > rank {
            return Some(thing);
        }
    }
    counts.last().map(|(thing, _)| *thing)
}

fn bin_of(number: f64) -> i32 {
    if number == 0.0 {
        return 0;
    }
    let size = number.abs();
    let bin = if size == f64::INFINITY {
        INFINITE
    } else {
        // The logarithm of a float is between -745 and 710.
        OFFSET + (size.ln() / LOG_RATIO).ceil() as i32
    };
    if number < 0.0 { -bin } else { bin }
}

/// The number that all numbers of a bin are within [`ERROR`] of.
fn middle_of(bin: i32) -> f64 {
    match bin.abs() {
        0 => 0.0,
        INFINITE => f64::INFINITY * f64::from(bin.signum()),
        size => {
            let upper = f64::from(size - OFFSET) * LOG_RATIO;
            f64::from(bin.signum()) * (upper.exp() * (1.0 - ERROR))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn the_ratio_is_that_of_the_error() {
        assert!((((1.0 + ERROR) / (1.0 - ERROR)).ln() - LOG_RATIO).abs() < 1e-15);
    }

    #[test]
    fn quantiles_are_within_the_error_whatever_the_order() {
        let mut random = Random::new(17);
        for round in 0..200 {
            let mut numbers: Vec<f64> = (0..1 + random.below(500))
                .map(|_| {
                    let digits = random.below(2001) as f64 - if round % 2 == 0 { 0.0 } else { 1e3 };
                    digits * 10_f64.powi(random.below(round / 3 + 1) as i32 - round as i32 / 6)
                })
                .collect();
            let mut whole = Sketch::default();
            numbers.iter().for_each(|it| whole.add(*it));
            let (left, right) = numbers.split_at(random.below(numbers.len()));
            let mut merged = Sketch::default();
            let mut other = Sketch::default();
            right.iter().rev().for_each(|it| merged.add(*it));
            left.iter().for_each(|it| other.add(*it));
            merged.merge(&other);
            assert_eq!(merged, whole);
            numbers.sort_unstable_by(f64::total_cmp);
            for percent in [0.0, 1.0, 25.0, 50.0, 90.0, 99.9, 100.0] {
                let rank = (percent / 100.0 * (numbers.len() - 1) as f64).floor() as usize;
                let exact = numbers[rank];
                let told = whole.quantile(percent / 100.0).unwrap();
                let error = (told - exact).abs();
                assert!(error <= ERROR * 1.000_001 * exact.abs(), "{told} for {exact}");
                assert!(matches!(whole, Sketch::Binned(_)) || told == exact, "{told} for {exact}");
            }
        }
    }

    #[test]
    fn the_ends_of_the_range_of_floats_have_bins() {
        let mut sketch = Sketch::Binned(Bins::of(&[]));
        for number in
            [f64::MIN_POSITIVE, 5e-324, f64::MAX, -f64::MAX, f64::INFINITY, f64::NAN, -0.0]
        {
            sketch.add(number);
        }
        assert!(sketch.is_proper());
        assert!(matches!(&sketch, Sketch::Binned(bins) if bins.counts.len() == 6));
        assert_eq!(sketch.quantile(1.0), Some(f64::INFINITY));
        assert_eq!(sketch.quantile(0.0).map(|it| it < -1.7e308), Some(true));
        assert_eq!(Sketch::default().quantile(0.5), None);
    }
}
