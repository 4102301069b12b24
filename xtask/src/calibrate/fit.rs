//! The fit: solves for the mixture, turns shares of time into weights of counts, and says how near
//! it came. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::calibrate::nnls::{distance, nnls};
use crate::calibrate::shares::Shares;
use crate::report::table::Table;

/// The part of production's time that must be in functions the cases have, too: all Rust programs
/// share some of the standard library.
const LEAST_COMMON: f64 = 0.2;
/// Every case keeps this share of the time: what production did not do while it was recorded is
/// still compiled as something that happens.
const LEAST_TIME: f64 = 0.01;
/// How much the shares' sum of 1 counts against a function's share.
const SUM_WEIGHT: f64 = 100.0;
/// Functions shown.
const SHOWN: usize = 10;

/// A training case as it was recorded.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) shares: Shares,
    /// CPU seconds of one run of the plain program.
    pub(crate) seconds: f64,
    /// Counts of one run of the instrumented program.
    pub(crate) counts: f64,
    /// Its share of the counts as the workload file has it.
    pub(crate) declared: f64,
}

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fit {
    /// The share of production's time in functions that the cases have.
    pub(crate) common: f64,
    pub(crate) before: Nearness,
    pub(crate) after: Nearness,
    pub(crate) cases: Vec<CaseFit>,
    /// Production's largest functions.
    pub(crate) functions: Vec<FunctionFit>,
}

/// How near a mixture is to production.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Nearness {
    /// The root of the sum of squared differences of shares.
    pub(crate) residual: f64,
    /// The part of the time that both spend in the same functions, 0 to 1.
    pub(crate) overlap: f64,
}

/// A case in both mixtures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CaseFit {
    pub(crate) name: String,
    /// Its share of the time of the mixture.
    pub(crate) time_before: f64,
    pub(crate) time_after: f64,
    /// Its share of the counts, relative to the other cases.
    pub(crate) weight_before: f64,
    pub(crate) weight_after: f64,
}

/// A function's share of the time.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FunctionFit {
    pub(crate) name: String,
    pub(crate) production: f64,
    pub(crate) before: f64,
    pub(crate) after: f64,
}

/// Solves for the mixture of `cases` that is nearest to `production`. The error is a clause that
/// says why there is none.
pub(crate) fn fit(production: &Shares, cases: &[Recorded]) -> Result<Fit, String> {
    if production.total() <= 0.0 {
        return Err("holds no samples".to_owned());
    }
    if let Some(idle) = cases.iter().find(|it| it.shares.total() <= 0.0 || it.counts <= 0.0) {
        return Err(format!("cannot be compared: training case {} was too short", idle.name));
    }
    let known: BTreeSet<&String> = cases.iter().flat_map(|it| it.shares.seconds.keys()).collect();
    let common: f64 = known.iter().map(|name| production.of(name)).sum();
    if common < LEAST_COMMON {
        return Err(format!(
            "is another program's, or one of the two has no line tables (debug = 1): {:.1} % of its time is in functions that the training cases have",
            100.0 * common
        ));
    }
    let names: BTreeSet<&String> = known.into_iter().chain(production.seconds.keys()).collect();
    let column = |shares: &Shares| -> Vec<f64> { names.iter().map(|it| shares.of(it)).collect() };
    let columns: Vec<Vec<f64>> = cases.iter().map(|case| column(&case.shares)).collect();
    let wanted = column(production);
    let before = declared_times(cases);
    let after = floored(solved(&columns, &wanted));
    let nearness = |times: &[f64]| Nearness {
        residual: distance(&columns, &wanted, times),
        overlap: overlap(&mixture(&columns, times), &wanted),
    };
    let (mixed_before, mixed_after) = (mixture(&columns, &before), mixture(&columns, &after));
    let weights = weights(cases, &after);
    let case = |(at, case): (usize, &Recorded)| CaseFit {
        name: case.name.clone(),
        time_before: before[at],
        time_after: after[at],
        weight_before: case.declared,
        weight_after: weights[at],
    };
    let mut largest: Vec<usize> = (0..wanted.len()).collect();
    largest.sort_by(|a, b| wanted[*b].total_cmp(&wanted[*a]));
    let names: Vec<&String> = names.into_iter().collect();
    let function = |at: usize| FunctionFit {
        name: names[at].clone(),
        production: wanted[at],
        before: mixed_before[at],
        after: mixed_after[at],
    };
    Ok(Fit {
        common,
        before: nearness(&before),
        after: nearness(&after),
        cases: cases.iter().enumerate().map(case).collect(),
        functions: largest.into_iter().take(SHOWN).map(function).collect(),
    })
}

/// Shares of the time, which sum up to 1.
fn solved(columns: &[Vec<f64>], wanted: &[f64]) -> Vec<f64> {
    let with_sum = |column: &[f64]| column.iter().copied().chain([SUM_WEIGHT]).collect();
    let columns: Vec<Vec<f64>> = columns.iter().map(|column| with_sum(column)).collect();
    normal(nnls(&columns, &with_sum(wanted)))
}

fn floored(times: Vec<f64>) -> Vec<f64> {
    normal(times.into_iter().map(|time| time.max(LEAST_TIME)).collect())
}

fn normal(values: Vec<f64>) -> Vec<f64> {
    let sum: f64 = values.iter().sum();
    if sum > 0.0 { values.into_iter().map(|value| value / sum).collect() } else { values }
}

/// What the weights of the workload file mean in time: a case with a share of the counts runs as
/// often as gives them, each run takes its time.
fn declared_times(cases: &[Recorded]) -> Vec<f64> {
    normal(cases.iter().map(|case| case.declared / case.counts * case.seconds).collect())
}

/// The way back: a case with a share of the time runs so often, each run gives its counts. Their
/// mean is 1.
fn weights(cases: &[Recorded], times: &[f64]) -> Vec<f64> {
    let counts = |(case, time): (&Recorded, &f64)| time / case.seconds * case.counts;
    let weights = normal(cases.iter().zip(times).map(counts).collect());
    weights.into_iter().map(|weight| weight * cases.len() as f64).collect()
}

fn mixture(columns: &[Vec<f64>], times: &[f64]) -> Vec<f64> {
    let mut mixed = vec![0.0; columns.first().map_or(0, Vec::len)];
    for (column, time) in columns.iter().zip(times) {
        mixed.iter_mut().zip(column).for_each(|(sum, share)| *sum += time * share);
    }
    mixed
}

fn overlap(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.min(*b)).sum()
}

impl Fit {
    /// The new weights by the cases' names.
    pub(crate) fn weights(&self) -> BTreeMap<&str, f64> {
        self.cases.iter().map(|case| (case.name.as_str(), case.weight_after)).collect()
    }

    /// What people read.
    pub(crate) fn text(&self) -> String {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let mut cases = Table::new(&["case", "time", "fitted", "weight", "fitted"]);
        for case in &self.cases {
            cases.row([
                case.name.clone(),
                percent(case.time_before),
                percent(case.time_after),
                format!("{:.2}", case.weight_before),
                format!("{:.2}", case.weight_after),
            ]);
        }
        let mut functions = Table::new(&["production", "declared", "fitted", "function"]);
        for function in &self.functions {
            functions.row([
                percent(function.production),
                percent(function.before),
                percent(function.after),
                function.name.clone(),
            ]);
        }
        format!(
            "{}\n{}\n{} of production's time is in functions that the cases have\n\
             the same functions at the same time: {} with the declared weights, {} fitted\n\
             residual: {:.4} with the declared weights, {:.4} fitted\n",
            cases.text(),
            functions.text(),
            percent(self.common),
            percent(self.before.overlap),
            percent(self.after.overlap),
            self.before.residual,
            self.after.residual,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(rows: &[(&str, f64)]) -> Shares {
        Shares { seconds: rows.iter().map(|(name, time)| ((*name).to_owned(), *time)).collect() }
    }

    /// Two cases: one searches, one prints and counts five times as fast.
    fn cases() -> [Recorded; 2] {
        let case = |name: &str, rows: &[(&str, f64)], seconds, counts| Recorded {
            name: name.to_owned(),
            shares: shares(rows),
            seconds,
            counts,
            declared: 1.0,
        };
        [
            case("search", &[("t::find", 1.6), ("t::read", 0.4)], 2.0, 1000.0),
            case("print", &[("t::print", 0.9), ("t::read", 0.1)], 1.0, 2500.0),
        ]
    }

    #[test]
    fn a_mixture_of_the_cases_is_found_again() {
        // A quarter of the time searching, the rest printing.
        let production = shares(&[("t::find", 20.0), ("t::read", 12.5), ("t::print", 67.5)]);
        let fit = fit(&production, &cases()).unwrap();
        let times: Vec<f64> = fit.cases.iter().map(|case| case.time_after).collect();
        assert!((times[0] - 0.25).abs() < 1e-6 && (times[1] - 0.75).abs() < 1e-6, "{times:?}");
        assert!(fit.after.residual < 1e-6 && fit.after.overlap > 0.999, "{:?}", fit.after);
        // Equal counts were five times as much time for searching: 500 counts a second, not 2500.
        assert!((fit.cases[0].time_before - 5.0 / 6.0).abs() < 1e-9, "{:?}", fit.cases);
        assert!(fit.before.overlap < 0.5 && fit.before.residual > 0.5, "{:?}", fit.before);
        // And the way back: 0.25 × 500 counts against 0.75 × 2500.
        let weights = fit.weights();
        let ratio = weights["print"] / weights["search"];
        assert!((ratio - 15.0).abs() < 1e-3, "{ratio}");
        assert_eq!(fit.functions[0].name, "t::print");
        assert!(fit.text().contains("100.0 % fitted"), "{}", fit.text());
    }

    #[test]
    fn a_case_that_production_does_not_know_keeps_a_little() {
        let production = shares(&[("t::find", 80.0), ("t::read", 20.0)]);
        let fit = fit(&production, &cases()).unwrap();
        let time = fit.cases[1].time_after;
        assert!((time - LEAST_TIME / (1.0 + LEAST_TIME)).abs() < 1e-6, "{time}");
        assert!(fit.weights()["print"] > 0.0);
    }

    #[test]
    fn another_programs_profile_is_refused() {
        let refused = |rows| fit(&shares(rows), &cases()).unwrap_err();
        let other = refused(&[("runtime.mallocgc", 9.0), ("main.main", 1.0)]);
        assert_eq!(
            other,
            "is another program's, or one of the two has no line tables (debug = 1): \
             0.0 % of its time is in functions that the training cases have"
        );
        assert!(refused(&[("u::work", 9.0), ("t::read", 1.0)]).contains("10.0 %"));
        assert_eq!(refused(&[]), "holds no samples");
        let mut idle = cases();
        idle[1].shares = Shares::default();
        let production = shares(&[("t::find", 1.0)]);
        assert!(fit(&production, &idle).unwrap_err().contains("case print was too short"));
    }
}
