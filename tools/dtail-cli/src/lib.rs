//! The front of the client programs: what was typed becomes what a run needs, what the run answers
//! is printed plain or coloured, and its end becomes the exit code.
//! It never reads a log file itself and never talks to the network.

mod arguments;
mod color;
mod color_table;
mod copies;
mod decimal;
mod diagnostics;
mod explanation;
mod fields;
mod files;
mod form;
mod health;
mod hosts;
mod interactive;
mod json;
mod kernel;
mod lines;
mod live;
mod login;
mod look;
mod output;
mod palette;
#[cfg(feature = "parquet")]
mod parquet;
mod patterns;
mod plan;
mod prefixed;
mod printer;
mod program;
mod prompt;
mod results;
mod runs;
mod screen;
mod stdout;
mod summaries;
mod table;

/// Also what profiles of memory sample; otherwise it is the system's allocator.
#[global_allocator]
static ALLOCATOR: dtail_profile::SamplingAllocator = dtail_profile::SamplingAllocator;

pub use arguments::{
    CommonArgs, FollowArgs, GrepArgs, InputArgs, NumberArgs, QueryArgs, SearchArgs,
};
pub use health::{HealthArgs, health_main};
pub use program::{Tool, Typed, main};
