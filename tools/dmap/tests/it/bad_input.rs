//! Bad input: one line on standard error, a distinct exit code, nothing lost.

use dtail_testkit::{Scratch, inputs};
use expect_test::{Expect, expect};

use crate::{STATS, dmap};

#[track_caller]
fn check(arguments: &[&str], code: i32, expected: &Expect) {
    let scratch = Scratch::new();
    scratch.write("stats.log", STATS);
    let finished = dmap(&scratch, arguments).run();
    expected.assert_eq(&finished.exits(code).stderr_text());
}

#[test]
fn bad_queries_are_refused_before_anything_is_read() {
    check(
        &["missing.log"],
        2,
        &expect![[r#"
        error: no query given: use --query 'select …' (see dmap --help)
    "#]],
    );
    check(
        &["-query", "", "missing.log"],
        2,
        &expect![[r#"
        error: no query given: use --query 'select …' (see dmap --help)
    "#]],
    );
    check(
        &["-query", "select", "missing.log"],
        2,
        &expect![[r#"
            error: cannot parse query: select at column 1 needs a column, for example count(*) (see dmap --help)
              select
              ^^^^^^
        "#]],
    );
    check(
        &["-query", "count(x)", "missing.log"],
        2,
        &expect![[r#"
            error: cannot parse query: unexpected word "count(x)" at column 1 (expected a clause such as select, from, where) (see dmap --help)
              count(x)
              ^^^^^^^^
        "#]],
    );
}

#[test]
fn errors_show_the_place_in_the_query() {
    check(
        &["select count(x", "missing.log"],
        2,
        &expect![[r#"
            error: cannot parse query: no closing parenthesis for the ( at column 13 (see dmap --help)
              select count(x
                          ^
        "#]],
    );
    check(
        &["select nosuch(x)", "missing.log"],
        2,
        &expect![[r#"
            error: cannot parse query: unknown aggregation or function in the word "nosuch" at column 8 (aggregations: count, sum, min, max, avg, last, len, percentage, percentile, first, median, stddev, variance, rate, histogram) (see dmap --help)
              select nosuch(x)
                     ^^^^^^
        "#]],
    );
    check(
        &["select count(x) where x", "missing.log"],
        2,
        &expect![[r#"
            error: cannot parse query: incomplete condition after the word "x" at column 23 (expected: field operator value) (see dmap --help)
              select count(x) where x
                                    ^
        "#]],
    );
    check(
        &["select count(x) limit many", "missing.log"],
        2,
        &expect![[r#"
            error: cannot parse query: limit needs a whole number, not the word "many" at column 23 (see dmap --help)
              select count(x) limit many
                                    ^^^^
        "#]],
    );
    check(
        &["select count(x) logformat nosuch", "missing.log"],
        2,
        &expect![[r#"
        error: unknown log format "nosuch" (known: default, generic, generickv, csv, json, jsonl, logfmt, common, combined, syslog) (see dmap --help)
    "#]],
    );
}

#[test]
fn what_is_odd_about_a_query_is_a_warning() {
    check(
        &["from STATS select count($line),avg($host)", "stats.log"],
        0,
        &expect![[r#"
            dmap: warning: $host is not a known variable for log format "default"; did you mean bareword host?
        "#]],
    );
}

#[test]
fn dtail_says_so_on_standard_error() {
    let scratch = Scratch::new();
    scratch.write("stats.log", STATS);
    let query = "from STATS select count($line),last($host)";
    let finished = dmap(&scratch, &[query, "stats.log"]).test_mode().run();
    finished.exits(0).says(
        "warning: $host is not a known variable for log format \"default\"; \
         did you mean bareword host?\n",
    );
}

#[test]
fn what_is_odd_about_lines_is_a_warning_not_a_line_each() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a=x\n".repeat(1000) + "a=1\n");
    let finished = dmap(&scratch, &["select sum(a) logformat generickv", "a.log"]).run();
    finished.exits(0).must(finished.stdout_text().contains("1.000000"), "the sum of the others");
    finished.must((1..10).contains(&finished.stderr_text().lines().count()), "a few lines");
}

#[test]
fn missing_files_are_named_and_the_rest_is_aggregated() {
    check(
        &["from STATS select count($line)", "missing.log", "stats.log"],
        3,
        &expect![[r#"
            dmap: cannot open missing.log: No such file or directory
        "#]],
    );
    check(
        &["from STATS select count($line)", "missing.log", "."],
        2,
        &expect![[r#"
        dmap: cannot open missing.log: No such file or directory
        dmap: . is a directory, name files or use a glob
    "#]],
    );
}

#[test]
fn a_broken_archive_is_aggregated_up_to_the_break() {
    let scratch = Scratch::new();
    let gzip = inputs::gzip();
    scratch.write("a.gz", &gzip[..gzip.len() - 4]);
    let finished = dmap(&scratch, &["select count($line)", "a.gz"]).run();
    finished
        .exits(2)
        .must(finished.stdout_text().contains("         2000 \n"), "all lines are there");
}

#[test]
fn any_bytes_can_be_counted_and_grouped() {
    let scratch = Scratch::new();
    scratch.write("a.bin", b"\xff\xfa\n\xff\xfa\n\x00\n");
    let query = "select $line,count($line) group by $line order by count($line)";
    let finished = dmap(&scratch, &[query, "a.bin"]).run();
    let row: &[u8] = b" \xff\xfa |            2 \n";
    let has_row = finished.stdout.windows(row.len()).any(|it| it == row);
    finished.exits(0).must(has_row, "the bytes as they are");
}

#[test]
fn a_line_of_100_mb_is_counted_in_pieces() {
    let scratch = Scratch::new();
    scratch.write("long.log", vec![b'x'; 100_000_000]);
    let finished = dmap(&scratch, &["select count($line)", "long.log"]).run();
    finished.exits(0).must(finished.stdout_text().contains("           96 \n"), "pieces of 1 MiB");
    finished.must(finished.stderr_text().lines().count() == 1, "one warning");
}
