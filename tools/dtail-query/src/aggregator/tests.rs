//! Queries over lines: aggregates, grouping, conditions, variables, order.

use expect_test::{Expect, expect};

use crate::fixture::{self, stats};

/// Runs over `key=value` lines unless the query names another format.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check(query: &str, lines: &str, expected: Expect) {
    let query = with_format(query);
    expected.assert_eq(&fixture::run(&query, false, lines.as_bytes()));
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check_strict(query: &str, lines: &str, expected: Expect) {
    let query = with_format(query);
    expected.assert_eq(&fixture::run(&query, true, lines.as_bytes()));
}

fn with_format(query: &str) -> String {
    if query.contains("logformat") || query.contains("from") {
        query.to_owned()
    } else {
        format!("{query} logformat generickv")
    }
}

const NUMBERS: &str = "g=a|x=1\ng=b|x=2.5\ng=a|x=3\ng=a|y=7\ng=b|x=-4\ng=|x=0x1p-1";

#[test]
fn every_aggregation_has_its_result() {
    check(
        "select g,count(x),sum(x),min(x),max(x),avg(x),last(x),len(x) group by g",
        NUMBERS,
        expect![[r#"
            g,count(x),sum(x),min(x),max(x),avg(x),last(x),len(x)
            ,1,0.500000,0.500000,0.500000,0.500000,0x1p-1,6.000000
            a,2,4.000000,1.000000,3.000000,2.000000,3,1.000000
            b,2,-1.500000,-4.000000,2.500000,-0.750000,-4,2.000000
        "#]],
    );
}

#[test]
fn percentage_and_percentile_compare_the_groups() {
    check(
        "select g,percentage(x),percentile(x) group by g",
        "g=a|x=1\ng=b|x=2\ng=c|x=1\ng=d|x=4\ng=e|y=1",
        expect![[r#"
            g,percentage(x),percentile(x)
            a,12.500000,60.000000
            b,25.000000,80.000000
            c,12.500000,60.000000
            d,50.000000,100.000000
            e,0.000000,20.000000
        "#]],
    );
    check(
        "select g,percentage(x),percentile(x) group by g",
        "g=a|x=0\ng=b|x=-0\ng=c|x=nan",
        expect![[r#"
            g,percentage(x),percentile(x)
            a,NaN,66.666667
            b,NaN,66.666667
            c,NaN,0.000000
        "#]],
    );
    check(
        "select g,percentage(x) group by g",
        "g=a|x=1\ng=b|x=-1",
        expect![[r#"
            g,percentage(x)
            a,0.000000
            b,0.000000
        "#]],
    );
}

#[test]
fn averages_are_over_the_lines_that_have_the_field_but_in_dtail_over_all() {
    let lines = "g=a|x=1\ng=a|x=3\ng=a|y=5";
    check(
        "select g,avg(x),count(g) group by g",
        lines,
        expect![[r#"
            g,avg(x),count(g)
            a,2.000000,3
        "#]],
    );
    check_strict(
        "select g,avg(x),count(g) group by g",
        lines,
        expect![[r#"
            g,avg(x),count(g)
            a,1.333333,3
        "#]],
    );
}

#[test]
fn only_aggregations_without_a_group_by_are_over_all_lines_but_not_in_dtail() {
    check(
        "select count(g),avg(x)",
        NUMBERS,
        expect![[r#"
            count(g),avg(x)
            6,0.600000
        "#]],
    );
    check_strict(
        "select count(g),avg(x)",
        NUMBERS,
        expect![[r#"
            count(g),avg(x)
            1,0.500000
            3,1.333333
            2,-0.750000
        "#]],
    );
    check(
        "select count(*)",
        NUMBERS,
        expect![[r#"
            count(*)
            6
        "#]],
    );
    check_strict(
        "select count(*)",
        NUMBERS,
        expect![[r#"
            count(*)
            6
        "#]],
    );
    check(
        "select g,count(x)",
        NUMBERS,
        expect![[r#"
            g,count(x)
            ,1
            a,2
            b,2
        "#]],
    );
    check(
        "select count(x),g",
        NUMBERS,
        expect![[r#"
            count(x),g
            0,a
            1,b
            1,
            1,a
            1,b
            1,a
        "#]],
    );
}

#[test]
fn a_line_without_any_selected_field_makes_no_group() {
    check(
        "select count(x),sum(x) group by g",
        "g=a\ng=b|x=no\n",
        expect![[r#"
            count(x),sum(x)
            1,0.000000
            warning: field "x": 1 value is not a number, first "no"
        "#]],
    );
    check(
        "select count(nothing)",
        NUMBERS,
        expect![[r#"
            count(nothing)
        "#]],
    );
}

#[test]
fn group_keys_are_not_confused_by_commas_but_in_dtail_they_are() {
    let lines = "g=a,b|h=c\ng=a|h=b,c\ng=a|h=b,c\ng=a,b,c\nh=a,b,c";
    check(
        "select count(*) group by g,h",
        lines,
        expect![[r#"
            count(*)
            1
            2
            1
            1
        "#]],
    );
    check_strict(
        "select count(*) group by g,h",
        lines,
        expect![[r#"
            count(*)
            1
            3
            1
        "#]],
    );
    check(
        "select g,h,count(*) group by g,h order by count(*)",
        lines,
        expect![[r#"
            g,h,count(*)
            a,"b,c",2
            ,"a,b,c",1
            "a,b",c,1
            "a,b,c",,1
        "#]],
    );
}

#[test]
fn rows_come_in_the_order_of_their_keys_or_of_a_number() {
    let lines = "g=b|x=1\ng=c|x=3\ng=B|x=2\ng=a|x=3\ng=ä|x=-1\ng=d|x=inf";
    check(
        "select g group by g",
        lines,
        expect![[r#"
            g
            B
            a
            b
            c
            d
            ä
        "#]],
    );
    check(
        "select g,sum(x) group by g order by sum(x)",
        lines,
        expect![[r#"
            g,sum(x)
            d,+Inf
            a,3.000000
            c,3.000000
            B,2.000000
            b,1.000000
            ä,-1.000000
        "#]],
    );
    check(
        "select g,sum(x) group by g rorder by sum(x) limit 3",
        lines,
        expect![[r#"
            g,sum(x)
            ä,-1.000000
            b,1.000000
            B,2.000000
        "#]],
    );
    check(
        "select g,x group by g order by x limit 2",
        lines,
        expect![[r#"
            g,x
            B,2
            a,3
        "#]],
    );
    check(
        "select g group by g limit 0",
        lines,
        expect![[r#"
            g
        "#]],
    );
}

#[test]
fn conditions_compare_numbers() {
    let passes = |condition: &str| {
        let lines = "x=-1\nx=1\nx=2\nx=abc\ny=1\nx=inf|y=inf\nx=nan\nx=1e0|y=1.0";
        let result = fixture::run(
            &format!("select count(*),$line group by $line where {condition} logformat generickv"),
            false,
            lines.as_bytes(),
        );
        let lines = result.lines().filter_map(|line| line.strip_prefix("1,"));
        lines.collect::<Vec<_>>().join(" ")
    };
    let conditions = "x == 1;x != 1;x < 1;x <= 1;x =< 1;x > 1;x >= 1;x => 1;1 < x;x == y;2 > 1;\
                      x == inf;missing != 1;x > 0 and x < 2;x > 0, y > 0;x != x";
    let actual: Vec<String> =
        conditions.split(';').map(|it| format!("{it}: {}", passes(it))).collect();
    expect![[r#"
        x == 1: x=1 x=1e0|y=1.0
        x != 1: x=-1 x=2 x=inf|y=inf x=nan
        x < 1: x=-1
        x <= 1: x=-1 x=1 x=1e0|y=1.0
        x =< 1: x=-1 x=1 x=1e0|y=1.0
        x > 1: x=2 x=inf|y=inf
        x >= 1: x=1 x=1e0|y=1.0 x=2 x=inf|y=inf
        x => 1: x=1 x=1e0|y=1.0 x=2 x=inf|y=inf
        1 < x: x=2 x=inf|y=inf
        x == y: x=1e0|y=1.0 x=inf|y=inf
        2 > 1: x=-1 x=1 x=1e0|y=1.0 x=2 x=abc x=inf|y=inf x=nan y=1
        x == inf: x=inf|y=inf
        missing != 1: 
        x > 0 and x < 2: x=1 x=1e0|y=1.0
        x > 0, y > 0: x=1e0|y=1.0 x=inf|y=inf
        x != x: x=nan"#]]
    .assert_eq(&actual.join("\n"));
}

#[test]
fn conditions_compare_texts() {
    let passes = |condition: &str| {
        let lines = "x=abc\nx=ab|y=b\nx=\nx=b|y=b\ny=b";
        let result = fixture::run(
            &format!("select count(*),$line group by $line where {condition} logformat generickv"),
            false,
            lines.as_bytes(),
        );
        let lines = result.lines().filter_map(|line| line.strip_prefix("1,"));
        lines.collect::<Vec<_>>().join(" ")
    };
    let conditions = "x eq \"abc\";x ne \"abc\";x EQ y;x ne y;x contains \"b\";x contains y;\
                      x ncontains \"b\";x lacks \"b\";x hasprefix \"a\";x nhasprefix \"a\";\
                      x hassuffix y;x nhassuffix \"b\";\"b\" eq y;x eq \"\";x contains \"\";\
                      \"`x`\" eq \"b\";x eq b";
    let actual: Vec<String> =
        conditions.split(';').map(|it| format!("{it}: {}", passes(it))).collect();
    expect![[r#"
        x eq "abc": x=abc
        x ne "abc": x= x=ab|y=b x=b|y=b
        x EQ y: x=b|y=b
        x ne y: x=ab|y=b
        x contains "b": x=abc x=ab|y=b x=b|y=b
        x contains y: x=ab|y=b x=b|y=b
        x ncontains "b": x=
        x lacks "b": x=
        x hasprefix "a": x=abc x=ab|y=b
        x nhasprefix "a": x= x=b|y=b
        x hassuffix y: x=ab|y=b x=b|y=b
        x nhassuffix "b": x= x=abc
        "b" eq y: x=ab|y=b x=b|y=b y=b
        x eq "": x=
        x contains "": x= x=abc x=ab|y=b x=b|y=b
        "`x`" eq "b": x=b|y=b
        x eq b: "#]]
    .assert_eq(&actual.join("\n"));
}

#[test]
fn variables_are_set_in_order_after_the_conditions() {
    check(
        "select $m,$n,$t,$f,$later,count(*) group by $m set $later = $t $t = \"text\" $f = x \
         $m = maskdigits(x) $n = md5sum(maskdigits($m)) $x = $n",
        "x=a1b22\nx=a2b33\nx=\ny=1",
        expect![[r#"
            $m,$n,$t,$f,$later,count(*)
            ,d41d8cd98f00b204e9800998ecf8427e,text,,$t,1
            a.b..,ab442d0d7e00eab74e593b7257284203,text,a2b33,$t,2
            x,9dd4e461268c8034f5c8564e155c67a6,text,x,$t,1
        "#]],
    );
    check(
        "select $m,count(*) group by $m set $m = md5sum($line) where $m ne \"\"",
        "x=1",
        expect![[r#"
            $m,count(*)
        "#]],
    );
    check(
        "select sum($two),sum(x) set $two = 2 $x = 3",
        "x=1\nx=1",
        expect![[r#"
            sum($two),sum(x)
            4.000000,2.000000
        "#]],
    );
}

#[test]
fn a_quoted_value_is_a_text_but_in_dtail_perhaps_a_field() {
    let query = "select $v,count(*) group by $v set $v = \"x\"";
    check(
        query,
        "x=1\ny=1",
        expect![[r#"
            $v,count(*)
            x,2
        "#]],
    );
    check_strict(
        query,
        "x=1\ny=1",
        expect![[r#"
            $v,count(*)
            1,1
            x,1
        "#]],
    );
}

#[test]
fn variables_may_replace_what_the_line_has() {
    check(
        "select $line,count(x) group by $line set $line = maskdigits($line) $x = 5",
        "x=1\nx=2",
        expect![[r#"
            $line,count(x)
            x=.,2
        "#]],
    );
    check(
        "select $line,x,$hostname set $line = maskdigits($line) $hostname = x",
        "x=1\nx=2",
        expect![[r#"
            $line,x,$hostname
            x=.,2,2
        "#]],
    );
}

#[test]
fn values_that_are_no_numbers_are_counted_once_per_line() {
    check(
        "select sum(x),max(x),avg(y),count(x) group by g",
        "g=a|x=abc|y=1\ng=a|x=1_000|y=1e999\ng=a|x=|y=2\ng=a|x=4|y=\u{1b}[0m\ng=a|x=6",
        expect![[r#"
            sum(x),max(x),avg(y),count(x)
            10.000000,6.000000,1.500000,5
            warning: field "x": 3 values are not numbers, first "abc"
            warning: field "y": 2 values are not numbers, first "1e999"
        "#]],
    );
    check(
        "select count(*) where x > 1 and x < 3",
        "x=a\nx=2\nx=b",
        expect![[r#"
            count(*)
            1
            warning: field "x": 2 values are not numbers, first "a"
        "#]],
    );
}

#[test]
fn numbers_beyond_all_bounds_print_as_go_does() {
    check(
        "select g,sum(x),min(x),max(x) group by g",
        "g=a|x=inf\ng=a|x=1\ng=b|x=-inf\ng=c|x=nan\ng=c|x=1\ng=d|x=inf\ng=d|x=-inf",
        expect![[r#"
            g,sum(x),min(x),max(x)
            a,+Inf,1.000000,+Inf
            b,-Inf,-Inf,-Inf
            c,NaN,1.000000,1.000000
            d,NaN,-Inf,+Inf
        "#]],
    );
}

#[test]
fn the_table_decides_which_lines_must_be_given() {
    let filter = |from: &str| {
        let (_, aggregator) = fixture::aggregator(&format!("select x {from}"), false);
        aggregator.line_filter().map(|it| String::from_utf8_lossy(it).into_owned())
    };
    assert_eq!(filter("from stats").as_deref(), Some("|MAPREDUCE:STATS|"));
    assert_eq!(filter("from *").as_deref(), Some("|MAPREDUCE:"));
    assert_eq!(filter("from ."), None);
    assert_eq!(filter(""), None);
    assert_eq!(filter("logformat csv"), None);
}

#[test]
fn dtails_example_query_works() {
    let lines = [stats("10", "a=1"), stats("15", "a=2"), stats("7", "b=2")].join("\n");
    let query = "from STATS select count($line),$hostname,avg($goroutines) group by $hostname";
    check(
        query,
        &lines,
        expect![[r#"
            count($line),$hostname,avg($goroutines)
            3,host.example,10.666667
        "#]],
    );
    check_strict(
        query,
        &lines,
        expect![[r#"
            count($line),$hostname,avg($goroutines)
            3,host.example,10.666667
        "#]],
    );
}
