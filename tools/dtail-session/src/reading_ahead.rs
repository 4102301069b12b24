//! Searches or aggregates files with several threads: chunks of a large one, or several small ones,
//! and puts out what they find in order. Never reads what comes when it comes with more than one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, Scope};

use dtail_lines::{Block, BlockReader, Chunk, ChunkEnd, FileError, Opener, Target, TextFile};

use crate::crew::{Crew, Line};
use crate::gathering::Gathering;
use crate::hand::{CHUNK_SIZE, Chunked, Found, Hand, Job, Outcome, Piece, Task};
use crate::outlet::Outlet;
use crate::permits::wait_for_permit;
use crate::plan::{Plan, Step};
use crate::session::{Session, Work};
use crate::share::{Header, Turn};
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
    task: Task,
    opener: Arc<Opener>,
    hand: Hand,
    gathering: Gathering,
    block: Block,
    /// All threads together; 0 until it is known.
    threads: usize,
    /// Others work.
    has_help: bool,
    /// The file that will be opened next.
    turn: Turn,
}

/// How the chunks of a file went.
enum Chunks {
    /// It was read to its end, or as far as anybody wants.
    Done,
    /// It must be read in sequence from here on.
    InSequence(u64),
}

impl Session {
    /// Carries out a plan for [`Work::Select`] or [`Work::Aggregate`].
    pub(crate) fn read_ahead(&mut self, plan: &mut Plan<'_>, outlet: &mut Outlet<'_>) {
        let task = match &self.work {
            Work::Copy => return,
            Work::Select(selection) => Task::Select(selection.clone()),
            Work::Aggregate(aggregation) => Task::Aggregate(aggregation.own_share()),
        };
        let opener = Arc::new(self.opener());
        let crew = Crew::default();
        thread::scope(|scope| {
            let _lead = crew.lead();
            let mut reading = Reading {
                scope,
                crew: &crew,
                hand: Hand::new(&opener, task.clone()),
                task,
                opener,
                gathering: Gathering::default(),
                block: Block::default(),
                threads: self.settings.threads.min(MAX_THREADS),
                has_help: false,
                turn: Turn::FIRST,
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
        let mut turn = Turn::FIRST;
        while !outlet.is_closed() {
            if steps.len() <= ahead / 2 {
                let from = steps.len();
                steps.extend(plan.by_ref().take(ahead - from));
                if permits.is_none() {
                    reading.open_ahead(steps.range(from..), &mut self.work);
                }
            }
            let Some(step) = steps.pop_front() else { return };
            let Some(target) = step.take(outlet) else { continue };
            let Some(permit) = wait_for_permit(permits.as_deref(), "MaxConcurrentCats", outlet)
            else {
                return;
            };
            if permits.is_some() {
                reading.crew.push(Line::Files, [Job::File(target.clone(), turn)]);
            }
            if let Work::Aggregate(aggregation) = &mut self.work {
                aggregation.begin_turn(turn);
            }
            let outcome = reading.next(Line::Files, &mut self.work, outlet);
            let Some(outcome) = outcome else { return };
            let mut source = Source::new(self.source_id(&target));
            let result = self.take_file(reading, outcome, &target, turn, &mut source, outlet);
            turn = turn.next();
            reading.flush(outlet);
            self.end(&source, result, outlet);
            drop(permit);
        }
    }

    fn take_file(
        &mut self,
        reading: &mut Reading<'_, '_>,
        outcome: Outcome,
        target: &Target,
        turn: Turn,
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
                let header = self.header(&file, turn);
                let chunked = Chunked { file: Arc::new(file), turn, header };
                match reading.read_chunks(&chunked, &mut self.work, source, outlet) {
                    Chunks::Done => return Ok(()),
                    Chunks::InSequence(offset) => {
                        if let Work::Aggregate(aggregation) = &mut self.work
                            && offset > 0
                        {
                            source.started = true;
                            let blocks = offset / CHUNK_SIZE as u64 + 1;
                            aggregation.go_on(blocks, chunked.header.as_deref());
                        }
                        chunked.file.reader_from(offset)?
                    }
                }
            }
            Outcome::InSequence(reader) => *reader,
            Outcome::Unopened => {
                BlockReader::open(target, &self.site, self.settings.max_line_length)?
            }
        };
        // What was found before must not come after what is found from here on.
        reading.flush(outlet);
        self.read_on(reader, source, &mut reading.block, outlet)
    }

    /// The first line of a file whose other lines cannot be read without it.
    fn header(&self, file: &TextFile, turn: Turn) -> Option<Arc<Header>> {
        match &self.work {
            Work::Aggregate(aggregation) if aggregation.has_header() => {
                let mut chunk = Chunk::default();
                file.read_chunk(0..1, &mut chunk);
                let line = chunk.bytes.strip_suffix(b"\n").unwrap_or(&chunk.bytes).to_vec();
                Some(Arc::new(Header { turn, line }))
            }
            _ => None,
        }
    }
}

impl<'scope> Reading<'scope, '_> {
    /// Has files opened that come later.
    fn open_ahead<'a>(&mut self, steps: impl Iterator<Item = &'a Step>, work: &mut Work) {
        let turn = &mut self.turn;
        let jobs = steps.filter_map(|step| match step {
            Step::Read(target) => {
                let job = Job::File(target.clone(), *turn);
                *turn = turn.next();
                Some(job)
            }
            _ => None,
        });
        if self.crew.push(Line::Files, jobs) >= MANY_FILES {
            self.get_help(work);
        }
    }

    /// Starts the other threads, unless that is already done.
    fn get_help(&mut self, work: &mut Work) {
        if self.has_help {
            return;
        }
        self.has_help = true;
        if self.threads == 0 {
            self.threads = thread::available_parallelism().map_or(1, |n| n.get().min(MAX_THREADS));
        }
        for _ in 1..self.threads {
            let task = match (&self.task, &mut *work) {
                (Task::Select(selection), _) => Task::Select(selection.clone()),
                (Task::Aggregate(_), Work::Aggregate(aggregation)) => {
                    Task::Aggregate(aggregation.new_share())
                }
                (Task::Aggregate(_), _) => return,
            };
            let hand = Hand::new(&self.opener, task);
            let crew = self.crew;
            let builder = thread::Builder::new().name("search".to_owned());
            if builder.spawn_scoped(self.scope, move || crew.follow(hand)).is_err() {
                // Fewer threads only take longer.
                return;
            }
        }
    }

    /// The next outcome of a line, or `None` at the end of the session.
    fn next(&mut self, line: Line, work: &mut Work, outlet: &mut Outlet<'_>) -> Option<Outcome> {
        let Reading { crew, hand, gathering, task, .. } = self;
        let outcome = crew.next(line, hand, &mut || {
            if let Task::Select(selection) = task {
                gathering.flush_if_due(selection, outlet);
            }
            work.tick(outlet);
            outlet.is_closed()
        });
        if let Work::Aggregate(aggregation) = work {
            aggregation.tick(outlet);
            aggregation.check(outlet);
        }
        outcome
    }

    /// Puts out what was found.
    fn flush(&mut self, outlet: &mut Outlet<'_>) {
        if let Task::Select(selection) = &self.task {
            self.gathering.flush(selection, outlet);
        }
    }

    /// Reads a large file from its start.
    fn read_chunks(
        &mut self,
        file: &Chunked,
        work: &mut Work,
        source: &mut Source,
        outlet: &mut Outlet<'_>,
    ) -> Chunks {
        file.file.will_be_read();
        if let (Some(header), Work::Aggregate(aggregation)) = (&file.header, &*work)
            && !aggregation.understands(header)
        {
            // Another line must be the header, or none can be read.
            return Chunks::InSequence(0);
        }
        let mut ranges = ranges(file.file.size());
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
            let Some(Outcome::Piece(piece)) = self.next(Line::Chunks, work, outlet) else {
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
                self.get_help(work);
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
        file: &Chunked,
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
        let Task::Select(selection) = &self.task else {
            return self.crew.give_back(piece);
        };
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
            Found::Aggregated => {}
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
