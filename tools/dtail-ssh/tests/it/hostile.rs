//! Peers that are not what they should be.

use std::time::Duration;

use dtail_ssh::{ConnectErrorKind, LoginErrorKind, connect};
use expect_test::{Expect, expect};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::house::{
    PATIENCE, client_options, directory, endpoint, identities, judge, listen, server_options,
    trust, within,
};

/// What a peer does after it has sent its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Closes,
    /// And is to be thrown out for what it sent.
    Stays,
    /// And is to be thrown out for doing nothing.
    Dawdles,
}

use Then::{Closes, Dawdles, Stays};

impl Then {
    fn handshake_timeout(self) -> Duration {
        if self == Dawdles { Duration::from_millis(300) } else { PATIENCE }
    }
}

/// What the server says of a client that sends `bytes`.
async fn attack(bytes: &[u8], then: Then) -> String {
    let house = directory();
    let mut server = server_options(house.path());
    server.handshake_timeout = then.handshake_timeout();
    let (address, mut logins) = listen(server, judge(|_| true)).await;
    let mut tcp = TcpStream::connect(address).await.unwrap();
    // The server may have closed before everything was sent.
    tcp.write_all(bytes).await.unwrap_or_default();
    if then == Closes {
        tcp.shutdown().await.unwrap_or_default();
    }
    let error = within(logins.recv()).await.unwrap().unwrap_err();
    // Nothing of the connection is left: it is closed, with or without what was still unread.
    let mut rest = Vec::new();
    within(tcp.read_to_end(&mut rest)).await.unwrap_or_default();
    format!("{:?}: {error}", error.kind)
}

#[track_caller]
fn check(told: &[String], expected: &Expect) {
    expected.assert_eq(&(told.join("\n") + "\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_ends_what_is_no_ssh_client() {
    let banner = b"SSH-2.0-Evil_1.0\r\n".as_slice();
    let told = [
        attack(b"", Closes).await,
        attack(b"", Dawdles).await,
        attack(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Stays).await,
        attack(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", Stays).await,
        attack(&[b'x'; 100_000], Stays).await,
        attack(b"SSH-1.5-old\r\n", Stays).await,
        attack(b"SSH-2.0-Slow", Dawdles).await,
        attack(banner, Dawdles).await,
        attack(banner, Closes).await,
        attack(&[banner, &[0xff; 4096]].concat(), Stays).await,
        attack(&[banner, &[0, 0, 0, 12, 10, 20], &[0; 10]].concat(), Stays).await,
    ];
    check(
        &told,
        &expect![[r#"
            Closed: the client left before it had logged in
            Timeout: no login within 300ms
            Protocol: the client does not speak SSH: it sent "GET / HTTP/1.1"
            Protocol: the client does not speak SSH: it sent "�"
            Protocol: the client does not speak SSH: it sent "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            Protocol: the client does not speak SSH: it sent "SSH-1.5-old"
            Timeout: no login within 300ms
            Timeout: no login within 300ms
            Closed: the client left before it had logged in
            Protocol: the handshake failed: Bad packet size: 4294967295
            Protocol: the handshake failed: Inconsistent state of the protocol
        "#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_not_awaited_any_more_ends_the_connection() {
    let house = directory();
    let server = dtail_ssh::Server::new(server_options(house.path())).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, peer) = listener.accept().await.unwrap();
    let login = tokio::spawn(async move { server.login(accepted, peer, judge(|_| true)).await });
    tcp.write_all(b"SSH-2.0-Client\r\n").await.unwrap();
    let mut banner = [0; 20];
    within(tcp.read_exact(&mut banner)).await.unwrap();
    login.abort();
    let mut rest = Vec::new();
    within(tcp.read_to_end(&mut rest)).await.unwrap_or_default();
}

/// What our client says of a server that sends `bytes`.
async fn visit(bytes: &[u8], then: Then) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bytes = bytes.to_vec();
    let server = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(&bytes).await.unwrap_or_default();
        if then == Closes {
            tcp.shutdown().await.unwrap_or_default();
        }
        let mut rest = Vec::new();
        tcp.read_to_end(&mut rest).await.unwrap_or_default();
    });
    let mut options = client_options(identities(None));
    options.handshake_timeout = then.handshake_timeout();
    let error = within(connect(&endpoint(address), &options, trust(true))).await.unwrap_err();
    within(server).await.unwrap();
    assert_eq!(error.kind, ConnectErrorKind::Handshake);
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_quotes_what_a_server_says_instead_of_a_banner() {
    let banner = b"SSH-2.0-Evil_1.0\r\n".as_slice();
    let told = [
        visit(b"dserver: too many connections, try later\r\n", Closes).await,
        visit(b"hello\ndserver: too many connections", Closes).await,
        visit(b"\x1b[31mred\x07\n", Closes).await,
        visit(b"HTTP/1.1 400 Bad Request\r\n\r\n", Dawdles).await,
        visit(b"", Closes).await,
        visit(b"", Dawdles).await,
        visit(&[b'x'; 100_000], Stays).await,
        visit(banner, Closes).await,
        visit(banner, Dawdles).await,
        visit(&[banner, &[0xff; 4096]].concat(), Stays).await,
        visit(&[b"welcome\n".as_slice(), banner].concat(), Closes).await,
    ];
    check(
        &told,
        &expect![[r#"
            the server closed the connection before the SSH handshake (it said: dserver: too many connections, try later)
            the server closed the connection before the SSH handshake (it said: dserver: too many connections)
            the server closed the connection before the SSH handshake (it said: [31mred)
            no SSH server answered within 300ms (it said: HTTP/1.1 400 Bad Request): check the port
            the server closed the connection before the SSH handshake
            no SSH server answered within 300ms: check the port
            the peer does not speak SSH 2 (it said: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx): check the port
            the server closed the connection during the SSH handshake
            the server did not complete the login within 300ms
            the SSH handshake failed: Bad packet size: 4294967295
            the server closed the connection during the SSH handshake (it said: welcome)
        "#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_judge_lets_nobody_in() {
    let house = directory();
    let judge = judge(|_| panic!("this panic is part of the test"));
    let (address, mut logins) = listen(server_options(house.path()), judge).await;
    let options = client_options(identities(None));
    let error = within(connect(&endpoint(address), &options, trust(true))).await.unwrap_err();
    assert_eq!(error.kind, ConnectErrorKind::LoginRefused);
    let refused = within(logins.recv()).await.unwrap().unwrap_err();
    assert_eq!(refused.kind, LoginErrorKind::Closed);
}
