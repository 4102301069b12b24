//! hyperfine as the executor of single runs, and its JSON: read from it, and written in its form.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use xshell::{Cmd, cmd};

use crate::child::{Cpu, piped};
use crate::compare::statistics::median;
use crate::ctx::Ctx;
use crate::random::Random;
use crate::words;

/// One command of one hyperfine call.
#[derive(Clone, Debug)]
pub(crate) struct Arm {
    pub(crate) name: String,
    /// Program and arguments.
    pub(crate) words: Vec<String>,
}

/// `{"results": […]}`: all of hyperfine's export.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Export {
    pub(crate) results: Vec<Measurement>,
}

/// One command's runs. Field names and units (seconds, bytes) are hyperfine's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measurement {
    pub(crate) command: String,
    pub(crate) mean: f64,
    pub(crate) stddev: Option<f64>,
    pub(crate) median: f64,
    pub(crate) user: f64,
    pub(crate) system: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) times: Vec<f64>,
    /// Since hyperfine 1.20, and only of the arm that was the first of its round, see [`read`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) memory_usage_byte: Vec<u64>,
    #[serde(default)]
    pub(crate) exit_codes: Vec<Option<i32>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) parameters: BTreeMap<String, String>,
}

/// One round (hyperfine splits a command into words as a POSIX shell would): every arm once, in the
/// given order, no shell, with its output to `output`: a file, or one of hyperfine's names. `pipe`
/// is the usual one, because greps take a short cut when their output is /dev/null.
pub(crate) fn command<'a>(
    ctx: &'a Ctx,
    hyperfine: &Path,
    arms: &[&Arm],
    stdin: Option<&Path>,
    output: &Path,
    export: &Path,
) -> Cmd<'a> {
    let named: Vec<String> = arms
        .iter()
        .flat_map(|arm| ["--command-name".to_owned(), arm.name.clone(), words::join(&arm.words)])
        .collect();
    let input: Vec<String> =
        stdin.map(|path| format!("--input={}", path.display())).into_iter().collect();
    cmd!(
        ctx.sh,
        "{hyperfine} -N --runs 1 --warmup 0 --style none --output {output} --ignore-failure
         --export-json {export} {input...} {named...}"
    )
}

/// Runs a round's `command`: every arm's run, in the order of `arms`; nothing when it took longer
/// than `limit`.
pub(crate) fn round(
    ctx: &Ctx,
    command: &mut Command,
    arms: &[Arm],
    export: &Path,
    limit: Duration,
) -> Result<Option<Vec<Measurement>>> {
    let running = ctx.children.spawn(piped(command).stdout(Stdio::null()))?;
    let finished = running.finish(Some(limit), |_| {})?;
    if finished.timed_out {
        return Ok(None);
    }
    anyhow::ensure!(finished.code == 0, "hyperfine failed: {}", finished.stderr.trim());
    let mut results = read(export)?;
    let of = |arm: &Arm| results.remove(&arm.name).context("hyperfine left out an arm");
    arms.iter().map(of).collect::<Result<Vec<_>>>().map(Some)
}

/// Shuffles the arms for a round, each in its turn to the front, where its memory can be measured.
pub(crate) fn draw(random: &mut Random, order: &mut [usize], round: u32) {
    random.shuffle(order);
    let first = (round as usize + order.len() - 1) % order.len();
    let place = order.iter().position(|arm| *arm == first);
    order[..=place.unwrap_or(0)].rotate_right(1);
}

/// Reads one round's export: arm name → its single run. What hyperfine calls the memory of a run is
/// the most that any of its children has had so far, so that only the first one's is its own.
fn read(export: &Path) -> Result<BTreeMap<String, Measurement>> {
    let context = || format!("cannot read hyperfine's {}", export.display());
    let bytes = std::fs::read(export).with_context(context)?;
    let mut export: Export = serde_json::from_slice(&bytes).with_context(context)?;
    export.results.iter_mut().skip(1).for_each(|later| later.memory_usage_byte.clear());
    Ok(export.results.into_iter().map(|result| (result.command.clone(), result)).collect())
}

/// One run that our own driver made, as hyperfine would state it. Times in seconds.
pub(crate) fn single(command: &str, wall: f64, cpu: Cpu, code: i32) -> Measurement {
    Measurement {
        command: command.to_owned(),
        mean: wall,
        stddev: None,
        median: wall,
        user: cpu.user,
        system: cpu.system,
        min: wall,
        max: wall,
        times: vec![wall],
        memory_usage_byte: Vec::new(),
        exit_codes: vec![Some(code)],
        parameters: BTreeMap::new(),
    }
}

/// Pools single runs of one arm into one result, in the order they were made.
pub(crate) fn pool(command: &str, runs: &[Measurement], arm: &str) -> Measurement {
    let times: Vec<f64> = runs.iter().flat_map(|run| run.times.iter().copied()).collect();
    let mean_of =
        |of: fn(&Measurement) -> f64| runs.iter().map(of).sum::<f64>() / runs.len().max(1) as f64;
    let mean = times.iter().sum::<f64>() / times.len().max(1) as f64;
    let squares: f64 = times.iter().map(|time| (time - mean).powi(2)).sum();
    Measurement {
        command: command.to_owned(),
        mean,
        stddev: (times.len() > 1).then(|| (squares / (times.len() - 1) as f64).sqrt()),
        median: median(&times),
        user: mean_of(|run| run.user),
        system: mean_of(|run| run.system),
        min: times.iter().copied().fold(f64::INFINITY, f64::min),
        max: times.iter().copied().fold(0.0, f64::max),
        memory_usage_byte: runs.iter().flat_map(|run| run.memory_usage_byte.clone()).collect(),
        exit_codes: runs.iter().flat_map(|run| run.exit_codes.clone()).collect(),
        parameters: BTreeMap::from([("arm".to_owned(), arm.to_owned())]),
        times,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arm_is_the_first_in_its_turn() {
        let mut random = Random::new(1);
        let mut order: Vec<usize> = (0..4).collect();
        let mut first = Vec::new();
        for round in 0..=5 {
            draw(&mut random, &mut order, round);
            first.push(order[0]);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
        }
        assert_eq!(first, [3, 0, 1, 2, 3, 0]);
    }

    #[test]
    fn memory_is_told_of_the_first_run_only() {
        let folder = tempfile::tempdir().unwrap();
        let run = |name: &str| {
            let run = single(name, 1.0, Cpu { user: 1.0, system: 0.0 }, 0);
            Measurement { memory_usage_byte: vec![9], ..run }
        };
        let export = folder.path().join("round.json");
        crate::atomic::write_json(&export, &Export { results: vec![run("b"), run("a")] }).unwrap();
        let results = read(&export).unwrap();
        assert_eq!(results["b"].memory_usage_byte, [9]);
        assert!(results["a"].memory_usage_byte.is_empty());
    }

    #[test]
    fn pooled_runs_have_hyperfines_fields() {
        let run = |time: f64| {
            let cpu = Cpu { user: time / 2.0, system: 0.0 };
            Measurement { memory_usage_byte: vec![7], ..single("x", time, cpu, 0) }
        };
        let pooled = pool("dcat x", &[run(1.0), run(2.0), run(6.0)], "pgo");
        assert_eq!((pooled.mean, pooled.median, pooled.min, pooled.max), (3.0, 2.0, 1.0, 6.0));
        assert_eq!(pooled.user, 1.5);
        assert!((pooled.stddev.unwrap() - 7.0_f64.sqrt()).abs() < 1e-12);
        let json = serde_json::to_value(&pooled).unwrap();
        for field in [
            "command",
            "mean",
            "stddev",
            "median",
            "user",
            "system",
            "min",
            "max",
            "times",
            "exit_codes",
            "parameters",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
    }
}
