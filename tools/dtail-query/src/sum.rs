//! A sum of floats that does not depend on the order or grouping of its terms.
//!
//! Partial results from files, intervals and hosts arrive in any order; a plain float sum would
//! then differ in its last digits from run to run.

use crate::memory::heap_of;

/// The exact sum of finite terms as non-overlapping floats (Shewchuk's expansion), rounded once
/// when it is read. Infinities and NaN add up as usual. Only a sum that leaves the range of f64 on
/// the way depends on the order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ExactSum {
    /// The sum as far as one float can say it.
    high: f64,
    /// What `high` lacks, smallest first; nothing as long as all sums were exact, which is so for
    /// integers.
    rest: Rest,
}

/// Elsewhere, since most sums have none and there may be one for each of millions of groups.
type Rest = Option<Box<Vec<f64>>>;

impl ExactSum {
    /// A sum of one term.
    pub(crate) fn of(term: f64) -> ExactSum {
        ExactSum { high: term, rest: None }
    }

    /// Floats whose exact sum this is; the first is the one that is there in any case.
    pub(crate) fn terms(&self) -> (f64, &[f64]) {
        (self.high, self.rest())
    }

    /// Bytes held beyond the value itself.
    pub(crate) fn heap(&self) -> usize {
        self.rest.as_ref().map_or(0, |rest| {
            heap_of(size_of::<Vec<f64>>()) + heap_of(rest.capacity() * size_of::<f64>())
        })
    }

    #[inline]
    fn rest(&self) -> &[f64] {
        self.rest.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Adds a term if one float says the sum of all, as it is with integers.
    #[inline]
    pub(crate) fn add_exactly(&mut self, term: f64) -> bool {
        let (sum, error) = two_sum(self.high, term);
        // The error of what is not finite is NaN.
        let is_exact = error == 0.0 && self.rest().is_empty();
        if is_exact {
            self.high = sum;
        }
        is_exact
    }

    /// Adds a term to a sum of one float that is not finite, or becomes so.
    #[cold]
    pub(crate) fn add_bare(&mut self, term: f64) -> bool {
        let sum = self.high + term;
        let is_bare = !sum.is_finite() && self.rest().is_empty();
        if is_bare {
            self.high = sum;
        }
        is_bare
    }

    pub(crate) fn add(&mut self, term: f64) {
        let (sum, error) = two_sum(self.high, term);
        if !sum.is_finite() {
            self.high = sum;
            self.forget_rest();
        } else if self.rest().is_empty() {
            self.high = sum;
            if error != 0.0 {
                self.rest.get_or_insert_default().push(error);
            }
        } else {
            self.add_to_rest(term);
        }
    }

    /// Adds `term` and forgets what rounding loses, as DTail does.
    pub(crate) fn add_rounded(&mut self, term: f64) {
        self.high += term;
    }

    pub(crate) fn merge(&mut self, other: &ExactSum) {
        self.add(other.high);
        for &term in other.rest() {
            self.add(term);
        }
    }

    /// The float nearest to the exact sum, and the one nearest to what that lacks. They depend on
    /// the sum alone, not on how it was made.
    pub(crate) fn digits(&self) -> [f64; 2] {
        let high = self.value();
        if self.rest().is_empty() || !high.is_finite() {
            return [high, 0.0];
        }
        let mut lower = self.clone();
        lower.add(-high);
        [high, lower.value()]
    }

    fn add_to_rest(&mut self, term: f64) {
        let rest = self.rest.get_or_insert_default();
        let mut carried = term;
        let mut kept = 0;
        for index in 0..rest.len() {
            let (sum, error) = two_sum(rest[index], carried);
            carried = sum;
            if error != 0.0 {
                rest[kept] = error;
                kept += 1;
            }
        }
        rest.truncate(kept);
        let (sum, error) = two_sum(self.high, carried);
        if error != 0.0 {
            rest.push(error);
        }
        self.high = sum;
        if !sum.is_finite() {
            self.forget_rest();
        }
    }

    fn forget_rest(&mut self) {
        if let Some(rest) = &mut self.rest {
            rest.clear();
        }
    }

    /// The float nearest to the exact sum.
    pub(crate) fn value(&self) -> f64 {
        let mut sum = self.high;
        let mut lower = self.rest().iter().rev();
        for &term in lower.by_ref() {
            let (rounded, error) = two_sum(sum, term);
            sum = rounded;
            if error != 0.0 {
                // Half-way cases were rounded to even without a look at what is further below.
                let below = lower.next().copied().unwrap_or(0.0);
                if (error < 0.0 && below < 0.0) || (error > 0.0 && below > 0.0) {
                    let doubled = error * 2.0;
                    let candidate = sum + doubled;
                    if candidate - sum == doubled {
                        sum = candidate;
                    }
                }
                break;
            }
        }
        sum
    }
}

/// The rounded sum of two floats and what the rounding lost (Knuth).
#[inline]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let a_part = sum - b_part;
    (sum, (a - a_part) + (b - b_part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn sum(terms: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        for &term in terms {
            sum.add(term);
        }
        sum
    }

    #[test]
    fn what_a_plain_sum_loses_is_kept() {
        assert_eq!(sum(&[0.1; 10]).value(), 1.0);
        assert_eq!(sum(&[1e100, 1.0, -1e100, 1e-100]).value(), 1.0);
        assert_eq!(sum(&[1e16, 1.0, 1e-16]).value(), 10_000_000_000_000_002.0);
        assert_eq!(sum(&[1e16, 1.0, -1e-16]).value(), 1e16);
    }

    #[test]
    fn infinities_and_nan_add_up_in_any_order() {
        assert_eq!(sum(&[1.5, f64::INFINITY, 0.1, -2.0]).value(), f64::INFINITY);
        assert!(sum(&[f64::INFINITY, 0.1, f64::NEG_INFINITY]).value().is_nan());
        assert!(sum(&[f64::NAN, 0.1, 0.2]).value().is_nan());
    }

    #[test]
    fn integers_need_no_rest() {
        let terms: Vec<f64> = (0..100_000).map(f64::from).collect();
        let sum = sum(&terms);
        assert_eq!(sum, ExactSum { high: 4_999_950_000.0, rest: None });
    }

    #[test]
    fn the_order_and_grouping_of_terms_do_not_matter() {
        let mut random = Random::new(3);
        for _ in 0..2_000 {
            let mut terms: Vec<f64> = (0..random.below(40))
                .map(|_| {
                    let digits = random.below(2_000_001) as f64 - 1_000_000.0;
                    digits * 10_f64.powi(random.below(40) as i32 - 20)
                })
                .collect();
            let whole = sum(&terms).value();
            for index in (1..terms.len()).rev() {
                terms.swap(index, random.below(index + 1));
            }
            let (left, right) = terms.split_at(random.below(terms.len() + 1));
            let mut merged = sum(left);
            merged.merge(&sum(right));
            assert_eq!(merged.value().to_bits(), whole.to_bits(), "{terms:?}");
        }
    }
}
