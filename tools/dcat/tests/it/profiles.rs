//! The profiling flags, which all clients share: profiles are written however a run ends, and
//! never disturb it.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use dtail_testkit::{Scratch, Signal, Stdin, wait_until};

use crate::dcat;

/// Giving names to addresses takes its time in a debug build.
const LIMIT: Duration = Duration::from_secs(60);

/// What kinds of profiles are in a folder, in the order of their names.
fn kinds(scratch: &Scratch, folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(scratch.path().join(folder)) else { return Vec::new() };
    let mut kinds: Vec<String> = entries
        .map(|entry| {
            let entry = entry.expect("a readable folder");
            let bytes = fs::read(entry.path()).expect("a readable file");
            assert!(bytes.starts_with(&[0x1f, 0x8b]), "{entry:?} is no gzip");
            let name = entry.file_name().into_string().expect("a plain name");
            let (kind, time) = name.split_once("_20").expect("a date");
            assert!(time.ends_with(".prof"), "{name}");
            kind.to_owned()
        })
        .collect();
    kinds.sort();
    kinds
}

const ALL: [&str; 3] = ["dcat_alloc", "dcat_cpu", "dcat_mem"];

#[test]
fn profiles_are_written_and_the_output_is_the_same() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    let finished = dcat(&scratch, &["--plain", "-profile", "a.log"]).run();
    finished.exits(0).prints("a\n");
    assert_eq!(kinds(&scratch, "profiles"), ALL);
    let said = finished.stderr_text();
    for part in [
        "Profile metrics [startup]: alloc=",
        "Started CPU profiling\n",
        "Stopped CPU profiling: ",
        "Profile metrics [shutdown]: alloc=",
        "Wrote CPU profile to profiles/dcat_cpu_20",
        "Wrote memory profile to profiles/dcat_mem_20",
        "Wrote allocation profile to profiles/dcat_alloc_20",
    ] {
        finished.must(said.contains(part), part);
    }
    assert_eq!(said.lines().count(), 7, "{said}");
}

#[test]
fn nothing_is_written_unless_asked_for() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    let flags = ["--plain", "--profiledir", "d", "--pprof=", "--profile=false", "a.log"];
    dcat(&scratch, &flags).run().exits(0).prints("a\n").says("");
    dcat(&scratch, &["--plain", "--cpuprofile", "--profiledir", "d", "a.log"]).run().exits(0);
    dcat(&scratch, &["--plain", "--memprofile", "--profiledir", "d", "a.log"]).run().exits(0);
    assert_eq!(kinds(&scratch, "d"), ALL);
}

#[test]
fn errors_and_signals_write_them_too() {
    let scratch = Scratch::new();
    dcat(&scratch, &["--profile", "missing.log"]).run().exits(2);
    assert_eq!(kinds(&scratch, "profiles"), ALL);
    dcat(&scratch, &["--profile", "--profiledir", "usage", "--files=", "--port=1"]).run();
    assert_eq!(kinds(&scratch, "usage"), ALL);

    scratch.write("first.log", "first\n");
    let flags = ["--plain", "--profile", "--profiledir", "stopped", "first.log", "-"];
    let running = dcat(&scratch, &flags).stdin(Stdin::Silent).spawn();
    running.wait_for_stdout("the first file is printed", LIMIT, |it| it == b"first\n");
    running.signal(Signal::TERM);
    running.wait(LIMIT).exits(143).prints("first\n");
    assert_eq!(kinds(&scratch, "stopped"), ALL);
}

#[test]
fn what_cannot_be_recorded_or_served_is_a_warning() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    scratch.write("file", "");
    let finished = dcat(&scratch, &["--plain", "--cpuprofile", "--profiledir=file", "a.log"]).run();
    finished.exits(0).prints("a\n");
    finished.must(finished.stderr_text().contains("\nwarning: cannot make file: "), "a warning");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (address, expected) in [
        (address.as_str(), "in use"),
        ("nonsense", "warning: no profiles at nonsense: "),
        ("0.0.0.0:0", "use --pprof-token-file"),
    ] {
        let finished = dcat(&scratch, &["--plain", "--pprof", address, "a.log"]).run();
        finished.exits(0).prints("a\n");
        let said = finished.stderr_text();
        finished.must(said.contains(expected), "the reason");
    }
}

#[test]
fn sigusr1_takes_a_snapshot_and_metrics_are_logged_again_and_again() {
    let scratch = Scratch::new();
    scratch.write("first.log", "first\n");
    let flags = ["--plain", "--profile", "--profile-interval=20ms", "first.log", "-"];
    let running = dcat(&scratch, &flags).stdin(Stdin::Silent).spawn();
    running.wait_for_stderr("metrics are logged", LIMIT, |said| {
        String::from_utf8_lossy(said).matches("Profile metrics [interval]: ").count() > 2
    });
    running.signal(Signal::USR1);
    let snapshots = ["dcat_snapshot_sigusr1", "dcat_snapshot_sigusr1-cpu"];
    wait_until("the snapshot is written", LIMIT, || {
        let said = String::from_utf8_lossy(&running.stderr()).into_owned();
        said.contains("Wrote CPU profile to profiles/dcat_snapshot_sigusr1-cpu_20")
    });
    assert_eq!(kinds(&scratch, "profiles"), snapshots);
    running.signal(Signal::INT);
    running.wait(LIMIT).exits(130);
    assert_eq!(kinds(&scratch, "profiles"), [&ALL[..], &snapshots].concat());
}

#[test]
fn profiles_are_served_while_it_runs() {
    let scratch = Scratch::new();
    let running = dcat(&scratch, &["--pprof=:0", "-"]).stdin(Stdin::Silent).spawn();
    let mut address = String::new();
    running.wait_for_stderr("it serves", LIMIT, |said| {
        let said = String::from_utf8_lossy(said).into_owned();
        let rest = said.split_once("Starting PProf at http://").map(|(_, rest)| rest);
        address = rest.and_then(|it| it.split_once("/debug/pprof/\n")).unwrap_or_default().0.into();
        !address.is_empty()
    });
    for path in ["heap", "goroutine", "cmdline"] {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET /debug/pprof/{path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{path}");
    }
    running.signal(Signal::TERM);
    running.wait(LIMIT).exits(143).prints("");
    assert_eq!(kinds(&scratch, "profiles"), [""; 0]);
}
