//! Searches files with several threads: chunks of a large one, or several small ones, and puts out
//! what they find in order. Never reads what comes when it comes with more than one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, Scope};

use dtail_lines::{Block, BlockReader, ChunkEnd, FileError, Opener, Target, TextFile};

use crate::crew::{Crew, Line};
use crate::gathering::Gathering;
use crate::hand::{CHUNK_SIZE, Found, Hand, Job, Outcome, Piece};
use crate::outlet::Outlet;
use crate::permits::wait_for_permit;
use crate::plan::{Plan, Step};
use crate::selection::Selection;
use crate::session::{Session, Work};
use crate::source::Source;

/// Files that are opened and small ones that are searched before it is their turn.
const FILES_AHEAD: usize = 32;
/// So many files are worth a second thread.
const MANY_FILES: usize = 8;
/// With more threads the memory for what they have found would matter.
const MAX_THREADS: usize = 12;

/// The thread that puts things out, and the others that work for it.
struct Reading<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    crew: &'scope Crew,
    selection: Selection,
    opener: Arc<Opener>,
    hand: Hand,
    gathering: Gathering,
    block: Block,
    /// All threads together; 0 until it is known.
    threads: usize,
    /// Others work.
    has_help: bool,
}

/// How the chunks of a file went.
enum Chunks {
    /// It was read to its end, or as far as anybody wants.
    Done,
    /// It must be read in sequence from here on.
    InSequence(u64),
}

impl Session {
    /// Carries out a plan for [`Work::Select`].
    pub(crate) fn read_ahead(&mut self, plan: &mut Plan<'_>, outlet: &mut Outlet<'_>) {
        let Work::Select(selection) = &self.work else { return };
        let (selection, opener) = (selection.clone(), Arc::new(self.opener()));
        let crew = Crew::default();
        thread::scope(|scope| {
            let _lead = crew.lead();
            let mut reading = Reading {
                scope,
                crew: &crew,
                hand: Hand::new(&opener, &selection),
                selection,
                opener,
                gathering: Gathering::default(),
                block: Block::default(),
                threads: self.settings.threads.min(MAX_THREADS),
                has_help: false,
            };
            self.read_steps(&mut reading, plan, outlet);
        });
    }

    fn read_steps(
        &mut self,
        reading: &mut Reading<'_, '_>,
        plan: &mut Plan<'_>,
        outlet: &mut Outlet<'_>,
    ) {
        let permits = self.settings.file_permits.clone();
        // Who has to wait for permits does not take several at once.
        let ahead = if permits.is_some() { 1 } else { FILES_AHEAD };
        let mut steps = VecDeque::with_capacity(ahead);
        while !outlet.is_closed() {
            if steps.len() <= ahead / 2 {
                let from = steps.len();
                steps.extend(plan.by_ref().take(ahead - from));
                if permits.is_none() {
                    reading.open_ahead(steps.range(from..));
                }
            }
            let Some(step) = steps.pop_front() else { return };
            let Some(target) = step.take(outlet) else { continue };
            let Some(permit) = wait_for_permit(permits.as_deref(), "MaxConcurrentCats", outlet)
            else {
                return;
            };
            if permits.is_some() {
                reading.crew.push(Line::Files, [Job::File(target.clone())]);
            }
            let Some(outcome) = reading.next(Line::Files, outlet) else { return };
            let mut source = Source::new(self.source_id(&target));
            let result = self.take_file(reading, outcome, &target, &mut source, outlet);
            reading.gathering.flush(&reading.selection, outlet);
            self.end(&source, result, outlet);
            drop(permit);
        }
    }

    fn take_file(
        &mut self,
        reading: &mut Reading<'_, '_>,
        outcome: Outcome,
        target: &Target,
        source: &mut Source,
        outlet: &mut Outlet<'_>,
    ) -> Result<(), FileError> {
        let reader = match outcome {
            Outcome::Failed(err) => return Err(err),
            Outcome::Piece(piece) => {
                reading.take(piece, source, outlet);
                return Ok(());
            }
            Outcome::Large(file) => {
                let file = Arc::new(file);
                match reading.read_chunks(&file, source, outlet) {
                    Chunks::Done => return Ok(()),
                    Chunks::InSequence(offset) => file.reader_from(offset)?,
                }
            }
            Outcome::InSequence(reader) => *reader,
            Outcome::Unopened => {
                BlockReader::open(target, &self.site, self.settings.max_line_length)?
            }
        };
        // What was found before must not come after what is found from here on.
        reading.gathering.flush(&reading.selection, outlet);
        self.read_on(reader, source, &mut reading.block, outlet)
    }
}

impl<'scope> Reading<'scope, '_> {
    /// Has files opened that come later.
    fn open_ahead<'a>(&mut self, steps: impl Iterator<Item = &'a Step>) {
        let jobs = steps.filter_map(|step| match step {
            Step::Read(target) => Some(Job::File(target.clone())),
            _ => None,
        });
        if self.crew.push(Line::Files, jobs) >= MANY_FILES {
            self.get_help();
        }
    }

    /// Starts the other threads, unless that is already done.
    fn get_help(&mut self) {
        if self.has_help {
            return;
        }
        self.has_help = true;
        if self.threads == 0 {
            self.threads = thread::available_parallelism().map_or(1, |n| n.get().min(MAX_THREADS));
        }
        for _ in 1..self.threads {
            let hand = Hand::new(&self.opener, &self.selection);
            let crew = self.crew;
            let builder = thread::Builder::new().name("search".to_owned());
            if builder.spawn_scoped(self.scope, move || crew.follow(hand)).is_err() {
                // Fewer threads only take longer.
                return;
            }
        }
    }

    /// The next outcome of a line, or `None` at the end of the session.
    fn next(&mut self, line: Line, outlet: &mut Outlet<'_>) -> Option<Outcome> {
        let Reading { crew, hand, gathering, selection, .. } = self;
        crew.next(line, hand, &mut || {
            gathering.flush_if_due(selection, outlet);
            outlet.is_closed()
        })
    }

    /// Reads a large file from its start.
    fn read_chunks(
        &mut self,
        file: &Arc<TextFile>,
        source: &mut Source,
        outlet: &mut Outlet<'_>,
    ) -> Chunks {
        file.will_be_read();
        let mut ranges = ranges(file.size());
        let mut read_to = 0;
        // Often the first chunk is enough for whoever asks.
        let mut under_way = self.push_chunks(file, &mut ranges, 1);
        loop {
            if outlet.is_closed() {
                break Chunks::Done;
            }
            if under_way == 0 {
                break Chunks::InSequence(read_to);
            }
            let Some(Outcome::Piece(piece)) = self.next(Line::Chunks, outlet) else {
                break Chunks::Done;
            };
            under_way -= 1;
            if piece.length > 0 {
                read_to = piece.offset + piece.length;
            }
            let end = piece.end;
            self.take(piece, source, outlet);
            match end {
                _ if source.progress.is_done() => break Chunks::Done,
                ChunkEnd::Line => {}
                ChunkEnd::File => break Chunks::Done,
                ChunkEnd::Sequential => break Chunks::InSequence(read_to),
            }
            if !self.has_help && ranges.len() > 0 {
                self.get_help();
            }
            let window = 2 * self.threads + 2;
            if under_way <= window / 2 {
                under_way += self.push_chunks(file, &mut ranges, window - under_way);
            }
        }
        .forget(self.crew)
    }

    fn push_chunks(
        &self,
        file: &Arc<TextFile>,
        ranges: &mut impl Iterator<Item = std::ops::Range<u64>>,
        most: usize,
    ) -> usize {
        let mut pushed = 0;
        let jobs = ranges.take(most).inspect(|_| pushed += 1);
        self.crew.push(Line::Chunks, jobs.map(|range| Job::Chunk(file.clone(), range)));
        pushed
    }

    /// Takes what was found in the next piece of a source.
    fn take(&mut self, mut piece: Box<Piece>, source: &mut Source, outlet: &mut Outlet<'_>) {
        source.bytes_read += piece.length;
        let selection = &self.selection;
        match piece.found {
            Found::Everything => {
                self.gathering.flush(selection, outlet);
                let first = source.earlier.lines + 1;
                selection.put_all(&source.id, std::mem::take(&mut piece.lines), first, outlet);
                source.add(piece.counts, piece.length);
            }
            Found::Selected => {
                source.place(&mut piece.selected);
                self.gathering.add(&source.id, &mut piece.selected, selection, outlet);
                source.add(piece.counts, piece.length);
            }
            Found::Hits => {
                let Piece { lines, hits, selected, .. } = &mut *piece;
                selected.clear();
                selection.searcher.search_found(&mut source.progress, lines, hits, selected);
                self.gathering.add(&source.id, selected, selection, outlet);
            }
        }
        self.crew.give_back(piece);
    }
}

impl Chunks {
    /// Nothing more of the file is wanted in chunks.
    fn forget(self, crew: &Crew) -> Chunks {
        crew.clear(Line::Chunks);
        self
    }
}

/// The chunks of a file of `size` bytes.
fn ranges(size: u64) -> impl ExactSizeIterator<Item = std::ops::Range<u64>> {
    let count = usize::try_from(size.div_ceil(CHUNK_SIZE as u64)).unwrap_or(usize::MAX);
    (0..count).map(move |index| {
        let start = index as u64 * CHUNK_SIZE as u64;
        start..size.min(start + CHUNK_SIZE as u64)
    })
}
