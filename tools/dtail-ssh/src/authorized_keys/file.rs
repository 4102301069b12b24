//! An `authorized_keys` file on disk, which only its owner may have written. Never reads what it
//! means.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{AuthorizedKeys, FILE_LIMIT, parse};
use crate::files;

const ROOT: u32 = 0;
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Why a file is not used.
#[derive(Debug)]
pub enum AuthorizedKeysError {
    /// There is no such file.
    Missing,
    /// The file is there but cannot be trusted or read. One line with the path and what mends it.
    Refused(String),
}

impl fmt::Display for AuthorizedKeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthorizedKeysError::Missing => f.write_str("there is no authorized_keys file"),
            AuthorizedKeysError::Refused(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for AuthorizedKeysError {}

/// Reads the file at `path` unless somebody else than root and `owners` (user ids) could have
/// written it: sshd's StrictModes. Looks at the file and every directory above it, links resolved.
/// Directories like `/tmp`, where everybody writes but only owners rename (the sticky bit), are
/// good enough above the file's own.
pub fn load(path: &Path, owners: &[u32]) -> Result<AuthorizedKeys, AuthorizedKeysError> {
    let refused = |path: &Path, text: String| {
        AuthorizedKeysError::Refused(format!("{}: {text}", path.display()))
    };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => AuthorizedKeysError::Missing,
        _ => refused(path, error.to_string()),
    };
    let path = path.canonicalize().map_err(failed)?;
    for directory in path.ancestors().skip(1) {
        let metadata = fs::metadata(directory).map_err(failed)?;
        let is_shared = metadata.uid() == ROOT && metadata.mode() & STICKY != 0;
        if !is_shared {
            check(directory, &metadata, owners).map_err(|text| refused(directory, text))?;
        }
    }
    // Now nobody else can exchange the file between the check and the reading.
    let (bytes, metadata) = files::read(&path, FILE_LIMIT as u64).map_err(failed)?;
    check(&path, &metadata, owners).map_err(|text| refused(&path, text))?;
    Ok(parse(&bytes))
}

fn check(path: &Path, metadata: &Metadata, owners: &[u32]) -> Result<(), String> {
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(format!("others may write here: chmod go-w {}", path.display()));
    }
    if metadata.uid() != ROOT && !owners.contains(&metadata.uid()) {
        return Err(format!("it belongs to user {}, who could let anybody in", metadata.uid()));
    }
    Ok(())
}
