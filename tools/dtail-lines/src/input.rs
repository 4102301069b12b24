//! Opens targets, recognises compression by the first bytes, and reads bytes of whatever kind into
//! the spare room of a vector. Never looks at lines.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::compression::{Compression, Decoder};
use crate::error::FileError;
use crate::journal::Journal;
use crate::opening::{Opened, open_file};
use crate::site::Site;
use crate::target::{Place, Target};

/// An open source of bytes.
pub(crate) enum Input {
    /// A regular file, never waits.
    File(File),
    /// A pipe, terminal or socket: bytes come when they come.
    Stream(OwnedFd),
    /// A compressed regular file.
    Compressed(Decoder),
    /// What a program says of a journal.
    Journal(Journal),
}

impl Input {
    /// Opens a target. Regular files are decompressed if they begin like gzip or Zstandard.
    /// A journal is read as far as it goes now, or from now on if `follows`.
    pub(crate) fn open(target: &Target, site: &Site, follows: bool) -> Result<Input, FileError> {
        let path = match &target.place {
            Place::File(path) => path,
            Place::Journal(unit) => return Journal::start(unit, site, follows).map(Input::Journal),
            Place::Stdin if !site.has_stdin => return Err(FileError::NoStdin),
            Place::Stdin => {
                let duplicate = io::stdin().as_fd().try_clone_to_owned();
                let failed = |err| FileError::Read(target.name(), err);
                return duplicate.map(Input::Stream).map_err(failed);
            }
        };
        let failed = |err| FileError::Open(path.clone(), err);
        match open_file(path, site)? {
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
            Input::Stream(stream) => read_when_ready(stream, bytes, wait),
            Input::Compressed(decoder) => decoder.read(bytes).map(Some),
            Input::Journal(journal) => journal.read(bytes, wait),
        }
    }
}

/// Reads once into the spare capacity. 0 is the end; `None` means that nothing came within `wait`.
pub(crate) fn read_when_ready(
    source: impl AsFd,
    bytes: &mut Vec<u8>,
    wait: Duration,
) -> io::Result<Option<usize>> {
    if !is_readable(&source, wait)? {
        return Ok(None);
    }
    match read_some(source, bytes) {
        Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
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
fn is_readable(stream: &impl AsFd, wait: Duration) -> io::Result<bool> {
    let mut polled = [PollFd::new(stream, PollFlags::IN)];
    let wait =
        Timespec { tv_sec: wait.as_secs().cast_signed(), tv_nsec: wait.subsec_nanos().into() };
    match poll(&mut polled, Some(&wait)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(err) => Err(err.into()),
    }
}
