//! Standard output with one reused buffer and large writes. Never formats.

use std::io::{self, Write};
use std::sync::atomic::AtomicBool;

use dtail_client::FileRange;

use crate::stdout::{CopyError, StandardOutput};

/// A full buffer is written at once; larger pieces pass by it.
const FULL: usize = 128 * 1024;

/// A writer that collects until it is worth a write or [`Output::flush`] is called.
///
/// Unlike `std`'s standard output it does not look for line ends, and holds nothing that would have
/// to be written when the program ends with a reader that has stalled.
#[derive(Debug)]
pub(crate) struct Output<W> {
    writer: W,
    buffer: Vec<u8>,
}

impl Output<StandardOutput> {
    /// The process's standard output.
    pub(crate) fn standard() -> io::Result<Output<StandardOutput>> {
        Ok(Output::new(StandardOutput::new()?))
    }

    /// Whether the next write would find nobody who reads.
    pub(crate) fn has_no_reader(&self) -> bool {
        self.writer.has_no_reader()
    }

    /// Copies part of a file, after what was written before.
    pub(crate) fn copy(&mut self, range: &FileRange, cancel: &AtomicBool) -> Result<(), CopyError> {
        self.flush().map_err(CopyError::Write)?;
        self.writer.copy(range, cancel)
    }
}

impl<W: Write> Output<W> {
    pub(crate) fn new(writer: W) -> Output<W> {
        Output { writer, buffer: Vec::with_capacity(FULL + FULL / 8) }
    }

    /// Without a buffer until there is something to write.
    pub(crate) fn empty(writer: W) -> Output<W> {
        Output { writer, buffer: Vec::new() }
    }

    /// What is to be written next, to be appended to; then call [`Output::pass_on`].
    pub(crate) fn pending(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// What was written.
    pub(crate) fn writer(&mut self) -> &mut W {
        &mut self.writer
    }

    /// Writes when there is much to write.
    pub(crate) fn pass_on(&mut self) -> io::Result<()> {
        if self.buffer.len() >= FULL { self.flush() } else { Ok(()) }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() >= FULL {
            self.flush()?;
            self.writer.write_all(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
            self.pass_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.writer.write_all(&self.buffer);
        self.buffer.clear();
        written
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{FULL, Output};

    #[test]
    fn pieces_of_all_sizes_come_out_in_order() {
        let mut output = Output::new(Vec::new());
        let mut expected = Vec::new();
        for size in [1, FULL - 1, 3, FULL, 2, 5 * FULL] {
            let piece = vec![size as u8; size];
            output.write_all(&piece).unwrap();
            expected.extend(piece);
        }
        output.flush().unwrap();
        assert!(output.writer == expected);
    }
}
