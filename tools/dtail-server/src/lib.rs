//! The server: listener, users, permissions, limits, scheduled and continuous jobs. It never
//! parses arguments, and prints only what the program hands it a place for.

mod admission;
mod auth_keys;
mod connection;
#[cfg(test)]
mod documented;
mod failures;
mod gate;
mod jobs;
mod listener;
mod log;
mod options;
mod rules;
mod server;
mod session;
mod shared;
mod stats;
mod stdio;
mod user_log;
mod users;
mod wire;

use std::path::Path;

pub use options::Options;
pub use server::{check_config, serve};
pub use stdio::serve_stdio;

/// Writes a new key pair, `path` and `path.pub`. The error is one line.
pub fn generate_key(path: &Path) -> Result<(), String> {
    dtail_ssh::generate_key_pair(path, "dserver").map_err(|err| err.to_string())
}
