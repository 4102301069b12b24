//! Walks through docs/take-home.md: writes the files that the page shows and runs the commands that
//! it names, in their order, with inputs and rounds that take seconds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the page puts its sample.
const SAMPLE: &str = "../wordcount";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A step of the page: a file, or a command line.
enum Step {
    File { name: String, text: String },
    Command(Vec<String>),
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match kind.split_once(' ') {
            Some((_, name)) => {
                steps.push(Step::File { name: name.to_owned(), text: block.join("\n") + "\n" });
            }
            None if kind == "sh" => {
                let words = |line: &&str| line.split_whitespace().map(str::to_owned).collect();
                steps.extend(block.iter().map(words).map(Step::Command));
            }
            None => {}
        }
    }
    steps
}

/// Whether rounds can be run here; says so when not, because these steps are left out then.
fn can_compare() -> bool {
    let runs = |program: &Path| Command::new(program).arg("--version").output().is_ok();
    let can =
        runs(&repository().join("target/tools/bin/hyperfine")) || runs(Path::new("hyperfine"));
    if !can {
        eprintln!("SKIPPED: no hyperfine, so nothing is compared; get it with: cargo xtask doctor");
    }
    can
}

/// Runs a command of the page on the sample in `folder`; it must succeed.
fn run(words: &[String], folder: &Path) -> String {
    let place = |word: &String| word.replace(SAMPLE, &folder.display().to_string());
    let mut words: Vec<String> = words.iter().map(place).collect();
    let mut command = match words[1].as_str() {
        "xtask" => {
            words.drain(..2);
            Command::new(env!("CARGO_BIN_EXE_xtask"))
        }
        _ => Command::new(words.remove(0)),
    };
    if ["pgo", "pgo-quick", "pgo-generate"].contains(&words[0].as_str()) {
        words.extend(["--data-size=2000", "--iterations=1"].map(str::to_owned));
    }
    if ["pgo", "pgo-quick"].contains(&words[0].as_str()) {
        words.push("--rounds=3".to_owned());
    }
    let output = command.args(&words).current_dir(repository()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{errors}", words.join(" "));
    said + &errors
}

#[test]
fn the_walk_through_leads_where_it_says() {
    let page = std::fs::read_to_string(repository().join("docs/take-home.md")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("wordcount");
    // The machine's usual compiler may have no llvm-tools; that of this repository has.
    std::fs::create_dir_all(&folder).unwrap();
    let toolchain = "rust-toolchain.toml";
    std::fs::copy(repository().join(toolchain), folder.join(toolchain)).unwrap();
    let compares = can_compare();
    let mut ran = 0;
    for step in steps(&page) {
        match step {
            Step::File { name, text } => {
                let path = folder.join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Step::Command(mut words) => {
                if !compares && ["doctor", "pgo-quick"].contains(&words[2].as_str()) {
                    continue;
                }
                if !compares && words[2] == "pgo" {
                    // What a comparison is not needed for.
                    words[2] = "pgo-generate".to_owned();
                }
                let said = run(&words, &folder);
                if words[2] == "pgo-show" {
                    assert!(said.contains("was built with this profile"), "{said}");
                }
                ran += 1;
            }
        }
    }
    assert!(ran >= 6, "only {ran} commands were run");
    assert!(
        folder.join("pgo-profiles").is_dir() && folder.join("installed/bin/wordcount").is_file()
    );
}
