//! What the tests share: a listening server whose judge is a closure, a client with keys, limits
//! for waiting.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dtail_ssh::{
    Agent, Attempt, ByteStream, ChannelKind, ClientOptions, Endpoint, HostKey, Identities,
    IdentityOptions, Judge, KnownHosts, Login, LoginError, Server, ServerOptions, Trust,
    generate_key_pair,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Nothing in these tests takes that long on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}

pub(crate) fn server_options(directory: &Path) -> ServerOptions {
    let (host_key, _) = HostKey::load_or_generate(&directory.join("host_key")).unwrap();
    ServerOptions {
        host_keys: vec![host_key],
        software: "DTail_test".to_owned(),
        handshake_timeout: PATIENCE,
        key_exchanges: Vec::new(),
        ciphers: Vec::new(),
        macs: Vec::new(),
        keepalive: Duration::ZERO,
        max_attempts: 6,
    }
}

/// A server on a free port of 127.0.0.1; what becomes of each connection arrives in the channel.
pub(crate) async fn listen(
    options: ServerOptions,
    judge: Judge,
) -> (SocketAddr, mpsc::Receiver<Result<Login, LoginError>>) {
    let server = Server::new(options).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::channel(64);
    drop(tokio::spawn(async move {
        while let Ok((tcp, peer)) = listener.accept().await {
            let (server, judge, sender) = (server.clone(), Arc::clone(&judge), sender.clone());
            drop(tokio::spawn(async move {
                let result = server.login(tcp, peer, judge).await;
                // The test may have ended before the connection.
                sender.send(result).await.unwrap_or_default();
            }));
        }
    }));
    (address, receiver)
}

pub(crate) fn judge(judge: impl Fn(&Attempt<'_>) -> bool + Send + Sync + 'static) -> Judge {
    Arc::new(judge)
}

/// Serves every channel of a login with what a shell would: `echo` sends back what it gets.
pub(crate) async fn echo(mut login: Login) {
    while let Some(channel) = login.next_channel().await {
        drop(tokio::spawn(echo_channel(channel.kind, channel.stream)));
    }
}

async fn echo_channel(kind: ChannelKind, stream: ByteStream) {
    let (mut reader, mut writer) = stream.split();
    let hello = format!("{kind:?}\n");
    writer.write_all(hello.as_bytes()).await.unwrap();
    tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    writer.finish(0).await.unwrap();
}

pub(crate) fn key_pair(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    generate_key_pair(&path, name).unwrap();
    path
}

pub(crate) fn identities(key_file: Option<PathBuf>) -> Identities {
    Identities::collect(IdentityOptions {
        key_file,
        default_files: false,
        home: None,
        agent: Agent::None,
        passphrase: &mut |_| None,
    })
    .unwrap()
}

pub(crate) fn client_options(identities: Identities) -> ClientOptions {
    ClientOptions {
        connect_timeout: PATIENCE,
        handshake_timeout: PATIENCE,
        keepalive: Duration::ZERO,
        identities: Arc::new(identities),
        known_hosts: Arc::new(KnownHosts::empty()),
        software: "DTail_test".to_owned(),
        password: None,
    }
}

pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { host: address.ip().to_string(), port: address.port(), user: "alice".to_owned() }
}

pub(crate) fn trust(answer: bool) -> Trust {
    Arc::new(move |_| Box::pin(async move { answer }))
}

pub(crate) fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Sends `text`, then EOF; gives everything that comes back.
pub(crate) async fn converse(mut stream: ByteStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
