//! What russh calls for one connection: the host's key is checked, and what the server says on the
//! way is noted for the error message. Whatever a server wants to open is refused.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId};
use tokio::sync::watch;

use super::{ConnectError, Trust, UnknownHost};
use crate::channels::OpenChannels;
use crate::transport::printable;
use crate::{Endpoint, HostTrust, KnownHosts, PublicKey};

/// What decides on a host's key.
pub(super) struct HostCheck {
    pub(super) endpoint: Endpoint,
    pub(super) known_hosts: Arc<KnownHosts>,
    pub(super) trust: Trust,
    /// The key that was accepted for this host, also in an earlier attempt or key exchange.
    pub(super) accepted: Arc<Mutex<Option<PublicKey>>>,
}

/// What is known when a connection fails.
#[derive(Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Noted>>);

#[derive(Default)]
pub(super) struct Noted {
    /// Why the host's key was not accepted.
    pub(super) verdict: Option<ConnectError>,
    /// What the server said when it ended the connection.
    pub(super) farewell: Option<String>,
    /// The last line of the banner before the login.
    pub(super) banner: Option<String>,
    /// The server refused the last attempt and said that there is no other way in.
    pub(super) is_locked: bool,
    /// The server has given no sign of life, however often it was asked.
    pub(super) is_silent: bool,
    was_asked: bool,
}

impl Notes {
    pub(super) fn lock(&self) -> MutexGuard<'_, Noted> {
        // Plain data, never left half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody was asked about the host and said yes.
    pub(super) fn was_asked(&self) -> bool {
        self.lock().was_asked
    }
}

pub(super) struct Receiver {
    pub(super) ip: IpAddr,
    pub(super) check: HostCheck,
    /// True while somebody is asked.
    pub(super) asking: watch::Sender<bool>,
    pub(super) notes: Notes,
    pub(super) channels: Arc<OpenChannels>,
}

impl Receiver {
    async fn is_trusted(&self, key: PublicKey) -> Result<(), ConnectError> {
        let HostCheck { endpoint, known_hosts, trust, accepted } = &self.check;
        let accepted = || accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if accepted().as_ref() == Some(&key) {
            return Ok(());
        }
        match known_hosts.check(endpoint, self.ip, &key) {
            HostTrust::Known => {}
            HostTrust::Changed { line } => {
                return Err(ConnectError::host_key_changed(
                    endpoint,
                    &key,
                    line,
                    known_hosts.path(),
                ));
            }
            HostTrust::Revoked => return Err(ConnectError::host_key_revoked(&key)),
            HostTrust::Unknown => {
                let host =
                    UnknownHost { endpoint: endpoint.clone(), ip: self.ip, key: key.clone() };
                // Without a receiver nobody waits for this connection any more.
                self.asking.send(true).unwrap_or_default();
                let is_trusted = trust(host).await;
                self.asking.send(false).unwrap_or_default();
                if !is_trusted {
                    return Err(ConnectError::host_rejected(&key));
                }
                self.notes.lock().was_asked = true;
            }
        }
        *accepted() = Some(key);
        Ok(())
    }
}

type Refusable = Result<(), russh::Error>;

impl Handler for Receiver {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        // No certificate is asked for, so none comes.
        let verdict = match PublicKey::from_data(shown.public_key().key_data().clone()) {
            Ok(_) if shown.certificate().is_some() => Err(ConnectError::handshake(
                "the host shows a certificate, which is not supported for hosts".to_owned(),
            )),
            Ok(key) => self.is_trusted(key).await,
            Err(bad) => Err(ConnectError::handshake(format!("the host's key: {bad}"))),
        };
        match verdict {
            Ok(()) => Ok(true),
            Err(error) => {
                self.notes.lock().verdict = Some(error);
                Ok(false)
            }
        }
    }

    async fn auth_banner(&mut self, banner: &str, _session: &mut Session) -> Refusable {
        let last = banner.lines().rev().find_map(|line| printable(line.as_bytes()));
        self.notes.lock().banner = last;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Refusable {
        self.channels.close(channel);
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Refusable {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.notes.lock().farewell = printable(info.message.as_bytes());
            }
            DisconnectReason::Error(russh::Error::NoAuthMethod) => {
                self.notes.lock().is_locked = true;
            }
            DisconnectReason::Error(russh::Error::KeepaliveTimeout) => {
                self.notes.lock().is_silent = true;
            }
            DisconnectReason::Error(_) => {}
        }
        Ok(())
    }

    // russh accepts channels from the server unless told otherwise; dropping `reply` refuses.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _connected_address: &str,
        _connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Refusable {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Refusable {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _channel: Channel<Msg>,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Refusable {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Refusable {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host_to_connect: &str,
        _port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Refusable {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Refusable {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Refusable {
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.channels.end();
    }
}
