//! dcat as its users run it. It never looks inside.

mod bad_input;
mod copies;
mod ends;
mod files;
mod formats;
mod numbers;
mod profiles;
mod usage;

use dtail_testkit::{Program, Scratch};

/// dcat in a scratch folder.
fn dcat(scratch: &Scratch, arguments: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_dcat"), scratch).args(arguments)
}
