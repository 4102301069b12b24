//! `--sampled` and windows: which instrumented programs are built, and what counting in bursts costs
//! beside counting always. It merges nothing.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::atomic;
use crate::cargo::{self, Bins, Selection};
use crate::compare::statistics::median;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::flags::{self, Flavour};
use crate::profile::collect::windowed_name;
use crate::progress::Progress;
use crate::recipe::plan::Plan;
use crate::report::table::Table;
use crate::workload::case::{Job, Scene};
use crate::workload::window::Window;
use crate::workload::{Kind, Workloads};

/// Runs of each case with each program.
const ROUNDS: usize = 3;

/// The flavour that is trained with.
pub(crate) fn flavour(sampled: bool) -> Flavour {
    if sampled { Flavour::Sampled } else { Flavour::Instrumented }
}

/// The tools with a case that trains on a window.
pub(crate) fn windowed_tools(workloads: &Workloads) -> Vec<String> {
    let has_window = |case: &&crate::workload::Case| case.window == Window::Steady;
    let tools = workloads.tools.iter();
    let tools = tools.filter(|tool| tool.cases(Kind::Train).any(|case| has_window(&case)));
    tools.map(|tool| tool.tool.clone()).collect()
}

/// Builds what is trained with: for windows also the programs whose running counts are on disk.
pub(crate) fn instrumented(
    ctx: &Ctx,
    selection: &Selection,
    workloads: &Workloads,
    sampled: bool,
) -> Result<Bins> {
    let mut all = cargo::build(ctx, selection, &flavour(sampled))?;
    let bins = windowed_tools(workloads);
    if !bins.is_empty() {
        let windowed = Selection { bins, ..selection.clone() };
        for mut bin in cargo::build(ctx, &windowed, &Flavour::Windowed)?.bins {
            bin.tool = windowed_name(&bin.tool);
            all.bins.push(bin);
        }
    }
    Ok(all)
}

/// What training costs: wall time of a case relative to the plain program's.
#[derive(Debug, Serialize)]
struct Cost {
    tool: String,
    case: String,
    plain_s: f64,
    /// Counting always.
    full: f64,
    /// Counting in bursts.
    sampled: f64,
}

/// With `--sampled`, measures every training case with all three programs, and prints how much
/// slower they are.
pub(crate) fn cost(
    ctx: &Ctx,
    plan: &Plan,
    selection: &Selection,
    workloads: &Workloads,
    scene: Scene<'_>,
    baseline: &Bins,
    sampled: &Bins,
) -> Result<()> {
    if !plan.data.sampled {
        return Ok(());
    }
    ctx.stage("sampled", || {
        let full = cargo::build(ctx, selection, &Flavour::Instrumented)?;
        let costs = measured(ctx, workloads, scene, [baseline, &full, sampled])?;
        atomic::write_json(&ctx.out_dir.join("sampled.json"), &costs)?;
        println!("{}", text(&costs));
        Ok(())
    })
}

/// The arms are the plain program, the one that counts always, the one that counts in bursts.
fn measured(
    ctx: &Ctx,
    workloads: &Workloads,
    scene: Scene<'_>,
    arms: [&Bins; 3],
) -> Result<Vec<Cost>> {
    let cases = || {
        workloads
            .tools
            .iter()
            .flat_map(|tool| tool.cases(Kind::Train).map(move |case| (tool, case)))
    };
    let mut progress = Progress::new("sampled", (cases().count() * ROUNDS) as u64);
    let raw_dir = ctx.out_dir.join("raw-cost");
    atomic::fresh_dir(&raw_dir)?;
    let mut costs = Vec::new();
    for (tool, case) in cases() {
        progress.say(&format!("{} {}", tool.tool, case.name));
        // A window is trained with another program.
        let mut whole = case.clone();
        whole.window = Window::Whole;
        let job = Job { ctx, tool: &tool.tool, case: &whole, scene };
        let mut times = [const { Vec::new() }; 3];
        for round in 0..ROUNDS {
            // Another one comes first each time.
            for arm in (0..arms.len()).map(|arm| (arm + round) % arms.len()) {
                let program = &arms[arm].of(&tool.tool)?.path;
                times[arm].push(run(&job, program, (arm > 0).then_some(&*raw_dir))?);
            }
            progress.step();
        }
        let [plain, full, sampled] = times.map(|times| median(&times).max(1e-6));
        costs.push(Cost {
            tool: tool.tool.clone(),
            case: case.name.clone(),
            plain_s: plain,
            full: full / plain,
            sampled: sampled / plain,
        });
    }
    std::fs::remove_dir_all(&raw_dir)?;
    Ok(costs)
}

fn run(job: &Job<'_>, program: &Path, raw_dir: Option<&Path>) -> Result<f64> {
    let pattern = raw_dir.map(|dir| flags::raw_profile_pattern(dir, "cost"));
    let outcome = job.run(program, pattern.as_deref())?;
    match outcome.fault(job.case) {
        Some(fault) => {
            let text =
                format!("{}, case {}: {} {fault}", job.tool, job.case.name, program.display());
            Err(refuse(Fault::Training, text))
        }
        None => Ok(outcome.wall.as_secs_f64()),
    }
}

fn text(costs: &[Cost]) -> String {
    let mut table = Table::new(&["tool", "case", "plain", "counting", "in bursts"]);
    let times = |factor: f64| format!("× {factor:.2}");
    for Cost { tool, case, plain_s, full, sampled } in costs {
        let plain = format!("{:.0} ms", plain_s * 1e3);
        table.row([tool.clone(), case.clone(), plain, times(*full), times(*sampled)]);
    }
    let mean = |of: fn(&Cost) -> f64| {
        let sum: f64 = costs.iter().map(|cost| of(cost).ln()).sum();
        times((sum / costs.len().max(1) as f64).exp())
    };
    let (full, sampled) = (mean(|cost| cost.full), mean(|cost| cost.sampled));
    table.row(["all".to_owned(), "geometric mean".to_owned(), String::new(), full, sampled]);
    table.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload;

    #[test]
    fn the_table_has_a_mean() {
        let cost = |full, sampled| Cost {
            tool: "t".to_owned(),
            case: "c".to_owned(),
            plain_s: 0.1,
            full,
            sampled,
        };
        let text = text(&[cost(2.0, 1.0), cost(8.0, 1.0)]);
        let mean = text.lines().last().unwrap();
        assert!(text.contains("100 ms") && mean.contains("× 4.00"), "{text}");
        assert!(mean.ends_with("× 1.00"), "{text}");
    }

    #[test]
    fn a_window_asks_for_a_program_of_its_own() {
        let root = crate::recipe::plan::own_root();
        let mut all = workload::load(root, &[], false).unwrap();
        all.tools
            .iter_mut()
            .flat_map(|tool| &mut tool.cases)
            .for_each(|case| case.window = Window::Whole);
        assert!(windowed_tools(&all).is_empty());
        let server = all.tools.iter_mut().find(|tool| tool.tool == "dserver").unwrap();
        server.cases[0].window = Window::Steady;
        assert_eq!(windowed_tools(&all), ["dserver"]);
        assert_eq!(flavour(false).name(), "instrumented");
        assert_eq!(flavour(true).name(), "sampled");
    }
}
