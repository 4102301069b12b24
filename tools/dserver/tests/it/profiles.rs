//! dserver's profiling flags: what it shares with the clients works, and samples of the last
//! minutes are kept ready.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dtail_testkit::Server;

/// Giving names to addresses takes its time in a debug build.
const LIMIT: Duration = Duration::from_secs(60);

fn get(address: &str, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit can be set");
    write!(stream, "GET /debug/pprof/{path} HTTP/1.1\r\nHost: {address}\r\n\r\n")
        .expect("it takes a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    answer
}

#[test]
fn the_last_minutes_are_kept_and_everything_is_written_when_it_stops() {
    let flags = ["--pprof=127.0.0.1:0", "--profile-continuous=5", "--memprofile"];
    let server = Server::start_with("{}", &flags);
    let mut address = String::new();
    server.running().wait_for_stderr("it serves profiles", LIMIT, |said| {
        let said = String::from_utf8_lossy(said).into_owned();
        let rest = said.split_once("Starting PProf at http://").map(|(_, rest)| rest);
        address = rest.and_then(|it| it.split_once("/debug/pprof/\n")).unwrap_or_default().0.into();
        !address.is_empty()
    });
    // A profile of its own makes the ring step aside, and it goes on afterwards.
    for path in ["continuous?minutes=1", "profile?seconds=1", "continuous", "goroutine?debug=1"] {
        let answer = get(&address, path);
        let head = String::from_utf8_lossy(&answer[..answer.len().min(300)]).into_owned();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
    }
    let folder = server.scratch().path().join("server/profiles");
    server.running().signal(dtail_testkit::Signal::USR1);
    let has = |kind: &str| {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.any(|name| name.starts_with(kind))
    };
    dtail_testkit::wait_until("a snapshot is there", LIMIT, || has("dserver_snapshot_sigusr1_20"));
    server.running().signal(dtail_testkit::Signal::TERM);
    dtail_testkit::wait_until("it is written", LIMIT, || has("dserver_mem_20"));
}
