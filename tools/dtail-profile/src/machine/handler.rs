//! The handler of SIGPROF: it notes where the interrupted thread is, for the profile that is being
//! recorded or for a dump of all threads. It calls nothing but the walk of the stack and the ring:
//! no allocation, no lock, and `errno` stays as it was.

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

use super::guarded::Guarded;
use super::ring::Ring;
use super::stack::{self, Registers};
use super::tasks::{self, ThreadSet};

/// Value of the timer of one thread.
pub(super) const OF_THREAD: usize = 1;
/// Value of the timer of the process.
pub(super) const OF_PROCESS: usize = 2;

/// Where ticks go while a profile is recorded.
pub(super) static TICKS: Guarded<TickTarget> = Guarded::new();
/// Where stacks go while all threads are asked for theirs.
pub(super) static DUMP: Guarded<Ring> = Guarded::new();

pub(super) struct TickTarget {
    pub(super) ring: Ring,
    /// Threads that have timers of their own.
    pub(super) timed: ThreadSet,
}

/// The beginning of what the kernel tells about a signal of a timer.
#[repr(C)]
struct TimerSignal {
    signal: c_int,
    error: c_int,
    code: c_int,
    unused: c_int,
    timer: c_int,
    overrun: c_int,
    value: usize,
}

/// The beginning of what the kernel saves of the interrupted thread.
#[repr(C)]
#[cfg(target_arch = "x86_64")]
struct Interrupted {
    flags_link_and_stack: [u64; 5],
    registers: [u64; 23],
}

#[repr(C, align(16))]
#[cfg(target_arch = "aarch64")]
struct Interrupted {
    flags_link_and_stack: [u64; 5],
    mask: [u64; 16],
    unused: u64,
    fault: u64,
    registers: [u64; 31],
    stack: u64,
    instruction: u64,
}

/// Installs the handler, once. It stays: a tick that comes late must not end the process.
pub(super) fn install() -> Result<(), String> {
    static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
    INSTALLED
        .get_or_init(|| {
            // SAFETY: zeros are a valid action, completed below.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            // SAFETY: the handler does only what a handler may.
            let done =
                unsafe { libc::sigaction(libc::SIGPROF, &raw const action, std::ptr::null_mut()) };
            match done {
                0 => Ok(()),
                _ => Err(format!("cannot catch SIGPROF: {}", std::io::Error::last_os_error())),
            }
        })
        .clone()
}

extern "C" fn handle(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: where `errno` of this thread lies.
    let errno = unsafe { &mut *errno_location() };
    let before = *errno;
    // SAFETY: the kernel passes both, as SA_SIGINFO asks; both structures are beginnings of them.
    let (told, interrupted) = unsafe { (&*info.cast::<TimerSignal>(), &*context.cast()) };
    let thread = tasks::current();
    match told.code {
        libc::SI_TIMER => {
            let ticks = u32::try_from(told.overrun).unwrap_or(0).saturating_add(1);
            TICKS.enter(|target| {
                let is_ours = match told.value {
                    OF_THREAD => true,
                    // Ticks of the process fall on whoever runs; those with a timer have their own.
                    OF_PROCESS => !target.timed.contains(thread) && !tasks::is_kept_out(thread),
                    _ => false,
                };
                if is_ours {
                    note(&target.ring, thread, ticks, interrupted);
                }
            });
        }
        libc::SI_TKILL => {
            DUMP.enter(|ring| note(ring, thread, 1, interrupted));
        }
        _ => {}
    }
    *errno = before;
}

fn note(ring: &Ring, thread: i32, ticks: u32, interrupted: &Interrupted) {
    ring.push(|sample| {
        (sample.thread, sample.ticks) = (thread, ticks);
        let walked = stack::walk(registers(interrupted), &mut sample.frames);
        sample.length = walked.unwrap_or(0);
        if walked.is_none() {
            ring.count_dropped();
        }
    });
}

#[cfg(target_arch = "x86_64")]
fn registers(interrupted: &Interrupted) -> Registers {
    let of = &interrupted.registers;
    Registers { instruction: of[16], stack: of[15], frame: of[10] }
}

#[cfg(target_arch = "aarch64")]
fn registers(interrupted: &Interrupted) -> Registers {
    let Interrupted { registers, stack, instruction, .. } = *interrupted;
    Registers { instruction, stack, frame: registers[29], link: registers[30] }
}

fn errno_location() -> *mut c_int {
    // SAFETY: it cannot fail and may be called in handlers.
    unsafe { libc::__errno_location() }
}
