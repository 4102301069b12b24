//! What russh calls for one connection. Only routes: attempts to the [`Entrance`], channels to the
//! [`Channels`]; everything else is refused.

use russh::keys::ssh_key;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, Pty};
use tokio::sync::watch;

use super::ChannelKind;
use super::channels::Channels;
use super::entrance::{Entrance, Shown, usable};
use crate::Certificate;

pub(super) struct Connection {
    pub(super) entrance: Entrance,
    pub(super) channels: Channels,
    /// Dropped with the connection: tells the [`Login`](super::Login) that it has ended.
    pub(super) _connected: watch::Sender<()>,
}

type Refusable = Result<(), russh::Error>;

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, russh::Error> {
        Ok(self.entrance.attempt(user, Shown::None).await)
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(self.entrance.attempt(user, Shown::Password(password.to_owned())).await)
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.entrance.probe(user, offer).await)
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        match usable(key.public_key, key.algorithm) {
            Some(key) => Ok(self.entrance.attempt(user, Shown::Key(key)).await),
            None => Ok(Auth::reject()),
        }
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &ssh_key::Certificate,
    ) -> Result<Auth, russh::Error> {
        let certificate = Certificate::from_inner(certificate.clone());
        Ok(self.entrance.attempt(user, Shown::Certificate(certificate)).await)
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Refusable {
        self.entrance.complete()
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Refusable {
        self.channels.open(channel, reply).await
    }

    async fn channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Refusable {
        self.channels.refuse()
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host_to_connect: &str,
        _port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Refusable {
        self.channels.refuse()
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Refusable {
        self.channels.refuse()
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Refusable {
        self.channels.close(channel);
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, _: &[u8], _: &mut Session) -> Refusable {
        self.channels.forget_requests(channel);
        Ok(())
    }

    async fn extended_data(
        &mut self,
        channel: ChannelId,
        _code: u32,
        _data: &[u8],
        _session: &mut Session,
    ) -> Refusable {
        self.channels.forget_requests(channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Refusable {
        self.channels.forget_requests(channel);
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Refusable {
        self.channels.forget_requests(channel);
        session.channel_failure(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Refusable {
        self.channels.forget_requests(channel);
        session.channel_failure(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Refusable {
        self.channels.start(channel, ChannelKind::Shell, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Refusable {
        self.channels.start(channel, ChannelKind::Subsystem(name.to_owned()), session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Refusable {
        self.channels.forget_requests(channel);
        session.channel_failure(channel)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        session: &mut Session,
    ) -> Refusable {
        self.channels.forget_requests(channel);
        session.channel_failure(channel)
    }

    async fn agent_request(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<bool, russh::Error> {
        self.channels.forget_requests(channel);
        Ok(false)
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        _signal: russh::Sig,
        session: &mut Session,
    ) -> Refusable {
        self.channels.forget_requests(channel);
        session.channel_failure(channel)
    }
}
