//! Queries over files that several threads read: the result is that of one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use dtail_protocol::{Mode, Request};
use dtail_query::{Groups, Query, UserFormats};

use super::Session;
use super::tests::{Scene, request};
use crate::{Output, Settings};

/// Some chunks.
const LINES: u64 = 60_000;

/// What a query comes to, and what is said about it.
fn aggregated(scene: &Scene, query: &str, names: &[&str], settings: Settings) -> (String, String) {
    let asked = Request { query: Some(query.to_owned()), ..request(Mode::Map) };
    let session = Session::new(scene.in_folder(asked, names), settings).expect("good");
    let query = Query::parse(query).expect("good");
    let (mut groups, mut said) = (Groups::new(false), String::new());
    let summary = session.run(&AtomicBool::new(false), &mut |output| {
        match output {
            Output::Aggregate(increment) => groups.merge(increment),
            Output::Diagnostic(diagnostic) => said.push_str(&format!("{}\n", diagnostic.text)),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    let mut csv = Vec::new();
    groups.table(&query).write_csv(true, &mut csv).expect("written");
    let (files, matches) = (summary.files, summary.matches);
    (format!("{}{files} files, {matches} lines\n", String::from_utf8_lossy(&csv)), said)
}

/// The same with any number of threads. Returns result and complaints.
#[track_caller]
fn with_threads(scene: &Scene, query: &str, names: &[&str]) -> (String, String) {
    let of = |threads| {
        // What is said must not depend on how long it takes.
        let settings =
            Settings { threads, max_glob_targets: 100, final_only: true, ..Settings::default() };
        aggregated(scene, query, names, settings)
    };
    let alone = of(1);
    for threads in [2, 5] {
        assert_eq!(of(threads), alone, "{threads} threads");
    }
    alone
}

fn csv_file() -> String {
    let mut text = "id,\"k\",note\r\n".to_owned();
    for id in 0..LINES {
        let note = if id % 1000 == 7 { "\"a, \"\"b\"\"\"" } else { "plain text that is long" };
        writeln!(text, "{id},k{},{note}\r", id % 7).expect("written");
    }
    text
}

#[test]
fn chunks_of_a_file_with_a_header_are_one_file() {
    let csv = csv_file();
    let scene = Scene::new(&[("a.csv", &csv), ("b.csv", "k,id\nk1,5\n"), ("c.csv", &csv)]);
    let query = "select k,count(id),sum(id),min(id),max(id),last(id),first(id) group by k \
                 logformat csv";
    let (result, said) = with_threads(&scene, query, &["a.csv", "b.csv", "c.csv"]);
    assert_eq!(said, "");
    let each = LINES / 7;
    let first = result.lines().nth(1).expect("a row");
    let row: Vec<&str> = first.split(',').collect();
    assert_eq!(row[0], "k0");
    assert_eq!(row[1], (2 * (each + 1)).to_string(), "{first}");
    assert_eq!((row[5], row[6]), ("59997", "0"), "{first}");
    assert!(result.ends_with(&format!("3 files, {} lines\n", 2 * LINES + 1)), "{result}");
}

/// A blank first line is none, so that nobody knows yet what the columns are.
#[test]
fn a_header_may_come_late() {
    for first in ["", "\"open"] {
        let late = format!("{first}\n{}", csv_file());
        let scene = Scene::new(&[("a.csv", &late)]);
        let query = "select k,count(id) group by k logformat csv";
        let (result, _) = with_threads(&scene, query, &["a.csv"]);
        assert!(result.contains(&format!("k0,{}\n", LINES / 7 + 1)), "{result}");
    }
}

/// Blocks are searched for the query's table, which the header has nothing of.
#[test]
fn a_late_header_is_found_whatever_lines_are_wanted() {
    let header = "id,k,note\n";
    let text: String = (0..40).map(|id| format!("{id},k{},|MAPREDUCE:T|\n", id % 2)).collect();
    let scene = Scene::new(&[("a.csv", &format!("\n\r\n{header}{text}"))]);
    let query = "from T select k,count(id),max(id) group by k logformat csv";
    let (result, said) = with_threads(&scene, query, &["a.csv"]);
    assert_eq!(
        result,
        "k,count(id),max(id)\nk0,20,38.000000\nk1,20,39.000000\n1 files, 40 lines\n"
    );
    assert_eq!(said, "");
}

#[test]
fn complaints_and_literals_are_those_of_one_thread() {
    let mut text = String::new();
    for id in 0..LINES {
        match id % 5000 {
            17 => writeln!(text, "broken {id}"),
            18 => writeln!(text, "{{\"id\":\"x{id}\",\"level\":\"error\"}}"),
            _ => writeln!(text, "{{\"id\":{id},\"level\":\"info\",\"text\":\"of some length\"}}"),
        }
        .expect("written");
    }
    let scene = Scene::new(&[("a", &text)]);
    let query = "select level,count(id),sum(id) group by level logformat json";
    let (_, said) = with_threads(&scene, query, &["a"]);
    assert_eq!(
        said,
        "field \"id\": 12 values are not numbers, first \"x18\"\n\
         12 lines do not fit log format \"json\" (not a JSON object), first \"broken 17\"\n"
    );
    let query = "select count(*),last(id),first(id) where level eq \"error\" logformat json";
    let (result, said) = with_threads(&scene, query, &["a"]);
    assert!(result.contains("\n12,x55018,x18\n"), "{result}");
    assert_eq!(said, "", "what cannot count is not looked at");
}

#[test]
fn many_files_are_aggregated_side_by_side_in_order() {
    let files: BTreeMap<String, String> =
        (0..60).map(|file| (format!("f{file:02}"), format!("a={file}\na=x{file}\n"))).collect();
    let pairs: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let scene = Scene::new(&pairs);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let query = "select count(*),sum(a),first(a),last(a) logformat generickv";
    let (result, said) = with_threads(&scene, query, &names);
    assert!(result.contains("\n120,1770.000000,0,x59\n60 files, 120 lines\n"), "{result}");
    assert_eq!(said, "field \"a\": 60 values are not numbers, first \"x0\"\n");
}

#[test]
fn a_limit_holds_for_all_threads_together() {
    let scene = Scene::new(&[("a.csv", &csv_file())]);
    let query = "select id,count(id) group by id logformat csv";
    for threads in [1, 2] {
        let settings = Settings { threads, max_query_memory: 1 << 20, ..Settings::default() };
        let (result, said) = aggregated(&scene, query, &["a.csv"], settings);
        assert!(said.contains("need more than the 1 MiB of memory"), "{said}");
        assert!(result.lines().count() < 3, "a part is not the truth: {result}");
    }
}

#[test]
fn formats_of_the_users_own_come_from_the_settings() {
    let scene = Scene::new(&[("a", "1 one\n2 two\n3\n")]);
    let own = ("mine".to_owned(), "(?P<number>[0-9]+) (?P<word>.*)".to_owned());
    let settings = Settings { user_formats: UserFormats::new([own]), ..Settings::default() };
    let query = "select sum(number),last(word) logformat mine";
    let (result, said) = aggregated(&scene, query, &["a"], settings);
    assert_eq!(result, "sum(number),last(word)\n3.000000,two\n1 files, 3 lines\n");
    assert!(said.starts_with("1 line does not fit log format \"mine\""), "{said}");
}
