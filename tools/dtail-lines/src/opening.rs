//! Opens files such that what the rules permit is what is read, whatever happens to symlinks
//! meanwhile. Never reads from them.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use probe::probe;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::access::Access;
use crate::error::{FileError, reason};
use crate::site::Site;

/// A file by what can be done with it.
pub(crate) enum Opened {
    /// Has a size and offsets.
    Regular(File),
    /// A FIFO or a device; reads do not block.
    Stream(File),
}

/// Without ever blocking, also on a FIFO nobody writes to.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Opens a path without ever blocking. Unless everything may be read, only a regular file whose
/// real path is permitted is opened; what is missing and what is not permitted look alike.
pub(crate) fn open_file(path: &Path, site: &Site) -> Result<Opened, FileError> {
    open_sized(path, site).map(|(opened, _)| opened)
}

/// The same, and the size in bytes.
pub(crate) fn open_sized(path: &Path, site: &Site) -> Result<(Opened, u64), FileError> {
    let opened = open_unnoticed(path, site)?;
    let name = path.as_os_str().as_bytes();
    // Path, its length, size in bytes (0: not known).
    probe!(dtail, file_open, name.as_ptr(), name.len(), opened.1);
    Ok(opened)
}

fn open_unnoticed(path: &Path, site: &Site) -> Result<(Opened, u64), FileError> {
    let failed = |err| FileError::Open(path.to_owned(), err);
    if !site.access.is_everything() {
        let file = open_permitted(path, &site.access)?;
        let size = file.metadata().map_err(failed)?.len();
        return Ok((Opened::Regular(file), size));
    }
    let file = open(path, READ).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        Err(FileError::Directory(path.to_owned()))
    } else if !site.has_stdin && is_stdin(&metadata) {
        // `/dev/stdin` and its like.
        Err(FileError::NoStdin)
    } else if kind.is_file() {
        Ok((Opened::Regular(file), metadata.len()))
    } else {
        Ok((Opened::Stream(file), 0))
    }
}

/// Whether a path may be read now. Opening it asks again.
pub(crate) fn check_access(path: &Path, access: &Access) -> Result<(), FileError> {
    if access.is_everything() {
        return Ok(());
    }
    let real = path.canonicalize().map_err(|err| missing(path, err))?;
    if access.permits(&real) { Ok(()) } else { Err(not_permitted(path, &real)) }
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

fn is_stdin(metadata: &Metadata) -> bool {
    let stdin = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    stdin.and_then(|stdin| stdin.metadata()).is_ok_and(|stdin| is_same(&stdin, metadata))
}

fn is_same(left: &Metadata, right: &Metadata) -> bool {
    (left.dev(), left.ino()) == (right.dev(), right.ino())
}

/// The path leads nowhere, as far as this process can see.
pub(crate) fn missing(path: &Path, err: io::Error) -> FileError {
    let is_short = matches!(Errno::from_io_error(&err), Some(Errno::MFILE | Errno::NFILE));
    if is_short || err.kind() == io::ErrorKind::OutOfMemory {
        // That says something about this process and nothing about the path.
        return FileError::Open(path.to_owned(), err);
    }
    FileError::Refused { name: path.display().to_string(), reason: reason(&err) }
}

fn not_permitted(path: &Path, real: &Path) -> FileError {
    let name = path.display().to_string();
    let reason = match path == real {
        true => "no rule permits it".to_owned(),
        false => format!("it leads to {}, which no rule permits", real.display()),
    };
    FileError::Refused { name, reason }
}

fn changed(path: &Path) -> FileError {
    let reason = "it changed while it was opened".to_owned();
    FileError::Refused { name: path.display().to_string(), reason }
}

/// Only for files that are permitted: their kind is no secret.
fn check_kind(path: &Path, metadata: &Metadata) -> Result<(), FileError> {
    if metadata.is_dir() {
        Err(FileError::Directory(path.to_owned()))
    } else if metadata.is_file() {
        Ok(())
    } else {
        Err(FileError::NotRegular(path.to_owned()))
    }
}

/// Holds the file by a descriptor that cannot be read from, asks the kernel which path that is,
/// and turns the descriptor itself into a readable one.
#[cfg(target_os = "linux")]
fn open_permitted(path: &Path, access: &Access) -> Result<File, FileError> {
    use std::os::fd::AsRawFd as _;

    let missing = |err| missing(path, err);
    let held = open(path, OFlags::PATH | OFlags::CLOEXEC).map_err(missing)?;
    let descriptor = format!("/proc/self/fd/{}", held.as_raw_fd());
    let descriptor = Path::new(&descriptor);
    let real = descriptor.read_link().map_err(missing)?;
    let metadata = held.metadata().map_err(missing)?;
    // A deleted file has a path of the kernel's making, which no rule is about.
    let is_there = real.symlink_metadata().is_ok_and(|there| is_same(&there, &metadata));
    if !real.is_absolute() || !is_there {
        return Err(changed(path));
    }
    if !access.permits(&real) {
        return Err(not_permitted(path, &real));
    }
    check_kind(path, &metadata)?;
    open(descriptor, READ).map_err(|err| FileError::Open(path.to_owned(), err))
}

/// Resolves the path and goes there folder by folder, where no symlink can be any more unless it
/// was put there meanwhile. The folders on the way must be readable.
#[cfg(any(test, not(target_os = "linux")))]
fn open_step_by_step(path: &Path, access: &Access) -> Result<File, FileError> {
    let real = path.canonicalize().map_err(|err| missing(path, err))?;
    if !access.permits(&real) {
        return Err(not_permitted(path, &real));
    }
    let names: Vec<_> = real.iter().skip(1).collect();
    let folder_flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::DIRECTORY;
    let mut held = open(Path::new("/"), folder_flags).map_err(|err| missing(path, err))?;
    for (index, name) in names.iter().enumerate() {
        let is_last = index + 1 == names.len();
        let flags = if is_last { READ | OFlags::NOFOLLOW } else { folder_flags };
        held = match rustix::fs::openat(&held, *name, flags, Mode::empty()) {
            Ok(opened) => File::from(opened),
            Err(Errno::LOOP | Errno::NOTDIR | Errno::NOENT) => return Err(changed(path)),
            Err(err) => return Err(FileError::Open(path.to_owned(), err.into())),
        };
    }
    let metadata = held.metadata().map_err(|err| missing(path, err))?;
    check_kind(path, &metadata)?;
    Ok(held)
}

#[cfg(not(target_os = "linux"))]
use open_step_by_step as open_permitted;

#[cfg(test)]
mod tests;
