//! dgrep as its users run it. It never looks inside.

mod bad_input;
mod binary;
mod context;
mod ends;
mod like_grep;
mod messages;
mod remote;
mod selection;
mod unusual_files;
mod usage;
mod whole_logs;

use dtail_testkit::{Program, Scratch};

/// dgrep in a scratch folder.
fn dgrep(scratch: &Scratch, arguments: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_dgrep"), scratch).args(arguments)
}

/// Another program in a scratch folder, if it is installed.
fn peer(scratch: &Scratch, path: &str, arguments: &[&str]) -> Option<Program> {
    if !std::path::Path::new(path).exists() {
        eprintln!("SKIPPED: no {path} to compare with");
        return None;
    }
    Some(Program::new(path, scratch).args(arguments))
}
