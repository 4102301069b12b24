//! Results in other forms than DTail's, and explained queries.

use dtail_testkit::Scratch;
use expect_test::{Expect, expect};

use crate::{STATS, dmap};

const QUERY: &str = "from STATS select host,count($line),avg(currentConnections) group by host";

/// Standard output, or a complaint, for a form and what follows the query.
#[track_caller]
fn check(form: &str, clause: &str, log: &str, expected: &Expect) {
    let scratch = Scratch::new();
    scratch.write("a.log", log);
    let query = format!("{QUERY} {clause}");
    let finished = dmap(&scratch, &["--output", form, &query, "a.log"]).run();
    expected.assert_eq(&format!("{}{}", finished.stdout_text(), finished.stderr_text()));
}

#[test]
fn json_is_an_array_and_jsonl_is_not() {
    check(
        "json",
        "",
        STATS,
        &expect![[r#"
            [
            {"host":"a","count($line)":2,"avg(currentConnections)":0.000000},
            {"host":"b","count($line)":2,"avg(currentConnections)":3.000000}
            ]
        "#]],
    );
    check(
        "jsonl",
        "limit 1",
        STATS,
        &expect![[r#"
            {"host":"a","count($line)":2,"avg(currentConnections)":0.000000}
        "#]],
    );
}

#[test]
fn no_rows_are_still_a_result() {
    check(
        "json",
        "",
        "nothing\n",
        &expect![[r#"
        [
        ]
    "#]],
    );
    check(
        "csv",
        "",
        "nothing\n",
        &expect![[r#"
        host,count($line),avg(currentConnections)
    "#]],
    );
}

#[test]
fn interim_results_are_never_printed_for_programs() {
    check(
        "csv",
        "interval 1",
        STATS,
        &expect![[r#"
            host,count($line),avg(currentConnections)
            a,2,0.000000
            b,2,3.000000
        "#]],
    );
}

#[test]
fn what_cannot_be_written_so_is_refused() {
    check(
        "json",
        "outfile append x",
        STATS,
        &expect![[r#"
            error: nothing can be appended to a JSON array: use --output jsonl
        "#]],
    );
    check(
        "xml",
        "",
        STATS,
        &expect![[r#"
            error: invalid value 'xml' for '--output <FORM>'; [possible values: json, jsonl, csv, tsv, markdown, parquet] (see dmap --help)
        "#]],
    );
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_is_refused_by_a_build_without_it() {
    check(
        "parquet",
        "outfile x",
        STATS,
        &expect![[r#"
            error: --output parquet: this build is without it; build with --features parquet, or use --output jsonl
        "#]],
    );
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_is_written_whole() {
    let scratch = Scratch::new();
    scratch.write("a.log", STATS);
    let query = format!("{QUERY} outfile out.parquet");
    dmap(&scratch, &["--output", "parquet", &query, "a.log"]).run().exits(0).prints("").says("");
    let bytes = scratch.read("out.parquet");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}

#[test]
fn an_outfile_has_the_same_form_and_titles_once() {
    let scratch = Scratch::new();
    scratch.write("a.log", STATS);
    for (form, expected) in [
        ("jsonl", "{\"host\":\"a\",\"count($line)\":2}\n{\"host\":\"a\",\"count($line)\":2}\n"),
        ("tsv", "host\tcount($line)\na\t2\na\t2\n"),
        ("markdown", "| host | count($line) |\n| --- | ---: |\n| a | 2 |\n| a | 2 |\n"),
    ] {
        let query = format!(
            "from STATS select host,count($line) group by host limit 1 \
             interval 1 outfile append out.{form}"
        );
        for _ in 0..2 {
            dmap(&scratch, &["--output", form, &query, "a.log"]).run().exits(0).prints("").says("");
        }
        let name = format!("out.{form}");
        assert_eq!(String::from_utf8_lossy(&scratch.read(&name)), expected);
    }
    let temporary = std::fs::read_dir(scratch.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|it| it == "tmp"));
    assert_eq!(temporary.count(), 0, "no temporary file is left");
}

#[test]
fn a_query_is_explained_and_not_carried_out() {
    let scratch = Scratch::new();
    scratch.write("a.csv", "user,bytes\nann,5\nbob,\n");
    let query = "select user,sum(bytes) group by user logformat csv outfile out.csv";
    let finished = dmap(&scratch, &["--explain", query, "a.csv"]).run();
    let printed = finished.exits(0).stdout_text();
    finished.must(printed.contains("csv"), "the log format is named");
    let fields = printed.split_once("fields in ").unwrap().1;
    let words: Vec<&str> = fields.split_whitespace().collect();
    assert_eq!(words.join(" "), "2 lines of a.csv: user 100% ann bytes 100% 5");
    assert!(!scratch.path().join("out.csv").exists());
    let finished = dmap(&scratch, &["--explain", query, "none.csv"]).run();
    finished.exits(2).must(finished.stderr_text().contains("none.csv"), "the file is named");
}
