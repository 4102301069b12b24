//! Bad input: one line on standard error, exit code 2.

use dtail_testkit::Scratch;
use expect_test::{Expect, expect};

use crate::dprofile;
use crate::profiles::{encoded, profile};

#[track_caller]
fn check(arguments: &[&str], expected: &Expect) {
    let scratch = Scratch::new();
    let bytes = encoded(&profile(&["6 main run"]));
    scratch.write("a.prof", &bytes);
    scratch.write("cut.prof", &bytes[..bytes.len() / 2]);
    scratch.write("empty.prof", "");
    scratch.write("text.prof", "heap profile: 1: 2 [3: 4] @ heap/1048576\n");
    let mut memory = profile(&["1 main"]);
    memory.sample_types[1].kind = "space".into();
    scratch.write("memory.prof", encoded(&memory));
    let finished = dprofile(&scratch, arguments).run();
    expected.assert_eq(&finished.exits(2).prints("").stderr_text());
}

#[test]
fn files_that_are_no_profiles() {
    check(
        &["missing.prof"],
        &expect![[r#"
        error: cannot read missing.prof: No such file or directory (os error 2)
    "#]],
    );
    check(
        &["empty.prof"],
        &expect![[r#"
        error: empty.prof: empty, so no profile was written
    "#]],
    );
    check(
        &["cut.prof"],
        &expect![[r#"
        error: cut.prof: truncated: the profile ends in the middle, record it again
    "#]],
    );
    check(
        &["text.prof"],
        &expect![[r#"
        error: text.prof: not a profile in pprof format
    "#]],
    );
    check(
        &["diff", "a.prof", "cut.prof"],
        &expect![[r#"
        error: cut.prof: truncated: the profile ends in the middle, record it again
    "#]],
    );
    check(
        &["diff", "a.prof", "memory.prof"],
        &expect![[r#"
        error: no sample type space in a.prof, which has samples, cpu
    "#]],
    );
    check(
        &["."],
        &expect![[r#"
        error: cannot read .: Is a directory (os error 21)
    "#]],
    );
}

#[test]
fn wishes_that_cannot_be_met() {
    check(
        &["top", "--sample", "heap", "a.prof"],
        &expect![[r#"
        error: no sample type heap in a.prof, which has samples, cpu
    "#]],
    );
    check(
        &["list", "nobody", "a.prof"],
        &expect![[r#"
        error: no function in a.prof matches nobody
    "#]],
    );
    check(
        &["peek", "(", "a.prof"],
        &expect![[r#"
        error: bad regular expression "(": unclosed group (see dprofile --help)
    "#]],
    );
    check(
        &["flame", "a.prof", "-o", "missing/a.svg"],
        &expect![[r#"
            error: cannot write missing/a.svg: No such file or directory (os error 2)
        "#]],
    );
    check(
        &["web", "cut.prof"],
        &expect![[r#"
        error: cut.prof: truncated: the profile ends in the middle, record it again
    "#]],
    );
    check(
        &[],
        &expect![[r#"
            error: the following required arguments were not provided: <FILE> (see dprofile --help)
        "#]],
    );
    check(
        &["top"],
        &expect![[r#"
            error: the following required arguments were not provided: <FILE> (see dprofile --help)
        "#]],
    );
    check(
        &["--nope", "a.prof"],
        &expect![[r#"
        error: unexpected argument '--nope' found (see dprofile --help)
    "#]],
    );
}
