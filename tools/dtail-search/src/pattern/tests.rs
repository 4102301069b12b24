//! Which lines a pattern selects.

use expect_test::{Expect, expect};

use super::Pattern;
use crate::wish::{Whole, Wish};

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
    let pattern = Pattern::expression(text).expect("the pattern is good");
    expected.assert_eq(&select(&pattern, block));
}

#[track_caller]
fn check_invert(text: &str, block: &[u8], expected: &Expect) {
    let pattern = Pattern::new(&Wish { invert: true, ..Wish::of(&[text.to_owned()]) })
        .expect("the pattern is good");
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
    let show = |text| Pattern::expression(text).expect_err("the pattern is bad").to_string();
    expect![[r#"bad regular expression "[a": unclosed character class"#]].assert_eq(&show("[a"));
    expect![[r#"bad regular expression "*": repetition operator missing expression"#]]
        .assert_eq(&show("*"));
    expect![[r#"bad regular expression "a(": unclosed group"#]].assert_eq(&show("a("));
    expect![[r#"bad regular expression "(\\pL{500}){500}": Compiled regex exceeds size limit of 10485760 bytes"#]]
        .assert_eq(&show(r"(\pL{500}){500}"));
}

fn wish_of(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[track_caller]
fn check_spans(wish: &Wish<'_>, line: &[u8], expected: &Expect) {
    let pattern = Pattern::new(wish).expect("the pattern is good");
    let mut spans = Vec::new();
    // What an earlier line left makes no difference.
    spans.push(0..7);
    pattern.spans(line, &mut spans);
    let shown: Vec<String> =
        spans.into_iter().map(|span| line[span].escape_ascii().to_string()).collect();
    expected.assert_eq(&shown.join("·"));
}

#[test]
fn spans_are_leftmost_first_and_never_empty() {
    let texts = wish_of(&["ab", "a", "c*"]);
    check_spans(&Wish::of(&texts), b"aabxcc", &expect!["a·ab·cc"]);
    check_spans(&Wish::of(&wish_of(&["aa"])), b"aaaaa", &expect!["aa·aa"]);
    check_spans(&Wish::of(&wish_of(&["."])), b"a\xffb", &expect![[r#"a·\xff·b"#]]);
    check_spans(&Wish::of(&wish_of(&["", "b"])), b"abab", &expect!["b·b"]);
    check_spans(&Wish::of(&wish_of(&[])), b"abab", &expect![""]);
    check_spans(&Wish { invert: true, ..Wish::of(&wish_of(&["b"])) }, b"abab", &expect!["b·b"]);
    let texts = wish_of(&["b..?"]);
    check_spans(
        &Wish::of(&texts),
        b"\xffb\xfe\xc3\xa9b\xe2\x84",
        &expect![[r#"b\xfe\xc3\xa9·b\xe2\x84"#]],
    );
    let wish = Wish { whole: Whole::Words, ..Wish::of(&texts) };
    check_spans(&wish, b"abc bc\xff b-d", &expect![[r#"bc\xff·b-d"#]]);
}

#[test]
fn words_have_no_letters_around_them() {
    let texts = wish_of(&["user7", "user"]);
    let pattern = Pattern::new(&Wish { whole: Whole::Words, ..Wish::of(&texts) });
    let pattern = pattern.expect("the pattern is good");
    let block = "user77\nuser7\n_user\nuser user\nuser\u{e9} user7x\nuser\u{b0}\n";
    expect![[r#"user7\n·user user\n·user\xc2\xb0\n·"#]]
        .assert_eq(&select(&pattern, block.as_bytes()));
    expect![[r#"user\xff\n·\xc3user7\n·"#]]
        .assert_eq(&select(&pattern, b"user\xff\n\xc3user7\nxuser\xff\n"));
}

#[test]
fn case_is_that_of_unicode() {
    let block = "\u{212a}ISS\nki\u{17f}S\nki\u{df}\nKISSES\n\u{c9}T\u{c9}\n";
    for text in ["kiss", "\u{e9}t\u{e9}"] {
        let texts = wish_of(&[text]);
        let ignoring = Pattern::new(&Wish { ignore_case: true, ..Wish::of(&texts) });
        let ignoring = select(&ignoring.expect("the pattern is good"), block.as_bytes());
        let flagged = Pattern::expression(&format!("(?i){text}")).expect("the pattern is good");
        assert_eq!(ignoring, select(&flagged, block.as_bytes()));
        assert_eq!(ignoring.matches('·').count(), if text == "kiss" { 3 } else { 1 });
    }
}

#[test]
fn the_bad_one_of_several_texts_is_named() {
    let show = |texts: &[&str]| {
        Pattern::new(&Wish::of(&wish_of(texts))).expect_err("a pattern is bad").to_string()
    };
    expect![[r#"bad regular expression "b(": unclosed group"#]]
        .assert_eq(&show(&["a.", "b(", "c"]));
    expect![[r#"bad regular expression "(\\pL{500}){500}": Compiled regex exceeds size limit of 10485760 bytes"#]].assert_eq(&show(&["a.", r"(\pL{500}){500}", "c"]));
    let good = Pattern::new(&Wish { fixed: true, ..Wish::of(&wish_of(&["a(", "["])) });
    assert!(good.is_ok());
}

#[test]
fn names_of_groups_may_repeat_from_text_to_text() {
    let pattern = Pattern::new(&Wish::of(&wish_of(&["(?P<n>a+)b", "(?P<n>c+)d"])));
    let pattern = pattern.expect("the pattern is good");
    expect![[r#"aab\n·ab\n·ccd\n·"#]].assert_eq(&select(&pattern, b"aab\nab\nb\nccd\n"));
}
