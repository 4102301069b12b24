//! Which lines a pattern selects.

use expect_test::{Expect, expect};

use super::Pattern;

/// Shows the selected lines of a block, joined by `·`.
fn select(pattern: &Pattern, block: &[u8]) -> String {
    let cursor = pattern.over(block);
    let mut shown = String::new();
    let mut from = 0;
    while let Some(run) = cursor.next_run(from) {
        shown.push_str(&block[run.clone()].escape_ascii().to_string());
        shown.push('·');
        from = run.end;
    }
    shown
}

#[track_caller]
fn check(text: &str, block: &[u8], expected: &Expect) {
    let pattern = Pattern::new(text, false).expect("the pattern is good");
    expected.assert_eq(&select(&pattern, block));
}

#[track_caller]
fn check_invert(text: &str, block: &[u8], expected: &Expect) {
    let pattern = Pattern::new(text, true).expect("the pattern is good");
    expected.assert_eq(&select(&pattern, block));
}

#[test]
fn three_spellings_mean_everything() {
    for text in ["", ".", ".*"] {
        check(text, b"a\n\nb\n", &expect![[r"a\n\nb\n·"]]);
        check_invert(text, b"a\n\nb\n", &expect![""]);
    }
}

#[test]
fn a_literal_selects_its_lines_once() {
    check("ab", b"abab\nx\ncab\n\nab", &expect![[r"abab\n·cab\n·ab·"]]);
    check_invert("ab", b"abab\nx\ny\ncab\n\nab", &expect![[r"x\ny\n·\n·"]]);
    check("a\nb", b"a\nb\n", &expect![""]);
    check_invert("a\nb", b"a\nb\n", &expect![[r"a\nb\n·"]]);
}

#[test]
fn anchors_are_line_borders() {
    check("^b", b"ab\nb\nbc\n", &expect![[r"b\n·bc\n·"]]);
    check("b$", b"ab\nb\nbc\nb", &expect![[r"ab\n·b\n·b·"]]);
    check(r"\Ab\z", b"ab\nb\nbc\n", &expect![[r"b\n·"]]);
    check("^$", b"\na\n\n", &expect![[r"\n·\n·"]]);
    check("^$", b"a\n", &expect![""]);
    check("x*", b"a\n\nb\n", &expect![[r"a\n·\n·b\n·"]]);
}

#[test]
fn a_carriage_return_belongs_to_the_line() {
    check("b$", b"ab\r\nb\n", &expect![[r"b\n·"]]);
    check("b\\r$", b"ab\r\nb\n", &expect![[r"ab\r\n·"]]);
}

#[test]
fn no_match_runs_over_a_newline() {
    check(r"a\sb", b"a\nb\na b\n", &expect![[r"a b\n·"]]);
    check("a[^x]b", b"a\nb\nayb\n", &expect![[r"ayb\n·"]]);
    check("(?s)a.b", b"a\nb\nayb\n", &expect![[r"ayb\n·"]]);
    check("a[[:space:]]*b", b"a\nb\nab\n", &expect![[r"ab\n·"]]);
    check(r"a\n?b", b"a\nb\nab\n", &expect![[r"ab\n·"]]);
    check(r"a\x0a?b", b"a\nb\nab\n", &expect![[r"ab\n·"]]);
    check("[^,]*,", b"a\nb\nc,\n", &expect![[r"c,\n·"]]);
}

#[test]
fn invalid_bytes_match_as_in_go() {
    check("a.b", b"a\xffb\na\xc3\xa9b\nab\n", &expect![[r"a\xffb\n·a\xc3\xa9b\n·"]]);
    check("^a..b$", b"a\xff\xfeb\na\xffb\n", &expect![[r"a\xff\xfeb\n·"]]);
    check("x[^y]z", b"x\x80z\n", &expect![[r"x\x80z\n·"]]);
    check("b|c$", b"\xffb\n\xff\nc\n", &expect![[r"\xffb\n·c\n·"]]);
}

#[test]
fn nul_bytes_are_bytes() {
    check("b", b"a\0b\n\0\n", &expect![[r"a\x00b\n·"]]);
    check("a.b", b"a\0b\n\0\n", &expect![[r"a\x00b\n·"]]);
}

#[test]
fn braces_of_json_are_literal() {
    check(
        r#"{"level":"(info|warn)""#,
        b"{\"level\":\"warn\"}\n{}\n",
        &expect![[r#"{\"level\":\"warn\"}\n·"#]],
    );
}

#[test]
fn bytes_are_found_as_they_are() {
    let pattern = Pattern::literal(b"\xff|");
    expect![[r"\xff|\n·"]].assert_eq(&select(&pattern, b"a\n\xff|\n"));
}

#[test]
fn a_bad_expression_is_one_line() {
    let show = |text| Pattern::new(text, false).expect_err("the pattern is bad").to_string();
    expect![[r#"bad regular expression "[a": unclosed character class"#]].assert_eq(&show("[a"));
    expect![[r#"bad regular expression "*": repetition operator missing expression"#]]
        .assert_eq(&show("*"));
    expect![[r#"bad regular expression "a(": unclosed group"#]].assert_eq(&show("a("));
    expect![[r#"bad regular expression "(\\pL{500}){500}": Compiled regex exceeds size limit of 10485760 bytes"#]]
        .assert_eq(&show(r"(\pL{500}){500}"));
}
