//! The commands of docs/dprofile.md and of the help do what they say. `web` has tests of its own.

use std::path::Path;

use dtail_testkit::Scratch;

use crate::dprofile;
use crate::profiles::{encoded, profile};

/// What the page calls profiles, and the names in the examples of the help.
const PROFILES: [&str; 6] = [
    "FILE",
    "BEFORE",
    "AFTER",
    "before.prof",
    "after.prof",
    "profiles/dgrep_cpu_20261121_120000.prof",
];

/// The commands: what stands in front of a comment, or of the words beside an example.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for line in text.lines() {
        let line = line.trim().split("  ").next().unwrap_or_default();
        if line.starts_with("dprofile ") && !line.contains(" web") {
            let words = line.split_whitespace().skip(1);
            commands.push(words.map(|word| word.trim_matches('\'').to_owned()).collect());
        }
    }
    commands
}

#[test]
fn the_documented_commands_work() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dprofile.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let block = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    let help = dprofile(&Scratch::new(), &["--help"]).run().exits(0).stdout_text();
    let examples = help.split("Examples:\n").nth(1).expect("examples");
    let all = [commands(block.expect("commands")), commands(examples)].concat();
    assert!(all.len() >= 12, "only {} commands were found", all.len());
    for command in all {
        let scratch = Scratch::new();
        let bytes = encoded(&profile(&["6 main parse_line memchr", "3 main parse_line"]));
        for name in PROFILES {
            scratch.write(name, &bytes);
        }
        // The examples of the help stand in the folder of the profile.
        scratch.write("dgrep_cpu_20261121_120000.prof", &bytes);
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let finished = dprofile(&scratch, &words).run();
        finished.exits(0);
        let has_file = command.iter().any(|word| word == "-o");
        assert!(has_file || !finished.stdout_text().is_empty(), "{command:?}");
    }
}

#[test]
fn it_tells_its_version() {
    let said = dprofile(&Scratch::new(), &["--version"]).run().exits(0).stdout_text();
    assert_eq!(said, concat!("dprofile ", env!("CARGO_PKG_VERSION"), "\n"));
}
