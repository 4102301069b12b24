//! Why a request is refused. Never what goes wrong with single files.

use std::fmt;

use dtail_query::{QueryError, UnknownFormat};
use dtail_search::PatternError;

/// Why a request cannot be carried out at all. One line.
#[derive(Debug)]
pub enum RequestError {
    /// The pattern does not compile.
    Pattern(PatternError),
    /// The query cannot be understood.
    Query(QueryError),
    /// The query asks for a log format that does not exist.
    Format(UnknownFormat),
    /// [`dtail_protocol::Mode::Map`] without a query.
    NoQuery,
    /// Somebody from another machine names more files than one request may.
    TooManyFiles {
        /// Files and globs named.
        named: usize,
        /// Most that may be named.
        limit: usize,
    },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Pattern(err) => err.fmt(f),
            RequestError::Query(err) => err.fmt(f),
            RequestError::Format(err) => err.fmt(f),
            RequestError::NoQuery => f.write_str("no query given, say what to select"),
            RequestError::TooManyFiles { named, limit } => write!(
                f,
                "{named} files are named, more than the {limit} of Server.MaxGlobTargets: name \
                 fewer"
            ),
        }
    }
}

impl std::error::Error for RequestError {}
