//! dprofile as its users run it. It never looks inside.

mod answers;
mod bad_input;
mod documented;
mod go;
mod page;
mod picture;
mod profiles;

use dtail_testkit::{Program, Scratch};

/// dprofile in a scratch folder.
fn dprofile(scratch: &Scratch, arguments: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_dprofile"), scratch).args(arguments).env("TZ", "UTC")
}
