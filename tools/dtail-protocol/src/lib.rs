//! The messages between the one who asks and the session that reads: requests, blocks of lines,
//! diagnostics and the closing summary. It never does I/O and never interprets what it carries.

mod request;
mod response;

pub use request::{Context, Mode, Pattern, Request};
pub use response::{Diagnostic, LineBlock, LineNumbers, Severity, Summary};
