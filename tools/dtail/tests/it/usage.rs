//! What only dtail understands, and bad input.

use dtail_testkit::Scratch;
use expect_test::{Expect, expect};

use crate::dtail;

#[track_caller]
fn check(arguments: &[&str], expected: &Expect) {
    let finished = dtail(&Scratch::new(), arguments).run();
    expected.assert_eq(&finished.exits(2).prints("").stderr_text());
}

#[test]
fn bad_usage_is_one_line_and_exit_code_2() {
    check(
        &["-regex", "[", "a.log"],
        &expect![[r#"
        error: bad regular expression "[": unclosed character class (see dtail --help)
    "#]],
    );
    check(
        &["select", "-query", "nonsense", "a.log"],
        &expect![[r#"
            error: cannot parse query: unexpected word "nonsense" at column 1 (expected a clause such as select, from, where) (see dtail --help)
              nonsense
              ^^^^^^^^
        "#]],
    );
    check(
        &["-shutdownAfter", "soon", "a.log"],
        &expect![[r#"
        error: invalid value 'soon' for '--shutdownAfter <SECONDS>': invalid digit found in string (see dtail --help)
    "#]],
    );
    check(
        &["-servers=web1:x", "a.log"],
        &expect![[r#"
        error: bad server "web1:x": the port must be a number from 1 to 65535
    "#]],
    );
    check(
        &["-checkHealth"],
        &expect![[r#"
        error: --checkHealth is gone: use dtailhealth
    "#]],
    );
}

#[test]
fn nothing_that_could_be_followed_is_an_error() {
    let scratch = Scratch::new();
    scratch.write("folder/a.log", "");
    let finished = dtail(&scratch, &["folder"]).run();
    finished.exits(2).says("dtail: folder is a directory, name files or use a glob\n");
}

#[test]
fn the_colour_table_names_every_colour() {
    let scratch = Scratch::new();
    let table = dtail(&scratch, &["-colorTable"]).run();
    table.exits(0).must(table.stdout_text().lines().count() == 576, "one line each");
    let wide = dtail(&scratch, &["-wideColorTable"]).run();
    wide.exits(0).must(wide.stdout_text().lines().count() == 72, "eight to a line");
    let bare = dtail(&scratch, &["-colorTable", "-noColor"]).run();
    bare.exits(0).must(!bare.stdout.contains(&b'\x1b'), "no colours");
    dtail(&scratch, &["-colorTable", "-plain"]).run().exits(0).prints("");
}

#[test]
fn the_help_teaches() {
    let help = dtail(&Scratch::new(), &["--help"]).run();
    for part in ["Usage: dtail", "Examples:", "Exit codes:", "--shutdownAfter", "Following:"] {
        help.exits(0).must(help.stdout_text().contains(part), part);
    }
}
