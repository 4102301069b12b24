//! The same questions about the same records, asked of dmap and of a database: python's sqlite3
//! and, where it is installed, duckdb.

use std::fmt;
use std::process::Command;

use dtail_testkit::Scratch;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};

use crate::dmap;
use crate::generated::{CONFIGURATION, FORMATS, Format, Question};

const RECORDS: usize = 3000;

/// `SCRIPT MODULE FILE`: answers the questions of the file, each as a list of rows.
const SCRIPT: &str = r#"
import importlib, json, sys
module = importlib.import_module(sys.argv[1])
told = json.load(open(sys.argv[2]))
database = module.connect(":memory:")
types = "user text,host text,bytes text,n double precision,note text,line text"
types = types.replace("text", "varchar")
database.execute(f"create table t({types})")
database.execute("begin")
database.executemany("insert into t values(?,?,?,?,?,?)", told["rows"])
database.execute("commit")
answers = [[list(row) for row in database.execute(sql).fetchall()] for sql in told["questions"]]
json.dump(answers, sys.stdout, default=float)
"#;

/// Whether python has a module; without it a test says loudly that it was skipped.
fn has_module(module: &str) -> bool {
    let found = Command::new("python3").args(["-c", &format!("import {module}")]).output();
    let is_there = found.is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("SKIPPED: python3 has no module {module}; dmap's answers were not compared");
    }
    is_there
}

/// What the database answers to all questions about a format.
#[track_caller]
fn asked(module: &str, scratch: &Scratch, format: &Format, lines: &[String]) -> Vec<Value> {
    let records = format.records(1, RECORDS);
    let rows: Vec<Value> = records
        .iter()
        .zip(lines)
        .map(|(record, line)| {
            let bytes = record.bytes.as_deref().or(format.left_out);
            json!([record.user, record.host, bytes, record.number, record.note, line])
        })
        .collect();
    let questions: Vec<&str> = format.questions().map(|question| question.sql).collect();
    let told = json!({ "rows": rows, "questions": questions }).to_string();
    let (script, told) = (scratch.write("ask.py", SCRIPT), scratch.write("told.json", told));
    let output = Command::new("python3").arg(script).arg(module).arg(told).output();
    let output = output.expect("python3 runs");
    assert!(output.status.success(), "{module}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The rows that dmap answers with.
#[track_caller]
fn answered(scratch: &Scratch, format: &Format, question: &Question) -> Vec<Vec<Value>> {
    let query = format.query(question);
    let finished =
        dmap(scratch, &["--cfg", "c.json", "--quiet", "--output", "json", &query, "a.log"]).run();
    let rows: Vec<Row> = serde_json::from_str(&finished.exits(0).stdout_text()).expect("JSON");
    rows.into_iter().map(|Row(values)| values).collect()
}

/// The values of an object in the order they are written in.
struct Row(Vec<Value>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Row, D::Error> {
        deserializer.deserialize_map(Columns).map(Row)
    }
}

struct Columns;

impl<'de> Visitor<'de> for Columns {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Value>, A::Error> {
        let mut values = Vec::new();
        while let Some((_, value)) = map.next_entry::<String, Value>()? {
            values.push(value);
        }
        Ok(values)
    }
}

/// Six decimals are printed; an aggregate of nothing is 0 or missing.
fn is_same(ours: &Value, theirs: &Value) -> bool {
    match (ours.as_f64(), theirs.as_f64()) {
        (Some(ours), Some(theirs)) => (ours - theirs).abs() <= 1e-6 + theirs.abs() * 1e-12,
        (None, Some(theirs)) => ours.is_null() && theirs == 0.0,
        _ => ours == theirs,
    }
}

#[track_caller]
fn compare(format: &Format, question: &Question, ours: Vec<Vec<Value>>, theirs: &Value) {
    let mut theirs: Vec<Vec<Value>> = serde_json::from_value(theirs.clone()).expect("rows");
    let mut ours = ours;
    if !question.ordered {
        let text = |row: &Vec<Value>| -> Vec<String> {
            row.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        ours.sort_by_key(text);
        theirs.sort_by_key(text);
    }
    let query = format.query(question);
    assert_eq!(ours.len(), theirs.len(), "rows of {query:?}");
    for (our, their) in ours.iter().zip(&theirs) {
        let same = our.len() == their.len() && our.iter().zip(their).all(|(a, b)| is_same(a, b));
        assert!(same, "{query:?}: {our:?}, the database says {their:?}");
    }
}

/// Asks everything about every format.
fn ask_everything(module: &str) {
    if !has_module(module) {
        return;
    }
    for format in &FORMATS {
        let scratch = Scratch::new();
        scratch.write("c.json", CONFIGURATION);
        let lines: Vec<String> =
            format.records(1, RECORDS).iter().map(|record| format.line(record)).collect();
        scratch.write("a.log", format.file(&lines));
        let theirs = asked(module, &scratch, format, &lines);
        for (question, theirs) in format.questions().zip(&theirs) {
            compare(format, question, answered(&scratch, format, question), theirs);
        }
        eprintln!("{module}, {}: {} questions", format.name, theirs.len());
    }
}

#[test]
fn sqlite_answers_alike() {
    ask_everything("sqlite3");
}

#[test]
fn duckdb_answers_alike() {
    ask_everything("duckdb");
}
