//! How far the search of one source has come, and the lines it keeps from one block to the next.
//! Never selects anything.

use memchr::{memchr, memchr_iter, memrchr};

use crate::runs::count_lines;
use crate::searcher::Wanted;

/// How far the search of one source has come.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The last unselected lines before the next block, up to `before` of them.
    pub(crate) carried: Vec<u8>,
    pub(crate) carried_lines: usize,
    /// Lines were left out of `carried` because there were too many bytes of them.
    pub(crate) carried_is_cut: bool,
    pub(crate) lost_context: bool,
    /// Lines of trailing context still owed.
    pub(crate) owed: usize,
    pub(crate) selected: u64,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    pub(crate) done: bool,
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

    /// Bytes seen so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Lines of leading context are missing because of [`Wanted::context_bytes`].
    pub fn lost_context(&self) -> bool {
        self.lost_context
    }

    /// The limit is reached: further blocks select nothing.
    pub fn is_done(&self) -> bool {
        self.done
    }

    pub(crate) fn forget_carried(&mut self) {
        self.carried.clear();
        self.carried_lines = 0;
        self.carried_is_cut = false;
    }

    /// Drops the bytes before `end`, which are so many whole lines.
    fn drop_carried(&mut self, end: usize, lines: usize) {
        self.carried.drain(..end);
        self.carried_lines -= lines;
    }

    /// Carries the last of the undecided lines, with which a block ends, over to the next block.
    /// They are all of the block unless `follows_decided`.
    pub(crate) fn carry(&mut self, undecided: &[u8], follows_decided: bool, wanted: &Wanted) {
        let (length, found) = last_lines(undecided, wanted.before);
        if follows_decided || found == wanted.before {
            self.forget_carried();
        }
        let surplus = (self.carried_lines + found).saturating_sub(wanted.before);
        if surplus > 0 {
            let newline = memchr_iter(b'\n', &self.carried).nth(surplus - 1);
            self.drop_carried(newline.map_or(0, |newline| newline + 1), surplus);
        }
        self.carried.extend_from_slice(&undecided[undecided.len() - length..]);
        self.carried_lines += found;
        let excess = self.carried.len().saturating_sub(wanted.context_bytes);
        if wanted.context_bytes > 0 && excess > 0 {
            let newline = memchr(b'\n', &self.carried[excess - 1..]);
            let end = newline.map_or(self.carried.len(), |newline| excess + newline);
            let lines = count_lines(&self.carried[..end]);
            self.drop_carried(end, usize::try_from(lines).unwrap_or(usize::MAX));
            self.carried_is_cut = true;
        }
    }
}

/// Length in bytes of the last `count` lines of `text`, and how many lines there really are, up to
/// `count`. Walks backwards, so the cost is that of the lines found.
pub(crate) fn last_lines(text: &[u8], count: usize) -> (usize, usize) {
    let mut start = text.len();
    let mut found = 0;
    while found < count && start > 0 {
        start = memrchr(b'\n', &text[..start - 1]).map_or(0, |newline| newline + 1);
        found += 1;
    }
    (text.len() - start, found)
}
