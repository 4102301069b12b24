//! The environment variables every program obeys. Never read elsewhere.

use std::env;
use std::path::{Path, PathBuf};

/// DTail's integration tests run in this mode: fixed host name, short lines, colours always.
pub fn is_test_mode() -> bool {
    env::var_os("DTAIL_INTEGRATION_TEST_RUN_MODE").is_some_and(|value| value == "yes")
}

/// The name to show instead of the host's own.
pub fn hostname_override() -> Option<String> {
    env::var("DTAIL_HOSTNAME_OVERRIDE").ok().filter(|name| !name.is_empty())
}

/// Whether the user wants no colour anywhere (no-color.org) or has a terminal without.
pub fn forbids_colour() -> bool {
    env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || env::var_os("TERM").is_some_and(|value| value == "dumb")
}

/// The user's home directory.
pub fn home() -> Option<PathBuf> {
    env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// The private key to log in with: DTail's variables, the newer one first.
pub fn auth_key_path() -> Option<PathBuf> {
    let path = |name| env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    path("DTAIL_AUTH_KEY_PATH").or_else(|| path("DTAIL_SSH_PRIVATE_KEYFILE_PATH"))
}

/// The passphrase of an encrypted private key.
pub fn key_passphrase() -> Option<String> {
    env::var("DTAIL_KEY_PASSPHRASE").ok().filter(|it| !it.is_empty())
}

/// `path` with a leading `~/` replaced by the home directory, if there is one.
pub fn expand_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), home()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}
