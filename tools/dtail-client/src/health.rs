//! Asks one server whether it is well. Never prints.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dtail_protocol::frame::{
    ClientFrame, ClientHello, Incoming, PREAMBLE, SERVER_FRAME_LIMIT, ServerFrame, VERSION,
};
use dtail_protocol::legacy::{Command, Message, MessageDecoder, encode_command};
use dtail_ssh::{ClientOptions, Connection, Endpoint, Identities, KnownHosts, Trust, connect};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::remote::SOFTWARE;

/// DTail's user for health checks, and its password on servers that want one.
pub const HEALTH_USER: &str = "DTAIL-HEALTH";

/// The longest message of an old server, in bytes.
const LONGEST: usize = 1 << 20;

/// Why a server is not well, or nobody knows. One line.
#[derive(Debug)]
pub struct HealthError(String);

impl fmt::Display for HealthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HealthError {}

/// Logs in as the endpoint's user, normally [`HEALTH_USER`], and asks, all within `limit`. Any host
/// key is taken: nothing secret is said or heard.
pub fn check_health(endpoint: &Endpoint, limit: Duration) -> Result<(), HealthError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|err| HealthError(format!("cannot start a runtime: {err}")))?;
    let asked = runtime.block_on(async { timeout(limit, ask(endpoint, limit)).await });
    // A name server that does not answer must not keep us.
    runtime.shutdown_background();
    let late = |_| HealthError(format!("no answer within {} s", limit.as_secs_f64()));
    asked.map_err(late)?.map_err(HealthError)
}

async fn ask(endpoint: &Endpoint, limit: Duration) -> Result<(), String> {
    let connection = log_in(endpoint, limit).await?;
    if connection.remote_software() != "Go" {
        let asked = match connection.subsystem("dtail").await {
            Ok(stream) => ask_frames(stream).await,
            Err(err) => Err(err.to_string()),
        };
        let Err(first) = asked else { return Ok(()) };
        // An old server ends the connection at the word subsystem.
        let connection = log_in(endpoint, limit).await?;
        return ask_as_of_old(connection).await.map_err(|_| first);
    }
    ask_as_of_old(connection).await
}

async fn log_in(endpoint: &Endpoint, limit: Duration) -> Result<Connection, String> {
    let options = ClientOptions {
        connect_timeout: limit,
        handshake_timeout: limit,
        keepalive: Duration::ZERO,
        identities: Arc::new(Identities::none()),
        known_hosts: Arc::new(KnownHosts::empty()),
        software: SOFTWARE.to_owned(),
        password: Some(HEALTH_USER.to_owned()),
    };
    let anybody: Trust = Arc::new(|_| Box::pin(async { true }));
    connect(endpoint, &options, anybody).await.map_err(|err| err.text)
}

/// Our own protocol.
async fn ask_frames(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), String> {
    let mut stream = stream;
    let mut bytes = PREAMBLE.to_vec();
    let hello = ClientHello {
        lowest: VERSION,
        highest: VERSION,
        capabilities: Vec::new(),
        credit: 0,
        software: SOFTWARE.to_owned(),
    };
    ClientFrame::Hello(hello).encode(&mut bytes);
    ClientFrame::Health.encode(&mut bytes);
    stream.write_all(&bytes).await.map_err(|err| err.to_string())?;
    stream.flush().await.map_err(|err| err.to_string())?;
    let mut incoming = Incoming::<ServerFrame>::new(SERVER_FRAME_LIMIT);
    loop {
        while let Some(frame) = incoming.next().map_err(|err| err.to_string())? {
            match frame {
                ServerFrame::Healthy => return Ok(()),
                ServerFrame::Refused(refusal) => return Err(refusal.text),
                _ => {}
            }
        }
        match stream.read(incoming.space()).await {
            Ok(0) => return Err("the connection was closed without an answer".to_owned()),
            Ok(length) => incoming.commit(length),
            Err(err) => return Err(err.to_string()),
        }
    }
}

/// Protocol 4.1.
async fn ask_as_of_old(connection: Connection) -> Result<(), String> {
    let stream = connection.shell().await.map_err(|err| err.to_string())?;
    ask_messages(stream).await
}

async fn ask_messages(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), String> {
    let mut stream = stream;
    let mut bytes = Vec::new();
    encode_command(&Command::Health, &mut bytes).map_err(|err| err.to_string())?;
    stream.write_all(&bytes).await.map_err(|err| err.to_string())?;
    stream.flush().await.map_err(|err| err.to_string())?;
    let mut decoder = MessageDecoder::new(LONGEST);
    let mut buffer = [0; 4096];
    loop {
        while let Some(message) = decoder.next().map_err(|err| err.to_string())? {
            let text = match &message {
                Message::Server { text, .. } => text.clone(),
                Message::Other(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                _ => continue,
            };
            return match text.trim().starts_with("OK") {
                true => Ok(()),
                false => Err(format!("it says: {}", text.trim())),
            };
        }
        match stream.read(&mut buffer).await {
            Ok(0) => return Err("the connection was closed without an answer".to_owned()),
            Ok(length) => decoder.feed(&buffer[..length]),
            Err(err) => return Err(err.to_string()),
        }
    }
}
