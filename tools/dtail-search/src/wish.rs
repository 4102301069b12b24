//! What is looked for, as asked, and why it may be refused. Never compiles anything.

use std::fmt;

/// Longest part of a bad pattern that is shown, in characters.
const MAX_SHOWN: usize = 200;

/// What is looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// Expressions in Go's syntax, any of which may match. `""`, `.` and `.*` match every line,
    /// also an empty one, as in DTail. No text at all matches nothing.
    pub texts: &'a [String],
    /// The texts are looked for as they are and are no expressions.
    pub fixed: bool,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
    /// What a match must be the whole of.
    pub whole: Whole,
    /// The lines that do not match are selected.
    pub invert: bool,
}

impl<'a> Wish<'a> {
    /// These expressions and nothing special; `std::slice::from_ref` makes one out of a text.
    pub fn of(texts: &'a [String]) -> Wish<'a> {
        Wish { texts, ..Wish::default() }
    }
}

/// What a match must be the whole of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Whole {
    /// Of nothing.
    #[default]
    Nothing,
    /// Of one or more words: the characters before and after a match are neither letters nor
    /// digits nor `_`.
    Words,
    /// Of the line.
    Line,
}

/// Why a pattern does not compile. One line, which names the text to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    pattern: String,
    reason: String,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad regular expression {:?}: {}", self.pattern, self.reason)
    }
}

impl std::error::Error for PatternError {}

impl PatternError {
    /// The regex crate draws a picture of several lines; its last one says what is wrong.
    pub(crate) fn new(pattern: &str, err: &impl fmt::Display) -> PatternError {
        let text = err.to_string();
        let last = text.lines().last().unwrap_or_default();
        let reason = last.strip_prefix("error: ").unwrap_or(last).trim_end_matches('.');
        // Enough to recognise it; what comes from afar may be a megabyte.
        let pattern = match pattern.char_indices().nth(MAX_SHOWN) {
            Some((cut, _)) => format!("{}…", &pattern[..cut]),
            None => pattern.to_owned(),
        };
        PatternError { pattern, reason: reason.to_owned() }
    }
}
