//! Plain lines with something to see: a file's name and a line's number in front as grep prints
//! them, matches in colour. Never selects a line.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use dtail_search::Pattern;

use crate::decimal::Numbered;
use crate::output::Output;
use crate::runs::{Run, is_same, lines};

/// grep's colours.
const MATCH: &str = "\x1b[01;31m";
const NAME: &str = "\x1b[35m";
const NUMBER: &str = "\x1b[32m";
const DELIMITER: &str = "\x1b[36m";
const RESET: &str = "\x1b[m";

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
    pub(crate) heads: Heads,
}

/// All that stands in front of the lines of one source, which differs in the number only.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    source: Option<Arc<str>>,
    is_numbered: bool,
    selected: Numbered,
    around: Numbered,
}

impl Prefixed {
    pub(crate) fn write<W: Write>(
        &mut self,
        run: &Run<'_>,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        let is_numbered = self.numbers && run.numbers.at(0).is_some();
        self.enter(run.source, is_numbered);
        for (index, line) in lines(run.bytes).enumerate() {
            let is_selected = self.selects.as_ref().is_none_or(|pattern| pattern.is_match(line));
            let Heads { selected, around, .. } = &mut self.heads;
            let head = if is_selected { selected } else { around };
            if let Some(number) = run.numbers.at(index).filter(|_| is_numbered) {
                head.set(number);
            }
            let (head, pending) = (head.as_bytes(), output.pending());
            pending.reserve(head.len() + line.len() + 1);
            pending.extend_from_slice(head);
            self.append(line, pending);
            pending.push(b'\n');
            output.pass_on()?;
        }
        Ok(())
    }

    /// Makes the heads for a source unless they are made already.
    fn enter(&mut self, source: &Arc<str>, is_numbered: bool) {
        let known = &self.heads;
        if known.source.is_some()
            && known.is_numbered == is_numbered
            && is_same(known.source.as_ref(), Some(source))
        {
            return;
        }
        let name = named(source);
        self.heads = Heads {
            source: Some(Arc::clone(source)),
            is_numbered,
            selected: self.head(name, ":", is_numbered),
            around: self.head(name, "-", is_numbered),
        };
    }

    fn head(&self, name: &str, delimiter: &str, is_numbered: bool) -> Numbered {
        let painted = |colour: &str, text: &str| match self.coloured {
            true => format!("{colour}{text}{RESET}"),
            false => text.to_owned(),
        };
        let delimiter = painted(DELIMITER, delimiter);
        let mut before = String::new();
        if self.names {
            before = painted(NAME, name) + &delimiter;
        }
        if !is_numbered {
            return Numbered::new(&before, "");
        }
        let (colour, reset) = if self.coloured { (NUMBER, RESET) } else { ("", "") };
        Numbered::new(&(before + colour), &format!("{reset}{delimiter}"))
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

fn paint(coloured: bool, colour: &str, text: &[u8], pending: &mut Vec<u8>) {
    if coloured {
        pending.extend_from_slice(colour.as_bytes());
    }
    pending.extend_from_slice(text);
    if coloured {
        pending.extend_from_slice(RESET.as_bytes());
    }
}
