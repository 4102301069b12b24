//! What dtail prints of files that grow, shrink, move and appear.

use std::fs;
use std::time::SystemTime;

use dtail_testkit::{Running, Scratch, Signal};
use expect_test::expect;

use crate::{LIMIT, dtail, following, prints};

#[track_caller]
fn stop(running: Running) {
    running.signal(Signal::TERM);
    running.wait(LIMIT).exits(0);
}

#[test]
fn only_what_is_added_is_printed_with_numbers_from_there() {
    let scratch = Scratch::new();
    scratch.write("a.log", "old\nolder\n");
    let running = following(&scratch, &["a.log"]);
    scratch.append("a.log", "first\n\n");
    let first = "REMOTE|testhost|100|1|a.log|first\nREMOTE|testhost|100|2|a.log|\n";
    prints(&running, first);
    scratch.append("a.log", "third\n");
    prints(&running, &format!("{first}REMOTE|testhost|100|3|a.log|third\n"));
    stop(running);
}

#[test]
fn a_line_is_held_until_its_newline_comes() {
    let scratch = Scratch::new();
    scratch.write("a.log", "");
    scratch.write("b.log", "");
    let running = following(&scratch, &["-plain", "a.log", "b.log"]);
    scratch.append("a.log", "half a ");
    // When this is printed, the half line has been seen, too.
    scratch.append("b.log", "other\n");
    prints(&running, "other\n");
    scratch.append("a.log", "line\n");
    prints(&running, "other\nhalf a line\n");
    stop(running);
}

#[test]
fn a_truncated_file_is_read_from_its_start() {
    let scratch = Scratch::new();
    scratch.write("a.log", "old and rather long\n");
    let running = following(&scratch, &["-plain", "a.log"]);
    scratch.append("a.log", "one\n");
    prints(&running, "one\n");
    scratch.write("a.log", "two\n");
    prints(&running, "one\ntwo\n");
    stop(running);
}

#[test]
fn nothing_is_lost_or_doubled_by_rotation() {
    let scratch = Scratch::new();
    scratch.write("a.log", "old\n");
    let running = following(&scratch, &["-plain", "a.log"]);
    let mut expected = String::new();
    for round in 0..3 {
        scratch.append("a.log", format!("before {round}\nlast of {round}"));
        fs::rename(scratch.path().join("a.log"), scratch.path().join("a.log.1")).unwrap();
        scratch.write("a.log", format!("first after {round}, which is longer than the old\n"));
        expected += &format!(
            "before {round}\nlast of {round}\nfirst after {round}, which is longer than the old\n"
        );
        prints(&running, &expected);
    }
    stop(running);
}

/// Makes `name` anew, with a time of birth of its own: the clock of the file system ticks slowly.
fn make_later(scratch: &Scratch, name: &str, earlier: SystemTime) -> SystemTime {
    loop {
        let path = scratch.write(name, "");
        let born =
            fs::metadata(&path).and_then(|metadata| metadata.created()).expect("a time of birth");
        if born > earlier {
            return born;
        }
        fs::remove_file(path).expect("it was just made");
    }
}

#[test]
fn nothing_is_lost_or_doubled_when_files_are_rotated_faster_than_anybody_looks() {
    let scratch = Scratch::new();
    let mut born = make_later(&scratch, "a.log", SystemTime::UNIX_EPOCH);
    let running = following(&scratch, &["-plain", "a.log"]);
    let mut expected = String::new();
    for generation in 0..60 {
        for line in 0..100 {
            let line = format!("generation {generation} line {line}\n");
            scratch.append("a.log", &line);
            expected += &line;
        }
        let rotated = scratch.path().join(format!("a.log.{generation:03}"));
        fs::rename(scratch.path().join("a.log"), rotated).unwrap();
        born = make_later(&scratch, "a.log", born);
    }
    prints(&running, &expected);
    stop(running);
}

/// What is printed of lines 1 to 9 at the start, and that what is added follows.
#[track_caller]
fn check_start(arguments: &[&str], expected: &str) {
    let scratch = Scratch::new();
    scratch.write("a.log", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    let running = following(&scratch, &[&["-plain"], arguments, &["a.log"]].concat());
    prints(&running, expected);
    scratch.append("a.log", "10\n");
    prints(&running, &format!("{expected}10\n"));
    stop(running);
}

#[test]
fn following_begins_where_it_is_told_to() {
    check_start(&["-n", "3"], "7\n8\n9\n");
    check_start(&["-n", "30"], "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    check_start(&["-n", "+1"], "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    check_start(&["-c", "4"], "8\n9\n");
    check_start(&["-n", "0"], "");
}

#[test]
fn files_that_appear_are_printed_from_their_start() {
    let scratch = Scratch::new();
    let running = following(&scratch, &["logs/*.log"]);
    scratch.write("logs/new.log", "one\n");
    prints(&running, "REMOTE|testhost|100|1|new.log|one\n");
    scratch.write("not-there.log", "two\n");
    let both = "REMOTE|testhost|100|1|new.log|one\nREMOTE|testhost|100|1|not-there.log|two\n";
    prints(&running, both);
    stop(running);
}

#[test]
fn lines_are_selected_with_context() {
    let scratch = Scratch::new();
    scratch.write("a.log", "");
    let arguments = ["-plain", "-regex", "ERROR$", "-before=1", "-after=1", "a.log"];
    let running = following(&scratch, &arguments);
    scratch.append("a.log", "1\n2\n3 ERROR\n4\n5\n");
    prints(&running, "2\n3 ERROR\n4\n");
    scratch.append("a.log", "6 ERROR\n");
    prints(&running, "2\n3 ERROR\n4\n5\n6 ERROR\n");
    stop(running);
}

#[test]
fn inverting_leaves_out_the_matches() {
    let scratch = Scratch::new();
    scratch.write("a.log", "");
    let running = following(&scratch, &["-plain", "-grep", "DEBUG", "-invert", "a.log"]);
    scratch.append("a.log", "DEBUG x\nINFO y\n");
    prints(&running, "INFO y\n");
    stop(running);
}

#[test]
fn the_test_mode_has_dtails_colours() {
    let scratch = Scratch::new();
    let running = dtail(&scratch, &["a.log"]).test_mode().spawn();
    // In this mode it says on standard output that it waits for the file.
    running.wait_for_stdout("it waits", LIMIT, |it| it.ends_with(b"\n"));
    scratch.write("a.log", "ERROR x\n");
    running.wait_for_stdout("the line is printed", LIMIT, |it| {
        it.iter().filter(|byte| **byte == b'\n').count() == 2
    });
    running.signal(Signal::TERM);
    let finished = running.wait(LIMIT);
    expect![[r#"
        ^[30m^[43m^[2mCLIENT^[0m^[49m^[39m^[30m^[43m^[2m|^[0m^[49m^[39m^[30m^[43m^[2mintegrationtest^[0m^[49m^[39m^[30m^[43m^[2m|^[0m^[49m^[39m^[37m^[40m^[1mWARN|cannot open a.log: No such file or directory, waiting for it^[0m^[49m^[39m
        ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mintegrationtest^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m1^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2ma.log^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[41m^[1mERROR x^[0m^[49m^[39m
    "#]].assert_eq(&finished.exits(0).stdout_text().replace('\x1b', "^"));
}
