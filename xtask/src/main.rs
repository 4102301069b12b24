//! `cargo xtask`: parses, makes the context, dispatches, and turns the result into an exit code.
//! Owns no build logic; every recipe is one function in `recipe`.

mod atomic;
mod bench;
mod book;
mod calibrate;
mod cargo;
mod child;
mod cli;
mod compare;
mod ctx;
mod digest;
mod elf;
mod fault;
mod flags;
mod lock;
mod menu;
mod profile;
mod progress;
mod random;
mod recipe;
mod registered;
mod report;
mod ship;
mod surroundings;
mod tidy;
mod toolchain;
mod words;
mod workload;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_none() {
        print!("{}", menu::MENU);
        return ExitCode::SUCCESS;
    }
    let command = match cli::Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => {
            // Help and version are not errors; clap prints them to stdout and says code 0.
            let code = u8::try_from(error.exit_code()).unwrap_or(fault::Fault::Usage.code());
            return match error.print() {
                Ok(()) => ExitCode::from(code),
                Err(_) => ExitCode::from(fault::Fault::Machine.code()),
            };
        }
    };
    match recipe::dispatch(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(fault::exit_code(&error))
        }
    }
}
