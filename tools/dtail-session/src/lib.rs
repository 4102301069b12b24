//! One request on one host: request → lines → search or query → outputs. Blocking, ignorant of the
//! transport. It never opens a socket and never prints.

mod aggregation;
mod error;
mod outlet;
mod selection;
mod session;

use dtail_protocol::{Diagnostic, LineBlock};
use dtail_query::{Groups, HostFacts};

pub use error::RequestError;
pub use session::Session;

/// What a session takes from the host's configuration and not from the request.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Facts for the query variables `$hostname`, `$timezone` and so on.
    pub host: HostFacts,
    /// Longest line in bytes; longer ones are cut into pieces of this size.
    pub max_line_length: usize,
    /// Log format of queries with `from` but without `logformat`.
    pub default_log_format: String,
    /// Most files one glob may name; the rest is dropped with a warning.
    pub max_glob_targets: usize,
    /// DTail's results byte for byte, where ours differ.
    pub strict: bool,
}

/// What a session puts out while it runs.
#[derive(Debug)]
pub enum Output {
    /// Selected lines.
    Lines(LineBlock),
    /// Something the user should know.
    Diagnostic(Diagnostic),
    /// What was aggregated since the previous output of this kind.
    Aggregate(Groups),
}
