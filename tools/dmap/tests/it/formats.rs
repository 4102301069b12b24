//! Which fields dmap finds in which log format.

use dtail_testkit::Scratch;
use expect_test::{Expect, expect};

use crate::{STATS, dmap};

/// The rows for `log`, without query, titles and outer blanks.
#[track_caller]
fn check(log: &str, query: &str, expected: &Expect) {
    let scratch = Scratch::new();
    scratch.write("a.log", log);
    let finished = dmap(&scratch, &["--query", query, "a.log"]).run();
    let printed = finished.exits(0).stdout_text();
    expected.assert_eq(&printed.lines().skip(3).map(str::trim).collect::<Vec<_>>().join("\n"));
}

#[test]
fn default_has_dtails_fields() {
    check(
        STATS,
        "from STATS select $severity,$caller,$loadavg,$uptime,last($time),$hostname group by $time limit 1",
        &expect![[r#"
            INFO | stats.go:56 |     0.21 | 471h0m21s | 1002-071143 |  testhost
        "#]],
    );
}

#[test]
fn generic_has_the_line_only() {
    check(
        "x\ny\nx\n",
        "select $line,count($line) group by $line order by count($line)",
        &expect![[r#"
            x |            2
            y |            1
        "#]],
    );
}

#[test]
fn generickv_has_every_key() {
    check(
        "a=1|b=x|noise\na=2|b=y=z\n",
        "select b,sum(a) group by b logformat generickv",
        &expect![[r#"
            x | 1.000000
            y=z | 2.000000
        "#]],
    );
}

#[test]
fn csv_has_the_columns_of_its_header_and_may_be_quoted() {
    check(
        "user,bytes\nann,5\n\"bob, jr\",7\nann,6\n",
        "select user,sum(bytes),avg(bytes) group by user logformat csv",
        &expect![[r#"
            ann |  11.000000 |   5.500000
            bob, jr |   7.000000 |   7.000000
        "#]],
    );
}

#[test]
fn every_file_has_its_own_csv_header() {
    let scratch = Scratch::new();
    scratch.write("x/a.csv", "k,v\none,1\n");
    scratch.write("y/a.csv", "v,k\n2,two\n");
    let query = "select k,sum(v) group by k logformat csv";
    let finished = dmap(&scratch, &[query, "*/a.csv"]).run();
    expect![[r#"
        select k,sum(v) group by k logformat csv
           k |   sum(v) 
        -----|----------
         one | 1.000000 
         two | 2.000000 

    "#]]
    .assert_eq(&finished.exits(0).says("").stdout_text());
}

#[test]
fn the_configuration_names_the_format_of_queries_with_from() {
    let scratch = Scratch::new();
    scratch.write("c.json", r#"{"Server": {"MapreduceLogFormat": "generickv"}}"#);
    scratch.write("a.log", "a=1\na=2\n");
    let finished = dmap(&scratch, &["-cfg=c.json", "from . select sum(a)", "a.log"]).run();
    finished.exits(0).must(finished.stdout_text().contains("3.000000"), "the sum");
}

#[test]
fn the_configuration_may_name_formats_of_its_own() {
    let scratch = Scratch::new();
    let formats = r#"{"mine": "^(?P<who>\\w+) took (?P<ms>\\d+)$", "bad": "("}"#;
    scratch.write("c.json", format!(r#"{{"Common": {{"LogFormats": {formats}}}}}"#));
    scratch.write("a.log", "ann took 5\nbob took 7\nann took 2\n");
    let query = "select who,sum(ms) group by who logformat mine";
    let finished = dmap(&scratch, &["-cfg=c.json", query, "a.log"]).run();
    finished.exits(0).must(finished.stdout_text().contains("ann | 7.000000"), "the sum");
    let query = "select $who logformat mine";
    let finished = dmap(&scratch, &["-cfg=c.json", query, "a.log"]).run();
    let warned = finished.stderr_text().contains("$who is not a known variable for log format");
    finished.exits(0).must(warned, "a hint");
    let finished = dmap(&scratch, &["-cfg=c.json", "select a logformat bad", "a.log"]).run();
    finished
        .exits(2)
        .must(finished.stderr_text().contains("log format \"bad\": bad regular expression"), "why");
}
