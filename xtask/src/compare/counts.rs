//! Instruction counts by callgrind: the same from run to run where times are not, so they tell that
//! something changed. They are never called a gain: a faster program may run more instructions.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::cargo::Bins;
use crate::compare::rounds::Setup;
use crate::progress::Progress;
use crate::toolchain::in_path;
use crate::workload::case::{self, Heard, Job, Scene};
use crate::workload::{Kind, Workloads, inputs};

/// Inputs are no larger than this, in lines: callgrind is some fifty times slower than the machine.
const LINES: u64 = 50_000;
/// A case that takes longer than this is left out.
const LIMIT: Duration = Duration::from_secs(300);

/// What callgrind counted.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Why there is nothing, when there is nothing.
    pub(crate) absent: Option<String>,
    /// Lines of an input of scale 1.
    pub(crate) data_size: u64,
    pub(crate) cases: Vec<CaseCounts>,
}

/// The instructions of one case.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CaseCounts {
    pub(crate) tool: String,
    pub(crate) case: String,
    pub(crate) baseline: u64,
    /// The baseline once more: what differs by itself, in programs with threads.
    pub(crate) placebo: u64,
    pub(crate) candidate: u64,
}

impl CaseCounts {
    /// Instructions of the candidate relative to the baseline's, as a factor.
    pub(crate) fn ratio(&self) -> f64 {
        self.candidate as f64 / self.baseline.max(1) as f64
    }

    /// The same for the baseline's second run.
    pub(crate) fn placebo_ratio(&self) -> f64 {
        self.placebo as f64 / self.baseline.max(1) as f64
    }
}

/// Runs every evaluation case without company once per program under callgrind.
pub(crate) fn count(
    setup: &Setup<'_>,
    data_size: u64,
    corpus: Option<&str>,
    baseline: &Bins,
    candidate: &Bins,
) -> Result<Counts> {
    let Some(valgrind) = in_path("valgrind") else {
        let absent = "no valgrind in PATH (as root: apt-get install valgrind)".to_owned();
        eprintln!("   instructions were not counted: {absent}");
        return Ok(Counts { absent: Some(absent), data_size: 0, cases: Vec::new() });
    };
    let data_size = data_size.min(LINES);
    let workloads = local(setup.workloads);
    let inputs = inputs::make(setup.ctx, &workloads, data_size, corpus)?;
    let scene = Scene { inputs: &inputs, ..setup.scene };
    let steps = workloads.tools.iter().map(|tool| tool.cases.len() as u64).sum();
    let mut progress = Progress::new("counts", steps);
    let mut cases = Vec::new();
    for workload in &workloads.tools {
        let tool = &workload.tool;
        let programs = [baseline.of(tool)?, baseline.of(tool)?, candidate.of(tool)?];
        for case in &workload.cases {
            progress.say(&format!("{tool} {}", case.name));
            let job = Job { ctx: setup.ctx, tool, case, scene };
            let count = |bin: &crate::cargo::Bin| instructions(&job, &valgrind, &bin.path);
            let counted: Result<Vec<u64>> = programs.into_iter().map(count).collect();
            match counted.as_deref() {
                Ok([baseline, placebo, candidate]) => cases.push(CaseCounts {
                    tool: tool.clone(),
                    case: case.name.clone(),
                    baseline: *baseline,
                    placebo: *placebo,
                    candidate: *candidate,
                }),
                Ok(_) => {}
                // valgrind may not know an instruction, or give a program too little of something.
                Err(error) => {
                    setup.ctx.children.check()?;
                    eprintln!("   {tool}, case {}: not counted: {error:#}", case.name);
                }
            }
            progress.step();
        }
    }
    Ok(Counts { absent: None, data_size, cases })
}

/// The evaluation cases that need nothing beside the program.
fn local(all: &Workloads) -> Workloads {
    let mut tools = all.tools.clone();
    for tool in &mut tools {
        tool.cases.retain(|case| case.kind == Kind::Eval && !case.has_company());
    }
    let (inputs, servers) = (all.inputs.clone(), all.servers.clone());
    Workloads { tools, inputs, servers, digest: all.digest.clone() }
}

/// The instructions of one run.
fn instructions(job: &Job<'_>, valgrind: &Path, program: &Path) -> Result<u64> {
    let scratch = job.scratch();
    atomic::fresh_dir(&scratch)?;
    let out: PathBuf = job.ctx.out_dir.join("callgrind.out");
    let mut command = Command::new(valgrind);
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display()));
    command.arg(program).args(job.args(None)?).current_dir(&scratch);
    let stdin = job.stdin()?;
    let (_digest, finished) =
        case::execute(&job.ctx.children, &mut command, stdin, None, Heard::default(), LIMIT)?;
    anyhow::ensure!(!finished.timed_out, "it ran longer than {LIMIT:?}");
    let code = finished.code;
    let said = finished.stderr.lines().last().unwrap_or_default();
    anyhow::ensure!(job.case.exit.contains(&code), "it exited with {code} ({said})");
    let text = std::fs::read_to_string(&out).context("callgrind wrote nothing")?;
    std::fs::remove_file(&out)?;
    total(&text).context("callgrind's output has no total")
}

/// The sum in callgrind's output format ("summary:" or "totals:" and the first event's count).
fn total(text: &str) -> Option<u64> {
    let of = |line: &str| -> Option<u64> {
        let rest = line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:"))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    text.lines().rev().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_either_line() {
        assert_eq!(
            total("version: 1\nevents: Ir\nsummary: 7247606\n\nfn=(1)\n1 5\n"),
            Some(7_247_606)
        );
        assert_eq!(total("summary: 5\nfn=(1)\n1 5\ntotals: 12 3\n"), Some(12));
        assert_eq!(total("events: Ir\n"), None);
    }
}
