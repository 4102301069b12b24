//! The command tree as clap types; the doc comments are the help.

mod keys;
pub(crate) mod proof;
mod ship;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use crate::cli::keys::{Check, Rebase, Share};
pub(crate) use crate::cli::ship::{
    Ci, CiCommand, Codegen, Dist, Gate, ReportPage, RunJob, Uninstall,
};

/// Builds, trains, proves and installs profile-guided binaries of this workspace.
///
/// Exit codes: 0 ok · 1 a build or command failed · 2 usage · 3 toolchain unsuitable ·
/// 4 training integrity · 5 profile quality · 6 stale profile · 7 optimised program differs, or a bar was missed ·
/// 8 inconclusive (only with --require-clear) · 9 not reproducible · 10 this machine (disk, files) ·
/// 11 documentation drifted · 130 interrupted.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, subcommand_required = true)]
#[command(arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// The whole pipeline: build, train, merge, build again, verify, compare, report; the
    /// accepted profiles are then written to --profile-dir
    Pgo(Pipeline),
    /// The same in minutes: small data, few rounds; leaves --profile-dir alone
    PgoQuick(Pipeline),
    /// Train and refresh the profiles in --profile-dir; no optimised build, no comparison
    PgoGenerate(Pipeline),
    /// Build with the profiles in --profile-dir, without training
    BuildPgo(Build),
    /// Install what build-pgo made, stripped, with its manifest inside
    InstallPgo(Install),
    /// Tell how much of the profiles today's build can still use
    PgoCheck(Check),
    /// Give what is in the profiles the names of today's build, instead of training anew
    PgoRebase(Rebase),
    /// Show a tool's profile, a profile file, or the profile an installed program was built with
    PgoShow(Show),
    /// Make the page report.html anew from a report.json
    PgoReport(ReportPage),
    /// Remove what the pipeline made; profiles in --profile-dir stay
    PgoClean(Clean),
    /// Train on each tool, measure on each tool: what a profile of the whole family costs
    PgoMatrix(Pipeline),
    /// Make the inputs of the workloads, nothing else
    PgoInputs(Pipeline),
    /// Check the toolchain and the machine, mend what can be mended, say how to mend the rest
    Doctor(Doctor),
    /// Run one workload case with a program of your choice and print what it did
    RunCase(RunCase),
    /// Check the rules of the house and report every offence
    Tidy,
    /// Make the generated parts of docs/ anew: what programs and code say of themselves
    Codegen(Codegen),
    /// Measure what a release promises, side by side with its peers
    #[command(subcommand)]
    Bench(Bench),
    /// Record where the tools spend time and memory, and show the largest functions
    #[command(subcommand)]
    Profile(Profile),
    /// Feed random bytes to the parsers of foreign bytes (tools/fuzz)
    Fuzz(Fuzz),
    /// Pack what build-pgo made: archive, .deb, .rpm, bill of materials, checksums
    Dist(Dist),
    /// Remove what install-pgo installed, and nothing else
    UninstallPgo(Uninstall),
    /// Everything CI checks: fmt, clippy, tests, workload cases, tidy, a tiny pgo run and its gates
    Ci(Ci),
}

/// What the commands of the family share.
#[derive(Args, Clone, Default)]
pub(crate) struct Common {
    /// Tools to work on (default: every tool with a file in workloads/)
    #[arg(value_name = "TOOL")]
    pub(crate) tools: Vec<String>,
    /// Folder of the profiles, below it one folder per target
    #[arg(long, value_name = "DIR", default_value = "pgo-profiles")]
    pub(crate) profile_dir: PathBuf,
    /// Folder of everything that is made [default: target/pgo, pgo-quick: target/pgo-quick]
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: Option<PathBuf>,
    /// Target triple to build for (default: this machine's)
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,
    /// Profile of Cargo.toml that every flavour is built with [default: dist, pgo-quick: dist-quick]
    #[arg(long, value_name = "NAME")]
    pub(crate) cargo_profile: Option<String>,
    /// One profile and one build per tool, instead of one family profile for all
    #[arg(long)]
    pub(crate) per_tool: bool,
    /// Print the commands, in a form that can be pasted, and run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Show the output of every command
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Workspace to work on: a folder with Cargo.toml and workloads/ (default: this one)
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub(crate) struct Pipeline {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Training runs of each case [default: 3, pgo-quick: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) iterations: Option<u32>,
    /// Lines of an input of scale 1 [default: 300000, pgo-quick: 100000]
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    pub(crate) data_size: Option<u64>,
    /// Rounds of the comparison [default: 20, pgo-quick: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=1000))]
    pub(crate) rounds: Option<u32>,
    /// Rounds that a case may get when it is not clear after --rounds [default: as --rounds]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=1000))]
    pub(crate) max_rounds: Option<u32>,
    /// Fail (7) if a case or a tool has become slower by more than this, beyond doubt: 2%
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) gate: Option<f64>,
    /// Publish profiles though they fell far behind the published ones
    #[arg(long)]
    pub(crate) accept_drop: bool,
    /// Train on your own log files (quote the pattern); half of each file is kept for evaluation
    #[arg(long, value_name = "GLOB")]
    pub(crate) corpus: Option<String>,
    /// Weigh the training cases of one tool so that they resemble this CPU profile of it: a file,
    /// or http://host:6060/debug/pprof/profile?seconds=30 of a running program
    #[arg(long = "from-pprof", value_name = "FILE|URL")]
    pub(crate) from_pprof: Option<String>,
    /// Train with programs that count in bursts, as a canary in production can bear, and say what
    /// counting always and in bursts cost
    #[arg(long)]
    pub(crate) sampled: bool,
    /// Take up an earlier run at this stage (see the stage table)
    #[arg(long, value_name = "STAGE")]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) proof: proof::Proof,
}

/// `2%` or `2`, as 2.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end().parse::<f64>();
    let number = number.ok().filter(|number| (0.0..100.0).contains(number));
    number.ok_or_else(|| "a percentage from 0 to below 100, such as 2%".to_owned())
}

#[derive(Args, Clone)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Install the result too
    #[arg(long)]
    pub(crate) install: bool,
    /// Where --install puts it (default: Cargo's home, usually ~/.cargo)
    #[arg(long, value_name = "DIR", requires = "install")]
    pub(crate) prefix: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub(crate) struct Install {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Programs go to DIR/bin (default: Cargo's home, usually ~/.cargo)
    #[arg(long, value_name = "DIR")]
    pub(crate) prefix: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Show {
    /// A tool's name, a .profdata or .profraw file, or an installed program
    #[arg(value_name = "TOOL|FILE")]
    pub(crate) what: PathBuf,
    /// How many hot functions to list
    #[arg(short = 'n', long, default_value_t = 15)]
    pub(crate) top: usize,
    /// Folder of the profiles
    #[arg(long, value_name = "DIR", default_value = "pgo-profiles")]
    pub(crate) profile_dir: PathBuf,
    /// Target triple of the profile (default: this machine's)
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,
}

#[derive(Args)]
pub(crate) struct Clean {
    /// Folder to remove [default: target/pgo and target/pgo-quick]
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Doctor {
    /// Only look, change nothing
    #[arg(long)]
    pub(crate) no_mend: bool,
}

#[derive(Args)]
pub(crate) struct RunCase {
    /// The tool whose case it is
    pub(crate) tool: String,
    /// The case's name, as in workloads/<tool>.toml
    pub(crate) case: String,
    /// The program to run
    #[arg(long, value_name = "FILE")]
    pub(crate) bin: PathBuf,
    /// Where the programs are that run beside it, a server or its clients [default: the folder of --bin]
    #[arg(long, value_name = "DIR")]
    pub(crate) companions: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) inputs: CaseInputs,
}

/// Which inputs a single case reads; must equal the run that made them.
#[derive(Args, Clone)]
pub(crate) struct CaseInputs {
    /// Lines of an input of scale 1
    #[arg(long, value_name = "LINES", default_value_t = 100_000)]
    pub(crate) data_size: u64,
    /// Where inputs are made and kept
    #[arg(long, value_name = "DIR", default_value = "target/pgo")]
    pub(crate) out_dir: PathBuf,
    /// Your own log files instead of generated ones
    #[arg(long, value_name = "GLOB")]
    pub(crate) corpus: Option<String>,
    /// Workspace whose workloads/ are meant (default: this one)
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// What the evaluation cases of workloads/ cost today
    Run(BenchCases),
    /// The same, and put the programs aside under a tag
    Save {
        /// Letters, digits, '.', '_' and '-'
        tag: String,
        #[command(flatten)]
        cases: BenchCases,
    },
    /// Run today's programs beside the saved ones and fail (7) where they are slower
    Compare {
        /// A tag of `bench save`
        tag: String,
        #[command(flatten)]
        cases: BenchCases,
    },
    /// List what is saved
    List {
        /// Folder of everything that is made
        #[arg(long, value_name = "DIR", default_value = "target/pgo")]
        out_dir: PathBuf,
    },
    /// Remove saved tags
    Clean(BenchClean),
    /// Sessions through dserver beside OpenSSH, a thousand hosts, a stalled client, a killed server
    Server(BenchServer),
    /// Searching beside ripgrep, grep and ugrep: single files, many, compressed
    Dgrep(BenchLocal),
    /// Copying beside cat; prefixes and colours
    Dcat(BenchLocal),
    /// Aggregating beside DuckDB, Polars, chdb, mawk and ripgrep
    Dmap(BenchLocal),
    /// Following a log that grows fast and is rotated; from write to print
    Dtail(BenchDtail),
    /// What CPU and heap profiles cost dcat, dgrep and dmap
    Profile(crate::bench::recording::BenchProfile),
    /// The writer of `bench dtail`, a process of its own
    #[command(hide = true)]
    Writer(BenchWriter),
}

/// How the programs of a bench are had, and where its figures go.
#[derive(Args)]
pub(crate) struct BenchCommon {
    /// Where the figures go [default: target/pgo/bench-<what>.json]
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Profile of Cargo.toml that the programs are built with
    #[arg(long, value_name = "NAME", default_value = "dist")]
    pub(crate) cargo_profile: String,
    /// Measure the programs in this folder instead of building them
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: Option<PathBuf>,
    /// Folder of everything that is made
    #[arg(long, value_name = "DIR", default_value = "target/pgo")]
    pub(crate) out_dir: PathBuf,
    /// Show the output of every command
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Args)]
pub(crate) struct BenchCases {
    /// Tools whose cases are run (default: every tool with a file in workloads/)
    #[arg(value_name = "TOOL")]
    pub(crate) tools: Vec<String>,
    /// Rounds of each case [default: 12, --quick: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=1000))]
    pub(crate) rounds: Option<u32>,
    /// Lines of an input of scale 1 [default: 300000, --quick: 100000]
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    pub(crate) data_size: Option<u64>,
    /// Small data, few rounds, and programs without link-time optimisation (profile dist-quick)
    #[arg(long)]
    pub(crate) quick: bool,
    /// Profile of Cargo.toml that the programs are built with [default: dist, --quick: dist-quick]
    #[arg(long, value_name = "NAME")]
    cargo_profile: Option<String>,
    /// Measure the programs in this folder instead of building them
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: Option<PathBuf>,
    /// Run each case once more with --profile
    #[arg(long)]
    pub(crate) profile: bool,
    /// Folder of everything that is made
    #[arg(long, value_name = "DIR", default_value = "target/pgo")]
    pub(crate) out_dir: PathBuf,
    /// Show the output of every command
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

impl BenchCases {
    /// The profile the programs are built with.
    pub(crate) fn cargo_profile(&self) -> &str {
        let usual = if self.quick { "dist-quick" } else { "dist" };
        self.cargo_profile.as_deref().unwrap_or(usual)
    }
}

#[derive(Args)]
pub(crate) struct BenchClean {
    /// Tags to remove (default: all but the newest)
    #[arg(value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// How many of the newest stay when no tag is named
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) keep: usize,
    /// Folder of everything that is made
    #[arg(long, value_name = "DIR", default_value = "target/pgo")]
    pub(crate) out_dir: PathBuf,
}

#[derive(Args)]
pub(crate) struct BenchLocal {
    #[command(flatten)]
    pub(crate) common: BenchCommon,
    /// Rounds of each contest: every arm once per round, in shuffled order [default: 12, --quick: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=1000))]
    pub(crate) rounds: Option<u32>,
    /// Bytes of the large log; the compressed ones are made of a tenth [default: 1000000000, --quick: 100000000]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1_000_000..=100_000_000_000))]
    pub(crate) data_size: Option<u64>,
    /// Small data and few rounds
    #[arg(long)]
    pub(crate) quick: bool,
    /// One more peer that takes ripgrep's options, such as rg15=/opt/rg15/rg, or for `bench dmap`
    /// those of DTail's dmap; may be repeated
    #[arg(long, value_name = "NAME=PATH", value_parser = crate::bench::peers::named)]
    pub(crate) peer: Vec<(String, PathBuf)>,
    /// Only contests whose names contain this, such as zstd; may be repeated
    #[arg(long, value_name = "TEXT", conflicts_with = "growth")]
    pub(crate) only: Vec<String>,
    /// Measure how cost grows with the size (up to five times the large log) and with the number
    /// of patterns, instead of the bars
    #[arg(long)]
    pub(crate) growth: bool,
    /// Copy the tables and plots of --growth to docs/bench
    #[arg(long, requires = "growth")]
    pub(crate) docs: bool,
}

#[derive(Args)]
pub(crate) struct BenchDtail {
    #[command(flatten)]
    pub(crate) common: BenchCommon,
    /// Megabytes (of a million bytes) that are written each second [default: 200, --quick: 50]
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) rate: Option<u64>,
    /// How long each way of rotating is written for [default: 60, --quick: 6]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=86_400))]
    pub(crate) seconds: Option<u64>,
    /// Milliseconds between rotations [default: 5000, --quick: 1000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    pub(crate) rotate: Option<u64>,
    /// Ways of rotating to measure [default: all]
    #[arg(long, value_enum)]
    pub(crate) mode: Vec<crate::bench::writer::Mode>,
    /// Single lines that are timed from write to print [default: 300, --quick: 60]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub(crate) probes: Option<u32>,
    /// A short run
    #[arg(long)]
    pub(crate) quick: bool,
}

#[derive(Args)]
pub(crate) struct BenchWriter {
    /// The log
    pub(crate) log: PathBuf,
    /// Bytes each second
    #[arg(long)]
    pub(crate) rate: u64,
    /// For so many seconds
    #[arg(long)]
    pub(crate) seconds: u64,
    /// Milliseconds between rotations
    #[arg(long)]
    pub(crate) rotate: u64,
    #[arg(long, value_enum)]
    pub(crate) mode: crate::bench::writer::Mode,
}

#[derive(Args)]
pub(crate) struct BenchServer {
    /// Rounds of each contest: every arm once per round, in shuffled order
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(3..=1000))]
    pub(crate) rounds: u32,
    /// Where the figures go [default: target/pgo/bench-server.json]
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Profile of Cargo.toml that the programs are built with
    #[arg(long, value_name = "NAME", default_value = "dist")]
    pub(crate) cargo_profile: String,
    /// Measure the programs in this folder instead of building them
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: Option<PathBuf>,
    /// What runs on the host for the group-by contest; {file} is the log [default: python duckdb]
    #[arg(long, value_name = "COMMAND")]
    pub(crate) group_by_peer: Option<String>,
    /// A whole command of DTail's own dcat over its own server, as one more arm; {file} is the log
    #[arg(long, value_name = "COMMAND")]
    pub(crate) dtail_cat: Option<String>,
    /// Show the output of every command
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Subcommand)]
pub(crate) enum Profile {
    /// One case each of dcat, dgrep and dmap
    Quick(ProfileRun),
    /// Every evaluation case of every tool, with large inputs
    Full(ProfileRun),
    /// One case of every tool that has a file in workloads/
    Auto(ProfileRun),
    /// The evaluation cases of dcat
    Dcat(ProfileRun),
    /// The evaluation cases of dgrep
    Dgrep(ProfileRun),
    /// The evaluation cases of dmap
    Dmap(ProfileRun),
    /// The evaluation cases of dtail
    Dtail(ProfileRun),
    /// The evaluation cases of dserver
    Dserver(ProfileRun),
    /// The profiles that were written
    List {
        /// Folder of the profiles
        #[arg(long, value_name = "DIR", default_value = PROFILES)]
        dir: PathBuf,
    },
    /// The ten largest functions of a profile, and how to look further
    Analyze {
        /// A profile in pprof format
        file: PathBuf,
        #[command(flatten)]
        view: ProfileView,
    },
    /// A page with flame graph and table, on this machine
    Web {
        /// A profile in pprof format
        file: PathBuf,
        #[command(flatten)]
        view: ProfileView,
    },
    /// Remove the profiles that were written
    Clean {
        /// Folder of the profiles
        #[arg(long, value_name = "DIR", default_value = PROFILES)]
        dir: PathBuf,
    },
}

/// Where recorded profiles go.
const PROFILES: &str = "target/profiles";

/// How tools are recorded.
#[derive(Args)]
pub(crate) struct ProfileRun {
    /// Folder of the profiles
    #[arg(long, value_name = "DIR", default_value = PROFILES)]
    pub(crate) dir: PathBuf,
    /// Only the case of this name, as in workloads/<tool>.toml
    #[arg(long, value_name = "NAME")]
    pub(crate) case: Option<String>,
    /// Lines of an input of scale 1 [default: 300000, full: 3000000]
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    pub(crate) data_size: Option<u64>,
    /// Profile of Cargo.toml that the programs are built with
    #[arg(long, value_name = "NAME", default_value = "dist")]
    pub(crate) cargo_profile: String,
    /// Folder of everything else that is made
    #[arg(long, value_name = "DIR", default_value = "target/pgo")]
    pub(crate) out_dir: PathBuf,
    /// Show the output of every command
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// How dprofile is had.
#[derive(Args)]
pub(crate) struct ProfileView {
    /// Profile of Cargo.toml that dprofile is built with
    #[arg(long, value_name = "NAME", default_value = "dist")]
    pub(crate) cargo_profile: String,
    /// Folder of what is built
    #[arg(long, value_name = "DIR", default_value = "target/pgo")]
    pub(crate) out_dir: PathBuf,
}

impl Default for ProfileView {
    fn default() -> Self {
        Self { cargo_profile: "dist".to_owned(), out_dir: "target/pgo".into() }
    }
}

#[derive(Args)]
pub(crate) struct Fuzz {
    /// Targets to run (default: all of tools/fuzz)
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
