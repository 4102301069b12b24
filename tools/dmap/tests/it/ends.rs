//! However dmap ends, it returns from `main`.

use std::fs::File;
use std::time::Duration;

use dtail_testkit::{Scratch, Signal, Stdin, wait_until};

use crate::{STATS, dmap};

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_closed_pipe_is_a_quiet_success() {
    let scratch = Scratch::new();
    // A table larger than a pipe, so that it cannot have been taken before the pipe is closed.
    let lines: String = (0..50_000).map(|number| format!("key={number}\n")).collect();
    scratch.write("keys.log", lines);
    let query = "select key,count(key) group by key limit 50000 logformat generickv";
    let mut running = dmap(&scratch, &[query, "keys.log"]).spawn_stalled();
    wait_until("the pipe is full", LIMIT, || running.unread_stdout() >= 64 * 1024);
    running.close_stdout();
    running.wait(LIMIT).exits(0).says("");
}

#[test]
fn sigterm_returns_from_main_and_what_was_aggregated_is_printed() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let scratch = Scratch::new();
        scratch.write("a.log", STATS);
        let query = "from STATS select count($line) interval 1";
        let running = dmap(&scratch, &[query, "a.log", "-"]).stdin(Stdin::Silent).spawn();
        let said = |it: &[u8]| String::from_utf8_lossy(it).contains("            4 \n");
        running.wait_for_stdout("an interim result is there", LIMIT, said);
        running.signal(signal);
        running.wait(Duration::from_secs(2)).exits(code).says("");
    }
}

#[test]
fn sigterm_returns_from_main_when_nobody_takes_the_output() {
    let scratch = Scratch::new();
    let lines: String = (0..50_000).map(|number| format!("key={number}\n")).collect();
    scratch.write("keys.log", lines);
    let query = "select key,count(key) group by key limit 50000 logformat generickv";
    let running = dmap(&scratch, &[query, "keys.log"]).spawn_stalled();
    wait_until("the pipe is full", LIMIT, || running.unread_stdout() >= 64 * 1024);
    running.signal(Signal::TERM);
    running.wait(Duration::from_secs(2)).exits(143).says("");
}

#[test]
fn the_timeout_is_a_normal_end() {
    let scratch = Scratch::new();
    scratch.write("a.log", STATS);
    let arguments = ["-timeout", "1", "from STATS select count($line)", "a.log", "-"];
    let finished = dmap(&scratch, &arguments).stdin(Stdin::Silent).run();
    finished.exits(0).says("").must(finished.stdout_text().contains("    4 \n"), "the result");
}

#[test]
fn a_full_disk_is_an_error() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        eprintln!("SKIPPED: no /dev/full");
        return;
    };
    let scratch = Scratch::new();
    scratch.write("a.log", STATS);
    let program = dmap(&scratch, &["from STATS select count($line)", "a.log"]);
    program
        .spawn_into(full)
        .wait(LIMIT)
        .exits(2)
        .says("dmap: cannot write to standard output: No space left on device (os error 28)\n");
}
