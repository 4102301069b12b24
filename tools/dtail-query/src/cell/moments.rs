//! Variance and deviation from exact sums, so that they depend on no order and lose nothing where
//! the values are close together and far from 0.

use crate::sum::ExactSum;

/// Count, sum and sum of squares.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moments {
    pub(crate) terms: u64,
    pub(crate) sum: ExactSum,
    pub(crate) squares: ExactSum,
}

impl Moments {
    pub(crate) fn add(&mut self, number: f64) {
        self.terms += 1;
        self.sum.add(number);
        add_product(&mut self.squares, number, number);
    }

    pub(crate) fn merge(&mut self, other: &Moments) {
        self.terms = self.terms.saturating_add(other.terms);
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
    }

    /// Of a sample, as SQL's `variance`: less than two values have none.
    pub(crate) fn variance(&self) -> Option<f64> {
        if self.terms < 2 {
            return None;
        }
        // Counts beyond the precision of floats are far beyond what anybody counts.
        let terms = self.terms as f64;
        // terms * squares - sum * sum, of twice the digits of a float.
        let mut numerator = ExactSum::default();
        let [high, low] = self.squares.digits();
        add_product(&mut numerator, terms, high);
        add_product(&mut numerator, terms, low);
        let [high, low] = self.sum.digits();
        add_product(&mut numerator, -high, high);
        add_product(&mut numerator, -2.0 * high, low);
        add_product(&mut numerator, -low, low);
        let numerator = numerator.value();
        Some(if numerator < 0.0 { 0.0 } else { numerator / terms / (terms - 1.0) })
    }

    pub(crate) fn heap(&self) -> usize {
        self.sum.heap() + self.squares.heap()
    }
}

/// Adds a product without rounding it.
fn add_product(sum: &mut ExactSum, left: f64, right: f64) {
    let product = left * right;
    sum.add(product);
    if product.is_finite() {
        sum.add(left.mul_add(right, -product));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variance(numbers: &[f64]) -> Option<f64> {
        let mut moments = Moments::default();
        numbers.iter().for_each(|it| moments.add(*it));
        moments.variance()
    }

    #[test]
    fn variances_are_exact_far_from_0() {
        assert_eq!(variance(&[]), None);
        assert_eq!(variance(&[5.0]), None);
        assert_eq!(variance(&[5.0, 5.0]), Some(0.0));
        assert_eq!(variance(&[1.0, 2.0, 3.0, 4.0]), Some(5.0 / 3.0));
        assert_eq!(variance(&[1e15 + 1.0, 1e15 + 2.0, 1e15 + 3.0]), Some(1.0));
        assert!(variance(&[1.0, f64::NAN]).unwrap().is_nan());
        assert!(variance(&[0.1; 10]).unwrap() < 1e-30);
    }
}
