//! Selection with context and limit over a sequence of blocks. Never reads anything itself.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memrchr};

use crate::pattern::Pattern;

/// What is wanted besides the selected lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Lines before a selected one.
    pub before: usize,
    /// Lines after a selected one.
    pub after: usize,
    /// End the source after this many selected lines; 0 means no limit.
    pub max: u64,
    /// Line numbers.
    pub numbers: bool,
    /// Most bytes of lines kept for leading context from one block to the next; 0 means no limit.
    pub context_bytes: usize,
}

/// Selects lines from any number of sources; where each stands is a [`Progress`].
#[derive(Debug, Clone)]
pub struct Searcher {
    pattern: Pattern,
    wanted: Wanted,
}

/// How far the search of one source has come.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The last unselected lines before the next block, up to `before` of them.
    carried: Vec<u8>,
    carried_lines: usize,
    /// Lines were left out of `carried` because there were too many bytes of them.
    carried_is_cut: bool,
    lost_context: bool,
    /// Lines of trailing context still owed.
    owed: usize,
    selected: u64,
    lines: u64,
    done: bool,
}

impl Progress {
    /// Lines selected so far, context not counted.
    pub fn selected(&self) -> u64 {
        self.selected
    }

    /// Lines seen so far; 0 when neither numbers nor every line was wanted.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Lines of leading context are missing because of [`Wanted::context_bytes`].
    pub fn lost_context(&self) -> bool {
        self.lost_context
    }

    fn forget_carried(&mut self) {
        self.carried.clear();
        self.carried_lines = 0;
        self.carried_is_cut = false;
    }

    /// Drops the bytes before `end`, which are so many whole lines.
    fn drop_carried(&mut self, end: usize, lines: usize) {
        self.carried.drain(..end);
        self.carried_lines -= lines;
    }

    /// The limit is reached: further blocks select nothing.
    pub fn is_done(&self) -> bool {
        self.done
    }
}

/// Selected lines, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// The lines with their newlines.
    pub bytes: Vec<u8>,
    /// The number of each line, counted from 1; empty unless wanted.
    pub numbers: Vec<u64>,
}

/// One block under search: what is counted and decided so far.
struct Pass<'a> {
    block: &'a [u8],
    /// Lines before this offset are printed or will never be, except as leading context.
    decided: usize,
    /// Number of lines before `counted`, when numbers are wanted.
    lines: u64,
    counted: usize,
    numbers: bool,
    out: &'a mut Selected,
}

impl Searcher {
    /// A search for `pattern`.
    pub fn new(pattern: Pattern, wanted: Wanted) -> Searcher {
        Searcher { pattern, wanted }
    }

    /// Whether every line is selected without limit, so that blocks can be passed on whole.
    pub fn selects_everything(&self) -> bool {
        self.pattern.selects_everything() && self.wanted.max == 0
    }

    /// Adds to `out` what is selected from the next block of a source. Only the last block of a
    /// source may end without a newline. Context lines are never printed twice and never separated
    /// by `--`, as in DTail. Once the limit is reached, trailing context goes on until it is
    /// complete or the next selected line.
    pub fn search(&self, progress: &mut Progress, block: &[u8], out: &mut Selected) {
        let numbers = self.wanted.numbers;
        let mut pass = Pass { block, decided: 0, lines: progress.lines, counted: 0, numbers, out };
        let cursor = self.pattern.over(block);
        while !progress.done {
            let run = cursor.next_run(pass.decided);
            let gap_end = run.as_ref().map_or(block.len(), |run| run.start);
            pass.trail(progress, gap_end);
            let full = self.wanted.max > 0 && progress.selected >= self.wanted.max;
            progress.done = full && (run.is_some() || progress.owed == 0);
            let Some(run) = run.filter(|_| !progress.done) else { break };
            pass.lead(progress, self.wanted.before, run.start);
            let end = self.limited_end(progress, block, run);
            pass.print(end);
            progress.owed = self.wanted.after;
        }
        pass.keep(progress, self.wanted);
        progress.lines = pass.lines_before(block.len());
    }

    /// Takes a block as selected whole, when [`Searcher::selects_everything`]. Returns the number
    /// of its first line.
    pub fn pass_whole(&self, progress: &mut Progress, block: &[u8]) -> u64 {
        let first = progress.selected + 1;
        progress.selected += count_lines(block);
        progress.lines = progress.selected;
        first
    }

    /// Counts the lines of a run as selected, up to the limit, and returns where they end.
    fn limited_end(&self, progress: &mut Progress, block: &[u8], run: Range<usize>) -> usize {
        let left = match self.wanted.max {
            0 => u64::MAX,
            max => max - progress.selected,
        };
        let mut end = run.end;
        let mut lines = count_lines(&block[run.clone()]);
        if lines > left {
            // `left` is at least 1: a full progress does not get here.
            let nth = usize::try_from(left - 1).unwrap_or(usize::MAX);
            let newline = memchr_iter(b'\n', &block[run.clone()]).nth(nth);
            end = newline.map_or(run.end, |newline| run.start + newline + 1);
            lines = left;
        }
        progress.selected += lines;
        end
    }
}

impl Pass<'_> {
    /// Prints the lines from `decided` to `end`.
    fn print(&mut self, end: usize) {
        if self.decided == end {
            return;
        }
        if self.numbers {
            let first = self.lines_before(self.decided) + 1;
            let past_last = self.lines_before(end) + 1;
            self.out.numbers.extend(first..past_last);
        }
        self.out.bytes.extend_from_slice(&self.block[self.decided..end]);
        self.decided = end;
    }

    /// Prints trailing context out of the unselected lines up to `gap_end`.
    fn trail(&mut self, progress: &mut Progress, gap_end: usize) {
        if progress.owed == 0 {
            return;
        }
        let mut end = self.decided;
        while progress.owed > 0 && end < gap_end {
            let rest = &self.block[end..gap_end];
            end += memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            progress.owed -= 1;
        }
        self.print(end);
    }

    /// Prints leading context out of the undecided lines before a selected line at `start`.
    fn lead(&mut self, progress: &mut Progress, before: usize, start: usize) {
        if before > 0 {
            let (context, found) = last_lines(&self.block[self.decided..start], before);
            if self.decided == 0 && found < before {
                let missing = before - found;
                progress.lost_context |=
                    progress.carried_is_cut && progress.carried_lines < missing;
                self.print_carried(progress, missing);
            }
            self.decided = start - context;
        } else {
            self.decided = start;
        }
        progress.forget_carried();
        self.print(start);
    }

    /// Prints the last `count` lines carried over from earlier blocks.
    fn print_carried(&mut self, progress: &Progress, count: usize) {
        let (length, found) = last_lines(&progress.carried, count);
        let bytes = &progress.carried[progress.carried.len() - length..];
        self.out.bytes.extend_from_slice(bytes);
        if self.numbers {
            let last = progress.lines;
            self.out.numbers.extend(last - found as u64 + 1..=last);
        }
    }

    /// Carries the undecided lines at the end over to the next block.
    fn keep(&self, progress: &mut Progress, wanted: Wanted) {
        if wanted.before == 0 || progress.done {
            return;
        }
        let undecided = &self.block[self.decided..];
        let (length, found) = last_lines(undecided, wanted.before);
        if self.decided > 0 || found == wanted.before {
            progress.forget_carried();
        }
        let surplus = (progress.carried_lines + found).saturating_sub(wanted.before);
        if surplus > 0 {
            let newline = memchr_iter(b'\n', &progress.carried).nth(surplus - 1);
            progress.drop_carried(newline.map_or(0, |newline| newline + 1), surplus);
        }
        progress.carried.extend_from_slice(&undecided[undecided.len() - length..]);
        progress.carried_lines += found;
        let excess = progress.carried.len().saturating_sub(wanted.context_bytes);
        if wanted.context_bytes > 0 && excess > 0 {
            let newline = memchr(b'\n', &progress.carried[excess - 1..]);
            let end = newline.map_or(progress.carried.len(), |newline| excess + newline);
            let lines = count_lines(&progress.carried[..end]);
            progress.drop_carried(end, usize::try_from(lines).unwrap_or(usize::MAX));
            progress.carried_is_cut = true;
        }
    }

    /// Number of lines before an offset. Offsets never go back, so nothing is counted twice.
    fn lines_before(&mut self, offset: usize) -> u64 {
        if self.numbers {
            self.lines += count_lines(&self.block[self.counted..offset]);
            self.counted = offset;
        }
        self.lines
    }
}

/// The lines of a block, without their newlines.
pub fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let rest = memrchr(b'\n', block).map_or(0, |newline| newline + 1);
    let unterminated = (rest < block.len()).then(|| &block[rest..]);
    let terminated = memchr_iter(b'\n', block).map(move |newline| {
        let line = &block[start..newline];
        start = newline + 1;
        line
    });
    terminated.chain(unterminated)
}

/// Lines in a piece of text; an unterminated last one counts.
fn count_lines(text: &[u8]) -> u64 {
    let unterminated = text.last().is_some_and(|&byte| byte != b'\n');
    memchr_iter(b'\n', text).count() as u64 + u64::from(unterminated)
}

/// Length in bytes of the last `count` lines of `text`, and how many lines there really are, up to
/// `count`. Walks backwards, so the cost is that of the lines found.
fn last_lines(text: &[u8], count: usize) -> (usize, usize) {
    let mut start = text.len();
    let mut found = 0;
    while found < count && start > 0 {
        start = memrchr(b'\n', &text[..start - 1]).map_or(0, |newline| newline + 1);
        found += 1;
    }
    (text.len() - start, found)
}

#[cfg(test)]
mod tests;
