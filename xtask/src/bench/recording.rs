//! What recording costs a program: the same run with a CPU profile, with a heap profile and with
//! neither, and, if there are such programs, beside builds that cannot record. It reads no profile.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::bench::answers::Order;
use crate::bench::contest::Contest;
use crate::bench::figure::Figure;
use crate::bench::logs;
use crate::bench::searching::Collected;
use crate::bench::stage::Stage;
use crate::cli::BenchCommon;
use crate::compare::hyperfine::Arm;
use crate::workload::generate::Generator;

/// The programs that are recorded.
pub(crate) const TOOLS: [&str; 3] = ["dcat", "dgrep", "dmap"];
/// What a CPU profile may take of the time without one, and what a heap profile may.
const CPU_LIMIT: f64 = 1.02;
const HEAP_LIMIT: f64 = 1.15;
/// What being able to record may cost while nothing is recorded.
const OFF_LIMIT: f64 = 1.005;
/// The large log is read so often in one run that the run takes seconds, as the runs that people
/// profile: naming and writing a profile takes the same time however long the run was.
const TIMES: usize = 25;
/// Starts take milliseconds, so many are cheap.
const START_ROUNDS: u32 = 5;
/// Lines of the small log.
const SMALL_LINES: u64 = 100;
const CODES: &[i32] = &[0, 1];
const QUERY: &str =
    "from STATS select count($line),avg(currentConnections),$hour group by $hour order by $hour";

#[derive(Args)]
pub(crate) struct BenchProfile {
    #[command(flatten)]
    pub(crate) common: BenchCommon,
    /// Rounds of each contest: every arm once per round, in shuffled order [default: 12, --quick: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=1000))]
    rounds: Option<u32>,
    /// Bytes of the logs, which are read 25 times in a run [default: 400000000, --quick: 50000000]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(100_000..=100_000_000_000))]
    data_size: Option<u64>,
    /// Small data and few rounds: the figures are told, none has a bar
    #[arg(long)]
    quick: bool,
    /// Only contests whose names contain this, such as dmap or heap; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Vec<String>,
    /// Programs of the same sources that cannot record, to measure what that costs while it is off
    #[arg(long, value_name = "DIR")]
    without: Option<PathBuf>,
}

impl BenchProfile {
    /// Rounds, and bytes of a log.
    pub(crate) fn sizes(&self) -> (u32, u64) {
        let (rounds, bytes) = if self.quick { (5, 50_000_000) } else { (12, 400_000_000) };
        (self.rounds.unwrap_or(rounds), self.data_size.unwrap_or(bytes))
    }

    fn bar(&self, limit: f64) -> f64 {
        if self.quick { f64::INFINITY } else { limit }
    }
}

/// The figures of all three programs.
pub(crate) fn figures(stage: &Stage<'_>, options: &BenchProfile) -> Result<Vec<Figure>> {
    let bytes = options.sizes().1;
    let mut all = Collected { figures: Vec::new(), memory: None };
    let service = logs::service(stage, bytes)?;
    let mapreduce = logs::of(stage, Generator::Mapreduce, bytes)?;
    let small = logs::lines(stage, Generator::Mapreduce, SMALL_LINES)?;
    for tool in TOOLS {
        let program = stage.program(tool)?;
        let log = if tool == "dmap" { &mapreduce } else { &service };
        let logs = vec![log.display().to_string(); TIMES];
        let off = || arm("off", &program, &[], tool, &logs);
        let folder = stage.folder.join("profiles").display().to_string();
        for (kind, flag, limit) in
            [("CPU", "--cpuprofile", CPU_LIMIT), ("heap", "--memprofile", HEAP_LIMIT)]
        {
            let on = arm(kind, &program, &[flag, "--profiledir", &folder], tool, &logs);
            let contest = contest(&format!("{tool}, {kind} profile"), vec![on, off()]);
            all.hold(stage, &contest, Order::Fixed, &|_| options.bar(limit))?;
        }
        let Some(without) = &options.without else { continue };
        let without = std::path::absolute(without)?.join(tool);
        beside(stage, options, tool, (&program, &without), &logs, &mut all)?;
        let small = [small.display().to_string()];
        let many =
            Stage { rounds: stage.rounds * START_ROUNDS, folder: stage.folder.clone(), ..*stage };
        beside(&many, options, &format!("{tool} start"), (&program, &without), &small, &mut all)?;
    }
    Ok(all.figures)
}

/// A program that could record beside one that cannot.
fn beside(
    stage: &Stage<'_>,
    options: &BenchProfile,
    name: &str,
    (program, without): (&str, &Path),
    logs: &[String],
    all: &mut Collected,
) -> Result<()> {
    let tool = name.split(' ').next().unwrap_or(name);
    let without = without.display().to_string();
    let arms = vec![arm("off", program, &[], tool, logs), arm("none", &without, &[], tool, logs)];
    let contest = contest(&format!("{name}, nothing recorded"), arms);
    all.hold(stage, &contest, Order::Fixed, &|_| options.bar(OFF_LIMIT))
}

fn contest(name: &str, arms: Vec<Arm>) -> Contest {
    Contest { codes: CODES, ..Contest::new(name, arms) }
}

fn arm(name: &str, program: &str, flags: &[&str], tool: &str, logs: &[String]) -> Arm {
    let own: &[&str] = match tool {
        "dgrep" => &["--color", "never", "--regex", "duration: 4[0-9]{3}ms"],
        "dmap" => &["--output", "csv", "--query", QUERY],
        _ => &["--color", "never"],
    };
    let words = [program, "--cfg", "none"].into_iter().chain(flags.iter().copied());
    let words = words.chain(own.iter().copied()).map(str::to_owned);
    Arm { name: name.to_owned(), words: words.chain(logs.iter().cloned()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;
    use clap::Parser as _;

    fn parsed(words: &[&str]) -> BenchProfile {
        let all = ["xtask", "bench", "profile"].iter().chain(words);
        match cli::Cli::parse_from(all).command {
            cli::Command::Bench(cli::Bench::Profile(options)) => options,
            _ => panic!("another command"),
        }
    }

    #[test]
    fn a_quick_run_has_no_bars() {
        let (full, quick) = (parsed(&[]), parsed(&["--quick", "--rounds", "7"]));
        assert_eq!((full.sizes(), quick.sizes()), ((12, 400_000_000), (7, 50_000_000)));
        assert!((full.bar(CPU_LIMIT) - 1.02).abs() < 1e-9 && quick.bar(CPU_LIMIT).is_infinite());
    }

    #[test]
    fn arms_differ_in_their_flags_only() {
        let logs = ["a.log".to_owned()];
        for tool in TOOLS {
            let off = arm("off", "/p", &[], tool, &logs);
            let mut on = arm("CPU", "/p", &["--cpuprofile"], tool, &logs);
            assert_eq!(on.words.remove(3), "--cpuprofile");
            assert_eq!(on.words, off.words);
        }
    }
}
