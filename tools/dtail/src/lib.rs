//! The dtail program: follows log files. It has flags and no logic.

use std::process::ExitCode;

use clap::Parser;
use dtail_cli::{CommonArgs, FollowArgs, InputArgs, QueryArgs, SearchArgs, Tool, Typed};

const AFTER_HELP: &str = "\
Examples:
  dtail app.log                                what is added from now on
  dtail -n 100 app.log                         after the last 100 lines
  dtail -n +1 -i -e error app.log              from the beginning, in any case
  dtail --regex ERROR '/var/log/*.log'         only the lines that match
  dtail 'from STATS select $hostname,count($line) group by $hostname' app.log
  dtail --shutdownAfter 60 app.log             for a minute
  dtail --servers web1,web2 --regex ERROR /var/log/app.log     on two hosts
  dtail --discovery 'command:list-hosts web' --transport ssh /var/log/app.log

Exit codes:
  0  all was done, or was stopped by a signal
  2  bad usage, no file could be read, or the output could not be written
  3  some files could not be read or some hosts failed, the others did not
  Files that are missing may appear later: waiting for them is no failure.

DTail's spellings work: -flag and --flag, camelCase and kebab-case, -flag=value and -flag value.";

/// Follow log files as they grow, or aggregate what is added
#[derive(Debug, Parser)]
#[command(name = "dtail", after_help = AFTER_HELP)]
struct Dtail {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    query: QueryArgs,
    #[command(flatten)]
    follow: FollowArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    dtail_cli::main(|args: Dtail| Typed {
        tool: Tool::Dtail,
        input: args.input,
        common: args.common,
        search: Some(args.search),
        grep: None,
        number: None,
        query: Some(args.query),
        follow: Some(args.follow),
    })
}
