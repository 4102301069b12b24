//! What one thread does: opens files, reads them or chunks of them, and searches or aggregates
//! these, with buffers of its own. Never puts anything out.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use dtail_lines::{BlockReader, Chunk, ChunkEnd, Content, FileError, Opener, Target, TextFile};
use dtail_search::{Counts, Hits, Progress, Selected};
use memchr::memchr_iter;
use probe::probe;

use crate::aggregation::lock;
use crate::selection::Selection;
use crate::share::{Beginning, Header, Share, Turn};

/// Bytes of a large file that are read and searched at once, and the size up to which a file is
/// small. Large enough to make system calls cheap, small enough for a second-level cache.
pub(crate) const CHUNK_SIZE: usize = 256 * 1024;

/// Something to be done by any thread.
pub(crate) enum Job {
    /// A file to be opened, and searched if it is small.
    File(Target, Turn),
    /// The lines of a large file that begin in a range.
    Chunk(Chunked, Range<u64>),
}

/// A large file that is read in chunks.
#[derive(Clone)]
pub(crate) struct Chunked {
    pub(crate) file: Arc<TextFile>,
    pub(crate) turn: Turn,
    /// Its first line, if the others cannot be read without it.
    pub(crate) header: Option<Arc<Header>>,
}

/// What is done with lines.
#[derive(Clone)]
pub(crate) enum Task {
    Select(Selection),
    Aggregate(Arc<Mutex<Share>>),
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
    /// They are part of the thread's share.
    Aggregated,
}

/// One thread's buffers and its own searcher.
pub(crate) struct Hand {
    opener: Arc<Opener>,
    task: Task,
    /// What is read next replaces what was read before, while that is still in the cache.
    chunk: Chunk,
    /// Size of the last selection, a good guess for the next one.
    last_size: usize,
}

impl Hand {
    pub(crate) fn new(opener: &Arc<Opener>, task: Task) -> Hand {
        Hand { opener: opener.clone(), task, chunk: Chunk::default(), last_size: 0 }
    }

    /// Does a job. The piece is used if the outcome is one.
    pub(crate) fn work(&mut self, job: Job, mut piece: Box<Piece>) -> Outcome {
        let origin = match job {
            Job::Chunk(chunked, range) => {
                let start = range.start;
                chunked.file.read_chunk(range, &mut self.chunk);
                Origin::Chunk(chunked, start)
            }
            Job::File(target, turn) => match self.opener.open(&target, CHUNK_SIZE, &mut self.chunk)
            {
                Ok(Content::Whole) => Origin::Whole(turn),
                Ok(Content::Text(file)) => return Outcome::Large(file),
                Ok(Content::Sequential(reader)) => return Outcome::InSequence(reader),
                Ok(Content::Unopened) => return Outcome::Unopened,
                Err(err) => return Outcome::Failed(err),
            },
        };
        let Chunk { offset, length, end, .. } = self.chunk;
        probe!(dtail, line_batch, length);
        (piece.offset, piece.length, piece.end) = (offset, length, end);
        piece.counts = Counts::default();
        match &self.task {
            Task::Select(selection) => {
                let is_independent = match origin {
                    Origin::Whole(_) => true,
                    Origin::Chunk(..) => selection.searcher.is_independent(),
                };
                let (chunk, last_size) = (&mut self.chunk, &mut self.last_size);
                search(selection, chunk, &mut piece, is_independent, last_size);
            }
            Task::Aggregate(share) => {
                piece.found = Found::Aggregated;
                origin.aggregate(&mut lock(share), &self.chunk.bytes);
            }
        }
        Outcome::Piece(piece)
    }
}

impl Origin {
    fn aggregate(&self, share: &mut Share, lines: &[u8]) {
        match self {
            Origin::Whole(turn) => share.take(&Beginning::Source, turn.sequence(0), lines),
            Origin::Chunk(chunked, start) => {
                let beginning = match &chunked.header {
                    None if *start > 0 => Beginning::Later(None),
                    Some(header) if *start > 0 => Beginning::Later(Some(header)),
                    _ => Beginning::Source,
                };
                let sequence = chunked.turn.sequence(start / CHUNK_SIZE as u64);
                share.take(&beginning, sequence, lines);
            }
        }
    }
}

/// Finds what is selected from a chunk, or a whole file.
fn search(
    selection: &Selection,
    chunk: &mut Chunk,
    piece: &mut Piece,
    is_independent: bool,
    last_size: &mut usize,
) {
    let searcher = &selection.searcher;
    let lines = &mut chunk.bytes;
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
        piece.selected.bytes.reserve(*last_size);
        let mut progress = Progress::default();
        searcher.search(&mut progress, lines, &mut piece.selected);
        piece.counts = Counts { selected: progress.selected(), lines: progress.lines() };
        *last_size = piece.selected.bytes.len();
    } else {
        piece.found = Found::Hits;
        searcher.find(lines, &mut piece.hits);
        std::mem::swap(&mut piece.lines, lines);
    }
}

/// Where lines come from.
enum Origin {
    /// A whole file.
    Whole(Turn),
    /// The chunk of a file that begins there.
    Chunk(Chunked, u64),
}
