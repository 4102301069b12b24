//! DTail's own messages, and ours as DTail would read them.

use expect_test::{Expect, expect};

use crate::{Groups, Query, fixture};

/// What is sent for these lines, and then the result of the one who reads it.
#[track_caller]
fn check(query: &str, strict: bool, lines: &[&str], expected: &Expect) {
    let (query, mut aggregator) = fixture::aggregator(query, strict);
    lines.iter().for_each(|line| aggregator.line(line.as_bytes()));
    let mut sent = String::new();
    let mut read = Groups::new(strict);
    aggregator.take().write_legacy(&query, &mut |data| {
        sent.push_str(&String::from_utf8_lossy(data));
        sent.push('\n');
        read.read_legacy(data, &query).unwrap();
    });
    expected.assert_eq(&(sent + &fixture::csv(&read, &query)));
}

#[test]
fn a_group_is_one_message() {
    check(
        "select g,count(x),sum(x),min(x),max(x),avg(x),last(y),len(y),percentage(x),percentile(x) \
         group by g,h logformat generickv",
        false,
        &["g=a|h=b|x=1.5|y=text", "g=a|h=b|x=2", "g=a,b|h=1|x=-0.1"],
        &expect![[r#"
            a,b∥2∥count(x)≔2∥sum(x)≔3.5∥min(x)≔1.5∥max(x)≔2∥avg(x)≔3.5∥len(y)≔4∥percentage(x)≔3.5∥percentile(x)≔3.5∥g≔a∥last(y)≔text∥len(y)≔xxxx∥
            a,b,1∥1∥count(x)≔1∥sum(x)≔-0.1∥min(x)≔-0.1∥max(x)≔-0.1∥avg(x)≔-0.1∥percentage(x)≔-0.1∥percentile(x)≔-0.1∥g≔a,b∥
            g,count(x),sum(x),min(x),max(x),avg(x),last(y),len(y),percentage(x),percentile(x)
            a,2,3.500000,1.500000,2.000000,1.750000,text,4.000000,102.941176,100.000000
            "a,b",1,-0.100000,-0.100000,-0.100000,-0.100000,,0.000000,-2.941176,50.000000
        "#]],
    );
}

#[test]
fn without_group_by_dtail_groups_by_the_first_column_and_we_take_it_all_together() {
    for strict in [false, true] {
        let (query, _) = fixture::aggregator("select sum(x),last(x) logformat generickv", strict);
        let mut groups = Groups::new(strict);
        for data in ["1∥2∥sum(x)≔2∥last(x)≔1∥", "7∥1∥sum(x)≔7∥last(x)≔7∥"] {
            groups.read_legacy(data.as_bytes(), &query).unwrap();
        }
        let expected = match strict {
            false => "sum(x),last(x)\n9.000000,7\n",
            true => "sum(x),last(x)\n2.000000,1\n7.000000,7\n",
        };
        assert_eq!(fixture::csv(&groups, &query), expected);
    }
}

/// Groups by more than one field are the same ones whichever server they come from.
#[test]
fn groups_of_dtail_merge_with_ours() {
    let (query, mut aggregator) =
        fixture::aggregator("select g,h,count(x) group by g,h logformat generickv", false);
    aggregator.line(b"g=a|h=b|x=1");
    let mut groups = aggregator.take();
    groups.read_legacy("a,b∥3∥count(x)≔3∥g≔a∥h≔b∥".as_bytes(), &query).unwrap();
    assert_eq!(fixture::csv(&groups, &query), "g,h,count(x)\na,b,4\n");
}

/// Recorded from DTail 4.3.2.
#[test]
fn a_message_of_dtail_is_understood() {
    let query = Query::parse(
        "select count($line),$hostname,avg($goroutines),len($time),last($time) group by $hostname",
    )
    .unwrap();
    let mut groups = Groups::new(false);
    let data = "vm∥597∥count($line)≔597∥avg($goroutines)≔6942∥len($time)≔11∥\
                last($time)≔1002-071949∥len($time)≔1002-071949∥$hostname≔vm∥";
    groups.read_legacy(data.as_bytes(), &query).unwrap();
    assert_eq!(
        fixture::csv(&groups, &query),
        "count($line),$hostname,avg($goroutines),len($time),last($time)\n\
         597,vm,11.628141,11.000000,1002-071949\n"
    );
}

#[test]
fn what_is_no_message_is_refused_and_changes_nothing() {
    let query = Query::parse("select sum(x),count(x) group by g").unwrap();
    let mut groups = Groups::new(false);
    for (data, expected) in [
        ("", "it has no number of samples"),
        ("a∥b∥", "it has no number of samples"),
        ("a∥-1∥", "it has no number of samples"),
        ("a∥1∥sum(x)", "it has a value without a name"),
        ("a∥1∥sum(x)≔z∥", "a value is no number"),
        ("a∥1∥count(x)≔∥", "a value is no number"),
    ] {
        let err = groups.read_legacy(data.as_bytes(), &query).unwrap_err();
        assert_eq!(err.reason, expected, "{data}");
        assert!(groups.is_empty());
    }
    for data in ["a∥1∥", "a∥18446744073709551615∥count(x)≔1e300∥sum(x)≔inf∥other≔1∥"]
    {
        groups.read_legacy(data.as_bytes(), &query).unwrap();
    }
    let expected = format!("sum(x),count(x)\n+Inf,{}\n", u64::MAX);
    assert_eq!(fixture::csv(&groups, &query), expected);
}
