//! Walking stacks of this process by the unwinding tables of its files, also in a signal handler:
//! everything is made beforehand, no call allocates, locks or faults.

use std::arch::asm;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use framehop::{
    CacheNative, FrameAddress, MustNotAllocateDuringUnwind, UnwindRegsNative, Unwinder as _,
    UnwinderNative,
};

use super::guarded::Guarded;
use super::modules::{self, Loaded};

/// Frames of a stack that are kept.
pub(crate) const DEPTH: usize = 128;
/// How many threads can walk at once; a tick that finds all of them busy is dropped and counted.
const WALKERS: usize = 16;
/// Words of the stack that are read by one system call. Most stacks are not deeper.
const WINDOW: usize = 2048;

/// Where a thread is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Registers {
    pub(super) instruction: u64,
    pub(super) stack: u64,
    pub(super) frame: u64,
    /// Where the function returns to, on processors that have such a register.
    #[cfg(target_arch = "aarch64")]
    pub(super) link: u64,
}

/// Fills `frames` with the addresses of the calls that led to `registers`, the innermost first.
/// None if nothing is prepared or too many others walk. Signal handlers may call it.
pub(crate) fn walk(registers: Registers, frames: &mut [u64; DEPTH]) -> Option<usize> {
    WALKERS_READY.enter(|walkers| walkers.walk(registers, frames)).flatten()
}

/// Makes ready what walking needs, and again if files were mapped or unmapped since.
pub(crate) fn prepare() {
    static PREPARED: Mutex<Vec<Loaded>> = Mutex::new(Vec::new());
    let loaded = modules::loaded();
    let mut prepared = PREPARED.lock().unwrap_or_else(PoisonError::into_inner);
    if *prepared != loaded {
        WALKERS_READY.put(Walkers::new(&loaded));
        *prepared = loaded;
    }
}

static WALKERS_READY: Guarded<Walkers> = Guarded::new();

struct Walkers {
    unwinder: UnwinderNative<&'static [u8], MustNotAllocateDuringUnwind>,
    process: i32,
    slots: Box<[Slot]>,
}

struct Slot {
    is_taken: AtomicBool,
    state: UnsafeCell<State>,
}

// SAFETY: `state` is touched only by the one who set `is_taken`.
unsafe impl Sync for Slot {}

struct State {
    cache: CacheNative<MustNotAllocateDuringUnwind>,
    window: Window,
}

/// Words of the stack, as they were read.
struct Window {
    start: u64,
    length: usize,
    words: Box<[u64]>,
}

impl Walkers {
    fn new(loaded: &[Loaded]) -> Walkers {
        let mut unwinder = UnwinderNative::new();
        loaded.iter().for_each(|loaded| unwinder.add_module(modules::module(loaded)));
        let state = || State {
            cache: CacheNative::new_in(),
            window: Window { start: 0, length: 0, words: vec![0; WINDOW].into() },
        };
        let slot = || Slot { is_taken: AtomicBool::new(false), state: UnsafeCell::new(state()) };
        let slots = (0..WALKERS).map(|_| slot()).collect();
        // SAFETY: it only asks for a number.
        Walkers { unwinder, process: unsafe { libc::getpid() }, slots }
    }

    fn walk(&self, registers: Registers, frames: &mut [u64; DEPTH]) -> Option<usize> {
        let slot = self.slots.iter().find(|slot| !slot.is_taken.swap(true, Ordering::Acquire))?;
        // SAFETY: it was not taken and now is, by us.
        let state = unsafe { &mut *slot.state.get() };
        let length = self.walk_with(state, registers, frames);
        slot.is_taken.store(false, Ordering::Release);
        Some(length)
    }

    fn walk_with(&self, state: &mut State, at: Registers, frames: &mut [u64; DEPTH]) -> usize {
        let State { cache, window } = state;
        window.length = 0;
        let mut read = |address| window.read(self.process, address);
        let mut registers = unwind_registers(at);
        let mut address = FrameAddress::from_instruction_pointer(at.instruction);
        for (depth, frame) in frames.iter_mut().enumerate() {
            // Of a return address the byte before: it lies in the call.
            *frame = address.address_for_lookup();
            let returns = self.unwinder.unwind_frame(address, &mut registers, cache, &mut read);
            match returns.ok().flatten().and_then(FrameAddress::from_return_address) {
                Some(next) => address = next,
                None => return depth + 1,
            }
        }
        DEPTH
    }
}

impl Window {
    fn read(&mut self, process: i32, address: u64) -> Result<u64, ()> {
        if !address.is_multiple_of(8) {
            return Err(());
        }
        let index = |window: &Window| {
            let index = usize::try_from(address.checked_sub(window.start)? / 8).ok()?;
            (index < window.length).then_some(index)
        };
        if index(self).is_none() {
            self.fill(process, address);
        }
        index(self).and_then(|index| self.words.get(index).copied()).ok_or(())
    }

    /// Reads from `address` on as much as is mapped. The kernel checks the addresses, so that a
    /// stack that is not one cannot make us fault.
    fn fill(&mut self, process: i32, address: u64) {
        let length = self.words.len() * 8;
        let local = libc::iovec { iov_base: self.words.as_mut_ptr().cast(), iov_len: length };
        // A page at a time: what is not mapped ends the transfer without spoiling what was.
        let mut remote = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; 8];
        let (mut from, mut left, mut parts) = (address, length, 0);
        for part in &mut remote {
            let page_end = (from & !4095) + 4096;
            let here = usize::try_from(page_end - from).unwrap_or(0).min(left);
            *part = libc::iovec { iov_base: from as *mut _, iov_len: here };
            (from, left, parts) = (page_end, left - here, parts + 1);
            if left == 0 {
                break;
            }
        }
        // SAFETY: the local vector is ours and as long as it says; the kernel checks the others.
        let read = unsafe {
            libc::process_vm_readv(process, &raw const local, 1, remote.as_ptr(), parts, 0)
        };
        self.start = address;
        self.length = usize::try_from(read).unwrap_or(0) / 8;
    }
}

#[cfg(target_arch = "x86_64")]
fn unwind_registers(at: Registers) -> UnwindRegsNative {
    UnwindRegsNative::new(at.instruction, at.stack, at.frame)
}

#[cfg(target_arch = "aarch64")]
fn unwind_registers(at: Registers) -> UnwindRegsNative {
    UnwindRegsNative::new(at.link, at.stack, at.frame)
}

/// Where the caller is. Inlined, so that it is a function that has not returned.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn own_registers() -> Registers {
    let (instruction, stack, frame): (u64, u64, u64);
    // SAFETY: it only reads registers.
    unsafe {
        asm!(
            "lea {}, [rip]",
            "mov {}, rsp",
            "mov {}, rbp",
            out(reg) instruction,
            out(reg) stack,
            out(reg) frame,
            options(nomem, nostack, preserves_flags)
        );
    }
    Registers { instruction, stack, frame }
}

/// Where the caller is.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(crate) fn own_registers() -> Registers {
    let (instruction, stack, frame, link): (u64, u64, u64, u64);
    // SAFETY: it only reads registers.
    unsafe {
        asm!(
            "adr {}, .",
            "mov {}, sp",
            "mov {}, x29",
            "mov {}, x30",
            out(reg) instruction,
            out(reg) stack,
            out(reg) frame,
            out(reg) link,
            options(nomem, nostack, preserves_flags)
        );
    }
    Registers { instruction, stack, frame, link }
}

#[cfg(test)]
mod tests {
    use super::{DEPTH, own_registers, prepare, walk};

    #[inline(never)]
    fn deeper(levels: u32, frames: &mut [u64; DEPTH]) -> usize {
        let length = match levels {
            0 => walk(own_registers(), frames).unwrap(),
            _ => deeper(levels - 1, frames),
        };
        std::hint::black_box(length)
    }

    #[test]
    fn own_stacks_are_as_deep_as_they_are() {
        prepare();
        let mut frames = [0; DEPTH];
        let shallow = deeper(1, &mut frames);
        let deep = deeper(21, &mut frames);
        assert!(shallow > 5, "{shallow}");
        assert_eq!(deep - shallow, 20);
        assert_eq!(deeper(500, &mut frames), DEPTH);
    }
}
