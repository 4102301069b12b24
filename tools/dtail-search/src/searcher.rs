//! Selection with context and limit over a sequence of blocks. Never reads anything itself.

use memchr::{memchr_iter, memrchr};

use crate::pass::Pass;
use crate::pattern::Pattern;
use crate::progress::Progress;
use crate::runs::{Hits, Run, Runs, Source, count_lines};

/// What of the selected lines is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Parts {
    /// All of them.
    #[default]
    Lines,
    /// Only the parts that match, each as a line of its own. With an inverted pattern there are
    /// none.
    Matches,
    /// Nothing but how many they are.
    Nothing,
}

/// What is wanted besides the selected lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Lines before a selected one; only with [`Parts::Lines`].
    pub before: usize,
    /// Lines after a selected one; only with [`Parts::Lines`].
    pub after: usize,
    /// End the source after this many selected lines; 0 means no limit.
    pub max: u64,
    /// Line numbers.
    pub numbers: bool,
    /// Most bytes of lines kept for leading context from one block to the next; 0 means no limit.
    pub context_bytes: usize,
    /// What of the selected lines is wanted.
    pub parts: Parts,
    /// Where each line begins in its source, in bytes.
    pub offsets: bool,
}

/// Selects lines from any number of sources; where each stands is a [`Progress`]. A clone is
/// cheap, and threads that search at the same time do it best with one each.
#[derive(Debug, Clone)]
pub struct Searcher {
    pattern: Pattern,
    wanted: Wanted,
}

/// Selected lines, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// The lines or matches with their newlines. Only the last line of a source may have none.
    pub bytes: Vec<u8>,
    /// The number of each line, counted from 1; empty unless wanted.
    pub numbers: Vec<u64>,
    /// Where each line begins in its source, in bytes; for matches, where their line does. Empty
    /// unless wanted.
    pub offsets: Vec<u64>,
}

impl Selected {
    /// Forgets what was selected and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.numbers.clear();
        self.offsets.clear();
    }
}

/// How much there was in a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Selected lines.
    pub selected: u64,
    /// All lines; 0 unless [`Wanted::numbers`].
    pub lines: u64,
}

impl Searcher {
    /// A search for `pattern`.
    pub fn new(pattern: Pattern, wanted: Wanted) -> Searcher {
        let mut wanted = wanted;
        if wanted.parts != Parts::Lines {
            (wanted.before, wanted.after) = (0, 0);
        }
        Searcher { pattern, wanted }
    }

    /// What is searched for.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Whether every line is selected without limit, so that blocks can be passed on whole.
    pub fn selects_everything(&self) -> bool {
        self.pattern.selects_everything()
            && self.wanted.max == 0
            && self.wanted.parts == Parts::Lines
            && !self.wanted.offsets
    }

    /// Whether what is selected from one block does not depend on other blocks, so that
    /// [`Searcher::search_alone`] will do.
    pub fn is_independent(&self) -> bool {
        self.wanted.before == 0 && self.wanted.after == 0 && self.wanted.max == 0
    }

    /// Adds to `out` what is selected from the next block of a source. Only the last block of a
    /// source may end without a newline. Context lines are never printed twice and never separated
    /// by `--`, as in DTail. Once the limit is reached, trailing context goes on until it is
    /// complete or the next selected line.
    pub fn search(&self, progress: &mut Progress, block: &[u8], out: &mut Selected) {
        let runs = Runs::new(&self.pattern, self.wanted.numbers, block);
        self.select(progress, block, Source::Block(runs), out);
    }

    /// Adds to `out` what is selected from a block, when [`Searcher::is_independent`]. Numbers
    /// and offsets are those within the block.
    pub fn search_alone(&self, block: &[u8], out: &mut Selected) -> Counts {
        let mut progress = Progress::default();
        self.search(&mut progress, block, out);
        Counts { selected: progress.selected, lines: progress.lines }
    }

    /// Looks through a block, for [`Searcher::search_found`] to take what is due.
    pub fn find(&self, block: &[u8], out: &mut Hits) {
        out.fill(&self.pattern, self.wanted.numbers, block);
    }

    /// The same as [`Searcher::search`] after [`Searcher::find`] on the same block.
    pub fn search_found(
        &self,
        progress: &mut Progress,
        block: &[u8],
        hits: &Hits,
        out: &mut Selected,
    ) {
        self.select(progress, block, Source::Hits(hits, 0), out);
    }

    fn select(
        &self,
        progress: &mut Progress,
        block: &[u8],
        mut source: Source<'_>,
        out: &mut Selected,
    ) {
        let wanted = self.wanted;
        let mut pass = Pass::new(block, wanted, progress, out);
        while !progress.done {
            let run = source.next(pass.decided);
            pass.trail(progress, run.as_ref().map_or(block.len(), |run| run.range.start));
            let full = wanted.max > 0 && progress.selected >= wanted.max;
            progress.done = full && (run.is_some() || progress.owed == 0);
            let Some(mut run) = run.filter(|_| !progress.done) else { break };
            if wanted.before > 0 {
                pass.lead(progress, &run);
            }
            self.limit(progress, block, &mut run);
            pass.take(&run, &self.pattern);
            progress.owed = wanted.after;
            progress.done = wanted.max > 0 && wanted.after == 0 && progress.selected >= wanted.max;
        }
        pass.finish();
        if wanted.before > 0 && !progress.done {
            progress.carry(&block[pass.decided..], pass.decided > 0, &wanted);
        }
        progress.lines += source.total();
        progress.bytes += block.len() as u64;
    }

    /// Takes a block as selected whole, when [`Searcher::selects_everything`]. Returns the number
    /// of its first line.
    pub fn pass_whole(&self, progress: &mut Progress, block: &[u8]) -> u64 {
        let first = progress.selected + 1;
        progress.selected += count_lines(block);
        progress.lines = progress.selected;
        progress.bytes += block.len() as u64;
        first
    }

    /// Counts the lines of a run as selected, up to the limit, and cuts the rest off.
    fn limit(&self, progress: &mut Progress, block: &[u8], run: &mut Run) {
        let left = match self.wanted.max {
            0 => u64::MAX,
            max => max - progress.selected,
        };
        if run.lines > left {
            // `left` is at least 1: a full progress does not get here.
            let nth = usize::try_from(left - 1).unwrap_or(usize::MAX);
            let range = &mut run.range;
            if let Some(newline) = memchr_iter(b'\n', &block[range.clone()]).nth(nth) {
                range.end = range.start + newline + 1;
            }
            run.lines = left;
        }
        progress.selected += run.lines;
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

#[cfg(test)]
mod tests;
