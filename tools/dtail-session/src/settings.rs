//! What a session takes from the host's configuration. Never reads a configuration file.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use dtail_lines::Access;
use dtail_query::{HostFacts, UserFormats};

use crate::Permits;

/// Where a session writes what only the operator of the host may know, one line per call.
pub type SessionLog = Arc<dyn Fn(&str) + Send + Sync>;

/// What a session takes from the host's configuration and not from the request. The default is
/// that of a user at the machine itself: everything is readable and nothing is rationed.
#[derive(Clone)]
pub struct Settings {
    /// Facts for the query variables `$hostname`, `$timezone` and so on.
    pub host: HostFacts,
    /// Longest line in bytes; longer ones are cut into pieces of this size.
    pub max_line_length: usize,
    /// Log format of queries with `from` but without `logformat`.
    pub default_log_format: String,
    /// Log formats of the user's own.
    pub user_formats: UserFormats,
    /// Most files one glob may name; the rest is dropped with a warning.
    pub max_glob_targets: usize,
    /// DTail's results byte for byte, where ours differ.
    pub strict: bool,
    /// Which files may be read.
    pub access: Access,
    /// Most bytes of groups that a query may hold at once, roughly; 0 means no limit.
    pub max_query_memory: usize,
    /// Rations files: one permit for each file read at a time, or for a whole follow request.
    /// `None`: no ration.
    pub file_permits: Option<Arc<Permits>>,
    /// Asked by somebody on another machine: `-`, the standard input of this process, is refused.
    pub remote: bool,
    /// Gets what is refused and why, which the asker must not know. `None`: nobody wants to know.
    pub log: Option<SessionLog>,
    /// The program that reads `journal:UNIT`: a name looked up in `PATH`, or a path.
    pub journalctl: PathBuf,
    /// The receiver takes [`crate::Output::File`].
    pub passes_files: bool,
    /// Nobody looks at what a one-shot query has come to before its end.
    pub final_only: bool,
    /// Most threads that search for one request; 0 means as many as there are processors.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            host: HostFacts::default(),
            max_line_length: 1024 * 1024,
            default_log_format: "default".to_owned(),
            user_formats: UserFormats::default(),
            max_glob_targets: 1000,
            strict: false,
            access: Access::everything(),
            max_query_memory: 0,
            file_permits: None,
            remote: false,
            log: None,
            journalctl: PathBuf::from("journalctl"),
            passes_files: false,
            final_only: false,
            threads: 0,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("host", &self.host)
            .field("max_line_length", &self.max_line_length)
            .field("default_log_format", &self.default_log_format)
            .field("user_formats", &self.user_formats)
            .field("max_glob_targets", &self.max_glob_targets)
            .field("strict", &self.strict)
            .field("access", &self.access)
            .field("max_query_memory", &self.max_query_memory)
            .field("file_permits", &self.file_permits)
            .field("remote", &self.remote)
            .field("journalctl", &self.journalctl)
            .field("passes_files", &self.passes_files)
            .field("final_only", &self.final_only)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}
