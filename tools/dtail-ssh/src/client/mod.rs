//! The client's end: one connection to one host. Never prints, never asks a terminal.

mod failure;
mod handler;
mod login;

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::client::{Handle, Msg, connect_stream};
use russh::{Channel, ChannelMsg, Disconnect, SshId};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::algorithms;
use crate::channels::OpenChannels;
use crate::server::banner;
use crate::stream::{PACKET_LIMIT, WINDOW};
use crate::transport::{CutOnDrop, Transport};
use crate::{ByteStream, Endpoint, Identities, KnownHosts, PublicKey};
pub use failure::{ChannelError, ConnectError, ConnectErrorKind};
use handler::{HostCheck, Notes, Receiver};
use login::LoggedIn;

/// Packets of a channel that wait for their reader before the connection is held up.
const QUEUED_PACKETS: usize = 32;

/// How long a server may take to close a connection that we left.
const FAREWELL: Duration = Duration::from_secs(2);

/// How a client connects.
#[derive(Clone)]
pub struct ClientOptions {
    /// Time for one TCP connection.
    pub connect_timeout: Duration,
    /// Time from the TCP connection to the login, without the time that [`Trust`] takes.
    pub handshake_timeout: Duration,
    /// A silent server is asked for a sign of life this often; three times without one end the
    /// connection. Zero: never.
    pub keepalive: Duration,
    /// Keys to log in with.
    pub identities: Arc<Identities>,
    /// Keys that hosts had before.
    pub known_hosts: Arc<KnownHosts>,
    /// Software name in the banner: `SSH-2.0-` and this.
    pub software: String,
    /// Password to try after the keys.
    pub password: Option<String>,
}

/// A host whose key is not on record.
#[derive(Clone, Debug)]
pub struct UnknownHost {
    /// What we wanted to reach.
    pub endpoint: Endpoint,
    /// The address it has.
    pub ip: IpAddr,
    /// The key it showed.
    pub key: PublicKey,
}

/// Asked whether an unknown host is trusted. Not asked for a changed or revoked key: that is an
/// error.
pub type Trust =
    Arc<dyn Fn(UnknownHost) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// Connects to the first address of the host that answers, checks the host's key and logs in.
/// Dropping the future ends the connection.
pub async fn connect(
    endpoint: &Endpoint,
    options: &ClientOptions,
    trust: Trust,
) -> Result<Connection, ConnectError> {
    let software = banner(&options.software).map_err(ConnectError::handshake)?;
    let accepted = Arc::default();
    loop {
        let check = HostCheck {
            endpoint: endpoint.clone(),
            known_hosts: Arc::clone(&options.known_hosts),
            trust: Arc::clone(&trust),
            accepted: Arc::clone(&accepted),
        };
        let (tcp, address) = reach(endpoint, options.connect_timeout).await?;
        let attempt = Attempt { endpoint, options, software: &software };
        match attempt.run(tcp, address, check).await {
            Ok(connection) => return Ok(connection),
            // A person who looks at a fingerprint takes longer than a server waits for a login: now
            // that the key is trusted, a second attempt is quick.
            Err(Failed { error, after_question: true })
                if error.kind == ConnectErrorKind::Handshake => {}
            Err(failed) => return Err(failed.error),
        }
    }
}

/// A TCP connection to the first address that takes one.
async fn reach(
    endpoint: &Endpoint,
    limit: Duration,
) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let addresses = timeout(limit, lookup_host((endpoint.host.as_str(), endpoint.port))).await;
    let addresses: Vec<SocketAddr> = match addresses {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(ConnectError::unresolved(&endpoint.host, &error)),
        Err(_) => return Err(ConnectError::unresolved(&endpoint.host, &"no answer in time")),
    };
    let mut last = ConnectError::unresolved(&endpoint.host, &"it has no address");
    for address in addresses {
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Without it small requests wait for acknowledgements. Not worth a failed
                // connection.
                tcp.set_nodelay(true).unwrap_or_default();
                return Ok((tcp, address));
            }
            Ok(Err(error)) => last = ConnectError::unreachable(address, &error),
            Err(_) => last = ConnectError::silent(address, limit),
        }
    }
    Err(last)
}

/// One attempt to get from a TCP connection to a login.
struct Attempt<'a> {
    endpoint: &'a Endpoint,
    options: &'a ClientOptions,
    software: &'a str,
}

struct Failed {
    error: ConnectError,
    after_question: bool,
}

impl Attempt<'_> {
    async fn run(
        self,
        tcp: TcpStream,
        address: SocketAddr,
        check: HostCheck,
    ) -> Result<Connection, Failed> {
        let (transport, line) = Transport::new(tcp);
        let channels = Arc::new(OpenChannels::new());
        let line = CutOnDrop { line, open: Arc::clone(&channels) };
        let notes = Notes::default();
        let (asking, is_asking) = watch::channel(false);
        let known = self.options.known_hosts.key_types(self.endpoint);
        let receiver = Receiver {
            ip: address.ip(),
            check,
            asking,
            notes: notes.clone(),
            channels: Arc::clone(&channels),
        };
        let config = Arc::new(self.config(&known));
        let work = async {
            let mut handle = connect_stream(config, transport, receiver).await?;
            let login = login::login(&mut handle, self.endpoint, self.options).await?;
            Ok((handle, login))
        };
        let result = tokio::select! {
            biased;
            result = work => result,
            () = spent(self.options.handshake_timeout, is_asking) => {
                Err(login::Refused::Slow(self.options.handshake_timeout))
            }
        };
        match result {
            Ok((handle, login)) => Ok(Connection {
                software: line.line.software().unwrap_or_default(),
                login,
                notes,
                handle,
                channels,
                line,
            }),
            Err(refused) => Err(Failed {
                error: failure::explain(refused, self.endpoint, self.options, &line.line, &notes),
                after_question: notes.was_asked(),
            }),
        }
    }

    fn config(&self, known_key_types: &[String]) -> russh::client::Config {
        let keepalive = self.options.keepalive;
        russh::client::Config {
            client_id: SshId::Standard(Cow::Owned(self.software.to_owned())),
            window_size: WINDOW,
            maximum_packet_size: PACKET_LIMIT,
            channel_buffer_size: QUEUED_PACKETS,
            preferred: algorithms::preferred_for_host(known_key_types),
            inactivity_timeout: None,
            keepalive_interval: (!keepalive.is_zero()).then_some(keepalive),
            keepalive_max: 3,
            nodelay: true,
            ..russh::client::Config::default()
        }
    }
}

/// Returns when `limit` has passed, not counting the time in which `is_asking` is true.
async fn spent(limit: Duration, mut is_asking: watch::Receiver<bool>) {
    let mut left = limit;
    loop {
        let paused = *is_asking.borrow_and_update();
        let begin = Instant::now();
        let changed = tokio::select! {
            changed = is_asking.changed() => changed,
            () = sleep(left), if !paused => return,
        };
        if !paused {
            left = left.saturating_sub(begin.elapsed());
        }
        if changed.is_err() {
            // The connection has ended, so whoever is timed here is about to end as well.
            return sleep(left).await;
        }
    }
}

/// A connection with a login. Dropping it cuts it.
pub struct Connection {
    software: String,
    login: LoggedIn,
    notes: Notes,
    handle: Handle<Receiver>,
    channels: Arc<OpenChannels>,
    line: CutOnDrop,
}

impl Connection {
    /// Software name of the server's banner: what follows `SSH-2.0-`.
    pub fn remote_software(&self) -> &str {
        &self.software
    }

    /// What we logged in with, such as `ED25519 SHA256:…`, `password` or `none`.
    pub fn identity(&self) -> String {
        self.login.shown.clone()
    }

    /// The key we logged in with, unless it was a certificate or none at all.
    pub fn key(&self) -> Option<&PublicKey> {
        self.login.key.as_ref()
    }

    /// Whether it has ended because the server gave no sign of life, see
    /// [`ClientOptions::keepalive`]. True before any channel is seen to have ended.
    pub fn has_fallen_silent(&self) -> bool {
        self.notes.lock().is_silent
    }

    /// Opens a channel with the subsystem `name`.
    pub async fn subsystem(&self, name: &str) -> Result<ByteStream, ChannelError> {
        let channel = self.open().await?;
        channel.request_subsystem(true, name).await.map_err(|_| ChannelError::Closed)?;
        self.started(channel).await
    }

    /// Opens a channel with a shell, without a terminal.
    pub async fn shell(&self) -> Result<ByteStream, ChannelError> {
        let channel = self.open().await?;
        channel.request_shell(true).await.map_err(|_| ChannelError::Closed)?;
        self.started(channel).await
    }

    /// Ends the connection in an orderly way: what was sent before still arrives.
    pub async fn close(self) {
        let Connection { handle, line, .. } = self;
        let farewell = async {
            // Errors mean that it has ended already.
            handle.disconnect(Disconnect::ByApplication, "", "").await.unwrap_or_default();
            handle.await.unwrap_or_default();
        };
        timeout(FAREWELL, farewell).await.unwrap_or_default();
        drop(line);
    }

    async fn open(&self) -> Result<Channel<Msg>, ChannelError> {
        self.handle.channel_open_session().await.map_err(|error| match error {
            russh::Error::ChannelOpenFailure(_) => ChannelError::Refused,
            _ => ChannelError::Closed,
        })
    }

    /// Waits for the answer to the one request that was made.
    async fn started(&self, mut channel: Channel<Msg>) -> Result<ByteStream, ChannelError> {
        let closed = self.channels.add(channel.id()).ok_or(ChannelError::Closed)?;
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Success) => {
                    return Ok(ByteStream::of_client(channel, closed, &self.channels));
                }
                Some(ChannelMsg::Failure) => {
                    // An error means that the connection has ended, which closes the channel too.
                    channel.close().await.unwrap_or_default();
                    return Err(ChannelError::Refused);
                }
                // DTail's old server drops the whole connection when it does not know a request;
                // others close only the channel.
                Some(ChannelMsg::Close | ChannelMsg::Eof) if !self.handle.is_closed() => {
                    return Err(ChannelError::Refused);
                }
                Some(ChannelMsg::Close | ChannelMsg::Eof) | None => {
                    return Err(ChannelError::Closed);
                }
                Some(_) => {}
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("software", &self.software)
            .field("identity", &self.login.shown)
            .finish_non_exhaustive()
    }
}
