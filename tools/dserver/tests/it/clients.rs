//! The family's clients and a server, over SSH.

use std::time::Duration;

use dtail_testkit::{Program, Scratch, Server, Signal, sibling};
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

#[test]
fn a_server_that_stops_is_no_success() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let path = server.scratch().write("a.log", "x".repeat(99).as_str().to_owned() + "\n");
    let line = std::fs::read(&path).unwrap();
    let path = server.scratch().write("big.log", line.repeat(1_000_000));
    let cat = server.client("dcat", &scratch).arg("--plain").arg(&path).spawn_stalled();
    server.wait_for_log("request 1");
    server.stop();
    let mut cat = cat;
    cat.close_stdout();
    let finished = cat.wait(LIMIT);
    // Either it has noticed that nobody reads, or that the server is gone; it does not hang.
    assert!(finished.code().is_some(), "{}", finished.report());
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
