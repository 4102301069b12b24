//! What dcat prints, byte for byte.

use dtail_testkit::{Scratch, Stdin};
use expect_test::{Expect, expect};

use crate::dcat;

const LOG: &str = "INFO first\n\nWARN third\nERROR fourth|\nFATAL\r\nno newline";

/// What is printed for `LOG` in `app.log`, with `^` for the escape character.
#[track_caller]
fn check(arguments: &[&str], environment: &[(&str, &str)], expected: &Expect) {
    let scratch = Scratch::new();
    scratch.write("app.log", LOG);
    let program = dcat(&scratch, arguments);
    let finished = environment.iter().fold(program, |it, (name, value)| it.env(name, value)).run();
    finished.exits(0).says("");
    expected.assert_eq(&finished.stdout_text().replace('\x1b', "^").replace('\r', "␍"));
}

#[test]
fn lines_carry_host_number_and_source() {
    check(
        &["app.log"],
        &[],
        &expect![[r#"
        REMOTE|testhost|100|1|app.log|INFO first
        REMOTE|testhost|100|2|app.log|
        REMOTE|testhost|100|3|app.log|WARN third
        REMOTE|testhost|100|4|app.log|ERROR fourth|
        REMOTE|testhost|100|5|app.log|FATAL␍
        REMOTE|testhost|100|6|app.log|no newline
    "#]],
    );
}

#[test]
fn the_host_can_be_named_otherwise() {
    check(
        &["app.log"],
        &[("DTAIL_HOSTNAME_OVERRIDE", "elsewhere")],
        &expect![[r#"
        REMOTE|elsewhere|100|1|app.log|INFO first
        REMOTE|elsewhere|100|2|app.log|
        REMOTE|elsewhere|100|3|app.log|WARN third
        REMOTE|elsewhere|100|4|app.log|ERROR fourth|
        REMOTE|elsewhere|100|5|app.log|FATAL␍
        REMOTE|elsewhere|100|6|app.log|no newline
    "#]],
    );
}

#[test]
fn plain_lines_are_the_bytes_and_a_last_newline() {
    check(
        &["--plain", "app.log"],
        &[],
        &expect![[r#"
        INFO first

        WARN third
        ERROR fourth|
        FATAL␍
        no newline
    "#]],
    );
    check(
        &["-plain", "--strict-dtail", "app.log"],
        &[],
        &expect![[r#"
        INFO first

        WARN third
        ERROR fourth|
        FATAL␍
        no newline
    "#]],
    );
}

const TEST_MODE: (&str, &str) = ("DTAIL_INTEGRATION_TEST_RUN_MODE", "yes");

#[test]
fn the_test_mode_is_coloured_and_called_integrationtest() {
    check(
        &["app.log"],
        &[TEST_MODE],
        &expect![[r#"
        ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mintegrationtest^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m1^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2mapp.log^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[40mINFO first^[49m^[39m
        ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mintegrationtest^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m2^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2mapp.log^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[40m^[49m^[39m
        ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mintegrationtest^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m3^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2mapp.log^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[40m^[1mWARN third^[0m^[49m^[39m
        ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mintegrationtest^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m4^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2mapp.log^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[41m^[1mERROR fourth|^[0m^[49m^[39m
        ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mintegrationtest^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m5^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2mapp.log^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[45m^[1mFATAL␍^[0m^[49m^[39m
        ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mintegrationtest^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m6^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2mapp.log^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[40mno newline^[49m^[39m
    "#]],
    );
}

#[test]
fn the_test_mode_is_not_coloured_where_that_was_forbidden() {
    check(
        &["-noColor", "app.log"],
        &[TEST_MODE],
        &expect![[r#"
        REMOTE|integrationtest|100|1|app.log|INFO first
        REMOTE|integrationtest|100|2|app.log|
        REMOTE|integrationtest|100|3|app.log|WARN third
        REMOTE|integrationtest|100|4|app.log|ERROR fourth|
        REMOTE|integrationtest|100|5|app.log|FATAL␍
        REMOTE|integrationtest|100|6|app.log|no newline
    "#]],
    );
    check(
        &["-plain", "app.log"],
        &[TEST_MODE],
        &expect![[r#"
        INFO first

        WARN third
        ERROR fourth|
        FATAL␍
        no newline
    "#]],
    );
}

#[test]
fn colour_is_for_terminals_unless_forced() {
    let scratch = Scratch::new();
    scratch.write("app.log", LOG);
    scratch.write("off.json", r#"{"Client": {"TermColorsEnable": false}}"#);
    for (is_coloured, arguments, environment) in [
        (false, &[][..], &[][..]),
        (true, &["--color", "always"], &[]),
        (true, &["--color=always"], &[("NO_COLOR", "1")]),
        (true, &["--color=always", "-cfg=off.json"], &[]),
        (false, &["--color=never"], &[TEST_MODE]),
        (false, &["--color=always", "--noColor"], &[]),
        (false, &["--color=always", "--plain"], &[]),
        (true, &[], &[TEST_MODE, ("NO_COLOR", "1")]),
        (false, &["-cfg", "off.json"], &[TEST_MODE]),
    ] {
        let program = dcat(&scratch, arguments).args(["app.log"]);
        let program = environment.iter().fold(program, |it, (name, value)| it.env(name, value));
        let finished = program.run();
        let complaint = format!("coloured must be {is_coloured}");
        finished.exits(0).must(finished.stdout.contains(&b'\x1b') == is_coloured, &complaint);
    }
}

#[test]
fn colours_come_from_the_configuration() {
    let scratch = Scratch::new();
    scratch.write("app.log", "x\n");
    scratch.write(
        ".dtail.conf",
        r#"{"client": {"TermColors": {"Remote": {"TextFg": "FgRed", "TextBg": "Rad"}}}}"#,
    );
    let finished = dcat(&scratch, &["--color=always", "app.log"]).run();
    let ending = b"\x1b[31m\x1b[40mx\x1b[49m\x1b[39m\n";
    finished.exits(0).must(finished.stdout.ends_with(ending), "the text must be red");
    finished.says(
        "dcat: warning: config: TermColors.Remote.TextBg: \"Rad\" is not known, \
         the default stays\n",
    );
}

#[test]
fn long_lines_are_cut_into_lines_with_a_warning() {
    let scratch = Scratch::new();
    scratch.write("long.log", [&b"a\n"[..], &[b'x'; 2500], b"\nb\n"].concat());
    let piece = "x".repeat(1024);
    let rest = "x".repeat(2500 - 2 * 1024);
    let test_mode = dcat(&scratch, &["-plain", "long.log"]).test_mode().run();
    let printed = test_mode.stdout_text();
    let lines: Vec<&str> = printed
        .lines()
        .filter(|it| !it.starts_with("CLIENT|integrationtest|WARN|Long log line"))
        .collect();
    test_mode.exits(0).must(lines == ["a", &piece, &piece, &rest, "b"], "wrong pieces");
    test_mode.must(printed.lines().count() == 6, "one warning");

    scratch.write("limit.json", r#"{"Server": {"MaxLineLength": 2000}}"#);
    let configured = dcat(&scratch, &["-cfg", "limit.json", "long.log"]).run();
    configured.exits(0).must(configured.stdout_text().lines().count() == 4, "two pieces");
    let warning = "dcat: warning: Long log line, splitting into multiple lines";
    configured.must(configured.stderr_text().starts_with(warning), "a warning");
}

#[test]
fn standard_input_is_called_dash_and_is_never_decompressed() {
    let scratch = Scratch::new();
    let piped = |arguments: &[&str], bytes: &[u8]| {
        dcat(&scratch, arguments).stdin(Stdin::Bytes(bytes.to_vec())).run()
    };
    piped(&[], b"a\nb").exits(0).prints("REMOTE|testhost|100|1|-|a\nREMOTE|testhost|100|2|-|b\n");
    piped(&["-plain", "-"], b"a\nb").exits(0).prints("a\nb\n");
    let gzip = dtail_testkit::inputs::gzip();
    let finished = piped(&["--plain"], gzip);
    finished.exits(0).must(finished.stdout.starts_with(gzip), "the bytes as they are");
}
