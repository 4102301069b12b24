//! Threads that work ahead of the one that puts things out, which itself works when nothing is
//! ready for it. Never looks into what they do.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::hand::{Hand, Job, Outcome, Piece};
use crate::lineup::{Lineup, Place};

/// How often the thread that waits for others looks around.
const GLANCE_INTERVAL: Duration = Duration::from_millis(20);

/// What is to be done, in the order of urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Chunks of the file that is being put out.
    Chunks = 0,
    /// Files that come after it.
    Files = 1,
}

/// Jobs, and the threads that do them.
#[derive(Default)]
pub(crate) struct Crew {
    state: Mutex<State>,
    /// There is work.
    work: Condvar,
    /// What is waited for is done.
    done: Condvar,
}

#[derive(Default)]
struct State {
    lines: [Lineup<Job, Outcome>; 2],
    /// Pieces to be used again.
    #[expect(clippy::vec_box, reason = "they come and go in boxes, which keeps outcomes small")]
    spare: Vec<Box<Piece>>,
    /// Threads that wait for work.
    idle: usize,
    /// Somebody waits for the next outcome of a line.
    awaited: Option<Line>,
    stops: bool,
    /// A thread panicked.
    is_broken: bool,
}

/// A job and a place to put what comes of it.
struct Claim {
    line: Line,
    place: Place,
    job: Job,
    piece: Box<Piece>,
}

/// Tells the others when its thread panics, and that the work is over when the one that puts
/// things out leaves.
pub(crate) struct Shift<'a> {
    crew: &'a Crew,
    is_last: bool,
}

impl Drop for Shift<'_> {
    fn drop(&mut self) {
        let is_panicking = std::thread::panicking();
        if self.is_last || is_panicking {
            let mut state = self.crew.state();
            state.stops |= self.is_last;
            state.is_broken |= is_panicking;
            drop(state);
            self.crew.work.notify_all();
            self.crew.done.notify_all();
        }
    }
}

impl Crew {
    /// To be held by the thread that puts things out: when it is dropped, the others stop.
    pub(crate) fn lead(&self) -> Shift<'_> {
        Shift { crew: self, is_last: true }
    }

    /// Works until the leader leaves.
    pub(crate) fn follow(&self, mut hand: Hand) {
        let _shift = Shift { crew: self, is_last: false };
        let mut state = self.state();
        while !state.stops && !state.is_broken {
            let Some(claim) = state.claim(&[Line::Chunks, Line::Files]) else {
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            drop(state);
            let Claim { line, place, job, piece } = claim;
            let outcome = hand.work(job, piece);
            state = self.state();
            let is_next = state.lines[line as usize].finish(place, outcome);
            if is_next && state.awaited == Some(line) {
                state.awaited = None;
                self.done.notify_one();
            }
        }
    }

    /// Adds jobs. Returns how many of the line are under way.
    pub(crate) fn push(&self, line: Line, jobs: impl IntoIterator<Item = Job>) -> usize {
        let mut state = self.state();
        let lineup = &mut state.lines[line as usize];
        jobs.into_iter().for_each(|job| lineup.push(job));
        let (waiting, len) = (lineup.waiting(), lineup.len());
        let wanted = state.idle.min(waiting);
        drop(state);
        (0..wanted).for_each(|_| self.work.notify_one());
        len
    }

    /// The next outcome of a line, which must have one. The thread works for it as long as there
    /// is something to do. `None` when `is_over`, which is called now and then, says so, or when
    /// another thread has panicked.
    pub(crate) fn next(
        &self,
        line: Line,
        hand: &mut Hand,
        is_over: &mut dyn FnMut() -> bool,
    ) -> Option<Outcome> {
        let mut state = self.state();
        loop {
            if let Some(outcome) = state.lines[line as usize].take() {
                return Some(outcome);
            }
            if let Some(Claim { place, job, piece, .. }) = state.claim(&[line]) {
                drop(state);
                let outcome = hand.work(job, piece);
                state = self.state();
                state.lines[line as usize].finish(place, outcome);
                continue;
            }
            drop(state);
            let is_over = is_over();
            state = self.state();
            if is_over || state.is_broken {
                return None;
            }
            if state.lines[line as usize].is_next_done() {
                continue;
            }
            state.awaited = Some(line);
            let waited = self.done.wait_timeout(state, GLANCE_INTERVAL);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.awaited = None;
        }
    }

    /// Gives back a piece to be used again.
    pub(crate) fn give_back(&self, piece: Box<Piece>) {
        self.state().spare.push(piece);
    }

    /// Forgets all jobs of a line.
    pub(crate) fn clear(&self, line: Line) {
        self.state().lines[line as usize].clear();
    }

    /// No code that holds the lock can panic half way, so what a poisoned one guards is sound.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn claim(&mut self, lines: &[Line]) -> Option<Claim> {
        lines.iter().find_map(|&line| {
            let (place, job) = self.lines[line as usize].claim()?;
            let piece = self.spare.pop().unwrap_or_default();
            Some(Claim { line, place, job, piece })
        })
    }
}
