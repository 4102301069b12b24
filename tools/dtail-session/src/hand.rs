//! What one thread does: opens files, reads them or chunks of them, and searches these, with
//! buffers of its own. Never puts anything out.

use std::ops::Range;
use std::sync::Arc;

use dtail_lines::{BlockReader, Chunk, ChunkEnd, Content, FileError, Opener, Target, TextFile};
use dtail_search::{Counts, Hits, Progress, Selected};
use memchr::memchr_iter;

use crate::selection::Selection;

/// Bytes of a large file that are read and searched at once, and the size up to which a file is
/// small. Large enough to make system calls cheap, small enough for a second-level cache.
pub(crate) const CHUNK_SIZE: usize = 256 * 1024;

/// Something to be done by any thread.
pub(crate) enum Job {
    /// A file to be opened, and searched if it is small.
    File(Target),
    /// The lines of a large file that begin in a range.
    Chunk(Arc<TextFile>, Range<u64>),
}

/// What became of it.
pub(crate) enum Outcome {
    /// The file cannot be read.
    Failed(FileError),
    /// The file is large.
    Large(TextFile),
    /// The file must be read in sequence.
    InSequence(Box<BlockReader>),
    /// It is not a file.
    Unopened,
    /// A small file or a chunk.
    Piece(Box<Piece>),
}

/// What was found in a small file or a chunk. Made to be used again and again.
#[derive(Default)]
pub(crate) struct Piece {
    pub(crate) found: Found,
    /// Numbers and offsets are those within the piece.
    pub(crate) selected: Selected,
    pub(crate) counts: Counts,
    pub(crate) hits: Hits,
    /// The lines, for [`Found::Everything`] and [`Found::Hits`]. Take them away when you want to
    /// keep them.
    pub(crate) lines: Vec<u8>,
    /// Where in the file they begin.
    pub(crate) offset: u64,
    /// How many bytes of the file they are.
    pub(crate) length: u64,
    /// What comes behind them.
    pub(crate) end: ChunkEnd,
}

/// How the lines that are selected from a piece are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Found {
    /// They are in `selected`.
    #[default]
    Selected,
    /// They are all lines.
    Everything,
    /// They depend on what precedes the piece; its matches are in `hits`.
    Hits,
}

/// One thread's buffers and its own searcher.
pub(crate) struct Hand {
    opener: Arc<Opener>,
    selection: Selection,
    /// What is read next replaces what was read before, while that is still in the cache.
    chunk: Chunk,
    /// Size of the last selection, a good guess for the next one.
    last_size: usize,
}

impl Hand {
    pub(crate) fn new(opener: &Arc<Opener>, selection: &Selection) -> Hand {
        let (opener, selection) = (opener.clone(), selection.clone());
        Hand { opener, selection, chunk: Chunk::default(), last_size: 0 }
    }

    /// Does a job. The piece is used if the outcome is one.
    pub(crate) fn work(&mut self, job: Job, mut piece: Box<Piece>) -> Outcome {
        let is_independent = match job {
            Job::Chunk(file, range) => {
                file.read_chunk(range, &mut self.chunk);
                self.selection.searcher.is_independent()
            }
            Job::File(target) => match self.opener.open(&target, CHUNK_SIZE, &mut self.chunk) {
                Ok(Content::Whole) => true,
                Ok(Content::Text(file)) => return Outcome::Large(file),
                Ok(Content::Sequential(reader)) => return Outcome::InSequence(reader),
                Ok(Content::Unopened) => return Outcome::Unopened,
                Err(err) => return Outcome::Failed(err),
            },
        };
        let Chunk { offset, length, end, .. } = self.chunk;
        (piece.offset, piece.length, piece.end) = (offset, length, end);
        self.search(&mut piece, is_independent);
        Outcome::Piece(piece)
    }

    fn search(&mut self, piece: &mut Piece, is_independent: bool) {
        let searcher = &self.selection.searcher;
        let lines = &mut self.chunk.bytes;
        piece.counts = Counts::default();
        if searcher.selects_everything() {
            piece.found = Found::Everything;
            let count = memchr_iter(b'\n', lines).count() as u64;
            piece.counts = Counts { selected: count, lines: count };
            piece.lines = match lines.len() < lines.capacity() / 2 {
                true => lines.clone(),
                false => std::mem::take(lines),
            };
        } else if is_independent {
            // Context and limit of a whole file depend on nothing else.
            piece.found = Found::Selected;
            piece.selected.clear();
            piece.selected.bytes.reserve(self.last_size);
            let mut progress = Progress::default();
            searcher.search(&mut progress, lines, &mut piece.selected);
            piece.counts = Counts { selected: progress.selected(), lines: progress.lines() };
            self.last_size = piece.selected.bytes.len();
        } else {
            piece.found = Found::Hits;
            searcher.find(lines, &mut piece.hits);
            std::mem::swap(&mut piece.lines, lines);
        }
    }
}
