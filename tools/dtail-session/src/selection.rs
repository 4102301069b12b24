//! From blocks of lines to blocks of selected lines. Never reads files.

use std::sync::Arc;

use dtail_lines::Block;
use dtail_protocol::{LineBlock, LineNumbers, Request};
use dtail_search::{Pattern, Progress, Searcher, Selected, Wanted};

use crate::outlet::Outlet;
use crate::{Output, Settings};

/// Most bytes kept of lines that may turn out to be leading context. Who asks from another machine
/// decides how many lines these are, so there must be a limit.
const REMOTE_CONTEXT_BYTES: usize = 16 << 20;

/// Selects lines and puts them out.
pub(crate) struct Selection {
    searcher: Searcher,
    numbers: bool,
    /// Size of the last output, a good guess for the next one.
    last_size: usize,
}

impl Selection {
    pub(crate) fn new(pattern: Pattern, request: &Request, settings: &Settings) -> Selection {
        let numbers = !request.plain;
        let context = request.context;
        let (before, after, max) = (context.before, context.after, context.max);
        let context_bytes = if settings.remote { REMOTE_CONTEXT_BYTES } else { 0 };
        let wanted = Wanted { before, after, max, numbers, context_bytes };
        let searcher = Searcher::new(pattern, wanted);
        Selection { searcher, numbers, last_size: 0 }
    }

    /// Whether line numbers are counted.
    pub(crate) fn numbers(&self) -> bool {
        self.numbers
    }

    /// Puts out what is selected from the next block of a source.
    pub(crate) fn take(
        &mut self,
        block: &mut Block,
        source: &Arc<str>,
        progress: &mut Progress,
        outlet: &mut Outlet<'_>,
    ) {
        let (bytes, numbers) = if self.searcher.selects_everything() {
            let first = self.searcher.pass_whole(progress, &block.bytes);
            (std::mem::take(&mut block.bytes), LineNumbers::From(first))
        } else {
            let bytes = Vec::with_capacity(self.last_size);
            let mut selected = Selected { bytes, numbers: Vec::new() };
            self.searcher.search(progress, &block.bytes, &mut selected);
            self.last_size = selected.bytes.len();
            (selected.bytes, LineNumbers::Each(selected.numbers))
        };
        if !bytes.is_empty() {
            let numbers = if self.numbers { numbers } else { LineNumbers::Unnumbered };
            outlet.put(Output::Lines(LineBlock { source: source.clone(), bytes, numbers }));
        }
    }

    /// Adds what a source brought to the summary.
    pub(crate) fn count(&self, source: &str, progress: &Progress, outlet: &mut Outlet<'_>) {
        if progress.lost_context() {
            let limit = REMOTE_CONTEXT_BYTES >> 20;
            outlet.warn(format_args!("lines before a match are cut to {limit} MiB: {source}"));
        }
        outlet.summary.matches += progress.selected();
        if self.numbers {
            *outlet.summary.lines_read.get_or_insert(0) += progress.lines();
        }
    }
}
