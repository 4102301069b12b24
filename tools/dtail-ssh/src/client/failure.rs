//! Why a connection or a channel did not come to be, in one line that says what to do. Never
//! retries.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::ClientOptions;
use super::handler::Notes;
use super::login::Refused;
use crate::known_hosts::host_pattern;
use crate::transport::Line;
use crate::{Endpoint, PublicKey};

/// What kind of failure kept us from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectErrorKind {
    /// No address of the host took a TCP connection.
    Unreachable,
    /// The host has another key than before, or a revoked one.
    HostKeyChanged,
    /// The unknown host was not trusted.
    HostRejected,
    /// The server refused every key and password.
    LoginRefused,
    /// The peer does not speak SSH as we need it, or not in time.
    Handshake,
}

/// Why there is no connection. One line that says what to do.
#[derive(Clone, Debug)]
pub struct ConnectError {
    /// What kind of failure.
    pub kind: ConnectErrorKind,
    /// One line, without the name of the endpoint.
    pub text: String,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ConnectError {}

impl ConnectError {
    pub(super) fn handshake(text: String) -> ConnectError {
        ConnectError { kind: ConnectErrorKind::Handshake, text }
    }

    pub(super) fn unresolved(host: &str, problem: &dyn fmt::Display) -> ConnectError {
        let text = format!("the name {host:?} has no address ({problem}): check its spelling");
        ConnectError { kind: ConnectErrorKind::Unreachable, text }
    }

    pub(super) fn unreachable(address: SocketAddr, error: &io::Error) -> ConnectError {
        let text = match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                format!("nothing listens on {address}: check the port and that the server runs")
            }
            _ => format!("{address} cannot be reached: {error}"),
        };
        ConnectError { kind: ConnectErrorKind::Unreachable, text }
    }

    pub(super) fn silent(address: SocketAddr, limit: Duration) -> ConnectError {
        let text = format!("{address} did not answer within {limit:?}: check host and firewall");
        ConnectError { kind: ConnectErrorKind::Unreachable, text }
    }

    pub(super) fn host_key_changed(
        endpoint: &Endpoint,
        key: &PublicKey,
        line: usize,
        file: Option<&Path>,
    ) -> ConnectError {
        let pattern = host_pattern(&endpoint.host, endpoint.port);
        let file = file.unwrap_or(Path::new("known_hosts")).display();
        let text = format!(
            "the host's key has changed, somebody may be listening in: it shows {}, {file} line \
             {line} has another; if the change is known to be right, run: \
             ssh-keygen -f {file} -R '{pattern}'",
            key.describe(),
        );
        ConnectError { kind: ConnectErrorKind::HostKeyChanged, text }
    }

    pub(super) fn host_key_revoked(key: &PublicKey) -> ConnectError {
        let text = format!(
            "the host's key {} is marked as revoked in known_hosts: do not connect before it has a \
             new one",
            key.describe(),
        );
        ConnectError { kind: ConnectErrorKind::HostKeyChanged, text }
    }

    pub(super) fn host_rejected(key: &PublicKey) -> ConnectError {
        let text = format!("the host is unknown and its key {} was not trusted", key.describe());
        ConnectError { kind: ConnectErrorKind::HostRejected, text }
    }
}

/// One line for whatever ended the attempt.
pub(super) fn explain(
    refused: Refused,
    endpoint: &Endpoint,
    options: &ClientOptions,
    line: &Line,
    notes: &Notes,
) -> ConnectError {
    let mut notes = notes.lock();
    if let Some(verdict) = notes.verdict.take() {
        return verdict;
    }
    match refused {
        Refused::Login { tried } => {
            let said = notes.farewell.take().or(notes.banner.take());
            login_refused(&tried, endpoint, options, said)
        }
        Refused::Slow(limit) => ConnectError::handshake(match line.software() {
            Some(_) => format!("the server did not complete the login within {limit:?}"),
            None => format!(
                "no SSH server answered within {limit:?}{}: check the port",
                quoted(line.last_text())
            ),
        }),
        Refused::Ssh(_) if notes.is_locked => {
            login_refused(&[], endpoint, options, notes.banner.take())
        }
        Refused::Ssh(error) => ConnectError::handshake(broken(&error, line, notes.farewell.take())),
    }
}

fn login_refused(
    tried: &[String],
    endpoint: &Endpoint,
    options: &ClientOptions,
    said: Option<String>,
) -> ConnectError {
    let user = &endpoint.user;
    let said = quoted(said);
    let text = if tried.is_empty() && options.identities.is_empty() {
        format!(
            "{user} needs a key to log in{said}: make one with ssh-keygen -t ed25519 or start an \
             agent"
        )
    } else if tried.is_empty() {
        format!("the server takes none of the ways in which {user} can log in{said}")
    } else {
        format!(
            "the server refused {user} with {}{said}: add one of the keys to authorized_keys there",
            tried.join(", ")
        )
    };
    ConnectError { kind: ConnectErrorKind::LoginRefused, text }
}

fn broken(error: &russh::Error, line: &Line, farewell: Option<String>) -> String {
    let said = quoted(farewell.or_else(|| line.last_text()));
    match error {
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            let theirs: String = theirs.join(",").chars().take(200).collect();
            format!(
                "no common {kind:?} algorithm, the server offers {theirs}: update the older side"
            )
        }
        russh::Error::Version => format!("the peer does not speak SSH 2{said}: check the port"),
        _ if line.software().is_none() => {
            format!("the server closed the connection before the SSH handshake{said}")
        }
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_) => {
            format!("the server closed the connection during the SSH handshake{said}")
        }
        other => format!("the SSH handshake failed: {other}{said}"),
    }
}

fn quoted(said: Option<String>) -> String {
    said.map_or(String::new(), |said| format!(" (it said: {said})"))
}

/// Why a channel was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelError {
    /// The server does not offer it; the connection goes on.
    Refused,
    /// The connection has ended.
    Closed,
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChannelError::Refused => "the server refused the channel",
            ChannelError::Closed => "the connection was closed",
        })
    }
}

impl std::error::Error for ChannelError {}
