//! What dgrep and dtail can do here they can do from afar: the same arguments give the same bytes,
//! by whatever way the server is reached.

use std::path::PathBuf;
use std::time::Duration;

use dtail_testkit::{Finished, Program, Scratch, Server, Signal, Sshd, sibling};

use crate::subsystem;

const LIMIT: Duration = Duration::from_secs(30);

/// A log with matches of all kinds, one without any, and one that is not there.
fn write_logs(scratch: &Scratch) -> [PathBuf; 3] {
    let mut lines: String = (1..=3000)
        .map(|number| format!("line {number} user{} took {}ms\n", number % 7, number * 37 % 1000))
        .collect();
    lines.push_str("User3 USER3 user3, user33\n\nuser3\n.user3\nthe end of user3");
    let logs = scratch.write("logs/a.log", lines);
    let quiet = scratch.write("logs/b.log", "nothing\nto see\n");
    [logs, quiet, scratch.path().join("logs/missing.log")]
}

/// Arguments in front of the files, and how many of the files.
const SEARCHES: [(&[&str], usize); 24] = [
    (&["-e", "user3", "-c"], 2),
    (&["-e", "user3", "-c", "-m", "5", "-H"], 1),
    (&["-e", "user3", "-l"], 2),
    (&["-e", "user3", "-L"], 2),
    (&["-e", "user[35]", "-o"], 1),
    (&["-e", "user[35]", "-o", "-n", "-H"], 2),
    (&["-e", "user3", "-n", "-A", "1"], 1),
    (&["-e", "user3 took 1", "-e", "user5 took 9", "-n", "-A", "2"], 2),
    (&["-e", "user3 took 1", "-B", "2", "--context-separator=--", "-n"], 1),
    (&["-e", "user3 took 1", "-C", "1", "-m", "3", "-H", "-n"], 2),
    (&["-i", "-e", "USER3"], 1),
    (&["-w", "-e", "user3"], 1),
    (&["-x", "-e", "user3"], 1),
    (&["-F", "-e", ".user", "-e", "1+1"], 1),
    (&["-v", "-e", "line"], 2),
    (&["-v", "-c", "-e", "line"], 2),
    (&["-i", "-w", "-F", "-n", "-e", "user3", "-e", "END"], 1),
    (&["-e", "no such thing"], 2),
    (&["-e", "no such thing", "-c"], 2),
    (&["-e", "user3", "-c"], 3),
    (&["-e", "user3", "-l"], 3),
    (&["-e", "user3 took 10", "--json"], 2),
    (&["-e", "user3 took 1", "--json", "-C", "1", "-m", "4"], 2),
    (&["-e", ""], 2),
];

/// Without what differs: the host in front of paths, and in JSON how many bytes that makes and how
/// long it took.
fn without_differences(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output).replace("\"testhost:", "\"");
    let line = |line: &str| line.strip_prefix("testhost:").unwrap_or(line).to_owned();
    let text: String = text.split_inclusive('\n').map(line).collect();
    let text = without(&text, "\"elapsed", '}');
    without(&text, "\"bytes_printed", ',')
}

/// Without each piece from `begin` to the next `end`.
fn without(text: &str, begin: &str, end: char) -> String {
    let mut pieces = text.split(begin);
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        kept.push_str(piece.split_once(end).map_or("", |(_, rest)| rest));
    }
    kept
}

#[track_caller]
fn same(here: &Finished, there: &Finished) {
    let are_same = without_differences(&here.stdout) == without_differences(&there.stdout)
        && here.code() == there.code();
    let report = format!("not as on this machine:\n{}", here.report());
    there.must(are_same, &report);
}

/// Compares every search here with what `there` makes of it.
#[track_caller]
fn check(files: &[PathBuf; 3], there: impl Fn(&Scratch) -> Program) {
    let scratch = Scratch::new();
    for look in [&["--plain"][..], &[]] {
        for (arguments, count) in SEARCHES {
            let with =
                |program: Program| program.args(look).args(arguments).args(&files[..count]).run();
            let here = with(Program::new(sibling("dgrep"), &scratch));
            same(&here, &with(there(&scratch)));
        }
    }
}

#[test]
fn a_server_finds_what_is_found_here() {
    let server = Server::start("{}");
    let files = write_logs(server.scratch());
    check(&files, |scratch| server.client("dgrep", scratch));
    server.stop();
}

#[test]
fn an_sshd_finds_what_is_found_here() {
    let Some(sshd) = Sshd::start(&subsystem::ARGUMENTS) else { return };
    let files = write_logs(sshd.scratch());
    check(&files, |scratch| subsystem::client(&sshd, scratch, "dgrep"));
}

/// Lines of several hosts may come in any order, those of one do not.
#[test]
fn several_hosts_each_answer_in_full() {
    let addresses = "--bindAddress=127.0.0.1,127.0.0.2,127.0.0.3";
    let server = Server::start_with("{}", &[addresses]);
    let [log, quiet, _] = write_logs(server.scratch());
    let scratch = Scratch::new();
    for arguments in [&["-o", "-e", "user[35]"][..], &["-n", "-e", "user3"], &["-c", "-e", "user3"]]
    {
        let with = |program: Program| program.args(arguments).args([&log, &quiet]).run();
        let here = with(Program::new(sibling("dgrep"), &scratch));
        let there = with(server.client("dgrep", &scratch));
        let sorted = |text: String, times: usize| {
            // Counts tell the host only where there are hosts.
            let line = |line: &str| line.strip_prefix("testhost:").unwrap_or(line).to_owned();
            let mut lines: Vec<String> = text.lines().map(line).collect();
            lines = std::iter::repeat_n(lines, times).flatten().collect();
            lines.sort();
            lines
        };
        let are_same = sorted(here.stdout_text(), 3) == sorted(there.stdout_text(), 1);
        there.exits(0).must(are_same, &format!("three times:\n{}", here.report()));
    }
    server.stop();
}

#[test]
fn a_thousand_patterns_travel() {
    let server = Server::start("{}");
    let [log, ..] = write_logs(server.scratch());
    let scratch = Scratch::new();
    let patterns: String = (0..1000).map(|number| format!("line {} u\n", number * 3)).collect();
    let path = scratch.write("patterns", patterns);
    let with =
        |program: Program| program.args(["--plain", "-c", "-H", "-f"]).args([&path, &log]).run();
    let there = with(server.client("dgrep", &scratch));
    there.exits(0);
    same(&with(Program::new(sibling("dgrep"), &scratch)), &there);
    // What is too much is not sent.
    scratch.write("patterns", "x\n".repeat(10_001));
    let there = with(server.client("dgrep", &scratch));
    let said = there.exits(2).prints("").stderr_text();
    there.must(said.contains("more than 10000 patterns"), "one line says why");
    server.stop();
}

#[test]
fn dtail_begins_before_the_end() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let path = server.scratch().write("a.log", "1\n2\n3\n4\n5\n6\n7\n");
    for (arguments, old) in [(["-n", "5"], "3\n4\n5\n6\n7\n"), (["-c", "4"], "6\n7\n")] {
        let tail = server.client("dtail", &scratch).arg("--plain").args(arguments).arg(&path);
        let tail = tail.spawn();
        tail.wait_for_stdout("the last lines come", LIMIT, |said| said == old.as_bytes());
        server.scratch().append("a.log", "new\n");
        let all = format!("{old}new\n");
        tail.wait_for_stdout("and what is new", LIMIT, |said| said == all.as_bytes());
        tail.signal(Signal::TERM);
        tail.wait(LIMIT).exits(0);
        server.scratch().write("a.log", "1\n2\n3\n4\n5\n6\n7\n");
    }
    server.stop();
}
