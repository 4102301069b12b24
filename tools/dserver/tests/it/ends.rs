//! How a server ends, and what it does when told to read its configuration again.

use std::time::Duration;

use dtail_testkit::{Program, Scratch, Server, Signal, sibling};

use crate::old_client::converse;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn both_signals_end_it_well() {
    Server::start("{}").stop();
    let server = Server::start("{}");
    server.running().signal(Signal::INT);
    server.wait_for_log("stopped");
    server.stopped().exits(0).prints("");
}

#[test]
fn it_stops_by_itself_after_its_time() {
    let server = Server::start_with("{}", &["--shutdownAfter", "1"]);
    server.stopped().exits(0);
}

#[test]
fn a_reload_changes_who_may_read_what() {
    let server = Server::start("{}");
    let path = server.scratch().write("a.log", "one\n");
    let command = format!("cat:plain=true {} regex:noop ", path.display());
    let Some(said) = converse(&server, "ann", &[&command]) else { return };
    assert!(said.contains("¬one\n¬"), "{said}");

    server.configure(r#"{"Server": {"Permissions": {"Default": ["^/nothing/"]}}}"#);
    server.running().signal(Signal::HUP);
    server.wait_for_log("configuration reloaded");
    let said = converse(&server, "ann", &[&command]).unwrap();
    assert!(said.contains("cannot be read: missing or not permitted"), "{said}");

    server.configure("{");
    server.running().signal(Signal::HUP);
    server.wait_for_log("configuration not reloaded, the one before stays");
    let said = converse(&server, "ann", &[&command]).unwrap();
    assert!(said.contains("cannot be read: missing or not permitted"), "{said}");
    server.stop();
}

#[test]
fn a_reload_takes_up_a_new_log_file() {
    let server = Server::start(r#"{"Common": {"LogRotation": "none"}}"#);
    server.wait_for_log("listening on");
    let log = server.scratch().path().join("server/log/dserver.log");
    std::fs::rename(&log, log.with_extension("old")).unwrap();
    server.running().signal(Signal::HUP);
    server.wait_for_log("configuration reloaded");
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("configuration reloaded"), "{text}");
    server.stop();
}

#[test]
fn a_port_that_is_taken_is_one_line() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let port = server.address().port().to_string();
    let second = Program::new(sibling("dserver"), &scratch)
        .test_mode()
        .args(["--port", &port])
        .limit(LIMIT)
        .run();
    second.exits(2);
    let said = second.stderr_text();
    assert!(said.starts_with(&format!("error: cannot listen on 127.0.0.1:{port}: ")), "{said}");
    server.stop();
}

#[test]
fn its_statistics_can_be_queried() {
    let server = Server::start("{}");
    server.wait_for_log("MAPREDUCE:STATS");
    let scratch = Scratch::new();
    let log = scratch.write("server.log", server.log());
    let query = "from STATS select max(currentConnections),count($line),last($date) \
                 group by $hostname";
    let table = Program::new(sibling("dmap"), &scratch).args(["--query", query]).arg(log).run();
    table.exits(0);
    let text = table.stdout_text();
    assert!(text.lines().count() >= 3, "{text}");
    let row = text.lines().nth(3).unwrap_or_default();
    assert!(row.contains("0.000000") && row.contains(" 20"), "{text}");
    server.stop();
}
