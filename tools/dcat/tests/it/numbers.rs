//! `dcat --plain -n` against `cat -n`.

use dtail_testkit::{Program, Scratch, Stdin, inputs};

use crate::dcat;

#[track_caller]
fn check(scratch: &Scratch, files: &[&str]) {
    let stdin = || Stdin::Bytes(b"from\nstandard input\n".to_vec());
    let cat = Program::new("/bin/cat", scratch).arg("-n").args(files).stdin(stdin()).run();
    let finished = dcat(scratch, &["--plain", "-n"]).args(files).stdin(stdin()).run();
    finished.exits(0).prints(&cat.exits(0).stdout).says("");
}

#[test]
fn lines_are_numbered_through_all_files() {
    let scratch = Scratch::new();
    scratch.write("a.log", "1\n\n\n4\n");
    scratch.write("b.log", b"5\r\n\xff\0\n");
    scratch.write("empty.log", "");
    scratch.write("many.log", "\n".repeat(1_100_000));
    scratch.write("long.log", format!("{}\nshort\n", "x".repeat(3_000_000)));
    check(&scratch, &["a.log"]);
    check(&scratch, &["a.log", "empty.log", "b.log", "-", "a.log"]);
    check(&scratch, &["many.log", "a.log"]);
    check(&scratch, &["long.log", "b.log"]);
    for log in inputs::real_logs() {
        let text = std::fs::read(&log).unwrap();
        if text.ends_with(b"\n") {
            check(&scratch, &[log.to_str().unwrap(), "a.log"]);
        }
    }
}

#[test]
fn a_file_without_a_last_newline_does_not_run_into_the_next() {
    let scratch = Scratch::new();
    scratch.write("a.log", "1\n2");
    let finished = dcat(&scratch, &["--plain", "--number", "a.log", "a.log"]).run();
    finished.exits(0).prints("     1\t1\n     2\t2\n     3\t1\n     4\t2\n");
}

#[test]
fn compressed_lines_are_numbered_too() {
    let scratch = Scratch::new();
    scratch.write("a.gz", inputs::gzip());
    let finished = dcat(&scratch, &["--plain", "-n", "a.gz"]).run();
    let last = "  2000\tline 2000\n";
    finished.exits(0).must(finished.stdout_text().ends_with(last), "the last line");
}

#[test]
fn with_fields_numbers_are_those_of_each_file() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\nb\n");
    let finished = dcat(&scratch, &["-n", "a.log", "a.log"]).run();
    let one = "REMOTE|testhost|100|1|a.log|a\nREMOTE|testhost|100|2|a.log|b\n";
    finished.exits(0).prints(one.repeat(2)).says("");
}
