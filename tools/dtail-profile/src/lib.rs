//! Profiles of the process this is linked into: where its CPU time goes, who asked for its
//! memory, what its threads do. Written to files or served as Go serves them.
//! It never knows what the program does, and does nothing until it is asked to.

mod allocator;
mod assembly;
mod continuous;
mod cpu;
mod files;
mod heap;
mod http;
mod local_time;
#[cfg_attr(
    not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))),
    path = "elsewhere.rs"
)]
mod machine;
mod measured;
mod metrics;
mod recording;
mod symbols;

pub use allocator::SamplingAllocator;
pub use local_time::local_now;
pub use measured::measured;
pub use metrics::Metrics;
pub use recording::{Recording, RecordingOptions, snapshot};
