//! CPU samples of the last minutes at a low rate, kept ready in a ring. It steps aside while
//! somebody records a CPU profile, which only one can.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::allocator::unsampled;
use crate::cpu::{CpuRecording, CpuTicks};
use crate::machine;

/// Ticks per second of CPU time.
const RATE: u32 = 20;
/// What is kept together and forgotten together.
const SEGMENT: Duration = Duration::from_mins(1);
/// How soon to try again when somebody else is recording.
const RETRY: Duration = Duration::from_secs(1);
/// A day, which is at most some hundred megabytes.
const MOST_KEPT: Duration = Duration::from_hours(24);
/// How long to wait for the segment that is being recorded.
const PATIENCE: Duration = Duration::from_secs(5);

static CURRENT: Mutex<Option<Arc<Ring>>> = Mutex::new(None);

/// The ring is being filled, until it is dropped.
#[derive(Debug)]
pub(crate) struct Continuous {
    ring: Arc<Ring>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Ring {
    kept: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    segments: VecDeque<(Instant, CpuTicks)>,
    is_sampling: bool,
    /// How many want to record themselves.
    pauses: usize,
    /// Somebody wants the segment that is being recorded.
    is_cut: bool,
    is_over: bool,
}

impl Continuous {
    /// Starts to keep the last `kept`.
    pub(crate) fn start(kept: Duration) -> Result<Continuous, String> {
        if kept.is_zero() || kept > MOST_KEPT {
            return Err("no continuous CPU profile: at least 1 minute, at most 1440".to_owned());
        }
        // Where there are no samples, say so now.
        drop(CpuRecording::start(RATE)?);
        let ring = Arc::new(Ring { kept, state: Mutex::default(), changed: Condvar::new() });
        let own = Arc::clone(&ring);
        let thread = thread::Builder::new()
            .name("continuous".to_owned())
            .spawn(move || unsampled(|| own.fill()))
            .map_err(|err| format!("no continuous CPU profile: cannot start a thread: {err}"))?;
        *current() = Some(Arc::clone(&ring));
        Ok(Continuous { ring, thread: Some(thread) })
    }
}

impl Drop for Continuous {
    fn drop(&mut self) {
        *current() = None;
        self.ring.change(|state| state.is_over = true);
        if let Some(thread) = self.thread.take() {
            let _its_panic_was_told = thread.join().is_ok();
        }
    }
}

/// Until it is dropped, the ring is not filled.
#[derive(Debug)]
pub(crate) struct Pause(Option<Arc<Ring>>);

/// Makes the ring step aside, if there is one.
pub(crate) fn pause() -> Pause {
    let ring = current().clone();
    if let Some(ring) = &ring {
        ring.change(|state| state.pauses += 1);
        ring.wait_until(|state| !state.is_sampling);
    }
    Pause(ring)
}

impl Drop for Pause {
    fn drop(&mut self) {
        if let Some(ring) = &self.0 {
            ring.change(|state| state.pauses -= 1);
        }
    }
}

/// What was sampled in the last time. None if no ring is kept.
pub(crate) fn collect(last: Duration) -> Option<CpuTicks> {
    let ring = current().clone()?;
    ring.change(|state| state.is_cut = true);
    ring.wait_until(|state| !state.is_cut || !state.is_sampling);
    let state = ring.lock();
    let recent = state.segments.iter().filter(|(ended, _)| ended.elapsed() < last);
    let recent: Vec<CpuTicks> = recent.map(|(_, ticks)| ticks.clone()).collect();
    drop(state);
    Some(CpuTicks::merged(recent).unwrap_or_else(|| CpuTicks::none(RATE)))
}

impl Ring {
    fn fill(&self) {
        let _kept_out = machine::keep_out();
        loop {
            let mut state = self.lock();
            while state.pauses > 0 && !state.is_over {
                state.is_cut = false;
                state = self.wait(state, SEGMENT);
            }
            if state.is_over {
                return;
            }
            let Ok(recording) = CpuRecording::start(RATE) else {
                drop(self.wait(state, RETRY));
                continue;
            };
            state.is_sampling = true;
            let deadline = Instant::now() + SEGMENT;
            while !state.is_over && !state.is_cut && state.pauses == 0 {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = self.wait(state, left);
            }
            let ticks = recording.stop();
            state.segments.push_back((Instant::now(), ticks));
            state.segments.retain(|(ended, _)| ended.elapsed() < self.kept);
            (state.is_sampling, state.is_cut) = (false, false);
            drop(state);
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, limit);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait_until(&self, is_so: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        while !is_so(&state) && Instant::now() < deadline {
            state = self.wait(state, PATIENCE);
        }
    }
}

fn current() -> MutexGuard<'static, Option<Arc<Ring>>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}
