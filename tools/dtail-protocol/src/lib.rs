//! The messages between the one who asks and the session that reads: requests, blocks of lines,
//! diagnostics and the closing summary, and how they travel: our own frames, and DTail's protocol
//! 4.1. It never does I/O and never interprets what it carries.

pub mod conversation;
pub mod frame;
pub mod fuzzed;
pub mod legacy;
mod request;
mod response;

pub use request::{Context, Extras, FollowFrom, Mode, Parts, Pattern, Request, Whole};
pub use response::{Diagnostic, LineBlock, LineNumbers, Severity, SourceSummary, Summary};
