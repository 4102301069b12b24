//! From typed words to the flags of the clients, and complaints about them.

use clap::Parser;
use dtail_process::command_line::{NotParsed, parse};
use expect_test::{Expect, expect};

use crate::{CommonArgs, FollowArgs, InputArgs, QueryArgs, SearchArgs};

/// Has every flag there is.
#[derive(Debug, Parser)]
#[command(name = "dall")]
struct All {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    common: CommonArgs,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    query: QueryArgs,
    #[command(flatten)]
    follow: FollowArgs,
}

#[track_caller]
fn check(line: &str, expected: &Expect) {
    let words = std::iter::once("dall").chain(line.split_whitespace());
    let said = match parse::<All>(words.map(Into::into).collect()) {
        Ok(All { input, common, search, query, follow }) => format!(
            "{:?} plain={} noColor={} logDir={} regex={:?} max={} query={:?} shutdown={}",
            input.arguments,
            common.plain,
            common.no_color,
            common.log_dir.display(),
            search.regex,
            search.max,
            query.query,
            follow.shutdown_after
        ),
        Err(NotParsed::Help(help)) => help.lines().next().unwrap_or_default().to_owned(),
        Err(NotParsed::Error(line)) => line,
    };
    expected.assert_eq(&said);
}

#[test]
fn every_spelling_of_a_flag_is_known() {
    let same = expect![[
        r#"["f"] plain=true noColor=true logDir=d regex=None max=3 query=None shutdown=5"#
    ]];
    check("-plain -noColor -logDir d -max=3 -shutdownAfter 5 f", &same);
    check("--plain --no-color --log-dir=d --max 3 --shutdown-after 5 f", &same);
    check("f -shutdown-after=5 -max=3 -no-color=t -plain=1 -logDir d", &same);
}

#[test]
fn the_last_of_a_repeated_flag_counts() {
    check(
        "-plain -regex a -max 1 -plain=false -max 2 -regex -b",
        &expect![[
            r#"[] plain=false noColor=false logDir=~/log regex=Some("-b") max=2 query=None shutdown=86400"#
        ]],
    );
}

#[test]
fn complaints_are_one_line() {
    check("-zope", &expect!["unexpected argument '--zope' found"]);
    check(
        "-plian",
        &expect!["unexpected argument '--plian' found; tip: a similar argument exists: '--plain'"],
    );
    check(
        "-plain=maybe",
        &expect!["unexpected value 'maybe' for '--plain' found; no more were expected"],
    );
    check(
        "-max -3",
        &expect!["invalid value '-3' for '--max <MATCHES>': invalid digit found in string"],
    );
    check("-regex", &expect!["a value is required for '--regex <REGEX>' but none was supplied"]);
    check(
        "-logger loud",
        &expect!["invalid value 'loud' for '--logger <NAME>': use one of none stdout file fout"],
    );
    check(
        "-color blue",
        &expect![
            "invalid value 'blue' for '--color <WHEN>'; [possible values: auto, always, never]"
        ],
    );
}

#[track_caller]
fn check_search(line: &str, expected: &Expect) {
    let words = std::iter::once("dall").chain(line.split_whitespace());
    let said = match parse::<All>(words.map(Into::into).collect()) {
        Ok(All { input, search, follow, .. }) => format!(
            "{:?} regexp={:?} ignore={} only={} max={} around={:?}/{:?}/{} lines={:?} bytes={:?}",
            input.arguments,
            search.regexp,
            search.ignore_case,
            search.only_matching,
            search.max,
            search.before,
            search.after,
            search.context,
            follow.lines,
            follow.bytes
        ),
        Err(NotParsed::Help(_)) => "help".to_owned(),
        Err(NotParsed::Error(line)) => line,
    };
    expected.assert_eq(&said);
}

#[test]
fn letters_are_greps_and_tails() {
    check_search(
        "-oi -e a -eb -e -x -m3 f",
        &expect![[
            r#"["f"] regexp=["a", "b", "-x"] ignore=true only=true max=3 around=None/None/0 lines=None bytes=None"#
        ]],
    );
    check_search(
        "-A3 -B 2 -C1 -max 3 f",
        &expect![[
            r#"["f"] regexp=[] ignore=false only=false max=3 around=Some(2)/Some(3)/1 lines=None bytes=None"#
        ]],
    );
    check_search(
        "-after-context=3 --before-context 2 --maxCount 1 f",
        &expect![[
            r#"["f"] regexp=[] ignore=false only=false max=1 around=Some(2)/Some(3)/0 lines=None bytes=None"#
        ]],
    );
    check_search(
        "-f -F -n 5 f",
        &expect![[
            r#"["f"] regexp=[] ignore=false only=false max=0 around=None/None/0 lines=Some(Before(5)) bytes=None"#
        ]],
    );
    check_search(
        "-fn5 f",
        &expect![[
            r#"["f"] regexp=[] ignore=false only=false max=0 around=None/None/0 lines=Some(Before(5)) bytes=None"#
        ]],
    );
    check_search(
        "-n +1 -c 10 f",
        &expect![[
            r#"["f"] regexp=[] ignore=false only=false max=0 around=None/None/0 lines=Some(Beginning) bytes=Some(Before(10))"#
        ]],
    );
    check_search(
        "-lines -5 f",
        &expect![[
            r#"["f"] regexp=[] ignore=false only=false max=0 around=None/None/0 lines=Some(Before(5)) bytes=None"#
        ]],
    );
    check_search(
        "-n +7 f",
        &expect!["invalid value '+7' for '--lines <LINES>': use a number, or +1 for the beginning"],
    );
    check_search(
        "-c 1k f",
        &expect!["invalid value '1k' for '--bytes <BYTES>': use a number, or +1 for the beginning"],
    );
    check_search("-n", &expect!["a value is required for '--lines <LINES>' but none was supplied"]);
}

#[test]
fn help_has_gos_spelling_too() {
    check("-help", &expect!["Has every flag there is"]);
    check("-h", &expect!["Has every flag there is"]);
}
