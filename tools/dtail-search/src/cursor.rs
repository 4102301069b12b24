//! A pattern over one block: which lines come next? Never keeps anything from one block to the
//! next.

use std::cell::Cell;
use std::ops::Range;

use memchr::{memchr, memrchr};
use regex_automata::Input;

use crate::pattern::{Engine, Matcher, Pattern};
use crate::plan::{Account, Filter};
use crate::words::is_whole;

/// A pattern over one block.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    pattern: &'a Pattern,
    block: &'a [u8],
    way: Cell<Way<'a>>,
    account: Cell<Account>,
}

/// How an expression is looked for.
#[derive(Debug, Clone, Copy)]
enum Way<'a> {
    /// In the whole block.
    Whole,
    /// In one line after the other.
    ByLine,
    /// In lines that have a literal.
    Filtered(&'a Filter),
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(pattern: &'a Pattern, block: &'a [u8]) -> Cursor<'a> {
        let way = match &pattern.matcher {
            Matcher::Expression(engine) => match engine.plan.filter(block) {
                Some(filter) => Way::Filtered(filter),
                None if engine.sees_whole(block) => Way::Whole,
                None => Way::ByLine,
            },
            _ => Way::Whole,
        };
        Cursor { pattern, block, way: Cell::new(way), account: Cell::default() }
    }

    /// The next selected lines at or after `from`, which is the start of a line: one or more
    /// lines without a gap, newlines included. The lines between `from` and the start of the
    /// range are not selected.
    pub fn next_run(&self, from: usize) -> Option<Range<usize>> {
        let mut start = from;
        if !self.pattern.invert {
            return match self.pattern.matcher {
                Matcher::Everything(_) => {
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

    /// Whether each run is a single line.
    pub(crate) fn runs_are_lines(&self) -> bool {
        !self.pattern.invert && !matches!(self.pattern.matcher, Matcher::Everything(_))
    }

    /// The next matching line at or after `from`.
    fn next_hit(&self, from: usize) -> Option<Range<usize>> {
        if from >= self.block.len() {
            return None;
        }
        match &self.pattern.matcher {
            Matcher::Everything(_) => Some(from..self.line_end(from)),
            Matcher::Nothing => None,
            Matcher::Literal(finder) => {
                Some(self.line_around(from, from + finder.find(&self.block[from..])?))
            }
            Matcher::Expression(engine) => match self.way.get() {
                Way::Whole => self.next_in_whole(from, engine),
                Way::ByLine => self.next_by_line(from, engine),
                Way::Filtered(filter) => self.next_filtered(from, engine, filter),
            },
        }
    }

    fn next_in_whole(&self, from: usize, engine: &Engine) -> Option<Range<usize>> {
        // Without the last newline, so that every position belongs to a line. No match spans
        // lines, so its end is on the line of its start.
        let subject = self.block.strip_suffix(b"\n").unwrap_or(self.block);
        let input = Input::new(subject).range(from..).earliest(true);
        let found = engine.expression.regex().search_half(&input)?;
        Some(self.line_around(from, found.offset()))
    }

    fn next_by_line(&self, from: usize, engine: &Engine) -> Option<Range<usize>> {
        let mut start = from;
        while start < self.block.len() {
            let end = self.line_end(start);
            if engine.expression.matches_line(self.without_newline(start, end)) {
                return Some(start..end);
            }
            start = end;
        }
        None
    }

    fn next_filtered(
        &self,
        from: usize,
        engine: &Engine,
        filter: &'a Filter,
    ) -> Option<Range<usize>> {
        let mut start = from;
        let mut at = from;
        loop {
            let found = filter.scan.find(self.block, at)?;
            if filter.sure && engine.expression.is_about_words() && filter.scan.is_of_one() {
                if is_whole(self.block, &found) {
                    return Some(self.line_around(start, found.start));
                }
                at = found.start + 1;
                continue;
            }
            let line = self.line_around(start, found.start);
            if self.confirms(engine, filter, &line, &found) {
                return Some(line);
            }
            (start, at) = (line.end, line.end);
            let mut account = self.account.get();
            account.failed(line.len());
            self.account.set(account);
            if account.is_lost(line.end) && engine.sees_whole(self.block) {
                engine.plan.give_up();
                self.way.set(Way::Whole);
                return if start < self.block.len() {
                    self.next_in_whole(start, engine)
                } else {
                    None
                };
            }
        }
    }

    /// Whether a line matches in which a literal was found.
    fn confirms(
        &self,
        engine: &Engine,
        filter: &Filter,
        line: &Range<usize>,
        found: &Range<usize>,
    ) -> bool {
        let expression = &engine.expression;
        if filter.sure && (!expression.is_about_words() || is_whole(self.block, found)) {
            return true;
        }
        let end = line.start + self.without_newline(line.start, line.end).len();
        if engine.by_line || !expression.sees_plainly_line(&self.block[line.clone()]) {
            return expression.matches_line(&self.block[line.start..end]);
        }
        let start = if filter.at_start { found.start } else { line.start };
        expression.matches_within(self.block, start..end)
    }

    fn without_newline(&self, start: usize, end: usize) -> &'a [u8] {
        let line = &self.block[start..end];
        line.strip_suffix(b"\n").unwrap_or(line)
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

impl Engine {
    /// Whether the lines of a block need not be tried one by one.
    fn sees_whole(&self, block: &[u8]) -> bool {
        !self.by_line && self.expression.sees_plainly(block)
    }
}
