//! `--json` has the messages of ripgrep, so that its consumers can read them.

use dtail_testkit::{Program, Scratch, Stdin};
use serde_json::Value;

use crate::{dgrep, peer};

/// The messages of a program without what depends on the clock or on how they are spelled.
#[track_caller]
fn messages(program: Program, unlike: &[&str]) -> String {
    let finished = program.run();
    let mut shown = String::new();
    for line in finished.stdout_text().lines() {
        let mut message: Value = serde_json::from_str(line).unwrap_or_else(|err| {
            panic!("not JSON: {err}\n{line}\n{}", finished.report());
        });
        let data = &mut message["data"];
        for stats in [&["stats"][..], &[]] {
            let place = stats.iter().fold(&mut *data, |place, name| &mut place[name]);
            if let Some(object) = place.as_object_mut() {
                for name in ["elapsed", "elapsed_total", "bytes_printed"].iter().chain(unlike) {
                    object.remove(*name).inspect(|it| assert!(it.is_object() || it.is_u64()));
                }
            }
        }
        shown.push_str(&format!("{message}\n"));
    }
    format!("{shown}{}{:?}", finished.stderr_text(), finished.code())
}

#[track_caller]
fn check(arguments: &[&str]) {
    let scratch = Scratch::new();
    scratch
        .write("a.log", b"foo bar foo\n\nbar\n\"quoted\" \\ \t\x1b foo\n\xc3\xa9 foo\n1\n2\nfoo\n");
    scratch.write("bytes.log", b"\xff foo\nfoo \xfe\xfd\nbar\nf\xc3oo\n");
    scratch.write("none.log", "nothing\nhere\n");
    scratch.write("empty.log", "");
    let Some(rg) = peer(&scratch, "/usr/bin/rg", &["--no-config", "--sort=path"]) else { return };
    let stdin = || Stdin::Bytes(b"a foo\n".to_vec());
    // How much is read before a limit is found to be reached is each program's own affair.
    let unlike: &[&str] = if arguments.contains(&"-m") { &["bytes_searched"] } else { &[] };
    let expected = messages(rg.args(["--json"]).args(arguments).stdin(stdin()), unlike);
    let found = messages(dgrep(&scratch, &["--json"]).args(arguments).stdin(stdin()), unlike);
    assert!(found == expected, "{arguments:?}\n--- ripgrep\n{expected}\n--- dgrep\n{found}");
}

#[test]
fn matches_are_ripgreps() {
    check(&["-e", "foo", "a.log"]);
    check(&["-e", "foo", "a.log", "bytes.log", "empty.log", "none.log"]);
    check(&["-i", "-e", "FOO", "-e", "bar", "a.log"]);
    check(&["-w", "-e", "foo", "a.log"]);
    check(&["-x", "-e", "foo", "a.log"]);
    check(&["-F", "-e", "\\ ", "a.log"]);
    check(&["-e", "(?-u:\\xfe)", "bytes.log"]);
    check(&["-e", "missing", "a.log"]);
    check(&["-e", "foo", "-"]);
    check(&["-m", "2", "-e", "foo", "a.log"]);
}

#[test]
fn lines_around_are_ripgreps() {
    check(&["-C", "1", "-e", "quoted", "a.log"]);
    check(&["-A2", "-e", "bar", "a.log", "bytes.log"]);
    check(&["-v", "-e", "foo", "a.log"]);
    check(&["-v", "-B1", "-e", "foo", "bytes.log"]);
}

#[test]
fn the_missing_file_is_told_and_the_summary_comes_all_the_same() {
    let scratch = Scratch::new();
    scratch.write("a.log", "foo\n");
    let finished = dgrep(&scratch, &["--json", "-e", "foo", "nope", "a.log"]).run();
    finished.exits(3).says("dgrep: cannot open nope: No such file or directory\n");
    let types: Vec<String> = finished
        .stdout_text()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].to_string())
        .collect();
    assert_eq!(types, [r#""begin""#, r#""match""#, r#""end""#, r#""summary""#]);
}
