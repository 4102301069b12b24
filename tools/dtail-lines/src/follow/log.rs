//! One inode that is followed: new bytes at its end, and what truncation does to it. Never looks
//! at paths.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant, SystemTime};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use super::FollowFrom;
use crate::compression::Compression;
use crate::splitter::{Block, Splitter};

/// Most bytes read at once. Less than for whole files: what a burst leaves behind in the allocator
/// stays there as long as a log is followed.
const BLOCK_SIZE: usize = 64 * 1024;
/// The same while a lot is waiting, more than [`BACKLOG`].
const LARGE_BLOCK_SIZE: usize = 256 * 1024;
const BACKLOG: usize = 1024 * 1024;
/// Room made for less than that, so that a thousand quiet logs need little memory.
const LEAST_ROOM: usize = 4 * 1024;
/// So many bytes before the offset are remembered. When they are no longer there, the file was
/// truncated and has grown again beyond the offset meanwhile.
const LANDMARK_SIZE: usize = 64;

/// What makes a file itself, whatever its name: device and inode. Unique while the file is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Identity {
        Identity { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// What a look at an inode brought.
pub(super) enum Advance {
    Nothing,
    /// The block holds at least one line.
    Lines,
    /// It is a compressed file, which cannot be followed.
    Compressed(Compression),
    /// It cannot be read. It is not tried again.
    Failed(io::Error),
}

/// A followed inode.
pub(super) struct Log {
    pub(super) identity: Identity,
    /// Index of the stream its lines belong to.
    pub(super) stream: usize,
    /// The inode it replaced, until that one has been quiet for a poll.
    pub(super) predecessor: Option<Identity>,
    pub(super) found_at: Instant,
    file: File,
    offset: u64,
    /// The bytes before `offset`, up to [`LANDMARK_SIZE`].
    landmark: Vec<u8>,
    /// Modification time when last read to the end.
    modified: Option<SystemTime>,
    splitter: Splitter,
    /// When it was first seen to bring nothing new, since it last did.
    quiet_since: Option<Instant>,
    /// Leading NUL bytes are a hole, left by a writer that went on at its old offset after a
    /// truncation.
    skips_hole: bool,
    given_up: bool,
}

impl Log {
    /// A log that is read from its start.
    pub(super) fn new(
        identity: Identity,
        file: File,
        stream: usize,
        max_line_length: usize,
        predecessor: Option<Identity>,
    ) -> Log {
        Log {
            identity,
            stream,
            predecessor,
            found_at: Instant::now(),
            file,
            offset: 0,
            landmark: Vec::new(),
            modified: None,
            splitter: Splitter::new(max_line_length),
            quiet_since: None,
            skips_hole: false,
            given_up: false,
        }
    }

    /// Leaves out what is there already and not wanted. A compressed file is given up and its
    /// format returned.
    pub(super) fn begin(&mut self, from: FollowFrom) -> io::Result<Option<Compression>> {
        let compression = Compression::of(&self.file)?;
        self.given_up = compression.is_some();
        let size = self.file.metadata()?.len();
        self.offset = match from {
            _ if self.given_up => size,
            FollowFrom::End => size,
            FollowFrom::Lines(lines) => self.start_of_last(lines, size)?,
            FollowFrom::Bytes(bytes) => size.saturating_sub(bytes),
            FollowFrom::Beginning => 0,
        };
        let known = usize::try_from(self.offset).unwrap_or(LANDMARK_SIZE).min(LANDMARK_SIZE);
        self.landmark = vec![0; known];
        self.file.read_exact_at(&mut self.landmark, self.offset - known as u64)?;
        Ok(compression)
    }

    /// Where the last so many lines begin. Reads backwards, and no more than it must.
    fn start_of_last(&self, lines: u64, size: u64) -> io::Result<u64> {
        let mut piece = vec![0; BLOCK_SIZE];
        let mut end = size;
        let mut found = 0;
        while end > 0 && lines > 0 {
            let start = end.saturating_sub(BLOCK_SIZE as u64);
            let piece = &mut piece[..(end - start) as usize];
            self.file.read_exact_at(piece, start)?;
            for newline in memchr::memrchr_iter(b'\n', piece) {
                let after = start + newline as u64 + 1;
                // The last newline ends the last line and begins none.
                if after < size {
                    found += 1;
                    if found == lines {
                        return Ok(after);
                    }
                }
            }
            end = start;
        }
        Ok(if lines == 0 { size } else { 0 })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Whether nothing has been written to it yet.
    pub(super) fn is_empty(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.len() == 0)
    }

    /// Whether no name leads to it any more.
    pub(super) fn is_deleted(&self) -> bool {
        self.file.metadata().map_or(true, |metadata| metadata.nlink() == 0)
    }

    /// Whether it was read to the end and brought nothing new for `duration` after `start`.
    pub(super) fn was_quiet_since(&self, start: Instant, duration: Duration) -> bool {
        self.predecessor.is_none()
            && self.quiet_since.is_some_and(|since| since.max(start).elapsed() >= duration)
    }

    /// Reads nothing more.
    pub(super) fn give_up(&mut self) {
        self.given_up = true;
    }

    /// Makes a line of what is held back. `false` if that is nothing.
    pub(super) fn finish(&mut self, block: &mut Block) -> bool {
        self.splitter.finish(block);
        !block.bytes.is_empty()
    }

    /// Reads the next block of whole lines.
    pub(super) fn advance(&mut self, block: &mut Block) -> Advance {
        if self.given_up {
            self.quiet_since.get_or_insert_with(Instant::now);
            return Advance::Nothing;
        }
        let advance = self.try_advance(block).unwrap_or_else(Advance::Failed);
        match advance {
            Advance::Lines => self.quiet_since = None,
            Advance::Nothing => {}
            Advance::Compressed(_) | Advance::Failed(_) => self.given_up = true,
        }
        advance
    }

    fn try_advance(&mut self, block: &mut Block) -> io::Result<Advance> {
        loop {
            let metadata = self.file.metadata()?;
            let modified = metadata.modified().ok();
            if metadata.len() < self.offset {
                if self.restart(0, block) {
                    return Ok(Advance::Lines);
                }
                continue;
            }
            if metadata.len() == self.offset && modified == self.modified {
                self.quiet_since.get_or_insert_with(Instant::now);
                self.splitter.give_back();
                return Ok(Advance::Nothing);
            }
            self.splitter.begin(block);
            let start = block.bytes.len();
            self.read(&mut block.bytes, metadata.len() - self.offset)?;
            // Looked at after reading, so that a truncation just before the read is noticed.
            if let Some(offset) = self.lost_landmark()? {
                block.bytes.truncate(start);
                self.splitter.end(block, false);
                if self.restart(offset, block) {
                    return Ok(Advance::Lines);
                }
                continue;
            }
            if self.offset == 0
                && let Some(format) = Compression::of_start(&block.bytes[start..])
            {
                return Ok(Advance::Compressed(format));
            }
            self.take_in(&mut block.bytes, start);
            self.modified = modified.filter(|_| self.offset >= metadata.len());
            self.splitter.end(block, false);
            if !block.bytes.is_empty() {
                return Ok(Advance::Lines);
            }
        }
    }

    /// Goes on at another offset after a truncation. What was held back becomes a line; returns
    /// whether there was any.
    fn restart(&mut self, offset: u64, block: &mut Block) -> bool {
        self.offset = offset;
        self.landmark.clear();
        self.modified = None;
        self.skips_hole = true;
        self.finish(block)
    }

    /// Appends what follows the offset, about `expected` bytes.
    fn read(&self, bytes: &mut Vec<u8>, expected: u64) -> io::Result<()> {
        let expected = usize::try_from(expected).unwrap_or(BLOCK_SIZE);
        let most = if expected > BACKLOG { LARGE_BLOCK_SIZE } else { BLOCK_SIZE };
        let room = expected.clamp(LEAST_ROOM, most);
        if bytes.capacity() - bytes.len() < room.min(most / 4) {
            bytes.reserve_exact(room);
        }
        loop {
            match rustix::io::pread(&self.file, spare_capacity(bytes), self.offset) {
                Err(Errno::INTR) => {}
                result => return result.map(|_| ()).map_err(io::Error::from),
            }
        }
    }

    /// Moves the offset behind the bytes read, which begin at `start`, and removes a hole.
    fn take_in(&mut self, bytes: &mut Vec<u8>, start: usize) {
        let new = &bytes[start..];
        if !new.is_empty() {
            self.quiet_since = None;
        }
        self.offset += new.len() as u64;
        self.landmark.extend_from_slice(&new[new.len().saturating_sub(LANDMARK_SIZE)..]);
        self.landmark.drain(..self.landmark.len().saturating_sub(LANDMARK_SIZE));
        if self.skips_hole {
            let hole = new.iter().take_while(|&&byte| byte == 0).count();
            self.skips_hole = hole == new.len();
            bytes.drain(start..start + hole);
        }
    }

    /// The offset to go on from if the landmark is no longer there. That is the start, unless
    /// there is a hole now: then the writer went on where it was, and only new bytes follow.
    fn lost_landmark(&self) -> io::Result<Option<u64>> {
        let mut found = [0; LANDMARK_SIZE];
        let found = &mut found[..self.landmark.len()];
        match self.file.read_exact_at(found, self.offset - self.landmark.len() as u64) {
            Ok(()) if *found == *self.landmark => Ok(None),
            Ok(()) if found.iter().all(|&byte| byte == 0) => Ok(Some(self.offset)),
            Ok(()) => Ok(Some(0)),
            Err(err) if err.kind() == io::ErrorKind::UnexpectedEof => Ok(Some(0)),
            Err(err) => Err(err),
        }
    }
}
