//! What is asked of a session. Never says how it is carried out.

use std::ffi::OsString;
use std::time::Duration;

/// How the files of a request are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Whole files, every line.
    Cat,
    /// Whole files, the lines selected by a pattern.
    Grep,
    /// Growing files from their present end on; with a query, aggregated per interval.
    Tail,
    /// Whole files, aggregated once.
    Map,
}

/// Which lines are selected, in Go's regular expression syntax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The expression as typed; `""`, `.` and `.*` mean every line.
    pub text: String,
    /// Select the lines that do not match.
    pub invert: bool,
}

/// Lines wanted around a selected line, and when to stop. All zero asks for nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Context {
    /// Lines wanted before a selected one.
    pub before: usize,
    /// Lines wanted after a selected one.
    pub after: usize,
    /// Stop reading a file after this many selected lines; 0 means no limit.
    pub max: u64,
}

/// One request to one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How the files are read.
    pub mode: Mode,
    /// Paths or globs as typed, read in this order; `-` is standard input.
    pub files: Vec<OsString>,
    /// The lines wanted; `None` means every line.
    pub pattern: Option<Pattern>,
    /// Lines wanted around the selected ones; not used together with a query.
    pub context: Context,
    /// The query text; needed by [`Mode::Map`], allowed with [`Mode::Tail`].
    pub query: Option<String>,
    /// Line numbers are not wanted.
    pub plain: bool,
    /// Stop collecting after this long, as if the input had ended.
    pub timeout: Option<Duration>,
}
