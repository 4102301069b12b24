//! Plain lines with something to see: a file's name and a line's number in front as grep prints
//! them, matches in colour. Never selects a line.

use std::io::{self, Write};
use std::ops::Range;

use dtail_search::Pattern;

use crate::decimal::Decimal;
use crate::output::Output;
use crate::runs::{Run, lines};

/// grep's colours.
const MATCH: &[u8] = b"\x1b[01;31m";
const NAME: &[u8] = b"\x1b[35m";
const NUMBER: &[u8] = b"\x1b[32m";
const DELIMITER: &[u8] = b"\x1b[36m";
const RESET: &[u8] = b"\x1b[m";

/// What stands in front of a line and what of it is coloured.
#[derive(Debug)]
pub(crate) struct Prefixed {
    pub(crate) names: bool,
    pub(crate) numbers: bool,
    pub(crate) coloured: bool,
    /// Every line is a match and nothing else.
    pub(crate) only_matches: bool,
    /// Tells lines that were selected from those around them; `None`: all were.
    pub(crate) selects: Option<Pattern>,
    /// What is coloured of a line.
    pub(crate) highlights: Option<Pattern>,
    /// Reused.
    pub(crate) spans: Vec<Range<usize>>,
}

impl Prefixed {
    pub(crate) fn write<W: Write>(
        &mut self,
        run: &Run<'_>,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        let name = named(run.source).as_bytes();
        for (index, line) in lines(run.bytes).enumerate() {
            let is_selected = self.selects.as_ref().is_none_or(|pattern| pattern.is_match(line));
            let delimiter: &[u8] = if is_selected { b":" } else { b"-" };
            let pending = output.pending();
            if self.names {
                paint(self.coloured, NAME, name, pending);
                paint(self.coloured, DELIMITER, delimiter, pending);
            }
            if let Some(number) = run.numbers.at(index).filter(|_| self.numbers) {
                paint(self.coloured, NUMBER, Decimal::new(number).as_bytes(), pending);
                paint(self.coloured, DELIMITER, delimiter, pending);
            }
            self.append(line, pending);
            pending.push(b'\n');
            output.pass_on()?;
        }
        Ok(())
    }

    fn append(&mut self, line: &[u8], pending: &mut Vec<u8>) {
        let mut done = 0;
        self.spans.clear();
        match &self.highlights {
            Some(_) if self.only_matches => self.spans.push(0..line.len()),
            Some(pattern) => pattern.spans(line, &mut self.spans),
            None => {}
        }
        for span in self.spans.iter().filter(|span| !span.is_empty()) {
            pending.extend_from_slice(&line[done..span.start]);
            paint(true, MATCH, &line[span.clone()], pending);
            done = span.end;
        }
        pending.extend_from_slice(&line[done..]);
    }
}

/// How a source is called in output made for grep's readers.
pub(crate) fn named(source: &str) -> &str {
    if source == STANDARD_INPUT { "(standard input)" } else { source }
}

/// What sessions call it.
pub(crate) const STANDARD_INPUT: &str = "standard input";

/// A name in grep's colour.
pub(crate) fn paint_name(coloured: bool, name: &str, pending: &mut Vec<u8>) {
    paint(coloured, NAME, name.as_bytes(), pending);
}

/// Something between names, numbers and lines in grep's colour.
pub(crate) fn append_delimiter(coloured: bool, text: &[u8], pending: &mut Vec<u8>) {
    paint(coloured, DELIMITER, text, pending);
}

fn paint(coloured: bool, colour: &[u8], text: &[u8], pending: &mut Vec<u8>) {
    if coloured {
        pending.extend_from_slice(colour);
    }
    pending.extend_from_slice(text);
    if coloured {
        pending.extend_from_slice(RESET);
    }
}
