//! Whether a new profile is much poorer than the one it would replace. A training that silently
//! lost most of its runs still makes a sound profile; only the last accepted one tells. Functions
//! are compared by what stays of their names over versions and settings.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use anyhow::Result;

use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::profile::facts::Facts;
use crate::profile::manifest::{Manifest, Provenance};
use crate::profile::merge::{CaseProfile, Profile, Profiles};
use crate::profile::symbol::Symbol;
use crate::profile::{profdata, store};

/// Of the shares of all functions, so much must be common to both profiles.
const OVERLAP: f64 = 0.5;
/// The cases that both profiles have must still count this share of what they counted.
const COUNTS: f64 = 0.5;
/// This share of the functions that held `HOT` of the counts must still be among those that hold
/// `WARM` of them.
const HOT_KEPT: f64 = 0.6;
const HOT: f64 = 0.9;
const WARM: f64 = 0.999;
/// So many functions must run, compared with before.
const RAN: f64 = 0.7;

/// A new profile compared with the accepted one; each figure is 1 when nothing fell.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Decline {
    overlap: f64,
    /// Unknown without a case in common, or with somebody's own log files.
    counts: Option<f64>,
    hot: f64,
    ran: f64,
}

/// The parts of a profile that are compared.
struct Side<'a> {
    facts: &'a Facts,
    cases: &'a [CaseProfile],
    data_size: u64,
    corpus: bool,
}

/// Refuses profiles that fell far behind the published ones, unless that is `accepted`.
pub(crate) fn check(
    ctx: &Ctx,
    profile_dir: &Path,
    profiles: &Profiles,
    provenance: &Provenance<'_>,
    accepted: bool,
) -> Result<()> {
    let mut faults = Vec::new();
    for profile in &profiles.0 {
        let tool = &profile.tool;
        let (path, _) = store::paths(profile_dir, &provenance.identity.target, tool);
        if !path.exists() {
            eprintln!("   {tool}: its first profile, nothing to compare with");
            continue;
        }
        let (old_facts, old) = match store::read(profile_dir, &provenance.identity.target, tool) {
            Ok(old) => old,
            Err(error) => {
                eprintln!("   {tool}: the published profile is replaced unseen: {error:#}");
                continue;
            }
        };
        let facts = profdata::facts(ctx, provenance.toolchain, Fault::Quality, &profile.path)?;
        let decline =
            Decline::of(&side_of(&old_facts, &old), &side_now(&facts, profile, provenance));
        eprintln!("   {tool}: {}", decline.line());
        if let Some(fault) = decline.fault() {
            faults.push(format!("{tool}: {fault}"));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let all = faults.join("; ");
    if accepted {
        eprintln!("   accepted: {all}");
        return Ok(());
    }
    let text = format!(
        "the new profile fell far behind the published one: {all}; look at the cases with `cargo xtask pgo-show TOOL`, or publish it on purpose with --accept-drop"
    );
    Err(refuse(Fault::Quality, text))
}

fn side_of<'a>(facts: &'a Facts, manifest: &'a Manifest) -> Side<'a> {
    let corpus = manifest.seeds.values().any(Option::is_none);
    Side { facts, cases: &manifest.cases, data_size: manifest.data_size, corpus }
}

fn side_now<'a>(
    facts: &'a Facts,
    profile: &'a Profile,
    provenance: &'a Provenance<'_>,
) -> Side<'a> {
    let corpus = provenance.inputs.0.values().any(|input| input.seed.is_none());
    Side { facts, cases: &profile.cases, data_size: provenance.data_size, corpus }
}

impl Decline {
    fn of(old: &Side<'_>, new: &Side<'_>) -> Self {
        let (before, now) = (shares(old.facts), shares(new.facts));
        let overlap =
            before.iter().map(|(name, was)| was.min(now.get(name).copied().unwrap_or(0.0)));
        let warm = hot(&now, WARM);
        let hot = hot(&before, HOT);
        let kept = hot.iter().filter(|name| warm.contains(*name)).count();
        let ran = |facts: &Facts| facts.counted() as f64;
        Self {
            overlap: overlap.sum(),
            counts: counts(old, new),
            hot: kept as f64 / (hot.len() as f64).max(1.0),
            ran: ran(new.facts) / ran(old.facts).max(1.0),
        }
    }

    fn line(&self) -> String {
        let counts = self.counts.map_or("unknown".to_owned(), |counts| format!("{counts:.2} ×"));
        format!(
            "beside the published profile: counts {counts}, overlap {:.1} %, hot functions kept {:.1} %, functions that ran {:.2} ×",
            self.overlap * 100.0,
            self.hot * 100.0,
            self.ran
        )
    }

    fn fault(&self) -> Option<String> {
        let rules = [
            ("of the counts of the same cases are left", self.counts.unwrap_or(1.0), COUNTS),
            ("of the profile overlap", self.overlap, OVERLAP),
            ("of the hot functions are still hot", self.hot, HOT_KEPT),
            ("as many functions ran", self.ran, RAN),
        ];
        let broken: Vec<String> = rules
            .iter()
            .filter(|(_, found, limit)| found < limit)
            .map(|(what, found, limit)| {
                format!("only {:.1} % {what} (limit {:.0} %)", found * 100.0, limit * 100.0)
            })
            .collect();
        (!broken.is_empty()).then(|| broken.join(", "))
    }
}

/// Each function's share of all counts, by its neutral name.
fn shares(facts: &Facts) -> HashMap<String, f64> {
    let total = (facts.total() as f64).max(1.0);
    let mut shares = HashMap::new();
    for function in facts.functions.iter().filter(|function| function.count > 0) {
        let neutral = Symbol::read(&function.name).neutral;
        *shares.entry(neutral).or_insert(0.0) += function.count as f64 / total;
    }
    shares
}

/// The functions with the largest shares that together hold `part` of all counts.
fn hot(shares: &HashMap<String, f64>, part: f64) -> BTreeSet<&str> {
    let mut sorted: Vec<(&str, f64)> = shares.iter().map(|(name, s)| (name.as_str(), *s)).collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let mut sum = 0.0;
    let mut hot = BTreeSet::new();
    for (name, share) in sorted {
        if sum >= part {
            break;
        }
        sum += share;
        hot.insert(name);
    }
    hot
}

/// What the cases in common count per run, as a multiple of what they counted. Smaller inputs may
/// count less in proportion; larger ones need not count more, because a case may not read any.
fn counts(old: &Side<'_>, new: &Side<'_>) -> Option<f64> {
    if old.corpus || new.corpus {
        return None;
    }
    let per_run = |case: &CaseProfile| case.total as f64 / f64::from(case.training.runs.max(1));
    let (mut was, mut is) = (0.0, 0.0);
    for case in old.cases {
        let same = new.cases.iter().find(|new| new.training.name == case.training.name);
        let Some(same) = same else { continue };
        was += per_run(case);
        is += per_run(same);
    }
    let smaller = (new.data_size as f64 / (old.data_size as f64).max(1.0)).min(1.0);
    (was > 0.0).then(|| is / (was * smaller))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::collect::CaseTraining;
    use expect_test::{Expect, expect};

    /// The functions `a` to `e` of a crate with this disambiguator, with these counts.
    fn facts(crate_hash: &str, counts: [u64; 5]) -> Facts {
        let function = |(name, count): (&str, u64)| {
            format!("_RNvC{crate_hash}_4dcat1{name}\n1\n1\n{count}\n\n")
        };
        let text: String =
            ["a", "b", "c", "d", "e"].into_iter().zip(counts).map(function).collect();
        Facts::parse(&format!(":ir\n{text}")).unwrap()
    }

    fn case(name: &str, runs: u32, total: u64) -> CaseProfile {
        let training = CaseTraining {
            name: name.to_owned(),
            weight: 1.0,
            args: vec![],
            exit: vec![0],
            runs,
            retries: 0,
            wall_s: 1.0,
            slowdown: 1.0,
            output_bytes: 0,
            raw: vec![],
        };
        CaseProfile { training, counted: 1, total, merge_weight: 1 }
    }

    #[track_caller]
    fn check(old: &Side<'_>, new: &Side<'_>, expected: &Expect) {
        let decline = Decline::of(old, new);
        let fault = decline.fault().unwrap_or("accepted".to_owned());
        expected.assert_eq(&format!("{}: {fault}", decline.line()));
    }

    fn side<'a>(facts: &'a Facts, cases: &'a [CaseProfile], data_size: u64) -> Side<'a> {
        Side { facts, cases, data_size, corpus: false }
    }

    #[test]
    fn the_same_training_of_another_version_is_no_decline() {
        let (old, new) = (facts("s1", [50, 30, 15, 5, 0]), facts("s22", [52, 29, 14, 5, 0]));
        // More iterations, larger inputs, and a case that was not there before.
        let before = [case("x", 1, 100)];
        let now = [case("x", 3, 600), case("y", 1, 5)];
        check(
            &side(&old, &before, 1000),
            &side(&new, &now, 2000),
            &expect![
                "beside the published profile: counts 2.00 ×, overlap 98.0 %, hot functions kept 100.0 %, functions that ran 1.00 ×: accepted"
            ],
        );
        // Inputs of a tenth may count a tenth.
        check(
            &side(&old, &before, 1000),
            &side(&new, &[case("x", 1, 10)], 100),
            &expect![
                "beside the published profile: counts 1.00 ×, overlap 98.0 %, hot functions kept 100.0 %, functions that ran 1.00 ×: accepted"
            ],
        );
    }

    #[test]
    fn a_profile_with_a_sixth_of_its_counts_is_refused() {
        let facts = facts("s1", [50, 30, 15, 5, 0]);
        check(
            &side(&facts, &[case("x", 3, 300), case("y", 1, 100)], 1000),
            &side(&facts, &[case("x", 3, 48), case("y", 1, 16)], 1000),
            &expect![
                "beside the published profile: counts 0.16 ×, overlap 100.0 %, hot functions kept 100.0 %, functions that ran 1.00 ×: only 16.0 % of the counts of the same cases are left (limit 50 %)"
            ],
        );
    }

    #[test]
    fn a_profile_of_other_work_is_refused() {
        let (old, new) = (facts("s1", [50, 30, 15, 5, 0]), facts("s1", [10, 0, 0, 0, 90]));
        check(
            &side(&old, &[], 1000),
            &side(&new, &[], 1000),
            &expect![
                "beside the published profile: counts unknown, overlap 10.0 %, hot functions kept 33.3 %, functions that ran 0.50 ×: only 10.0 % of the profile overlap (limit 50 %), only 33.3 % of the hot functions are still hot (limit 60 %), only 50.0 % as many functions ran (limit 70 %)"
            ],
        );
    }
}
