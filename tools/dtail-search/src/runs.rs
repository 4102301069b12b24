//! The selected lines of one block as runs of adjacent lines, counted as far as somebody wants to
//! know. Never looks beyond the block.

use std::ops::Range;

use memchr::memchr_iter;

use crate::cursor::Cursor;
use crate::pattern::Pattern;

/// Adjacent selected lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// From the start of the first line to the end of the last, newline included.
    pub(crate) range: Range<usize>,
    /// How many lines these are.
    pub(crate) lines: u64,
    /// Lines of the block before these; 0 unless wanted.
    pub(crate) before: u64,
}

/// What was found in a block.
#[derive(Debug, Clone, Default)]
pub struct Hits {
    runs: Vec<Run>,
    /// Lines of the whole block; 0 unless wanted.
    lines: u64,
}

impl Hits {
    /// Looks through a block and replaces what was there.
    pub(crate) fn fill(&mut self, pattern: &Pattern, numbers: bool, block: &[u8]) {
        self.runs.clear();
        let mut runs = Runs::new(pattern, numbers, block);
        while let Some(run) = runs.next(runs.end) {
            match self.runs.last_mut() {
                Some(last) if last.range.end == run.range.start => {
                    last.range.end = run.range.end;
                    last.lines += run.lines;
                }
                _ => self.runs.push(run),
            }
        }
        self.lines = runs.total();
    }
}

/// The runs of a block, one after the other.
pub(crate) enum Source<'a> {
    /// To be searched.
    Block(Runs<'a>),
    /// Found before. The number is that of the next run.
    Hits(&'a Hits, usize),
}

impl Source<'_> {
    /// The first run that ends behind `from`, which is the end of the previous one or within it.
    pub(crate) fn next(&mut self, from: usize) -> Option<Run> {
        match self {
            Source::Block(runs) => runs.next(from),
            Source::Hits(hits, next) => {
                while hits.runs.get(*next)?.range.end <= from {
                    *next += 1;
                }
                let mut run = hits.runs[*next].clone();
                run.range.start = run.range.start.max(from);
                Some(run)
            }
        }
    }

    /// Lines of the whole block; 0 unless wanted.
    pub(crate) fn total(&mut self) -> u64 {
        match self {
            Source::Block(runs) => runs.total(),
            Source::Hits(hits, _) => hits.lines,
        }
    }
}

/// The runs of a block that is being searched.
pub(crate) struct Runs<'a> {
    cursor: Cursor<'a>,
    block: &'a [u8],
    numbers: bool,
    /// Lines are counted up to here, if at all.
    end: usize,
    lines: u64,
}

impl<'a> Runs<'a> {
    pub(crate) fn new(pattern: &'a Pattern, numbers: bool, block: &'a [u8]) -> Runs<'a> {
        Runs { cursor: pattern.over(block), block, numbers, end: 0, lines: 0 }
    }

    /// The next run at or after `from`, which is the start of a line.
    pub(crate) fn next(&mut self, from: usize) -> Option<Run> {
        let range = self.cursor.next_run(from)?;
        if range.start < self.end {
            // The rest of a run that went over the limit. It is all counted, and nobody asks for
            // more than where it begins.
            return Some(Run { range, lines: 0, before: self.lines });
        }
        let single = self.cursor.runs_are_lines();
        let lines = if single { 1 } else { count_lines(&self.block[range.clone()]) };
        let mut before = 0;
        if self.numbers {
            before = self.lines + count_lines(&self.block[self.end..range.start]);
            self.lines = before + lines;
        }
        self.end = range.end;
        Some(Run { range, lines, before })
    }

    /// Lines of the whole block; 0 unless wanted.
    fn total(&mut self) -> u64 {
        if self.numbers {
            self.lines += count_lines(&self.block[self.end..]);
            self.end = self.block.len();
        }
        self.lines
    }
}

/// Lines in a piece of text; an unterminated last one counts.
pub(crate) fn count_lines(text: &[u8]) -> u64 {
    let unterminated = text.last().is_some_and(|&byte| byte != b'\n');
    memchr_iter(b'\n', text).count() as u64 + u64::from(unterminated)
}
