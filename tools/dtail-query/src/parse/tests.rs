//! Every clause: what it is read as, what it is refused for.

use expect_test::{Expect, expect};

use crate::{
    Query, UserFormats,
    expression::Expression,
    query::{Aggregate, AssignedValue, Output},
    random::Random,
};

/// Shows what differs from an empty query, or the error.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&shown(text));
}

fn shown(text: &str) -> String {
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(error) => return format!("{error}"),
    };
    let mut lines = Vec::new();
    for it in &query.selections {
        let bare = if it.is_bare { " (bare)" } else { "" };
        let title = &it.title;
        lines.push(match &it.value {
            Output::Aggregate(index) => {
                let Aggregate { aggregation, input, time } = &query.aggregates[*index];
                let time = time.iter().map(|it| format!(" at {it:?}")).collect::<String>();
                let input = field_or_tree(input);
                format!("select {title:?} {aggregation:?} of {input}{time}{bare}")
            }
            Output::Computed(tree) => format!("select {title:?} = {tree:?}"),
        });
    }
    let columns = query.selections.len();
    for (index, it) in query.aggregates.iter().enumerate().skip(columns) {
        lines.push(format!("{index} is {:?} of {}", it.aggregation, field_or_tree(&it.input)));
    }
    lines.extend(query.table().map(|it| format!("from {it:?}")));
    lines.extend(query.conditions.iter().map(|it| format!("where {it:?}")));
    for it in &query.assignments {
        lines.push(match &it.value {
            AssignedValue::Plain { functions, source, is_quoted } => {
                let quoted = if *is_quoted { " (quoted)" } else { "" };
                format!("set {:?} = {functions:?} {source:?}{quoted}", it.variable)
            }
            AssignedValue::Computed(tree) => format!("set {:?} = {tree:?}", it.variable),
        });
    }
    lines.extend(query.group_by.iter().map(|it| format!("group by {}", field_or_tree(it))));
    lines.extend(query.having.iter().map(|it| format!("having {it:?}")));
    for it in &query.orders {
        let (title, is_ascending) = (&it.title, it.is_ascending);
        let text = if it.by_text { ", by_text" } else { "" };
        lines.push(format!("Order {{ title: {title:?}, is_ascending: {is_ascending}{text} }}"));
    }
    if query.has_explicit_interval() {
        lines.push(format!("interval {:?}", query.interval()));
    }
    lines.extend(query.limit().map(|it| format!("limit {it}")));
    lines.extend(query.outfile().map(|it| format!("{it:?}")));
    lines.extend(query.log_format().map(|it| format!("logformat {it:?}")));
    let warnings = query.warnings("default", &UserFormats::default());
    lines.extend(warnings.iter().map(|it| format!("warning: {it}")));
    lines.join("\n")
}

fn field_or_tree(tree: &Expression<String>) -> String {
    match tree {
        Expression::Field(name) => format!("{name:?}"),
        tree => format!("{tree:?}"),
    }
}

#[test]
fn clauses_come_in_any_order_and_any_case() {
    check(
        "LIMIT 3 Group BY a, b WHERE x == 1 and `y` EQ \"z\" rorder by count(x) SELECT count(x),a \
         logformat generickv interval 7 FROM stats outfile append \"my file.csv\" set $v = 3",
        expect![[r#"
            select "count(x)" Count of "x"
            select "a" Last of "a" (bare)
            from "STATS"
            where Numbers { left: Field("x"), operator: Equal, right: Literal(1.0) }
            where Texts { left: Field("y"), operator: Equal, is_negated: false, right: Literal([122]) }
            set "$v" = [] "3"
            group by "a"
            group by "b"
            Order { title: "count(x)", is_ascending: true }
            interval 7s
            limit 3
            Outfile { path: "my file.csv", append: true }
            logformat "generickv""#]],
    );
}

#[test]
fn a_repeated_clause_replaces_the_earlier_one() {
    check(
        "select a from x select b from y limit 1 limit 2 order b rorder b",
        expect![[r#"
            select "b" Last of "b" (bare)
            from "Y"
            Order { title: "b", is_ascending: true }
            limit 2
            warning: order has no effect: b is not a number"#]],
    );
}

#[test]
fn a_query_begins_with_a_clause() {
    check(
        "foo bar",
        expect![[
            r#"cannot parse query: unexpected word "foo" at column 1 (expected a clause such as select, from, where)"#
        ]],
    );
    check(
        "  \"select\" x",
        expect![[
            r#"cannot parse query: unexpected text "select" at column 3 (expected a clause such as select, from, where)"#
        ]],
    );
    check(
        "`select` x",
        expect![[
            r#"cannot parse query: unexpected word "select" at column 1 (expected a clause such as select, from, where)"#
        ]],
    );
    check(
        "",
        expect!["cannot parse query: there is no select clause (for example: select count(*))"],
    );
    check(
        "from STATS",
        expect!["cannot parse query: there is no select clause (for example: select count(*))"],
    );
}

#[test]
fn select_takes_fields_aggregations_and_escaped_names() {
    check(
        "select x `count(x)` sum(`count(x)`) \"response time\" \"avg(response time)\" \"a (b)\" \
         min(a) max(a) last(a) len(a) percentage(a) percentile(a)",
        expect![[r#"
            select "x" Last of "x" (bare)
            select "count(x)" Last of "count(x)" (bare)
            select "sum(`count(x)`)" Sum of "count(x)"
            select "response time" Last of "response time" (bare)
            select "avg(response time)" Avg of "response time"
            select "a (b)" Last of "a (b)" (bare)
            select "min(a)" Min of "a"
            select "max(a)" Max of "a"
            select "last(a)" Last of "a"
            select "len(a)" Len of "a"
            select "percentage(a)" Percentage of "a"
            select "percentile(a)" Percentile of "a""#]],
    );
    check(
        "select \"\"",
        expect!["cannot parse query: select at column 1 needs a column, for example count(*)"],
    );
    check(
        "select COUNT(x)",
        expect![[
            r#"cannot parse query: unknown aggregation or function in the word "COUNT" at column 8; did you mean count? (aggregations: count, sum, min, max, avg, last, len, percentage, percentile, first, median, stddev, variance, rate, histogram)"#
        ]],
    );
    check("select count( x )", expect![[r#"select "count( x )" Count of "x""#]]);
    check(
        "select count()",
        expect![[
            r#"cannot parse query: no field in the word "count()" at column 8 (count(*) counts lines)"#
        ]],
    );
    check(
        "select sum(count(x))",
        expect![[
            r#"cannot parse query: aggregations do not nest, see the word "count" at column 12 (a field whose name has parentheses goes into backticks)"#
        ]],
    );
    check("select median(x)", expect![[r#"select "median(x)" Quantile(Share(50000000)) of "x""#]]);
}

#[test]
fn words_that_mean_nothing_are_swallowed_with_a_warning() {
    check(
        "from STATS select count(x) as n group by n",
        expect![[r#"
            select "n" Count of "x"
            from "STATS"
            group by "n""#]],
    );
    check(
        "select count(x),y order by count(x) desc reverse y limit 3 rows logformat csv please",
        expect![[r#"
            select "count(x)" Count of "x"
            select "y" Last of "y" (bare)
            from "."
            Order { title: "count(x)", is_ascending: false, by_text }
            Order { title: "y", is_ascending: false, by_text }
            limit 3
            logformat "csv"
            warning: limit ignores the word "rows" at column 60
            warning: logformat ignores the word "please" at column 79
            warning: order ignores the word "reverse" at column 42: order sorts largest first, rorder smallest first"#]],
    );
    check(
        "select sum(x) interval 3 s where y eq \"unclosed",
        expect![[r#"
            select "sum(x)" Sum of "x"
            where Texts { left: Field("y"), operator: Equal, is_negated: false, right: Literal([117, 110, 99, 108, 111, 115, 101, 100]) }
            interval 3s
            warning: the quote at column 39 is never closed: the rest is one text
            warning: interval ignores the word "s" at column 26"#]],
    );
}

#[test]
fn from_takes_one_table() {
    check(
        "select x from",
        expect!["cannot parse query: from at column 10 needs the name of a table"],
    );
    check(
        "select x from a b",
        expect![[r#"cannot parse query: unexpected word "b" at column 17 (from takes one table)"#]],
    );
    check(
        "select x from .",
        expect![[r#"
            select "x" Last of "x" (bare)
            from ".""#]],
    );
    check(
        "select x from \"\"",
        expect!["cannot parse query: from at column 10 needs the name of a table"],
    );
    check(
        "select x logformat csv",
        expect![[r#"
            select "x" Last of "x" (bare)
            from "."
            logformat "csv""#]],
    );
}

#[test]
fn where_knows_these_operators() {
    check(
        "select x where a == 1e3 != < 2, and inf <= a a =< b a > b a >= b a => 0x1p2",
        expect![[r#"
            select "x" Last of "x" (bare)
            where Numbers { left: Field("a"), operator: Equal, right: Literal(1000.0) }
            where Numbers { left: Field("!="), operator: Less, right: Literal(2.0) }
            where Numbers { left: Literal(inf), operator: LessOrEqual, right: Field("a") }
            where Numbers { left: Field("a"), operator: LessOrEqual, right: Field("b") }
            where Numbers { left: Field("a"), operator: Greater, right: Field("b") }
            where Numbers { left: Field("a"), operator: GreaterOrEqual, right: Field("b") }
            where Numbers { left: Field("a"), operator: GreaterOrEqual, right: Literal(4.0) }"#]],
    );
    check(
        "select x where a eq b a NE b and a contains \"\" a ncontains b a lacks b a hasprefix b \
         a nhasprefix b a hassuffix b a nhassuffix \"`c d`\"",
        expect![[r#"
            select "x" Last of "x" (bare)
            where Texts { left: Field("a"), operator: Equal, is_negated: false, right: Field("b") }
            where Texts { left: Field("a"), operator: Equal, is_negated: true, right: Field("b") }
            where Texts { left: Field("a"), operator: Contains, is_negated: false, right: Literal([]) }
            where Texts { left: Field("a"), operator: Contains, is_negated: true, right: Field("b") }
            where Texts { left: Field("a"), operator: Contains, is_negated: true, right: Field("b") }
            where Texts { left: Field("a"), operator: HasPrefix, is_negated: false, right: Field("b") }
            where Texts { left: Field("a"), operator: HasPrefix, is_negated: true, right: Field("b") }
            where Texts { left: Field("a"), operator: HasSuffix, is_negated: false, right: Field("b") }
            where Texts { left: Field("a"), operator: HasSuffix, is_negated: true, right: Field("c d") }"#]],
    );
    check("select x where", expect!["cannot parse query: where at column 10 needs a condition"]);
    check(
        "select x where and",
        expect!["cannot parse query: where at column 10 needs a condition"],
    );
    check(
        "select x where a == limit 3",
        expect![[
            r#"cannot parse query: incomplete condition after the word "a" at column 16 (expected: field operator value)"#
        ]],
    );
    check(
        "select x where a = 1",
        expect![[r#"
            select "x" Last of "x" (bare)
            where Same([Field("a"), Number(1.0)])"#]],
    );
    check(
        "select x where a \"eq\" b",
        expect![[
            r#"cannot parse query: expected an operator, not the text "eq" at column 18 (numbers: == != < <= > >=, texts: eq ne contains lacks hasprefix nhasprefix hassuffix nhassuffix, both: = in, patterns: like matches =~ !~, else: is missing, is present)"#
        ]],
    );
    check(
        "select x where a == \"1\"",
        expect![[
            r#"cannot parse query: == compares numbers, not the text "1" at column 21 (texts are compared by =, eq, ne, contains, …)"#
        ]],
    );
    check(
        "select x where `404` == 404",
        expect![[r#"
            select "x" Last of "x" (bare)
            where Numbers { left: Field("404"), operator: Equal, right: Literal(404.0) }"#]],
    );
}

#[test]
fn set_takes_values_and_calls() {
    check(
        "select $a set $a = 5 $b = \"a text\", and $c = field $d = `md5sum(x)` \
         $e = md5sum(maskdigits($line)) $f = \"maskdigits(a b)\" $g = \"a (b)\" $h = \"\" \
         $i = md5sum(`(x)`)",
        expect![[r#"
            select "$a" Last of "$a" (bare)
            set "$a" = [] "5"
            set "$b" = [] "a text" (quoted)
            set "$c" = [] "field"
            set "$d" = [] "md5sum(x)"
            set "$e" = [MaskDigits, Md5Sum] "$line"
            set "$f" = [MaskDigits] "a b"
            set "$g" = [] "a (b)" (quoted)
            set "$h" = [] "" (quoted)
            set "$i" = [Md5Sum] "(x)""#]],
    );
    check(
        "select x set",
        expect!["cannot parse query: set at column 10 needs an assignment such as $name = value"],
    );
    check(
        "select x set a = 5",
        expect![[
            r#"cannot parse query: set needs a variable such as $name, not the word "a" at column 14"#
        ]],
    );
    check(
        "select x set $a",
        expect![[
            r#"cannot parse query: incomplete assignment of the word "$a" at column 14 (write: $name = value)"#
        ]],
    );
    check(
        "select x set $a=5 $b = 6",
        expect![[r#"
            select "x" Last of "x" (bare)
            set "$a" = [] "5"
            set "$b" = [] "6""#]],
    );
    check(
        "select x set $a = lower(x)",
        expect![[r#"
            select "x" Last of "x" (bare)
            set "$a" = Call(Lower, [Field("x")])"#]],
    );
    check(
        "select x set $a = md5sum()",
        expect![[
            r#"cannot parse query: md5sum takes 1 value, not 0, see the word "md5sum" at column 19"#
        ]],
    );
    check(
        "select x set $a = md5sum(x))",
        expect!["cannot parse query: set needs a variable such as $name, not the ) at column 28"],
    );
}

#[test]
fn group_and_order_name_fields_and_columns() {
    check(
        "select x group",
        expect!["cannot parse query: group at column 10 needs a field to group by"],
    );
    check(
        "select x group by",
        expect!["cannot parse query: group at column 10 needs a field to group by"],
    );
    check(
        "select x group by `by` by",
        expect![[r#"
            select "x" Last of "x" (bare)
            group by "by"
            group by "by""#]],
    );
    check(
        "select x order",
        expect!["cannot parse query: order at column 10 needs a selected column"],
    );
    check(
        "select count(x) order by x",
        expect![[
            r#"cannot parse query: rows can only be ordered by a selected column, and "x" is none"#
        ]],
    );
    check(
        "select count(x) rorder count(x)",
        expect![[r#"
            select "count(x)" Count of "x"
            Order { title: "count(x)", is_ascending: true }"#]],
    );
}

#[test]
fn numbers_of_clauses_are_whole() {
    check("select x interval", expect![[r#"select "x" Last of "x" (bare)"#]]);
    check(
        "select x interval 0",
        expect![[r#"
            select "x" Last of "x" (bare)
            interval 1s"#]],
    );
    check(
        "select x interval -9223372036854775808",
        expect![[r#"
            select "x" Last of "x" (bare)
            interval 1s"#]],
    );
    check(
        "select x interval 9223372036854775807",
        expect![[r#"
            select "x" Last of "x" (bare)
            interval 4294967295s"#]],
    );
    check(
        "select x interval 1.5",
        expect![[
            r#"cannot parse query: interval needs a whole number, not the word "1.5" at column 19"#
        ]],
    );
    check(
        "select x limit",
        expect!["cannot parse query: limit at column 10 needs a number of rows"],
    );
    check("select x limit -1", expect![[r#"select "x" Last of "x" (bare)"#]]);
    check(
        "select x limit 0",
        expect![[r#"
            select "x" Last of "x" (bare)
            limit 0"#]],
    );
    check(
        "select x limit ten",
        expect![[
            r#"cannot parse query: limit needs a whole number, not the word "ten" at column 16"#
        ]],
    );
    check(
        "select x limit 99999999999999999999",
        expect![[
            r#"cannot parse query: limit needs a whole number, not the word "99999999999999999999" at column 16"#
        ]],
    );
}

#[test]
fn an_outfile_is_a_path() {
    check("select x outfile", expect!["cannot parse query: outfile at column 10 needs a path"]);
    check(
        "select x outfile append:p",
        expect![[r#"
            select "x" Last of "x" (bare)
            Outfile { path: "append:p", append: false }"#]],
    );
    check(
        "select x outfile append",
        expect![[r#"
            select "x" Last of "x" (bare)
            Outfile { path: "append", append: false }"#]],
    );
    check(
        "select x outfile p append",
        expect![[
            r#"cannot parse query: unexpected word "append" at column 20 (write: outfile PATH, or: outfile append PATH)"#
        ]],
    );
    check(
        "select x outfile a b c",
        expect![[
            r#"cannot parse query: unexpected word "b" at column 20 (write: outfile PATH, or: outfile append PATH)"#
        ]],
    );
    check(
        "select x logformat",
        expect!["cannot parse query: logformat at column 10 needs the name of a log format"],
    );
}

#[test]
fn unknown_variables_are_pointed_out_once() {
    check(
        "select $foo,sum($foo),$time where $bar == 1 group by $baz set $v = $qux",
        expect![[r#"
            select "$foo" Last of "$foo" (bare)
            select "sum($foo)" Sum of "$foo"
            select "$time" Last of "$time" (bare)
            where Numbers { left: Field("$bar"), operator: Equal, right: Literal(1.0) }
            set "$v" = [] "$qux"
            group by "$baz"
            warning: $foo is not a known variable for log format "generic"; did you mean bareword foo?
            warning: $time is not a known variable for log format "generic"; did you mean bareword time?
            warning: $bar is not a known variable for log format "generic"; did you mean bareword bar?
            warning: $qux is not a known variable for log format "generic"; did you mean bareword qux?
            warning: $baz is not a known variable for log format "generic"; did you mean bareword baz?"#]],
    );
    check(
        "from S select $time,$date,$severity,$x where $v eq $time set $v = \"$no\"",
        expect![[r#"
            select "$time" Last of "$time" (bare)
            select "$date" Last of "$date" (bare)
            select "$severity" Last of "$severity" (bare)
            select "$x" Last of "$x" (bare)
            from "S"
            where Texts { left: Field("$v"), operator: Equal, is_negated: false, right: Field("$time") }
            set "$v" = [] "$no" (quoted)
            warning: $x is not a known variable for log format "default"; did you mean bareword x?
            warning: $v is unknown to where, which comes before set"#]],
    );
    check(
        "select $x logformat mimecast",
        expect![[r#"
            select "$x" Last of "$x" (bare)
            logformat "mimecast""#]],
    );
}

#[test]
fn a_query_has_a_limited_length() {
    let columns = |count: usize| format!("select {}", "x ".repeat(count));
    assert!(Query::parse(&columns(500_000)).is_ok());
    check(
        &columns(530_000),
        expect!["cannot parse query: it has 1060007 bytes, and 1048576 is the most it may have"],
    );
}

#[test]
fn errors_are_one_line_whatever_was_typed() {
    let long = format!("select \"{}\n", "x(".repeat(10_000));
    for query in ["sel\u{1b}ect", "select x where \"a\nb\" \"c\nd\" e", "select a\u{7}(b", &long] {
        let shown = shown(query);
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        assert!(shown.starts_with("cannot") || query == long, "{shown:?}");
        assert!(!shown.starts_with("cannot") || !shown.contains('\n'), "{shown:?}");
    }
}

/// Every query is understood or refused, and a fair share of each must come up.
#[test]
fn no_query_panics() {
    let words: Vec<&str> =
        "select from where set group rorder order interval limit outfile logformat by and append \
         count(x) sum( x) ( ) ` `` \" \"\" , $a = == eq md5sum(maskdigits($a)) 1e3 -1 x * \
         ä\u{a0} \u{0} csv . `a \"`a"
            .split(' ')
            .collect();
    let mut random = Random::new(11);
    let mut understood = 0;
    for round in 0..60_000 {
        let mut query = String::from(if round % 2 == 0 { "select x " } else { "" });
        for _ in 0..random.below(14) {
            query.push_str(words[random.below(words.len())]);
            query.push_str([" ", "", " "][random.below(3)]);
        }
        understood += usize::from(Query::parse(&query).is_ok());
        crate::fuzzed::queries(query.as_bytes());
    }
    assert!(understood > 3_000, "only {understood} queries were understood: the test is too wild");
    for _ in 0..60_000 {
        let bytes: Vec<u8> = (0..random.below(40)).map(|_| random.below(256) as u8).collect();
        let query = String::from_utf8_lossy(&bytes);
        assert!(Query::parse(&query).is_err() || query.to_lowercase().contains("select"));
    }
}
