//! Opens targets, recognises compression by the first bytes, and reads bytes of whatever kind into
//! the spare room of a vector. Never looks at lines.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::compression::Compression;
use crate::decoder::Decoder;
use crate::error::FileError;
use crate::journal::Journal;
use crate::opening::{Opened, open_sized};
use crate::site::Site;
use crate::target::{Place, Target};
use crate::text_file::is_shorter;

/// An open source of bytes.
pub(crate) enum Input {
    /// A regular file, never waits.
    File(RegularFile),
    /// A pipe, terminal or socket: bytes come when they come.
    Stream(OwnedFd),
    /// A compressed regular file.
    Compressed(Decoder),
    /// What a program says of a journal.
    Journal(Journal),
}

/// A regular file that is read from where its own offset stands.
pub(crate) struct RegularFile {
    file: Arc<File>,
    offset: u64,
    /// When it was opened.
    size: u64,
}

impl RegularFile {
    /// Reads on from an offset.
    pub(crate) fn at(file: Arc<File>, offset: u64, size: u64) -> io::Result<RegularFile> {
        (&*file).seek(SeekFrom::Start(offset))?;
        Ok(RegularFile { file, offset, size })
    }

    /// At the end of the file: whether it has become shorter.
    pub(crate) fn has_shrunk(&self) -> bool {
        is_shorter(&self.file, self.offset, self.size).unwrap_or(false)
    }
}

impl Input {
    /// Opens a target. Regular files are decompressed if they begin like a format we
    /// know.
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
        match open_sized(path, site)? {
            (Opened::Stream(file), _) => Ok(Input::Stream(file.into())),
            (Opened::Regular(file), size) => {
                let format = Compression::of(&file).map_err(failed)?;
                Ok(Input::regular(Arc::new(file), size, format))
            }
        }
    }

    /// A regular file from its start.
    pub(crate) fn regular(file: Arc<File>, size: u64, format: Option<Compression>) -> Input {
        match format {
            None => Input::File(RegularFile { file, offset: 0, size }),
            Some(format) => Input::Compressed(Decoder::new(format, file, size)),
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
            Input::File(regular) => {
                let length = read_some(&regular.file, bytes)?;
                regular.offset += length as u64;
                Ok(Some(length))
            }
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
