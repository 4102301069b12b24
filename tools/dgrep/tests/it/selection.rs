//! Which lines dgrep prints.

use dtail_testkit::{Scratch, Stdin, inputs};
use expect_test::{Expect, expect};

use crate::dgrep;

const LOG: &str = "1 alpha\n2 ERROR x\n3\n4 beta\n5 ERROR y\n6 ERROR z\n7\n8\n9 gamma\n10 error\n";

/// What is printed of `LOG`, by line number.
#[track_caller]
fn check(arguments: &[&str], expected: &Expect) {
    let scratch = Scratch::new();
    scratch.write("app.log", LOG);
    let finished = dgrep(&scratch, arguments).args(["app.log"]).run();
    finished.says("").must(matches!(finished.code(), Some(0 | 1)), "no error");
    let mut numbers = Vec::new();
    for line in finished.stdout_text().lines() {
        let fields: Vec<&str> = line.splitn(6, '|').collect();
        let ["REMOTE", "testhost", "100", number, "app.log", text] = fields[..] else {
            panic!("not DTail's fields: {line}");
        };
        finished.must(text.split(' ').next() == Some(number), "the number of the line");
        numbers.push(number.to_owned());
    }
    expected.assert_eq(&numbers.join(" "));
}

#[test]
fn expressions_are_gos() {
    check(&["-regex", "ERROR"], &expect!["2 5 6"]);
    check(&["-regex", "(?i)error"], &expect!["2 5 6 10"]);
    check(&["-regex", r"^\d$|a$"], &expect!["1 3 4 7 8 9"]);
    check(&["-regex", "ERROR [xz]$"], &expect!["2 6"]);
    check(&["-regex", "nothing"], &expect![[""]]);
    check(&["-regex", "-e"], &expect![[""]]);
}

#[test]
fn grep_is_another_name_and_wins() {
    check(&["-grep", "beta"], &expect!["4"]);
    check(&["-regex", "alpha", "-grep", "beta"], &expect!["4"]);
    check(&["-regex", "alpha", "-grep", ""], &expect!["1"]);
}

#[test]
fn everything_matches_unless_told_otherwise() {
    check(&[], &expect!["1 2 3 4 5 6 7 8 9 10"]);
    check(&["-regex", ".*"], &expect!["1 2 3 4 5 6 7 8 9 10"]);
    check(&["-invert"], &expect![[""]]);
}

#[test]
fn inverting_selects_the_other_lines() {
    check(&["-regex", "ERROR", "-invert"], &expect!["1 3 4 7 8 9 10"]);
    check(&["-regex", "ERROR", "--invert=false"], &expect!["2 5 6"]);
}

#[test]
fn context_surrounds_matches_without_doubles() {
    check(&["-regex", "ERROR", "-before", "1"], &expect!["1 2 4 5 6"]);
    check(&["-regex", "ERROR", "-after", "2"], &expect!["2 3 4 5 6 7 8"]);
    check(&["-regex", "x|gamma", "-before=2", "-after=1"], &expect!["1 2 3 7 8 9 10"]);
    check(&["-regex", "ERROR", "-invert", "-after", "1"], &expect!["1 2 3 4 5 7 8 9 10"]);
}

#[test]
fn max_ends_a_file_after_so_many_matches() {
    check(&["-regex", "ERROR", "-max", "2"], &expect!["2 5"]);
    check(&["-regex", "ERROR", "-max", "1", "-after", "1"], &expect!["2 3"]);
    check(&["-regex", "ERROR", "-max", "1", "-after", "9"], &expect!["2 3 4"]);
    check(&["-regex", "ERROR", "-max", "1", "-before", "9"], &expect!["1 2"]);
}

#[test]
fn max_counts_for_each_file() {
    let scratch = Scratch::new();
    scratch.write("a.log", "x\nx\n");
    scratch.write("b.log", "x\nx\n");
    let finished = dgrep(&scratch, &["-regex", "x", "-max", "1", "*.log"]).run();
    finished.exits(0).prints("REMOTE|testhost|100|1|a.log|x\nREMOTE|testhost|100|1|b.log|x\n");
}

#[test]
fn the_last_line_needs_no_newline_and_a_return_belongs_to_the_line() {
    let scratch = Scratch::new();
    let piped = |arguments: &[&str]| {
        let stdin = Stdin::Bytes(b"dos\r\nunix\nlast".to_vec());
        dgrep(&scratch, &["-plain"]).args(arguments).stdin(stdin).run()
    };
    piped(&["-regex", "last$"]).exits(0).prints("last\n");
    piped(&["-regex", "o"]).exits(0).prints("dos\r\n");
    piped(&["-regex", "x$"]).exits(0).prints("unix\n");
}

#[test]
fn compressed_files_are_searched() {
    let scratch = Scratch::new();
    scratch.write("a.gz", inputs::gzip());
    scratch.write("a.zst", inputs::zstd());
    dgrep(&scratch, &["-regex", "line 1500$", "a.gz", "a.zst"]).run().exits(0).prints(
        "REMOTE|testhost|100|1500|a.gz|line 1500\nREMOTE|testhost|100|1500|a.zst|line 1500\n",
    );
}

#[test]
fn the_test_mode_colours_matches_like_any_line() {
    let scratch = Scratch::new();
    scratch.write("a.log", "1\nERROR\n");
    let finished = dgrep(&scratch, &["-regex", "ERR", "a.log"]).test_mode().run();
    expect![[r#"
        ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mintegrationtest^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m2^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2ma.log^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[41m^[1mERROR^[0m^[49m^[39m
    "#]].assert_eq(&finished.exits(0).stdout_text().replace('\x1b', "^"));
}
