//! The clients against real servers: many hosts, failing hosts, lost hosts, bytes of every kind.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use dtail_testkit::{Program, Scratch, Server, Signal, sibling};
use expect_test::expect;

use crate::LIMIT;

/// A client of several servers, of which the first says who may log in: the others have to let the
/// same key in.
fn client(program: &str, servers: &[&Server], scratch: &Scratch, arguments: &[&str]) -> Program {
    let known: String = servers.iter().map(|server| server.known_hosts()).collect();
    scratch.write(".ssh/known_hosts", known);
    let names: Vec<String> = servers.iter().map(|server| server.address().to_string()).collect();
    let key = servers[0].key();
    Program::new(sibling(program), scratch)
        .args(["--servers", &names.join(","), "--user", servers[0].user(), "--auth-key-path"])
        .arg(key)
        .args(arguments)
}

/// Two servers that let the same user in.
fn two_servers() -> (Server, Server) {
    let (first, second) = (Server::start("{}"), Server::start("{}"));
    second.authorize(first.user(), &first.public_key());
    (first, second)
}

fn path(server: &Server, name: &str) -> String {
    server.scratch().path().join(name).display().to_string()
}

#[test]
fn every_byte_arrives() {
    let server = Server::start("{}");
    let mut bytes: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    bytes.extend_from_slice("price 3 € ¬\n.hidden\nx|AUTHKEY OK\n\r\n\n".as_bytes());
    server.scratch().write("a b,c.bin", &bytes);
    let file = path(&server, "a b?c.bin");
    let finished = server.client("dcat", &Scratch::new()).args(["--plain", &file]).run();
    finished.exits(0).must(finished.stdout == bytes, "the same bytes");
}

#[test]
fn lines_of_several_hosts_stay_whole() {
    let (first, second) = two_servers();
    let line = "x".repeat(100_000);
    for (server, letter) in [(&first, "a"), (&second, "b")] {
        server.scratch().write("long.log", format!("{letter}{line}\n").repeat(40));
    }
    let (one, two) = (path(&first, "long.log"), path(&second, "long.log"));
    let files = format!("{one},{two}");
    let finished =
        client("dcat", &[&first, &second], &Scratch::new(), &["--plain", "--files", &files]).run();
    let printed = finished.stdout_text();
    let count = |letter| printed.lines().filter(|it| *it == format!("{letter}{line}")).count();
    // Each of them can read both files.
    finished.must((count("a"), count("b")) == (80, 80), "80 whole lines of both kinds");
    finished.exits(0);
}

#[test]
fn a_host_that_is_spelled_differently_is_asked_once() {
    let server = Server::start("{}");
    let file = server.scratch().write("a.log", "one\n").display().to_string();
    let (address, user) = (server.address(), server.user());
    let (ip, port) = (address.ip(), address.port().to_string());
    let names = format!("{address},{user}@{address},{ip}");
    let arguments = ["--servers", &names, "--port", &port, "--plain", &file];
    server.client("dcat", &Scratch::new()).args(arguments).run().exits(0).prints("one\n");
}

#[test]
fn groups_of_several_hosts_are_merged() {
    let (first, second) = two_servers();
    let file = first.scratch().write("a.log", "1\n2\n3\n");
    let query = "select count($line),$hostname group by $hostname";
    let arguments = ["--query", query, &file.display().to_string()];
    let finished = client("dmap", &[&first, &second], &Scratch::new(), &arguments).run();
    finished.exits(0).prints(
        "select count($line),$hostname group by $hostname\n count($line) | $hostname \n\
         --------------|-----------\n            6 |  testhost \n\n",
    );
}

#[test]
fn merged_groups_have_a_limit() {
    let server = Server::start("{}");
    let file = server.scratch().write("a.log", "1\n2\n3\n").display().to_string();
    let scratch = Scratch::new();
    scratch.write("small.json", r#"{"Server": {"MaxQueryMemory": 1}}"#);
    let query = "select count($line) group by $line";
    let client = server.client("dmap", &scratch).args(["--cfg", "small.json", "--query", query]);
    let finished = client.arg(&file).run();
    finished.exits(2).prints("");
    finished.must(finished.stderr_text().contains("Server.MaxQueryMemory"), "the key to raise");
}

#[test]
fn a_host_that_fails_keeps_nobody_from_answering() {
    let server = Server::start("{}");
    let file = server.scratch().write("a.log", "one\ntwo\n").display().to_string();
    let scratch = Scratch::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let both = format!("{},{closed}", server.address());
    let finished = server
        .client("dgrep", &scratch)
        .args(["--servers", &both, "--plain", "--regex", "two", &file])
        .run();
    finished.exits(3).prints("two\n");
    let said = finished.stderr_text().replace(&closed.port().to_string(), "PORT");
    expect![[r#"
        dgrep: 1 of 2 hosts failed
        dgrep: 127.0.0.1:PORT: nothing listens on 127.0.0.1:PORT: check the port and that the server runs
    "#]]
    .assert_eq(&said);

    let alone = ["--servers", &closed.to_string(), "--regex", "two", &file];
    server.client("dgrep", &scratch).args(alone).run().exits(2);
    let nothing = ["--regex", "three", &file];
    server.client("dgrep", &scratch).args(nothing).run().exits(1).prints("").says("");
}

#[test]
fn a_server_killed_in_the_middle_is_named_and_the_others_go_on() {
    let (first, second) = two_servers();
    let file = first.scratch().write("a.log", "");
    let scratch = Scratch::new();
    // dgrep that reads a pipe nobody reads from: both servers have more to say than fits.
    first.scratch().write("big.log", "line of some length\n".repeat(1 << 20));
    let big = path(&first, "big.log");
    let mut running =
        client("dcat", &[&first, &second], &scratch, &[&big, &file.display().to_string()])
            .spawn_stalled();
    dtail_testkit::wait_until("output has come", LIMIT, || running.unread_stdout() > 0);
    second.running().signal(Signal::KILL);
    running.close_stdout();
    running.wait(LIMIT).exits(0);

    // And with a reader.
    drop(second);
    let second = Server::start("{}");
    second.authorize(first.user(), &first.public_key());
    let running = client("dtail", &[&first, &second], &scratch, &[&big]).spawn();
    second.wait_for_log("request 1: tail");
    first.wait_for_log("request 1: tail");
    second.running().signal(Signal::KILL);
    running.wait_for_stderr("the loss is told", LIMIT, |said| {
        String::from_utf8_lossy(said).contains("trying again in")
    });
    first.scratch().append("big.log", "still there\n");
    running.wait_for_stdout("the other goes on", LIMIT, |printed| {
        String::from_utf8_lossy(printed).contains("still there")
    });
    running.signal(Signal::TERM);
    let finished = running.wait(LIMIT);
    finished.exits(3).must(finished.stderr_text().contains("1 of 2 hosts failed"), "a summary");
}

#[test]
fn a_host_that_comes_back_is_followed_again() {
    let server = Server::start("{}");
    let file = server.scratch().write("a.log", "");
    let wire = Wire::to(server.address());
    let known = server.known_hosts();
    let (_, key) = known.split_once(' ').unwrap();
    let scratch = Scratch::new();
    scratch.write(".ssh/known_hosts", format!("[127.0.0.1]:{} {key}", wire.address.port()));
    let running = Program::new(sibling("dtail"), &scratch)
        .args(["--servers", &wire.address.to_string(), "--user", server.user(), "--plain"])
        .arg("--auth-key-path")
        .arg(server.key())
        .arg(&file)
        .spawn();
    // The end of the file has been found when something behind it is printed.
    let follows = |line: &str| {
        running.wait_for_stdout(&format!("{line:?} is printed"), LIMIT, |printed| {
            server.scratch().append("a.log", line);
            String::from_utf8_lossy(printed).contains(line)
        });
    };
    follows("before\n");
    wire.cut();
    dtail_testkit::wait_until("it is back", LIMIT, || {
        server.log().matches("request 1: tail").count() == 2
    });
    follows("after\n");
    running.signal(Signal::INT);
    let finished = running.wait(LIMIT);
    finished.exits(0).must(finished.stderr_text().contains("trying again in"), "a warning");
}

#[test]
fn a_host_that_was_stopped_in_order_is_connected_to_again() {
    let server = Server::start("{}");
    let file = server.scratch().write("a.log", "").display().to_string();
    let query = "select count($line) group by $hostname interval 1";
    let both: [&[&str]; 2] = [&[&file], &["--query", query, &file]];
    let scratch = Scratch::new();
    let followers = both.map(|arguments| server.client("dtail", &scratch).args(arguments).spawn());
    // A server that is stopped while a request begins may have no time to say why it goes.
    for follower in &followers {
        follower.wait_for_stdout("it follows", LIMIT, |printed| {
            server.scratch().append("a.log", "line\n");
            !printed.is_empty()
        });
    }
    server.stop();
    for follower in followers {
        follower.wait_for_stderr("the host is not given up", LIMIT, |said| {
            String::from_utf8_lossy(said)
                .contains("the server is shutting down, this is not all, trying again in")
        });
    }
}

#[test]
fn who_is_not_known_or_has_changed_is_not_trusted() {
    let server = Server::start("{}");
    let file = server.scratch().write("a.log", "one\n").display().to_string();
    let scratch = Scratch::new();
    let run = |arguments: &[&str]| {
        let known = scratch.path().join(".ssh/known_hosts");
        let before = std::fs::read(&known).unwrap();
        let program = server.client("dcat", &scratch).args(["--plain", &file]).args(arguments);
        std::fs::write(&known, before).unwrap();
        program.run()
    };
    scratch.write(".ssh/known_hosts", "");
    let unknown = run(&[]);
    unknown.exits(2).must(unknown.stderr_text().contains("--trustAllHosts"), "what mends it");
    run(&["--trustAllHosts"]).exits(0).prints("one\n");
    // Now it is known.
    run(&[]).exits(0).prints("one\n");

    let other = Server::start("{}");
    let known = other
        .known_hosts()
        .replace(&format!(":{}", other.address().port()), &format!(":{}", server.address().port()));
    scratch.write(".ssh/known_hosts", known);
    let changed = run(&["--trustAllHosts"]);
    changed.exits(2).prints("");
    changed.must(changed.stderr_text().contains("ssh-keygen"), "what mends it");
}

#[test]
fn hosts_are_found_by_a_command_and_chosen_by_an_expression() {
    let server = Server::start("{}");
    let file = server.scratch().write("a.log", "one\n").display().to_string();
    let script = format!("command:printf %s\\\\n nowhere.invalid {}", server.address());
    server
        .client("dcat", &Scratch::new())
        .args(["--servers", "/^127/", "--discovery", &script, "--plain", &file])
        .run()
        .exits(0)
        .prints("one\n");
}

#[test]
fn a_stalled_reader_costs_a_bounded_amount() {
    let server = Server::start("{}");
    server.scratch().write("big.log", "line of some length\n".repeat(5 << 20));
    let big = path(&server, "big.log");
    let scratch = Scratch::new();
    let stalled = server.client("dcat", &scratch).arg(&big).spawn_stalled();
    dtail_testkit::wait_until("the pipe is full", LIMIT, || stalled.unread_stdout() >= 32768);
    // Time enough for the rest, were it not held back.
    server.client("dcat", &Scratch::new()).arg(&big).run().exits(0);
    let status = std::fs::read_to_string(format!("/proc/{}/status", stalled.id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 64 << 10, "{kilobytes} kB are resident with 100 MB to come");
    stalled.signal(Signal::TERM);
    stalled.wait(LIMIT).exits(143);
}

/// Carries connections through to a server until it is cut.
struct Wire {
    address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    fn to(server: SocketAddr) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address works");
        let address = listener.local_addr().expect("the loopback address works");
        let open = Arc::new(Mutex::new(Vec::new()));
        let streams = Arc::clone(&open);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (
                    client.expect("the loopback address works"),
                    TcpStream::connect(server).expect("the loopback address works"),
                );
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (
                        from.try_clone().expect("the loopback address works"),
                        to.try_clone().expect("the loopback address works"),
                    );
                    thread::spawn(move || carry(from, to));
                }
                streams.lock().expect("nobody panics with it").extend([client, server]);
            }
        });
        Wire { address, open }
    }

    fn cut(&self) {
        for stream in self.open.lock().expect("nobody panics with it").drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer)? {
            0 => return to.shutdown(Shutdown::Write),
            length => to.write_all(&buffer[..length])?,
        }
    }
}
