//! The flags about lines: which are selected, what of them is printed and how. Names and letters
//! are DTail's and grep's. Meaning is given to them elsewhere.

use std::ffi::OsString;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::{OUTPUT, SELECTION};

/// What is done with selected lines that hold a NUL byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BinaryChoice {
    /// They are printed as any other.
    Text,
    /// One line instead says that the file matches.
    Summary,
    /// From the first of them on nothing of the file is printed.
    Skip,
}

/// Where following begins: `NUM` before the end, or `+1`, the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartArg {
    /// So much before the end.
    Before(u64),
    /// At the beginning.
    Beginning,
}

impl FromStr for StartArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<StartArg, &'static str> {
        match text.strip_prefix('+') {
            Some(number) if matches!(number.parse(), Ok(0 | 1)) => Ok(StartArg::Beginning),
            Some(_) => Err("use a number, or +1 for the beginning"),
            // As in tail, -5 and 5 are the same.
            None => match text.strip_prefix('-').unwrap_or(text).parse() {
                Ok(number) => Ok(StartArg::Before(number)),
                Err(_) => Err("use a number, or +1 for the beginning"),
            },
        }
    }
}

/// Which lines are printed: dgrep, dtail.
#[derive(Debug, Clone, Args)]
pub struct SearchArgs {
    /// Print the lines this regular expression matches [default: .]
    #[arg(long, value_name = "REGEX", help_heading = SELECTION)]
    pub(crate) regex: Option<String>,
    /// The same as --regex, and wins over it
    #[arg(long, value_name = "REGEX", help_heading = SELECTION)]
    pub(crate) grep: Option<String>,
    /// The same, but may be given several times: any of them may match
    #[arg(short = 'e', long, value_name = "REGEX", help_heading = SELECTION)]
    pub(crate) regexp: Vec<String>,
    /// The same for each line of a file; `-` is standard input
    #[arg(long, value_name = "FILE", help_heading = SELECTION)]
    pub(crate) file: Vec<OsString>,
    /// Expressions are plain text
    #[arg(long = "fixed-strings", help_heading = SELECTION)]
    pub(crate) fixed_strings: bool,
    /// Upper and lower case are the same
    #[arg(short = 'i', long = "ignore-case", help_heading = SELECTION)]
    pub(crate) ignore_case: bool,
    /// A match must be whole words
    #[arg(short = 'w', long = "word-regexp", help_heading = SELECTION)]
    pub(crate) word_regexp: bool,
    /// A match must be the whole line
    #[arg(short = 'x', long = "line-regexp", help_heading = SELECTION)]
    pub(crate) line_regexp: bool,
    /// Print the lines that do not match
    #[arg(short = 'v', long, visible_alias = "invert-match", help_heading = SELECTION)]
    pub(crate) invert: bool,
    /// Also print this many lines before each match
    #[arg(short = 'B', long, value_name = "LINES", help_heading = SELECTION)]
    #[arg(visible_alias = "before-context")]
    pub(crate) before: Option<usize>,
    /// Also print this many lines after each match
    #[arg(short = 'A', long, value_name = "LINES", help_heading = SELECTION)]
    #[arg(visible_alias = "after-context")]
    pub(crate) after: Option<usize>,
    /// Both, where --before or --after does not say otherwise
    #[arg(short = 'C', long, value_name = "LINES", default_value_t = 0, help_heading = SELECTION)]
    pub(crate) context: usize,
    /// Stop reading a file after this many matches; 0: never
    #[arg(short = 'm', long, value_name = "MATCHES", default_value_t = 0)]
    #[arg(visible_alias = "max-count", help_heading = SELECTION)]
    pub(crate) max: u64,
    /// Print only the parts that match, each on a line
    #[arg(short = 'o', long = "only-matching", help_heading = OUTPUT)]
    pub(crate) only_matching: bool,
}

/// What only dgrep can do.
#[derive(Debug, Clone, Args)]
pub struct GrepArgs {
    /// Print how many lines of each file match
    #[arg(short = 'c', long, help_heading = OUTPUT)]
    pub(crate) count: bool,
    /// Print the names of files with a match
    #[arg(short = 'l', long = "files-with-matches", help_heading = OUTPUT)]
    pub(crate) files_with_matches: bool,
    /// Print the names of files without
    #[arg(short = 'L', long = "files-without-match", help_heading = OUTPUT)]
    pub(crate) files_without_match: bool,
    /// Print JSON, one message to a line, in ripgrep's form
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,
    /// With --plain: line numbers in front
    #[arg(short = 'n', long = "line-number", help_heading = OUTPUT)]
    pub(crate) line_number: bool,
    /// With --plain, or of a single file with -c: its name in front
    #[arg(short = 'H', long = "with-filename", help_heading = OUTPUT)]
    pub(crate) with_filename: bool,
    /// With -c: no names in front
    #[arg(long = "no-filename", help_heading = OUTPUT)]
    pub(crate) no_filename: bool,
    /// A line between lines that do not follow each other, with --before, --after or --context;
    /// `--` if nothing is given [default: none]
    #[arg(long = "context-separator", value_name = "TEXT", num_args = 0..=1)]
    #[arg(require_equals = true, default_missing_value = "--", help_heading = OUTPUT)]
    pub(crate) context_separator: Option<OsString>,
    /// Lines with NUL bytes: text prints them, summary says that the file matches, skip drops the
    /// rest of it [default: summary on a terminal, else text]
    #[arg(long, value_enum, value_name = "HOW", hide_possible_values = true)]
    #[arg(help_heading = OUTPUT)]
    pub(crate) binary: Option<BinaryChoice>,
    /// The same as --binary text
    #[arg(short = 'a', long, help_heading = OUTPUT)]
    pub(crate) text: bool,
    /// The same as --binary skip
    #[arg(short = 'I', long = "skip-binary", help_heading = OUTPUT)]
    pub(crate) skip_binary: bool,
}

/// What only dcat can do.
#[derive(Debug, Clone, Args)]
pub struct NumberArgs {
    /// With --plain: number the lines, through all files
    #[arg(short = 'n', long, help_heading = OUTPUT)]
    pub(crate) number: bool,
}
