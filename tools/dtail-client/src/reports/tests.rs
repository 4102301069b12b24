//! Which increments lead to which reports.

use std::sync::Arc;

use dtail_protocol::Mode;
use dtail_query::{Aggregator, Groups, HostFacts, LogFormat, Query};
use expect_test::{Expect, expect};

use super::{ReportPolicy, Reports};
use crate::Report;

/// What `lines` lines bring.
fn increment(query: &Arc<Query>, lines: usize) -> Groups {
    let host = HostFacts { hostname: "host".into(), timezone: "UTC".into(), timeoffset: 0 };
    let mut aggregator = Aggregator::new(query.clone(), LogFormat::Generic, host, false);
    (0..lines).for_each(|_| aggregator.line(b"line"));
    aggregator.take()
}

/// Shows the counts reported after increments of so many lines; the last one with a `!`.
#[track_caller]
fn check(outfile: &str, mode: Mode, policy: ReportPolicy, lines: &[usize], expected: &Expect) {
    let text = format!("select count($line) group by $hostname {outfile}");
    let query = || Query::parse(&text).expect("a good query");
    let mut reports = Reports::new(query(), mode, policy, false);
    let query = Arc::new(query());
    let show = |report: Option<Report>| {
        let Some(Report { table, last }) = report else { return "-".to_owned() };
        let count = match table.rows() {
            0 => "none".to_owned(),
            _ => String::from_utf8_lossy(table.cell(0, 0)).into_owned(),
        };
        format!("{count}{}", if last { "!" } else { "" })
    };
    let mut shown: Vec<String> =
        lines.iter().map(|&lines| show(reports.take(increment(&query, lines)))).collect();
    shown.push(show(reports.finish()));
    expected.assert_eq(&shown.join(" "));
}

use Mode::{Map, Tail};
use ReportPolicy::{FinalOnly, Interim};

#[test]
fn a_one_shot_query_reports_all_so_far() {
    check("", Map, Interim, &[1, 2, 3], &expect!["1 3 6 -"]);
    check("", Map, FinalOnly, &[1, 2, 3], &expect!["- - - 6!"]);
}

#[test]
fn nothing_new_and_nothing_at_all_are_not_reported() {
    check("", Map, Interim, &[0, 2, 0], &expect!["- 2 - -"]);
    check("", Map, FinalOnly, &[0], &expect!["- -"]);
    check("", Tail, FinalOnly, &[0, 0], &expect!["- - -"]);
}

#[test]
fn a_follow_reports_each_interval_for_itself() {
    check("", Tail, FinalOnly, &[1, 2, 0, 3], &expect!["1 2 - 3 -"]);
    check("", Tail, FinalOnly, &[2, 2], &expect!["2 - -"]);
}

#[test]
fn an_outfile_is_replaced_by_all_so_far() {
    check("outfile x", Map, Interim, &[1, 2], &expect!["1 3 -"]);
    check("outfile x", Map, FinalOnly, &[1, 2], &expect!["- - 3!"]);
    check("outfile x", Tail, FinalOnly, &[1, 2], &expect!["1 3 -"]);
    check("outfile x", Map, FinalOnly, &[], &expect!["none!"]);
}

#[test]
fn rows_are_appended_once() {
    check("outfile append x", Map, Interim, &[1, 2], &expect!["- - 3!"]);
    check("outfile append x", Tail, FinalOnly, &[2, 2], &expect!["2 2 -"]);
    check("outfile append x", Tail, FinalOnly, &[], &expect!["none!"]);
}
