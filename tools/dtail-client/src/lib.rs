//! Runs a request here or on many hosts, merges what they answer, and hands everything over through
//! one bounded channel. It never prints and never parses arguments.

mod controls;
mod discovery;
mod health;
mod local;
mod outfile;
mod remote;
mod reports;
mod run;
mod servers;
mod words;

use std::sync::Arc;

use dtail_protocol::{Diagnostic, LineBlock, Request, SourceSummary};
use dtail_query::ResultTable;

pub use controls::{Controls, ReloadError};
pub use discovery::{DiscoveryError, discover};
pub use dtail_session::{Access, FileRange, Permissions, Settings};
pub use dtail_ssh::{
    Agent, ClientOptions, Endpoint, Identities, IdentityOptions, KnownHosts, PublicKey,
    UnknownHost, generate_key_pair,
};
pub use health::{HEALTH_USER, HealthError, check_health};
pub use local::start_local_interactive;
pub use outfile::{Render, write_outfile, write_outfile_with};
pub use remote::{
    Answer, KEEPALIVE, Native, Question, Remote, SOFTWARE, Transport, UnknownHosts, start_remote,
};
pub use reports::ReportPolicy;
pub use run::{FailedHost, Outcome, Run, SessionPanicked, StartError, start_local};
pub use servers::{BadServerName, ServerName};
pub use words::split_words;

/// What a run hands to the program.
#[derive(Debug)]
pub enum Event {
    /// Selected lines.
    Lines(HostLines),
    /// A piece of a local file to be copied as it is; only with [`Settings::passes_files`].
    File(FileRange),
    /// What became of a source, after all its lines; only with [`dtail_protocol::Extras::summaries`].
    Source(HostSource),
    /// A result to show, or to write with [`write_outfile`] when the query has an outfile.
    Report(Report),
    /// Something the user should know.
    Diagnostic(HostDiagnostic),
    /// How many hosts are connected, when that has changed.
    Hosts(HostCounts),
    /// From here on everything belongs to this request ([`Controls::reload`]).
    Replaced(Box<Request>),
}

/// Lines and where they come from.
#[derive(Debug)]
pub struct HostLines {
    /// The host's short name for itself; `None`: this machine.
    pub host: Option<Arc<str>>,
    /// The lines.
    pub block: LineBlock,
}

/// What became of a source, and where it is.
#[derive(Debug)]
pub struct HostSource {
    /// The host's short name for itself; `None`: this machine.
    pub host: Option<Arc<str>>,
    /// What became of it.
    pub summary: SourceSummary,
}

/// A diagnostic and where it comes from.
#[derive(Debug)]
pub struct HostDiagnostic {
    /// The host; `None`: this machine.
    pub host: Option<Arc<str>>,
    /// What the user should know.
    pub diagnostic: Diagnostic,
}

/// How many hosts do what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostCounts {
    /// Hosts of the run.
    pub total: usize,
    /// Hosts that are connected now.
    pub connected: usize,
    /// Hosts whose connection is being made now.
    pub connecting: usize,
    /// Hosts that are connected and take a new request while one is running.
    pub interactive: usize,
    /// Hosts that have failed for good.
    pub failed: usize,
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
