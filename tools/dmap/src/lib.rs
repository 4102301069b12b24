//! The dmap program: aggregates log files. It has flags and no logic.

use std::process::ExitCode;

use clap::Parser;
use dtail_cli::{CommonArgs, InputArgs, QueryArgs, Tool, Typed};

const AFTER_HELP: &str = "\
Examples:
  dmap 'from STATS select $hostname,count($line) group by $hostname' app.log
  dmap --query 'select count($line)' app.log.gz      how many lines
  dmap 'select status,count(status),avg(duration) group by status order by
        count(status) limit 5 logformat csv' requests.csv
  dmap 'select user,sum(bytes) group by user logformat generickv
        outfile bytes.csv' app.log                   into a file
  dmap --servers web1,web2 'from STATS select $hostname,count($line)
        group by $hostname' /var/log/dserver/*.log   on two hosts

Exit codes:
  0  all was done
  2  bad usage, no file could be read, or the output could not be written
  3  some files could not be read or some hosts failed, the others did not
  130, 143  stopped by SIGINT, SIGTERM

DTail's spellings work: -flag and --flag, camelCase and kebab-case, -flag=value and -flag value.";

/// Aggregate log files by a query
#[derive(Debug, Parser)]
#[command(name = "dmap", after_help = AFTER_HELP)]
struct Dmap {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    query: QueryArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    dtail_cli::main(|args: Dmap| Typed {
        tool: Tool::Dmap,
        input: args.input,
        common: args.common,
        search: None,
        grep: None,
        number: None,
        query: Some(args.query),
        follow: None,
    })
}
