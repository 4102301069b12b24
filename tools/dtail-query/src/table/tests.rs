//! The bytes of a table on a terminal and of a CSV file.

use expect_test::{Expect, expect};

use super::{Paint, ResultTable, TableStyle};
use crate::fixture;

fn table(query: &str, strict: bool, lines: &str) -> ResultTable {
    let (query, mut aggregator) = fixture::aggregator(query, strict);
    lines.lines().for_each(|line| aggregator.line(line.as_bytes()));
    aggregator.take().table(&query)
}

fn text(table: &ResultTable, style: &TableStyle) -> String {
    let mut text = Vec::new();
    table.write_text(style, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check(query: &str, lines: &str, expected: Expect) {
    let query = format!("{query} logformat generickv");
    let style = TableStyle { limit_warning: Some(Paint::default()), ..TableStyle::default() };
    // Every line of a table ends in a blank, which is hard to see.
    expected.assert_eq(&text(&table(&query, false, lines), &style).replace(" \n", " ⏎\n"));
}

fn many_lines() -> String {
    (1..=12).map(|n| format!("g={}|x={}\n", "y".repeat(n), n * 10)).collect()
}

#[test]
fn a_table_has_dtails_layout() {
    check(
        "select count(x),$hostname,avg(goroutines) group by $hostname",
        "x=1|goroutines=10\nx=1|goroutines=13.25",
        expect![[r#"
            select count(x),$hostname,avg(goroutines) group by $hostname logformat generickv
             count(x) |    $hostname | avg(goroutines) ⏎
            ----------|--------------|-----------------
                    2 | host.example |       11.625000 ⏎

        "#]],
    );
    check(
        "select g",
        "g=\ng=a",
        expect![[r#"
            select g logformat generickv
             g ⏎
            ---
               ⏎
             a ⏎

        "#]],
    );
    check(
        "select g,x",
        "",
        expect![[r#"
            select g,x logformat generickv
             g | x ⏎
            ---|---

        "#]],
    );
}

#[test]
fn columns_are_aligned_whatever_the_alphabet() {
    check(
        "select grün,x group by x",
        "grün=äöü|x=1\ngrün=abc|x=2",
        expect![[r#"
            select grün,x group by x logformat generickv
               grün | x ⏎
            --------|---
                äöü | 1 ⏎
                abc | 2 ⏎

        "#]],
    );
}

#[test]
fn a_terminal_shows_ten_rows_unless_there_is_a_limit() {
    check(
        "select g,count(x) group by g",
        &many_lines(),
        expect![[r#"
            select g,count(x) group by g logformat generickv
            Got 12 results but limited terminal output to 10 rows! Use 'limit' clause to override!
                        g | count(x) ⏎
            --------------|----------
                        y |        1 ⏎
                       yy |        1 ⏎
                      yyy |        1 ⏎
                     yyyy |        1 ⏎
                    yyyyy |        1 ⏎
                   yyyyyy |        1 ⏎
                  yyyyyyy |        1 ⏎
                 yyyyyyyy |        1 ⏎
                yyyyyyyyy |        1 ⏎
               yyyyyyyyyy |        1 ⏎

        "#]],
    );
    check(
        "select g,count(x) group by g limit 11",
        &many_lines(),
        expect![[r#"
            select g,count(x) group by g limit 11 logformat generickv
                        g | count(x) ⏎
            --------------|----------
                        y |        1 ⏎
                       yy |        1 ⏎
                      yyy |        1 ⏎
                     yyyy |        1 ⏎
                    yyyyy |        1 ⏎
                   yyyyyy |        1 ⏎
                  yyyyyyy |        1 ⏎
                 yyyyyyyy |        1 ⏎
                yyyyyyyyy |        1 ⏎
               yyyyyyyyyy |        1 ⏎
              yyyyyyyyyyy |        1 ⏎

        "#]],
    );
    check(
        "select g,count(x) group by g limit 2",
        &many_lines(),
        expect![[r#"
            select g,count(x) group by g limit 2 logformat generickv
                        g | count(x) ⏎
            --------------|----------
                        y |        1 ⏎
                       yy |        1 ⏎

        "#]],
    );
    check(
        "select g,count(x) group by g limit 0",
        &many_lines(),
        expect![[r#"
            select g,count(x) group by g limit 0 logformat generickv
                        g | count(x) ⏎
            --------------|----------

        "#]],
    );
}

#[test]
fn a_csv_file_has_all_rows_unless_there_is_a_limit() {
    let csv = |query: &str, header| {
        let mut csv = Vec::new();
        table(query, false, &many_lines()).write_csv(header, &mut csv).unwrap();
        String::from_utf8(csv).unwrap()
    };
    assert_eq!(csv("select g,sum(x) group by g logformat generickv", true).lines().count(), 13);
    assert_eq!(
        csv("select g,sum(x) group by g limit 2 logformat generickv", false),
        "y,10.000000\nyy,20.000000\n"
    );
    assert_eq!(csv("select g,sum(x) group by g limit 0 logformat generickv", true), "g,sum(x)\n");
}

#[test]
fn csv_values_are_quoted_when_needed_but_never_in_dtail() {
    let csv = |strict| {
        let mut csv = Vec::new();
        let query = "select v,\"`a,b`\",count(*) group by v logformat generickv";
        let table = table(query, strict, "v=a,b\nv=say \"hi\"\nv=plain\nv=c\r\x1b\nv=");
        table.write_csv(true, &mut csv).unwrap();
        String::from_utf8(csv).unwrap().replace('\r', "\\r").replace('\x1b', "\\e")
    };
    expect![[r#"
        v,"a,b",count(*)
        ,,1
        "a,b",,1
        "c\r\e",,1
        plain,,1
        "say ""hi""",,1
    "#]]
    .assert_eq(&csv(false));
    expect![[r#"
        v,a,b,count(*)
        ,,1
        a,b,,1
        c\r\e,,1
        plain,,1
        say "hi",,1
    "#]]
    .assert_eq(&csv(true));
}

#[test]
fn paint_goes_around_every_segment() {
    let paint = |name: &str| Paint { before: format!("<{name}>"), after: format!("</{name}>") };
    let style = TableStyle {
        query: paint("q"),
        header: paint("h"),
        header_sort_key: paint("s"),
        header_group_key: paint("g"),
        header_sort_and_group_key: paint("b"),
        delimiter: paint("d"),
        data: paint("c"),
        limit_warning: Some(paint("w")),
    };
    let query = "select g,count(x),sum(x) group by g order by count(x) logformat generickv";
    let painted = text(&table(query, false, &many_lines()), &style);
    let head: Vec<&str> = painted.lines().take(5).collect();
    expect![[r#"
        <q>select g,count(x),sum(x) group by g order by count(x) logformat generickv</q>
        <w>Got 12 results but limited terminal output to 10 rows! Use 'limit' clause to override!</w>
        <g>            g </g><d>|</d><s> count(x) </s><d>|</d><h>     sum(x) </h>
        <d>--------------</d><d>|</d><d>----------</d><d>|</d><d>------------</d>
        <c>            y </c><d>|</d><c>        1 </c><d>|</d><c>  10.000000 </c>"#]].assert_eq(&head.join("\n"));
    let query = "select g,count(x) group by g order by g logformat generickv";
    let painted = text(&table(query, false, "g=a|x=1"), &style);
    assert!(painted.contains("\n<b> g </b><d>|</d><h> count(x) </h>\n"), "{painted}");
}

#[test]
fn tables_are_equal_when_their_rows_are() {
    let query = "select g,count(x) group by g logformat generickv";
    assert_eq!(table(query, false, "g=a|x=1\ng=b|x=1"), table(query, false, "g=b|x=2\ng=a|x=2"));
    assert_ne!(table(query, false, "g=a|x=1"), table(query, false, "g=a|x=1\ng=a|x=1"));
    assert_ne!(table(query, false, "g=ab|x=1"), table(query, false, "g=a|x=1"));
}

#[test]
fn cells_can_be_read_one_by_one() {
    let table =
        table("select g,count(x) group by g logformat generickv", false, "g=a|x=1\ng=b|x=1");
    assert_eq!(table.rows(), 2);
    assert_eq!(table.titles().collect::<Vec<_>>(), ["g", "count(x)"]);
    assert_eq!((table.cell(0, 0), table.cell(1, 1)), (&b"a"[..], &b"1"[..]));
    assert_eq!(table.limit_warning(), None);
    assert_eq!(ResultTable::default().rows(), 0);
}
