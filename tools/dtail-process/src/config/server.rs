//! The keys of the `Server` section that only dserver obeys. It never knows their defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::Problem;
use super::section::Section;

/// The `Server` section, except what the clients obey too. `None` and empty where the file says
/// nothing; numbers are above 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerKeys {
    /// `SSHBindAddress`; ours: a list with commas.
    pub ssh_bind_address: Option<String>,
    /// `HostKeyFile`.
    pub host_key_file: Option<PathBuf>,
    /// `HostKeyBits`: of an RSA key, which we never make.
    pub host_key_bits: Option<usize>,
    /// `MaxConcurrentCats`: files read at once.
    pub max_concurrent_cats: Option<usize>,
    /// `MaxConcurrentTails`: requests that follow at once.
    pub max_concurrent_tails: Option<usize>,
    /// `MaxConnections`.
    pub max_connections: Option<usize>,
    /// `KeyExchanges`.
    pub key_exchanges: Vec<String>,
    /// `Ciphers`.
    pub ciphers: Vec<String>,
    /// `MACs`.
    pub macs: Vec<String>,
    /// `AuthKeyEnabled`.
    pub auth_key_enabled: Option<bool>,
    /// `AuthKeyTTLSeconds`.
    pub auth_key_ttl: Option<Duration>,
    /// `AuthKeyMaxPerUser`.
    pub auth_key_max_per_user: Option<usize>,
    /// `Permissions`.
    pub permissions: PermissionKeys,
    /// `Schedule`.
    pub schedule: Vec<JobKeys>,
    /// `Continuous`.
    pub continuous: Vec<JobKeys>,
    /// Ours: `MaxUnauthenticated`, connections that have not logged in yet.
    pub max_unauthenticated: Option<usize>,
    /// Ours: `HandshakeTimeoutMs`.
    pub handshake_timeout: Option<Duration>,
    /// Ours: `MaxFailedLogins` per address and minute.
    pub max_failed_logins: Option<usize>,
    /// Ours: `MaxQueryMemory` in bytes.
    pub max_query_memory: Option<usize>,
    /// Ours: `MaxSessionsPerConnection`.
    pub max_sessions_per_connection: Option<usize>,
}

/// `Server.Permissions`: rules of the form `[type:]["!"]regex`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PermissionKeys {
    /// `Default`: for users without rules of their own. `None`: the key is missing.
    pub default: Option<Vec<String>>,
    /// `Users`: in place of the default ones.
    pub users: BTreeMap<String, Vec<String>>,
}

/// One entry of `Schedule` or `Continuous`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobKeys {
    /// `Name`.
    pub name: String,
    /// `Enable`, false when missing.
    pub enable: bool,
    /// `Files`: comma-separated, with date placeholders.
    pub files: String,
    /// `Query`.
    pub query: String,
    /// `Outfile`, with date placeholders.
    pub outfile: Option<String>,
    /// `Discovery`.
    pub discovery: Option<String>,
    /// `Servers`.
    pub servers: Vec<String>,
    /// `AllowFrom`: host names or addresses.
    pub allow_from: Vec<String>,
    /// `TimeRange` of a scheduled job: from this hour on until before that.
    pub time_range: Option<(u8, u8)>,
    /// `RestartOnDayChange` of a continuous job, false when missing.
    pub restart_on_day_change: bool,
}

impl ServerKeys {
    pub(super) fn read(server: &Section) -> Result<ServerKeys, Problem> {
        Ok(ServerKeys {
            ssh_bind_address: server.word("SSHBindAddress")?,
            host_key_file: server.path("HostKeyFile")?,
            host_key_bits: server.size("HostKeyBits")?,
            max_concurrent_cats: server.size("MaxConcurrentCats")?,
            max_concurrent_tails: server.size("MaxConcurrentTails")?,
            max_connections: server.size("MaxConnections")?,
            key_exchanges: server.list("KeyExchanges")?,
            ciphers: server.list("Ciphers")?,
            macs: server.list("MACs")?,
            auth_key_enabled: server.boolean("AuthKeyEnabled")?,
            auth_key_ttl: server.seconds("AuthKeyTTLSeconds")?,
            auth_key_max_per_user: server.size("AuthKeyMaxPerUser")?,
            permissions: PermissionKeys::read(&server.section("Permissions")?)?,
            schedule: jobs(server, "Schedule")?,
            continuous: jobs(server, "Continuous")?,
            max_unauthenticated: server.size("MaxUnauthenticated")?,
            handshake_timeout: server.milliseconds("HandshakeTimeoutMs")?,
            max_failed_logins: server.size("MaxFailedLogins")?,
            max_query_memory: server.size("MaxQueryMemory")?,
            max_sessions_per_connection: server.size("MaxSessionsPerConnection")?,
        })
    }
}

impl PermissionKeys {
    fn read(permissions: &Section) -> Result<PermissionKeys, Problem> {
        let of_users = permissions.section("Users")?;
        let mut users = BTreeMap::new();
        for user in of_users.keys() {
            users.insert(user.to_owned(), of_users.list(user)?);
        }
        // To forget the rules means DTail's default, to write an empty list means nothing at all.
        let is_given = permissions.keys().any(|key| key.eq_ignore_ascii_case("Default"));
        let default = if is_given { Some(permissions.list("Default")?) } else { None };
        Ok(PermissionKeys { default, users })
    }
}

fn jobs(server: &Section, key: &str) -> Result<Vec<JobKeys>, Problem> {
    server.sections(key)?.iter().map(JobKeys::read).collect()
}

impl JobKeys {
    fn read(job: &Section) -> Result<JobKeys, Problem> {
        let needed = |key: &str| job.word(key)?.ok_or_else(|| job.wrong(key, "is missing"));
        let enable = job.boolean("Enable")?.unwrap_or_default();
        // DTail's example configuration has disabled jobs that are half empty.
        let wanted = |key: &str| match enable {
            true => needed(key),
            false => Ok(job.word(key)?.unwrap_or_default()),
        };
        Ok(JobKeys {
            name: wanted("Name")?,
            enable,
            files: wanted("Files")?,
            query: wanted("Query")?,
            outfile: job.word("Outfile")?,
            discovery: job.word("Discovery")?,
            servers: job.list("Servers")?,
            allow_from: job.list("AllowFrom")?,
            time_range: job.hours("TimeRange")?,
            restart_on_day_change: job.boolean("RestartOnDayChange")?.unwrap_or_default(),
        })
    }
}
