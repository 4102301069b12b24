//! How lines are selected and what selected lines look like on the way out. Never reads files.

use std::sync::Arc;

use dtail_lines::Block;
use dtail_protocol::{LineBlock, LineNumbers, Request};
use dtail_search::{Parts, Pattern, Searcher, Selected, Wanted, Whole, Wish};

use crate::outlet::Outlet;
use crate::source::Source;
use crate::{Output, Settings};

/// Most bytes kept of lines that may turn out to be leading context. Who asks from another machine
/// decides how many lines these are, so there must be a limit.
const REMOTE_CONTEXT_BYTES: usize = 16 << 20;

/// A pattern as the search takes it.
pub(crate) fn wish(pattern: &dtail_protocol::Pattern) -> Wish<'_> {
    Wish {
        texts: &pattern.texts,
        fixed: pattern.fixed,
        ignore_case: pattern.ignore_case,
        whole: match pattern.whole {
            dtail_protocol::Whole::Nothing => Whole::Nothing,
            dtail_protocol::Whole::Words => Whole::Words,
            dtail_protocol::Whole::Line => Whole::Line,
        },
        invert: pattern.invert,
    }
}

fn wanted(request: &Request, settings: &Settings) -> Wanted {
    let context = request.context;
    Wanted {
        before: context.before,
        after: context.after,
        max: context.max,
        numbers: request.extras.numbers,
        context_bytes: if settings.remote { REMOTE_CONTEXT_BYTES } else { 0 },
        parts: match request.parts {
            dtail_protocol::Parts::Lines => Parts::Lines,
            dtail_protocol::Parts::Matches => Parts::Matches,
            dtail_protocol::Parts::Nothing => Parts::Nothing,
        },
        offsets: request.extras.offsets,
    }
}

/// Selects lines. Threads have one each.
#[derive(Clone)]
pub(crate) struct Selection {
    pub(crate) searcher: Searcher,
    /// Line numbers are counted.
    pub(crate) numbers: bool,
    /// Size of the last output, a good guess for the next one.
    last_size: usize,
}

impl Selection {
    pub(crate) fn new(pattern: Pattern, request: &Request, settings: &Settings) -> Selection {
        let searcher = Searcher::new(pattern, wanted(request, settings));
        Selection { searcher, numbers: request.extras.numbers, last_size: 0 }
    }

    /// Puts out what is selected from the next block of a source that is read in sequence.
    pub(crate) fn take(&mut self, block: &mut Block, source: &mut Source, outlet: &mut Outlet<'_>) {
        if self.searcher.selects_everything() {
            let first = self.searcher.pass_whole(&mut source.progress, &block.bytes);
            let first = source.earlier.lines + first;
            return self.put_all(&source.id, std::mem::take(&mut block.bytes), first, outlet);
        }
        let bytes = Vec::with_capacity(self.last_size);
        let mut selected = Selected { bytes, ..Selected::default() };
        self.searcher.search(&mut source.progress, &block.bytes, &mut selected);
        self.last_size = selected.bytes.len();
        source.place(&mut selected);
        self.put(&source.id, &mut selected, outlet);
    }

    /// Puts out lines without a gap, of which the first has this number.
    pub(crate) fn put_all(
        &self,
        source: &Arc<str>,
        bytes: Vec<u8>,
        first: u64,
        outlet: &mut Outlet<'_>,
    ) {
        let numbers = if self.numbers { LineNumbers::From(first) } else { LineNumbers::Unnumbered };
        if !bytes.is_empty() {
            let (source, offsets) = (source.clone(), Vec::new());
            outlet.put(Output::Lines(LineBlock { source, bytes, numbers, offsets }));
        }
    }

    /// Puts out selected lines, which are taken away.
    pub(crate) fn put(&self, source: &Arc<str>, selected: &mut Selected, outlet: &mut Outlet<'_>) {
        if selected.bytes.is_empty() {
            return;
        }
        let numbers = std::mem::take(&mut selected.numbers);
        outlet.put(Output::Lines(LineBlock {
            source: source.clone(),
            bytes: std::mem::take(&mut selected.bytes),
            numbers: match self.numbers {
                true => LineNumbers::Each(numbers),
                false => LineNumbers::Unnumbered,
            },
            offsets: std::mem::take(&mut selected.offsets),
        }));
    }

    /// Adds what a source brought to the summary.
    pub(crate) fn count(&self, source: &Source, outlet: &mut Outlet<'_>) {
        if source.progress.lost_context() {
            let (limit, id) = (REMOTE_CONTEXT_BYTES >> 20, &source.id);
            outlet.warn(format_args!("lines before a match are cut to {limit} MiB: {id}"));
        }
        outlet.summary.matches += source.selected();
        if self.numbers {
            *outlet.summary.lines_read.get_or_insert(0) += source.lines();
        }
    }
}
