//! The front of the client programs: what was typed becomes what a run needs, what the run answers
//! is printed plain or coloured, and its end becomes the exit code.
//! It never reads a log file itself and never talks to the network.

mod arguments;
mod color;
mod color_table;
mod decimal;
mod diagnostics;
mod files;
mod health;
mod hosts;
mod interactive;
mod lines;
mod login;
mod output;
mod palette;
mod plan;
mod printer;
mod program;
mod prompt;
mod refusals;
mod table;

pub use arguments::{CommonArgs, FollowArgs, InputArgs, QueryArgs, SearchArgs};
pub use health::{HealthArgs, health_main};
pub use program::{Tool, Typed, main};
