//! Every log format: which fields a line has, which lines do not fit, and that no bytes are feared.

use expect_test::{Expect, expect};

use crate::{
    LogFormat, Query, UserFormats,
    fixture::{self, stats},
    random::Random,
};

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check(query: &str, lines: &str, expected: Expect) {
    expected.assert_eq(&fixture::run(query, false, lines.as_bytes()).replace('\r', "␍"));
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check_strict(query: &str, lines: &str, expected: Expect) {
    expected.assert_eq(&fixture::run(query, true, lines.as_bytes()).replace('\r', "␍"));
}

#[test]
fn the_format_is_chosen_by_name_table_and_configuration() {
    let chosen = |query: &str, default: &str| {
        let query = Query::parse(query).unwrap();
        match LogFormat::choose(&query, default, &UserFormats::default()) {
            Ok(format) => format!("{format:?}"),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(chosen("select x", "default"), "Generic");
    assert_eq!(chosen("select x from STATS", "default"), "Default");
    assert_eq!(chosen("select x from STATS", "csv"), "Csv");
    assert_eq!(chosen("select x from STATS logformat generickv", "default"), "GenericKv");
    assert_eq!(chosen("select x logformat csv", "default"), "Csv");
    assert_eq!(
        chosen("select x logformat CSV", "default"),
        "unknown log format \"CSV\" (known: default, generic, generickv, csv, \
         json, jsonl, logfmt, common, combined, syslog)"
    );
    assert_eq!(
        chosen("select x from STATS", "mimecast"),
        "log format \"mimecast\" is not available (available: default, generic, generickv, csv, \
         json, jsonl, logfmt, common, combined, syslog)"
    );
    for stub in ["mimecastgeneric", "custom1", "custom2"] {
        assert!(chosen(&format!("select x logformat {stub}"), "default").contains("not available"));
    }
}

#[test]
fn the_default_format_has_dtails_variables_and_the_keys_of_the_line() {
    check(
        "from STATS select $severity,$loglevel,$time,$date,$hour,$minute,$second,$pid,$caller,\
         $cpus,$goroutines,$cgocalls,$loadavg,$uptime",
        &stats("13", "a=1"),
        expect![[r#"
            $severity,$loglevel,$time,$date,$hour,$minute,$second,$pid,$caller,$cpus,$goroutines,$cgocalls,$loadavg,$uptime
            INFO,INFO,20211002-071143,20211002,07,11,43,1,stats.go:56,8,13,7,0.21,471h0m21s
        "#]],
    );
    check(
        "from STATS select $line,$empty,$hostname,$server,$timezone,$timeoffset,*,a,b,c,missing",
        &format!("{}\u{a0}\t\r\r", stats("13", "a=1|b=x=y|c=|a=2")),
        expect![[r#"
            $line,$empty,$hostname,$server,$timezone,$timeoffset,*,a,b,c,missing
            INFO|20211002-071143|1|stats.go:56|8|13|7|0.21|471h0m21s|MAPREDUCE:STATS|a=1|b=x=y|c=|a=2,,host.example,host.example,CEST,7200,*,"2 	␍",x=y,,
        "#]],
    );
}

#[test]
fn a_carriage_return_ends_a_line_but_in_dtail_its_last_field() {
    let lines = format!("{}\r\n{}\r", stats("1", "a=1|b=2"), stats("1", "a=1|b=3"));
    check(
        "from STATS select a,sum(b) group by a",
        &lines,
        expect![[r#"
            a,sum(b)
            1,5.000000
        "#]],
    );
    check_strict(
        "from STATS select a,sum(b) group by a",
        &lines,
        expect![[r#"
            a,sum(b)
            1,0.000000
            warning: field "b": 2 values are not numbers, first "2\r"
        "#]],
    );
}

#[test]
fn only_a_full_time_has_parts() {
    let line = stats("13", "a=1").replace("20211002-071143", "1002-071143");
    check(
        "from STATS select $time,$date,$hour,count($minute)",
        &line,
        expect![[r#"
            $time,$date,$hour,count($minute)
            1002-071143,,,0
        "#]],
    );
}

#[test]
fn a_key_may_replace_a_variable() {
    check(
        "from STATS select $hostname,$pid,*",
        &stats("1", "$hostname=h|$pid=5|*=star"),
        expect![[r#"
            $hostname,$pid,*
            h,5,star
        "#]],
    );
}

#[test]
fn lines_that_do_not_fit_the_default_format_are_counted() {
    let lines = [
        stats("1", "a=1"),
        "WARN|20211002-071143|x".to_owned(),
        "INFO|20211002-071143|x".to_owned(),
        stats("1", "a=2").replace("|a=2", ""),
        stats("1", "a=2").replace("MAPREDUCE:", "mapreduce:"),
        stats("1", "a=3|b"),
        stats("1", "a=4|"),
        stats("1", "=|a=5"),
    ];
    check(
        "from STATS select count(*),last(a)",
        &lines.join("\n"),
        expect![[r#"
            count(*),last(a)
            2,5
            warning: 1 line does not fit log format "default" (not beginning with INFO), first "WARN|20211002-071143|x"
            warning: 2 lines do not fit log format "default" (less than 11 fields), first "INFO|20211002-071143|x"
            warning: 1 line does not fit log format "default" (field 10 not beginning with MAPREDUCE:), first "INFO|20211002-071143|1|stats.go:56|8|1|7|0.21|471h0m21s|mapr…"
            warning: 2 lines do not fit log format "default" (a field without =), first "INFO|20211002-071143|1|stats.go:56|8|1|7|0.21|471h0m21s|MAPR…"
        "#]],
    );
}

#[test]
fn generic_lines_are_only_lines() {
    check(
        "select $line,count($line),sum(a) group by $line",
        "a=1\n  a=1\r\n\u{b}\u{85}x\u{2028}\n\u{e0}\u{85}",
        expect![[r#"
            $line,count($line),sum(a)
            a=1,2,0.000000
            x,1,0.000000
            à,1,0.000000
        "#]],
    );
}

#[test]
fn parts_without_equals_are_skipped_in_key_value_lines() {
    check(
        "select a,b,count(c) group by $line logformat generickv",
        "a=1|b=2|c=x=y\nnothing\n|||\na=|b\n=5|a=3\n",
        expect![[r#"
            a,b,count(c)
            3,,0
            1,2,1
            ,,0
        "#]],
    );
}

#[test]
fn csv_columns_are_named_by_the_first_line_of_each_source() {
    let lines = "a,b,c\n1,2,3\n4,5\n6,7,8,9\n,,\n--- source\nc,a\n30,10";
    check(
        "select a,b,c group by $line logformat csv",
        lines,
        expect![[r#"
            a,b,c
            ,,
            1,2,3
            10,,30
            4,5,
            warning: 1 line does not fit log format "csv" (more fields than the header), first "6,7,8,9"
        "#]],
    );
    check(
        "select count(*),sum(a) logformat csv",
        "a,b",
        expect![[r#"
            count(*),sum(a)
        "#]],
    );
    check(
        "select a logformat csv",
        "a,b,a\n1,2,3\n4,5",
        expect![[r#"
            a
            3
            4
        "#]],
    );
}

#[test]
fn csv_fields_may_be_quoted() {
    check(
        "select name,\"`full name`\",n group by n logformat csv",
        "\u{feff}name,\"full name\",n\r\n\"a,b\",\"say \"\"hi\"\"\",1\r\n\"\",\"x\"y z,2\r\n\
         \"\"\"\",a\"b,3\r\n\r\n\"open,x,4\r\n\"a\"\"open,x,5\r\na,b,6,\"\"\r\nlast,,7",
        expect![[r#"
            name,full name,n
            "a,b","say ""hi""",1
            ,xy z,2
            """","a""b",3
            last,,7
            warning: 1 line does not fit log format "csv" (more fields than the header), first "a,b,6,\"\"\r"
            warning: 2 lines do not fit log format "csv" (a quote that is never closed), first "\"open,x,4\r"
        "#]],
    );
}

/// The quick way for what is needed of a line says what the slow one says, which resets all fields
/// before each line: `$line` makes it do so.
#[test]
fn csv_fields_are_those_of_their_own_line() {
    let mut random = Random::new(41);
    for _ in 0..300 {
        let headers = ["a,b,c\n", "b,x,a\r\n", "x,y,z\n", "a,a\n", "\"a\",c\n", "c,x,b,x,a,x,x\n"];
        let mut text = String::new();
        for _ in 0..1 + random.below(3) {
            text.push_str("--- source\n");
            text.push_str(headers[random.below(headers.len())]);
            for _ in 0..random.below(12) {
                let fields: Vec<&str> = (0..random.below(8))
                    .map(|_| {
                        ["1", "", "22", "\"3\"", "\"4,\"\"\"", "x\"y", "\"open"][random.below(7)]
                    })
                    .collect();
                text.push_str(&fields.join(","));
                text.push_str(["\n", "\r\n"][random.below(2)]);
            }
        }
        let run = |by: &str| {
            let query =
                format!("select a,b,count(c),len(b),count(*) {by} group by a,b logformat csv");
            fixture::run(&query, false, text.as_bytes())
        };
        let (quick, slow) = (run(""), run(" where $line ne \"none\""));
        assert_eq!(quick, slow, "{text:?}");
    }
}

#[test]
fn dtails_csv_knows_neither_quotes_nor_carriage_returns() {
    check_strict(
        "select name,n group by n logformat csv",
        "name,n\r\n\"a\",1\r\n\"a,b\",2\r\n",
        expect![[r#"
            name,n
            ,
        "#]],
    );
    check_strict(
        "select name,\"n\r\" group by name logformat csv",
        "name,n\r\n\"a\",1\r",
        expect![[r#"
            name,n␍
            "a",1␍
        "#]],
    );
}

#[test]
fn csv_results_can_be_read_again() {
    let mut random = Random::new(21);
    for _ in 0..300 {
        let values: Vec<String> = (0..4)
            .map(|_| {
                (0..random.below(6))
                    .map(|_| ["a", ",", "\"", "=", " ", "ü"][random.below(6)])
                    .collect()
            })
            .collect();
        let lines: String = values.iter().map(|it| format!("v={it}|n=1\n")).collect();
        let first = fixture::run(
            "select v,count(n) group by v logformat generickv",
            false,
            lines.as_bytes(),
        );
        // The names of the columns are what the first query calls them.
        let query = "select v,`count(n)` group by v logformat csv";
        let second = fixture::run(query, false, first.as_bytes());
        assert_eq!(first, second, "{values:?}");
    }
}

/// No format fears any bytes: a line is a record, nothing or a misfit.
#[test]
fn no_line_panics() {
    let queries = [
        "from S select $line,$time,$date,a,sum(a),$m group by a,b set $m = maskdigits(md5sum(a))",
        "select $line,len($line) group by $line",
        "select a,b,avg(a) where a > 1 group by b logformat generickv",
        "select a,b,min(a) group by a set $x = maskdigits(a) logformat csv",
    ];
    let pieces: [&[u8]; 14] = [
        b"INFO|20211002-071143|1|s|8|9|7|0.2|4h|MAPREDUCE:S|",
        b"a=",
        b"b=1",
        b"|",
        b"=",
        b",",
        b"\"",
        b"\"\"",
        b"\r",
        b"a,b",
        b"\xff\xe2\x82",
        b"1e3",
        b"\0",
        b"\xe3\x80\x80",
    ];
    let mut random = Random::new(17);
    for query in queries {
        for strict in [false, true] {
            let (query, mut aggregator) = fixture::aggregator(query, strict);
            let mut line = Vec::new();
            for round in 0..20_000 {
                line.clear();
                for _ in 0..random.below(14) {
                    line.extend_from_slice(pieces[random.below(pieces.len())]);
                }
                if round % 3 == 0 {
                    line.extend((0..random.below(9)).map(|_| random.below(256) as u8));
                }
                if round % 100 == 0 {
                    aggregator.start_source();
                }
                aggregator.line(&line);
            }
            let groups = aggregator.take();
            assert!(groups.len() > 1, "{} made no groups", query.text());
            assert!(fixture::csv(&groups, &query).lines().count() > groups.len());
            assert!(
                aggregator.take_warnings().iter().all(|it| it.len() < 1000 && !it.contains('\n'))
            );
        }
    }
}
