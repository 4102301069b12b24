//! Whole runs against old servers, which exist only here.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dtail_protocol::Mode;
use dtail_protocol::legacy;
use dtail_ssh::{
    ChannelKind, ClientOptions, HostKey, Identities, KnownHosts, Server, ServerOptions,
};
use expect_test::{Expect, expect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::fixture::request;
use super::{Native, Remote, Transport, UnknownHosts, start_remote};
use crate::{Event, ReportPolicy, Run};

const TIMEOUT: Duration = Duration::from_secs(10);

/// A server that calls itself `software`, knows no subsystem, and answers whatever is asked in a
/// shell; the last thing it says is that it wants to close, or it waits for ever.
fn old_server(runtime: &Runtime, software: &str, closes: bool) -> SocketAddr {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (key, _) = HostKey::load_or_generate(&folder.path().join("key")).expect("a key");
    let server = Server::new(ServerOptions {
        host_keys: vec![key],
        software: software.to_owned(),
        handshake_timeout: TIMEOUT,
        key_exchanges: Vec::new(),
        ciphers: Vec::new(),
        macs: Vec::new(),
        keepalive: Duration::ZERO,
        max_attempts: 5,
    });
    let server = server.expect("good options");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    listener.set_nonblocking(true).expect("it is a socket");
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("it is a socket");
        while let Ok((tcp, peer)) = listener.accept().await {
            let Ok(mut login) = server.login(tcp, peer, Arc::new(|_| true)).await else { continue };
            let Some(mut channel) = login.next_channel().await else { continue };
            if !matches!(channel.kind, ChannelKind::Shell) {
                // As DTail does it: the whole connection ends.
                continue;
            }
            let mut asked = [0; 4096];
            let length = channel.stream.read(&mut asked).await.unwrap_or(0);
            assert!(asked[..length].starts_with(b"protocol 4.1 base64 "));
            let mut answer = Vec::new();
            legacy::write_line(&mut answer, "old", "a.log", 7, b"as of old\n", false);
            if closes {
                legacy::close_connection(&mut answer);
            }
            channel.stream.write_all(&answer).await.expect("the client listens");
            // Until the client has left.
            while matches!(channel.stream.read(&mut asked).await, Ok(1..)) {}
        }
    });
    address
}

/// One connection to `server` that carries nothing any more once the sender is used.
fn freezer(runtime: &Runtime, server: SocketAddr) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let (freeze, frozen) = oneshot::channel();
    runtime.spawn(async move {
        let (mut client, _) = listener.accept().await.expect("the client comes");
        let mut server = tokio::net::TcpStream::connect(server).await.expect("it listens");
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
            _ = frozen => std::future::pending().await,
        }
    });
    (address, freeze)
}

/// Asks for whole files.
fn ask(address: SocketAddr, keepalive: Duration) -> Run {
    let options = ClientOptions {
        connect_timeout: TIMEOUT,
        handshake_timeout: TIMEOUT,
        keepalive,
        identities: Arc::new(Identities::none()),
        known_hosts: Arc::new(KnownHosts::empty()),
        software: super::SOFTWARE.to_owned(),
        password: Some("anything".to_owned()),
    };
    let unknown_hosts = UnknownHosts::Accept;
    let native = Native { user: "me".to_owned(), port: 1, options, unknown_hosts };
    let remote = Remote {
        servers: vec![address.to_string().parse().expect("an address")],
        transport: Transport::Native(Box::new(native)),
        connecting: 1,
        strict: false,
        reconnect: false,
        interactive: false,
        register_key: None,
        max_query_memory: 0,
    };
    let cancel = Arc::new(AtomicBool::new(false));
    let request = request(Mode::Cat, None);
    start_remote(request, remote, ReportPolicy::FinalOnly, cancel).expect("it starts")
}

#[track_caller]
fn check(software: &str, expected: &Expect) {
    let runtime = Runtime::new().expect("a runtime");
    let run = ask(old_server(&runtime, software, true), Duration::ZERO);
    let mut said = String::new();
    for event in run.events() {
        if let Event::Lines(lines) = event {
            let host = lines.host.as_deref().unwrap_or("-");
            said.push_str(&format!("{host}: {}", String::from_utf8_lossy(&lines.block.bytes)));
        }
    }
    let outcome = run.finish().expect("no panic");
    for failed in outcome.failed_hosts {
        said.push_str(&format!("failed: {}\n", failed.text));
    }
    expected.assert_eq(&said);
}

/// Unlike ours it says nothing as long as there is nothing to say.
#[test]
fn an_old_server_that_has_vanished_is_lost() {
    let runtime = Runtime::new().expect("a runtime");
    let (address, freeze) = freezer(&runtime, old_server(&runtime, "Go", false));
    let run = ask(address, Duration::from_millis(100));
    let next = || run.events().recv_timeout(TIMEOUT);
    while !matches!(next().expect("lines come"), Event::Lines(_)) {}
    freeze.send(()).expect("it has not ended");
    while next().is_ok() {}
    let outcome = run.finish().expect("no panic");
    let texts: Vec<&str> = outcome.failed_hosts.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["lost: no sign of life for a minute"]);
}

#[test]
fn old_dtail_is_known_by_its_banner() {
    check(
        "Go",
        &expect![[r#"
        old: as of old
    "#]],
    );
}

#[test]
fn whoever_does_not_know_the_subsystem_is_asked_as_of_old() {
    check(
        "Something_1.0",
        &expect![[r#"
        old: as of old
    "#]],
    );
}

#[test]
fn others_are_not_typed_commands_to() {
    check(
        "OpenSSH_9.9",
        &expect![[r#"
        failed: the connection was closed before the server introduced itself; it is its sshd that answers: add `Subsystem dtail …/dserver --stdio` to its sshd_config, or use the port of its dserver
    "#]],
    );
    check(
        "DTail_9.9",
        &expect![[r#"
        failed: the connection was closed before the server introduced itself
    "#]],
    );
}
