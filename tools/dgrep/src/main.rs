//! The dgrep program: prints the lines that match. It has flags and no logic.

use std::process::ExitCode;

use clap::Parser;
use dtail_cli::{CommonArgs, InputArgs, SearchArgs, Tool, Typed};

const AFTER_HELP: &str = "\
Examples:
  dgrep --regex 'ERROR|WARN' app.log           the lines that match
  dgrep --grep timeout --before 3 app.log.gz   and three lines before each
  dgrep --plain --regex DEBUG --invert app.log the lines that do not match
  dgrep --regex panic --max 1 '*.log'          the first of each file
  dgrep --servers hosts.txt --grep ERROR '/var/log/app/*.log'   on all hosts of a list

Exit codes:
  0  all was done, and a line matched
  1  no line matched
  2  bad usage, no file could be read, or the output could not be written
  3  some files could not be read or some hosts failed, the others did not
  130, 143  stopped by SIGINT, SIGTERM

DTail's spellings work: -flag and --flag, camelCase and kebab-case, -flag=value and -flag value.";

/// Print the lines of log files that match a regular expression
#[derive(Debug, Parser)]
#[command(name = "dgrep", after_help = AFTER_HELP)]
struct Dgrep {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    common: CommonArgs,
}

fn main() -> ExitCode {
    dtail_cli::main(|args: Dgrep| Typed {
        tool: Tool::Dgrep,
        input: args.input,
        common: args.common,
        search: Some(args.search),
        query: None,
        follow: None,
    })
}
