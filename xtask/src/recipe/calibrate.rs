//! `--from-pprof`: records every training case of one tool, solves for the mixture that resembles a
//! CPU profile of production, and hands its weights to the merge. It trains nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::atomic;
use crate::calibrate::fetch;
use crate::calibrate::fit::{self, Fit, Recorded};
use crate::calibrate::shares::Shares;
use crate::cargo::{self, Bins, Selection};
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::flags::Flavour;
use crate::profile::collect::{CaseTraining, ToolTraining, Training};
use crate::profile::profdata;
use crate::progress::Progress;
use crate::recipe::plan::Plan;
use crate::toolchain::Toolchain;
use crate::workload::case::{Job, Scene};
use crate::workload::{Case, Kind, Workload, Workloads};

/// The program that reads profiles, and how it is built: it is no subject of the pipeline.
const READER: &str = "dprofile";
const READER_PROFILE: &str = "dist-quick";
/// CPU time that is recorded of each case, at 100 samples per second.
const ENOUGH: f64 = 2.0;
/// Runs of a case that give up on that.
const MOST_RUNS: u32 = 60;

/// The training with the weights that production asks for; unchanged without `--from-pprof`.
pub(crate) fn weighted(
    ctx: &Ctx,
    plan: &Plan,
    toolchain: &Toolchain,
    workloads: &Workloads,
    scene: Scene<'_>,
    baseline: &Bins,
    training: Training,
) -> Result<Training> {
    let Some(source) = &plan.from_pprof else { return Ok(training) };
    let workload = subject(workloads)?;
    ctx.stage("calibrate", || {
        let file = fetch::production(source, &ctx.out_dir.join("production.prof"))?;
        let reader = reader(ctx, toolchain)?;
        // Before anything long: it may be no CPU profile at all.
        let production = shares(ctx, &reader, &file)?;
        let of_tool = of_tool(&training, &workload.tool)?;
        let calibration = Calibration { ctx, toolchain, scene, baseline, reader: &reader };
        let recorded = calibration.record(workload, of_tool)?;
        let fit = fit::fit(&production, &recorded).map_err(|clause| {
            let text = format!("{source}, as a profile of {}, {clause}", workload.tool);
            refuse(Fault::Quality, text)
        })?;
        let path = ctx.out_dir.join("calibration.json");
        atomic::write_json(&path, &fit)?;
        println!("{}", fit.text());
        eprintln!("   the whole fit is in {}", path.display());
        Ok(reweighted(training, &workload.tool, &fit))
    })
}

/// A profile is one program's.
pub(crate) fn subject(workloads: &Workloads) -> Result<&Workload> {
    match workloads.tools.as_slice() {
        [workload] => Ok(workload),
        _ => Err(refuse(
            Fault::Usage,
            "--from-pprof calibrates one tool; name it: cargo xtask pgo-generate dserver --from-pprof …",
        )),
    }
}

fn of_tool<'a>(training: &'a Training, tool: &str) -> Result<&'a ToolTraining> {
    let found = training.tools.iter().find(|it| it.tool == tool);
    found.with_context(|| format!("{tool} was not trained; run again without --from"))
}

fn reweighted(mut training: Training, tool: &str, fit: &Fit) -> Training {
    let weights = fit.weights();
    let tools = training.tools.iter_mut().filter(|it| it.tool == tool);
    for case in tools.flat_map(|it| &mut it.cases) {
        case.weight = weights.get(case.name.as_str()).copied().unwrap_or(case.weight);
    }
    training
}

fn reader(ctx: &Ctx, toolchain: &Toolchain) -> Result<PathBuf> {
    let selection = Selection {
        packages: vec![READER.to_owned()],
        bins: vec![READER.to_owned()],
        multicall: BTreeMap::new(),
        target: toolchain.compiler.host.clone(),
        cargo_profile: READER_PROFILE.to_owned(),
    };
    Ok(cargo::build(ctx, &selection, &Flavour::Baseline)?.of(READER)?.path.clone())
}

fn shares(ctx: &Ctx, reader: &Path, file: &Path) -> Result<Shares> {
    let name = file.display().to_string();
    let refused = |error: anyhow::Error| refuse(Fault::Quality, format!("{name}: {error:#}"));
    let text = ctx.ask(reader, &["top", "-n", "0", "--json", &name]).map_err(refused)?;
    Shares::of_dprofile(&text).map_err(refused)
}

struct Calibration<'a> {
    ctx: &'a Ctx,
    toolchain: &'a Toolchain,
    scene: Scene<'a>,
    baseline: &'a Bins,
    reader: &'a Path,
}

impl Calibration<'_> {
    fn record(&self, workload: &Workload, training: &ToolTraining) -> Result<Vec<Recorded>> {
        let count = workload.cases(Kind::Train).count() as u64;
        let mut progress = Progress::new("calibrate", count);
        let mut recorded = Vec::new();
        for case in workload.cases(Kind::Train) {
            progress.say(&format!("{} {}", workload.tool, case.name));
            let trained = training.cases.iter().find(|it| it.name == case.name);
            let trained = trained.with_context(|| format!("case {} was not trained", case.name))?;
            recorded.push(self.one(workload, case, trained)?);
            progress.step();
        }
        Ok(recorded)
    }

    /// Runs the case until there are samples enough.
    fn one(&self, workload: &Workload, case: &Case, trained: &CaseTraining) -> Result<Recorded> {
        let folder = self.ctx.out_dir.join("calibration").join(&case.name);
        atomic::fresh_dir(&folder)?;
        let recording = recording(case, &folder);
        let tool = &workload.tool;
        let job = Job { ctx: self.ctx, tool, case: &recording, scene: self.scene };
        let (mut sum, mut runs) = (Shares::default(), 0_u32);
        while sum.total() < ENOUGH && runs < MOST_RUNS {
            let outcome = job.run(&self.baseline.of(tool)?.path, None)?;
            if let Some(fault) = outcome.fault(case) {
                let text =
                    format!("{tool}, case {}: with --cpuprofile the program {fault}", case.name);
                return Err(refuse(Fault::Training, text));
            }
            for entry in std::fs::read_dir(&folder)? {
                let file = entry?.path();
                sum.add(shares(self.ctx, self.reader, &file)?);
                std::fs::remove_file(&file)?;
            }
            runs += 1;
        }
        let mut counts = 0;
        for raw in &trained.raw {
            let facts = profdata::facts(self.ctx, self.toolchain, Fault::Training, raw)?;
            counts += facts.total();
        }
        Ok(Recorded {
            name: case.name.clone(),
            seconds: sum.total() / f64::from(runs.max(1)),
            shares: sum,
            counts: counts as f64 / f64::from(trained.runs.max(1)),
            declared: case.weight,
        })
    }
}

/// The same case with the flags that make a tool record itself, before its own arguments.
fn recording(case: &Case, folder: &Path) -> Case {
    let mut case = case.clone();
    let flags = ["--cpuprofile", "--profiledir"].map(str::to_owned);
    case.args.splice(0..0, flags.into_iter().chain([folder.display().to_string()]));
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload;

    #[test]
    fn one_tool_is_calibrated() {
        let root = crate::recipe::plan::own_root();
        let all = workload::load(root, &[], false).unwrap();
        let error = subject(&all).unwrap_err();
        assert_eq!(crate::fault::exit_code(&error), Fault::Usage.code());
        let one = workload::load(root, &["dserver".to_owned()], false).unwrap();
        let workload = subject(&one).unwrap();
        let case = recording(&workload.cases[0], Path::new("/p"));
        assert_eq!(case.args[..3], ["--cpuprofile", "--profiledir", "/p"]);
        assert_eq!(case.args[3..], workload.cases[0].args);
    }
}
