//! The comparison: every evaluation case in rounds, each arm once per round in a drawn order,
//! judged against a placebo, which is a byte copy of the baseline.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::cargo::Bins;
use crate::compare::hyperfine::{self, Arm, Export, Measurement};
use crate::compare::rank::{Ranks, holm, ranks};
use crate::compare::statistics::{
    Estimate, MISSES, Verdict, estimate, geometric_mean, log_ratios, median,
};
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::progress::Progress;
use crate::random::Random;
use crate::registered::Found;
use crate::workload::case::{Job, Scene};
use crate::workload::{Case, Kind, Measure, Workloads};
use crate::{atomic, digest, words};

/// The order of arms within rounds and all bootstrap samples come from this seed.
pub(crate) const SEED: u64 = 2026;
/// The folders of the arms; their names are of equal length, so that arguments are too.
const FOLDERS: &str = "abcdefghijklmnopqrstuvwxyz";
/// What the copy of the first arm is called.
const PLACEBO: &str = "placebo";

/// What a comparison needs beside the programs.
pub(crate) struct Setup<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) hyperfine: &'a Found,
    pub(crate) workloads: &'a Workloads,
    pub(crate) scene: Scene<'a>,
    pub(crate) rounds: u32,
    /// A case that is not clear after `rounds` gets as many more, up to this number. Whoever looks
    /// more often sees more by chance, so the intervals are that much wider.
    pub(crate) max_rounds: u32,
    /// What the first arm and the one that is compared with it are called.
    pub(crate) names: (&'static str, &'static str),
    /// The folder of the raw times, below the output folder.
    pub(crate) times: &'static str,
}

/// The result for one case.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CaseResult {
    pub(crate) tool: String,
    pub(crate) case: String,
    /// "wall" or "cpu".
    pub(crate) measure: String,
    /// Median seconds of the baseline.
    pub(crate) baseline_s: f64,
    pub(crate) candidate: Estimate,
    pub(crate) placebo: Estimate,
    /// Wilcoxon's test and the Hodges–Lehmann shift of the same log-ratios.
    pub(crate) ranks: Ranks,
    /// The test's p-value after Holm's correction over all cases.
    pub(crate) p_of_all: f64,
    pub(crate) verdict: Verdict,
    pub(crate) rounds: u32,
    /// Peak resident memory in bytes, when this hyperfine measures it.
    pub(crate) baseline_memory: Option<u64>,
    pub(crate) candidate_memory: Option<u64>,
    /// Where the raw times are, in hyperfine's form.
    pub(crate) times: PathBuf,
    /// ln(time / time of the baseline) of each round, in the order of the rounds.
    pub(crate) ratios: Vec<f64>,
    pub(crate) placebo_ratios: Vec<f64>,
}

/// The runs of one case with several programs.
pub(crate) struct CaseRuns {
    pub(crate) tool: String,
    /// For each arm its seconds, round by round.
    pub(crate) arms: Vec<Vec<f64>>,
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
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Mean {
    pub(crate) name: String,
    pub(crate) candidate: Estimate,
    pub(crate) placebo: Estimate,
}

/// The whole comparison.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) seed: u64,
    pub(crate) rounds: u32,
    pub(crate) max_rounds: u32,
    pub(crate) hyperfine: String,
    pub(crate) cases: Vec<CaseResult>,
    pub(crate) means: Vec<Mean>,
}

impl Comparison {
    /// Cases and means that have surely become slower by more than `percent`.
    pub(crate) fn regressions(&self, percent: f64) -> Vec<String> {
        let limit = (percent / 100.0).ln_1p();
        let cases = self.cases.iter().filter(|case| case.verdict == Verdict::Slower);
        let cases = cases.filter(|case| case.candidate.low > limit);
        let means = self.means.iter().filter(|mean| {
            let is_slower = Verdict::of(&mean.candidate, &mean.placebo) == Verdict::Slower;
            is_slower && mean.candidate.low > limit
        });
        let cases = cases.map(|case| format!("{} {}", case.tool, case.case));
        cases.chain(means.map(|mean| format!("{} (mean)", mean.name))).collect()
    }

    /// The tools, and all of them together, of which nothing can be said.
    pub(crate) fn unclear(&self) -> Vec<String> {
        let verdict = |mean: &&Mean| Verdict::of(&mean.candidate, &mean.placebo);
        let unclear = self.means.iter().filter(|mean| verdict(mean) == Verdict::Inconclusive);
        unclear.map(|mean| mean.name.clone()).collect()
    }

    /// The least rounds with which one case of so many can be proven, when all of them agree: half
    /// of the signs' 2^n choices, twice, times the cases.
    pub(crate) fn least_rounds(&self) -> u32 {
        let needed = 2.0 * self.cases.len() as f64 / MISSES;
        needed.log2().floor() as u32 + 1
    }
}

/// The commands of the first round, for `--dry-run`; `run_case` spells that of a case which our
/// own driver runs.
pub(crate) fn first_round(
    setup: &Setup<'_>,
    run_case: &dyn Fn(&Job<'_>, &Path) -> String,
) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    each_case(setup, |tool, case| {
        let runner = Runner::new(setup, tool, case, &setup.three())?;
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
    let names = setup.three();
    let arms = [(names[0], baseline), (names[1], baseline), (names[2], candidate)];
    let mut cases = run(setup, &arms, judged)?;
    correct(&mut cases);
    Ok(Comparison {
        seed: SEED,
        rounds: setup.rounds,
        max_rounds: setup.max_rounds,
        hyperfine: setup.hyperfine.version.clone(),
        means: means(setup.workloads, &cases),
        cases,
    })
}

/// Runs all rounds of all cases with these programs alone.
pub(crate) fn measure(setup: &Setup<'_>, programs: &Bins) -> Result<Vec<CaseCost>> {
    run(setup, &[(setup.names.0, programs)], |runner, progress| {
        let mut runs = vec![Vec::new()];
        runner.rounds(&mut runs, progress)?;
        Ok(runner.cost(&runs[0]))
    })
}

/// Runs all rounds of all cases with a baseline, its copy and any number of candidates, each once
/// per round.
pub(crate) fn contest(
    setup: &Setup<'_>,
    baseline: &Bins,
    candidates: &[(&str, &Bins)],
) -> Result<Vec<CaseRuns>> {
    let mut arms = vec![(setup.names.0, baseline), (PLACEBO, baseline)];
    arms.extend(candidates);
    anyhow::ensure!(arms.len() <= FOLDERS.len(), "too many programs for one comparison");
    run(setup, &arms, |runner, progress| {
        let mut runs = vec![Vec::new(); runner.arms.len()];
        runner.rounds(&mut runs, progress)?;
        runner.keep(&runs)?;
        let Job { tool, case, .. } = runner.job;
        let seconds = |runs: &Vec<Measurement>| runs.iter().map(|run| value(case, run)).collect();
        Ok(CaseRuns { tool: tool.to_owned(), arms: runs.iter().map(seconds).collect() })
    })
}

impl Setup<'_> {
    /// The names of the arms when one program is compared with another.
    fn three(&self) -> [&'static str; 3] {
        [self.names.0, PLACEBO, self.names.1]
    }

    fn times_dir(&self) -> PathBuf {
        self.ctx.out_dir.join(self.times)
    }
}

fn folders() -> impl Iterator<Item = &'static str> {
    (0..FOLDERS.len()).map(|index| &FOLDERS[index..=index])
}

/// Takes back what only the number of cases made look sure.
fn correct(cases: &mut [CaseResult]) {
    let p: Vec<f64> = cases.iter().map(|case| case.ranks.p).collect();
    for (case, p_of_all) in cases.iter_mut().zip(holm(&p)) {
        case.p_of_all = p_of_all;
        if matches!(case.verdict, Verdict::Faster | Verdict::Slower) && p_of_all >= MISSES {
            case.verdict = Verdict::Inconclusive;
        }
    }
}

/// Copies the programs into their arms, runs every case and concludes something from its runs.
fn run<T>(
    setup: &Setup<'_>,
    arms: &[(&str, &Bins)],
    conclude: fn(&Runner<'_>, &mut Progress) -> Result<T>,
) -> Result<Vec<T>> {
    for (folder, (_, bins)) in folders().zip(arms) {
        let folder = setup.ctx.out_dir.join("arms").join(folder);
        atomic::fresh_dir(&folder)?;
        for bin in &bins.bins {
            std::fs::copy(&bin.path, folder.join(&bin.tool))
                .with_context(|| format!("cannot copy {}", bin.path.display()))?;
        }
    }
    atomic::fresh_dir(&setup.times_dir())?;
    let names: Vec<&str> = arms.iter().map(|(name, _)| *name).collect();
    let count = setup.workloads.tools.iter().flat_map(|tool| tool.cases(Kind::Eval)).count();
    let mut progress = Progress::new("compare", count as u64 * u64::from(setup.rounds + 1));
    let mut results = Vec::new();
    each_case(setup, |tool, case| {
        progress.say(&format!("{tool} {}", case.name));
        let runner = Runner::new(setup, tool, case, &names)?;
        results.push(conclude(&runner, &mut progress)?);
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
    fn new(setup: &'a Setup<'a>, tool: &'a str, case: &'a Case, names: &[&str]) -> Result<Self> {
        let job = Job { ctx: setup.ctx, tool, case, scene: setup.scene };
        let program = |folder| setup.ctx.out_dir.join("arms").join(folder).join(tool);
        let programs: Vec<PathBuf> = folders().take(names.len()).map(program).collect();
        let args = job.args(None)?;
        let arm = |(name, program): (&&str, &PathBuf)| {
            let program = std::iter::once(program.display().to_string());
            Arm { name: (*name).to_owned(), words: program.chain(args.iter().cloned()).collect() }
        };
        let arms = names.iter().zip(&programs).map(arm).collect();
        let export = setup.times_dir().join("round.json");
        Ok(Self { setup, job, arms, programs, export })
    }

    fn command(&self, order: &[usize]) -> Result<xshell::Cmd<'a>> {
        let arms: Vec<&Arm> = order.iter().map(|index| &self.arms[*index]).collect();
        let (ctx, path) = (self.setup.ctx, &self.setup.hyperfine.path);
        Ok(hyperfine::command(ctx, path, &arms, self.job.stdin()?, Path::new("pipe"), &self.export))
    }

    /// Adds rounds to the runs of each arm.
    fn rounds(&self, runs: &mut [Vec<Measurement>], progress: &mut Progress) -> Result<()> {
        let before = runs[0].len() as u32;
        let case = seed_of(self.job.tool, &self.job.case.name);
        let mut random = Random::new(SEED ^ case ^ u64::from(before));
        let mut order: Vec<usize> = (0..self.arms.len()).collect();
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
            // Rounds beyond those planned are no steps.
            if before == 0 {
                progress.step();
            }
        }
        Ok(())
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
        let seconds = estimate(&values, SEED ^ seed_of(tool, &case.name), MISSES);
        CaseCost {
            tool: (*tool).to_owned(),
            case: case.name.clone(),
            measure: name_of(case.measure).to_owned(),
            seconds: (seconds.median, seconds.low, seconds.high),
            memory: runs.iter().flat_map(|run| &run.memory_usage_byte).max().copied(),
        }
    }

    /// Writes all runs in hyperfine's form.
    fn keep(&self, runs: &[Vec<Measurement>]) -> Result<(PathBuf, Export)> {
        let Job { tool, case, .. } = &self.job;
        let times = self.setup.times_dir().join(format!("{tool}.{}.json", case.name));
        let pooled = self
            .arms
            .iter()
            .zip(runs)
            .map(|(arm, runs)| hyperfine::pool(&words::join(&arm.words), runs, &arm.name));
        let export = Export { results: pooled.collect() };
        atomic::write_json(&times, &export)?;
        Ok((times, export))
    }

    fn judge(&self, runs: &[Vec<Measurement>], misses: f64) -> Result<CaseResult> {
        let Job { ctx, tool, case, .. } = &self.job;
        let (times, export) = self.keep(runs)?;
        let of =
            |arm: usize| -> Vec<f64> { runs[arm].iter().map(|run| value(case, run)).collect() };
        let (baseline, placebo, candidate) = (of(0), of(1), of(2));
        let seed = SEED ^ seed_of(tool, &case.name);
        let ratios = log_ratios(&candidate, &baseline);
        let placebo_ratios = log_ratios(&placebo, &baseline);
        let (candidate, placebo) =
            (estimate(&ratios, seed, misses), estimate(&placebo_ratios, seed, misses));
        let ranks = ranks(&ratios);
        let memory = |arm: usize| export.results[arm].memory_usage_byte.iter().max().copied();
        Ok(CaseResult {
            tool: (*tool).to_owned(),
            case: case.name.clone(),
            measure: name_of(case.measure).to_owned(),
            baseline_s: median(&baseline),
            rounds: baseline.len() as u32,
            ranks,
            p_of_all: ranks.p,
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

/// Runs rounds until the verdict is clear or the cap is reached.
fn judged(runner: &Runner<'_>, progress: &mut Progress) -> Result<CaseResult> {
    let Setup { rounds, max_rounds, .. } = *runner.setup;
    let looks = max_rounds.div_ceil(rounds);
    let misses = MISSES / f64::from(looks);
    let mut runs: Vec<Vec<Measurement>> = vec![Vec::new(); runner.arms.len()];
    for look in 1..=looks {
        runner.rounds(&mut runs, progress)?;
        let result = runner.judge(&runs, misses)?;
        if look == looks || result.verdict != Verdict::Inconclusive {
            return Ok(result);
        }
    }
    anyhow::bail!("no rounds were asked for")
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A case whose rounds took exp(`log`) of the baseline's time, give or take a little.
    fn case(log: f64, rounds: usize) -> CaseResult {
        let ratios: Vec<f64> = (0..rounds).map(|round| log + round as f64 * 1e-5).collect();
        let placebo_ratios = vec![0.0; rounds];
        let (candidate, placebo) =
            (estimate(&ratios, 1, MISSES), estimate(&placebo_ratios, 1, MISSES));
        CaseResult {
            tool: "dcat".to_owned(),
            case: format!("{log}"),
            measure: "wall".to_owned(),
            baseline_s: 1.0,
            candidate,
            placebo,
            ranks: ranks(&ratios),
            p_of_all: 1.0,
            verdict: Verdict::of(&candidate, &placebo),
            rounds: rounds as u32,
            baseline_memory: None,
            candidate_memory: None,
            times: PathBuf::new(),
            ratios,
            placebo_ratios,
        }
    }

    fn comparison(mut cases: Vec<CaseResult>) -> Comparison {
        correct(&mut cases);
        let (rounds, max_rounds) = (cases[0].rounds, cases[0].rounds);
        let hyperfine = "1".to_owned();
        Comparison { seed: 1, rounds, max_rounds, hyperfine, cases, means: Vec::new() }
    }

    #[test]
    fn a_gate_lets_noise_and_small_losses_through() {
        let all = comparison(vec![case(0.05, 12), case(0.015, 12), case(-0.1, 12)]);
        assert_eq!(all.regressions(2.0), ["dcat 0.05"]);
        assert_eq!(all.regressions(1.0), ["dcat 0.05", "dcat 0.015"]);
        assert!(all.regressions(6.0).is_empty());
    }

    #[test]
    fn many_cases_need_more_rounds() {
        // Five rounds that agree have p = 1/16: nothing is proven by them.
        let few = comparison(vec![case(0.05, 5)]);
        assert_eq!((few.cases[0].verdict, few.least_rounds()), (Verdict::Inconclusive, 6));
        let enough = comparison(vec![case(0.05, 6)]);
        assert_eq!(enough.cases[0].verdict, Verdict::Slower);
        // The same rounds among forty cases, of which this is the only one that is slower.
        let mut many: Vec<CaseResult> = (0..40).map(|_| case(0.05, 6)).collect();
        many.push(case(0.05, 11));
        let many = comparison(many);
        assert_eq!(many.least_rounds(), 11);
        assert_eq!(many.cases[0].verdict, Verdict::Inconclusive);
        assert_eq!(many.cases[40].verdict, Verdict::Slower);
    }
}
