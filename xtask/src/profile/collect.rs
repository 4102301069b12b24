//! Training: runs every training case with the instrumented programs and collects raw profiles.
//! Fails closed: a run that ends, prints or writes otherwise than the baseline's is repeated
//! once, its files go to quarantine, and a second failure stops the pipeline.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::cargo::{Bin, Bins};
use crate::ctx::{Artefact, Ctx};
use crate::fault::{Fault, refuse};
use crate::flags;
use crate::profile::{profdata, window};
use crate::progress::Progress;
use crate::toolchain::Toolchain;
use crate::workload::case::{Effect, Job, Scene};
use crate::workload::fixture::Companions;
use crate::workload::inputs::Inputs;
use crate::workload::window::Window;
use crate::workload::{Case, Kind, Workloads};
use crate::{atomic, child};

/// What training one case gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CaseTraining {
    pub(crate) name: String,
    pub(crate) weight: f64,
    pub(crate) args: Vec<String>,
    pub(crate) exit: Vec<i32>,
    pub(crate) runs: u32,
    pub(crate) retries: u32,
    pub(crate) wall_s: f64,
    /// How much slower than the baseline the instrumented program was on this case.
    pub(crate) slowdown: f64,
    pub(crate) output_bytes: u64,
    pub(crate) raw: Vec<PathBuf>,
}

/// What training one tool gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ToolTraining {
    pub(crate) tool: String,
    /// The raw profile of `--version`: it holds the key of every function of the program.
    pub(crate) probe: PathBuf,
    pub(crate) cases: Vec<CaseTraining>,
}

/// All raw profiles of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Training {
    /// The digest of everything training depends on; an equal key means an equal result.
    pub(crate) key: String,
    pub(crate) tools: Vec<ToolTraining>,
}

impl Artefact for Training {
    fn verify(&self) -> Result<()> {
        let raw = self.tools.iter().flat_map(|tool| tool.cases.iter().flat_map(|case| &case.raw));
        for path in raw.chain(self.tools.iter().map(|tool| &tool.probe)) {
            anyhow::ensure!(path.is_file(), "{} is gone", path.display());
        }
        Ok(())
    }
}

/// The folder of raw profiles.
pub(crate) fn raw_dir(ctx: &Ctx) -> PathBuf {
    ctx.out_dir.join("raw")
}

/// Where raw profiles of failed runs are put aside, out of reach of merging, with the reason.
fn quarantine(ctx: &Ctx) -> PathBuf {
    ctx.out_dir.join("quarantine")
}

/// What training depends on: the programs, the workloads, the inputs, the number of runs.
pub(crate) fn key(
    workloads: &Workloads,
    inputs: &Inputs,
    baseline: &Bins,
    instrumented: &Bins,
    iterations: u32,
) -> String {
    let programs = baseline.bins.iter().chain(&instrumented.bins).map(|bin| &bin.sha256);
    let inputs = inputs.0.values().map(|input| &input.sha256);
    let parts: Vec<&str> =
        programs.chain(inputs).chain([&workloads.digest]).map(String::as_str).collect();
    crate::digest::of_bytes(format!("{iterations} {}", parts.join(" ")).as_bytes())
}

/// Runs all training cases of all tools.
pub(crate) fn train(
    ctx: &Ctx,
    toolchain: &Toolchain,
    workloads: &Workloads,
    inputs: &Inputs,
    baseline: &Bins,
    instrumented: &Bins,
    iterations: u32,
) -> Result<Training> {
    let raw_dir = raw_dir(ctx);
    atomic::fresh_dir(&raw_dir)?;
    atomic::fresh_dir(&quarantine(ctx))?;
    let runs = |case: &Case| u64::from(case.repeat * iterations) + 1;
    let steps = workloads.tools.iter().flat_map(|t| t.cases(Kind::Train)).map(runs).sum();
    let mut progress = Progress::new("train", steps);
    let companions = Companions::of(baseline);
    let scene = Scene { inputs, servers: &workloads.servers, companions: &companions };
    let mut tools = Vec::new();
    for workload in &workloads.tools {
        let tool = &workload.tool;
        let (plain, program) = (baseline.of(tool)?, instrumented.of(tool)?);
        let probe = probe(ctx, program, "probe")?;
        let keys = profdata::facts(ctx, toolchain, Fault::Training, &probe)?.keys();
        let judge = |path: &Path| match profdata::facts(ctx, toolchain, Fault::Training, path) {
            Ok(facts) => {
                facts.trained_on(&keys).map(|fault| format!("left a bad profile: {fault}"))
            }
            Err(error) => Some(format!("left a bad profile: {error:#}")),
        };
        let steady = |run: &str| window::steady(ctx, toolchain, &raw_dir, run);
        let mut cases = Vec::new();
        for case in workload.cases(Kind::Train) {
            progress.say(&format!("{tool} {}", case.name));
            let job = Job { ctx, tool, case, scene };
            let trainer = Trainer { job, raw_dir: &raw_dir, judge: &judge, steady: &steady };
            let windowed = case.window == Window::Steady;
            let program = if windowed { instrumented.of(&windowed_name(tool))? } else { program };
            cases.push(trainer.train(plain, program, iterations, &mut progress)?);
        }
        tools.push(ToolTraining { tool: tool.clone(), probe, cases });
    }
    Ok(Training { key: key(workloads, inputs, baseline, instrumented, iterations), tools })
}

/// Runs `--version` before anything long: proves that a raw profile appears at all, and keeps it
/// in `folder` as the list of the program's functions.
pub(crate) fn probe(ctx: &Ctx, program: &Bin, folder: &str) -> Result<PathBuf> {
    let dir = ctx.out_dir.join(folder).join(&program.tool);
    atomic::fresh_dir(&dir)?;
    let pattern = flags::raw_profile_pattern(&dir, "version");
    let mut command = std::process::Command::new(&program.path);
    child::piped(command.arg("--version").env(flags::PROFILE_FILE_VARIABLE, pattern));
    let limit = std::time::Duration::from_secs(30);
    ctx.children.spawn(&mut command)?.finish(Some(limit), |_| {})?;
    raw_files(&dir, "version")?.pop().ok_or_else(|| {
        refuse(
            Fault::Training,
            format!(
                "{} --version wrote no raw profile: it must end by returning from main",
                program.tool
            ),
        )
    })
}

struct Trainer<'a> {
    job: Job<'a>,
    raw_dir: &'a Path,
    /// Says what is wrong with a raw profile.
    judge: &'a dyn Fn(&Path) -> Option<String>,
    /// Makes the profile of the steady window of a run.
    steady: &'a dyn Fn(&str) -> Result<PathBuf>,
}

/// How the program whose running counts are on disk is found among the instrumented ones.
pub(crate) fn windowed_name(tool: &str) -> String {
    format!("{tool} (windowed)")
}

impl Trainer<'_> {
    fn train(
        &self,
        plain: &Bin,
        program: &Bin,
        iterations: u32,
        progress: &mut Progress,
    ) -> Result<CaseTraining> {
        let case = self.job.case;
        let outcome = self.job.run(&plain.path, None)?;
        if let Some(fault) = outcome.fault(case) {
            return Err(self.refusal("the baseline program", &fault));
        }
        progress.step();
        let mut training = CaseTraining {
            name: case.name.clone(),
            weight: case.weight,
            args: self.job.args(None)?,
            exit: case.exit.clone(),
            runs: case.repeat * iterations,
            retries: 0,
            wall_s: 0.0,
            slowdown: 0.0,
            output_bytes: outcome.effect.stdout_bytes,
            raw: Vec::new(),
        };
        for run in 1..=training.runs {
            let (wall, raw) = match self.run_once(program, run, &outcome.effect)? {
                Ok(done) => done,
                Err(fault) => {
                    eprintln!("   {} {}: {fault}; once more", self.job.tool, case.name);
                    training.retries += 1;
                    let again = self.run_once(program, run, &outcome.effect)?;
                    again.map_err(|fault| {
                        let place = quarantine(self.job.ctx);
                        let fault =
                            format!("{fault}, twice; what it left is in {}", place.display());
                        self.refusal("the instrumented program", &fault)
                    })?
                }
            };
            training.wall_s += wall;
            training.raw.extend(raw);
            progress.step();
        }
        let per_run = training.wall_s / f64::from(training.runs);
        training.slowdown = per_run / outcome.wall.as_secs_f64().max(1e-6);
        Ok(training)
    }

    /// One run: its wall time and raw profiles, or what is wrong with it (files in quarantine).
    fn run_once(
        &self,
        program: &Bin,
        run: u32,
        expected: &Effect,
    ) -> Result<Result<(f64, Vec<PathBuf>), String>> {
        let job = &self.job;
        let name = format!("{}.{}.{run}", job.tool, job.case.name);
        let is_windowed = job.case.window == Window::Steady;
        let pattern = match is_windowed {
            true => flags::continuous_profile_pattern(self.raw_dir, &name),
            false => flags::raw_profile_pattern(self.raw_dir, &name),
        };
        let outcome = job.run(&program.path, Some(&pattern))?;
        let mut raw = raw_files(self.raw_dir, &name)?;
        let fault = outcome.fault(job.case);
        if is_windowed && fault.is_none() {
            raw = vec![(self.steady)(&name)?];
        }
        let fault = fault
            .or_else(|| outcome.effect.difference(expected))
            .or_else(|| raw_fault(&raw))
            .or_else(|| raw.iter().find_map(|path| (self.judge)(path)));
        let Some(fault) = fault else {
            return Ok(Ok((outcome.wall.as_secs_f64(), raw)));
        };
        let quarantine = quarantine(job.ctx);
        for path in raw {
            let to = quarantine.join(path.file_name().unwrap_or_default());
            std::fs::rename(&path, &to)
                .with_context(|| format!("cannot move {} to quarantine", path.display()))?;
        }
        // What was wrong stands beside the files, for each attempt.
        let reason = quarantine.join(format!("{name}.txt"));
        let earlier = std::fs::read_to_string(&reason).unwrap_or_default();
        let said = outcome.stderr.trim();
        atomic::write(&reason, format!("{earlier}{fault}\n{said}\n").as_bytes())?;
        Ok(Err(fault))
    }

    fn refusal(&self, who: &str, fault: &str) -> anyhow::Error {
        let Job { tool, case, .. } = &self.job;
        refuse(Fault::Training, format!("{tool}, case {}: {who} {fault}", case.name))
    }
}

fn raw_fault(raw: &[PathBuf]) -> Option<String> {
    if raw.is_empty() {
        return Some("wrote no raw profile: it must end by returning from main".to_owned());
    }
    let empty = raw.iter().find(|path| std::fs::metadata(path).is_ok_and(|meta| meta.len() == 0));
    empty.map(|path| format!("left an empty raw profile {}", path.display()))
}

/// The raw profiles of run `name`, in name order.
fn raw_files(dir: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        // The dot keeps run 1 apart from run 10.
        if file.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes something to where the profile run time would.
    const WRITE: &str =
        r#"f=$(echo "$LLVM_PROFILE_FILE" | sed 's/%m/1/; s/%p/2/'); echo counts > "$f""#;

    /// Trains one case whose baseline prints "out" with a stand-in for the instrumented program.
    /// Tells what is in quarantine afterwards, too.
    fn train_with(instrumented: &str) -> (Result<CaseTraining>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let bin = |name: &str, body: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, executable).unwrap();
            Bin { tool: "t".into(), path, sha256: String::new(), bytes: 0 }
        };
        let ctx = Ctx::new(dir.path(), Path::new("out"), false, None).unwrap();
        let case: Case =
            toml::from_str("name = \"c\"\nkind = \"train\"\nargs = []\ntimeout_s = 2").unwrap();
        let inputs = Inputs(std::collections::BTreeMap::new());
        let (servers, companions) = (std::collections::BTreeMap::new(), Companions::default());
        let scene = Scene { inputs: &inputs, servers: &servers, companions: &companions };
        let raw_dir = raw_dir(&ctx);
        atomic::fresh_dir(&raw_dir).unwrap();
        atomic::fresh_dir(&quarantine(&ctx)).unwrap();
        let job = Job { ctx: &ctx, tool: "t", case: &case, scene };
        let judge = |path: &Path| {
            let bytes = std::fs::read(path).unwrap();
            (bytes == b"zero\n").then(|| "left a bad profile: all its counts are zero".to_owned())
        };
        let steady = |_: &str| anyhow::bail!("no window was asked for");
        let trainer = Trainer { job, raw_dir: &raw_dir, judge: &judge, steady: &steady };
        let (plain, program) = (bin("plain", "echo out"), bin("instrumented", instrumented));
        let result = trainer.train(&plain, &program, 2, &mut Progress::new("train", 0));
        let entries = std::fs::read_dir(quarantine(&ctx)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        (result, names)
    }

    #[track_caller]
    fn check_refused(instrumented: &str, expected: &str) {
        let (result, quarantined) = train_with(instrumented);
        let error = result.unwrap_err();
        assert!(quarantined.contains(&"t.c.1.txt".to_owned()), "{quarantined:?}");
        assert_eq!(crate::fault::exit_code(&error), 4);
        let text = error.to_string();
        assert!(text.starts_with("t, case c: the instrumented program "), "{text}");
        assert!(text.contains(expected), "{text}");
        assert!(text.contains(", twice; what it left is in "), "{text}");
    }

    #[test]
    fn a_good_run_is_kept() {
        let (result, quarantined) = train_with(&format!("echo out; {WRITE}"));
        assert!(quarantined.is_empty(), "{quarantined:?}");
        let training = result.unwrap();
        assert_eq!((training.runs, training.retries, training.raw.len()), (2, 0, 2));
    }

    #[test]
    fn a_run_that_fails_once_is_repeated() {
        let once =
            "mark=$(dirname $0)/mark; if [ ! -e $mark ]; then touch $mark; kill -KILL $$; fi";
        let (result, quarantined) = train_with(&format!("{WRITE}; {once}; echo out"));
        let training = result.unwrap();
        assert_eq!((training.retries, training.raw.len()), (1, 2));
        // The bad run's file is aside, with the reason, and not among those that are merged.
        assert_eq!(quarantined, ["t.c.1.1.2.profraw", "t.c.1.txt"]);
    }

    #[test]
    fn a_bad_run_is_refused() {
        check_refused(&format!("echo out; {WRITE}; kill -KILL $$"), "exited with 137");
        check_refused(&format!("echo out; {WRITE}; exit 1"), "exited with 1, allowed: [0]");
        check_refused(&format!("echo other; {WRITE}"), "output differs from the baseline's");
        check_refused(&format!("echo out; {WRITE}; echo x > file"), "file file differs");
        check_refused("echo out", "wrote no raw profile");
        check_refused(&format!("echo out; {WRITE}; : > \"$f\""), "left an empty raw profile");
        check_refused(&format!("echo out; {WRITE}; echo zero > \"$f\""), "all its counts are zero");
        check_refused(
            &format!("echo out; {WRITE}; echo LLVM Profile Error: full >&2"),
            "could not write its profile",
        );
        check_refused(&format!("echo out; {WRITE}; sleep 60"), "ran longer than 2 s");
    }

    #[test]
    fn raw_profiles_of_a_run_are_told_apart_and_judged() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["dcat.a.1.7.8.profraw", "dcat.a.10.7.9.profraw", "dcat.a.1.7.7.profraw"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let files = raw_files(dir.path(), "dcat.a.1").unwrap();
        assert_eq!(files.len(), 2);
        assert!(raw_fault(&files).is_none());
        std::fs::write(&files[1], "").unwrap();
        assert!(raw_fault(&files).unwrap().starts_with("left an empty raw profile"));
        assert!(raw_fault(&[]).unwrap().starts_with("wrote no raw profile"));
    }
}
