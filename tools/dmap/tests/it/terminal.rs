//! dmap with somebody at a terminal: tables that take the place of each other, questions that are
//! interrupted.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use dtail_testkit::{Scratch, Terminal, wait_until};

use crate::STATS;

const LIMIT: Duration = Duration::from_secs(20);

/// Starts dmap as the one that Ctrl-C at this terminal stops.
fn run(terminal: &Terminal, scratch: &Scratch, arguments: &[&str]) -> Child {
    Command::new("/usr/bin/setsid")
        .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_dmap")])
        .args(arguments)
        .current_dir(scratch.path())
        .env("HOME", scratch.path())
        .env("TERM", "xterm")
        .env_remove("SSH_AUTH_SOCK")
        .env_remove("NO_COLOR")
        .stdin(terminal.inside())
        .stdout(terminal.inside())
        .stderr(terminal.inside())
        .spawn()
        .expect("setsid runs")
}

/// Waits for the end of a program.
#[track_caller]
fn exit_code(mut child: Child) -> Option<i32> {
    let mut status = None;
    wait_until("the program has ended", LIMIT, || {
        status = child.try_wait().expect("a child");
        status.is_some()
    });
    status.and_then(|status| status.code())
}

fn is_installed(path: &str) -> bool {
    let is_there = Path::new(path).exists();
    if !is_there {
        eprintln!("SKIPPED: no {path}");
    }
    is_there
}

/// What is shown apart from the line that is written over, and that is gone at the end.
#[track_caller]
fn without_progress(shown: &str) -> String {
    const ERASE: &str = "\x1b[K";
    let parts: Vec<&str> = shown.split(ERASE).collect();
    let without = parts.iter().enumerate().map(|(index, part)| match part.rsplit_once('\r') {
        Some((rest, line)) if index + 1 < parts.len() && !line.contains('\n') => (rest, line),
        _ => (*part, ""),
    });
    let (rest, lines): (Vec<&str>, Vec<&str>) = without.unzip();
    assert!(lines.len() < 2 || lines[lines.len() - 2].is_empty(), "it is erased: {shown:?}");
    rest.concat()
}

#[test]
fn a_table_takes_the_place_of_the_one_before() {
    if !is_installed("/usr/bin/setsid") {
        return;
    }
    let scratch = Scratch::new();
    scratch.write("a.log", STATS);
    let mkfifo = Command::new("mkfifo").arg(scratch.path().join("pipe")).status();
    assert!(mkfifo.is_ok_and(|status| status.success()), "a FIFO");
    let terminal = Terminal::new();
    let query = "from STATS select count($line) interval 1";
    let running = run(&terminal, &scratch, &["--noColor", "--cfg", "none", query, "a.log", "pipe"]);
    let mut pipe = OpenOptions::new().write(true).open(scratch.path().join("pipe")).expect("it");
    terminal.shows("            4 \r\n", LIMIT);
    pipe.write_all(STATS.as_bytes()).expect("a reader");
    terminal.shows("            8 \r\n", LIMIT);
    // Below the table is how far the query has come.
    terminal.shows("B/s, 1 group\x1b[K", LIMIT);
    drop(pipe);
    assert_eq!(exit_code(running), Some(0), "{}", terminal.shown());
    let shown = without_progress(&terminal.shown());
    let (before, after) = shown.split_once("\x1b[").expect("the cursor moves");
    let lines = before.matches('\n').count();
    assert!(after.starts_with(&format!("{lines}A\r\x1b[J")), "{shown:?}");
    assert!(after.ends_with(&before.replace(" 4 ", " 8 ")), "{shown:?}");
}

#[test]
fn a_question_for_a_passphrase_can_be_interrupted() {
    if !is_installed("/usr/bin/setsid") || !is_installed("/usr/bin/ssh-keygen") {
        return;
    }
    let scratch = Scratch::new();
    let made = Command::new("/usr/bin/ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "secret", "-f"])
        .arg(scratch.path().join("key"))
        .status();
    assert!(made.is_ok_and(|status| status.success()), "a key");
    let mut terminal = Terminal::new();
    let query = "select count($line)";
    let arguments = ["--servers", "127.0.0.1:9", "--auth-key-path", "key", query, "a.log"];
    let running = run(&terminal, &scratch, &arguments);
    terminal.shows("Passphrase for key", LIMIT);
    wait_until("what is typed is hidden", LIMIT, || !terminal.echoes());
    terminal.types("\x03");
    assert_eq!(exit_code(running), Some(130), "{}", terminal.shown());
    assert!(terminal.echoes(), "what is typed is shown again");
}
