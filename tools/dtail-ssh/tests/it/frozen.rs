//! Peers that vanish without a word, as when a cable is pulled.

use std::net::SocketAddr;
use std::time::Duration;

use dtail_ssh::connect;
use tokio::io::{AsyncReadExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::house::{
    client_options, directory, endpoint, identities, judge, listen, server_options, trust, within,
};

const KEEPALIVE: Duration = Duration::from_millis(100);

/// One connection to `server` that stays open, but carries nothing any more once the sender is used.
async fn freezer(server: SocketAddr) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (freeze, frozen) = oneshot::channel();
    drop(tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(server).await.unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => {}
            _ = frozen => std::future::pending().await,
        }
    }));
    (address, freeze)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_finds_a_client_that_has_vanished() {
    let house = directory();
    let mut server = server_options(house.path());
    server.keepalive = KEEPALIVE;
    let (address, mut logins) = listen(server, judge(|_| true)).await;
    let (address, freeze) = freezer(address).await;
    let options = client_options(identities(None));
    let connection = within(connect(&endpoint(address), &options, trust(true))).await.unwrap();
    let mut login = within(logins.recv()).await.unwrap().unwrap();
    freeze.send(()).unwrap();
    assert!(within(login.next_channel()).await.is_none());
    drop(connection);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_finds_a_server_that_has_vanished() {
    let house = directory();
    let (address, mut logins) = listen(server_options(house.path()), judge(|_| true)).await;
    let (address, freeze) = freezer(address).await;
    let mut options = client_options(identities(None));
    options.keepalive = KEEPALIVE;
    let connection = within(connect(&endpoint(address), &options, trust(true))).await.unwrap();
    let login = within(logins.recv()).await.unwrap().unwrap();
    let mut stream = within(connection.shell()).await.unwrap();
    assert!(!connection.has_fallen_silent());
    freeze.send(()).unwrap();
    assert_eq!(within(stream.read(&mut [0; 10])).await.unwrap_or(0), 0);
    assert!(connection.has_fallen_silent());
    drop(login);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_with_living_peers_stays() {
    let house = directory();
    let mut server = server_options(house.path());
    // Long enough for a busy machine to answer in time.
    let keepalive = 4 * KEEPALIVE;
    server.keepalive = keepalive;
    let (address, mut logins) = listen(server, judge(|_| true)).await;
    let mut options = client_options(identities(None));
    options.keepalive = keepalive;
    let connection = within(connect(&endpoint(address), &options, trust(true))).await.unwrap();
    let mut login = within(logins.recv()).await.unwrap().unwrap();
    // The fourth unanswered question would have ended it.
    tokio::time::timeout(6 * keepalive, login.next_channel()).await.unwrap_err();
    within(connection.shell()).await.unwrap();
    within(login.next_channel()).await.unwrap();
}
