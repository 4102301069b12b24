//! `pgo-matrix`: builds every tool with the profile of each tool and with the family's, measures
//! all of them in the same rounds, and says whether one profile for all is good enough.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::cargo::{self, Bin, Bins, Selection};
use crate::compare::rounds::{self, CaseRuns, SEED, Setup};
use crate::compare::statistics::{Estimate, Verdict, geometric_mean, log_ratios};
use crate::ctx::Ctx;
use crate::flags::Flavour;
use crate::profile::manifest::Provenance;
use crate::profile::merge;
use crate::recipe::pgo::Trained;
use crate::recipe::plan::Plan;
use crate::report::machine::Machine;
use crate::report::matrix::{self, Cell, Choice, Matrix, Row};
use crate::workload::case::Scene;
use crate::workload::fixture::Companions;
use crate::{atomic, digest};

/// The row of the profile that is merged from those of all tools.
const FAMILY: &str = "family";

/// The programs of one row.
struct Built {
    trained_on: String,
    all_tools_s: f64,
    own_tool_s: Option<f64>,
    bins: Bins,
}

/// Fills in the matrix and writes `matrix.json` and `matrix.md`.
pub(crate) fn matrix(
    ctx: &Ctx,
    plan: &Plan,
    selection: &Selection,
    provenance: &Provenance<'_>,
    trained: &Trained,
) -> Result<()> {
    let Provenance { toolchain, workloads, inputs, .. } = provenance;
    let built = ctx.stage("build-rows", || rows(ctx, selection, provenance, trained))?;
    let companions = Companions::of(&trained.baseline);
    let setup = Setup {
        ctx,
        hyperfine: toolchain.hyperfine.as_ref().context("preflight found no hyperfine")?,
        workloads,
        scene: Scene { inputs, servers: &workloads.servers, companions: &companions },
        rounds: plan.rounds,
        max_rounds: plan.rounds,
        names: ("baseline", FAMILY),
        times: "hyperfine-matrix",
    };
    let candidates: Vec<(&str, &Bins)> =
        built.iter().map(|row| (row.trained_on.as_str(), &row.bins)).collect();
    let runs = ctx.stage("compare", || rounds::contest(&setup, &trained.baseline, &candidates))?;
    let tools: Vec<&str> = workloads.tools.iter().map(|tool| tool.tool.as_str()).collect();
    let cells = |arm: usize, bins: &Bins| -> Result<Vec<Cell>> {
        tools.iter().map(|tool| cell(&runs, tool, arm, bins, &trained.baseline)).collect()
    };
    let placebo = cells(1, &trained.baseline)?;
    let own_beside_family = choices(&built, &runs, &placebo);
    let (decision, why) = decide(&built, &own_beside_family);
    let mut rows = Vec::new();
    for (index, row) in built.iter().enumerate() {
        rows.push(Row {
            trained_on: row.trained_on.clone(),
            all_tools_s: row.all_tools_s,
            own_tool_s: row.own_tool_s,
            cells: cells(index + 2, &row.bins)?,
        });
    }
    let matrix = Matrix {
        schema: matrix::SCHEMA,
        command: plan.command_line(),
        commit: provenance.source.commit.clone(),
        machine: Machine::now(),
        compiler: toolchain.compiler.clone(),
        cargo_profile: selection.cargo_profile.clone(),
        data_size: plan.data.data_size,
        iterations: plan.data.iterations,
        rounds: plan.rounds,
        seed: SEED,
        hyperfine: setup.hyperfine.version.clone(),
        placebo,
        rows,
        own_beside_family,
        decision,
        why,
    };
    publish(ctx, &matrix)
}

fn publish(ctx: &Ctx, matrix: &Matrix) -> Result<()> {
    let (json, text) = (ctx.out_dir.join("matrix.json"), ctx.out_dir.join("matrix.md"));
    atomic::write_json(&json, matrix)?;
    atomic::write(&text, matrix::markdown(matrix).as_bytes())?;
    for table in [matrix::gains(matrix), matrix::costs(matrix), matrix::choices(matrix)] {
        eprintln!("\n{}", table.text());
    }
    eprintln!("{}: {}", matrix.decision, matrix.why);
    eprintln!("matrix: {} and {}", text.display(), json.display());
    Ok(())
}

/// One build per row. The profile is copied to one place, where its new time stamp makes cargo
/// build everything that it applies to: so build times are true, and no row needs more disk.
fn rows(
    ctx: &Ctx,
    selection: &Selection,
    provenance: &Provenance<'_>,
    trained: &Trained,
) -> Result<Vec<Built>> {
    let profiles: Vec<_> = trained.profiles.0.iter().collect();
    let family = merge::family(ctx, provenance.toolchain, &profiles)?;
    let mut sources: Vec<(String, &Path)> =
        profiles.iter().map(|profile| (profile.tool.clone(), profile.path.as_path())).collect();
    sources.push((FAMILY.to_owned(), &family));
    let tried = tried(ctx);
    let mut rows = Vec::new();
    for (name, profile) in sources {
        eprintln!("   row {name}");
        atomic::write(&tried, &std::fs::read(profile)?)?;
        let flavour = Flavour::Trial(tried.clone());
        let started = Instant::now();
        let own = selection.bins.contains(&name);
        if own {
            let one = Selection { bins: vec![name.clone()], ..selection.clone() };
            cargo::build(ctx, &one, &flavour)?;
        }
        let own_tool_s = own.then(|| started.elapsed().as_secs_f64());
        let bins = cargo::build(ctx, selection, &flavour)?;
        let all_tools_s = started.elapsed().as_secs_f64();
        let bins = put_aside(&bins, &ctx.out_dir.join("matrix").join(&name))?;
        rows.push(Built { trained_on: name, all_tools_s, own_tool_s, bins });
    }
    Ok(rows)
}

/// Where the profile of the row that is being built is put.
pub(crate) fn tried(ctx: &Ctx) -> PathBuf {
    ctx.out_dir.join("matrix/tried.profdata")
}

/// Copies the programs: the next row's build overwrites them.
fn put_aside(bins: &Bins, folder: &Path) -> Result<Bins> {
    atomic::fresh_dir(folder)?;
    let copy = |bin: &Bin| -> Result<Bin> {
        let path = folder.join(&bin.tool);
        std::fs::copy(&bin.path, &path)
            .with_context(|| format!("cannot copy {}", bin.path.display()))?;
        Ok(Bin { sha256: digest::of_file(&path)?, path, ..bin.clone() })
    };
    let copies = bins.bins.iter().map(copy).collect::<Result<_>>()?;
    Ok(Bins { rustflags: bins.rustflags.clone(), bins: copies })
}

/// The mean over a tool's cases of one arm's time relative to another's.
fn mean(runs: &[CaseRuns], tool: &str, arm: usize, to: usize) -> Estimate {
    let of_tool = runs.iter().filter(|run| run.tool == tool);
    let ratios: Vec<_> = of_tool.map(|run| log_ratios(&run.arms[arm], &run.arms[to])).collect();
    geometric_mean(&ratios, SEED)
}

fn cell(runs: &[CaseRuns], tool: &str, arm: usize, bins: &Bins, baseline: &Bins) -> Result<Cell> {
    Ok(Cell {
        measured_on: tool.to_owned(),
        time: mean(runs, tool, arm, 0),
        bytes: bins.of(tool)?.bytes,
        baseline_bytes: baseline.of(tool)?.bytes,
    })
}

/// Each tool's own profile beside the family's: pairs of the same rounds, so what slows all arms
/// cancels.
fn choices(built: &[Built], runs: &[CaseRuns], placebo: &[Cell]) -> Vec<Choice> {
    let family = built.iter().position(|row| row.trained_on == FAMILY);
    let own = |tool: &str| built.iter().position(|row| row.trained_on == tool);
    let choice = |placebo: &Cell| {
        let tool = &placebo.measured_on;
        let time = mean(runs, tool, own(tool)? + 2, family? + 2);
        let verdict = Verdict::of(&time, &placebo.time);
        Some(Choice { tool: tool.clone(), time, verdict })
    };
    placebo.iter().filter_map(choice).collect()
}

/// Per tool only where that gains beyond doubt: it costs a build for each of them.
fn decide(built: &[Built], choices: &[Choice]) -> (&'static str, String) {
    let family = built.iter().find(|row| row.trained_on == FAMILY);
    let family_s = family.map_or(0.0, |row| row.all_tools_s);
    let own_s: f64 = built.iter().filter_map(|row| row.own_tool_s).sum();
    let builds = format!("one build of {family_s:.0} s instead of {own_s:.0} s for one per tool");
    let named = |verdict: Verdict| -> Vec<&str> {
        let of = choices.iter().filter(|choice| choice.verdict == verdict);
        of.map(|choice| choice.tool.as_str()).collect()
    };
    let faster = named(Verdict::Faster);
    if faster.is_empty() {
        let unclear = named(Verdict::Inconclusive);
        let unclear = match unclear.is_empty() {
            true => String::new(),
            false => format!(" (inconclusive: {})", unclear.join(", ")),
        };
        let why = format!("no tool is surely faster with a profile of its own{unclear}; {builds}");
        return ("family", why);
    }
    let why = format!("surely faster with a profile of their own: {}; {builds}", faster.join(", "));
    ("per tool", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(name: &str, own: bool) -> Built {
        Built {
            trained_on: name.to_owned(),
            all_tools_s: 10.0,
            own_tool_s: own.then_some(6.0),
            bins: Bins { rustflags: Vec::new(), bins: Vec::new() },
        }
    }

    /// Twenty rounds of arms that take these multiples of a time that drifts.
    fn case(tool: &str, arms: &[f64]) -> CaseRuns {
        let drift: Vec<f64> = (0..20).map(|round| 1.0 + f64::from(round) * 0.01).collect();
        let arm = |factor: &f64| drift.iter().map(|time| time * factor).collect();
        CaseRuns { tool: tool.to_owned(), arms: arms.iter().map(arm).collect() }
    }

    #[track_caller]
    fn check(arms_of_a: &[f64], decision: &str, why: &str) {
        let rows = [built("a", true), built("b", true), built(FAMILY, false)];
        let runs = [case("a", arms_of_a), case("b", &[1.0, 1.0, 0.99, 0.8, 0.8])];
        let placebo = ["a", "b"].map(|tool| Cell {
            measured_on: tool.to_owned(),
            time: mean(&runs, tool, 1, 0),
            bytes: 1,
            baseline_bytes: 1,
        });
        let choices = choices(&rows, &runs, &placebo);
        let (made, reason) = decide(&rows, &choices);
        assert_eq!((made, reason.as_str()), (decision, why));
    }

    /// The arms: baseline, placebo, trained on a, trained on b, trained on both.
    #[test]
    fn a_family_is_chosen_unless_somebody_surely_loses_by_it() {
        let builds = "one build of 10 s instead of 12 s for one per tool";
        let none = "no tool is surely faster with a profile of its own";
        check(&[1.0, 1.0, 0.7, 1.0, 0.7], "family", &format!("{none}; {builds}"));
        check(&[1.0, 1.0, 0.7, 1.0, 0.704], "family", &format!("{none}; {builds}"));
        check(
            &[1.0, 1.0, 0.7, 1.0, 0.75],
            "per tool",
            &format!("surely faster with a profile of their own: a; {builds}"),
        );
        // A placebo that differs by ten percent lets nobody conclude anything.
        check(
            &[1.0, 1.1, 0.7, 1.0, 0.75],
            "family",
            &format!("{none} (inconclusive: a); {builds}"),
        );
    }
}
