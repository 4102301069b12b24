//! A compiled expression and the question whether it matches a line. Never looks for lines.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_syntax::hir::Hir;

use crate::parse::{Borders, compile_unlimited};

/// What matches a line. Clones do not share the memory they search with.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    each: Arc<[Hir]>,
    borders: Borders,
    regex: OnceLock<Regex>,
    /// For lines with characters beyond ASCII, when these matter to borders of words.
    wide: OnceLock<Regex>,
    /// Each byte of invalid UTF-8 counts as U+FFFD.
    lossy: bool,
}

impl Expression {
    /// Any of these, already compiled or known to compile.
    pub(crate) fn new(
        each: Vec<Hir>,
        borders: Borders,
        lossy: bool,
        compiled: Option<Regex>,
    ) -> Expression {
        let regex = OnceLock::new();
        if let Some(compiled) = compiled {
            regex.get_or_init(|| compiled);
        }
        Expression { each: each.into(), borders, regex, wide: OnceLock::new(), lossy }
    }

    /// The expression for text of ASCII, or for all text if words do not matter.
    pub(crate) fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| self.compile(self.borders))
    }

    fn compile(&self, borders: Borders) -> Regex {
        compile_unlimited(&self.each, borders)
            .expect("what compiles within a limit does so without, and a set of literals does")
    }

    fn wide(&self) -> &Regex {
        match self.borders {
            Borders::AsciiWords => self.wide.get_or_init(|| self.compile(Borders::Words)),
            _ => self.regex(),
        }
    }

    /// Whether a match must be the whole of one or more words.
    pub(crate) fn is_about_words(&self) -> bool {
        matches!(self.borders, Borders::AsciiWords)
    }

    /// Whether a line, which comes without its newline, matches.
    pub(crate) fn matches_line(&self, line: &[u8]) -> bool {
        match self.seen(line) {
            Seen::Plain => self.regex().is_match(line),
            Seen::Wide => self.wide().is_match(line),
            Seen::Lossy => self.wide().is_match(with_replacements(line).as_bytes()),
        }
    }

    /// Adds where in a line the matches are, but for empty ones.
    pub(crate) fn spans(&self, line: &[u8], out: &mut Vec<Range<usize>>) {
        let seen = self.seen(line);
        let regex = if matches!(seen, Seen::Plain) { self.regex() } else { self.wide() };
        let lossy = matches!(seen, Seen::Lossy).then(|| with_replacements(line));
        let subject = lossy.as_ref().map_or(line, String::as_bytes);
        let first = out.len();
        let matches = regex.find_iter(subject).map(|found| found.range());
        out.extend(matches.filter(|found| !found.is_empty()));
        if lossy.is_some() {
            back_to_bytes(line, &mut out[first..]);
        }
    }

    /// Whether a line matches that is a part of a block without its last newline. To be asked
    /// only of a line that is seen plainly, by an expression that matches no newline.
    pub(crate) fn matches_within(&self, block: &[u8], line: Range<usize>) -> bool {
        self.regex().search_half(&Input::new(block).range(line).earliest(true)).is_some()
    }

    /// Whether a line is seen as it is, by the expression for text of ASCII if there are two.
    pub(crate) fn sees_plainly_line(&self, line: &[u8]) -> bool {
        !self.lossy && !self.is_about_words() || line.is_ascii()
    }

    fn seen(&self, line: &[u8]) -> Seen {
        if self.sees_plainly_line(line) {
            Seen::Plain
        } else if self.lossy && std::str::from_utf8(line).is_err() {
            Seen::Lossy
        } else {
            Seen::Wide
        }
    }

    /// Whether all lines of a block are seen as they are.
    pub(crate) fn sees_plainly(&self, block: &[u8]) -> bool {
        if self.is_about_words() {
            block.is_ascii()
        } else {
            !self.lossy || std::str::from_utf8(block).is_ok()
        }
    }
}

/// How a line is to be looked at.
enum Seen {
    /// As bytes.
    Plain,
    /// As text with letters beyond ASCII.
    Wide,
    /// As text with U+FFFD for invalid bytes.
    Lossy,
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

/// Turns ascending ranges of [`with_replacements`] into ranges of the line.
fn back_to_bytes(line: &[u8], ranges: &mut [Range<usize>]) {
    let borders = ranges.iter_mut().flat_map(|range| [&mut range.start, &mut range.end]);
    let mut chunks = line.utf8_chunks();
    let mut chunk = chunks.next();
    // Where the chunk begins, in the text and in the line.
    let (mut in_text, mut in_line) = (0, 0);
    const EACH: usize = char::REPLACEMENT_CHARACTER.len_utf8();
    for border in borders {
        while let Some(now) = &chunk {
            let (valid, invalid) = (now.valid().len(), now.invalid().len());
            let into = *border - in_text;
            if into < valid + invalid * EACH {
                *border = in_line + into.min(valid) + into.saturating_sub(valid) / EACH;
                break;
            }
            in_text += valid + invalid * EACH;
            in_line += valid + invalid;
            chunk = chunks.next();
        }
        if chunk.is_none() {
            *border = in_line;
        }
    }
}
