//! One request on one host: request → lines → search or query → outputs. Blocking, ignorant of the
//! transport. It never opens a socket and never prints.

mod aggregation;
mod error;
mod outlet;
mod permissions;
mod permits;
mod selection;
mod session;
mod settings;

use dtail_protocol::{Diagnostic, LineBlock};
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
}
