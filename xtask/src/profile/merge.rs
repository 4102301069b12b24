//! From raw profiles to merged ones: per case, then per tool with the cases' weights, then, for
//! one build of the whole family, over the tools. Refuses whatever was not trained.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::ctx::{Artefact, Ctx};
use crate::digest;
use crate::fault::{Fault, refuse};
use crate::profile::collect::{CaseTraining, ToolTraining, Training};
use crate::profile::facts::{Facts, Key, demangle};
use crate::profile::profdata;
use crate::profile::share::{self, Share};
use crate::progress::Progress;
use crate::toolchain::Toolchain;
use crate::workload::{Workload, Workloads};

/// Weights are whole numbers; this is the smallest of them, so that their ratios are kept to
/// better than one percent.
const SMALLEST_WEIGHT: f64 = 256.0;
/// The hot set of a manifest covers this share of all counts.
const HOT_SHARE: f64 = 0.99;
/// And lists at most this many functions.
const HOT_LIMIT: usize = 200;

/// A merged profile that was found to be trained. Only `merge` and `store` make one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) tool: String,
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
    pub(crate) functions: usize,
    pub(crate) counted: usize,
    pub(crate) total: u64,
    pub(crate) hot: Vec<Hot>,
    pub(crate) cases: Vec<CaseProfile>,
}

/// A function of the hot set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hot {
    pub(crate) function: String,
    /// Its share of all counts, 0 to 1.
    pub(crate) share: f64,
}

/// A case's part in a profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CaseProfile {
    #[serde(flatten)]
    pub(crate) training: CaseTraining,
    pub(crate) counted: usize,
    pub(crate) total: u64,
    /// The factor its counts were merged with.
    pub(crate) merge_weight: u64,
}

/// The profiles of all tools.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Profiles(pub(crate) Vec<Profile>);

impl Artefact for Profiles {
    fn verify(&self) -> Result<()> {
        for profile in &self.0 {
            anyhow::ensure!(
                digest::of_file(&profile.path)? == profile.sha256,
                "{} has changed",
                profile.path.display()
            );
        }
        Ok(())
    }
}

/// Merges what training collected, tool by tool.
pub(crate) fn merge(
    ctx: &Ctx,
    toolchain: &Toolchain,
    workloads: &Workloads,
    training: &Training,
) -> Result<Profiles> {
    let steps = training.tools.iter().map(|tool| tool.cases.len() as u64).sum();
    let mut progress = Progress::new("merge", steps);
    let one = |training: &ToolTraining| {
        let workload = workloads.tools.iter().find(|workload| workload.tool == training.tool);
        let workload = workload.with_context(|| format!("no workload for {}", training.tool))?;
        merge_tool(ctx, toolchain, workload, training, &mut progress)
    };
    Ok(Profiles(training.tools.iter().map(one).collect::<Result<_>>()?))
}

fn merge_tool(
    ctx: &Ctx,
    toolchain: &Toolchain,
    workload: &Workload,
    training: &ToolTraining,
    progress: &mut Progress,
) -> Result<Profile> {
    let tool = &training.tool;
    let keys = profdata::facts(ctx, toolchain, Fault::Training, &training.probe)?.keys();
    let dir = ctx.out_dir.join("profiles");
    let mut merged = Vec::new();
    for case in &training.cases {
        progress.say(&format!("{tool} {}", case.name));
        let path = dir.join("cases").join(format!("{tool}.{}.profdata", case.name));
        let facts = merge_case(ctx, toolchain, tool, case, &keys, &path)?;
        let rules = workload.case(&case.name)?;
        judge(
            workload,
            &format!("{tool}, case {}", case.name),
            &facts,
            &rules.max_share,
            &rules.expect_hot,
        )?;
        merged.push((case, path, facts));
        progress.step();
    }
    let shares: Vec<_> =
        merged.iter().map(|(case, _, facts)| (case.weight, facts.total())).collect();
    let weights = weights(&shares);
    let inputs: Vec<_> =
        weights.iter().copied().zip(merged.iter().map(|(_, path, _)| path.clone())).collect();
    let path = dir.join(format!("{tool}.profdata"));
    profdata::merge_weighted(ctx, toolchain, Fault::Training, &inputs, &path)?;
    // By way of the text form, which is what is stored: a build from the stored profile then has
    // the same bytes to start from.
    let text = profdata::text(ctx, toolchain, Fault::Quality, &path)?;
    profdata::encode(ctx, toolchain, Fault::Quality, &text, &path)?;
    let facts = profdata::facts(ctx, toolchain, Fault::Quality, &path)?;
    judge(workload, tool, &facts, &workload.max_share, &workload.expect_hot)?;
    let cases = merged.into_iter().zip(weights).map(|((case, _, facts), merge_weight)| {
        let (counted, total) = (facts.counted(), facts.total());
        CaseProfile { training: case.clone(), counted, total, merge_weight }
    });
    describe(tool, path, &facts, cases.collect())
}

/// Merges the raw profiles of one case into `path`; all must be the program's that has `keys`.
fn merge_case(
    ctx: &Ctx,
    toolchain: &Toolchain,
    tool: &str,
    case: &CaseTraining,
    keys: &BTreeSet<Key>,
    path: &Path,
) -> Result<Facts> {
    for raw in &case.raw {
        // Each file by itself, because llvm-profdata takes an empty one without a word.
        if std::fs::metadata(raw)?.len() == 0 {
            return Err(refuse(
                Fault::Training,
                format!(
                    "{}: the profile is empty (0 bytes); run again with --from train",
                    raw.display()
                ),
            ));
        }
    }
    profdata::run(ctx, Fault::Training, path, |output| {
        profdata::merge_command(ctx, &toolchain.profdata, &case.raw, output)
    })?;
    let facts = profdata::facts(ctx, toolchain, Fault::Training, path)?;
    if let Some(fault) = facts.trained_on(keys) {
        return Err(refuse(
            Fault::Training,
            format!("{tool}, case {}: the profile is refused: {fault}", case.name),
        ));
    }
    Ok(facts)
}

/// Refuses a profile that the workload's rules about shares forbid.
fn judge(
    workload: &Workload,
    whose: &str,
    facts: &Facts,
    max_share: &[Share],
    expect_hot: &[Share],
) -> Result<()> {
    let file = format!("workloads/{}.toml", workload.tool);
    match share::fault(whose, &file, facts, max_share, expect_hot) {
        Some(fault) => Err(refuse(Fault::Quality, fault)),
        None => Ok(()),
    }
}

/// The last word on a merged profile: it has counts, and some of the tool's own code ran.
pub(crate) fn describe(
    tool: &str,
    path: PathBuf,
    facts: &Facts,
    cases: Vec<CaseProfile>,
) -> Result<Profile> {
    if let Some(fault) = facts.trained_by(tool) {
        return Err(refuse(Fault::Quality, format!("{}: {fault}", path.display())));
    }
    let total = facts.total();
    let hot = facts.hot(HOT_SHARE).into_iter().take(HOT_LIMIT).map(|function| Hot {
        function: demangle(&function.name),
        share: (function.count as f64 / total as f64 * 1e6).round() / 1e6,
    });
    Ok(Profile {
        tool: tool.to_owned(),
        sha256: digest::of_file(&path)?,
        path,
        functions: facts.functions.len(),
        counted: facts.counted(),
        total,
        hot: hot.collect(),
        cases,
    })
}

/// Where the family's profile is made.
pub(crate) fn family_path(ctx: &Ctx) -> PathBuf {
    ctx.out_dir.join("profiles/family.profdata")
}

/// One profile for one build of all tools, each tool with the same share of the counts.
pub(crate) fn family(ctx: &Ctx, toolchain: &Toolchain, profiles: &[&Profile]) -> Result<PathBuf> {
    let path = family_path(ctx);
    let shares: Vec<_> = profiles.iter().map(|profile| (1.0, profile.total)).collect();
    let paths = profiles.iter().map(|profile| profile.path.clone());
    let inputs: Vec<_> = weights(&shares).into_iter().zip(paths).collect();
    profdata::merge_weighted(ctx, toolchain, Fault::Quality, &inputs, &path)?;
    let facts = profdata::facts(ctx, toolchain, Fault::Quality, &path)?;
    if let Some(fault) = facts.fault() {
        return Err(refuse(Fault::Quality, format!("{}: {fault}", path.display())));
    }
    Ok(path)
}

/// Whole-number merge weights such that (total × weight) is in proportion to the wanted shares:
/// otherwise the case that counts most decides the profile, and merging sums counts.
fn weights(shares: &[(f64, u64)]) -> Vec<u64> {
    let wanted: Vec<f64> =
        shares.iter().map(|(share, total)| share / (*total as f64).max(1.0)).collect();
    let smallest = wanted.iter().copied().fold(f64::INFINITY, f64::min);
    // The largest total gets the smallest weight, which must still resolve ratios well.
    let scale = SMALLEST_WEIGHT / smallest;
    wanted.iter().map(|weight| ((weight * scale).round() as u64).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shares: &[(f64, u64)], expected: &[u64]) {
        assert_eq!(weights(shares), expected);
    }

    #[test]
    fn weights_level_totals_and_keep_wanted_shares() {
        check(&[(1.0, 1000), (1.0, 1000)], &[256, 256]);
        check(&[(1.0, 4000), (1.0, 1000)], &[256, 1024]);
        check(&[(1.0, 1000), (3.0, 1000)], &[256, 768]);
        check(&[(1.0, 3), (1.0, 2)], &[256, 384]);
    }
}
