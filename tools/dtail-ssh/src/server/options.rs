//! A server's options and what they mean to russh. Never reads a configuration file.

use std::borrow::Cow;
use std::time::Duration;

use russh::{MethodKind, MethodSet, SshId};

use crate::HostKey;
use crate::algorithms;
use crate::stream::{PACKET_LIMIT, WINDOW};

/// Packets of one channel that wait for their reader before the connection is held up. Clients send
/// little.
const QUEUED_PACKETS: usize = 16;

/// Messages of all channels that wait to be encrypted. Each may hold a packet.
const QUEUED_MESSAGES: usize = 8;

/// Every refused attempt takes this long, so that refusals do not tell by their speed why. Short:
/// clients with several keys wait it once per key, and throttling who guesses is the caller's
/// business.
const REFUSAL_TIME: Duration = Duration::from_millis(10);

/// How a server presents itself.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Keys to prove the host with; at least one.
    pub host_keys: Vec<HostKey>,
    /// Software name in the banner: `SSH-2.0-` and this, such as `DTail_0.1.0`.
    pub software: String,
    /// Time that a client has from its connection to its login.
    pub handshake_timeout: Duration,
    /// Names of key exchanges in order of preference; empty for the default.
    pub key_exchanges: Vec<String>,
    /// Names of ciphers in order of preference; empty for the default.
    pub ciphers: Vec<String>,
    /// Names of message authentication codes in order of preference; empty for the default.
    pub macs: Vec<String>,
    /// A silent client is asked for a sign of life this often; three times without one end the
    /// connection. Zero: never.
    pub keepalive: Duration,
    /// Failed attempts to log in after which the connection ends. The initial `none` of most
    /// clients is not counted.
    pub max_attempts: usize,
}

impl ServerOptions {
    /// Whether a server could be made of them once there is a host key. The error names the option
    /// and the values it takes.
    pub fn check(&self) -> Result<(), String> {
        banner(&self.software)?;
        algorithms::chosen(&self.key_exchanges, &self.ciphers, &self.macs).map(drop)
    }

    pub(crate) fn into_config(self) -> Result<russh::server::Config, String> {
        if self.host_keys.is_empty() {
            return Err("a server needs at least one host key".to_owned());
        }
        let preferred = algorithms::chosen(&self.key_exchanges, &self.ciphers, &self.macs)?;
        Ok(russh::server::Config {
            server_id: SshId::Standard(Cow::Owned(banner(&self.software)?)),
            methods: MethodSet::from([MethodKind::PublicKey, MethodKind::Password].as_slice()),
            auth_rejection_time: REFUSAL_TIME,
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: self.host_keys.into_iter().map(HostKey::into_inner).collect(),
            window_size: WINDOW,
            maximum_packet_size: PACKET_LIMIT,
            channel_buffer_size: QUEUED_PACKETS,
            event_buffer_size: QUEUED_MESSAGES,
            preferred,
            max_auth_attempts: self.max_attempts.max(1).saturating_add(1),
            // A follower may be silent for days; the keepalive finds dead peers.
            inactivity_timeout: None,
            keepalive_interval: (!self.keepalive.is_zero()).then_some(self.keepalive),
            keepalive_max: 3,
            nodelay: true,
            ..russh::server::Config::default()
        })
    }
}

/// RFC 4253 section 4.2: printable ASCII without blanks and minus signs.
pub(crate) fn banner(software: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'-';
    if software.is_empty() || software.len() > 200 || !software.bytes().all(is_plain) {
        return Err(format!(
            "{software:?} cannot be announced as software: use letters, digits, `_` and `.`"
        ));
    }
    Ok(format!("SSH-2.0-{software}"))
}
