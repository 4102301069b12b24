//! Where there is no Linux, or no processor whose stacks we can walk: no samples, said once and in
//! a line. Everything else works.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const DEPTH: usize = 1;

const UNKNOWN: &str = "CPU profiles and stacks need Linux on x86-64 or aarch64";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MappedFile {
    pub(crate) range: Range<u64>,
    pub(crate) offset: u64,
    pub(crate) bias: u64,
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) build_id: String,
}

impl MappedFile {
    pub(crate) fn is_program(&self) -> bool {
        false
    }
}

pub(crate) fn mapped_files() -> Vec<MappedFile> {
    Vec::new()
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Registers;

pub(crate) fn own_registers() -> Registers {
    Registers
}

pub(crate) fn walk(_: Registers, _: &mut [u64; DEPTH]) -> Option<usize> {
    None
}

pub(crate) fn prepare() {}

#[derive(Debug)]
pub(crate) struct KeptOut;

pub(crate) fn keep_out() -> KeptOut {
    KeptOut
}

#[derive(Debug, Clone)]
pub(crate) struct ThreadStack {
    pub(crate) name: String,
    pub(crate) stack: Vec<u64>,
}

pub(crate) fn thread_stacks() -> Result<Vec<ThreadStack>, String> {
    Err(UNKNOWN.to_owned())
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Ticks {
    pub(crate) stacks: HashMap<Box<[u64]>, u64>,
    pub(crate) cpu: Duration,
    pub(crate) elapsed: Duration,
    pub(crate) signals: u64,
    pub(crate) dropped: u64,
}

impl Ticks {
    pub(crate) fn total(&self) -> u64 {
        0
    }

    pub(crate) fn add(&mut self, _: Ticks) {}
}

#[derive(Debug)]
pub(crate) struct Sampler;

impl Sampler {
    pub(crate) fn start(_: u32) -> Result<Sampler, String> {
        Err(UNKNOWN.to_owned())
    }

    pub(crate) fn stop(self) -> Ticks {
        Ticks::default()
    }
}
