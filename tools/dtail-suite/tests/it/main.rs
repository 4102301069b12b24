//! The program of all tools as it is installed: by their names. It never looks inside.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use dtail_testkit::{Finished, Program, Scratch};

const SUITE: &str = env!("CARGO_BIN_EXE_dtail-suite");

fn run(program: &Path, scratch: &Scratch, arguments: &[&str]) -> Finished {
    Program::new(program, scratch).args(arguments).run()
}

#[test]
fn a_link_is_the_tool_that_it_is_named_after() {
    let scratch = Scratch::new();
    for (tool, about) in [
        ("dcat", "Print log files"),
        ("dgrep", "Print the lines of log files that match"),
        ("dmap", "Aggregate log files"),
        ("dprofile", "Show where time and memory went"),
        #[cfg(target_os = "linux")]
        ("dserver", "Serve log files"),
        ("dtail", "Follow log files"),
        ("dtailhealth", "Ask a DTail server whether it is well"),
    ] {
        for name in [tool.to_owned(), format!("{tool}.old")] {
            let program = scratch.path().join(name);
            symlink(SUITE, &program).unwrap();
            let help = run(&program, &scratch, &["--help"]);
            help.exits(0);
            help.must(help.stdout_text().starts_with(about), "it is another tool");
        }
    }
}

#[test]
fn a_link_of_another_name_is_the_tool_that_it_leads_to() {
    let scratch = Scratch::new();
    scratch.write("log", "one\ntwo\n");
    // Another folder may be on another disk, and a copy might still be open in a forked child.
    let dgrep = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dgrep");
    drop(fs::remove_file(&dgrep));
    fs::hard_link(SUITE, &dgrep).unwrap();
    let link = scratch.path().join("dtail-grep");
    symlink(&dgrep, &link).unwrap();
    run(&link, &scratch, &["--cfg", "none", "--plain", "-e", "two", "log"])
        .exits(0)
        .prints("two\n");
}

#[test]
fn another_name_is_refused() {
    let scratch = Scratch::new();
    let refused = run(Path::new(SUITE), &scratch, &["--help"]);
    let names = if cfg!(target_os = "linux") {
        "dcat, dgrep, dmap, dprofile, dserver, dtail, dtailhealth"
    } else {
        "dcat, dgrep, dmap, dprofile, dtail, dtailhealth"
    };
    let error =
        format!("error: called as {SUITE:?}, but this program goes by its name: call it {names}\n");
    refused.exits(2).prints("").says(&error);
}
