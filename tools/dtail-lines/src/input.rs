//! Opens files, recognises compression by the first bytes, and reads bytes of whatever kind into
//! the spare room of a vector. Never looks at lines.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::compression::{Compression, Decoder};
use crate::error::FileError;
use crate::target::{Place, Target};

/// An open source of bytes.
pub(crate) enum Input {
    /// A regular file, never waits.
    File(File),
    /// A pipe, terminal or socket: bytes come when they come.
    Stream(OwnedFd),
    /// A compressed regular file.
    Compressed(Decoder),
}

impl Input {
    /// Opens a target. Regular files are decompressed if they begin like gzip or Zstandard.
    pub(crate) fn open(target: &Target) -> Result<Input, FileError> {
        let path = match &target.place {
            Place::File(path) => path,
            Place::Stdin => {
                let duplicate = io::stdin().as_fd().try_clone_to_owned();
                let failed = |err| FileError::Read(target.name(), err);
                return duplicate.map(Input::Stream).map_err(failed);
            }
        };
        let failed = |err| FileError::Open(path.clone(), err);
        match open_file(path)? {
            Opened::Stream(file) => Ok(Input::Stream(file.into())),
            Opened::Regular(file) => match Compression::of(&file).map_err(failed)? {
                None => Ok(Input::File(file)),
                Some(format) => Ok(Input::Compressed(Decoder::new(format, file))),
            },
        }
    }

    /// Appends bytes to `bytes`, no more than its spare capacity, which must not be zero. 0 is the
    /// end; `None` means that nothing came within `wait`.
    pub(crate) fn read(
        &mut self,
        bytes: &mut Vec<u8>,
        wait: Duration,
    ) -> io::Result<Option<usize>> {
        match self {
            Input::File(file) => Ok(Some(read_some(file, bytes)?)),
            Input::Stream(stream) => {
                if !is_readable(stream, wait)? {
                    return Ok(None);
                }
                match read_some(stream, bytes) {
                    Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(None),
                    result => result.map(Some),
                }
            }
            Input::Compressed(decoder) => decoder.read(bytes).map(Some),
        }
    }
}

/// A file by what can be done with it.
pub(crate) enum Opened {
    /// Has a size and offsets.
    Regular(File),
    /// A FIFO or a device; reads do not block.
    Stream(File),
}

/// Opens a path without ever blocking, also when it is a FIFO nobody writes to.
pub(crate) fn open_file(path: &Path) -> Result<Opened, FileError> {
    let failed = |err| FileError::Open(path.to_owned(), err);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|err| failed(err.into()))?;
    let file = File::from(opened);
    let kind = file.metadata().map_err(failed)?.file_type();
    if kind.is_dir() {
        Err(FileError::Directory(path.to_owned()))
    } else if kind.is_file() {
        Ok(Opened::Regular(file))
    } else {
        Ok(Opened::Stream(file))
    }
}

/// Reads once into the spare capacity.
fn read_some(source: impl AsFd, bytes: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        match rustix::io::read(source.as_fd(), spare_capacity(bytes)) {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// Waits until there is something to read, or the end.
fn is_readable(stream: &OwnedFd, wait: Duration) -> io::Result<bool> {
    let mut polled = [PollFd::new(stream, PollFlags::IN)];
    let wait =
        Timespec { tv_sec: wait.as_secs().cast_signed(), tv_nsec: wait.subsec_nanos().into() };
    match poll(&mut polled, Some(&wait)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(err) => Err(err.into()),
    }
}
