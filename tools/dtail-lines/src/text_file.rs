//! Regular files that are read as they are, in chunks of whole lines which any number of threads
//! may read in any order. Never selects lines.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use memchr::{memchr, memrchr};
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread, retry_on_intr};

use crate::error::FileError;
use crate::read_ahead;
use crate::reader::BlockReader;
use crate::splitter::first_long_line;

/// How far behind its end a chunk is read at once to find the end of its last line.
const SLACK: usize = 4 * 1024;
/// The first line of a chunk is looked for in pieces of this size.
const GLANCE: usize = 1024;

/// An open regular file whose bytes are neither compressed nor in need of another encoding.
#[derive(Debug)]
pub struct TextFile {
    file: Arc<File>,
    path: PathBuf,
    size: u64,
    max_line_length: usize,
}

/// How a chunk ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChunkEnd {
    /// With a line; others may follow.
    #[default]
    Line,
    /// With the file.
    File,
    /// Before something that only [`TextFile::reader_from`] can deal with: a line that is too
    /// long, a fault, or a file that has become shorter.
    Sequential,
}

/// Whole lines of a file, each with its newline. Made to be used again and again.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The lines. Take them away when you want to keep them.
    pub bytes: Vec<u8>,
    /// Where in the file they begin.
    pub offset: u64,
    /// How many bytes of the file they are: one less than there are `bytes` when the last line of
    /// the file has no newline.
    pub length: u64,
    /// What comes behind them.
    pub end: ChunkEnd,
}

impl Chunk {
    /// Nothing is in it.
    pub(crate) fn clear(&mut self, end: ChunkEnd) {
        self.bytes.clear();
        (self.offset, self.length, self.end) = (0, 0, end);
    }
}

impl TextFile {
    /// A regular file that has this size now.
    pub(crate) fn new(file: File, path: PathBuf, size: u64, max_line_length: usize) -> TextFile {
        let max_line_length = max_line_length.max(1);
        TextFile { file: Arc::new(file), path, size, max_line_length }
    }

    /// The size in bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The open file.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The system had better read ahead.
    pub fn will_be_read(&self) {
        read_ahead::sequentially(&self.file);
    }

    /// Whether a newline is the last byte that the file had when it was opened.
    pub fn ends_with_newline(&self) -> Result<bool, FileError> {
        let mut last = [0; 1];
        let at = self.size.saturating_sub(1);
        let length = retry_on_intr(|| pread(&self.file, &mut last[..], at));
        let failed = |err: Errno| FileError::Read(self.path.display().to_string(), err.into());
        Ok(last[..length.map_err(failed)?] == *b"\n")
    }

    /// Reads in sequence from an offset on, where a line begins.
    pub fn reader_from(&self, offset: u64) -> Result<BlockReader, FileError> {
        let (file, path) = (self.file.clone(), &self.path);
        BlockReader::resume(file, path, offset, self.size, self.max_line_length)
    }

    /// Reads the lines that begin within `range`.
    pub fn read_chunk(&self, range: Range<u64>, chunk: &mut Chunk) {
        chunk.bytes.clear();
        (chunk.offset, chunk.length, chunk.end) = (range.start, 0, ChunkEnd::Line);
        if self.read_lines(range, chunk).is_err() {
            // Reading on from here will meet the fault again and say what it is.
            chunk.bytes.clear();
            (chunk.length, chunk.end) = (0, ChunkEnd::Sequential);
        }
    }

    fn read_lines(&self, range: Range<u64>, chunk: &mut Chunk) -> io::Result<()> {
        let Some(first) = self.first_line(&range)? else { return Ok(()) };
        chunk.offset = first;
        let owned = usize::try_from(range.end - first).unwrap_or(usize::MAX);
        make_room(&mut chunk.bytes, owned.saturating_add(SLACK));
        // The last line of this chunk ends with the first newline from here on.
        let mut looked_at = owned - 1;
        let end = loop {
            if !self.fill(first, &mut chunk.bytes)? {
                return self.end(chunk);
            }
            if let Some(newline) = memchr(b'\n', &chunk.bytes[looked_at..]) {
                break looked_at + newline + 1;
            }
            looked_at = chunk.bytes.len();
            let line = memrchr(b'\n', &chunk.bytes).map_or(0, |newline| newline + 1);
            if looked_at - line > self.max_line_length {
                break looked_at;
            }
            chunk.bytes.reserve(looked_at);
        };
        chunk.bytes.truncate(end);
        self.cut_long_line(chunk);
        chunk.length = chunk.bytes.len() as u64;
        Ok(())
    }

    /// Reads a file from its start to its end, when it has no more than `limit` bytes. `false`: it
    /// has more, or it must be read in sequence.
    pub(crate) fn read_whole(&self, limit: usize, chunk: &mut Chunk) -> io::Result<bool> {
        chunk.clear(ChunkEnd::Line);
        make_room(&mut chunk.bytes, limit.saturating_add(SLACK));
        if self.fill(0, &mut chunk.bytes)? {
            return Ok(false);
        }
        self.end(chunk)?;
        Ok(chunk.end == ChunkEnd::File)
    }

    /// Where the first line begins that begins within `range`.
    fn first_line(&self, range: &Range<u64>) -> io::Result<Option<u64>> {
        let Some(mut at) = range.start.checked_sub(1) else {
            return Ok((!range.is_empty()).then_some(0));
        };
        let mut glance = [0; GLANCE];
        while at < range.end - 1 {
            let length = retry_on_intr(|| pread(&self.file, &mut glance[..], at))?;
            if length == 0 {
                return Ok(None);
            }
            if let Some(newline) = memchr(b'\n', &glance[..length]) {
                let line = at + newline as u64 + 1;
                return Ok((line < range.end).then_some(line));
            }
            at += length as u64;
        }
        Ok(None)
    }

    /// Reads on into the spare capacity, all of it unless the file ends. `false` at its end.
    fn fill(&self, start: u64, bytes: &mut Vec<u8>) -> io::Result<bool> {
        while bytes.len() < bytes.capacity() {
            let offset = start + bytes.len() as u64;
            let length = retry_on_intr(|| pread(&self.file, spare_capacity(bytes), offset))?;
            let is_at_end = offset + length as u64 == self.size;
            if length == 0 || (is_at_end && bytes.len() < bytes.capacity()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The file ends with this chunk, if it still has its size.
    fn end(&self, chunk: &mut Chunk) -> io::Result<()> {
        self.cut_long_line(chunk);
        chunk.length = chunk.bytes.len() as u64;
        if chunk.end == ChunkEnd::Sequential {
            return Ok(());
        }
        if is_shorter(&self.file, chunk.offset + chunk.length, self.size)? {
            let whole = memrchr(b'\n', &chunk.bytes).map_or(0, |newline| newline + 1);
            chunk.bytes.truncate(whole);
            (chunk.length, chunk.end) = (whole as u64, ChunkEnd::Sequential);
            return Ok(());
        }
        chunk.end = ChunkEnd::File;
        if chunk.bytes.last().is_some_and(|&byte| byte != b'\n') {
            chunk.bytes.push(b'\n');
        }
        Ok(())
    }

    /// Ends a chunk before the first line that is too long.
    fn cut_long_line(&self, chunk: &mut Chunk) {
        if let Some(line) = first_long_line(&chunk.bytes, self.max_line_length) {
            chunk.bytes.truncate(line);
            chunk.end = ChunkEnd::Sequential;
        }
    }
}

/// Whether a file that ends at `end` had more bytes when it was opened. Some files of the system
/// never have as many as they say.
pub(crate) fn is_shorter(file: &File, end: u64, size: u64) -> io::Result<bool> {
    Ok(end < size && file.metadata()?.len() < size)
}

/// Makes the capacity of an empty vector `size`, roughly. A long line may have left more; what is
/// read in excess is read in vain.
fn make_room(bytes: &mut Vec<u8>, size: usize) {
    if bytes.capacity() > size.saturating_mul(2) {
        *bytes = Vec::new();
    }
    bytes.reserve_exact(size);
}
