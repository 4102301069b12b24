//! Runs sessions for a program, merges what they aggregate into reports and hands everything over
//! through one bounded channel. It never prints and never parses arguments.

mod outfile;
mod reports;
mod run;

use dtail_protocol::{Diagnostic, LineBlock};
use dtail_query::ResultTable;

pub use dtail_session::Settings;
pub use outfile::write_outfile;
pub use reports::ReportPolicy;
pub use run::{Run, SessionPanicked, StartError, start_local};

/// What a run hands to the program.
#[derive(Debug)]
pub enum Event {
    /// Selected lines.
    Lines(LineBlock),
    /// A result to show, or to write with [`write_outfile`] when the query has an outfile.
    Report(Report),
    /// Something the user should know.
    Diagnostic(Diagnostic),
}

/// A query result.
#[derive(Debug)]
pub struct Report {
    /// The result.
    pub table: ResultTable,
    /// The final result of a run. A run without rows, or whose final result was reported before,
    /// has none, unless it goes to an outfile.
    pub last: bool,
}
