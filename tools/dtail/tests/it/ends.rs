//! However dtail ends, it returns from `main`; being stopped is its success.

use std::time::Duration;

use dtail_testkit::{Scratch, Signal, Stdin, wait_until};

use crate::{LIMIT, dtail, following, prints};

#[test]
fn a_closed_pipe_is_a_quiet_success_also_when_nothing_is_written() {
    let scratch = Scratch::new();
    scratch.write("quiet.log", "");
    let mut running = dtail(&scratch, &["quiet.log"]).spawn_stalled();
    running.close_stdout();
    running.wait(LIMIT).exits(0).says("");
}

#[test]
fn sigterm_and_others_return_from_main_with_success() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let scratch = Scratch::new();
        scratch.write("a.log", "old\n");
        let running = following(&scratch, &["-plain", "a.log"]);
        scratch.append("a.log", "new\n");
        prints(&running, "new\n");
        running.signal(signal);
        running.wait(Duration::from_secs(2)).exits(0).prints("new\n");
    }
}

#[test]
fn sigterm_returns_from_main_when_nobody_takes_the_output() {
    let scratch = Scratch::new();
    let running = dtail(&scratch, &["later.log"]).spawn_stalled();
    running.wait_for_stderr("it waits for the file", LIMIT, |it| it.ends_with(b"\n"));
    // A file that appears later is printed from its start.
    scratch.write("later.log", vec![b'\n'; 4 * 1024 * 1024]);
    wait_until("the pipe is full", LIMIT, || running.unread_stdout() >= 64 * 1024);
    running.signal(Signal::TERM);
    running.wait(Duration::from_secs(2)).exits(0);
}

#[test]
fn both_deadlines_are_a_normal_end() {
    for flags in
        [&["-shutdownAfter", "1"][..], &["-timeout", "1"], &["-timeout=60", "-shutdown-after=1"]]
    {
        let scratch = Scratch::new();
        scratch.write("a.log", "old\n");
        let finished = dtail(&scratch, flags).args(["a.log"]).run();
        finished.exits(0).prints("").says("");
        finished.must(finished.took >= Duration::from_secs(1), "not before");
    }
}

#[test]
fn the_end_of_standard_input_is_the_end() {
    let scratch = Scratch::new();
    let finished = dtail(&scratch, &[]).stdin(Stdin::Bytes(b"a\nb".to_vec())).run();
    finished.exits(0).says("").prints("REMOTE|testhost|100|1|-|a\nREMOTE|testhost|100|2|-|b\n");
    dtail(&scratch, &["-plain"]).run().exits(0).prints("").says("");
}
