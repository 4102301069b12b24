//! The dcat program: prints log files. It has flags and no logic.

use std::process::ExitCode;

use clap::Parser;
use dtail_cli::{CommonArgs, InputArgs, NumberArgs, Tool, Typed};

const AFTER_HELP: &str = "\
Examples:
  dcat --plain app.log.gz app.log       decompressed and one after the other
  dcat --plain -n app.log               with numbers, as cat -n
  dcat '/var/log/app/*.log'             with host, line number and file name
  journalctl -u app | dcat              from standard input
  dcat --servers web1,web2 /var/log/app.log   from those hosts

Exit codes:
  0  all was done
  2  bad usage, no file could be read, or the output could not be written
  3  some files could not be read or some hosts failed, the others did not
  130, 143  stopped by SIGINT, SIGTERM

DTail's spellings work: -flag and --flag, camelCase and kebab-case, -flag=value and -flag value.";

/// Print log files, compressed ones too
#[derive(Debug, Parser)]
#[command(name = "dcat", after_help = AFTER_HELP)]
struct Dcat {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    number: NumberArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    dtail_cli::main(|args: Dcat| Typed {
        tool: Tool::Dcat,
        input: args.input,
        common: args.common,
        search: None,
        grep: None,
        number: Some(args.number),
        query: None,
        follow: None,
    })
}
