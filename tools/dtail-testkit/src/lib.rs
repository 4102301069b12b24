//! What tests of whole programs need: a folder that survives a failure, a command runner that
//! tells everything when an expectation fails, waiting for a condition with a named limit.
//! It is never linked into a program.

mod finished;
pub mod inputs;
mod program;
mod running;
mod scratch;
mod server;
mod siblings;
mod sshd;
mod terminal;
mod wait;

pub use finished::Finished;
pub use program::{Program, Stdin};
pub use running::{Running, Signal};
pub use scratch::Scratch;
pub use server::Server;
pub use siblings::sibling;
pub use sshd::Sshd;
pub use terminal::Terminal;
pub use wait::wait_until;
