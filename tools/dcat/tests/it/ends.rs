//! However dcat ends, it returns from `main`: the exit code is its own and not a signal's.

use std::fs::File;
use std::time::Duration;

use dtail_testkit::{Running, Scratch, Signal, Stdin, wait_until};

use crate::dcat;

const LIMIT: Duration = Duration::from_secs(20);

/// More than a pipe holds.
const MUCH: usize = 4 * 1024 * 1024;

#[track_caller]
fn stalled(scratch: &Scratch, arguments: &[&str]) -> Running {
    scratch.write("much.log", vec![b'\n'; MUCH]);
    let running = dcat(scratch, arguments).spawn_stalled();
    wait_until("the pipe is full", LIMIT, || running.unread_stdout() >= 64 * 1024);
    running
}

#[test]
fn a_closed_pipe_is_a_quiet_success() {
    for arguments in [&["--plain", "much.log"][..], &["much.log"]] {
        let scratch = Scratch::new();
        let mut running = stalled(&scratch, arguments);
        running.close_stdout();
        running.wait(LIMIT).exits(0).says("");
    }
}

#[test]
fn sigterm_returns_from_main_when_input_is_awaited() {
    for (signal, code) in
        [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)]
    {
        let scratch = Scratch::new();
        scratch.write("first.log", "first\n");
        let program = dcat(&scratch, &["--plain", "first.log", "-"]).stdin(Stdin::Silent);
        let running = program.spawn();
        running.wait_for_stdout("the first file is printed", LIMIT, |it| it == b"first\n");
        running.signal(signal);
        running.wait(Duration::from_secs(2)).exits(code).prints("first\n").says("");
    }
}

#[test]
fn sigterm_returns_from_main_when_nobody_takes_the_output() {
    for arguments in [&["--plain", "much.log"][..], &["much.log"]] {
        let scratch = Scratch::new();
        let running = stalled(&scratch, arguments);
        running.signal(Signal::TERM);
        running.wait(Duration::from_secs(2)).exits(143).says("");
    }
}

#[test]
fn a_reader_who_leaves_while_input_is_awaited_is_noticed() {
    let scratch = Scratch::new();
    let mut running = dcat(&scratch, &[]).stdin(Stdin::Silent).spawn_stalled();
    running.close_stdout();
    running.wait(LIMIT).exits(0).says("");
}

#[test]
fn a_full_disk_is_an_error() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        eprintln!("SKIPPED: no /dev/full");
        return;
    };
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    let finished = dcat(&scratch, &["a.log"]).spawn_into(full).wait(LIMIT);
    finished
        .exits(2)
        .says("dcat: cannot write to standard output: No space left on device (os error 28)\n");
}
