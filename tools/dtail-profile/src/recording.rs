//! What is recorded of a run of a program: it begins with the program, ends with it and is
//! written however that happens. Whatever goes wrong is told in a line; the program's work is not
//! disturbed.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dtail_pprof::Profile;

use crate::allocator::unsampled;
use crate::continuous::Continuous;
use crate::cpu::{CpuRecording, CpuTicks, RATE};
use crate::heap::{self, HeapRecording, HeapState, Shown};
use crate::http::Server;
use crate::metrics::Metrics;
use crate::symbols::Symbols;
use crate::{files, machine};

/// What to record of this process, and where to.
#[derive(Debug, Clone, Default)]
pub struct RecordingOptions {
    /// The program's name, with which the names of files begin.
    pub tool: String,
    /// Record a CPU profile.
    pub cpu: bool,
    /// Record a heap profile and one of all allocations.
    pub memory: bool,
    /// Where files are written; it is made when there is one to write.
    pub directory: PathBuf,
    /// How often to log metrics.
    pub interval: Option<Duration>,
    /// Where to serve profiles over HTTP.
    pub address: Option<String>,
    /// The file with the token that clients must show.
    pub token_file: Option<PathBuf>,
    /// How long a time of low-rate CPU samples to keep ready to be fetched.
    pub continuous: Option<Duration>,
}

impl RecordingOptions {
    /// Whether anything is asked for.
    pub fn is_wanted(&self) -> bool {
        self.cpu
            || self.memory
            || self.interval.is_some()
            || self.address.is_some()
            || self.continuous.is_some()
    }
}

/// A recording. It ends and is written when it is finished or dropped.
#[derive(Debug)]
pub struct Recording {
    run: Option<Arc<Run>>,
    /// Stopped in this order before the rest.
    server: Option<Server>,
    continuous: Option<Continuous>,
    interval: Option<Interval>,
}

/// What a snapshot needs to know of the recording.
#[derive(Debug)]
struct Run {
    options: RecordingOptions,
    tell: fn(&str),
    cpu: Mutex<Cpu>,
    /// None if nobody wants to know of memory, or no longer.
    heap: Mutex<Option<HeapRecording>>,
}

/// A snapshot of a CPU profile ends a recording and begins another.
#[derive(Debug, Default)]
struct Cpu {
    earlier: Option<CpuTicks>,
    recording: Option<CpuRecording>,
}

/// The recording that is going on.
static CURRENT: Mutex<Option<Arc<Run>>> = Mutex::new(None);

impl Recording {
    /// Starts what is asked for, and nothing if nothing is: then there is no thread, no timer and
    /// no signal handler. `tell` gets lines for people.
    pub fn start(options: RecordingOptions, tell: fn(&str)) -> Recording {
        let mut recording = Recording { run: None, server: None, continuous: None, interval: None };
        if options.is_wanted() {
            // Rings, tables and threads of the profiler's own are no memory of the program's.
            unsampled(|| recording.begin(options, tell));
        }
        recording
    }

    fn begin(&mut self, options: RecordingOptions, tell: fn(&str)) {
        let run = Arc::new(Run {
            cpu: Mutex::default(),
            heap: Mutex::new(options.memory.then(HeapRecording::start)),
            options,
            tell,
        });
        *lock(&CURRENT) = Some(Arc::clone(&run));
        Metrics::log("startup");
        run.start_cpu();
        let options = &run.options;
        if let Some(kept) = options.continuous {
            match options.cpu {
                true => tell("warning: no continuous CPU profile: a CPU profile is being recorded"),
                false => self.continuous = run.told(Continuous::start(kept)),
            }
        }
        if let Some(address) = &options.address {
            let server = Server::start(address, options.token_file.as_deref());
            self.server = run.told(server);
            if let Some(server) = &self.server {
                tell(&format!("Starting PProf at http://{}/debug/pprof/", server.address()));
            }
        }
        self.interval = options.interval.and_then(|every| run.told(Interval::start(every)));
        self.run = Some(run);
    }

    /// Ends it and writes what there is to write.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        unsampled(|| self.write_all());
    }

    fn write_all(&mut self) {
        let Some(run) = self.run.take() else { return };
        self.interval = None;
        let ticks = run.stop_cpu();
        Metrics::log("shutdown");
        // Before names are given to anything, which takes more memory than some programs do.
        let heap = run.options.memory.then(HeapState::now);
        self.server = None;
        self.continuous = None;
        *lock(&run.heap) = None;
        let mut symbols = Symbols::new();
        if let Some(ticks) = ticks {
            run.write("cpu", "CPU", &ticks.profile(&mut symbols));
        }
        if let Some(heap) = heap {
            // The same numbers, of which others are shown first.
            let mut profile = heap.profile(Shown::InUse, &mut symbols);
            run.write("mem", "memory", &profile);
            profile.default_sample_type = Some(Shown::Allocated.sample_type().into());
            run.write("alloc", "allocation", &profile);
        }
        *lock(&CURRENT) = None;
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes what was recorded so far into files whose names have this label, if anything is being
/// recorded.
pub fn snapshot(label: &str) {
    // Not locked while it is written, which takes its time.
    let run = lock(&CURRENT).clone();
    if let Some(run) = run {
        unsampled(|| run.snapshot(label));
    }
}

/// Whether anything is being recorded.
pub(crate) fn is_going_on() -> bool {
    lock(&CURRENT).is_some()
}

/// Tells people a line.
pub(crate) fn tell(line: &str) {
    let tell = lock(&CURRENT).as_ref().map(|run| run.tell);
    match tell {
        Some(tell) => tell(line),
        // With standard error closed nobody is left to tell.
        None => {
            let _told = std::io::stderr().write_all(format!("{line}\n").as_bytes()).is_ok();
        }
    }
}

impl Run {
    fn start_cpu(&self) {
        if !self.options.cpu {
            return;
        }
        match CpuRecording::start(RATE) {
            Ok(recording) => {
                lock(&self.cpu).recording = Some(recording);
                (self.tell)("Started CPU profiling");
            }
            Err(err) => (self.tell)(&format!("warning: no CPU profile: {err}")),
        }
    }

    fn stop_cpu(&self) -> Option<CpuTicks> {
        let Cpu { earlier, recording } = std::mem::take(&mut *lock(&self.cpu));
        let now = recording?.stop();
        let ticks = CpuTicks::merged(earlier.into_iter().chain([now]))?;
        (self.tell)(&format!("Stopped CPU profiling: {}", ticks.summary()));
        Some(ticks)
    }

    fn snapshot(&self, label: &str) {
        let label = files::plain(label);
        let has_heap = heap::is_recorded();
        let mut symbols = Symbols::new();
        if has_heap {
            let profile = HeapState::now().profile(Shown::InUse, &mut symbols);
            self.write(&format!("snapshot_{label}"), "memory", &profile);
        }
        let mut cpu = lock(&self.cpu);
        let Some(recording) = cpu.recording.take() else {
            if !has_heap {
                (self.tell)("warning: no snapshot: neither CPU nor memory is being recorded");
            }
            return;
        };
        let ticks = recording.stop();
        // At once, so that the profile has no gap while this one is written.
        match CpuRecording::start(RATE) {
            Ok(recording) => cpu.recording = Some(recording),
            Err(err) => (self.tell)(&format!("warning: the CPU profile ends here: {err}")),
        }
        let ticks = CpuTicks::merged(cpu.earlier.take().into_iter().chain([ticks]));
        if let Some(ticks) = &ticks {
            self.write(&format!("snapshot_{label}-cpu"), "CPU", &ticks.profile(&mut symbols));
        }
        cpu.earlier = ticks;
    }

    fn write(&self, what: &str, kind: &str, profile: &Profile) {
        let Run { options, tell, .. } = self;
        match files::write(&options.directory, &options.tool, what, profile) {
            Ok(path) => tell(&format!("Wrote {kind} profile to {}", path.display())),
            Err(err) => tell(&format!("warning: {err}")),
        }
    }

    fn told<T>(&self, result: Result<T, String>) -> Option<T> {
        result.map_err(|err| (self.tell)(&format!("warning: {err}"))).ok()
    }
}

/// Metrics are logged again and again, until it is dropped.
#[derive(Debug)]
struct Interval {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Interval {
    fn start(every: Duration) -> Result<Interval, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let log = move || {
            let _kept_out = machine::keep_out();
            unsampled(|| log_until(&told, every));
        };
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(log);
        let thread = thread.map_err(|err| format!("no metrics: cannot start a thread: {err}"))?;
        Ok(Interval { stop, thread: Some(thread) })
    }
}

fn log_until(told: &AtomicBool, every: Duration) {
    let mut next = Instant::now() + every;
    while !told.load(Ordering::SeqCst) {
        let left = next.saturating_duration_since(Instant::now());
        if left.is_zero() {
            Metrics::log("interval");
            next += every;
        } else {
            thread::park_timeout(left);
        }
    }
}

impl Drop for Interval {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _its_panic_was_told = thread.join().is_ok();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
