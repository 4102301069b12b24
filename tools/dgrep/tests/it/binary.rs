//! Lines with NUL bytes: printed, summed up or skipped, never lost in silence.

use dtail_testkit::{Program, Scratch};

use crate::dgrep;

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("a.bin", b"foo 1\nbar \0\nfoo 2\nfoo \0 3\nfoo 4\n");
    scratch.write("b.log", "foo 5\n");
    scratch
}

#[track_caller]
fn check(arguments: &[&str], expected: &[u8]) {
    let finished = dgrep(&scratch(), arguments).args(["-e", "foo", "a.bin", "b.log"]).run();
    finished.exits(0).prints(expected).says("");
}

#[test]
fn lines_with_nul_are_printed_unless_told_otherwise() {
    let text = b"foo 1\nfoo 2\nfoo \0 3\nfoo 4\nfoo 5\n";
    check(&["--plain"], text);
    check(&["--plain", "-a"], text);
    check(&["--plain", "--binary", "text", "--text"], text);
    check(&["--plain", "--binary=summary"], b"foo 1\nfoo 2\na.bin: binary file matches\nfoo 5\n");
    check(&["--plain", "-I"], b"foo 1\nfoo 2\nfoo 5\n");
    check(
        &["--plain", "-nH", "--binary=summary"],
        b"a.bin:1:foo 1\na.bin:3:foo 2\na.bin: binary file matches\nb.log:1:foo 5\n",
    );
    check(
        &["--binary=summary"],
        b"REMOTE|testhost|100|1|a.bin|foo 1\nREMOTE|testhost|100|3|a.bin|foo 2\n\
          a.bin: binary file matches\nREMOTE|testhost|100|1|b.log|foo 5\n",
    );
    check(&["-c"], b"a.bin:4\nb.log:1\n");
}

#[test]
fn the_same_file_named_twice_is_summed_up_twice() {
    let arguments = ["--plain", "--binary=summary", "-e", "3", "a.bin", "a.bin"];
    let finished = dgrep(&scratch(), &arguments).run();
    finished.exits(0).prints("a.bin: binary file matches\na.bin: binary file matches\n");
}

#[test]
fn a_terminal_is_spared() {
    let scratch = scratch();
    let command = format!("{} --plain --noColor -e foo a.bin", env!("CARGO_BIN_EXE_dgrep"));
    let script = r#"TERM=xterm script -qec "$0" /dev/null </dev/null"#;
    let finished = Program::new("/bin/sh", &scratch).args(["-c", script, &command]).run();
    if finished.code() == Some(127) {
        eprintln!("SKIPPED: no script(1) to make a terminal");
        return;
    }
    finished.exits(0).prints("foo 1\r\nfoo 2\r\na.bin: binary file matches\r\n");
}
