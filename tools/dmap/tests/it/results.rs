//! What dmap prints, byte for byte.

use dtail_testkit::{Scratch, Stdin, inputs};
use expect_test::{Expect, expect};

use crate::{STATS, dmap};

/// What is printed for `STATS` in `stats.log`, with `^` for the escape character.
#[track_caller]
fn check(query: &str, arguments: &[&str], expected: &Expect) {
    let scratch = Scratch::new();
    scratch.write("stats.log", STATS);
    let finished = dmap(&scratch, &["--query", query, "stats.log"]).args(arguments).run();
    finished.exits(0).says("");
    expected.assert_eq(&finished.stdout_text());
}

#[test]
fn results_are_tables() {
    check(
        "from STATS select host,count($line),avg(currentConnections),max($goroutines) \
         group by host order by count($line)",
        &[],
        &expect![[r#"
            from STATS select host,count($line),avg(currentConnections),max($goroutines) group by host order by count($line)
             host | count($line) | avg(currentConnections) | max($goroutines) 
            ------|--------------|-------------------------|------------------
                a |            2 |                0.000000 |        20.000000 
                b |            2 |                3.000000 |        20.000000 

        "#]],
    );
}

#[test]
fn aggregates_alone_are_about_all_lines_unless_dtail_is_wanted() {
    let query = "from STATS select count(host),min(currentConnections),avg(currentConnections)";
    check(
        query,
        &[],
        &expect![[r#"
        from STATS select count(host),min(currentConnections),avg(currentConnections)
         count(host) | min(currentConnections) | avg(currentConnections) 
        -------------|-------------------------|-------------------------
                   4 |                0.000000 |                2.000000 

    "#]],
    );
    check(
        query,
        &["--strict-dtail"],
        &expect![[r#"
        from STATS select count(host),min(currentConnections),avg(currentConnections)
         count(host) | min(currentConnections) | avg(currentConnections) 
        -------------|-------------------------|-------------------------
                   2 |                0.000000 |                0.000000 
                   2 |                2.000000 |                3.000000 

    "#]],
    );
}

#[test]
fn conditions_and_assignments_are_applied() {
    check(
        "from STATS select $masked,sum(currentConnections) where currentConnections > 0 and \
         host ne \"a\" set $masked = maskdigits($time) group by $masked limit 3",
        &[],
        &expect![[r#"
            from STATS select $masked,sum(currentConnections) where currentConnections > 0 and host ne "a" set $masked = maskdigits($time) group by $masked limit 3
                 $masked | sum(currentConnections) 
            -------------|-------------------------
             ....-...... |                6.000000 

        "#]],
    );
}

#[test]
fn a_result_without_rows_is_not_printed() {
    check("from NOTHING select count($line)", &[], &expect![[""]]);
}

#[test]
fn ten_rows_are_shown_unless_told_otherwise() {
    let scratch = Scratch::new();
    let lines: String = (10..25).map(|number| format!("n={number}\n")).collect();
    scratch.write("n.log", &lines);
    let query = "select n,count(n) group by n order by count(n) logformat generickv";
    let finished = dmap(&scratch, &[query, "n.log"]).run();
    finished.exits(0).must(finished.stdout_text().lines().count() == 14, "ten rows").says(
        "dmap: warning: Got 15 results but limited terminal output to 10 rows! \
         Use 'limit' clause to override!\n",
    );
    let quiet = dmap(&scratch, &["-quiet", query, "n.log"]).run();
    quiet.exits(0).says("").prints(&finished.stdout);
    let strict = dmap(&scratch, &["--strict-dtail", query, "n.log"]).run();
    let warning = "CLIENT|testhost|WARN|Got 15 results but limited terminal output to 10 rows! \
                   Use 'limit' clause to override!";
    strict.exits(0).says("").must(strict.stdout_text().lines().nth(1) == Some(warning), "line 2");
    let all = dmap(&scratch, &[&format!("{query} limit 15"), "n.log"]).run();
    all.exits(0).says("").must(all.stdout_text().lines().count() == 19, "all rows");
}

#[test]
fn the_test_mode_has_dtails_colours() {
    let scratch = Scratch::new();
    scratch.write("stats.log", STATS);
    let query = "from STATS select $hostname,count($line) group by $hostname order by count($line)";
    let finished = dmap(&scratch, &[query, "stats.log"]).test_mode().run();
    finished.exits(0).says("");
    expect![[r#"
        ^[39m^[49m^[36m^[40m^[2mfrom STATS select $hostname,count($line) group by $hostname order by count($line)^[0m^[49m^[39m^[49m^[39m
        ^[37m^[44m^[1m^[7m       $hostname ^[0m^[49m^[39m^[37m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1m^[4m count($line) ^[0m^[49m^[39m
        ^[37m^[44m^[2m-----------------^[0m^[49m^[39m^[37m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m--------------^[0m^[49m^[39m
        ^[37m^[44m integrationtest ^[49m^[39m^[37m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m            4 ^[49m^[39m

    "#]].assert_eq(&finished.stdout_text().replace('\x1b', "^"));
}

#[test]
fn the_query_is_an_argument_and_input_may_be_piped() {
    let scratch = Scratch::new();
    let query = "SELECT count($line)";
    let expected = "SELECT count($line)\n count($line) \n--------------\n            2 \n\n";
    let stdin = || Stdin::Bytes(b"a\nb\n".to_vec());
    dmap(&scratch, &[query]).stdin(stdin()).run().exits(0).prints(expected);
    dmap(&scratch, &["-query", query, "-"]).stdin(stdin()).run().exits(0).prints(expected);
    dmap(&scratch, &["-files=-", query]).stdin(stdin()).run().exits(0).prints(expected);
    // The second is a file.
    dmap(&scratch, &[query, "select y"])
        .run()
        .exits(2)
        .says("dmap: cannot open select y: No such file or directory\n");
}

#[test]
fn compressed_files_are_aggregated() {
    let scratch = Scratch::new();
    scratch.write("a.gz", inputs::gzip());
    scratch.write("a.zst", inputs::zstd());
    let finished = dmap(&scratch, &["select count($line)", "a.*"]).run();
    finished.exits(0).must(finished.stdout_text().contains("         4000 \n"), "both files");
}

#[test]
fn every_line_of_real_logs_is_counted() {
    for log in inputs::real_logs() {
        let scratch = Scratch::new();
        let bytes = std::fs::read(&log).unwrap();
        let lines = bytes.strip_suffix(b"\n").unwrap_or(&bytes).split(|it| *it == b'\n').count();
        let query = "select count($line) logformat generic";
        let finished = dmap(&scratch, &[query, log.to_str().unwrap()]).run();
        let expected = format!("{query}\n count($line) \n--------------\n {lines:>12} \n\n");
        finished.exits(0).prints(expected).says("");
    }
}
