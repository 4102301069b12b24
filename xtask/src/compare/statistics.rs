//! The numbers behind a verdict. Pure: from times to ratios, intervals and words.

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// Bootstrap samples; the ends of a 95 % interval then rest on 50 samples each.
const RESAMPLES: usize = 2000;
/// How often an interval may miss the truth.
pub(crate) const MISSES: f64 = 0.05;
/// Rounds that follow each other more alike than this are drawn together.
const CORRELATED: f64 = 0.2;
/// Differences within one percent are called equal.
pub(crate) const MARGIN: f64 = 0.01;

/// A log-ratio with its 95 % interval. Below zero means less time than the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// What the interval allows to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Faster,
    Slower,
    Equivalent,
    Inconclusive,
}

/// Percent of time gained for a log-ratio: positive is faster.
pub(crate) fn gain(log: f64) -> f64 {
    (1.0 - log.exp()) * 100.0
}

impl Estimate {
    /// Median, low and high end as gains in percent; the ends swap sides.
    pub(crate) fn gains(&self) -> (f64, f64, f64) {
        (gain(self.median), gain(self.high), gain(self.low))
    }
}

impl Verdict {
    /// As it is written in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::Equivalent => "equivalent",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// Faster or slower only outside the margin and farther from zero than either end of the
    /// placebo's interval, which would be narrow and around zero if the machine were quiet.
    pub(crate) fn of(estimate: &Estimate, placebo: &Estimate) -> Self {
        let floor = placebo.low.abs().max(placebo.high.abs()).max(MARGIN);
        if estimate.high < -floor {
            Self::Faster
        } else if estimate.low > floor {
            Self::Slower
        } else if estimate.low > -MARGIN && estimate.high < MARGIN {
            Self::Equivalent
        } else {
            Self::Inconclusive
        }
    }
}

/// The median; 0 for nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// ln(arm / baseline) of each round: rounds are pairs, so that drift cancels.
pub(crate) fn log_ratios(arm: &[f64], baseline: &[f64]) -> Vec<f64> {
    arm.iter().zip(baseline).map(|(x, base)| (x / base).ln()).collect()
}

/// The median log-ratio with its percentile-bootstrap interval over rounds, which misses the truth
/// in a share of `misses` of all cases.
pub(crate) fn estimate(ratios: &[f64], seed: u64, misses: f64) -> Estimate {
    let mut random = Random::new(seed);
    let resample = || median(&draw(ratios, &mut random));
    interval(median(ratios), std::iter::repeat_with(resample).take(RESAMPLES), misses)
}

/// The mean of the cases' medians, which is the log of the geometric mean of their ratios. Cases
/// are drawn first and rounds within them, because both could have been others.
pub(crate) fn geometric_mean(cases: &[Vec<f64>], seed: u64) -> Estimate {
    let mean = |medians: &[f64]| medians.iter().sum::<f64>() / medians.len().max(1) as f64;
    let medians: Vec<f64> = cases.iter().map(|ratios| median(ratios)).collect();
    let mut random = Random::new(seed);
    let resample = || {
        let drawn: Vec<f64> = (0..cases.len())
            .map(|_| &cases[random.below(cases.len() as u64) as usize])
            .collect::<Vec<_>>()
            .into_iter()
            .map(|ratios| median(&draw(ratios, &mut random)))
            .collect();
        mean(&drawn)
    };
    interval(mean(&medians), std::iter::repeat_with(resample).take(RESAMPLES), MISSES)
}

/// As many values again, drawn in blocks of neighbours: of one, unless rounds resemble those before
/// them, because the machine was slow for a while.
fn draw(values: &[f64], random: &mut Random) -> Vec<f64> {
    let (count, length) = (values.len(), block_length(values));
    let mut drawn = Vec::with_capacity(count + length);
    while drawn.len() < count {
        let start = random.below((count - length + 1) as u64) as usize;
        drawn.extend_from_slice(&values[start..start + length]);
    }
    drawn.truncate(count);
    drawn
}

/// The square root of the number of rounds, a usual length, or 1 for independent ones.
fn block_length(values: &[f64]) -> usize {
    if autocorrelation(values) > CORRELATED {
        (values.len() as f64).sqrt().ceil() as usize
    } else {
        1
    }
}

/// How much each value resembles the one before, from -1 to 1; 0 for equal ones.
fn autocorrelation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let square: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let product: f64 = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    if square > 0.0 { product / square } else { 0.0 }
}

fn interval(median: f64, samples: impl Iterator<Item = f64>, misses: f64) -> Estimate {
    let mut samples: Vec<f64> = samples.collect();
    samples.sort_by(f64::total_cmp);
    let at = |share: f64| samples[((samples.len() - 1) as f64 * share).round() as usize];
    Estimate { median, low: at(misses / 2.0), high: at(1.0 - misses / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(center: f64, width: f64, n: usize) -> Vec<f64> {
        let mut random = Random::new(9);
        (0..n).map(|_| center + width * (random.below(2001) as f64 / 1000.0 - 1.0)).collect()
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn an_interval_holds_the_truth_and_shrinks_with_rounds() {
        let few = estimate(&around(-0.1, 0.05, 12), 1, MISSES);
        let many = estimate(&around(-0.1, 0.05, 200), 1, MISSES);
        assert!(few.low <= -0.1 && -0.1 <= few.high, "{few:?}");
        assert!(many.low <= -0.1 && -0.1 <= many.high, "{many:?}");
        assert!(many.high - many.low < few.high - few.low);
    }

    #[test]
    fn an_estimate_is_the_same_for_the_same_seed() {
        let ratios = around(0.0, 0.1, 30);
        assert_eq!(estimate(&ratios, 4, MISSES), estimate(&ratios, 4, MISSES));
    }

    /// scipy 1.17.1: `bootstrap((x,), np.median, method="percentile", n_resamples=400000)`, and for
    /// the mean of cases the same in numpy with cases drawn first, 200000 times. A tenth of the
    /// interval's width is left to chance: we draw 2000 times.
    #[test]
    fn intervals_as_scipy_says() {
        let x = [
            -0.12, 0.031, -0.054, -0.2, -0.015, 0.007, -0.09, -0.11, 0.04, -0.061, -0.033, -0.17,
            -0.08, -0.02, -0.1, 0.012, -0.07, -0.045, -0.13, -0.006,
        ];
        let y =
            [0.01, -0.02, 0.005, 0.03, -0.011, 0.018, 0.002, -0.007, 0.021, 0.009, -0.015, 0.026];
        let close = |ours: Estimate, median: f64, low: f64, high: f64| {
            assert!((ours.median - median).abs() < 1e-12, "{ours:?}");
            let width = (high - low) / 10.0;
            assert!((ours.low - low).abs() < width && (ours.high - high).abs() < width, "{ours:?}");
        };
        close(estimate(&x, 1, MISSES), -0.0575, -0.095, -0.0175);
        close(geometric_mean(&[x.to_vec(), y.to_vec()], 1), -0.025_25, -0.075, 0.012);
    }

    #[test]
    fn a_stricter_interval_is_wider() {
        let ratios = around(-0.1, 0.05, 40);
        let (usual, strict) = (estimate(&ratios, 1, MISSES), estimate(&ratios, 1, MISSES / 4.0));
        assert!(strict.low < usual.low && usual.high < strict.high, "{usual:?} {strict:?}");
    }

    /// Checked against numpy: `(x[1:] * x[:-1]).sum() / (x * x).sum()` of values less their mean.
    #[test]
    fn slow_times_of_the_machine_widen_the_interval() {
        let rising = [0.1, 0.12, 0.09, 0.15, 0.2, 0.18, 0.22, 0.19, 0.1, 0.05];
        assert!((autocorrelation(&rising) - 0.461_267_605_633_802_76).abs() < 1e-12);
        assert_eq!((block_length(&rising), block_length(&[0.5; 9])), (4, 1));
        // The same values, first in two halves and then mixed.
        let mut halves = around(0.0, 0.01, 20);
        halves.extend(around(0.1, 0.01, 20));
        let mixed: Vec<f64> = (0..40).map(|index| halves[index * 13 % 40]).collect();
        let width = |ratios: &[f64]| {
            let Estimate { low, high, .. } = estimate(ratios, 3, MISSES);
            high - low
        };
        assert_eq!(block_length(&mixed), 1);
        assert!(width(&halves) > width(&mixed));
    }

    #[test]
    fn verdicts_need_more_than_the_placebo_shows() {
        let quiet = Estimate { median: 0.0, low: -0.002, high: 0.002 };
        let noisy = Estimate { median: 0.0, low: -0.2, high: 0.2 };
        let faster = Estimate { median: -0.1, low: -0.12, high: -0.08 };
        let slower = Estimate { median: 0.1, low: 0.08, high: 0.12 };
        let equal = Estimate { median: 0.0, low: -0.004, high: 0.005 };
        let wide = Estimate { median: -0.01, low: -0.05, high: 0.03 };
        assert_eq!(Verdict::of(&faster, &quiet), Verdict::Faster);
        assert_eq!(Verdict::of(&faster, &noisy), Verdict::Inconclusive);
        assert_eq!(Verdict::of(&slower, &quiet), Verdict::Slower);
        assert_eq!(Verdict::of(&equal, &quiet), Verdict::Equivalent);
        assert_eq!(Verdict::of(&wide, &quiet), Verdict::Inconclusive);
    }

    #[test]
    fn gains_are_percent_of_time_saved() {
        let half = Estimate { median: 0.5_f64.ln(), low: 0.4_f64.ln(), high: 0.6_f64.ln() };
        let (gain, low, high) = half.gains();
        assert!(
            (gain - 50.0).abs() < 1e-9 && (low - 40.0).abs() < 1e-9 && (high - 60.0).abs() < 1e-9
        );
    }

    #[test]
    fn the_geometric_mean_of_equal_cases_is_their_ratio() {
        let cases = vec![vec![0.5_f64.ln(); 10], vec![0.5_f64.ln(); 10]];
        let all = geometric_mean(&cases, 3);
        assert!((all.median - 0.5_f64.ln()).abs() < 1e-12 && all.high - all.low < 1e-12);
    }
}
