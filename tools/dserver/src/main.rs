//! dserver as a program of its own.

use std::process::ExitCode;

use dtail_profile::SamplingAllocator;

/// Also what profiles of memory sample; otherwise it is the system's allocator.
#[global_allocator]
static ALLOCATOR: SamplingAllocator = SamplingAllocator;

fn main() -> ExitCode {
    dserver::main()
}
