//! The server's end: handshake, login and channels of one connection. Never listens, never decides
//! who may come in (the caller's [`Judge`] does).

mod channels;
mod entrance;
mod handler;
mod options;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::Disconnect;
use russh::server::run_stream;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::channels::OpenChannels;
use crate::stream::Closed;
use crate::transport::{CutOnDrop, Line, Transport};
use crate::{ByteStream, Certificate, PublicKey};
use channels::Channels;
use entrance::{Entrance, LoggedIn, Refusals};
use handler::Connection;
pub use options::ServerOptions;
pub(crate) use options::banner;

/// How long a client may take to leave after it was told to.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a client shows to log in.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// Nothing: the method `none`.
    None,
    /// A password.
    Password(&'a str),
    /// A public key.
    Key(&'a PublicKey),
    /// A key that was refused as itself, but may be the one inside of a certificate, which a client
    /// shows only with its signature. Only ever a probe: true if this user may log in by
    /// certificate at all
    /// ([`has_authority`](crate::authorized_keys::AuthorizedKeys::has_authority)).
    Certified(&'a PublicKey),
    /// A certificate.
    Certificate(&'a Certificate),
}

/// One attempt to log in.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Name that the client claims; not validated.
    pub user: &'a str,
    /// Where the client is.
    pub peer: SocketAddr,
    /// What it shows.
    pub credential: Credential<'a>,
}

/// Decides on attempts; called on a thread that may block. A key is shown once as a probe and once
/// more after its signature was verified; a certificate only after its signature was verified.
pub type Judge = Arc<dyn Fn(&Attempt<'_>) -> bool + Send + Sync>;

/// What kind of failure ended a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginErrorKind {
    /// The client was too slow.
    Timeout,
    /// The client left before it had logged in.
    Closed,
    /// What the client sent is not SSH, or no algorithm is shared.
    Protocol,
    /// No attempt succeeded.
    Refused,
}

/// Why a connection did not become a login. One line for the log.
#[derive(Debug)]
pub struct LoginError {
    /// What kind of failure.
    pub kind: LoginErrorKind,
    text: String,
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for LoginError {}

/// Turns TCP connections into logins.
#[derive(Clone, Debug)]
pub struct Server {
    config: Arc<russh::server::Config>,
    handshake_timeout: Duration,
}

impl Server {
    /// Checks the options; the error names the option and the values it takes.
    pub fn new(options: ServerOptions) -> Result<Server, String> {
        let handshake_timeout = options.handshake_timeout;
        Ok(Server { config: Arc::new(options.into_config()?), handshake_timeout })
    }

    /// Handshake and login, under the handshake timeout as a whole. Dropping the future ends the
    /// connection.
    pub async fn login(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        judge: Judge,
    ) -> Result<Login, LoginError> {
        // Without it small answers wait for acknowledgements. Not worth a failed login.
        tcp.set_nodelay(true).unwrap_or_default();
        let (transport, line) = Transport::new(tcp);
        let open = Arc::new(OpenChannels::new());
        let line = CutOnDrop { line, open: Arc::clone(&open) };
        let refusals = Refusals::default();
        let work = self.greet(transport, peer, judge, &refusals, open);
        match timeout(self.handshake_timeout, work).await {
            Ok(Ok(entered)) => Ok(entered.into_login(peer, line)),
            Ok(Err(error)) => Err(refused_or(&refusals, login_error(&error, &line.line))),
            Err(_) => Err(refused_or(
                &refusals,
                LoginError {
                    kind: LoginErrorKind::Timeout,
                    text: format!("no login within {:?}", self.handshake_timeout),
                },
            )),
        }
    }

    async fn greet(
        &self,
        transport: Transport,
        peer: SocketAddr,
        judge: Judge,
        refusals: &Refusals,
        open: Arc<OpenChannels>,
    ) -> Result<Entered, russh::Error> {
        let (login_sender, logged_in) = oneshot::channel();
        let (channel_sender, channels) = mpsc::channel(channels::OPEN_LIMIT);
        let (connected, ended) = watch::channel(());
        let handler = Connection {
            entrance: Entrance {
                peer,
                judge,
                refusals: refusals.clone(),
                accepted: None,
                login: Some(login_sender),
            },
            channels: Channels::new(channel_sender, open),
            _connected: connected,
        };
        let mut session = run_stream(Arc::clone(&self.config), transport, handler).await?;
        let handle = session.handle();
        tokio::select! {
            biased;
            Ok(logged_in) = logged_in => Ok(Entered { logged_in, handle, channels, ended }),
            result = &mut session => {
                result?;
                Err(russh::Error::Disconnect)
            }
        }
    }
}

/// A connection whose client has just logged in.
struct Entered {
    logged_in: LoggedIn,
    handle: russh::server::Handle,
    channels: mpsc::Receiver<ServerChannel>,
    ended: Closed,
}

impl Entered {
    fn into_login(self, peer: SocketAddr, line: CutOnDrop) -> Login {
        let LoggedIn { user, credential } = self.logged_in;
        Login {
            user,
            peer,
            credential,
            connection: Some((self.handle, line)),
            channels: self.channels,
            ended: self.ended,
        }
    }
}

/// Refused attempts explain a failed login better than how the client left after them.
fn refused_or(refusals: &Refusals, error: LoginError) -> LoginError {
    match refusals.summary() {
        Some(text) => LoginError { kind: LoginErrorKind::Refused, text },
        None => error,
    }
}

fn login_error(error: &russh::Error, line: &Line) -> LoginError {
    let (kind, text) = match error {
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_) => {
            (LoginErrorKind::Closed, "the client left before it had logged in".to_owned())
        }
        russh::Error::Version => {
            let sent =
                line.first_text().map_or(String::new(), |text| format!(": it sent {text:?}"));
            (LoginErrorKind::Protocol, format!("the client does not speak SSH{sent}"))
        }
        russh::Error::NoCommonAlgo { kind, theirs, .. } => (
            LoginErrorKind::Protocol,
            format!("no common {kind:?} algorithm, the client offers {}", theirs.join(",")),
        ),
        other => (LoginErrorKind::Protocol, format!("the handshake failed: {other}")),
    };
    LoginError { kind, text: text.chars().take(512).collect() }
}

/// A client that has logged in. Dropping it ends the connection: at once for what is still unsent
/// after two seconds.
pub struct Login {
    /// Name it logged in with.
    pub user: String,
    /// Where it is.
    pub peer: SocketAddr,
    /// What it logged in with, for the log: `ED25519 SHA256:…`.
    pub credential: String,
    connection: Option<(russh::server::Handle, CutOnDrop)>,
    channels: mpsc::Receiver<ServerChannel>,
    ended: Closed,
}

impl Login {
    /// The next channel that the client opened; `None` when the connection has ended.
    pub async fn next_channel(&mut self) -> Option<ServerChannel> {
        self.channels.recv().await
    }

    /// Tells the client `text` as the reason and ends the connection, after what was handed to it
    /// before. Returns when the client has left or did not listen for two seconds: what is told to
    /// it is then on its way, even if the process ends now.
    pub async fn disconnect(&self, text: &str) {
        if let Some((handle, line)) = &self.connection
            && !say_goodbye(handle, self.ended.clone(), text).await
        {
            line.cut();
        }
    }
}

/// Whether the connection ended in time.
async fn say_goodbye(handle: &russh::server::Handle, mut ended: Closed, text: &str) -> bool {
    let farewell = async {
        let reason = Disconnect::ByApplication;
        // An error means that the connection has ended already.
        handle.disconnect(reason, text.to_owned(), String::new()).await.unwrap_or_default();
        // Now it is only queued. The sender is dropped with the connection.
        ended.changed().await.unwrap_or_default();
    };
    timeout(FAREWELL, farewell).await.is_ok()
}

impl Drop for Login {
    fn drop(&mut self) {
        let Some((handle, line)) = self.connection.take() else { return };
        // Outside of a runtime nothing of the connection runs any more: `line` cuts it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let ended = self.ended.clone();
            drop(runtime.spawn(async move {
                // Whether it left in time or not, it is cut now.
                let _in_time = say_goodbye(&handle, ended, "").await;
                drop(line);
            }));
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .field("peer", &self.peer)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}

/// What a channel was opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// A subsystem of this name. The client was told that it runs: one that does not exist is ended
    /// by [`ByteWriter::finish`](crate::ByteWriter::finish) with status 127.
    Subsystem(String),
    /// A shell.
    Shell,
}

/// A channel that the client opened.
#[derive(Debug)]
pub struct ServerChannel {
    /// What it was opened for.
    pub kind: ChannelKind,
    /// Its bytes.
    pub stream: ByteStream,
}
