//! What a server has to survive. Each time somebody else is served afterwards.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dtail_testkit::{Scratch, Server, Stdin, wait_until};

use crate::old_client::{converse, shown, ssh};

const LIMIT: Duration = Duration::from_secs(30);
/// What both sides of protocol 5 begin with.
const PREAMBLE: &[u8] = b"DTAIL5\r\n";

/// Somebody else is served as if nothing had happened.
#[track_caller]
fn still_serves(server: &Server) {
    let path = server.scratch().write("well.log", "well\n");
    let command = format!("cat:plain=true {} regex:noop ", path.display());
    if let Some(said) = converse(server, "ann", &[&command]) {
        assert!(said.contains("¬well\n¬"), "{said}\n{}", server.log());
    }
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).expect("the server listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit above zero");
    stream
}

/// Everything that comes until the server closes the connection.
fn read_to_end(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    // To be cut off is an end, too.
    drop(stream.read_to_end(&mut said));
    String::from_utf8_lossy(&said).into_owned()
}

/// Bytes of protocol 5 and how the log tells the end of it.
#[track_caller]
fn check_stream(bytes: Vec<u8>, told: &str) {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let Some(ssh) = ssh(&server, &scratch, "ann") else { return };
    ssh.args(["127.0.0.1", "-s", "dtail"]).stdin(Stdin::Bytes(bytes)).run();
    server.wait_for_log(told);
    still_serves(&server);
    server.stop();
}

#[test]
fn frames_that_are_none() {
    check_stream([PREAMBLE, &[5, 0, 0, 0]].concat(), "broken off within a frame");
    check_stream([PREAMBLE, &[0xff; 64]].concat(), "refused: ");
    check_stream([PREAMBLE, &[0xff, 0xff, 0xff, 0x7f, 1]].concat(), "refused: ");
    check_stream(b"GET / HTTP/1.1\r\n\r\n".to_vec(), "does not speak DTail's protocol 5");
}

#[test]
fn a_command_without_an_end() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let Some(ssh) = ssh(&server, &scratch, "ann") else { return };
    let endless = vec![b'A'; 3 << 20];
    let finished = ssh.arg("127.0.0.1").stdin(Stdin::Bytes(endless)).run();
    assert!(shown(&finished.stdout).contains("ERROR"), "{}", shown(&finished.stdout));
    server.wait_for_log("not protocol 4.1");
    still_serves(&server);
    server.stop();
}

#[test]
fn what_is_not_ssh() {
    let server = Server::start("{}");
    for garbage in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0; 4096], &[b'A'; 100_000]] {
        let mut stream = connect(&server);
        // The server may have had enough before it has read all.
        drop(stream.write_all(garbage));
        read_to_end(stream);
    }
    server.wait_for_log("no log-in: ");
    still_serves(&server);
    server.stop();
}

#[test]
fn a_client_that_never_says_who_it_is() {
    let server = Server::start(r#"{"Server": {"HandshakeTimeoutMs": 300}}"#);
    let silent = connect(&server);
    let mut slow = connect(&server);
    slow.write_all(b"SSH-2.0-slo").unwrap();
    let banner = read_to_end(slow);
    assert!(banner.is_empty() || banner.starts_with("SSH-2.0-DTail_"), "{banner:?}");
    read_to_end(silent);
    server.wait_for_log("no log-in: ");
    // A handshake of a whole client fits into that time only if nothing else is in the way.
    server.configure("{}");
    server.running().signal(dtail_testkit::Signal::HUP);
    server.wait_for_log("configuration reloaded");
    still_serves(&server);
    server.stop();
}

#[test]
fn more_connections_than_it_holds() {
    let server = Server::start(r#"{"Server": {"MaxUnauthenticated": 8}}"#);
    let silent: Vec<TcpStream> = (0..200).map(|_| connect(&server)).collect();
    server.wait_for_log("Server.MaxUnauthenticated");
    wait_until("all but a few are cut off", LIMIT, || {
        let evicted = server.log().matches("Server.MaxUnauthenticated").count();
        evicted >= 192
    });
    still_serves(&server);
    drop(silent);
    server.stop();
}

#[test]
fn a_thousand_connections_that_end_at_once() {
    let server = Server::start("{}");
    for _ in 0..1000 {
        drop(connect(&server));
    }
    still_serves(&server);
    server.stop();
}

#[test]
fn channels_and_requests_it_does_not_know() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    for arguments in [&["127.0.0.1", "-s", "sftp"][..], &["127.0.0.1", "id"], &["-tt", "127.0.0.1"]]
    {
        let Some(ssh) = ssh(&server, &scratch, "ann") else { return };
        let finished = ssh.args(arguments).run();
        assert!(finished.code() != Some(0), "{}", finished.report());
        assert!(finished.stdout.is_empty(), "{}", finished.report());
    }
    still_serves(&server);
    server.stop();
}

#[test]
fn ways_out_of_what_is_permitted() {
    let server = Server::start("{}");
    let dir = server.scratch().path().to_owned();
    server.scratch().write("secret.log", "secret\n");
    server.scratch().write("allowed/a.log", "fine\n");
    std::os::unix::fs::symlink("../secret.log", dir.join("allowed/link.log")).unwrap();
    std::os::unix::fs::symlink("..", dir.join("allowed/up")).unwrap();
    let rule = format!("^{}/allowed/", dir.display());
    let config = format!(r#"{{"Server": {{"Permissions": {{"Default": ["{rule}"]}}}}}}"#);
    server.configure(&config);
    server.running().signal(dtail_testkit::Signal::HUP);
    server.wait_for_log("configuration reloaded");
    let ask = |path: &str| {
        let command = format!("cat:plain=true {}/{path} regex:noop ", dir.display());
        converse(&server, "ann", &[&command])
    };
    let Some(said) = ask("allowed/a.log") else { return };
    assert!(said.contains("fine"), "{said}");
    for path in [
        "allowed/link.log",
        "allowed/../secret.log",
        "allowed/up/secret.log",
        "allowed/*/secret.log",
    ] {
        let said = ask(path).unwrap();
        assert!(said.contains("missing or not permitted"), "{path}: {said}");
        assert!(!said.contains("secret\n"), "{path}: {said}");
    }
    let said = converse(&server, "ann", &["cat: - regex:noop "]).unwrap();
    assert!(said.contains("ERROR"), "{said}");
    server.stop();
}

#[test]
fn what_is_no_file_is_not_read() {
    let server = Server::start("{}");
    for path in ["/dev/zero", "/", "/proc/self/mem"] {
        let command = format!("cat:plain=true {path} regex:noop ");
        let Some(said) = converse(&server, "ann", &[&command]) else { return };
        assert!(said.contains("ERROR"), "{path}: {said}");
    }
    still_serves(&server);
    server.stop();
}
