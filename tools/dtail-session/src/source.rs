//! A file or whatever else lines come from, and how far it has been read. Never reads it.

use std::sync::Arc;

use dtail_search::{Counts, Progress, Selected};

/// A file or whatever else lines come from.
#[derive(Default)]
pub(crate) struct Source {
    /// What it is called.
    pub(crate) id: Arc<str>,
    /// How far it has been searched in sequence, after what is counted in `earlier`.
    pub(crate) progress: Progress,
    /// What was searched in pieces that do not depend on each other.
    pub(crate) earlier: Counts,
    /// Length of these pieces.
    pub(crate) earlier_bytes: u64,
    /// Bytes read, after decompression.
    pub(crate) bytes_read: u64,
    pub(crate) started: bool,
}

impl Source {
    pub(crate) fn new(id: Arc<str>) -> Source {
        Source { id, ..Source::default() }
    }

    /// Lines selected so far.
    pub(crate) fn selected(&self) -> u64 {
        self.earlier.selected + self.progress.selected()
    }

    /// Lines seen so far, if they are counted.
    pub(crate) fn lines(&self) -> u64 {
        self.earlier.lines + self.progress.lines()
    }

    /// A piece that was searched alone has been taken.
    pub(crate) fn add(&mut self, counts: Counts, length: u64) {
        self.earlier.selected += counts.selected;
        self.earlier.lines += counts.lines;
        self.earlier_bytes += length;
    }

    /// Makes numbers and offsets absolute that count from the end of the pieces searched alone.
    pub(crate) fn place(&self, selected: &mut Selected) {
        if self.earlier_bytes > 0 {
            let lines = self.earlier.lines;
            selected.numbers.iter_mut().for_each(|number| *number += lines);
            selected.offsets.iter_mut().for_each(|offset| *offset += self.earlier_bytes);
        }
    }
}
