//! Files that are none, change while they are read, or are huge: one line each, the rest goes on.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use dtail_testkit::{Program, Scratch, Stdin};

use crate::dgrep;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_fifo_is_read_to_its_end() {
    let scratch = Scratch::new();
    Program::new("/bin/sh", &scratch).args(["-c", "mkfifo pipe"]).run().exits(0);
    scratch.write("a.log", "foo a\n");
    let running = dgrep(&scratch, &["--plain", "-n", "-e", "foo", "pipe", "a.log"]).spawn();
    let mut pipe = File::options().write(true).open(scratch.path().join("pipe")).unwrap();
    pipe.write_all(b"foo 1\n").unwrap();
    running.wait_for_stdout("what has come is printed", LIMIT, |it| it == b"1:foo 1\n");
    pipe.write_all(b"bar\nfoo 3").unwrap();
    drop(pipe);
    running.wait(LIMIT).exits(0).prints("1:foo 1\n3:foo 3\n1:foo a\n").says("");
}

#[test]
fn files_of_size_0_that_are_not_empty_are_read() {
    if !std::path::Path::new("/proc/self/status").exists() {
        eprintln!("SKIPPED: no /proc");
        return;
    }
    let scratch = Scratch::new();
    let finished = dgrep(&scratch, &["--plain", "-e", "^Name:", "/proc/self/status"]).run();
    finished.exits(0).prints("Name:\tdgrep\n").says("");
    dgrep(&scratch, &["-c", "-e", "^Name:", "/proc/self/status"]).run().exits(0).prints("1\n");
}

#[test]
fn a_sparse_file_and_a_huge_line_take_little_memory() {
    let scratch = Scratch::new();
    let path = scratch.write("sparse.log", "first foo\n");
    // One line of NUL bytes.
    let file = File::options().append(true).open(&path).unwrap();
    file.set_len(150_000_000).unwrap();
    scratch.append("sparse.log", "\nlast foo\n");
    let script = r#"ulimit -v 250000; exec "$0" --plain -n -e foo sparse.log"#;
    let shell = Program::new("/bin/sh", &scratch);
    let finished = shell.args(["-c", script, env!("CARGO_BIN_EXE_dgrep")]).limit(4 * LIMIT).run();
    finished.exits(0).must(finished.stdout.starts_with(b"1:first foo\n"), "the first line");
    finished.must(finished.stdout.ends_with(b":last foo\n"), "the last line");
    finished.must(finished.stdout.len() < 60, "and nothing else");
    finished.must(finished.stderr_text().lines().count() == 1, "one warning");
}

#[test]
fn what_cannot_be_read_in_the_middle_of_a_glob_is_named() {
    let scratch = Scratch::new();
    scratch.write("1.log", "foo 1\n");
    let secret = scratch.write("2.log", "foo 2\n");
    scratch.write("3.log/inside", "foo 3\n");
    scratch.write("4.log", "foo 4\n");
    fs::set_permissions(&secret, Permissions::from_mode(0o000)).unwrap();
    let finished = dgrep(&scratch, &["--plain", "-e", "foo", "?.log"]).run();
    if fs::read(&secret).is_ok() {
        eprintln!("SKIPPED in part: permissions mean nothing to this user");
        finished.exits(3).prints("foo 1\nfoo 2\nfoo 4\n");
        finished.must(finished.stderr_text().lines().count() == 1, "one line");
        return;
    }
    finished.exits(3).prints("foo 1\nfoo 4\n").says(
        "dgrep: cannot open 2.log: Permission denied\n\
         dgrep: 3.log is a directory, name files or use a glob\n",
    );
}

#[test]
fn sums_of_what_cannot_be_read_are_not_made_up() {
    let scratch = Scratch::new();
    scratch.write("a.log", "foo\n");
    scratch.write("folder/b", "foo\n");
    for (flags, printed) in [("-c", "a.log:1\n"), ("-l", "a.log\n"), ("-L", "")] {
        let finished = dgrep(&scratch, &[flags, "-e", "foo", "nope", "folder", "a.log"]).run();
        finished.exits(3).prints(printed);
        finished.must(finished.stderr_text().lines().count() == 2, "one line each");
    }
}

#[test]
fn a_device_without_end_is_left_when_enough_is_found() {
    let scratch = Scratch::new();
    let yes = "yes foo | head -c 100000000 | \"$0\" --plain -m 2 -e foo";
    let shell = Program::new("/bin/sh", &scratch).stdin(Stdin::Null);
    let finished = shell.args(["-c", yes, env!("CARGO_BIN_EXE_dgrep")]).run();
    finished.exits(0).prints("foo\nfoo\n");
}
