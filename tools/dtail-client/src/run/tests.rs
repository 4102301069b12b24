//! From a request to events, and how a run ends.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use dtail_protocol::{Diagnostic, LineBlock, LineNumbers, Mode, Request, Severity};
use dtail_query::HostFacts;
use dtail_session::Settings;
use expect_test::expect;

use super::{Outcome, Run, start, start_local};
use crate::{Event, HostDiagnostic, HostLines, ReportPolicy};

const LIMIT: Duration = Duration::from_secs(10);

fn settings() -> Settings {
    let host = HostFacts { hostname: "host".into(), timezone: "UTC".into(), timeoffset: 0 };
    Settings { host, ..Settings::default() }
}

fn request(mode: Mode, query: Option<&str>) -> Request {
    Request { query: query.map(str::to_owned), ..Request::of(mode, Vec::new()) }
}

fn local(request: Request) -> Run {
    let cancel = Arc::new(AtomicBool::new(false));
    start_local(request, settings(), ReportPolicy::FinalOnly, cancel).expect("starts")
}

/// Something to send.
fn event() -> Event {
    let diagnostic = Diagnostic { severity: Severity::Warn, text: "text".to_owned() };
    Event::Diagnostic(HostDiagnostic { host: None, diagnostic })
}

#[test]
fn lines_arrive_and_the_channel_closes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("a"), "1\n2\n").expect("written");
    let files = vec![folder.path().join("a").into()];
    let run = local(Request { files, ..request(Mode::Cat, None) });
    let events: Vec<Event> = run.events().iter().collect();
    let [Event::Lines(HostLines { host: None, block })] = events.as_slice() else {
        panic!("one block, got {events:?}")
    };
    let LineBlock { source, bytes, numbers, .. } = block;
    assert_eq!((&**source, bytes.as_slice()), ("a", &b"1\n2\n"[..]));
    assert_eq!(*numbers, LineNumbers::From(1));
    assert_eq!(run.finish().expect("no panic").summary.matches, 2);
}

#[test]
fn a_query_ends_with_its_report() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("a"), "1\n2\n").expect("written");
    let files = vec![folder.path().join("*").into()];
    let query = "select count($line) group by $hostname";
    let run = local(Request { files, ..request(Mode::Map, Some(query)) });
    let events: Vec<Event> = run.events().iter().collect();
    let [Event::Report(report)] = events.as_slice() else { panic!("a report, got {events:?}") };
    assert!(report.last);
    assert_eq!(report.table.cell(0, 0), b"2");
}

#[test]
fn bad_requests_do_not_start() {
    let show = |request| {
        let cancel = Arc::new(AtomicBool::new(false));
        let started = start_local(request, settings(), ReportPolicy::Interim, cancel);
        started.expect_err("refused").to_string()
    };
    expect![[r#"cannot parse query: unexpected word "selct" at column 1 (expected a clause such as select, from, where); did you mean select?"#]].assert_eq(&show(request(Mode::Map, Some("selct x"))));
    expect!["no query given, say what to select"].assert_eq(&show(request(Mode::Map, None)));
}

#[test]
fn a_panic_in_the_session_is_an_error() {
    let cancel = Arc::new(AtomicBool::new(false));
    let run = start(cancel, |_, _| panic!("broken {}", "badly")).expect("starts");
    assert_eq!(run.events().iter().count(), 0);
    let err = run.finish().expect_err("it panicked");
    expect!["internal error, please report it: broken badly"].assert_eq(&err.to_string());
}

/// Sends until told to stop.
fn flood(cancel: &AtomicBool, sender: &Sender<Event>) -> Outcome {
    while super::send(sender, event(), cancel).is_continue() {}
    Outcome::default()
}

#[test]
fn a_dropped_receiver_ends_the_session() {
    let cancel = Arc::new(AtomicBool::new(false));
    let run = start(cancel, flood).expect("starts");
    run.events().recv_timeout(LIMIT).expect("an event");
    run.finish().expect("ends");
}

#[test]
fn after_cancel_a_stalled_receiver_does_not_hold_the_session() {
    let cancel = Arc::new(AtomicBool::new(false));
    let run = start(cancel.clone(), flood).expect("starts");
    let receiver = run.events().clone();
    let start = Instant::now();
    cancel.store(true, Ordering::Relaxed);
    run.finish().expect("ends");
    assert!(start.elapsed() < LIMIT);
    assert!(receiver.is_full());
}
