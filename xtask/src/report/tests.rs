//! The report as others see it: its JSON beside the published schema, its page in a real browser.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::*;
use crate::compare::rank::ranks;
use crate::compare::rounds::{CaseResult, Mean};
use crate::compare::statistics::{MISSES, Verdict, estimate};
use crate::recipe::own_root;
use crate::report::schema::offences;
use crate::toolchain::in_path;

/// A real run of 2026-11-21 on a restless machine, shortened to 17 cases.
const EXAMPLE: &str = include_str!("example.json");
/// What other commands leave beside a report, made up.
const MATRIX: &str = r#"{"why": "The family is as good.", "rows": [
    {"trained_on": "dcat", "cells": [
        {"measured_on": "dcat", "time": {"median": -0.05, "low": -0.06, "high": -0.04}},
        {"measured_on": "dmap", "time": {"median": 0.012, "low": 0.0, "high": 0.02}}]},
    {"trained_on": "dmap", "cells": [
        {"measured_on": "dcat", "time": {"median": -0.02, "low": -0.03, "high": 0.0}},
        {"measured_on": "dmap", "time": {"median": -0.371, "low": -0.4, "high": -0.3}}]}]}"#;
const CHECK: &str = r#"{"tools": [
    {"tool": "dcat", "all": {"exact": {"counts": 900}, "rebaseable": {"counts": 60},
                             "changed": {"counts": 30}, "gone": {"counts": 10}}}]}"#;

fn published_schema() -> Value {
    let path = own_root().join("docs/report.schema.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A report as the pipeline makes it.
fn report() -> Report {
    let ratios = vec![-0.11, -0.1, -0.12, -0.1, -0.09, -0.11];
    let placebo_ratios = vec![0.001, -0.002, 0.0, 0.003, -0.001, 0.0];
    let (candidate, placebo) = (estimate(&ratios, 1, MISSES), estimate(&placebo_ratios, 1, MISSES));
    let case = CaseResult {
        tool: "dgrep".to_owned(),
        case: "eval-<class>".to_owned(),
        measure: "wall".to_owned(),
        baseline_s: 0.25,
        candidate,
        placebo,
        ranks: ranks(&ratios),
        p_of_all: 0.03,
        verdict: Verdict::of(&candidate, &placebo),
        rounds: 6,
        baseline_memory: Some(1 << 20),
        candidate_memory: None,
        times: "target/pgo/hyperfine/dgrep.eval.json".into(),
        ratios,
        placebo_ratios,
    };
    Report {
        schema: Report::SCHEMA,
        command: "cargo xtask pgo dgrep".to_owned(),
        commit: None,
        machine: Machine::now(),
        compiler: Compiler {
            release: "1.95.0".to_owned(),
            commit: "59807616e".to_owned(),
            host: "x86_64-unknown-linux-gnu".to_owned(),
            llvm: "22.1.2".to_owned(),
        },
        data_size: 1000,
        iterations: 1,
        corpus: false,
        cargo_profile: "dist".to_owned(),
        profile_use: "family".to_owned(),
        profiles: vec![ProfileRow {
            tool: "dgrep".to_owned(),
            functions: 10,
            counted: 4,
            total: 99,
            cases: 1,
            slowdown: 2.0,
            hottest: "<Scan>::find".to_owned(),
            baseline_bytes: 2000,
            pgo_bytes: 1800,
        }],
        comparison: Comparison {
            seed: 1,
            rounds: 6,
            max_rounds: 6,
            hyperfine: "1.20.0".to_owned(),
            cases: vec![case],
            means: vec![Mean { name: "all tools".to_owned(), candidate, placebo }],
        },
        counts: None,
        bolt: None,
        stages: vec![StageTime {
            name: "train".to_owned(),
            seconds: 1.5,
            outcome: "ok".to_owned(),
        }],
    }
}

#[test]
fn what_the_pipeline_writes_is_what_the_schema_says() {
    let schema = published_schema();
    let value = serde_json::to_value(report()).unwrap();
    assert_eq!(offences(&schema, &value), [""; 0]);
    let example: Value = serde_json::from_str(EXAMPLE).unwrap();
    assert_eq!(offences(&schema, &example), [""; 0]);
}

#[test]
fn the_schema_finds_what_is_wrong() {
    let schema = published_schema();
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut value = serde_json::to_value(report()).unwrap();
        change(&mut value);
        offences(&schema, &value).join("; ")
    };
    let told = broken(&|value| value["schema"] = 2.into());
    assert!(told.contains("$: const") || told.contains("$.schema: const"), "{told}");
    let told = broken(&|value| value["comparison"]["cases"][0]["verdict"] = "good".into());
    assert!(told.starts_with("$.comparison.cases[0].verdict: enum"), "{told}");
    let told = broken(&|value| value["new"] = 1.into());
    assert_eq!(told, "$.new: the schema does not know it");
    let told = broken(&|value| {
        value.as_object_mut().unwrap().remove("stages");
    });
    assert_eq!(told, "$.stages: is missing");
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_escapes() {
    let value = serde_json::to_string(&report()).unwrap();
    let page = page::render(&serde_json::from_str(&value).unwrap(), &Beside::default());
    for outside in ["http:", "https:", "src=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("eval-&lt;class&gt;") && !page.contains("<class>"));
    assert!(page.contains("&lt;Scan&gt;::find"));
}

#[test]
fn a_report_of_another_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.json");
    atomic::write(&path, EXAMPLE.replace("\"schema\": 3", "\"schema\": 2").as_bytes()).unwrap();
    let error = write_page(&path).unwrap_err();
    assert!(error.to_string().contains("its schema is 2"), "{error}");
    assert_eq!(crate::fault::exit_code(&error), Fault::Usage.code());
}

/// The browser lays the page out: what it prints as text and draws is what was meant, in light and
/// in dark, and it has nothing to say on its console.
#[test]
fn a_browser_shows_the_page() {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let Some(browser) = names.into_iter().find_map(in_path) else {
        eprintln!(
            "SKIPPED: no chromium, so nobody looked at report.html (apt-get install chromium)"
        );
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("report.json");
    atomic::write(&json, EXAMPLE.as_bytes()).unwrap();
    atomic::write(&dir.path().join("matrix.json"), MATRIX.as_bytes()).unwrap();
    atomic::write(&dir.path().join("check.json"), CHECK.as_bytes()).unwrap();
    let page = write_page(&json).unwrap();
    let dom = dom(&browser, dir.path(), &page);
    for text in [
        "Gain over the baseline",
        "eval-keyvalue",
        "+31.0",
        "10.00 %, 4.00 % after",
        "rustc 1.95.0",
        "1 slower",
    ] {
        assert!(dom.contains(text), "no {text} in what the browser shows");
    }
    let count = |what: &str| dom.matches(what).count();
    // The forest, one drawing per case, lost counts, sizes, stages.
    assert_eq!(count("<svg"), 1 + 17 + 3);
    assert_eq!(count("</svg>"), count("<svg"));
    assert_eq!(count("class=\"case "), 17);
    assert!(count("<circle") > 17 * 2 * 20 - 1, "{} points", count("<circle"));
    let light = brightness(&browser, dir.path(), &page, "1");
    let dark = brightness(&browser, dir.path(), &page, "0");
    assert!(light > 200 && dark < 80, "light {light}, dark {dark}");
}

fn headless(browser: &Path, dir: &Path, more: &[&str], page: &Path) -> (Vec<u8>, String) {
    let profile = format!("--user-data-dir={}", dir.join("browser").display());
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", &profile])
        .args(more)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(!told.contains("CONSOLE"), "the browser complains: {told}");
    (output.stdout, told)
}

fn dom(browser: &Path, dir: &Path, page: &Path) -> String {
    let (stdout, _) = headless(browser, dir, &["--dump-dom"], page);
    String::from_utf8(stdout).unwrap()
}

/// How bright the page's first pixel is, 0 to 255, when the user prefers dark (0) or light (1).
fn brightness(browser: &Path, dir: &Path, page: &Path, prefers: &str) -> u8 {
    let shot = dir.join("shot.png");
    let scheme = format!("--blink-settings=preferredColorScheme={prefers}");
    let to = format!("--screenshot={}", shot.display());
    headless(browser, dir, &["--window-size=400,300", &scheme, &to], page);
    first_pixel(&std::fs::read(&shot).unwrap())
}

/// The red of a PNG's first pixel: after inflating, a filter's number, then red. In the first row's
/// first pixel every filter subtracts nothing.
fn first_pixel(png: &[u8]) -> u8 {
    use std::io::Read as _;
    let mut data = Vec::new();
    let mut rest = &png[8..];
    while rest.len() >= 12 {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        if &rest[4..8] == b"IDAT" {
            data.extend_from_slice(&rest[8..8 + length]);
        }
        rest = &rest[12 + length..];
    }
    let mut start = [0; 2];
    flate2::read::ZlibDecoder::new(&data[..]).read_exact(&mut start).unwrap();
    start[1]
}
