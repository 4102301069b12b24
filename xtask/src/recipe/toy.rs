//! The pipeline on the sample workspace, in tests.

use std::path::Path;

use anyhow::Result;
use clap::Parser as _;

use crate::atomic;
use crate::cli::Cli;
use crate::fault::exit_code;
use crate::recipe::{dispatch, sample};
use crate::toolchain::in_path;

/// Runs one command line of xtask on the workspace.
fn xtask(root: &Path, words: &[&str]) -> Result<()> {
    let workspace = root.display().to_string();
    let size = ["--data-size=2000", "--iterations=1", "--workspace", &workspace];
    let words = ["cargo xtask"].iter().chain(words).chain(&size);
    dispatch(Cli::try_parse_from(words)?.command)
}

/// Whether rounds can be run here; says so when not, because the rest of a test is left out then.
fn can_compare() -> bool {
    let own = crate::recipe::own_root().join("target/tools/bin/hyperfine");
    let can = own.is_file() || in_path("hyperfine").is_some();
    if !can {
        eprintln!("SKIPPED: no hyperfine, so nothing is compared; get it with: cargo xtask doctor");
    }
    can
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_same_sources_give_the_same_programs_in_two_folders() {
    let dir = tempfile::tempdir().unwrap();
    sample::write(dir.path()).unwrap();
    // Debug information names folders; link-time optimisation would only take time.
    let profile = "[profile.dist]\ninherits = \"release\"\ndebug = 1\n";
    atomic::write(&dir.path().join("Cargo.toml"), [sample::MANIFEST, profile].concat().as_bytes())
        .unwrap();
    xtask(dir.path(), &["pgo", "--repro"]).unwrap();
    let out_dir = dir.path().join("target/pgo");
    assert!(!out_dir.join("repro").exists() && !dir.path().join("pgo-profiles").exists());
    // A program that knows where it was built is another one in another folder.
    let leaking = sample::WORDCOUNT.replace(r#""wordcount""#, r#"env!("CARGO_MANIFEST_DIR")"#);
    assert_ne!(leaking, sample::WORDCOUNT);
    let main = dir.path().join("wordcount/src/main.rs");
    std::fs::write(main, leaking).unwrap();
    let error = xtask(dir.path(), &["pgo", "wordcount", "--repro"]).unwrap_err();
    assert_eq!(exit_code(&error), 9, "{error:#}");
    let text = format!("{error:#}");
    assert!(text.contains("wordcount in section ."), "{text}");
}

#[test]
fn a_matrix_has_a_row_per_profile_and_a_column_per_tool() {
    if !can_compare() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    sample::write(dir.path()).unwrap();
    xtask(dir.path(), &["pgo-matrix", "--rounds=3", "--cargo-profile=dist-quick"]).unwrap();
    let matrix = json(&dir.path().join("target/pgo/matrix.json"));
    let rows = matrix["rows"].as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["trained_on"].as_str().unwrap()).collect();
    assert_eq!(names, ["linesort", "wordcount", "family"]);
    for row in rows {
        let cells = row["cells"].as_array().unwrap();
        assert_eq!(cells.len(), 2);
        assert!(cells.iter().all(|cell| cell["time"]["low"].is_number()));
    }
    let text = std::fs::read_to_string(dir.path().join("target/pgo/matrix.md")).unwrap();
    assert!(text.contains("| trained on | linesort | wordcount |"), "{text}");
    assert!(!dir.path().join("pgo-profiles").exists());
}

#[test]
fn counts_and_bolt_are_reported_whether_their_tools_are_here_or_not() {
    if !can_compare() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    sample::write(dir.path()).unwrap();
    let words =
        ["pgo", "wordcount", "--rounds=3", "--counts", "--bolt", "--cargo-profile=dist-quick"];
    xtask(dir.path(), &words).unwrap();
    let out_dir = dir.path().join("target/pgo");
    let report = json(&out_dir.join("report.json"));
    let counts = &report["counts"];
    if counts["absent"].is_null() {
        let case = &counts["cases"][0];
        let count = |name: &str| case[name].as_f64().unwrap();
        assert!(count("candidate") < count("baseline") * 1.2, "{case}");
        assert!((count("placebo") / count("baseline") - 1.0).abs() < 0.01, "{case}");
    } else {
        eprintln!("SKIPPED: {}", counts["absent"]);
    }
    let tool = &report["bolt"]["tools"][0];
    let kept = tool["kept"].as_bool().unwrap();
    if report["bolt"]["version"].is_null() {
        eprintln!("SKIPPED: {}", tool["why"]);
        assert!(!kept);
    } else {
        assert!(tool["bolt_bytes"].is_number(), "{tool}");
        // What BOLT wrote survives being stripped as an installed program is.
        assert_eq!(version_of(&out_dir.join("bolt/stripped")), "wordcount 1\n");
    }
    let built = json(&out_dir.join("built.json"));
    let path = built[0]["bin"]["path"].as_str().unwrap();
    assert_eq!(Path::new(path).starts_with(out_dir.join("bolt")), kept, "{path}");
    let manifest = json(&out_dir.join("built/wordcount.manifest.json"));
    assert_eq!(manifest["bolt"]["kept"].as_bool(), Some(kept));
    let prefix = dir.path().join("installed").display().to_string();
    let workspace = dir.path().display().to_string();
    let install = ["cargo xtask", "install-pgo", "--workspace", &workspace, "--prefix", &prefix];
    dispatch(Cli::try_parse_from(install).unwrap().command).unwrap();
    let installed = dir.path().join("installed/bin/wordcount");
    assert_eq!(version_of(&installed), "wordcount 1\n");
    let show = ["cargo xtask", "pgo-show", &installed.display().to_string()];
    dispatch(Cli::try_parse_from(show).unwrap().command).unwrap();
}

fn version_of(program: &Path) -> String {
    let told = std::process::Command::new(program).arg("--version").output().unwrap();
    assert!(told.status.success(), "{told:?}");
    String::from_utf8(told.stdout).unwrap()
}
