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

/// Why `println!` panics; nothing else of it can be seen from outside.
const UNWRITABLE: &str = "failed printing to stdout: ";

/// Runs the command. When its output cannot be written, it ends in good order and with one line;
/// without a word when the reader has gone (`cargo xtask pgo-show PROGRAM | head -1`).
fn main() -> ExitCode {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.payload_as_str().is_some_and(|message| message.starts_with(UNWRITABLE)) {
            report(panic);
        }
    }));
    std::panic::catch_unwind(run).unwrap_or_else(|payload| {
        match payload.downcast_ref::<String>().and_then(|said| said.strip_prefix(UNWRITABLE)) {
            Some(why) => unwritable(why),
            None => std::panic::resume_unwind(payload),
        }
    })
}

fn unwritable(why: &str) -> ExitCode {
    if why.starts_with("Broken pipe") {
        return ExitCode::from(fault::Fault::Interrupted.code());
    }
    eprintln!("error: writing to stdout: {why}");
    ExitCode::from(fault::Fault::Machine.code())
}

fn run() -> ExitCode {
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
                Err(why) if !error.use_stderr() => unwritable(&why.to_string()),
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
