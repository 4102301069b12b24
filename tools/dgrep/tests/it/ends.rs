//! However dgrep ends, it returns from `main`, and its exit code says whether a line matched.

use std::time::Duration;

use dtail_testkit::{Running, Scratch, Signal, Stdin, wait_until};

use crate::dgrep;

const LIMIT: Duration = Duration::from_secs(20);

#[track_caller]
fn stalled(scratch: &Scratch, arguments: &[&str]) -> Running {
    // More than a pipe holds.
    scratch.write("much.log", b"a\nb\n".repeat(1024 * 1024));
    let running = dgrep(scratch, arguments).spawn_stalled();
    wait_until("the pipe is full", LIMIT, || running.unread_stdout() >= 64 * 1024);
    running
}

#[test]
fn a_closed_pipe_is_a_quiet_success() {
    for arguments in [&["-plain", "-regex", "a", "much.log"][..], &["-regex", "a|b", "much.log"]] {
        let scratch = Scratch::new();
        let mut running = stalled(&scratch, arguments);
        running.close_stdout();
        running.wait(LIMIT).exits(0).says("");
    }
}

#[test]
fn sigterm_returns_from_main_when_input_is_awaited() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let scratch = Scratch::new();
        scratch.write("first.log", "first\n");
        let program = dgrep(&scratch, &["-plain", "-regex", "i", "first.log", "-"]);
        let running = program.stdin(Stdin::Silent).spawn();
        running.wait_for_stdout("the first file is printed", LIMIT, |it| it == b"first\n");
        running.signal(signal);
        running.wait(Duration::from_secs(2)).exits(code).says("");
    }
}

#[test]
fn sigterm_returns_from_main_when_nobody_takes_the_output() {
    let scratch = Scratch::new();
    let running = stalled(&scratch, &["-regex", "a", "much.log"]);
    running.signal(Signal::TERM);
    running.wait(Duration::from_secs(2)).exits(143).says("");
}

#[test]
fn the_exit_code_says_whether_a_line_matched() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    scratch.write("b.log", "b\n");
    let exits = |arguments: &[&str], code| {
        dgrep(&scratch, &["-plain"]).args(arguments).run().exits(code);
    };
    exits(&["-regex", "a", "a.log", "b.log"], 0);
    exits(&["-regex", "c", "a.log", "b.log"], 1);
    exits(&["-regex", "a", "-invert", "a.log"], 1);
    exits(&["-regex", "a", "a.log", "missing.log"], 3);
    exits(&["-regex", "c", "a.log", "missing.log"], 3);
    exits(&["-regex", "a", "missing.log"], 2);
    exits(&["-regex", "a"], 1);
}
