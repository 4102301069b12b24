//! The family's clients and a server, over SSH.

use std::time::Duration;

use dtail_testkit::{Program, Running, Scratch, Server, Signal, sibling, wait_until};
use expect_test::expect;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn dcat_gives_every_byte() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    // DTail breaks the line at byte 0xAC, and swallows lines that begin with a dot.
    let mut bytes = b"one\n.two\ntwo \xe2\x82\xac\n\xac\xac\r\n\n\xff\xfe\0\nAUTHKEY OK\n".to_vec();
    bytes.extend(vec![b'x'; 3_000_000]);
    bytes.push(b'\n');
    let path = server.scratch().write("a.log", &bytes);
    let cat = || server.client("dcat", &scratch).arg("--plain").arg(&path);
    cat().run().exits(0).prints(&bytes);
    // Whatever the client registers, it can come again.
    cat().run().exits(0).prints(&bytes);
    server.stop();
}

#[test]
fn dgrep_finds_lines_and_says_where() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let path = server.scratch().write("a.log", "one\ntwo\nthree\n");
    let grep = |regex: &str| server.client("dgrep", &scratch).args(["--regex", regex]).arg(&path);
    let found = grep("^t").run();
    found.exits(0);
    expect![[r#"
        REMOTE|testhost|100|2|a.log|two
        REMOTE|testhost|100|3|a.log|three
    "#]]
    .assert_eq(&found.stdout_text());
    grep("four").run().exits(1).prints("");
    let bad = grep("(").run();
    bad.exits(2).prints("");
    server.stop();
}

#[test]
fn dmap_merges_what_several_hosts_aggregate() {
    let addresses = "--bindAddress=127.0.0.1,127.0.0.2,127.0.0.3";
    let server = Server::start_with("{}", &[addresses]);
    assert_eq!(server.addresses().len(), 3);
    let scratch = Scratch::new();
    let path = server.scratch().write("a.log", "a=1|b=2\na=3|b=2\n");
    let query = "select count(a),sum(a),avg(a) group by b logformat generickv";
    let map = server.client("dmap", &scratch).args(["--query", query]).arg(&path).run();
    map.exits(0);
    expect![[r#"
        select count(a),sum(a),avg(a) group by b logformat generickv
         count(a) |    sum(a) |   avg(a) 
        ----------|-----------|----------
                6 | 12.000000 | 2.000000 

    "#]]
    .assert_eq(&map.stdout_text());
    server.stop();
}

#[test]
fn dtail_follows_until_it_is_told_to_stop() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let path = server.scratch().write("a.log", "old\n");
    let tail = server.client("dtail", &scratch).arg("--plain").arg(&path).spawn();
    server.wait_for_log("request 1");
    let mut number = 0;
    tail.wait_for_stdout("a new line arrives", LIMIT, |said| {
        number += 1;
        server.scratch().append("a.log", format!("new {number}\n"));
        !said.is_empty()
    });
    tail.signal(Signal::TERM);
    tail.wait(LIMIT).exits(0);
    server.wait_for_log("connection ended");
    server.stop();
}

/// A client that holds the only permit to read, because nobody takes its output.
#[track_caller]
fn hold_the_only_permit(server: &Server, scratch: &Scratch) -> Running {
    let line = "x".repeat(99) + "\n";
    let path = server.scratch().write("big.log", line.repeat(1_000_000));
    let holder = server.client("dcat", scratch).arg("--plain").arg(&path).spawn_stalled();
    wait_until("the pipe is full", LIMIT, || holder.unread_stdout() > 30_000);
    holder
}

#[test]
fn a_server_that_stops_is_no_success() {
    let server = Server::start(r#"{"Server": {"MaxConcurrentCats": 1}}"#);
    let scratch = Scratch::new();
    let holder = hold_the_only_permit(&server, &scratch);
    let path = server.scratch().write("small.log", "one\n");
    let waiting = server.client("dcat", &scratch).arg("--plain").arg(&path).spawn();
    server.wait_for_log("small.log");
    server.stop();
    let finished = waiting.wait(LIMIT);
    finished.prints("").must(finished.code() != Some(0), "expected no success");
    let said = finished.stderr_text();
    finished.must(said.contains("shutting down"), "expected to be told why");
    drop(holder);
}

#[test]
fn a_server_that_is_killed_does_not_take_the_others_with_it() {
    let killed = Server::start(r#"{"Server": {"MaxConcurrentCats": 1}}"#);
    let other = Server::start("{}");
    other.authorize("ann", &killed.public_key());
    let scratch = Scratch::new();
    let holder = hold_the_only_permit(&killed, &scratch);
    // Both read the same file, to which only one comes.
    let path = killed.scratch().write("small.log", "one\n");
    let servers = format!("{},{}", killed.address(), other.address());
    let both = killed.client("dcat", &scratch).args(["--servers", &servers, "--plain"]).arg(&path);
    scratch.write(".ssh/known_hosts", killed.known_hosts() + &other.known_hosts());
    let both = both.spawn();
    killed.wait_for_log("small.log");
    other.wait_for_log("request 1 ended");
    killed.running().signal(Signal::KILL);
    let finished = both.wait(LIMIT);
    finished.prints("one\n").exits(3);
    let said = finished.stderr_text();
    let address = killed.address().to_string();
    finished.must(said.contains(&address), "expected the lost host to be named");
    drop(holder);
    other.stop();
}

#[test]
fn a_missing_file_is_an_error_and_the_host_is_not_at_fault() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let finished = server.client("dcat", &scratch).arg("/no/such/file").run();
    finished.exits(2).prints("");
    let said = finished.stderr_text();
    assert!(said.contains("missing or not permitted"), "{said}");
    server.stop();
}

#[test]
fn dtailhealth_is_content() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let address = server.address().to_string();
    Program::new(sibling("dtailhealth"), &scratch)
        .args(["--server", &address])
        .run()
        .exits(0)
        .prints(format!("OK: All fine at {address} :-)\n"));
    server.stop();
}
