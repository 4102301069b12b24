//! Ticks of CPU time: a timer on the clock of each thread and one on that of the process for
//! threads that are too young to have theirs; what the ticks hit is added up by a thread of ours.
//! It gives no names and allows one sampler at a time.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::mem;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::allocator::unsampled;

use super::handler::{self, OF_PROCESS, OF_THREAD, TICKS, TickTarget};
use super::ring::Ring;
use super::stack;
use super::tasks::{self, TaskList, ThreadSet, keep_out};

/// Samples that wait to be added up.
const RING: u32 = 1024;
/// The shortest and the longest time after which the ring is emptied and new threads are looked
/// for: it doubles each time that there are none. Until it is found, a thread is sampled by the
/// timer of the process.
const ROUNDS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(100)];
/// A thread's CPU clock, as the kernel numbers clocks.
const CLOCK_OF_THREAD: u32 = 4 | 2;

/// What was sampled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticks {
    /// How many ticks hit which stack, the innermost address first.
    pub(crate) stacks: HashMap<Box<[u64]>, u64>,
    /// CPU time of the process, the sampler's own taken off.
    pub(crate) cpu: Duration,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// Signals that were handled, each of them for one tick or more.
    pub(crate) signals: u64,
    /// Samples that were lost.
    pub(crate) dropped: u64,
}

impl Ticks {
    /// All ticks.
    pub(crate) fn total(&self) -> u64 {
        self.stacks.values().sum()
    }

    /// Adds what was sampled later.
    pub(crate) fn add(&mut self, later: Ticks) {
        let Ticks { stacks, cpu, elapsed, signals, dropped } = later;
        for (stack, ticks) in stacks {
            *self.stacks.entry(stack).or_default() += ticks;
        }
        self.cpu += cpu;
        self.elapsed += elapsed;
        self.signals += signals;
        self.dropped += dropped;
    }
}

/// Ticks are being sampled, until it is stopped or dropped.
#[derive(Debug)]
pub(crate) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Ticks>>,
}

static IS_RUNNING: AtomicBool = AtomicBool::new(false);

impl Sampler {
    /// Starts to sample so many times per second of CPU time. The error is one line.
    pub(crate) fn start(hertz: u32) -> Result<Sampler, String> {
        if IS_RUNNING.swap(true, Ordering::SeqCst) {
            return Err("a CPU profile is being recorded already".to_owned());
        }
        let started = Sampler::start_alone(hertz);
        if started.is_err() {
            IS_RUNNING.store(false, Ordering::SeqCst);
        }
        started
    }

    fn start_alone(hertz: u32) -> Result<Sampler, String> {
        stack::prepare();
        handler::install()?;
        let list = TaskList::open().map_err(|err| format!("cannot list threads: {err}"))?;
        let period = Duration::from_secs(1) / hertz.max(1);
        TICKS.put(TickTarget { ring: Ring::new(RING as usize), timed: ThreadSet::new() });
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let mut round = Round::new(period, list);
        // Before anything else happens, so that no time of the caller's is lost.
        round.follow_threads();
        let spawned = thread::Builder::new()
            .name("profile".to_owned())
            // A heap profile is about the program.
            .spawn(move || unsampled(|| round.until(&told)))
            .map_err(|err| format!("cannot start a thread: {err}"));
        match spawned {
            Ok(thread) => Ok(Sampler { stop, thread: Some(thread) }),
            Err(err) => {
                TICKS.take();
                Err(err)
            }
        }
    }

    /// Whether one is running.
    #[cfg(test)]
    pub(crate) fn is_running() -> bool {
        IS_RUNNING.load(Ordering::SeqCst)
    }

    /// Stops, and tells what was sampled.
    pub(crate) fn stop(mut self) -> Ticks {
        self.end().unwrap_or_default()
    }

    fn end(&mut self) -> Option<Ticks> {
        let thread = self.thread.take()?;
        self.stop.store(true, Ordering::SeqCst);
        thread.thread().unpark();
        let ticks = thread.join().ok();
        IS_RUNNING.store(false, Ordering::SeqCst);
        ticks
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        let _nobody_wants_it = self.end();
    }
}

/// What the sampler's thread knows.
struct Round {
    period: Duration,
    list: TaskList,
    threads: BTreeSet<i32>,
    timers: HashMap<i32, Timer>,
    of_process: Option<Timer>,
    ticks: Ticks,
    started: Instant,
    cpu_before: Duration,
    seed: u64,
}

impl Round {
    fn new(period: Duration, list: TaskList) -> Round {
        Round {
            period,
            list,
            threads: BTreeSet::new(),
            timers: HashMap::new(),
            of_process: None,
            ticks: Ticks::default(),
            started: Instant::now(),
            cpu_before: cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID),
            seed: seed(),
        }
    }

    fn until(mut self, stop: &AtomicBool) -> Ticks {
        let _kept_out = keep_out();
        // Not sooner: until now it would have counted this thread.
        let (clock, period) = (libc::CLOCK_PROCESS_CPUTIME_ID, self.period);
        self.of_process = Timer::new(clock, None, period, period).ok();
        let [shortest, longest] = ROUNDS;
        let longest = self.half_a_ring().clamp(shortest, longest);
        let mut round = shortest;
        while !stop.load(Ordering::SeqCst) {
            self.drain();
            round = if self.follow_threads() { shortest } else { (round * 2).min(longest) };
            thread::park_timeout(round);
        }
        let elapsed = self.started.elapsed();
        let cpu = cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID).saturating_sub(self.cpu_before);
        self.timers.clear();
        self.of_process = None;
        self.drain();
        let dropped = TICKS.take().map_or(0, |target| target.ring.dropped());
        let own = cpu_time(libc::CLOCK_THREAD_CPUTIME_ID);
        Ticks { cpu: cpu.saturating_sub(own), elapsed, dropped, ..self.ticks }
    }

    fn drain(&mut self) {
        let Ticks { stacks, signals, .. } = &mut self.ticks;
        TICKS.enter(|target| {
            target.ring.drain(|sample| {
                let stack = &sample.frames[..sample.length];
                let ticks = u64::from(sample.ticks);
                *signals += 1;
                match stacks.get_mut(stack) {
                    Some(sum) => *sum += ticks,
                    // Without a walker there is no stack, and the ring counted it.
                    None if stack.is_empty() => {}
                    None => {
                        stacks.insert(stack.into(), ticks);
                    }
                }
            });
        });
    }

    /// How long it takes at least to fill half of the ring.
    fn half_a_ring(&self) -> Duration {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        self.period * (RING / 2) / u32::try_from(processors).unwrap_or(u32::MAX)
    }

    /// Gives new threads a timer and takes it from those that have ended. Whether there are any.
    fn follow_threads(&mut self) -> bool {
        if self.list.read(&mut self.threads).is_err() {
            return false;
        }
        let mut has_new = false;
        let Round { threads, timers, period, seed, .. } = self;
        TICKS.enter(|target| {
            timers.retain(|thread, _| {
                let lives = threads.contains(thread);
                if !lives {
                    target.timed.remove(*thread);
                }
                lives
            });
            for thread in threads.iter() {
                if timers.contains_key(thread) || tasks::is_kept_out(*thread) {
                    continue;
                }
                // Otherwise no thread would be sampled in the first part of its life.
                let first = period.mul_f64(fraction(seed)).max(Duration::from_nanos(1));
                let clock = clock_of(*thread);
                // Where there are too many timers, the process's one counts for the thread.
                if let Ok(timer) = Timer::new(clock, Some(*thread), first, *period) {
                    target.timed.insert(*thread);
                    timers.insert(*thread, timer);
                    has_new = true;
                }
            }
        });
        has_new
    }
}

/// A timer that sends SIGPROF.
#[derive(Debug)]
struct Timer(libc::timer_t);

// SAFETY: it is a number that the whole process may use.
unsafe impl Send for Timer {}

impl Timer {
    fn new(
        clock: libc::clockid_t,
        thread: Option<i32>,
        first: Duration,
        period: Duration,
    ) -> io::Result<Timer> {
        // SAFETY: zeros are a valid event, completed below.
        let mut event: libc::sigevent = unsafe { mem::zeroed() };
        event.sigev_signo = libc::SIGPROF;
        event.sigev_notify =
            if thread.is_some() { libc::SIGEV_THREAD_ID } else { libc::SIGEV_SIGNAL };
        let value = if thread.is_some() { OF_THREAD } else { OF_PROCESS };
        event.sigev_value.sival_ptr = std::ptr::without_provenance_mut(value);
        event.sigev_notify_thread_id = thread.unwrap_or(0);
        let mut timer: libc::timer_t = std::ptr::null_mut();
        // SAFETY: both pointers are valid for the call.
        if unsafe { libc::timer_create(clock, &raw mut event, &raw mut timer) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let timer = Timer(timer);
        let times = libc::itimerspec { it_interval: timespec(period), it_value: timespec(first) };
        // SAFETY: the timer exists and the pointer is valid for the call.
        let set =
            unsafe { libc::timer_settime(timer.0, 0, &raw const times, std::ptr::null_mut()) };
        if set == 0 { Ok(timer) } else { Err(io::Error::last_os_error()) }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: it exists, and nobody else deletes it.
        unsafe { libc::timer_delete(self.0) };
    }
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: i64::from(time.subsec_nanos()) }
}

fn clock_of(thread: i32) -> libc::clockid_t {
    ((!thread.cast_unsigned() << 3) | CLOCK_OF_THREAD).cast_signed()
}

fn cpu_time(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanoseconds)
}

fn seed() -> u64 {
    let time = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::from(time.subsec_nanos()) << 20 | u64::from(std::process::id()) | 1
}

/// The next of a series of numbers from 0 to 1, by xorshift: it need not be a good one.
fn fraction(seed: &mut u64) -> f64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    #[expect(clippy::cast_precision_loss, reason = "32 bits fit")]
    let fraction = (*seed >> 32) as f64 / f64::from(u32::MAX);
    fraction
}
