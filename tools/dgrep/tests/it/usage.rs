//! Flags that contradict each other, and how letters and names are told apart.

use dtail_testkit::{Scratch, Stdin};
use expect_test::{Expect, expect};

use crate::dgrep;

#[track_caller]
fn check(arguments: &str, expected: &Expect) {
    let finished = dgrep(&Scratch::new(), &[]).args(arguments.split(' ')).run();
    expected.assert_eq(&finished.exits(2).prints("").stderr_text());
}

#[test]
fn contradictions_are_one_line() {
    check(
        "-c -l -e x f",
        &expect![[r#"
        error: --count and --files-with-matches print different things: leave one out
    "#]],
    );
    check(
        "-o --json -e x f",
        &expect![[r#"
        error: --only-matching and --json print different things: leave one out
    "#]],
    );
    check(
        "-o -v -e x f",
        &expect![[r#"
        error: --only-matching has nothing to print with --invert: leave one out
    "#]],
    );
    check(
        "-c -A1 -e x f",
        &expect![[r#"
        error: --count prints no lines around matches: leave out --before, --after and --context
    "#]],
    );
    check(
        "-o -C1 -e x f",
        &expect![[r#"
        error: --only-matching prints no lines around matches: leave out --before, --after and --context
    "#]],
    );
    check(
        "-c -I -e x f",
        &expect![[r#"
        error: --count looks at every file: leave out --binary
    "#]],
    );
    check(
        "-a -I -e x f",
        &expect![[r#"
        error: --binary, --text and --skip-binary contradict: leave one out
    "#]],
    );
    check(
        "-c -H --no-filename -e x f",
        &expect![[r#"
        error: --with-filename or --no-filename, not both
    "#]],
    );
}

#[test]
fn what_is_missing_or_unknown_is_one_line() {
    check(
        "-f nope f",
        &expect![[r#"
        error: cannot read patterns of nope: No such file or directory (os error 2)
    "#]],
    );
    check(
        "-f - -",
        &expect![[r#"
        error: standard input has the patterns: name files to search
    "#]],
    );
    check(
        "-f -",
        &expect![[r#"
        error: standard input has the patterns: name files to search
    "#]],
    );
    check(
        "-e",
        &expect![[r#"
        error: a value is required for '--regexp <REGEX>' but none was supplied (see dgrep --help)
    "#]],
    );
    check(
        "-m x -e x f",
        &expect![[r#"
        error: invalid value 'x' for '--max <MATCHES>': invalid digit found in string (see dgrep --help)
    "#]],
    );
    check(
        "-iZ -e x f",
        &expect![[r#"
        error: unexpected argument '--iZ' found (see dgrep --help)
    "#]],
    );
    check(
        "-q -e x f",
        &expect![[r#"
        error: unexpected argument '--q' found; tip: a similar argument exists: '--quiet' (see dgrep --help)
    "#]],
    );
}

#[test]
fn letters_and_names_are_told_apart() {
    let scratch = Scratch::new();
    scratch.write("a.log", "x\nX -x\ny\nx\n");
    scratch.write("-x", "-x\n");
    let run = |arguments: &str, printed: &str| {
        let stdin = Stdin::Bytes(b"x\n".to_vec());
        let finished = dgrep(&scratch, &["-plain"]).args(arguments.split(' ')).stdin(stdin).run();
        finished.exits(0).prints(printed).says("");
    };
    run("-in -e x a.log", "1:x\n2:X -x\n4:x\n");
    run("-invert -e x a.log", "y\n");
    run("-max 1 -e x a.log", "x\n");
    run("-m1 -e x a.log", "x\n");
    run("-max-count=1 -e x a.log", "x\n");
    run("-A1 -m 1 -e X a.log", "X -x\ny\n");
    run("-e -x a.log", "X -x\n");
    run("-e -x -- -x", "-x\n");
    run("-oi -e x a.log", "x\nX\nx\nx\n");
    run("-files a.log -regexp y", "y\n");
    run("-vn --invertMatch=false -e y a.log", "3:y\n");
    run("-regex nope -regex y a.log", "y\n");
    run("-e X -regex y -e nope a.log", "X -x\ny\n");
    run("-x -F -e x -", "x\n");
}

#[test]
fn help_names_what_grep_knows() {
    let help = dgrep(&Scratch::new(), &["-h"]).run();
    for part in [
        "-e, --regexp <REGEX>",
        "-f, --file <FILE>",
        "-F, --fixed-strings",
        "-i, --ignore-case",
        "-v, --invert",
        "[alias: --invert-match]",
        "-m, --max <MATCHES>",
        "--context-separator",
        "-h, --help",
    ] {
        help.exits(0).must(help.stdout_text().contains(part), part);
    }
}
