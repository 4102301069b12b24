//! Whole commands against each other: rounds through hyperfine, each arm once per round in a
//! drawn order, and the figures that follow: a time, or a ratio to the peer of the same round.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::bench::figure::{Figure, Measured, Unit};
use crate::bench::stage::Stage;
use crate::compare::hyperfine::{self, Arm, Export, Measurement};
use crate::compare::statistics::{Estimate, MISSES, estimate, log_ratios, median};
use crate::random::Random;
use crate::{atomic, words};

/// The order of arms and all bootstrap samples come from this seed.
const SEED: u64 = 2026;
/// A run of these commands is a matter of seconds.
const RUN_LIMIT: Duration = Duration::from_secs(300);

/// Where the arms of a contest print to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    /// hyperfine's, which takes the bytes off without looking at them.
    Pipe,
    /// A pipe to a program that reads every byte, as most do: what never was copied on the way in
    /// is copied on the way out.
    Reader,
    File,
    Null,
}

impl Sink {
    /// How a figure names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pipe => "pipe",
            Self::Reader => "pipe to a reader",
            Self::File => "file",
            Self::Null => "/dev/null",
        }
    }
}

impl Sink {
    /// The arm with what reads its output, if that is a program. Its exit code is then the reader's.
    fn fed(self, arm: &Arm) -> Arm {
        if self != Self::Reader {
            return arm.clone();
        }
        let line = format!("{} | dd bs=256k of=/dev/null status=none", words::join(&arm.words));
        Arm { name: arm.name.clone(), words: vec!["sh".to_owned(), "-c".to_owned(), line] }
    }
}

/// Arms that do the same work; the first is ours.
pub(crate) struct Contest {
    pub(crate) name: String,
    pub(crate) arms: Vec<Arm>,
    pub(crate) sink: Sink,
    /// The exit codes that mean success.
    pub(crate) codes: &'static [i32],
    /// Where the arms run, when their words name files relative to it.
    pub(crate) folder: Option<PathBuf>,
}

/// What a contest measured: arm by arm, round by round.
pub(crate) struct Outcomes {
    runs: Vec<Vec<Measurement>>,
}

impl Contest {
    /// A contest whose arms print to a pipe and exit with 0.
    pub(crate) fn new(name: &str, arms: Vec<Arm>) -> Self {
        Self { name: name.to_owned(), arms, sink: Sink::Pipe, codes: &[0], folder: None }
    }

    /// Runs all rounds after one that is dropped, and keeps the raw times as hyperfine does.
    pub(crate) fn run(&self, stage: &Stage<'_>, home: &Path) -> Result<Outcomes> {
        let folder = stage.folder.join("hyperfine");
        let export = folder.join("round.json");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make folder {}", folder.display()))?;
        let mut random = Random::new(SEED);
        let mut order: Vec<usize> = (0..self.arms.len()).collect();
        let mut runs = vec![Vec::new(); self.arms.len()];
        for round in 0..=stage.rounds {
            random.shuffle(&mut order);
            let measured = self.round(stage, home, &order, &export)?;
            for (index, run) in measured.into_iter().enumerate() {
                let code = run.exit_codes.first().copied().flatten();
                let line = words::short(&self.arms[index].words);
                let fine = code.is_some_and(|code| self.codes.contains(&code));
                anyhow::ensure!(fine, "{}: `{line}` exited with {code:?}", self.name);
                if round > 0 {
                    runs[index].push(run);
                }
            }
        }
        let pooled = self.arms.iter().zip(&runs);
        let pooled =
            pooled.map(|(arm, runs)| hyperfine::pool(&words::join(&arm.words), runs, &arm.name));
        let times = folder.join(format!("{}.json", file_name(&self.name)));
        atomic::write_json(&times, &Export { results: pooled.collect() })?;
        Ok(Outcomes { runs })
    }

    /// Every arm once, in the drawn order; results in the order of the arms. Each has a hyperfine of
    /// its own, which would else take the largest memory of all arms so far for that of each.
    fn round(
        &self,
        stage: &Stage<'_>,
        home: &Path,
        order: &[usize],
        export: &Path,
    ) -> Result<Vec<Measurement>> {
        let output = match self.sink {
            Sink::Pipe | Sink::Reader => PathBuf::from("pipe"),
            Sink::Null => PathBuf::from("null"),
            Sink::File => stage.folder.join("output"),
        };
        let program = &stage.hyperfine.path;
        let mut measured = vec![None; self.arms.len()];
        for index in order {
            let arm = self.sink.fed(&self.arms[*index]);
            let command = hyperfine::command(stage.ctx, program, &[&arm], None, &output, export);
            let mut command = Command::from(command);
            surroundings(&mut command, home, self.folder.as_deref());
            let arms = std::slice::from_ref(&arm);
            let run = hyperfine::round(stage.ctx, &mut command, arms, export, RUN_LIMIT)?;
            measured[*index] = run.and_then(|mut run| run.pop());
        }
        let all: Option<Vec<Measurement>> = measured.into_iter().collect();
        all.with_context(|| format!("{}: a run took over {RUN_LIMIT:?}", self.name))
    }
}

/// What every arm finds around it: no keys, agents, known hosts and settings of the user, and for
/// greps the locale in which bytes are characters.
pub(crate) fn surroundings(command: &mut Command, home: &Path, folder: Option<&Path>) {
    command.env("HOME", home).env("SSH_AUTH_SOCK", "").env("LC_ALL", "C");
    for setting in ["RIPGREP_CONFIG_PATH", "GREP_OPTIONS", "GREP_COLORS", "GREP_COLOR"] {
        command.env_remove(setting);
    }
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
}

/// The name of a contest as that of a file.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '.' { c } else { '-' };
    name.chars().map(plain).collect()
}

impl Outcomes {
    fn times(&self, arm: usize) -> Vec<f64> {
        let time = |run: &Measurement| run.times.first().copied().unwrap_or(run.mean);
        self.runs[arm].iter().map(time).collect()
    }

    /// The median time of every arm in seconds, in their order.
    pub(crate) fn medians(&self) -> Vec<f64> {
        (0..self.runs.len()).map(|arm| self.median(arm)).collect()
    }

    /// Our own time in milliseconds or seconds.
    pub(crate) fn time(&self, unit: Unit, limit: f64) -> Measured {
        let scale = if unit == Unit::Milliseconds { 1e3 } else { 1.0 };
        let times: Vec<f64> = self.times(0).iter().map(|time| (time * scale).ln()).collect();
        number(&estimate(&times, SEED, MISSES), unit, limit)
    }

    /// Our time divided by that of the peer in the same round.
    pub(crate) fn ratio(&self, peer: usize, limit: f64) -> Measured {
        let ratios = log_ratios(&self.times(0), &self.times(peer));
        number(&estimate(&ratios, SEED, MISSES), Unit::Ratio, limit)
    }

    /// The median time of an arm, for a note.
    pub(crate) fn median(&self, arm: usize) -> f64 {
        median(&self.times(arm))
    }

    /// The largest resident memory of our runs in megabytes; nothing when this hyperfine is too
    /// old to tell.
    pub(crate) fn memory(&self) -> Option<f64> {
        self.memory_of(0)
    }

    /// The same of any arm.
    pub(crate) fn memory_of(&self, arm: usize) -> Option<f64> {
        let largest = self.runs[arm].iter().flat_map(|run| &run.memory_usage_byte).max();
        largest.map(|bytes| *bytes as f64 / 1e6)
    }
}

/// An estimate of logarithms as a figure.
fn number(estimate: &Estimate, unit: Unit, limit: f64) -> Measured {
    let (value, low, high) = (estimate.median.exp(), estimate.low.exp(), estimate.high.exp());
    Measured::Number { value, low, high, limit, unit }
}

/// The figure of a ratio to each peer, with both medians in its note.
pub(crate) fn against(
    name: &str,
    arms: &[Arm],
    result: &Outcomes,
    limit: &dyn Fn(&Arm) -> f64,
) -> Vec<Figure> {
    let figure = |(peer, arm): (usize, &Arm)| {
        let (ours, theirs) = (result.median(0), result.median(peer));
        let note = format!("{ours:.3} s against {theirs:.3} s of {}", arm.name);
        Figure::new(&format!("{name} / {}", arm.name), result.ratio(peer, limit(arm)), note)
    };
    arms.iter().enumerate().skip(1).map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figure::Outcome;
    use crate::child::Cpu;

    fn result(ours: &[f64], theirs: &[f64]) -> Outcomes {
        let run = |time: &f64| Measurement {
            memory_usage_byte: vec![(time * 1e6) as u64],
            ..hyperfine::single("x", *time, Cpu::default(), 0)
        };
        Outcomes { runs: [ours, theirs].map(|times| times.iter().map(run).collect()).to_vec() }
    }

    #[test]
    fn raw_times_have_a_file_name_of_their_own() {
        assert_eq!(file_name("literal 0.001 %, /dev/null"), "literal-0.001-----dev-null");
    }

    #[test]
    fn a_reader_is_another_program_in_the_same_arm() {
        let arm = Arm { name: "cat".to_owned(), words: vec!["cat".to_owned(), "a b".to_owned()] };
        assert_eq!(Sink::Pipe.fed(&arm).words, arm.words);
        let line = "cat 'a b' | dd bs=256k of=/dev/null status=none";
        assert_eq!(Sink::Reader.fed(&arm).words, ["sh", "-c", line]);
    }

    #[test]
    fn times_and_ratios_have_their_units_and_intervals() {
        let result = result(&[0.03, 0.02, 0.04], &[0.06, 0.04, 0.08]);
        let Measured::Number { value, low, high, .. } = result.time(Unit::Milliseconds, 40.0)
        else {
            panic!("a time is a number")
        };
        assert!((value - 30.0).abs() < 1e-9 && low >= 19.9 && high <= 40.1, "{low} {high}");
        assert_eq!(result.memory(), Some(0.04));
        let arm = |name: &str| Arm { name: name.to_owned(), words: Vec::new() };
        let figures = against("cat", &[arm("dcat"), arm("ssh cat")], &result, &|_| 1.0);
        assert_eq!(figures[0].name, "cat / ssh cat");
        assert_eq!(figures[0].note, "0.030 s against 0.060 s of ssh cat");
        assert_eq!(figures[0].outcome, Outcome::Pass);
        let Measured::Number { value, .. } = figures[0].measured else { panic!("a ratio") };
        assert!((value - 0.5).abs() < 1e-9);
    }
}
