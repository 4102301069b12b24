//! Bad input: one line on standard error, a distinct exit code, nothing lost.

use dtail_testkit::{Scratch, inputs};
use expect_test::{Expect, expect};

use crate::dgrep;

#[track_caller]
fn check(arguments: &[&str], expected: &Expect) {
    let finished = dgrep(&Scratch::new(), arguments).run();
    expected.assert_eq(&finished.exits(2).prints("").stderr_text());
}

#[test]
fn bad_expressions_are_refused_before_anything_is_read() {
    check(
        &["-regex", "(", "missing.log"],
        &expect![[r#"
        error: bad regular expression "(": unclosed group (see dgrep --help)
    "#]],
    );
    check(
        &["-regex", "a{2,1}", "missing.log"],
        &expect![[r#"
        error: bad regular expression "a{2,1}": invalid repetition count range, the start must be <= the end (see dgrep --help)
    "#]],
    );
    check(
        &["-regex", "", "missing.log"],
        &expect![[r#"
        error: the regular expression is empty: use --regex . for every line
    "#]],
    );
    check(
        &["-before", "-1", "missing.log"],
        &expect![[r#"
        error: invalid value '-1' for '--before <LINES>': invalid digit found in string (see dgrep --help)
    "#]],
    );
}

#[test]
fn a_pattern_among_the_files_is_recognised() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    let finished = dgrep(&scratch, &["-plain", "ERROR", "a.log"]).run();
    finished.exits(3).prints("a\n").says(
        "dgrep: warning: no --regex given, so every line matches; if ERROR is one, \
         use --regex 'ERROR'\n\
         dgrep: cannot open ERROR: No such file or directory\n",
    );
}

#[test]
fn quiet_leaves_only_errors() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    let finished = dgrep(&scratch, &["-quiet", "ERROR", "a.log"]).run();
    finished.exits(3).says("dgrep: cannot open ERROR: No such file or directory\n");
}

#[test]
fn dtail_says_it_on_standard_output() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    let arguments = ["--strict-dtail", "-plain", "-regex=a", "nope", "a.log"];
    dgrep(&scratch, &arguments)
        .run()
        .exits(3)
        .says("")
        .prints("CLIENT|testhost|ERROR|cannot open nope: No such file or directory\na\n");
}

#[test]
fn a_broken_archive_is_searched_up_to_the_break() {
    let scratch = Scratch::new();
    let gzip = inputs::gzip();
    scratch.write("a.gz", &gzip[..gzip.len() - 20]);
    let finished = dgrep(&scratch, &["-plain", "-regex", "^line 1500$", "a.gz"]).run();
    finished.exits(2).prints("line 1500\n");
    finished.must(finished.stderr_text().starts_with("dgrep: a.gz"), "the file is named");
}

#[test]
fn any_bytes_are_searched() {
    let scratch = Scratch::new();
    scratch.write("a.bin", b"\xff\xfa needle \x00\n\xe2\x82\n\xac needle\n\0\0\0");
    let finished = dgrep(&scratch, &["-plain", "-regex", "need.e", "a.bin"]).run();
    finished.exits(0).prints(b"\xff\xfa needle \x00\n\xac needle\n");
}

#[test]
fn a_line_of_100_mb_is_searched_piece_by_piece() {
    let scratch = Scratch::new();
    let mut line = vec![b'x'; 100_000_000];
    line.extend(b"needle\nshort needle\n");
    scratch.write("long.log", line);
    let finished = dgrep(&scratch, &["-plain", "-regex", "needle", "long.log"]).run();
    let ending = b"xneedle\nshort needle\n";
    finished.exits(0).must(finished.stdout.ends_with(ending), "both lines are found");
    finished.must(finished.stdout.len() < 1024 * 1024 + 20, "only the last piece matches");
    finished.must(finished.stderr_text().lines().count() == 1, "one warning");
}
