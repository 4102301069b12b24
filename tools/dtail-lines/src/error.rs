//! What goes wrong with files. Never decides how bad that is for the whole.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::compression::Compression;

/// Why a file cannot be read, or not further. One line that names the path.
#[derive(Debug)]
pub enum FileError {
    /// The path cannot be opened.
    Open(PathBuf, io::Error),
    /// The path is a directory.
    Directory(PathBuf),
    /// Reading failed on the way. The name is a path or `standard input`.
    Read(String, io::Error),
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
    /// The glob names nothing.
    NoMatch(String),
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
            FileError::Read(name, err) => write!(f, "cannot read {name}: {}", reason(err)),
            FileError::Decompress { path, format, delivered, reason: err } => {
                let what = match err.kind() {
                    io::ErrorKind::UnexpectedEof => "is cut off".to_owned(),
                    _ => format!("is damaged ({})", reason(err)),
                };
                write!(f, "{path}: {format} data {what} after {delivered} decompressed bytes")
            }
            FileError::Compressed(path, format) => {
                write!(f, "{} is {format} data and cannot be followed", path.display())
            }
            FileError::BadGlob(glob) => write!(f, "malformed glob {glob:?}"),
            FileError::NoMatch(glob) => write!(f, "no file matches {glob}"),
        }
    }
}

impl std::error::Error for FileError {}

/// The system's text without its number.
fn reason(err: &io::Error) -> String {
    let text = err.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned(),
    }
}
