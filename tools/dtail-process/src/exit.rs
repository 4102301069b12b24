//! What the programs tell their caller by their exit code. It never ends the process.

use std::process::ExitCode;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All that was asked for was done; dgrep found a line.
    Ok,
    /// dgrep found no line.
    NoMatch,
    /// Nothing useful was done: bad usage, no file could be read, the output could not be written.
    Error,
    /// Some files could not be read, the others were.
    SomeFailed,
    /// A one-shot program was stopped by the signal of this number.
    Interrupted(u8),
}

impl Exit {
    /// The number the caller sees: 0, 1, 2, 3, or 128 and the signal, as shells count.
    pub fn number(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::NoMatch => 1,
            Exit::Error => 2,
            Exit::SomeFailed => 3,
            Exit::Interrupted(signal) => 128 | signal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}
