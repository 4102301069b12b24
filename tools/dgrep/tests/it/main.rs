//! dgrep as its users run it. It never looks inside.

mod bad_input;
mod ends;
mod selection;
mod whole_logs;

use dtail_testkit::{Program, Scratch};

/// dgrep in a scratch folder.
fn dgrep(scratch: &Scratch, arguments: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_dgrep"), scratch).args(arguments)
}
