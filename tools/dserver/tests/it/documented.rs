//! The configurations of docs/operations.md and of the packages are such that dserver takes them.

use std::path::Path;

use dtail_testkit::{Program, Scratch};

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).expect("a file of this repository")
}

#[track_caller]
fn check(configuration: &str) {
    let scratch = Scratch::new();
    scratch.write("dtail.json", configuration);
    let program = Program::new(env!("CARGO_BIN_EXE_dserver"), &scratch);
    let checked = program.args(["--cfg", "dtail.json", "--check-config"]).run();
    checked.exits(0).prints("the configuration is fine\n");
}

#[test]
fn the_documented_configurations_are_fine() {
    let page = text("docs/operations.md");
    let blocks: Vec<&str> =
        page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3, "only {} configurations were found", blocks.len());
    blocks.iter().for_each(|block| check(block));
    let shipped = text("xtask/src/ship/dtail.json");
    check(&shipped);
    assert_eq!(blocks[0], shipped, "the page shows what the packages bring");
}
