//! What the configuration says a server may do: limits, permissions, jobs. Made anew on reload.
//! Never enforces anything itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dtail_process::config::{Config, JobKeys, PermissionKeys};
use dtail_process::environment;
use dtail_protocol::frame::BLOCK_LIMIT;
use dtail_query::UserFormats;
use dtail_session::{Access, Permissions, Permits};

use crate::jobs::Job;
use crate::users::User;

/// DTail's default: every file by its absolute path, no journals.
const EVERY_FILE: &str = "^/.*";

/// Everything that a reload can change.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) limits: Limits,
    pub(crate) cache_dir: PathBuf,
    pub(crate) host_key_file: PathBuf,
    pub(crate) auth_keys: Option<AuthKeyLimits>,
    pub(crate) log_format: String,
    /// Log formats of the operator's own.
    pub(crate) user_formats: UserFormats,
    /// Files read at once.
    pub(crate) cats: Arc<Permits>,
    /// Requests that follow at once.
    pub(crate) tails: Arc<Permits>,
    pub(crate) schedule: Vec<Job>,
    pub(crate) continuous: Vec<Job>,
    default_access: Option<Access>,
    access: BTreeMap<String, Option<Access>>,
}

/// Limits that have a key of the same name in the section `Server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) max_connections: usize,
    pub(crate) max_unauthenticated: usize,
    pub(crate) handshake_timeout: Duration,
    pub(crate) max_failed_logins: usize,
    pub(crate) max_concurrent_cats: usize,
    pub(crate) max_concurrent_tails: usize,
    pub(crate) max_query_memory: usize,
    pub(crate) max_line_length: usize,
    pub(crate) max_glob_targets: usize,
    pub(crate) max_sessions_per_connection: usize,
}

/// How long and how many registered keys are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AuthKeyLimits {
    pub(crate) ttl: Duration,
    pub(crate) max_per_user: usize,
}

impl Rules {
    /// The error is one line that names the key.
    pub(crate) fn new(config: &Config, before: Option<&Rules>) -> Result<Rules, String> {
        let limits = Limits::new(config)?;
        let permits = |number, before: Option<(usize, &Arc<Permits>)>| match before {
            // Who holds a permit of the old ones still counts.
            Some((same, permits)) if same == number => Arc::clone(permits),
            _ => Arc::new(Permits::new(number)),
        };
        let cats = before.map(|it| (it.limits.max_concurrent_cats, &it.cats));
        let tails = before.map(|it| (it.limits.max_concurrent_tails, &it.tails));
        let keys = &config.server;
        let auth_keys = keys.auth_key_enabled.unwrap_or(true).then(|| AuthKeyLimits {
            ttl: keys.auth_key_ttl.unwrap_or(Duration::from_secs(86_400)),
            max_per_user: keys.auth_key_max_per_user.unwrap_or(5),
        });
        let log_format = config.mapreduce_log_format.clone().filter(|name| !name.is_empty());
        let user_formats = UserFormats::new(config.log_formats.iter().cloned());
        user_formats.check().map_err(|err| format!("Common.LogFormats: {err}"))?;
        let cache_dir = config.cache_dir.clone().unwrap_or_else(|| PathBuf::from("cache"));
        let host_key_file = host_key_file(config, &cache_dir);
        let (default_access, access) = accesses(&keys.permissions, &absolute(&host_key_file))?;
        let jobs = |place, jobs: &[JobKeys]| {
            let enabled = jobs.iter().filter(|job| job.enable);
            let jobs: Result<Vec<Job>, String> = enabled.map(Job::new).collect();
            jobs.map_err(|err| format!("Server.{place}: {err}"))
        };
        Ok(Rules {
            cats: permits(limits.max_concurrent_cats, cats),
            tails: permits(limits.max_concurrent_tails, tails),
            limits,
            cache_dir,
            host_key_file,
            auth_keys,
            log_format: log_format.unwrap_or_else(|| "default".to_owned()),
            user_formats,
            schedule: jobs("Schedule", &keys.schedule)?,
            continuous: jobs("Continuous", &keys.continuous)?,
            default_access,
            access,
        })
    }

    /// What the user may read; `None`: no rule is for them, so that they may not even come in.
    pub(crate) fn access(&self, user: &User) -> Option<&Access> {
        self.access.get(user.name()).unwrap_or(&self.default_access).as_ref()
    }

    /// Where the operator keeps keys of a user whose home the server cannot read.
    pub(crate) fn cached_keys_of(&self, user: &User) -> PathBuf {
        self.cache_dir.join(format!("{user}.authorized_keys"))
    }
}

impl Limits {
    fn new(config: &Config) -> Result<Limits, String> {
        let keys = &config.server;
        let max_line_length = match environment::is_test_mode() {
            true => 1024,
            false => config.max_line_length.unwrap_or(1024 * 1024),
        };
        if max_line_length > BLOCK_LIMIT {
            return Err(format!("Server.MaxLineLength: must be at most {BLOCK_LIMIT}"));
        }
        Ok(Limits {
            max_connections: keys.max_connections.unwrap_or(10),
            max_unauthenticated: keys.max_unauthenticated.unwrap_or(64),
            handshake_timeout: keys.handshake_timeout.unwrap_or(Duration::from_secs(10)),
            max_failed_logins: keys.max_failed_logins.unwrap_or(20),
            max_concurrent_cats: keys.max_concurrent_cats.unwrap_or(2),
            max_concurrent_tails: keys.max_concurrent_tails.unwrap_or(50),
            max_query_memory: keys.max_query_memory.unwrap_or(256 << 20),
            max_line_length,
            max_glob_targets: config.max_glob_targets.unwrap_or(1000),
            max_sessions_per_connection: keys.max_sessions_per_connection.unwrap_or(8),
        })
    }
}

type Accesses = (Option<Access>, BTreeMap<String, Option<Access>>);

/// Where the private key of the host is, as configured.
fn host_key_file(config: &Config, cache_dir: &Path) -> PathBuf {
    if environment::is_test_mode() {
        return PathBuf::from("ssh_host_key");
    }
    let configured = config.server.host_key_file.clone();
    configured.unwrap_or_else(|| cache_dir.join("ssh_host_key"))
}

/// `host_key_file` is nobody's to read, whatever the rules say: who has it can be this host.
fn accesses(keys: &PermissionKeys, host_key_file: &Path) -> Result<Accesses, String> {
    let access = |place: &str, rules: &[String]| {
        let parsed = Permissions::parse(rules).map_err(|err| format!("{place}: {err}"))?;
        let host_key_file = host_key_file.to_owned();
        // It may be made, or moved behind a symlink, at any time.
        let is_secret =
            move |path: &Path| host_key_file.canonicalize().is_ok_and(|secret| secret == path);
        let permits = move |path: &Path| parsed.allows(path) && !is_secret(path);
        Ok::<_, String>((!rules.is_empty()).then(|| Access::when(permits)))
    };
    let every_file = [EVERY_FILE.to_owned()];
    let default = keys.default.as_deref().unwrap_or(&every_file);
    let default = access("Server.Permissions.Default", default)?;
    let mut users = BTreeMap::new();
    for (name, rules) in &keys.users {
        if User::named(name).is_none() {
            return Err(format!("Server.Permissions.Users: {name:?} cannot be a user's name"));
        }
        users.insert(name.clone(), access(&format!("Server.Permissions.Users.{name}"), rules)?);
    }
    Ok((default, users))
}

/// `path` as seen from the working directory of the start, which a server may leave.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use dtail_process::config::Config;
    use expect_test::{Expect, expect};

    use super::Rules;
    use crate::users::User;

    #[track_caller]
    fn check(json: &str, user: &str, paths: &[&str], expected: &Expect) {
        let said = match rules(json) {
            Err(err) => err,
            Ok(rules) => match rules.access(&User::named(user).unwrap()) {
                None => "may not come in".to_owned(),
                Some(access) => paths
                    .iter()
                    .map(|path| format!("{path} {}\n", access.permits(Path::new(path))))
                    .collect(),
            },
        };
        expected.assert_eq(&said);
    }

    fn rules(json: &str) -> Result<Rules, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dtail.json");
        std::fs::write(&path, json).unwrap();
        Rules::new(&Config::load(Some(&path)).unwrap(), None)
    }

    #[test]
    fn a_users_rules_stand_in_place_of_the_default_ones() {
        let json = r#"{"Server": {"Permissions": {"Default": ["^/var/log/", "!secret"],
            "Users": {"ann": ["^/etc/"], "bob": []}}}}"#;
        let paths = ["/var/log/a", "/var/log/secret", "/etc/a", "journal:sshd"];
        check(
            json,
            "eve",
            &paths,
            &expect![[r#"
                /var/log/a true
                /var/log/secret false
                /etc/a false
                journal:sshd false
            "#]],
        );
        check(
            json,
            "ann",
            &paths,
            &expect![[r#"
                /var/log/a false
                /var/log/secret false
                /etc/a true
                journal:sshd false
            "#]],
        );
        check(json, "bob", &paths, &expect!["may not come in"]);
    }

    #[test]
    fn without_any_rules_every_file_may_be_read_and_no_journal() {
        check(
            "{}",
            "ann",
            &["/etc/a", "journal:sshd"],
            &expect![[r#"
                /etc/a true
                journal:sshd false
            "#]],
        );
    }

    #[test]
    fn nobody_reads_the_host_key() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let (key, other) = (dir.join("key"), dir.join("other"));
        std::fs::write(&key, "").unwrap();
        std::fs::write(&other, "").unwrap();
        std::os::unix::fs::symlink(&dir, dir.join("link")).unwrap();
        let json = format!(r#"{{"Server": {{"HostKeyFile": "{}/link/key"}}}}"#, dir.display());
        let rules = rules(&json).unwrap();
        let access = rules.access(&User::named("ann").unwrap()).unwrap();
        assert_eq!([key, other].map(|path| access.permits(&path)), [false, true]);
    }

    #[test]
    fn bad_rules_are_named() {
        check(
            r#"{"Server": {"Permissions": {"Users": {"ann": ["("]}}}}"#,
            "ann",
            &[],
            &expect![[
                r#"Server.Permissions.Users.ann: permission rule "(": bad regular expression "(": unclosed group"#
            ]],
        );
        check(
            r#"{"Server": {"Permissions": {"Users": {"../x": ["^/"]}}}}"#,
            "ann",
            &[],
            &expect![[r#"Server.Permissions.Users: "../x" cannot be a user's name"#]],
        );
        check(
            r#"{"Server": {"MaxLineLength": 100000000}}"#,
            "ann",
            &[],
            &expect!["Server.MaxLineLength: must be at most 16711680"],
        );
    }

    #[test]
    fn a_reload_keeps_count_of_what_is_being_read() {
        let before = rules("{}").unwrap();
        let config = Config::default();
        let after = Rules::new(&config, Some(&before)).unwrap();
        assert!(std::sync::Arc::ptr_eq(&before.cats, &after.cats));
    }
}
