//! Small files that others must not read or see half written. Never knows what is in them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::OFlags;

/// Creates `path` with `bytes`; an error of the kind `AlreadyExists` if somebody else has it.
pub(crate) fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = write_beside(path, bytes, mode)?;
    // A link never replaces a file, unlike a renaming.
    let result = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    result
}

/// Writes `path` anew, whole or not at all.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = write_beside(path, bytes, mode)?;
    fs::rename(&temporary, path).inspect_err(|_| {
        // The first error is the one to tell.
        fs::remove_file(&temporary).unwrap_or_default();
    })
}

/// The directory of `path`, made for the owner only where it is missing.
pub(crate) fn make_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)
        }
        _ => Ok(()),
    }
}

/// The content of a regular file of at most `limit` bytes, and the mode and owner of what was read.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<(Vec<u8>, fs::Metadata)> {
    // A pipe in the place of the file must not keep us waiting.
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("longer than {limit} bytes")));
    }
    Ok((bytes, metadata))
}

/// Whether group or others have any right to what `metadata` describes.
pub(crate) fn is_private(metadata: &fs::Metadata) -> bool {
    metadata.mode() & 0o077 == 0
}

fn write_beside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<PathBuf> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}-{number}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    write_synced(&mut file, bytes).inspect_err(|_| {
        // The first error is the one to tell.
        fs::remove_file(&temporary).unwrap_or_default();
    })?;
    Ok(temporary)
}

fn write_synced(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}
