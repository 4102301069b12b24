//! What becomes of xtask when its output cannot be written.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::process::{Command, Output, Stdio};

/// Commands that write to stdout and need nothing: a recipe's words, the menu, what clap prints.
const COMMANDS: [&[&str]; 3] = [&["ci", "matrix"], &[], &["--help"]];

fn write_to(stdout: impl Into<Stdio>, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(words).stdout(stdout).stderr(Stdio::piped());
    command.spawn().unwrap().wait_with_output().unwrap()
}

#[test]
fn a_reader_that_goes_away_ends_it_without_a_word() {
    for words in COMMANDS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = write_to(writer, words);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
        assert_eq!(output.status.code(), Some(130), "{words:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_line() {
    for words in COMMANDS {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = write_to(full, words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.lines().count(), 1, "{words:?}: {said}");
        assert!(said.starts_with("error: writing to stdout: No space left"), "{words:?}: {said}");
        assert_eq!(output.status.code(), Some(10), "{words:?}");
    }
}
