//! One block under search: what of it goes out, and under which numbers. Never decides which lines
//! are selected.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

use crate::pattern::Pattern;
use crate::progress::{Progress, last_lines};
use crate::runs::Run;
use crate::searcher::{Parts, Selected, Wanted};

pub(crate) struct Pass<'a> {
    block: &'a [u8],
    wanted: Wanted,
    /// Lines and bytes of the source before the block.
    lines_before: u64,
    bytes_before: u64,
    /// Bytes before this offset are printed or will never be, except as leading context.
    pub(crate) decided: usize,
    /// Lines of the block before `decided`, when numbers are wanted.
    line: u64,
    /// Decided to be printed and not yet copied: adjacent lines are copied at once.
    due: Range<usize>,
    /// Where the matches of one line are; kept for its memory.
    spans: Vec<Range<usize>>,
    out: &'a mut Selected,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(
        block: &'a [u8],
        wanted: Wanted,
        progress: &Progress,
        out: &'a mut Selected,
    ) -> Pass<'a> {
        let (lines_before, bytes_before) = (progress.lines, progress.bytes);
        let spans = Vec::new();
        let due = 0..0;
        Pass { block, wanted, lines_before, bytes_before, decided: 0, line: 0, due, spans, out }
    }

    /// Puts out a run of selected lines, or what of it is wanted.
    pub(crate) fn take(&mut self, run: &Run, pattern: &Pattern) {
        self.decided = run.range.start;
        self.line = run.before;
        match self.wanted.parts {
            Parts::Lines => self.print(run.range.end, run.lines),
            Parts::Matches => self.print_matches(run.range.clone(), pattern),
            Parts::Nothing => {}
        }
        self.decided = run.range.end;
    }

    /// Prints so many lines, which reach from `decided` to `end`.
    fn print(&mut self, end: usize, lines: u64) {
        if self.wanted.numbers {
            let first = self.lines_before + self.line + 1;
            self.out.numbers.extend(first..first + lines);
            self.line += lines;
        }
        if self.wanted.offsets {
            let bytes = &self.block[self.decided..end];
            add_offsets(&mut self.out.offsets, self.bytes_before + self.decided as u64, bytes);
        }
        if self.due.end != self.decided {
            self.finish();
            self.due.start = self.decided;
        }
        self.due.end = end;
        self.decided = end;
    }

    /// Copies what is due. Nothing is complete before that.
    pub(crate) fn finish(&mut self) {
        self.out.bytes.extend_from_slice(&self.block[self.due.clone()]);
        self.due.start = self.due.end;
    }

    /// Prints the matches of lines, each as a line of its own.
    fn print_matches(&mut self, lines: Range<usize>, pattern: &Pattern) {
        let mut start = lines.start;
        while start < lines.end {
            let rest = &self.block[start..lines.end];
            let length = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..length];
            pattern.spans(line, &mut self.spans);
            self.line += 1;
            for span in &self.spans {
                self.out.bytes.extend_from_slice(&line[span.clone()]);
                self.out.bytes.push(b'\n');
                if self.wanted.numbers {
                    self.out.numbers.push(self.lines_before + self.line);
                }
                if self.wanted.offsets {
                    self.out.offsets.push(self.bytes_before + start as u64);
                }
            }
            start += length + 1;
        }
    }

    /// Prints trailing context out of the unselected lines up to `gap_end`.
    pub(crate) fn trail(&mut self, progress: &mut Progress, gap_end: usize) {
        if progress.owed == 0 {
            return;
        }
        let mut end = self.decided;
        let mut lines = 0;
        while progress.owed > 0 && end < gap_end {
            let rest = &self.block[end..gap_end];
            end += memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            lines += 1;
            progress.owed -= 1;
        }
        self.print(end, lines);
    }

    /// Prints leading context out of the undecided lines before a run.
    pub(crate) fn lead(&mut self, progress: &mut Progress, run: &Run) {
        let before = self.wanted.before;
        let (length, found) = last_lines(&self.block[self.decided..run.range.start], before);
        if self.decided == 0 && found < before {
            let missing = before - found;
            progress.lost_context |= progress.carried_is_cut && progress.carried_lines < missing;
            self.print_carried(progress, missing);
        }
        self.decided = run.range.start - length;
        self.line = run.before.saturating_sub(found as u64);
        progress.forget_carried();
        self.print(run.range.start, found as u64);
    }

    /// Prints the last `count` lines carried over from earlier blocks.
    fn print_carried(&mut self, progress: &Progress, count: usize) {
        let (length, found) = last_lines(&progress.carried, count);
        let bytes = &progress.carried[progress.carried.len() - length..];
        self.out.bytes.extend_from_slice(bytes);
        if self.wanted.numbers {
            let last = self.lines_before;
            self.out.numbers.extend(last - found as u64 + 1..=last);
        }
        if self.wanted.offsets {
            add_offsets(&mut self.out.offsets, self.bytes_before - length as u64, bytes);
        }
    }
}

/// Adds the offset of each line of `bytes`, the first of which is at `start`.
fn add_offsets(offsets: &mut Vec<u64>, start: u64, bytes: &[u8]) {
    if let Some(before_last) = bytes.len().checked_sub(1) {
        offsets.push(start);
        // A newline at the very end begins no line.
        let newlines = memchr_iter(b'\n', &bytes[..before_last]);
        offsets.extend(newlines.map(|newline| start + newline as u64 + 1));
    }
}
