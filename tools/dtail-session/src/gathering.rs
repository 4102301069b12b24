//! Joins what is selected from small pieces to blocks that are worth being put out. Never keeps
//! anything for long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dtail_search::Selected;

use crate::outlet::Outlet;
use crate::selection::Selection;

/// So many bytes are worth being put out.
const ENOUGH: usize = 64 * 1024;
/// So many are put out as they are, without being joined to others.
const MUCH: usize = 16 * 1024;
/// Nobody waits longer for what is there.
const PATIENCE: Duration = Duration::from_millis(20);

/// Selected lines of one source that are not yet put out.
#[derive(Default)]
pub(crate) struct Gathering {
    source: Arc<str>,
    selected: Selected,
    since: Option<Instant>,
}

impl Gathering {
    /// Puts out what a source has selected, sooner or later. What is selected is taken away or
    /// cleared.
    pub(crate) fn add(
        &mut self,
        source: &Arc<str>,
        selected: &mut Selected,
        selection: &Selection,
        outlet: &mut Outlet<'_>,
    ) {
        if selected.bytes.is_empty() {
            return self.flush_if_due(selection, outlet);
        }
        if selected.bytes.len() >= MUCH {
            self.flush(selection, outlet);
            return selection.put(source, selected, outlet);
        }
        if self.since.is_none() {
            self.since = Some(Instant::now());
            self.source = source.clone();
            self.selected.bytes.reserve(ENOUGH + MUCH);
        }
        self.selected.bytes.extend_from_slice(&selected.bytes);
        self.selected.numbers.extend_from_slice(&selected.numbers);
        self.selected.offsets.extend_from_slice(&selected.offsets);
        selected.clear();
        if self.selected.bytes.len() >= ENOUGH {
            self.flush(selection, outlet);
        } else {
            self.flush_if_due(selection, outlet);
        }
    }

    /// Puts out what has been kept for long.
    pub(crate) fn flush_if_due(&mut self, selection: &Selection, outlet: &mut Outlet<'_>) {
        if self.since.is_some_and(|since| since.elapsed() >= PATIENCE) {
            self.flush(selection, outlet);
        }
    }

    /// Puts everything out.
    pub(crate) fn flush(&mut self, selection: &Selection, outlet: &mut Outlet<'_>) {
        if self.since.take().is_some() {
            selection.put(&self.source, &mut self.selected, outlet);
        }
    }
}
