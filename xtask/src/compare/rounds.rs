//! The comparison: every evaluation case in rounds, each arm once per round in a drawn order,
//! judged against a placebo, which is a byte copy of the baseline.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::cargo::Bins;
use crate::compare::hyperfine::{self, Arm, Export, Measurement};
use crate::compare::statistics::{Estimate, Verdict, estimate, geometric_mean, log_ratios};
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::progress::Progress;
use crate::random::Random;
use crate::toolchain::Hyperfine;
use crate::workload::case::{Job, Scene};
use crate::workload::{Case, Kind, Measure, Workloads};
use crate::{atomic, digest, words};

/// The order of arms within rounds and all bootstrap samples come from this seed.
const SEED: u64 = 2026;
/// The folders of the arms; their names are of equal length, so that arguments are too.
const FOLDERS: [&str; 3] = ["a", "b", "c"];

/// What a comparison needs beside the programs.
pub(crate) struct Setup<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) hyperfine: &'a Hyperfine,
    pub(crate) workloads: &'a Workloads,
    pub(crate) scene: Scene<'a>,
    pub(crate) rounds: u32,
    /// What the first arm and the one that is compared with it are called.
    pub(crate) names: (&'static str, &'static str),
}

/// The result for one case.
#[derive(Debug, Serialize)]
pub(crate) struct CaseResult {
    pub(crate) tool: String,
    pub(crate) case: String,
    /// "wall" or "cpu".
    pub(crate) measure: &'static str,
    /// Median seconds of the baseline.
    pub(crate) baseline_s: f64,
    pub(crate) candidate: Estimate,
    pub(crate) placebo: Estimate,
    pub(crate) verdict: Verdict,
    /// Peak resident memory in bytes, when this hyperfine measures it.
    pub(crate) baseline_memory: Option<u64>,
    pub(crate) candidate_memory: Option<u64>,
    /// Where the raw times are, in hyperfine's form.
    pub(crate) times: PathBuf,
    #[serde(skip)]
    ratios: Vec<f64>,
    #[serde(skip)]
    placebo_ratios: Vec<f64>,
}

/// What one program needs for one case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CaseCost {
    pub(crate) tool: String,
    pub(crate) case: String,
    /// "wall" or "cpu".
    pub(crate) measure: String,
    /// Seconds: the median and its 95 % interval.
    pub(crate) seconds: (f64, f64, f64),
    /// Peak resident memory in bytes, when this hyperfine measures it.
    pub(crate) memory: Option<u64>,
}

/// The result over all cases of one tool, or of all tools.
#[derive(Debug, Serialize)]
pub(crate) struct Mean {
    pub(crate) name: String,
    pub(crate) candidate: Estimate,
    pub(crate) placebo: Estimate,
}

/// The whole comparison.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) seed: u64,
    pub(crate) rounds: u32,
    pub(crate) hyperfine: String,
    pub(crate) cases: Vec<CaseResult>,
    pub(crate) means: Vec<Mean>,
}

/// The commands of the first round, for `--dry-run`; `run_case` spells that of a case which our
/// own driver runs.
pub(crate) fn first_round(
    setup: &Setup<'_>,
    run_case: &dyn Fn(&Job<'_>, &Path) -> String,
) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    each_case(setup, |tool, case| {
        let runner = Runner::new(setup, tool, case, FOLDERS.len())?;
        if case.has_company() {
            lines.extend(runner.programs.iter().map(|program| run_case(&runner.job, program)));
        } else {
            lines.push(words::of(&runner.command(&[0, 1, 2])?.into()));
        }
        Ok(())
    })?;
    Ok(lines)
}

/// Runs all rounds of all cases with the programs of a baseline, of its copy and of a candidate.
pub(crate) fn compare(setup: &Setup<'_>, baseline: &Bins, candidate: &Bins) -> Result<Comparison> {
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is of one lifetime")]
    let cases = run(setup, &[baseline, baseline, candidate], |runner, runs| runner.judge(runs))?;
    Ok(Comparison {
        seed: SEED,
        rounds: setup.rounds,
        hyperfine: setup.hyperfine.version.clone(),
        means: means(setup.workloads, &cases),
        cases,
    })
}

/// Runs all rounds of all cases with these programs alone.
pub(crate) fn measure(setup: &Setup<'_>, programs: &Bins) -> Result<Vec<CaseCost>> {
    run(setup, &[programs], |runner, runs| Ok(runner.cost(&runs[0])))
}

/// Copies the programs into their arms, runs every case and concludes something from its runs.
fn run<T>(
    setup: &Setup<'_>,
    arms: &[&Bins],
    conclude: impl Fn(&Runner<'_>, &[Vec<Measurement>]) -> Result<T>,
) -> Result<Vec<T>> {
    for (folder, bins) in FOLDERS.iter().zip(arms) {
        let folder = setup.ctx.out_dir.join("arms").join(folder);
        atomic::fresh_dir(&folder)?;
        for bin in &bins.bins {
            std::fs::copy(&bin.path, folder.join(&bin.tool))
                .with_context(|| format!("cannot copy {}", bin.path.display()))?;
        }
    }
    atomic::fresh_dir(&setup.ctx.out_dir.join("hyperfine"))?;
    let count = setup.workloads.tools.iter().flat_map(|tool| tool.cases(Kind::Eval)).count();
    let mut progress = Progress::new("compare", count as u64 * u64::from(setup.rounds + 1));
    let mut results = Vec::new();
    each_case(setup, |tool, case| {
        progress.say(&format!("{tool} {}", case.name));
        let runner = Runner::new(setup, tool, case, arms.len())?;
        results.push(conclude(&runner, &runner.run(&mut progress)?)?);
        Ok(())
    })?;
    Ok(results)
}

fn each_case<'a>(
    setup: &Setup<'a>,
    mut visit: impl FnMut(&'a str, &'a Case) -> Result<()>,
) -> Result<()> {
    for workload in &setup.workloads.tools {
        for case in workload.cases(Kind::Eval) {
            visit(&workload.tool, case)?;
        }
    }
    Ok(())
}

fn means(workloads: &Workloads, cases: &[CaseResult]) -> Vec<Mean> {
    let mean = |name: &str, of: &dyn Fn(&CaseResult) -> bool| {
        let chosen: Vec<_> = cases.iter().filter(|case| of(case)).collect();
        let ratios: Vec<_> = chosen.iter().map(|case| case.ratios.clone()).collect();
        let placebo: Vec<_> = chosen.iter().map(|case| case.placebo_ratios.clone()).collect();
        Mean {
            name: name.to_owned(),
            candidate: geometric_mean(&ratios, SEED),
            placebo: geometric_mean(&placebo, SEED),
        }
    };
    let mut means: Vec<Mean> =
        workloads.tools.iter().map(|t| mean(&t.tool, &|case| case.tool == t.tool)).collect();
    means.push(mean("all tools", &|_| true));
    means
}

struct Runner<'a> {
    setup: &'a Setup<'a>,
    job: Job<'a>,
    arms: Vec<Arm>,
    /// The programs of the arms.
    programs: Vec<PathBuf>,
    export: PathBuf,
}

impl<'a> Runner<'a> {
    fn new(setup: &'a Setup<'a>, tool: &'a str, case: &'a Case, arms: usize) -> Result<Self> {
        let job = Job { ctx: setup.ctx, tool, case, scene: setup.scene };
        let program = |folder| setup.ctx.out_dir.join("arms").join(folder).join(tool);
        let programs: Vec<PathBuf> = FOLDERS.iter().take(arms).map(program).collect();
        let args = job.args(None)?;
        let names = [setup.names.0, "placebo", setup.names.1];
        let arm = |(name, program): (&'static str, &PathBuf)| {
            let program = std::iter::once(program.display().to_string());
            Arm { name: name.to_owned(), words: program.chain(args.iter().cloned()).collect() }
        };
        let arms = names.into_iter().zip(&programs).map(arm).collect();
        let export = setup.ctx.out_dir.join("hyperfine").join("round.json");
        Ok(Self { setup, job, arms, programs, export })
    }

    fn command(&self, order: &[usize]) -> Result<xshell::Cmd<'a>> {
        let arms: Vec<&Arm> = order.iter().map(|index| &self.arms[*index]).collect();
        let (ctx, path) = (self.setup.ctx, &self.setup.hyperfine.path);
        Ok(hyperfine::command(ctx, path, &arms, self.job.stdin()?, Path::new("pipe"), &self.export))
    }

    /// The runs of each arm.
    fn run(&self, progress: &mut Progress) -> Result<Vec<Vec<Measurement>>> {
        let mut random = Random::new(SEED ^ seed_of(self.job.tool, &self.job.case.name));
        let mut order: Vec<usize> = (0..self.arms.len()).collect();
        let mut runs: Vec<Vec<Measurement>> = vec![Vec::new(); self.arms.len()];
        atomic::fresh_dir(&self.job.scratch())?;
        for round in 0..=self.setup.rounds {
            hyperfine::draw(&mut random, &mut order, round);
            let company = self.job.case.has_company();
            let measured = if company { self.drive(&order)? } else { self.round(&order)? };
            // The first round warms the page cache and is dropped.
            if round > 0 {
                for (index, measurement) in measured.into_iter().enumerate() {
                    runs[index].push(measurement);
                }
            }
            progress.step();
        }
        Ok(runs)
    }

    /// Runs every arm once; results in the order of the arms.
    fn round(&self, order: &[usize]) -> Result<Vec<Measurement>> {
        let Job { ctx, tool, case, .. } = &self.job;
        let limit = Duration::from_secs(case.timeout_s) * self.arms.len() as u32;
        let mut command = std::process::Command::from(self.command(order)?);
        let measured = hyperfine::round(ctx, &mut command, &self.arms, &self.export, limit)?;
        let Some(measured) = measured else {
            let text = format!("{tool}, case {}: a round took longer than {limit:?}", case.name);
            return Err(refuse(Fault::Regression, text));
        };
        for (arm, result) in self.arms.iter().zip(&measured) {
            let code = result.exit_codes.first().copied().flatten();
            if !code.is_some_and(|code| case.exit.contains(&code)) {
                return Err(refuse(
                    Fault::Regression,
                    format!(
                        "{tool}, case {}: the {} program exited with {code:?}",
                        case.name, arm.name
                    ),
                ));
            }
        }
        Ok(measured)
    }

    /// The same with our own driver, for a case with something beside it: the program's own times,
    /// without those of its company.
    fn drive(&self, order: &[usize]) -> Result<Vec<Measurement>> {
        let Job { tool, case, .. } = &self.job;
        let mut measured: Vec<Option<Measurement>> = vec![None; self.arms.len()];
        for index in order {
            let arm = &self.arms[*index];
            let outcome = self.job.run(&self.programs[*index], None)?;
            if let Some(fault) = outcome.fault(case) {
                let text = format!("{tool}, case {}: the {} program {fault}", case.name, arm.name);
                return Err(refuse(Fault::Regression, text));
            }
            let wall = outcome.wall.as_secs_f64();
            measured[*index] =
                Some(hyperfine::single(&arm.name, wall, outcome.cpu, outcome.effect.code));
        }
        measured.into_iter().collect::<Option<_>>().context("an arm was left out")
    }

    fn cost(&self, runs: &[Measurement]) -> CaseCost {
        let Job { tool, case, .. } = &self.job;
        let values: Vec<f64> = runs.iter().map(|run| value(case, run)).collect();
        let seconds = estimate(&values, SEED ^ seed_of(tool, &case.name));
        CaseCost {
            tool: (*tool).to_owned(),
            case: case.name.clone(),
            measure: name_of(case.measure).to_owned(),
            seconds: (seconds.median, seconds.low, seconds.high),
            memory: runs.iter().flat_map(|run| &run.memory_usage_byte).max().copied(),
        }
    }

    fn judge(&self, runs: &[Vec<Measurement>]) -> Result<CaseResult> {
        let Job { ctx, tool, case, .. } = &self.job;
        let times = ctx.out_dir.join("hyperfine").join(format!("{tool}.{}.json", case.name));
        let pooled = self
            .arms
            .iter()
            .zip(runs)
            .map(|(arm, runs)| hyperfine::pool(&words::join(&arm.words), runs, &arm.name));
        let export = Export { results: pooled.collect() };
        atomic::write_json(&times, &export)?;
        let of =
            |arm: usize| -> Vec<f64> { runs[arm].iter().map(|run| value(case, run)).collect() };
        let (baseline, placebo, candidate) = (of(0), of(1), of(2));
        let seed = SEED ^ seed_of(tool, &case.name);
        let ratios = log_ratios(&candidate, &baseline);
        let placebo_ratios = log_ratios(&placebo, &baseline);
        let (candidate, placebo) = (estimate(&ratios, seed), estimate(&placebo_ratios, seed));
        let memory = |arm: usize| export.results[arm].memory_usage_byte.iter().max().copied();
        Ok(CaseResult {
            tool: (*tool).to_owned(),
            case: case.name.clone(),
            measure: name_of(case.measure),
            baseline_s: crate::compare::statistics::median(&baseline),
            verdict: Verdict::of(&candidate, &placebo),
            candidate,
            placebo,
            baseline_memory: memory(0),
            candidate_memory: memory(2),
            times: times.strip_prefix(&ctx.root).unwrap_or(&times).to_owned(),
            ratios,
            placebo_ratios,
        })
    }
}

fn name_of(measure: Measure) -> &'static str {
    if measure == Measure::Cpu { "cpu" } else { "wall" }
}

fn value(case: &Case, run: &Measurement) -> f64 {
    match case.measure {
        Measure::Wall => run.times.first().copied().unwrap_or(run.mean),
        Measure::Cpu => run.user + run.system,
    }
}

/// A number that belongs to the case and not to its place in the list.
fn seed_of(tool: &str, case: &str) -> u64 {
    let digest = digest::of_bytes(format!("{tool}.{case}").as_bytes());
    u64::from_str_radix(&digest[..16], 16).unwrap_or(0)
}
