//! Splits a stream of bytes at a delimiter, with a limit. Knows nothing of what the parts mean.

use super::LegacyError;

/// Memory kept when nothing is buffered, in bytes.
const IDLE: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Splitter {
    delimiter: u8,
    limit: usize,
    buffer: Vec<u8>,
    /// Where the next part begins.
    start: usize,
    /// Up to here there is no delimiter behind `start`.
    searched: usize,
    /// Bytes were thrown away because the limit was reached.
    is_overrun: bool,
}

impl Splitter {
    pub(super) fn new(delimiter: u8, limit: usize) -> Splitter {
        let buffer = Vec::new();
        Splitter { delimiter, limit, buffer, start: 0, searched: 0, is_overrun: false }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > IDLE {
            self.buffer = Vec::new();
        }
        if self.buffer.len() > self.limit {
            self.is_overrun = true;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next part, without the delimiter that ended it.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, LegacyError> {
        let unsearched = &self.buffer[self.searched..];
        let found = unsearched.iter().position(|byte| *byte == self.delimiter);
        let end = self.searched + found.unwrap_or(unsearched.len());
        let too_long = end - self.start > self.limit;
        if too_long || (found.is_none() && self.is_overrun) {
            return Err(LegacyError::TooLong(self.limit));
        }
        if found.is_none() {
            self.searched = end;
            return Ok(None);
        }
        let part = self.start..end;
        self.start = end + 1;
        self.searched = end + 1;
        Ok(Some(&self.buffer[part]))
    }
}
