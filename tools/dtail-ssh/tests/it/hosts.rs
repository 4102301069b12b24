//! Whether a host is the one it was.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dtail_ssh::{
    ConnectErrorKind, HostKey, KnownHosts, LoginErrorKind, ServerOptions, Trust, connect,
};
use expect_test::expect;
use tokio::sync::Notify;

use crate::house::{
    client_options, directory, endpoint, identities, judge, listen, server_options, trust, within,
};

/// The known hosts of the file in `house`, and whoever trusts and remembers.
fn remembering(house: &Path) -> (Arc<KnownHosts>, Trust) {
    let known = Arc::new(KnownHosts::load(&house.join("known_hosts")).unwrap());
    let kept = Arc::clone(&known);
    let trust: Trust = Arc::new(move |host| {
        let kept = Arc::clone(&kept);
        Box::pin(async move {
            kept.remember(&[(host.endpoint, host.ip, host.key)]).unwrap();
            true
        })
    });
    (known, trust)
}

async fn visit(address: SocketAddr, known: Arc<KnownHosts>, trust: Trust) -> String {
    let mut options = client_options(identities(None));
    options.known_hosts = known;
    match within(connect(&endpoint(address), &options, trust)).await {
        Ok(connection) => {
            within(connection.close()).await;
            "connected".to_owned()
        }
        Err(error) => format!("{:?}: {error}", error.kind),
    }
}

/// A server that follows another at the same address would need its port: the record is moved
/// instead.
fn move_record(house: &Path, from: SocketAddr, to: SocketAddr) {
    let path = house.join("known_hosts");
    let content = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, content.replace(&from.port().to_string(), &to.port().to_string()))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_host_is_asked_about_once_and_a_changed_one_is_an_error() {
    let (house, other) = (directory(), directory());
    let (first, _logins) = listen(server_options(house.path()), judge(|_| true)).await;
    let (second, _other_logins) = listen(server_options(other.path()), judge(|_| true)).await;
    let (known, trusting) = remembering(house.path());
    let refused = visit(first, Arc::clone(&known), trust(false)).await;
    assert!(refused.starts_with("HostRejected: the host is unknown and its key ED25519 SHA256:"));
    assert_eq!(visit(first, Arc::clone(&known), trusting).await, "connected");
    assert_eq!(visit(first, Arc::clone(&known), trust(false)).await, "connected");
    let (known, _) = remembering(house.path());
    assert_eq!(visit(first, known, trust(false)).await, "connected");

    move_record(house.path(), first, second);
    let (known, trusting) = remembering(house.path());
    let changed = visit(second, known, trusting).await;
    let (host_key, _) = HostKey::load_or_generate(&other.path().join("host_key")).unwrap();
    let changed = changed
        .replace(&host_key.public_key().describe(), "KEY")
        .replace(&house.path().display().to_string(), "HOUSE")
        .replace(&second.port().to_string(), "PORT");
    expect!["HostKeyChanged: the host's key has changed, somebody may be listening in: it shows KEY, HOUSE/known_hosts line 1 has another; if the change is known to be right, run: ssh-keygen -f HOUSE/known_hosts -R '[127.0.0.1]:PORT'"].assert_eq(&changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_several_keys_is_asked_for_the_one_on_record() {
    let house = directory();
    std::fs::write(house.path().join("old"), include_str!("../../src/host_key/rsa.pem")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(house.path().join("old"), mode).unwrap();
    let (rsa, _) = HostKey::load_or_generate(&house.path().join("old")).unwrap();
    let both = server_options(house.path());
    let both = ServerOptions { host_keys: [both.host_keys, vec![rsa.clone()]].concat(), ..both };
    let only_rsa = ServerOptions { host_keys: vec![rsa], ..both.clone() };
    let (old, _old_logins) = listen(only_rsa, judge(|_| true)).await;
    let (new, _new_logins) = listen(both, judge(|_| true)).await;
    let (known, trusting) = remembering(house.path());
    assert_eq!(visit(old, known, trusting).await, "connected");
    move_record(house.path(), old, new);
    let (known, _) = remembering(house.path());
    assert_eq!(visit(new, known, trust(false)).await, "connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_asked_may_take_longer_than_the_server_waits() {
    let house = directory();
    let mut server = server_options(house.path());
    server.handshake_timeout = Duration::from_secs(2);
    let (address, mut logins) = listen(server, judge(|_| true)).await;
    let gave_up = Arc::new(Notify::new());
    let questions = Arc::new(AtomicUsize::new(0));
    let (awaited, counted) = (Arc::clone(&gave_up), Arc::clone(&questions));
    let slow: Trust = Arc::new(move |_| {
        let awaited = Arc::clone(&awaited);
        counted.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            awaited.notified().await;
            true
        })
    });
    let mut options = client_options(identities(None));
    options.handshake_timeout = Duration::from_millis(1500);
    let endpoint = endpoint(address);
    let connecting = tokio::spawn(async move { connect(&endpoint, &options, slow).await });
    let error = within(logins.recv()).await.unwrap().unwrap_err();
    assert_eq!(error.kind, LoginErrorKind::Timeout);
    gave_up.notify_one();
    within(connecting).await.unwrap().unwrap();
    assert_eq!(questions.load(Ordering::Relaxed), 1);
    within(logins.recv()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_there_is_unreachable() {
    let mut told = String::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    // No name that somebody would ask a name server about.
    for (host, port) in [("127.0.0.1", free.port()), ("a\0b", 22)] {
        let mut endpoint = endpoint(free);
        endpoint.host = host.to_owned();
        endpoint.port = port;
        let options = client_options(identities(None));
        let error = within(connect(&endpoint, &options, trust(true))).await.unwrap_err();
        assert_eq!(error.kind, ConnectErrorKind::Unreachable);
        let text = error.to_string();
        // What the resolver says differs between systems.
        let text = text.split('(').next().unwrap().replace(&free.port().to_string(), "PORT");
        told.push_str(&format!("{text}\n"));
    }
    expect![[r#"
        nothing listens on 127.0.0.1:PORT: check the port and that the server runs
        the name "a\0b" has no address 
    "#]]
    .assert_eq(&told);
}
