//! Limits that have a name, and what whoever reaches one is told.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use dtail_testkit::{Program, Scratch, Server, Signal, Stdin, sibling, wait_until};

use crate::old_client::{frame, ssh, ssh_with_key};

const LIMIT: Duration = Duration::from_secs(60);
/// A server that has not read for so long waits for somebody.
const QUIET: Duration = Duration::from_millis(700);

/// What the server says to somebody who only connects.
fn greeting(server: &Server) -> String {
    let mut stream = TcpStream::connect(server.address()).expect("the server listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit above zero");
    let mut said = [0; 200];
    let count = stream.read(&mut said).expect("it says something");
    String::from_utf8_lossy(&said[..count]).into_owned()
}

#[test]
fn one_connection_too_many_is_told_so() {
    let server = Server::start(r#"{"Server": {"MaxConnections": 1}}"#);
    let scratch = Scratch::new();
    let path = server.scratch().write("a.log", "");
    let Some(ssh) = ssh(&server, &scratch, "ann") else { return };
    let command = frame(&format!("tail: {} regex:noop ", path.display()));
    let client = ssh.arg("127.0.0.1").stdin(Stdin::Held(command.into_bytes())).spawn();
    server.wait_for_log("request 1");
    assert_eq!(greeting(&server), "dserver: too many connections, try again later\r\n");
    server.wait_for_log("Server.MaxConnections");
    client.signal(Signal::TERM);
    server.wait_for_log("connection ended");
    wait_until("there is room again", LIMIT, || greeting(&server).starts_with("SSH-2.0-DTail_"));
    server.stop();
}

#[test]
fn health_checks_take_nobodys_place_and_do_not_stay() {
    let server = Server::start(r#"{"Server": {"MaxConnections": 1}}"#);
    let scratch = Scratch::new();
    let path = server.scratch().write("a.log", "line\n");
    let Some(ssh) = ssh(&server, &scratch, "DTAIL-HEALTH") else { return };
    let squatter = ssh.args(["-N", "127.0.0.1"]).stdin(Stdin::Silent).spawn();
    server.wait_for_log("logged in");
    server.client("dcat", &scratch).arg("--plain").arg(&path).run().exits(0).prints("line\n");
    server.wait_for_log("a health check takes no longer");
    squatter.wait(LIMIT).exits(255);
    server.stop();
}

#[test]
fn who_fails_to_log_in_too_often_has_to_wait() {
    let server = Server::start(r#"{"Server": {"MaxFailedLogins": 2}}"#);
    let scratch = Scratch::new();
    Program::new(sibling("dserver"), &scratch).args(["--generate-key", "other"]).run().exits(0);
    let other = scratch.path().join("other");
    for _ in 0..2 {
        assert!(greeting(&server).starts_with("SSH-2.0-"));
        let Some(ssh) = ssh_with_key(&server, &scratch, "ann", &other) else { return };
        ssh.args(["127.0.0.1", "-s", "dtail"]).run().exits(255);
    }
    let text = "dserver: too many failed log-ins from your address, wait a minute\r\n";
    // The server counts a failure when it has noticed that the client is gone.
    wait_until("the address is barred", LIMIT, || greeting(&server) == text);
    server.wait_for_log("Server.MaxFailedLogins");
    server.stop();
}

#[test]
fn one_connection_carries_only_so_many_sessions() {
    let server = Server::start(r#"{"Server": {"MaxSessionsPerConnection": 1}}"#);
    let scratch = Scratch::new();
    let with = |arguments: &[&str]| Some(ssh(&server, &scratch, "ann")?.args(arguments));
    let Some(connection) = with(&["-M", "-S", "control", "-N", "127.0.0.1"]) else { return };
    let connection = connection.stdin(Stdin::Silent).spawn();
    server.wait_for_log("logged in");
    wait_until("the connection can be shared", LIMIT, || scratch.path().join("control").exists());
    let session = ["-S", "control", "127.0.0.1", "-s", "dtail"];
    let first = with(&session).unwrap().stdin(Stdin::Silent).spawn();
    first.wait_for_stdout("the first session begins", LIMIT, |said| said == b"DTAIL5\r\n");
    let second = with(&session).unwrap().stdin(Stdin::Silent).run();
    second.prints("");
    server.wait_for_log("Server.MaxSessionsPerConnection");
    assert_eq!(first.stdout(), b"DTAIL5\r\n");
    connection.signal(Signal::TERM);
    server.stop();
}

#[test]
fn a_query_with_a_group_per_line_is_given_up_and_others_go_on() {
    let server = Server::start(r#"{"Server": {"MaxQueryMemory": 2000000}}"#);
    let lines: String = (0..300_000).map(|number| format!("line {number}\n")).collect();
    let path = server.scratch().write("a.log", lines);
    let scratch = Scratch::new();
    let query = "select count($line),$line group by $line";
    let greedy = server.client("dmap", &scratch).args(["--query", query]).arg(&path).run();
    let said = greedy.stderr_text();
    assert!(said.contains("Server.MaxQueryMemory"), "{}", greedy.report());
    assert!(greedy.code() != Some(0), "{}", greedy.report());
    let query = "select count($line) group by $hostname";
    let modest = server.client("dmap", &scratch).args(["--query", query]).arg(&path).run();
    modest.exits(0);
    assert!(modest.stdout_text().contains("300000"), "{}", modest.report());
    server.stop();
}

#[test]
fn a_client_that_stops_reading_costs_little_memory() {
    let server = Server::start("{}");
    let line = "x".repeat(99) + "\n";
    let path = server.scratch().write("big.log", line.repeat(2_000_000));
    let scratch = Scratch::new();
    let client = server.client("dcat", &scratch).arg("--plain").arg(&path).spawn_stalled();
    wait_until("the client has a lot to read", LIMIT, || client.unread_stdout() > 30_000);
    let server_id = server.running().id();
    let (mut read, mut since) = (0, Instant::now());
    wait_until("the server reads nothing more", LIMIT, || {
        let now = bytes_read(server_id);
        if now != read {
            (read, since) = (now, Instant::now());
        }
        since.elapsed() > QUIET
    });
    let resident = resident_kib(server_id);
    assert!(resident < 64 * 1024, "{resident} KiB");
    assert!(read < 100 << 20, "{read} bytes read for a client that does not listen");
    drop(client);
    server.stop();
}

/// By the process, from whatever it has read.
fn bytes_read(pid: u32) -> u64 {
    let counters = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = counters.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let words = line.and_then(|line| line.split_whitespace().next());
    words.and_then(|number| number.parse().ok()).unwrap_or_default()
}
