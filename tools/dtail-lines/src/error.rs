//! What goes wrong with files. Never decides how bad that is for the whole.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::compression::Compression;
use crate::members::{TooLarge, Trailing};

/// Why a file cannot be read, or not further. One line that names the path.
#[derive(Debug)]
pub enum FileError {
    /// The path cannot be opened.
    Open(PathBuf, io::Error),
    /// The path is a directory.
    Directory(PathBuf),
    /// Missing, or not permitted: whoever asks must not learn which.
    Refused {
        /// What was asked for.
        name: String,
        /// What it is, for the operator of the host.
        reason: String,
    },
    /// Neither a regular file nor a directory, where only regular files are permitted.
    NotRegular(PathBuf),
    /// `-`, where standard input is not the user's.
    NoStdin,
    /// A `journal:` specification that cannot be meant, and why.
    BadJournal(String, &'static str),
    /// There is no program to read a journal with.
    NoJournal {
        /// The specification.
        name: String,
        /// The program.
        program: PathBuf,
    },
    /// Reading failed on the way. The name is a path or `standard input`.
    Read(String, io::Error),
    /// A file has lost bytes that it had when it was opened. The name is its path.
    Shrunk(String),
    /// Compressed data broke off or is damaged.
    Decompress {
        /// The compressed file.
        path: String,
        /// How it is compressed.
        format: Compression,
        /// Bytes that could be decompressed, all of which were delivered.
        delivered: u64,
        /// What the decoder says.
        reason: io::Error,
    },
    /// A compressed file cannot be followed.
    Compressed(PathBuf, Compression),
    /// The glob is malformed.
    BadGlob(String),
    /// To find what the glob names, more files must be looked at than may be.
    WideGlob(String),
    /// The glob names nothing.
    NoMatch(String),
    /// More journals are to be followed at once than may be, which is so many.
    ManyJournals(usize),
    /// More files and pipes are to be followed at once than may be, which is so many.
    ManyTargets(usize),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Open(path, err) => {
                write!(f, "cannot open {}: {}", path.display(), reason(err))
            }
            FileError::Directory(path) => {
                write!(f, "{} is a directory, name files or use a glob", path.display())
            }
            FileError::Refused { name, .. } => {
                write!(f, "{name} cannot be read: missing or not permitted")
            }
            FileError::NotRegular(path) => {
                write!(f, "{} is not a regular file, only those may be read", path.display())
            }
            FileError::NoStdin => {
                f.write_str("- means standard input, which is not yours here: name files")
            }
            FileError::BadJournal(name, reason) => {
                write!(f, "{name:?} names no journal: {reason}, write journal:UNIT")
            }
            FileError::NoJournal { name, program } => {
                let program = program.display();
                write!(f, "cannot read {name}: there is no program {program}, it needs systemd")
            }
            FileError::Read(name, err) => write!(f, "cannot read {name}: {}", reason(err)),
            FileError::Shrunk(name) => {
                write!(f, "{name} became shorter while it was read, read it again")
            }
            FileError::Decompress { path, format, delivered, reason: err } => {
                write!(f, "{path}: {format} data ")?;
                match err.kind() {
                    io::ErrorKind::UnexpectedEof => f.write_str("is cut off")?,
                    _ if Trailing::is(err) => f.write_str("ends")?,
                    _ if TooLarge::is(err) => f.write_str("takes too much memory")?,
                    _ => write!(f, "is damaged ({})", reason(err))?,
                }
                write!(f, " after {delivered} decompressed bytes")?;
                if Trailing::is(err) { write!(f, ", what follows is no {format}") } else { Ok(()) }
            }
            FileError::Compressed(path, format) => {
                write!(f, "{} is {format} data and cannot be followed", path.display())
            }
            FileError::BadGlob(glob) => write!(f, "malformed glob {glob:?}"),
            FileError::WideGlob(glob) => {
                write!(f, "{glob} looks at too many files, name the folders more exactly")
            }
            FileError::NoMatch(glob) => write!(f, "no file matches {glob}"),
            FileError::ManyJournals(limit) => {
                write!(f, "more than {limit} journals at once: follow the others by another dtail")
            }
            FileError::ManyTargets(limit) => {
                write!(f, "more than {limit} files at once: follow the others by another dtail")
            }
        }
    }
}

impl std::error::Error for FileError {}

impl FileError {
    /// What must be kept from whoever asked and told to the operator of the host. One line.
    pub fn secret(&self) -> Option<String> {
        match self {
            FileError::Refused { name, reason } => {
                Some(format!("refused to read {name}: {reason}"))
            }
            _ => None,
        }
    }
}

/// The system's text without its number.
pub(crate) fn reason(err: &io::Error) -> String {
    let text = err.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned(),
    }
}
