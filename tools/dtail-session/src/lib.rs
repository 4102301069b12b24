//! One request on one host: request → lines → search or query → outputs. Blocking, ignorant of the
//! transport. It never opens a socket and never prints.

mod aggregation;
mod crew;
mod error;
mod following;
mod gathering;
mod hand;
mod lineup;
mod outlet;
mod permissions;
mod permits;
mod plan;
mod reading;
mod reading_ahead;
mod selection;
mod session;
mod settings;
mod share;
mod sieve;
mod source;

use std::fs::File;
use std::sync::Arc;

use dtail_protocol::{Diagnostic, LineBlock, SourceSummary};
use dtail_query::Groups;

pub use dtail_lines::Access;
pub use error::RequestError;
pub use permissions::{BadRule, Permissions};
pub use permits::Permits;
pub use session::Session;
pub use settings::{SessionLog, Settings};

/// What a session puts out while it runs.
#[derive(Debug)]
pub enum Output {
    /// Selected lines.
    Lines(LineBlock),
    /// Something the user should know.
    Diagnostic(Diagnostic),
    /// What was aggregated since the previous output of this kind.
    Aggregate(Groups),
    /// What became of a source, after its last line; only with
    /// [`dtail_protocol::Extras::summaries`].
    Source(SourceSummary),
    /// Bytes of a file that go out as they are; only with [`Settings::passes_files`].
    File(FileRange),
}

/// A piece of an open file that goes out as it is. Whoever gets it copies it, by the kernel if it
/// can, and stops early where the file has become shorter.
#[derive(Debug, Clone)]
pub struct FileRange {
    /// The source as in [`LineBlock::source`].
    pub source: Arc<str>,
    /// The open file; its own offset does not matter.
    pub file: Arc<File>,
    /// Where the piece begins, in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
}
