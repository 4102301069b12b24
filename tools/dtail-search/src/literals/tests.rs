//! Which literals are found in expressions.

use expect_test::{Expect, expect};

use super::required;
use crate::parse::parse;
use crate::wish::Wish;

#[track_caller]
fn check(texts: &[&str], expected: &Expect) {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let parsed = parse(&Wish::of(&texts)).expect("the pattern is good");
    let mut shown = String::new();
    for set in required(&parsed.each) {
        let bytes: Vec<String> =
            set.bytes.iter().map(|bytes| bytes.escape_ascii().to_string()).collect();
        shown += &bytes.join("|");
        let flags = [
            (set.fold, " fold"),
            (set.odd, " odd"),
            (set.at_start, " at-start"),
            (set.sure, " sure"),
        ];
        flags.iter().filter(|(set, _)| *set).for_each(|(_, name)| shown += name);
        shown += "\n";
    }
    expected.assert_eq(&shown);
}

#[test]
fn literals_are_sure() {
    check(
        &["abc"],
        &expect![[r#"
        abc at-start sure
    "#]],
    );
    check(
        &["ab", "cd", "ab"],
        &expect![[r#"
        ab|cd at-start sure
    "#]],
    );
    check(
        &["a(b|cd)e?f"],
        &expect![[r#"
            ab|acd at-start
            f
            a at-start
        "#]],
    );
    check(
        &["(?i)Disk"],
        &expect![[r#"
        disk fold odd at-start sure
    "#]],
    );
    check(
        &["[Ee]rror"],
        &expect![[r#"
        error fold at-start
    "#]],
    );
    check(
        &["x[0-3]{2}"],
        &expect![[r#"
        x00|x01|x02|x03|x10|x11|x12|x13|x20|x21|x22|x23|x30|x31|x32|x33 at-start sure
    "#]],
    );
    check(
        &["a\\x0ab", "c"],
        &expect![[r#"
        c at-start sure
    "#]],
    );
}

#[test]
fn borders_and_repetitions_are_not_sure() {
    check(
        &["^ab"],
        &expect![[r#"
        ab at-start
    "#]],
    );
    check(
        &["ab$"],
        &expect![[r#"
        ab at-start
    "#]],
    );
    check(
        &["a\\bb+c"],
        &expect![[r#"
            b
            c
            a at-start
        "#]],
    );
    check(
        &["(?:ab){2,}"],
        &expect![[r#"
        abab at-start
    "#]],
    );
    check(
        &["(?:ab)*c"],
        &expect![[r#"
        c
    "#]],
    );
}

#[test]
fn what_is_within_is_found() {
    check(
        &["(login|logout|backup) action .*failure"],
        &expect![[r#"
            failure
            login action |logout action |backup action  at-start
        "#]],
    );
    check(
        &["duration: 4[0-9]{3}ms"],
        &expect![[r#"
            duration: 4 at-start
            ms
            0|1|2|3|4|5|6|7|8|9
        "#]],
    );
    check(
        &["[a-z]+ took (1|2)[0-9]*s of"],
        &expect![[r#"
             took 
            s of
             took 1| took 2
        "#]],
    );
    check(
        &["(a.*foo|b.*bar)z"],
        &expect![[r#"
            foo|bar
            z
        "#]],
    );
    check(
        &["(?i:warn).*disk"],
        &expect![[r#"
            disk
            warn fold at-start
        "#]],
    );
}

#[test]
fn nothing_is_found_where_nothing_must_be() {
    check(&[".*"], &expect![""]);
    check(&["a|.b*"], &expect![""]);
    check(&["[0-9]*", "abc"], &expect![""]);
    check(&["a*", "b?"], &expect![""]);
    check(&["^$"], &expect![""]);
}
