//! Only one profile at a time can be recorded in a process, so the tests take turns.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use dtail_pprof::Profile;

use super::{CpuRecording, CpuTicks};

/// Long enough for some samples, however slow the machine.
const CPU_TIME: Duration = Duration::from_millis(400);

/// Whoever records in a test waits for this.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn own_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap();
    Duration::new(u64::try_from(time.tv_sec).unwrap(), nanoseconds)
}

#[inline(always)]
fn inlined_work(seed: u64) -> u64 {
    (0..20_000).fold(seed, |sum, it| black_box(sum.wrapping_mul(31).wrapping_add(it)))
}

#[inline(never)]
fn busy_function(until: Duration) -> u64 {
    let (mut seed, before) = (1, own_cpu_time());
    while own_cpu_time() - before < until {
        seed = inlined_work(seed);
    }
    seed
}

fn recorded(rate: u32, work: impl FnOnce()) -> CpuTicks {
    let _turn = turn();
    let recording = CpuRecording::start(rate).unwrap();
    assert!(CpuRecording::start(rate).unwrap_err().contains("already"));
    work();
    recording.stop()
}

/// The share of the CPU time in stacks that contain a function of this name.
fn share(profile: &Profile, function: &str) -> f64 {
    let names = |location: &u32| {
        let lines = &profile.locations[*location as usize].lines;
        lines.iter().map(|line| &profile.functions[line.function as usize].name)
    };
    let sum = |only: bool| -> i64 {
        let samples = profile.samples.iter().filter(|sample| {
            !only || sample.locations.iter().flat_map(names).any(|name| name.ends_with(function))
        });
        samples.map(|sample| sample.values[1]).sum()
    };
    sum(true) as f64 / sum(false) as f64
}

#[test]
fn a_busy_function_has_its_time_and_what_is_inlined_into_it_is_named() {
    let recorded = recorded(100, || {
        black_box(busy_function(CPU_TIME));
    });
    let profile = recorded.profile();
    let sum: i64 = profile.samples.iter().map(|sample| sample.values[1]).sum();
    let sum = Duration::from_nanos(u64::try_from(sum).unwrap());
    assert!(sum.abs_diff(recorded.ticks.cpu) < Duration::from_millis(1), "{sum:?} {recorded:?}");
    assert!(recorded.ticks.cpu >= CPU_TIME, "{recorded:?}");
    // Other tests run in this process at the same time.
    for function in ["busy_function", "inlined_work"] {
        assert!(share(&profile, function) > 0.3, "{function}: {}", share(&profile, function));
    }
    let deepest = profile.samples.iter().map(|sample| sample.locations.len()).max().unwrap();
    assert!(deepest > 8, "{deepest} frames");
    let mut bytes = Vec::new();
    profile.encode(&mut bytes).unwrap();
    assert_eq!(Profile::decode(&bytes), Ok(profile));
}

#[test]
fn threads_that_begin_later_and_live_shortly_are_counted() {
    const SHORT: Duration = Duration::from_millis(5);
    let mut threads = 0;
    let recorded = recorded(1000, || {
        let began = Instant::now();
        while began.elapsed() < CPU_TIME * 2 {
            thread::spawn(|| black_box(busy_function(SHORT))).join().unwrap();
            threads += 1;
        }
    });
    let share = share(&recorded.profile(), "busy_function");
    let expected = (SHORT * threads).as_secs_f64() / recorded.ticks.cpu.as_secs_f64();
    let summary = recorded.summary();
    assert!((share - expected).abs() < expected / 2.0, "{share}, not {expected}; {summary}");
}

#[test]
fn the_recording_thread_is_not_in_the_profile() {
    let stop = AtomicBool::new(false);
    let recorded = recorded(1000, || {
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    black_box(inlined_work(1));
                }
            });
            black_box(busy_function(CPU_TIME));
            stop.store(true, Ordering::Relaxed);
        });
    });
    assert!(share(&recorded.profile(), "Round::until") == 0.0);
    assert_eq!(recorded.ticks.dropped, 0, "{}", recorded.summary());
}
