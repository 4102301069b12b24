//! A compiled pattern and the question it answers: which lines of a block come next? Never keeps
//! anything from one block to the next.

use std::fmt;
use std::ops::Range;

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use regex::bytes::{Regex, RegexBuilder};

use crate::syntax::rewrite;

/// DTail takes a pattern without any of these as a literal.
const META: &[char] = &['.', '+', '*', '?', '^', '$', '[', ']', '{', '}', '(', ')', '|', '\\'];

/// Longest part of a bad pattern that is shown, in characters.
const MAX_SHOWN: usize = 200;

/// A compiled pattern. The subject is a line without its newline.
#[derive(Debug, Clone)]
pub struct Pattern {
    matcher: Matcher,
    invert: bool,
}

#[derive(Debug, Clone)]
enum Matcher {
    Everything,
    Nothing,
    Literal(Box<Finder<'static>>),
    Regex { regex: Regex, by_line: bool, matches_invalid: bool },
}

/// Why a pattern does not compile. One line.
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
    fn new(pattern: &str, err: &regex::Error) -> PatternError {
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

impl Pattern {
    /// Compiles an expression in Go's syntax. `""`, `.` and `.*` match every line, also an empty
    /// one, as in DTail; `invert` selects the lines that do not match.
    pub fn new(text: &str, invert: bool) -> Result<Pattern, PatternError> {
        if matches!(text, "" | "." | ".*") {
            return Ok(Pattern { matcher: Matcher::Everything, invert });
        }
        if !text.contains(META) {
            return Ok(Pattern { invert, ..Pattern::literal(text.as_bytes()) });
        }
        let rewritten = rewrite(text);
        let regex = RegexBuilder::new(&rewritten.regex)
            .multi_line(true)
            .build()
            .map_err(|err| PatternError::new(text, &err))?;
        let matcher = Matcher::Regex {
            regex,
            by_line: rewritten.by_line,
            matches_invalid: rewritten.matches_invalid,
        };
        Ok(Pattern { matcher, invert })
    }

    /// The lines that contain these bytes.
    pub fn literal(bytes: &[u8]) -> Pattern {
        let matcher = if bytes.is_empty() {
            Matcher::Everything
        } else if bytes.contains(&b'\n') {
            Matcher::Nothing
        } else {
            Matcher::Literal(Box::new(Finder::new(bytes).into_owned()))
        };
        Pattern { matcher, invert: false }
    }

    /// Whether every line is selected, so that nobody need look.
    pub fn selects_everything(&self) -> bool {
        matches!(
            (&self.matcher, self.invert),
            (Matcher::Everything, false) | (Matcher::Nothing, true)
        )
    }

    /// Prepares to search a block of whole lines; the last one may lack its newline.
    pub fn over<'a>(&'a self, block: &'a [u8]) -> Cursor<'a> {
        let by_line = match &self.matcher {
            Matcher::Regex { by_line, matches_invalid, .. } => {
                *by_line || (*matches_invalid && std::str::from_utf8(block).is_err())
            }
            _ => false,
        };
        Cursor { pattern: self, block, by_line }
    }
}

/// A pattern over one block.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    pattern: &'a Pattern,
    block: &'a [u8],
    by_line: bool,
}

impl Cursor<'_> {
    /// The next selected lines at or after `from`, which is the start of a line: one or more
    /// lines without a gap, newlines included. The lines between `from` and the start of the
    /// range are not selected.
    pub fn next_run(&self, from: usize) -> Option<Range<usize>> {
        let mut start = from;
        if !self.pattern.invert {
            return match self.pattern.matcher {
                Matcher::Everything => {
                    (start < self.block.len()).then_some(start..self.block.len())
                }
                _ => self.next_hit(start),
            };
        }
        while start < self.block.len() {
            match self.next_hit(start) {
                Some(hit) if hit.start == start => start = hit.end,
                Some(hit) => return Some(start..hit.start),
                None => return Some(start..self.block.len()),
            }
        }
        None
    }

    /// The next matching line at or after `from`.
    fn next_hit(&self, from: usize) -> Option<Range<usize>> {
        if from >= self.block.len() {
            return None;
        }
        match &self.pattern.matcher {
            Matcher::Everything => Some(from..self.line_end(from)),
            Matcher::Nothing => None,
            Matcher::Literal(finder) => {
                Some(self.line_around(from, from + finder.find(&self.block[from..])?))
            }
            Matcher::Regex { regex, matches_invalid, .. } if self.by_line => {
                self.next_hit_by_line(from, regex, *matches_invalid)
            }
            Matcher::Regex { regex, .. } => {
                // Without the last newline, so that every position belongs to a line. No match
                // spans lines, so its end is on the line of its start.
                let subject = self.block.strip_suffix(b"\n").unwrap_or(self.block);
                Some(self.line_around(from, regex.shortest_match_at(subject, from)?))
            }
        }
    }

    fn next_hit_by_line(&self, from: usize, regex: &Regex, lossy: bool) -> Option<Range<usize>> {
        let mut start = from;
        while start < self.block.len() {
            let end = self.line_end(start);
            let line = &self.block[start..end];
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let hit = if lossy && std::str::from_utf8(line).is_err() {
                regex.is_match(with_replacements(line).as_bytes())
            } else {
                regex.is_match(line)
            };
            if hit {
                return Some(start..end);
            }
            start = end;
        }
        None
    }

    /// The line that holds position `at` or ends there; no line before `from`.
    fn line_around(&self, from: usize, at: usize) -> Range<usize> {
        let start =
            memrchr(b'\n', &self.block[from..at]).map_or(from, |newline| from + newline + 1);
        start..self.line_end(at)
    }

    fn line_end(&self, at: usize) -> usize {
        memchr(b'\n', &self.block[at..]).map_or(self.block.len(), |newline| at + newline + 1)
    }
}

/// The line as Go's matcher sees it: each invalid byte is one U+FFFD.
fn with_replacements(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len() + 16);
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

#[cfg(test)]
mod tests;
