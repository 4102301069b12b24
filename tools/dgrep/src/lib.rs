//! The dgrep program: prints the lines that match. It has flags and no logic.

use std::process::ExitCode;

use clap::Parser;
use dtail_cli::{CommonArgs, GrepArgs, InputArgs, SearchArgs, Tool, Typed};

const AFTER_HELP: &str = "\
Examples:
  dgrep -e 'ERROR|WARN' app.log                the lines that match, with DTail's fields
  dgrep --plain -nH -e ERROR '*.log'           as grep prints them: name:number:line
  dgrep -e timeout -B 3 app.log.gz             and three lines before each
  dgrep -i -F -f words.txt app.log             any of the words in a file, in any case
  dgrep -c -e ERROR '*.log'                    how many lines of each file
  dgrep --plain -o -e 'user=[a-z]+' app.log    only the parts that match
  dgrep --json -e panic -m 1 '*.log'           the first of each file, for programs
  dgrep --servers hosts.txt --grep ERROR '/var/log/app/*.log'   on all hosts of a list

Exit codes:
  0  all was done, and a line matched (with -l and -L: and a file was named)
  1  no line matched
  2  bad usage, no file could be read, or the output could not be written
  3  some files could not be read or some hosts failed, the others did not
  130, 143  stopped by SIGINT, SIGTERM

The pattern is never an argument of its own: use -e. Expressions are Go's (RE2).
DTail's spellings work: -flag and --flag, camelCase and kebab-case, -flag=value and -flag value.";

/// Print the lines of log files that match a regular expression
#[derive(Debug, Parser)]
#[command(name = "dgrep", after_help = AFTER_HELP)]
// In dtail these letters are tail's.
#[command(mut_arg("fixed_strings", |it| it.short('F')), mut_arg("file", |it| it.short('f')))]
struct Dgrep {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    grep: GrepArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    dtail_cli::main(|args: Dgrep| Typed {
        tool: Tool::Dgrep,
        input: args.input,
        common: args.common,
        search: Some(args.search),
        grep: Some(args.grep),
        number: None,
        query: None,
        follow: None,
    })
}
