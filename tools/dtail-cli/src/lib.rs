//! The front of the client programs: what was typed becomes what a session needs, what the session
//! answers is printed plain or coloured, and its end becomes the exit code.
//! It never reads a log file itself and never talks to the network.

mod arguments;
mod color;
mod color_table;
mod command_line;
mod decimal;
mod diagnostics;
mod files;
mod lines;
mod output;
mod palette;
mod plan;
mod printer;
mod program;
mod refusals;
mod table;

pub use arguments::{CommonArgs, FollowArgs, InputArgs, QueryArgs, SearchArgs};
pub use program::{Tool, Typed, main};
