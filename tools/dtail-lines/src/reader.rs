//! Reads one target from start to end in blocks. Never selects lines.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use memchr::memrchr;

use crate::error::FileError;
use crate::input::{Input, RegularFile};
use crate::site::Site;
use crate::splitter::{Block, Splitter};
use crate::target::Target;
use crate::transcoding::Transcoding;

/// Bytes asked for at once: large enough to make system calls cheap, small enough for the
/// processor's second-level cache.
const BLOCK_SIZE: usize = 256 * 1024;
/// The same for what is followed: what a pipe holds.
const FOLLOWED_BLOCK_SIZE: usize = 64 * 1024;

/// What a call to [`BlockReader::fill`] brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// The block holds at least one line.
    Lines,
    /// Nothing came within the time given; ask again.
    Waiting,
    /// There is nothing more.
    End,
}

/// Reads a target in blocks. Memory stays at one block and one line, whatever the file.
pub struct BlockReader {
    input: Input,
    block_size: usize,
    name: String,
    splitter: Splitter,
    transcoding: Transcoding,
    delivered: u64,
    ended: Option<Result<(), FileError>>,
    /// Whether the last byte delivered unsplit was a newline; true before the first byte.
    at_line_start: bool,
}

impl BlockReader {
    /// Opens a target. Lines longer than `max_line_length` bytes are cut into pieces of that size.
    /// Text in UTF-16 with a byte order mark becomes UTF-8.
    pub fn open(
        target: &Target,
        site: &Site,
        max_line_length: usize,
    ) -> Result<BlockReader, FileError> {
        BlockReader::start(target, site, max_line_length, false)
    }

    /// Like [`BlockReader::open`], but a journal is read from now on.
    pub(crate) fn follow(
        target: &Target,
        site: &Site,
        max_line_length: usize,
    ) -> Result<BlockReader, FileError> {
        BlockReader::start(target, site, max_line_length, true)
    }

    fn start(
        target: &Target,
        site: &Site,
        max_line_length: usize,
        follows: bool,
    ) -> Result<BlockReader, FileError> {
        let input = Input::open(target, site, follows)?;
        let mut reader = BlockReader::over(input, target.name(), max_line_length);
        if follows {
            reader.block_size = FOLLOWED_BLOCK_SIZE;
            reader.transcoding = Transcoding::none();
        }
        Ok(reader)
    }

    /// Reads from the start of an input.
    pub(crate) fn over(input: Input, name: String, max_line_length: usize) -> BlockReader {
        BlockReader {
            input,
            block_size: BLOCK_SIZE,
            name,
            splitter: Splitter::new(max_line_length),
            transcoding: Transcoding::default(),
            delivered: 0,
            ended: None,
            at_line_start: true,
        }
    }

    /// Reads on from where a line begins, without regard to the encoding. `size`: that of the file
    /// when it was opened.
    pub(crate) fn resume(
        file: Arc<File>,
        path: &Path,
        offset: u64,
        size: u64,
        max_line_length: usize,
    ) -> Result<BlockReader, FileError> {
        let name = path.display().to_string();
        let input = match RegularFile::at(file, offset, size) {
            Ok(file) => Input::File(file),
            Err(err) => return Err(FileError::Read(name, err)),
        };
        let mut reader = BlockReader::over(input, name, max_line_length);
        reader.transcoding = Transcoding::none();
        Ok(reader)
    }

    /// Bytes read so far, after decompression.
    pub fn bytes_read(&self) -> u64 {
        self.delivered
    }

    /// Fills a block with the next lines, the last of which gets a newline if it has none. Waits
    /// up to `wait` for standard input and FIFOs. An error comes after everything before it was
    /// delivered, and once; the end follows.
    pub fn fill(&mut self, block: &mut Block, wait: Duration) -> Result<Filled, FileError> {
        self.splitter.begin(block);
        while self.ended.is_none() {
            let start = block.bytes.len();
            if !self.read(&mut block.bytes, wait) {
                self.splitter.end(block, false);
                return Ok(Filled::Waiting);
            }
            self.transcoding.apply(&mut block.bytes, start, self.ended.is_some());
            let has_line = memrchr(b'\n', &block.bytes[start..]).is_some();
            if has_line || self.splitter.is_over_long(block) {
                break;
            }
        }
        self.splitter.end(block, self.ended.is_some());
        if block.bytes.is_empty() { self.end() } else { Ok(Filled::Lines) }
    }

    /// Like [`BlockReader::fill`] for those who need no lines: blocks may end within a line and
    /// nothing is cut. The file as a whole gets a final newline if it has none.
    pub fn fill_unsplit(&mut self, block: &mut Block, wait: Duration) -> Result<Filled, FileError> {
        block.bytes.clear();
        block.long_lines.clear();
        if self.ended.is_none() && !self.read(&mut block.bytes, wait) {
            return Ok(Filled::Waiting);
        }
        if self.ended.is_some() && !self.at_line_start {
            block.bytes.push(b'\n');
        }
        match block.bytes.last() {
            Some(&last) => {
                self.at_line_start = last == b'\n';
                Ok(Filled::Lines)
            }
            None => self.end(),
        }
    }

    /// Appends what one read brings, or notes the end. `false` when nothing came in time.
    fn read(&mut self, bytes: &mut Vec<u8>, wait: Duration) -> bool {
        if bytes.capacity() - bytes.len() < self.block_size / 4 {
            bytes.reserve_exact(self.block_size);
        }
        match self.input.read(bytes, wait) {
            Ok(None) => return false,
            Ok(Some(0)) => self.ended = Some(self.check_end()),
            Ok(Some(length)) => self.delivered += length as u64,
            Err(err) => self.ended = Some(Err(self.error(err))),
        }
        true
    }

    fn end(&mut self) -> Result<Filled, FileError> {
        self.ended.replace(Ok(())).unwrap_or(Ok(())).map(|()| Filled::End)
    }

    fn check_end(&self) -> Result<(), FileError> {
        match &self.input {
            Input::File(file) if file.has_shrunk() => Err(FileError::Shrunk(self.name.clone())),
            _ => Ok(()),
        }
    }

    fn error(&self, reason: io::Error) -> FileError {
        let Input::Compressed(decoder) = &self.input else {
            return FileError::Read(self.name.clone(), reason);
        };
        FileError::Decompress {
            path: self.name.clone(),
            format: decoder.format(),
            delivered: self.delivered,
            reason,
        }
    }
}

#[cfg(test)]
mod tests;
