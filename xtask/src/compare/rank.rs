//! The sign of a shift by ranks: Wilcoxon's signed-rank test and the Hodges–Lehmann estimate. They
//! assume less than a bootstrap does and are its cross-check.

use serde::{Deserialize, Serialize};

/// What ranks say about paired differences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ranks {
    /// Probability of a rank sum this far from the middle, or farther, if there is no shift.
    pub(crate) p: f64,
    /// The median of the means of all pairs of differences.
    pub(crate) shift: f64,
}

/// The test and the estimate for some differences; no evidence (1, 0) for none.
pub(crate) fn ranks(differences: &[f64]) -> Ranks {
    Ranks { p: signed_rank(differences), shift: hodges_lehmann(differences) }
}

/// The exact two-sided p-value, ties and all: zeros are left out (Wilcoxon's own way), equal sizes
/// share the middle of their ranks, and all signs of these ranks are counted.
fn signed_rank(differences: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = differences.iter().copied().filter(|it| *it != 0.0).collect();
    sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    // Twice the ranks, so that the middle of two is a whole number.
    let mut ranks = Vec::with_capacity(sorted.len());
    for group in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let first = ranks.len();
        ranks.extend(std::iter::repeat_n(2 * first + 1 + group.len(), group.len()));
    }
    let total: usize = ranks.iter().sum();
    let positive = sorted.iter().zip(&ranks).filter(|(value, _)| **value > 0.0);
    let sum: usize = positive.map(|(_, rank)| rank).sum();
    let extreme = sum.min(total - sum);
    // chances[s]: the share of all choices of signs whose positive ranks add up to s.
    let mut chances = vec![0.0; extreme + 1];
    chances[0] = 1.0;
    for rank in ranks {
        for sum in (0..=extreme).rev() {
            let with = if sum >= rank { chances[sum - rank] } else { 0.0 };
            chances[sum] = f64::midpoint(chances[sum], with);
        }
    }
    (2.0 * chances.iter().sum::<f64>()).min(1.0)
}

fn hodges_lehmann(differences: &[f64]) -> f64 {
    let means: Vec<f64> = differences
        .iter()
        .enumerate()
        .flat_map(|(index, a)| differences[index..].iter().map(|b| f64::midpoint(*a, *b)))
        .collect();
    crate::compare::statistics::median(&means)
}

/// The p-values after Holm's correction for asking so many questions at once, in the given order.
pub(crate) fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut least = 0.0_f64;
    for (place, index) in order.into_iter().enumerate() {
        least = least.max(p[index] * (p.len() - place) as f64).min(1.0);
        adjusted[index] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(ours: f64, theirs: f64) {
        assert!((ours - theirs).abs() < 1e-9, "{ours}, expected {theirs}");
    }

    /// scipy 1.17.1: `scipy.stats.wilcoxon(…)` with its defaults, and `numpy.median` over the means
    /// of all pairs.
    #[test]
    fn as_scipy_says() {
        let distinct =
            [-0.12, 0.031, -0.054, -0.2, -0.015, 0.007, -0.09, -0.11, 0.04, -0.061, -0.033, -0.17];
        close(signed_rank(&distinct), 0.016_113_281_25);
        close(hodges_lehmann(&distinct), -0.062);
        let tied = [0.1, -0.1, 0.2, 0.0, 0.3, 0.3, -0.2, 0.4, 0.5];
        close(signed_rank(&tied), 0.078_125);
    }

    /// statsmodels: `multipletests([…], method="holm")`.
    #[test]
    fn as_statsmodels_says() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005, 0.6]);
        for (ours, theirs) in adjusted.iter().zip([0.04, 0.09, 0.09, 0.025, 0.6]) {
            close(*ours, theirs);
        }
    }

    #[test]
    fn nothing_is_no_evidence() {
        assert_eq!(ranks(&[]), Ranks { p: 1.0, shift: 0.0 });
        assert_eq!(ranks(&[0.0, 0.0]), Ranks { p: 1.0, shift: 0.0 });
        assert!(holm(&[]).is_empty());
    }
}
