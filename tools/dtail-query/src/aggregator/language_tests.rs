//! What the language has beyond DTail's: conditions, computations, aggregates, clauses.

use expect_test::{Expect, expect};

use crate::{LogFormat, Query, UserFormats, fixture};

/// Runs over `key=value` lines.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check(query: &str, lines: &str, expected: Expect) {
    let query = format!("{query} logformat generickv");
    expected.assert_eq(&fixture::run(&query, false, lines.as_bytes()));
}

/// The values of `n` on the lines that meet a condition.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check_conditions(conditions: &str, lines: &str, expected: Expect) {
    let mut actual = String::new();
    for condition in conditions.lines() {
        let query = format!("select n where {condition} group by n logformat generickv");
        let result = fixture::run(&query, false, lines.as_bytes());
        let rows: Vec<&str> = result.lines().skip(1).collect();
        actual.push_str(&format!("{condition}: {}\n", rows.join(" ")));
    }
    expected.assert_eq(&actual);
}

/// What an expression comes to on one line.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check_values(expressions: &str, line: &str, expected: Expect) {
    let mut actual = String::new();
    for expression in expressions.lines() {
        let query = format!("set $v = {expression}, select $line,$v logformat generickv");
        let result = fixture::run(&query, false, line.as_bytes());
        let mut rows = result.lines().skip(1);
        let row = rows.next().unwrap_or_default();
        actual.push_str(&format!("{expression} → {}\n", &row[line.len() + 1..]));
        rows.for_each(|it| actual.push_str(&format!("  {it}\n")));
    }
    expected.assert_eq(&actual);
}

const LINES: &str = "n=1|s=200|m=GET|u=/a\nn=2|s=404|m=PUT|u=/a/b\nn=3|s=500|m=GET\nn=4|m=get|u=/c";

#[test]
fn conditions_are_combined() {
    check_conditions(
        "s == 404 or s == 500\nnot s == 200\nnot (s == 200 or m eq \"PUT\")\n\
         s > 300 and (m eq \"GET\" or u contains \"b\")\ns == 200 or m eq \"get\" and u eq \"/c\"\n\
         s is missing\nu is present s is present\nnot u is missing and s>=404\ns=200\n\
         m = \"GET\" or m=\"get\"\ns in (200, 500.0)\nm in (\"GET\", \"PUT\")\nm not in (\"GET\")\n\
         s not in (200)\nu like \"/_\"\nu like \"%b\"\nu not like \"/a%\"\nm =~ \"^[A-Z]+$\"\n\
         m !~ \"G\"\nm matches \"(?i)get\"\nlower(m) eq \"get\" length(u) == 2\ns % 100 == 4\n\
         (s - 200) / 2 >= 100\ns+0 = 404\nif(s>=400, \"bad\", \"good\") eq \"bad\"\n\
         s == 200 or s == 404, n < 2",
        LINES,
        expect![[r#"
            s == 404 or s == 500: 2 3
            not s == 200: 2 3
            not (s == 200 or m eq "PUT"): 3
            s > 300 and (m eq "GET" or u contains "b"): 2 3
            s == 200 or m eq "get" and u eq "/c": 1 4
            s is missing: 4
            u is present s is present: 1 2
            not u is missing and s>=404: 2
            s=200: 1
            m = "GET" or m="get": 1 3 4
            s in (200, 500.0): 1 3
            m in ("GET", "PUT"): 1 2 3
            m not in ("GET"): 2 4
            s not in (200): 2 3
            u like "/_": 1 4
            u like "%b": 2
            u not like "/a%": 4
            m =~ "^[A-Z]+$": 1 2 3
            m !~ "G": 2 4
            m matches "(?i)get": 1 3 4
            lower(m) eq "get" length(u) == 2: 1 4
            s % 100 == 4: 2
            (s - 200) / 2 >= 100: 2 3
            s+0 = 404: 
            if(s>=400, "bad", "good") eq "bad": 2 3
            s == 200 or s == 404, n < 2: 1
        "#]],
    );
}

#[test]
fn expressions_have_values() {
    check_values(
        "a + b * 2\n(a + b) * 2\n-a + 1\na / 0\na % 4\n7 - 2 - 1\nlower(t)\nupper(t)\n\
         trim(\"  x \")\nlength(t)\nsubstr(t, 2, 3)\nsubstr(t, -3)\nreplace(t, \"l\", \"L\")\n\
         split(u, \"/\", -1)\nconcat(t, \"-\", a, none)\ncoalesce(none, a, b)\n\
         if(a > b, \"more\", \"less\")\nabs(b - a)\nround(b / 3, 2)\nround(b / 3)\nfloor(b / 3)\n\
         ceil(b / 3)\nsqrt(16)\nlog(exp(1))\nlog10(1000)\nlog2(8)\npow(2, 10)\nleast(a, b)\n\
         greatest(a, b)\nnumber(t)\ntext(a) \nbucket(a, 4)\nbucket(d, 15m)\nbucket(d, 1h)\ntime(d)\n\
         time(d) - time(\"2021-10-02\")\ndate(d)\nhour(d)\nminute(d)\nweekday(d)\n\
         format_time(d, \"%d.%m.%Y %H:%M\")\nhost(\"http://h.example:80/p?q\")\n\
         path_of_url(\"http://h.example:80/p?q\")\nmd5sum(concat(\"a\", \"b\"))\n\
         maskdigits(d)\nextract(u, \"/([a-z]+)/\")\nextract(u, \"x|y$\")\nt + 1\nnone + 1\n\
         if(none > 1, 1, 2)",
        "a=9|b=10|t=Hello Wörld|u=/x/abc/y|d=2021-10-02T07:11:43Z",
        expect![[r#"
            a + b * 2 → 29
            (a + b) * 2 → 38
            -a + 1 → -8
            a / 0 → 
            a % 4 → 1
            7 - 2 - 1 → 4
            lower(t) → hello wörld
            upper(t) → HELLO WÖRLD
            trim("  x ") → x
            length(t) → 11
            substr(t, 2, 3) → ell
            substr(t, -3) → rld
            replace(t, "l", "L") → HeLLo WörLd
            split(u, "/", -1) → y
            concat(t, "-", a, none) → Hello Wörld-9
            coalesce(none, a, b) → 9
            if(a > b, "more", "less") → less
            abs(b - a) → 1
            round(b / 3, 2) → 3.33
            round(b / 3) → 3
            floor(b / 3) → 3
            ceil(b / 3) → 4
            sqrt(16) → 4
            log(exp(1)) → 1
            log10(1000) → 3
            log2(8) → 3
            pow(2, 10) → 1024
            least(a, b) → 9
            greatest(a, b) → 10
            number(t) → 
            text(a)  → 9
            bucket(a, 4) → 8
            bucket(d, 15m) → 2021-10-02 07:00:00
            bucket(d, 1h) → 2021-10-02 07:00:00
            time(d) → 1633158703
            time(d) - time("2021-10-02") → 25903
            date(d) → 2021-10-02
            hour(d) → 7
            minute(d) → 11
            weekday(d) → 6
            format_time(d, "%d.%m.%Y %H:%M") → 02.10.2021 07:11
            host("http://h.example:80/p?q") → h.example
            path_of_url("http://h.example:80/p?q") → /p
            md5sum(concat("a", "b")) → 187ef4436122d1cc2f40dc2b92f0eba0
            maskdigits(d) → ....-..-..T..:..:..Z
            extract(u, "/([a-z]+)/") → x
            extract(u, "x|y$") → x
            t + 1 → 
              warning: field "t": 1 value is not a number, first "Hello Wörld"
            none + 1 → 
            if(none > 1, 1, 2) → 2
        "#]],
    );
}

#[test]
fn columns_are_computed_and_renamed() {
    check(
        "select m as method,count(*) as hits,sum(s) / count(s) as mean,max(s * 2) where s > 0 \
         group by method order by hits desc",
        LINES,
        expect![[r#"
            method,hits,mean,max(s * 2)
            GET,2,350,1000.000000
            PUT,1,404,808.000000
        "#]],
    );
    check(
        "select if(s>=400 and m=\"GET\", \"bad\", \"good\") as k,count(*) group by k",
        LINES,
        expect![[r#"
            k,count(*)
            bad,1
            good,3
        "#]],
    );
    check(
        "select lower(m),count(*),round(avg(s), 1) group by lower(m)",
        LINES,
        expect![[r#"
            lower(m),count(*),"round(avg(s), 1)"
            get,3,350
            put,1,404
        "#]],
    );
}

#[test]
fn new_aggregates_have_results() {
    check(
        "select count(distinct m),first(u),last(u),median(s),percentile(s, 99),stddev(s),\
         variance(s),histogram(s, 100),histogram(s),rate(s, n),rate(*, n)",
        LINES,
        expect![[r#"
            count(distinct m),first(u),last(u),median(s),"percentile(s, 99)",stddev(s),variance(s),"histogram(s, 100)",histogram(s),"rate(s, n)","rate(*, n)"
            3,/a,/c,404.000000,404.000000,153.205744,23472.000000,200..300:1 400..500:1 500..600:1,128..256:1 256..512:2,552.000000,1.333333
        "#]],
    );
    check(
        "select count(distinct x),first(x),median(x),stddev(x),histogram(x),rate(x),count(n)",
        LINES,
        expect![[r#"
            count(distinct x),first(x),median(x),stddev(x),histogram(x),rate(x),count(n)
            0,,,,,,4
        "#]],
    );
}

#[test]
fn groups_are_filtered_ordered_and_distinct() {
    check(
        "select g,count(*),sum(x) having count(*) > 1 and sum(x) < 10 group by g",
        "g=a|x=1\ng=a|x=2\ng=b|x=3\ng=c|x=9\ng=c|x=8",
        expect![[r#"
            g,count(*),sum(x)
            a,2,3.000000
        "#]],
    );
    check(
        "select g,sum(x) as total group by g having total >= 3 order by total asc,g desc",
        "g=a|x=3\ng=b|x=3\ng=c|x=2\ng=d|x=10",
        expect![[r#"
            g,total
            b,3.000000
            a,3.000000
            d,10.000000
        "#]],
    );
    check(
        "select g,h order by h asc,g desc group by g,h",
        "g=a|h=10\ng=b|h=9\ng=c|h=x\ng=d\ng=e|h=9",
        expect![[r#"
            g,h
            d,
            e,9
            b,9
            a,10
            c,x
        "#]],
    );
    check(
        "select distinct g,h",
        "g=a|h=1\ng=a|h=1\ng=b|h=1\ng=a|h=2",
        expect![[r#"
        g,h
        a,1
        a,2
        b,1
    "#]],
    );
    check(
        "select g,count(*) group by g order by max(x) desc",
        "g=a|x=1\ng=b|x=5\ng=c|x=3",
        expect![[r#"
            g,count(*)
            b,1
            c,1
            a,1
        "#]],
    );
    check(
        "select bucket(t, 1m) as minute,count(*) group by minute order by minute asc",
        "t=20211002-071143\nt=20211002-071201\nt=20211002-071159\nt=x",
        expect![[r#"
            minute,count(*)
            ,1
            2021-10-02 07:11:00,2
            2021-10-02 07:12:00,1
        "#]],
    );
}

#[test]
fn values_that_are_no_numbers_are_counted() {
    check(
        "select sum(lower(x))",
        "x=A\nx=5\nx=nan\nx=1e400\nx=\u{1}",
        expect![[r#"
        sum(lower(x))
        NaN
        warning: 3 computed values are not numbers, first "a"
    "#]],
    );
    check(
        "select count(*) where x + 1 > 2",
        "x=\nx=2",
        expect![[r#"
        count(*)
        1
        warning: field "x": 1 value is not a number, first ""
    "#]],
    );
}

#[test]
fn invalid_utf_8_goes_through() {
    let lines = b"g=\xff\xfeA|x=1\ng=\xff\xfeA|x=2";
    let result = fixture::run(
        "select upper(g),length(g),substr(g, 2),sum(x) group by lower(g) logformat generickv",
        false,
        lines,
    );
    expect![[r#"
        upper(g),length(g),"substr(g, 2)",sum(x)
        ��A,3,�A,3.000000
    "#]]
    .assert_eq(&result);
}

#[test]
fn a_query_explains_itself() {
    let explain = |text: &str| {
        let query = Query::parse(text).unwrap();
        query
            .explain(&LogFormat::choose(&query, "default", &UserFormats::default()).unwrap())
            .join("\n")
    };
    expect![[r#"
        log format: default
        table: lines with |MAPREDUCE:STATS|
        prefilter: lines with "ann" or "bob"
        fields read: $hostname, user, bytes, $time, $m
        where: (user eq "ann" or user eq "bob")
        where: bytes > 5
        set: $m = bucket($time, 60s)
        group by: $hostname
        aggregate: last($hostname), keeps a text
        aggregate: count(distinct user), keeps every different value
        aggregate: sum(bytes), keeps an exact sum
        having: count(distinct user) > 1
        column: kib = sum(bytes) / 1024
        order by: kib, largest first
        limit: 5 rows"#]]
    .assert_eq(&explain(
        "from STATS select $hostname,count(distinct user) as users,sum(bytes) / 1024 as kib \
         where (user eq \"ann\" or user eq \"bob\") and bytes > 5 set $m = bucket($time, 1m) \
         group by $hostname having users > 1 order by kib desc limit 5",
    ));
    expect![[r#"
        log format: generickv
        table: every line
        fields read: *
        group by: nothing, all lines are one group
        aggregate: count(*), keeps a counter"#]]
    .assert_eq(&explain("select count(*) logformat generickv"));
}

#[test]
fn what_dtail_cannot_say_is_named() {
    let beyond = |text: &str| Query::parse(text).unwrap().beyond_dtail().unwrap_or_default();
    for dtails in [
        "select x",
        "from STATS select count($line),$hostname,avg($goroutines) group by $hostname",
        "select len(x),percentile(x) where a == 1 and b eq \"c\" set $d = md5sum(e) order by len(x)",
        "select x order by x desc",
    ] {
        assert_eq!(beyond(dtails), "", "{dtails}");
    }
    let named: Vec<String> = [
        "select distinct x",
        "select x having count(*) > 1",
        "select count(*) as n",
        "select median(x)",
        "select sum(x * 2)",
        "select x where a == 1 or b == 2",
        "select x set $a = lower(x)",
        "select x group by lower(x)",
        "select x order by max(x)",
    ]
    .iter()
    .map(|text| beyond(text))
    .collect();
    expect![[r#"
        select distinct
        having
        the column "n"
        the column "median(x)"
        the column "sum(x * 2)"
        where with more than comparisons of fields
        set with more than fields, md5sum and maskdigits
        group by with more than fields
        what rows are ordered by"#]]
    .assert_eq(&named.join("\n"));
}
