//! Recognises compressed files by their first bytes and decompresses them. Never looks at names.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;

use crate::gzip::GzipReader;
use crate::zstd::{ZstdReader, is_zstd};

/// Compressed bytes are read in pieces of this size.
const BUFFER_SIZE: usize = 64 * 1024;

/// A compression format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// One or more gzip members.
    Gzip,
    /// One or more Zstandard frames.
    Zstd,
}

impl Compression {
    /// The format of a regular file, by its first bytes. Leaves the file's offset alone.
    pub(crate) fn of(file: &File) -> io::Result<Option<Compression>> {
        let mut start = [0; 4];
        let length = file.read_at(&mut start, 0)?;
        Ok(Compression::of_start(&start[..length]))
    }

    /// The format of data that begins like this. Text never does.
    pub(crate) fn of_start(start: &[u8]) -> Option<Compression> {
        // The third byte is the method; there is only one.
        if start.starts_with(&[0x1f, 0x8b, 8]) {
            Some(Compression::Gzip)
        } else {
            is_zstd(start).then_some(Compression::Zstd)
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        })
    }
}

/// After the last member or frame something else follows.
#[derive(Debug)]
pub(crate) struct Trailing;

impl Trailing {
    /// Whether a decoder ended with this.
    pub(crate) fn is(err: &io::Error) -> bool {
        matches!(err.get_ref(), Some(inner) if inner.is::<Trailing>())
    }
}

impl fmt::Display for Trailing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something else follows")
    }
}

impl std::error::Error for Trailing {}

impl From<Trailing> for io::Error {
    fn from(trailing: Trailing) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, trailing)
    }
}

enum Stream {
    Gzip(Box<GzipReader<File>>),
    Zstd(Box<ZstdReader<File>>),
}

/// Decompresses a file. Everything before a damage is delivered before the error.
pub(crate) struct Decoder {
    stream: Stream,
    format: Compression,
    failed: Option<io::Error>,
}

impl Decoder {
    /// Decompresses all members or frames of a file.
    pub(crate) fn new(format: Compression, file: File) -> Decoder {
        let source = BufReader::with_capacity(BUFFER_SIZE, file);
        let stream = match format {
            Compression::Gzip => Stream::Gzip(Box::new(GzipReader::new(source))),
            Compression::Zstd => Stream::Zstd(Box::new(ZstdReader::new(source))),
        };
        Decoder { stream, format, failed: None }
    }

    /// What is decompressed.
    pub(crate) fn format(&self) -> Compression {
        self.format
    }

    /// Fills the spare capacity of `bytes` unless the end comes first. Returns the bytes appended.
    pub(crate) fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        if let Some(err) = self.failed.take() {
            return Err(err);
        }
        let start = bytes.len();
        let mut end = start;
        bytes.resize(bytes.capacity(), 0);
        while end < bytes.len() {
            let result = match &mut self.stream {
                Stream::Gzip(decoder) => decoder.read(&mut bytes[end..]),
                Stream::Zstd(decoder) => decoder.read(&mut bytes[end..]),
            };
            match result {
                Ok(0) => break,
                Ok(length) => end += length,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => {
                    self.failed = Some(err);
                    break;
                }
            }
        }
        bytes.truncate(end);
        match self.failed.take_if(|_| end == start) {
            Some(err) => Err(err),
            None => Ok(end - start),
        }
    }
}
