//! Requests from files to outputs.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dtail_protocol::{Context, LineNumbers, Mode, Pattern, Request, Severity};
use dtail_query::{Groups, HostFacts, Query};
use expect_test::{Expect, expect};

use super::Session;
use crate::{Output, Settings};

fn settings() -> Settings {
    Settings {
        host: HostFacts { hostname: "host".into(), timezone: "UTC".into(), timeoffset: 0 },
        max_line_length: 1 << 20,
        default_log_format: "default".into(),
        max_glob_targets: 2,
        ..Settings::default()
    }
}

pub(super) fn request(mode: Mode) -> Request {
    Request::of(mode, Vec::new())
}

pub(super) fn grep(text: &str) -> Request {
    let pattern = Pattern::of(text);
    Request { pattern: Some(pattern), ..request(Mode::Grep) }
}

/// A folder of files and what a session said about them.
pub(super) struct Scene {
    folder: tempfile::TempDir,
    pub(super) shown: String,
}

impl Scene {
    pub(super) fn new(files: &[(&str, &str)]) -> Scene {
        let scene = Scene {
            folder: tempfile::tempdir().expect("a temporary folder"),
            shown: String::new(),
        };
        for (name, content) in files {
            fs::write(scene.path(name), content).expect("written");
        }
        scene
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn in_folder(&self, mut request: Request, names: &[&str]) -> Request {
        request.files = names.iter().map(|name| OsString::from(self.path(name))).collect();
        request
    }

    pub(super) fn show(&mut self, output: Output) {
        match output {
            Output::Lines(lines) => {
                let mut numbers = match lines.numbers {
                    LineNumbers::Unnumbered => None,
                    LineNumbers::From(first) => Some((first..).take(1 << 20).collect::<Vec<_>>()),
                    LineNumbers::Each(numbers) => Some(numbers),
                }
                .map(Vec::into_iter);
                for line in lines.bytes.split_inclusive(|&byte| byte == b'\n') {
                    let number = numbers.as_mut().map(|numbers| numbers.next().expect("numbered"));
                    let number = number.map_or(String::new(), |number| format!("{number}:"));
                    let line = line.escape_ascii();
                    self.shown.push_str(&format!("{}:{number}{line}\n", lines.source));
                }
            }
            Output::Diagnostic(diagnostic) => {
                let folder = self.folder.path().display().to_string();
                let text = diagnostic.text.replace(&folder, "DIR");
                let severity = match diagnostic.severity {
                    Severity::Warn => "WARN",
                    Severity::Error => "ERROR",
                };
                self.shown.push_str(&format!("{severity} {text}\n"));
            }
            Output::Aggregate(groups) => {
                self.shown.push_str(&format!("{} groups\n", groups.len()));
            }
            Output::Source(summary) => self.shown.push_str(&format!("{summary:?}\n")),
            Output::File(range) => {
                let (source, offset, length) = (range.source, range.offset, range.length);
                self.shown.push_str(&format!("{source}: {length} bytes from {offset}\n"));
            }
        }
    }

    pub(super) fn run(&mut self, request: Request, settings: Settings) {
        let session = Session::new(request, settings).expect("the request is good");
        let cancel = AtomicBool::new(false);
        let summary = session.run(&cancel, &mut |output| {
            self.show(output);
            ControlFlow::Continue(())
        });
        let lines = summary.lines_read.map_or("uncounted".to_owned(), |lines| lines.to_string());
        self.shown.push_str(&format!(
            "{lines} lines, {} bytes, {} matches, {} files, {} failed\n",
            summary.bytes_read, summary.matches, summary.files, summary.failed_files
        ));
    }
}

#[track_caller]
fn check(files: &[(&str, &str)], request: Request, names: &[&str], expected: &Expect) {
    let mut scene = Scene::new(files);
    scene.run(scene.in_folder(request, names), settings());
    expected.assert_eq(&scene.shown);
}

const AB: &[(&str, &str)] = &[("a", "one\ntwo\n\nthree"), ("b", "two\r\nfour\n")];

#[test]
fn cat_numbers_the_lines_of_each_file() {
    check(
        AB,
        request(Mode::Cat),
        &["a", "b", "a"],
        &expect![[r#"
        a:1:one\n
        a:2:two\n
        a:3:\n
        a:4:three\n
        b:1:two\r\n
        b:2:four\n
        a:1:one\n
        a:2:two\n
        a:3:\n
        a:4:three\n
        10 lines, 38 bytes, 10 matches, 3 files, 0 failed
    "#]],
    );
}

#[test]
fn plain_cat_passes_bytes_on() {
    let plain = request(Mode::Cat).plain();
    check(
        AB,
        plain,
        &["a", "b"],
        &expect![[r#"
        a:one\n
        a:two\n
        a:\n
        a:three
        a:\n
        b:two\r\n
        b:four\n
        uncounted lines, 24 bytes, 0 matches, 2 files, 0 failed
    "#]],
    );
}

#[test]
fn grep_selects_with_context_per_file() {
    check(
        AB,
        grep("two"),
        &["a", "b"],
        &expect![[r#"
        a:2:two\n
        b:1:two\r\n
        6 lines, 24 bytes, 2 matches, 2 files, 0 failed
    "#]],
    );
    let context = Context { before: 1, after: 1, max: 1 };
    check(
        AB,
        Request { context, ..grep("^t") },
        &["a", "b"],
        &expect![[r#"
        a:1:one\n
        a:2:two\n
        a:3:\n
        b:1:two\r\n
        b:2:four\n
        6 lines, 24 bytes, 2 matches, 2 files, 0 failed
    "#]],
    );
    check(
        AB,
        grep("").plain(),
        &["?"],
        &expect![[r#"
        a:one\n
        a:two\n
        a:\n
        a:three\n
        b:two\r\n
        b:four\n
        uncounted lines, 24 bytes, 6 matches, 2 files, 0 failed
    "#]],
    );
}

#[test]
fn what_cannot_be_read_does_not_stop_the_rest() {
    check(
        AB,
        grep("two"),
        &["none", ".", "x*", "b"],
        &expect![[r#"
        ERROR cannot open DIR/none: No such file or directory
        ERROR DIR/. is a directory, name files or use a glob
        ERROR no file matches DIR/x*
        b:1:two\r\n
        2 lines, 10 bytes, 1 matches, 1 files, 3 failed
    "#]],
    );
}

#[test]
fn too_many_matches_are_dropped_with_a_warning() {
    let files = &[("a", "1\n"), ("b", "2\n"), ("c", "3\n")];
    check(
        files,
        request(Mode::Cat),
        &["*"],
        &expect![[r#"
        WARN too many files match DIR/*, leaving out 1
        a:1:1\n
        b:1:2\n
        2 lines, 4 bytes, 2 matches, 2 files, 0 failed
    "#]],
    );
}

#[test]
fn long_lines_are_cut_with_one_warning_each() {
    let mut scene = Scene::new(&[("a", "x\nabcdefghi\ny\n")]);
    let settings = Settings { max_line_length: 4, strict: true, ..settings() };
    scene.run(scene.in_folder(request(Mode::Cat), &["a"]), settings.clone());
    let plain = request(Mode::Cat).plain();
    scene.run(scene.in_folder(plain, &["a"]), settings);
    expect![[r#"
        WARN Long log line, splitting into multiple lines: a line 2
        a:1:x\n
        a:2:abcd\n
        a:3:efgh\n
        a:4:i\n
        a:5:y\n
        5 lines, 14 bytes, 5 matches, 1 files, 0 failed
        WARN Long log line, splitting into multiple lines: a
        a:x\n
        a:abcd\n
        a:efgh\n
        a:i\n
        a:y\n
        uncounted lines, 14 bytes, 5 matches, 1 files, 0 failed
    "#]]
    .assert_eq(&scene.shown);
}

/// Runs a query over files and shows the merged result as CSV.
#[track_caller]
fn check_query(files: &[(&str, &str)], query: &str, pattern: Option<&str>, expected: &Expect) {
    let mut scene = Scene::new(files);
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let pattern = pattern.map(Pattern::of);
    let asked = Request { query: Some(query.to_owned()), pattern, ..request(Mode::Map) };
    let session = Session::new(scene.in_folder(asked, &names), settings()).expect("good");
    let mut groups = Groups::new(false);
    let summary = session.run(&AtomicBool::new(false), &mut |output| {
        match output {
            Output::Aggregate(increment) => groups.merge(increment),
            other => scene.show(other),
        }
        ControlFlow::Continue(())
    });
    let mut table = Vec::new();
    let query = Query::parse(query).expect("a good query");
    groups.table(&query).write_csv(true, &mut table).expect("memory");
    let table = String::from_utf8_lossy(&table);
    expected.assert_eq(&format!("{}{table}{} matches\n", scene.shown, summary.matches));
}

const STATS: &str = "INFO|1002-071143|1|stats.go:56|8|13|7|0.21|471h0m21s|MAPREDUCE:STATS|n=1\n\
    INFO|1002-071143|1|stats.go:56|8|13|7|0.21|471h0m21s|MAPREDUCE:OTHER|n=10\n\
    noise\n\
    INFO|1002-071143|1|stats.go:56|8|13|7|0.21|471h0m21s|MAPREDUCE:STATS|n=2\n";

#[test]
fn a_query_sees_the_lines_of_its_table() {
    let files = &[("a", STATS), ("b", STATS)];
    let query = "from stats select count($line),sum(n) group by $hostname";
    check_query(
        files,
        query,
        None,
        &expect![[r#"
        count($line),sum(n)
        4,6.000000
        4 matches
    "#]],
    );
    check_query(
        files,
        query,
        Some("n=2$"),
        &expect![[r#"
        count($line),sum(n)
        2,4.000000
        2 matches
    "#]],
    );
}

#[test]
fn a_pattern_never_hides_the_header_of_csv() {
    let files = &[("a", "x,y\n1,2\n3,4\n"), ("b", "y,x\n10,20\n")];
    let query = "select sum(x),sum(y) group by $hostname logformat csv";
    check_query(
        files,
        query,
        None,
        &expect![[r#"
        sum(x),sum(y)
        24.000000,16.000000
        3 matches
    "#]],
    );
    check_query(
        files,
        query,
        Some("^1"),
        &expect![[r#"
        sum(x),sum(y)
        21.000000,12.000000
        2 matches
    "#]],
    );
}

#[test]
fn bad_requests_are_refused_before_anything_is_read() {
    let show = |request| Session::new(request, settings()).err().expect("refused").to_string();
    let query = |text: &str| Request { query: Some(text.to_owned()), ..request(Mode::Map) };
    let shown = [
        show(grep("[")),
        show(request(Mode::Map)),
        show(query("select")),
        show(query("select x logformat nonsense")),
    ];
    expect![[r#"
        bad regular expression "[": unclosed character class
        no query given, say what to select
        cannot parse query: select at column 1 needs a column, for example count(*)
        unknown log format "nonsense" (known: default, generic, generickv, csv, json, jsonl, logfmt, common, combined, syslog)"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn follow_counts_lines_on_over_rotation_and_stops_on_cancel() {
    let mut scene = Scene::new(&[("a", "old\n")]);
    let asked = Request { mode: Mode::Tail, ..grep("x") };
    let session = Session::new(scene.in_folder(asked, &["a", "late"]), settings()).expect("good");
    let cancel = AtomicBool::new(false);
    let mut step = 0;
    let append = |path: PathBuf, text: &str| {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
    };
    // The first output, that `late` is missing, says that the follower is at work.
    let mut cancelled_at = None;
    let summary = session.run(&cancel, &mut |output| {
        scene.show(output);
        step += 1;
        match step {
            1 => append(scene.path("a"), "no\nx1\n"),
            2 => {
                fs::rename(scene.path("a"), scene.path("a.1")).expect("renamed");
                append(scene.path("a.1"), "x2 unterminated");
                append(scene.path("a"), "x3\n");
            }
            4 => append(scene.path("late"), "x4\n"),
            5 => {
                cancel.store(true, Ordering::Relaxed);
                cancelled_at = Some(Instant::now());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    assert!(cancelled_at.expect("cancelled").elapsed() < Duration::from_secs(1));
    assert_eq!((summary.matches, summary.files, summary.lines_read), (4, 2, Some(5)));
    expect![[r#"
        WARN cannot open DIR/late: No such file or directory, waiting for it
        a:2:x1\n
        a:3:x2 unterminated\n
        a:4:x3\n
        late:1:x4\n
    "#]]
    .assert_eq(&scene.shown);
}

#[test]
fn a_limit_ends_a_follow() {
    let mut scene = Scene::new(&[("a", "")]);
    let context = Context { max: 1, ..Context::default() };
    let asked = Request { mode: Mode::Tail, context, ..grep("x") };
    let timeout = Some(Duration::from_secs(20));
    let asked = Request { timeout, ..scene.in_folder(asked, &["a", "."]) };
    let session = Session::new(asked, settings()).expect("good");
    let start = Instant::now();
    session.run(&AtomicBool::new(false), &mut |output| {
        scene.show(output);
        fs::write(scene.path("a"), "x1\nx2\n").expect("written");
        ControlFlow::Continue(())
    });
    assert!(start.elapsed() < Duration::from_secs(10), "ended by the limit");
    expect![[r#"
        ERROR DIR/. is a directory, name files or use a glob
        a:1:x1\n
    "#]]
    .assert_eq(&scene.shown);
}

#[test]
fn a_timeout_ends_a_follow_and_emits_what_is_aggregated() {
    let mut scene = Scene::new(&[("a", "")]);
    let query = Some("select count($line) group by $hostname interval 60".to_owned());
    let timeout = Some(Duration::from_millis(500));
    let asked = Request { query, timeout, ..request(Mode::Tail) };
    let session = Session::new(scene.in_folder(asked, &["none", "a"]), settings()).expect("good");
    session.run(&AtomicBool::new(false), &mut |output| {
        scene.show(output);
        fs::write(scene.path("a"), "x1\nx2\n").expect("written");
        ControlFlow::Continue(())
    });
    expect![[r#"
        WARN cannot open DIR/none: No such file or directory, waiting for it
        1 groups
    "#]]
    .assert_eq(&scene.shown);
}

#[test]
fn a_receiver_that_is_gone_ends_the_session() {
    let scene = Scene::new(&[("a", "1\n"), ("b", "2\n")]);
    let asked = scene.in_folder(request(Mode::Cat), &["a", "b"]);
    let session = Session::new(asked, settings()).expect("good");
    let mut outputs = 0;
    session.run(&AtomicBool::new(false), &mut |_| {
        outputs += 1;
        ControlFlow::Break(())
    });
    assert_eq!(outputs, 1);
}
