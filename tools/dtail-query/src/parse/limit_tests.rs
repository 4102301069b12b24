//! Queries that are too much: each is refused with one line, in time, or understood.

use expect_test::expect;

use crate::Query;

fn refusal(query: &str) -> String {
    match Query::parse(query) {
        Ok(_) => "understood".to_owned(),
        Err(err) => {
            assert!(err.excerpt().len() < 1000);
            err.to_string()
        }
    }
}

#[test]
fn expressions_have_a_depth() {
    let parentheses =
        |depth: usize| format!("select x where {}a == 1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(refusal(&parentheses(190)), "understood");
    expect![[r#"cannot parse query: the expression is nested deeper than 200 levels, at the ( at column 216"#]]
    .assert_eq(&refusal(&parentheses(500_000)));
    for (begin, middle, end) in [
        ("select x where ", "not ", "a == 1"),
        ("select ", "- ", "x + 1"),
        ("select ", "lower(", "x"),
        ("select x + 1", " - x", ""),
        ("select x where 1 < a", " * a", ""),
        ("select ", "if(", "x"),
    ] {
        let understood = format!("{begin}{}{end}", middle.repeat(150));
        let closing = ")".repeat(understood.matches("lower(").count());
        let understood = refusal(&format!("{understood}{closing}"));
        assert!(!understood.contains("deeper"), "{understood}");
        let deep = refusal(&format!("{begin}{}{end}", middle.repeat(1_000_000 / middle.len())));
        assert!(deep.contains("nested deeper than 200 levels"), "{deep}");
    }
}

/// The deepest tree that is understood is also planned, evaluated, explained and dropped.
#[test]
fn the_deepest_expression_runs() {
    let sum = format!("x{}", " + x".repeat(190));
    let query = format!(
        "select sum({sum}) where {}x == 1{} having {sum} > 5 logformat generickv",
        "not (".repeat(95),
        ")".repeat(95)
    );
    let result = crate::fixture::run(&query, false, b"x=2\nx=1");
    assert!(result.ends_with("\n382.000000\n"), "{result}");
    crate::fuzzed::queries(query.as_bytes());
}

#[test]
fn long_lists_and_many_conditions_are_understood() {
    let many = |part: &str| part.repeat(1_000_000 / part.len());
    let list = format!("select x where x in ({}\"b\") logformat generickv", many("\"a\", "));
    assert_eq!(crate::fixture::run(&list, false, b"x=b\nx=c"), "x\nb\n");
    let all = format!("select x where {} logformat generickv", many("x eq \"b\" "));
    assert_eq!(crate::fixture::run(&all, false, b"x=b\nx=c"), "x\nb\n");
    let any = format!("select x where {} x eq y logformat generickv", many("x == 1 or "));
    assert!(crate::fixture::run(&any, false, b"x=1\nx=c").starts_with("x\n1\nwarning"));
    let set = format!("select $v set {} logformat generickv", many("$v = lower(x) "));
    assert_eq!(crate::fixture::run(&set, false, b"x=A"), "$v\na\n");
    let columns = format!("select {} logformat generickv", many("sum(x)/2,"));
    assert!(crate::fixture::run(&columns, false, b"x=4").ends_with(",2\n"));
}

#[test]
fn fields_and_patterns_have_a_number() {
    let fields = |count: usize| {
        let names: Vec<String> = (0..count).map(|it| format!("f{it}")).collect();
        format!("select {}", names.join(","))
    };
    assert_eq!(refusal(&fields(4096)), "understood");
    expect!["cannot parse query: it names 5000 fields, and 4096 are the most there may be"]
        .assert_eq(&refusal(&fields(5000)));
    let patterns = |count: usize| format!("select x where {}", "x =~ \"a\" ".repeat(count));
    assert_eq!(refusal(&patterns(64)), "understood");
    expect![[r#"cannot parse query: a query may have 64 patterns, this is one more, at the text "a" at column 597"#]]
    .assert_eq(&refusal(&patterns(65)));
}

#[test]
fn patterns_and_numbers_that_blow_up_are_refused() {
    let refusals: Vec<String> = [
        "select x where x =~ \"((a{1000}){1000}){1000}\"",
        "select x where x matches \"\\pL{900}\"",
        "select x where x =~ y",
        "select x where x =~",
        "select extract(x, \"a(\")",
        "select x where x == 1e400",
        "select x + 1e999",
        "select percentile(x, 101)",
        "select percentile(x, y)",
        "select histogram(x, 0)",
        "select bucket(t, 5q)",
        "select sum(x, 2)",
        "select lower(x y)",
        "select if(x, 1, 2)",
        "select x where x in (a, b)",
        "select x where sum(x) > 5",
        "select x where min(x, 2) > 5",
        "select count(\"x\")",
        "select x == 5",
        "select count(*) order by cuont(*)",
        "select distinct count(*)",
        "select distinct x group by y",
        "select x group by sum(x)",
    ]
    .iter()
    .map(|query| refusal(query))
    .collect();
    expect![[r#"
        cannot parse query: cannot use the pattern text "((a{1000}){1000}){1000}" at column 21: it would take more than 1048576 bytes of memory
        cannot parse query: cannot use the pattern text "\\pL{900}" at column 26: it would take more than 1048576 bytes of memory
        cannot parse query: a pattern goes into double quotes, which the word "y" at column 21 does not
        cannot parse query: there is no pattern
        cannot parse query: cannot use the pattern text "a(" at column 19: unclosed group
        cannot parse query: the word "1e400" at column 21 is beyond the range of numbers
        cannot parse query: the word "1e999" at column 12 is beyond the range of numbers
        cannot parse query: percentile needs a number from 0 to 100 and not the word "101" at column 22
        cannot parse query: percentile needs a number from 0 to 100 and not the word "y" at column 22
        cannot parse query: histogram needs a width above 0 and not the word "0" at column 21
        cannot parse query: the word "5q" at column 18 is no span of time (write 500ms, 30s, 5m, 1h, 1d or 1w)
        cannot parse query: sum takes 1 value, so that the word "2" at column 15 is one too many
        cannot parse query: expected a comma or ) and not the word "y" at column 16
        cannot parse query: expected an operator, not the word "1" at column 14 (numbers: == != < <= > >=, texts: eq ne contains lacks hasprefix nhasprefix hassuffix nhassuffix, both: = in, patterns: like matches =~ !~, else: is missing, is present)
        cannot parse query: in takes numbers and texts in double quotes, not the word "a" at column 22
        cannot parse query: sum looks at all lines of a group, so it cannot be in this clause, see the word "sum" at column 16 (conditions on aggregates go into having)
        cannot parse query: min is an aggregate, see the word "min" at column 16; least takes values
        cannot parse query: the text "x" at column 14 is the same for every line (the name of a field goes into backticks, with blanks into "`…`")
        cannot parse query: a condition cannot be in select, see the word "==" at column 10; is where missing?
        cannot parse query: unknown aggregation or function in the word "cuont" at column 26; did you mean count? (aggregations: count, sum, min, max, avg, last, len, percentage, percentile, first, median, stddev, variance, rate, histogram)
        cannot parse query: select at column 1 has distinct rows of values only; with aggregates, rows are distinct by group by
        cannot parse query: select distinct and group by mean the same: write one of them
        cannot parse query: sum looks at all lines of a group, so it cannot be in this clause, see the word "sum" at column 19 (conditions on aggregates go into having)"#]].assert_eq(&refusals.join("\n"));
    let nested = "(".repeat(100_000);
    assert!(
        refusal(&format!("select x where x =~ \"{nested}\"")).contains("cannot use the pattern")
    );
}
