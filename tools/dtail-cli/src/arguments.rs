//! The flags as clap types; their doc comments are the help. DTail's names and defaults.
//! Meaning is given to them elsewhere.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dtail_process::log::{Level, Logger};
use dtail_process::profiling::ProfilingArgs;

mod selection;

pub(crate) use selection::{BinaryChoice, StartArg};
pub use selection::{GrepArgs, NumberArgs, SearchArgs};

const FILES: &str = "Files";
const SELECTION: &str = "Selecting lines";
const QUERY: &str = "Query";
const FOLLOWING: &str = "Following";
const OUTPUT: &str = "Output";
const DIAGNOSTICS: &str = "Configuration and diagnostics";
const REMOTE: &str = "Remote hosts";

/// When to colour the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Also into files and pipes.
    Always,
    /// Not at all.
    Never,
}

/// In which form results are written, if not in DTail's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputChoice {
    /// An array with an object per row.
    Json,
    /// An object per row and line.
    Jsonl,
    /// Comma separated values.
    Csv,
    /// Tab separated values.
    Tsv,
    /// A table of GitHub's Markdown.
    Markdown,
    /// Apache Parquet.
    Parquet,
}

/// What is read: every client.
#[derive(Debug, Clone, Args)]
pub struct InputArgs {
    /// Files or globs, when --files is not given; `-` is standard input
    #[arg(value_name = "FILE", help_heading = FILES)]
    pub(crate) arguments: Vec<OsString>,
    /// Files or globs, separated by commas
    #[arg(long, value_name = "LIST", help_heading = FILES)]
    pub(crate) files: Option<OsString>,
}

/// How it is shown, and everything else: every client.
#[derive(Debug, Clone, Args)]
pub struct CommonArgs {
    /// Only the lines themselves, no `REMOTE|…|` in front
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) plain: bool,
    /// When to colour the output [default: auto]
    #[arg(long, value_enum, value_name = "WHEN", hide_possible_values = true, help_heading = OUTPUT)]
    #[arg(help = "When to colour the output: auto, always or never [default: auto]")]
    pub(crate) color: Option<ColorChoice>,
    /// The same as --color never
    #[arg(long = "noColor", help_heading = OUTPUT)]
    pub(crate) no_color: bool,
    /// No warnings, only errors
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) quiet: bool,
    /// DTail's own results where ours are better: averages, minima, grouping, diagnostics on
    /// standard output (see docs/differences.md)
    #[arg(long = "strict-dtail", help_heading = OUTPUT)]
    pub(crate) strict_dtail: bool,

    /// Configuration file; `none` ignores all
    /// [default: ~/.config/dtail/dtail.conf, else ~/.dtail.conf]
    #[arg(long, value_name = "FILE", help_heading = DIAGNOSTICS)]
    pub(crate) cfg: Option<PathBuf>,
    /// Where diagnostics go: none, stdout (the terminal), file, fout (both) [default: fout]
    #[arg(long, value_name = "NAME", help_heading = DIAGNOSTICS)]
    pub(crate) logger: Option<Logger>,
    /// none fatal error warn info default verbose debug devel trace all [default: warn]
    #[arg(long = "logLevel", value_name = "LEVEL", help_heading = DIAGNOSTICS)]
    pub(crate) log_level: Option<Level>,
    /// Directory of the log file, which is made when there is something to log
    #[arg(long = "logDir", value_name = "DIR", default_value = "~/log", help_heading = DIAGNOSTICS)]
    pub(crate) log_dir: PathBuf,
    /// Write the lines that are printed to the log file, too
    #[arg(long = "log-payload", help_heading = DIAGNOSTICS)]
    pub(crate) log_payload: bool,
    /// Print the version
    #[arg(long, help_heading = DIAGNOSTICS)]
    pub(crate) version: bool,

    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    #[command(flatten)]
    pub(crate) profiling: ProfilingArgs,
}

/// How remote hosts are reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransportChoice {
    /// By our own SSH.
    #[default]
    Native,
    /// By the user's ssh program.
    Ssh,
}

/// Flags about remote hosts. All but the first two mean nothing without those.
#[derive(Debug, Clone, Args)]
pub(crate) struct RemoteArgs {
    /// Hosts: a list of [user@]host[:port] separated by commas, a file with one per line, or
    /// /regex/ to choose among those of --discovery; empty or `serverless` reads local files
    #[arg(long, value_name = "LIST", help_heading = REMOTE)]
    pub(crate) servers: Option<String>,
    /// How to find the hosts: comma[:LIST], file[:PATH] or command:PROGRAM, which prints one per line
    #[arg(long, value_name = "MODULE", help_heading = REMOTE)]
    pub(crate) discovery: Option<String>,
    /// SSH port of hosts named without one [default: 2222]
    #[arg(long, value_name = "PORT", help_heading = REMOTE)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// SSH user [default: yours]
    #[arg(long, value_name = "NAME", help_heading = REMOTE)]
    pub(crate) user: Option<String>,
    /// Accept unknown host keys without asking; a changed one is an error all the same
    #[arg(long = "trustAllHosts", help_heading = REMOTE)]
    pub(crate) trust_all_hosts: bool,
    /// Connections being made at once per processor
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = REMOTE)]
    pub(crate) cpc: usize,
    /// native: our own SSH; ssh: your ssh program and the subsystem `dtail` of the hosts' sshd
    #[arg(long, value_enum, value_name = "NAME", default_value = "native", help_heading = REMOTE)]
    #[arg(hide_possible_values = true)]
    pub(crate) transport: TransportChoice,
    /// Program and first arguments for --transport ssh, such as 'ssh -F file'
    #[arg(long = "ssh-command", value_name = "COMMAND", default_value = "ssh", help_heading = REMOTE)]
    pub(crate) ssh_command: String,
    /// Private key tried first, and registered with the servers for quick logins
    #[arg(long = "auth-key-path", value_name = "FILE", help_heading = REMOTE)]
    pub(crate) auth_key_path: Option<PathBuf>,
    /// Old name of --auth-key-path
    #[arg(long, value_name = "FILE", help_heading = REMOTE)]
    pub(crate) key: Option<PathBuf>,
    /// Do not register a key with the servers
    #[arg(long = "no-auth-key", help_heading = REMOTE)]
    pub(crate) no_auth_key: bool,
    /// Use only this key of the SSH agent, counted from 0; -1 means all
    #[arg(long = "agentKeyIndex", value_name = "N", default_value_t = -1, help_heading = REMOTE)]
    pub(crate) agent_key_index: i64,
    /// Keep the session open and read commands from a terminal; :help there lists them
    #[arg(long = "interactive-query", help_heading = REMOTE)]
    pub(crate) interactive_query: bool,
    /// The terminal of --interactive-query
    #[arg(long = "control-tty", value_name = "FILE", default_value = "/dev/tty", help_heading = REMOTE)]
    pub(crate) control_tty: PathBuf,
}

/// Aggregation: dmap, dtail.
#[derive(Debug, Clone, Args)]
pub struct QueryArgs {
    /// What to aggregate; an argument containing `select ` is taken for it, too
    #[arg(long, value_name = "QUERY", help_heading = QUERY)]
    pub(crate) query: Option<String>,
    /// Stop collecting after this many seconds; 0: never
    #[arg(long, value_name = "SECONDS", default_value_t = 0, help_heading = QUERY)]
    pub(crate) timeout: u64,
    /// Form of results, also in an outfile: json, jsonl (an object per line), csv, tsv, markdown or
    /// parquet [default: a table, and csv in an outfile]
    #[arg(long, value_enum, value_name = "FORM", hide_possible_values = true, help_heading = QUERY)]
    pub(crate) output: Option<OutputChoice>,
    /// Print how the query is carried out and which fields the beginning of the first file has
    #[arg(long, help_heading = QUERY)]
    pub(crate) explain: bool,
}

/// What only dtail can do.
#[derive(Debug, Clone, Args)]
pub struct FollowArgs {
    /// Stop following after this many seconds; 0: never
    #[arg(
        long = "shutdownAfter",
        value_name = "SECONDS",
        default_value_t = 86400,
        help_heading = FOLLOWING
    )]
    pub(crate) shutdown_after: u64,
    /// Print every colour and attribute, and end
    #[arg(long = "colorTable", help_heading = OUTPUT)]
    pub(crate) color_table: bool,
    /// The same, with several colours on a line
    #[arg(long = "wideColorTable", help_heading = OUTPUT)]
    pub(crate) wide_color_table: bool,
    /// Begin so many lines before the end, or with +1 at the beginning [default: 0]
    #[arg(short = 'n', long, value_name = "LINES", help_heading = FOLLOWING)]
    pub(crate) lines: Option<StartArg>,
    /// Begin so many bytes before the end, or with +1 at the beginning
    #[arg(short = 'c', long, value_name = "BYTES", help_heading = FOLLOWING)]
    pub(crate) bytes: Option<StartArg>,
    /// For users of tail: dtail follows anyway, and by name
    #[arg(short = 'f', long, help_heading = FOLLOWING)]
    pub(crate) follow: bool,
    /// The same
    #[arg(short = 'F', long = "follow-name", help_heading = FOLLOWING)]
    pub(crate) follow_name: bool,
    /// Gone: use dtailhealth
    #[arg(long = "checkHealth", hide = true)]
    pub(crate) check_health: bool,
}

#[cfg(test)]
mod tests;
