//! Where dgrep's plain output has grep's form, it is grep's output.

use dtail_testkit::{Scratch, Stdin};

use crate::{dgrep, peer};

/// Two files with what is hard: words next to letters, empty lines, no newline at the end.
fn files() -> Scratch {
    let scratch = Scratch::new();
    let first = "foo bar\n\nfoobar foo_bar\nFOO.bar\nfoo-bar foo\n  foo\n\na.c abc\nbar\nbaz\n\
                 x foo\nthe end foo";
    scratch.write("a.log", first);
    scratch.write("b.log", "nothing here\nbar\nbaz\nfoo\n1\n2\n3\n4\n5\nfoofoo\n6\n");
    scratch.write("c.log", "none\n");
    scratch.write("empty.log", "");
    scratch.write("patterns", "foo\nabc\n");
    scratch.write("with-empty", "zzz\n\n");
    scratch.write("no-patterns", "");
    scratch
}

/// dgrep with these arguments prints and exits as grep does with the same, or with `grep`.
#[track_caller]
fn check_with(arguments: &str, grep: &str) {
    let scratch = files();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let fixed = grep.split(' ').next().is_some_and(|flags| flags.contains('F'));
    let Some(peer) = peer(&scratch, "/usr/bin/grep", if fixed { &[] } else { &["-E"] }) else {
        return;
    };
    let stdin = || Stdin::Bytes(b"foo\nbar\n".to_vec());
    let expected = peer.args(words(grep)).stdin(stdin()).run();
    expected.says("");
    let finished = dgrep(&scratch, &["--plain"]).args(words(arguments)).stdin(stdin()).run();
    // For grep -L a line that matches is success, for us and ripgrep a file that is named.
    let named = i32::from(expected.stdout.is_empty());
    let is_inverse = grep.starts_with("-L");
    let code = if is_inverse { named } else { expected.code().unwrap_or(-1) };
    let without_erasing = expected.stdout_text().replace("\x1b[K", "");
    finished.exits(code).prints(without_erasing).says("");
}

#[track_caller]
fn check(arguments: &str) {
    check_with(arguments, arguments);
}

#[test]
fn lines_are_selected_alike() {
    check("-e foo a.log");
    for flags in ["-i", "-w", "-x", "-v", "-F", "-iw", "-wv", "-xv", "-ix", "-Fi", "-Fw", "-Fx"] {
        check(&format!("{flags} -e foo a.log"));
        check(&format!("{flags} -e a.c a.log"));
        check(&format!("{flags} -e foo.bar -e bar a.log"));
        check(&format!("{flags} -f patterns a.log"));
    }
    check("-f patterns -e bar a.log");
    check("-f with-empty a.log");
    check("-f no-patterns a.log");
    check("-v -f no-patterns a.log");
    check("-e foo -");
    check("-f - a.log");
    check("-e missing a.log");
    check("-m2 -e foo a.log");
    check("-m 1 -v -e foo a.log");
}

#[test]
fn numbers_and_names_stand_in_front() {
    check("-n -e foo a.log");
    check("-H -e foo a.log");
    check("-nH -e foo a.log b.log");
    check("-Hn -e foo -");
    check("-nv -e foo a.log");
    check("-Hm1 -e foo a.log b.log c.log");
    check_with("-nH --grep foo a.log", "-nH -e foo a.log");
    check_with("-nH --regex foo -e bar a.log", "-nH -e foo -e bar a.log");
}

#[test]
fn lines_around_are_told_from_matches() {
    for flags in ["-A1", "-B1", "-C 2", "-A 3 -B 1", "-C1 -A0", "-A1 -v"] {
        let grep = |extra: &str| format!("{flags} {extra} -e foo a.log b.log c.log");
        check_with(&grep("-nH --context-separator"), &grep("-nH"));
        check_with(&grep("-nH"), &grep("-nH --no-group-separator"));
        check_with(&grep("-H --context-separator=<>"), &grep("-H --group-separator=<>"));
    }
    check_with("-n -A1 --context-separator -e foo a.log", "-n -A1 -e foo a.log");
    check_with("-A1 --context-separator -e foo a.log", "-A1 -e foo a.log");
    check_with("-A1 --context-separator= -e foo a.log", "-A1 --group-separator= -e foo a.log");
}

#[test]
fn only_the_parts_that_match_are_printed() {
    check("-o -e foo a.log");
    check("-on -e foo b.log");
    // Of several that match at the same place grep takes the longest, we and ripgrep the first.
    check("-oHn -e foobar -e fo a.log b.log");
    check("-oi -e foo|bar a.log");
    check("-ow -e foo a.log");
    check("-o -e x* a.log");
    check("-om1 -e foo a.log");
    check("-o -e missing a.log");
}

#[test]
fn counts_and_names_of_files() {
    for flags in ["-c", "-l", "-L", "-cv", "-lv", "-Lv", "-ci", "-cm1", "-lm2"] {
        for files in ["a.log", "a.log b.log", "c.log a.log empty.log", "c.log", "empty.log", "-"] {
            check(&format!("{flags} -e foo {files}"));
        }
    }
    check("-cH -e foo a.log");
    check("-c --no-filename -e foo a.log b.log");
}

#[test]
fn names_of_the_same_files_come_in_their_order() {
    let scratch = files();
    let finished = dgrep(&scratch, &["--plain", "-c", "-e", "foo", "?.log"]).run();
    finished.exits(0).prints("a.log:6\nb.log:2\nc.log:0\n");
    // grep prints nothing at all here.
    let nothing = ["-c", "-f", "no-patterns", "a.log", "b.log"];
    dgrep(&scratch, &nothing).run().exits(1).prints("a.log:0\nb.log:0\n");
    let one = dgrep(&scratch, &["-c", "-e", "foo", "b*.log"]).run();
    one.exits(0).prints("b.log:2\n");
    // DTail's fields have no place for sums, so these look the same.
    dgrep(&scratch, &["-c", "-e", "foo", "a.log"]).run().exits(0).prints("6\n");
    dgrep(&scratch, &["-l", "-e", "foo", "a.log", "c.log"]).run().exits(0).prints("a.log\n");
}

#[test]
fn matches_are_coloured_alike() {
    for arguments in ["-e foo", "-nH -e foo", "-o -e foo", "-on -e foo", "-nH -e foo|bar"] {
        let both = format!("--color=always {arguments} a.log");
        check(&both);
    }
    check_with(
        "--color=always -nH -A1 --context-separator -e foo a.log",
        "--color=always -nH -A1 -e foo a.log",
    );
    check("--color=always -n -v -e foo b.log");
}

#[test]
fn dtails_fields_show_the_same_lines() {
    let scratch = files();
    let finished = dgrep(&scratch, &["-nHw", "-e", "foo", "b.log"]).run();
    finished.exits(0).prints("REMOTE|testhost|100|4|b.log|foo\n");
    let finished = dgrep(&scratch, &["-oi", "-e", "FO", "b.log"]).run();
    finished.exits(0).prints(
        "REMOTE|testhost|100|4|b.log|fo\nREMOTE|testhost|100|10|b.log|fo\n\
         REMOTE|testhost|100|10|b.log|fo\n",
    );
    let finished = dgrep(&scratch, &["--context-separator", "-B1", "-e", "foo", "b.log"]).run();
    finished.exits(0).prints(
        "REMOTE|testhost|100|3|b.log|baz\nREMOTE|testhost|100|4|b.log|foo\n--\n\
         REMOTE|testhost|100|9|b.log|5\nREMOTE|testhost|100|10|b.log|foofoo\n",
    );
}
