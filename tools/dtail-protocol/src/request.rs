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

/// Which lines are selected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pattern {
    /// Expressions in Go's syntax as typed, any of which may match; `""`, `.` and `.*` mean every
    /// line. None at all matches nothing.
    pub texts: Vec<String>,
    /// Select the lines that do not match.
    pub invert: bool,
    /// The texts are looked for as they are and are no expressions.
    pub fixed: bool,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
    /// What a match must be the whole of.
    pub whole: Whole,
}

impl Pattern {
    /// One expression and nothing special.
    pub fn of(text: &str) -> Pattern {
        Pattern { texts: vec![text.to_owned()], ..Pattern::default() }
    }
}

/// What a match must be the whole of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Whole {
    /// Of nothing.
    #[default]
    Nothing,
    /// Of one or more words, as for `grep -w`.
    Words,
    /// Of the line.
    Line,
}

/// What of the selected lines is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Parts {
    /// All of them.
    #[default]
    Lines,
    /// Only the parts that match, each as a line of its own; no context.
    Matches,
    /// Nothing; whoever asks wants [`Extras::summaries`].
    Nothing,
}

/// What is wanted besides lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras {
    /// Line numbers.
    pub numbers: bool,
    /// Where each line begins in its source.
    pub offsets: bool,
    /// A [`crate::SourceSummary`] after the last line of each source.
    pub summaries: bool,
    /// Sources are named by their paths and not by DTail's source ids.
    pub paths: bool,
}

/// Where following begins in files that exist at the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FollowFrom {
    /// At their ends.
    #[default]
    End,
    /// So many lines before their ends.
    Lines(u64),
    /// So many bytes before their ends.
    Bytes(u64),
    /// At their beginnings.
    Beginning,
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
    /// What of the selected lines is wanted.
    pub parts: Parts,
    /// What is wanted besides.
    pub extras: Extras,
    /// Where [`Mode::Tail`] begins.
    pub follow_from: FollowFrom,
    /// Lines are shown without DTail's fields, which peers of the old protocol must know.
    pub plain: bool,
    /// Stop collecting after this long, as if the input had ended.
    pub timeout: Option<Duration>,
}

impl Request {
    /// Everything of these files, with line numbers.
    pub fn of(mode: Mode, files: Vec<OsString>) -> Request {
        Request {
            mode,
            files,
            pattern: None,
            context: Context::default(),
            query: None,
            parts: Parts::default(),
            extras: Extras { numbers: true, ..Extras::default() },
            follow_from: FollowFrom::default(),
            plain: false,
            timeout: None,
        }
    }

    /// The same without line numbers, to be shown without DTail's fields.
    pub fn plain(self) -> Request {
        let extras = Extras { numbers: false, ..self.extras };
        Request { plain: true, extras, ..self }
    }
}
