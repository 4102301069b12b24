//! Queries that the server runs by itself.

use std::time::Duration;

use dtail_testkit::{Scratch, Server, Signal, wait_until};

/// The first look at the schedule comes after two seconds.
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_scheduled_job_writes_its_outfile_with_todays_date() {
    let scratch = Scratch::new();
    let stats = "INFO|1002-071143|1|stats.go:56|8|13|7|0.21|471h0m21s|MAPREDUCE:STATS|n=";
    let log = scratch.write("a.log", format!("{stats}1\n{stats}2\n"));
    open_to_all(scratch.path());
    let config = format!(
        r#"{{"Server": {{"Schedule": [{{"Name": "sums", "Enable": true, "Files": "{}",
            "Query": "from STATS select sum(n),count($line) group by $hostname",
            "Outfile": "sums.$today.csv"}}]}}}}"#,
        log.display()
    );
    let server = Server::start(&config);
    server.wait_for_log("job ended");
    let folder = server.scratch().path().join("server");
    let mut csv = String::new();
    wait_until("the outfile is there", LIMIT, || {
        let entries = std::fs::read_dir(&folder).unwrap().flatten();
        let mut names = entries.filter(|it| it.file_name().to_string_lossy().ends_with(".csv"));
        match names.next() {
            Some(entry) => {
                csv = std::fs::read_to_string(entry.path()).unwrap();
                let name = entry.file_name().into_string().unwrap();
                name.starts_with("sums.20") && name.len() == "sums.20260101.csv".len()
            }
            None => false,
        }
    });
    assert_eq!(csv, "sum(n),count($line)\n3.000000,2\n");
    server.stop();
}

#[test]
fn a_job_may_not_read_more_than_its_user() {
    let scratch = Scratch::new();
    let log = scratch.write("a.log", "x\n");
    open_to_all(scratch.path());
    let config = format!(
        r#"{{"Server": {{"Permissions": {{"Users": {{"DTAIL-CONTINUOUS": ["^/nothing/"]}}}},
            "Continuous": [{{"Name": "tail", "Enable": true, "Files": "{}",
            "Query": "select count($line)", "Outfile": "out.csv"}}]}}}}"#,
        log.display()
    );
    let server = Server::start(&config);
    server.wait_for_log("missing or not permitted");
    server.stop();
}

#[test]
fn a_job_asks_other_servers_which_let_it_in() {
    let other = Server::start(
        r#"{"Server": {"Schedule": [{"Name": "far", "Enable": true, "Files": "/nothing",
            "TimeRange": [0, 0], "Query": "select count(*)", "Outfile": "/nothing/out",
            "AllowFrom": ["127.0.0.1"]}]}}"#,
    );
    let log = other.scratch().write("a.log", "a=1\na=2\n");
    let config = format!(
        r#"{{"Server": {{"Schedule": [{{"Name": "far", "Enable": true, "Files": "{}",
            "Query": "select sum(a) group by $hostname logformat generickv",
            "Outfile": "far.csv", "Servers": ["{}"]}}]}}}}"#,
        log.display(),
        other.address()
    );
    let server = Server::start(&config);
    server.wait_for_log("job ended");
    assert_eq!(server.scratch().read("server/far.csv"), b"sum(a)\n3.000000\n", "{}", server.log());
    other.wait_for_log("DTAIL-SCHEDULE@127.0.0.1");
    server.stop();
    other.stop();
}

#[test]
fn a_continuous_job_keeps_its_outfile_up_to_date() {
    let scratch = Scratch::new();
    let log = scratch.write("a.log", "");
    open_to_all(scratch.path());
    let config = format!(
        r#"{{"Server": {{"Continuous": [{{"Name": "now", "Enable": true, "Files": "{}",
            "Query": "select count(a) group by $hostname interval 1 logformat generickv",
            "Outfile": "now.csv"}}]}}}}"#,
        log.display()
    );
    let server = Server::start(&config);
    server.wait_for_log("job started");
    let csv = server.scratch().path().join("server/now.csv");
    wait_until("the outfile counts lines", LIMIT, || {
        scratch.append("a.log", "a=1\n");
        let text = std::fs::read_to_string(&csv).unwrap_or_default();
        text.starts_with("count(a)\n") && text.len() > "count(a)\n".len()
    });
    server.stop();
}

/// Nothing is half written when the process is gone.
#[test]
fn a_server_that_stops_waits_for_its_jobs() {
    let scratch = Scratch::new();
    let log = scratch.write("a.log", "a=1\n");
    open_to_all(scratch.path());
    let config = format!(
        r#"{{"Server": {{"Continuous": [{{"Name": "now", "Enable": true, "Files": "{}",
            "Query": "select count(a) group by $hostname interval 3600 logformat generickv",
            "Outfile": "now.csv"}}]}}}}"#,
        log.display()
    );
    let server = Server::start(&config);
    server.wait_for_log("job started");
    server.running().signal(Signal::TERM);
    server.wait_for_log("dserver|stopped");
    let log = server.log();
    let place = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text:?}\n{log}"));
    assert!(place("job ended") < place("dserver|stopped"), "{log}");
    server.stopped().exits(0);
}

fn open_to_all(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let readable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder, readable).expect("a folder of ours");
}
