//! Stacks of this process, and ticks of the CPU time of its threads: what only this kernel and
//! these processors offer. It knows no profile format and gives addresses no names.

mod guarded;
mod handler;
mod modules;
mod ring;
mod stack;
mod tasks;
mod threads;
mod ticks;

pub(crate) use modules::{MappedFile, mapped_files};
pub(crate) use stack::{DEPTH, Registers, own_registers, prepare, walk};
pub(crate) use tasks::keep_out;
pub(crate) use threads::{ThreadStack, thread_stacks};
pub(crate) use ticks::{Sampler, Ticks};
