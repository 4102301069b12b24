//! dtail as its users run it. It never looks inside.

mod ends;
mod follow;
mod interactive;
mod queries;
mod remote;
mod transport;
mod usage;

use std::time::Duration;

use dtail_testkit::{Program, Running, Scratch};

/// For whatever dtail is waited for.
const LIMIT: Duration = Duration::from_secs(20);

/// dtail in a scratch folder.
fn dtail(scratch: &Scratch, arguments: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_dtail"), scratch).args(arguments)
}

/// dtail that has found the end of all files there are: it has begun to wait for one that is not.
#[track_caller]
fn following(scratch: &Scratch, arguments: &[&str]) -> Running {
    let running = dtail(scratch, arguments).args(["not-there.log"]).spawn();
    running.wait_for_stderr("all files are found", LIMIT, |said| {
        String::from_utf8_lossy(said).contains("not-there.log: No such file or directory, waiting")
    });
    running
}

/// Waits until exactly `expected` is printed.
#[track_caller]
fn prints(running: &Running, expected: &str) {
    running.wait_for_stdout(&format!("{expected:?} is printed"), LIMIT, |printed| {
        assert!(
            expected.as_bytes().starts_with(printed),
            "expected {expected:?}, but {:?} is printed",
            String::from_utf8_lossy(printed)
        );
        printed == expected.as_bytes()
    });
}
