//! Zstandard files of several frames. Never sees a file name.

use std::io::{self, BufRead, BufReader, Read};

use mzstd::{
    DecodeError, DecodeLimits, DecodeOperation, DecoderConfig, DecoderSessionOwned, DecoderStatus,
    Decompressor, InvalidDataKind,
};

use crate::members::{TooLarge, Trailing};

/// The window of `zstd --long`; more takes an option of `zstd` as well.
const LIMITS: DecodeLimits = DecodeLimits::DEFAULT;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Whether data begins like a Zstandard file: with a frame or with a skippable one.
pub(crate) fn is_zstd(start: &[u8]) -> bool {
    start.starts_with(&MAGIC) || matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Decompresses all frames one after the other.
pub(crate) struct ZstdReader<R> {
    source: BufReader<R>,
    session: DecoderSessionOwned,
    /// The source has ended: what a growing file gets later does not belong to it.
    at_end: bool,
    failed: Option<io::Error>,
}

impl<R: Read> ZstdReader<R> {
    pub(crate) fn new(source: BufReader<R>) -> ZstdReader<R> {
        let config = DecoderConfig::default().with_limits(LIMITS);
        let session = Decompressor::new(config).into_session();
        ZstdReader { source, session, at_end: false, failed: None }
    }
}

impl<R: Read> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if let Some(err) = self.failed.take() {
            return Err(err);
        }
        loop {
            let input = if self.at_end { &[] } else { self.source.fill_buf()? };
            self.at_end = input.is_empty();
            let operation =
                if self.at_end { DecodeOperation::Finish } else { DecodeOperation::Process };
            let (consumed, produced, ended) = match self.session.process(input, buffer, operation) {
                Ok(progress) => {
                    let is_finished = progress.status == DecoderStatus::Finished;
                    (progress.consumed, progress.produced, is_finished.then_some(Ok(0)))
                }
                Err(failure) => {
                    let (consumed, produced) = (failure.consumed, failure.produced);
                    (consumed, produced, Some(Err(io_error(failure.into_error()))))
                }
            };
            self.source.consume(consumed);
            match ended {
                Some(Err(err)) if produced > 0 => self.failed = Some(err),
                Some(end) if produced == 0 => return end,
                _ => {}
            }
            if produced > 0 {
                return Ok(produced);
            }
        }
    }
}

fn io_error(err: DecodeError) -> io::Error {
    match err {
        DecodeError::WindowLimitExceeded { .. } => TooLarge.into(),
        DecodeError::UnexpectedEndOfInput => io::ErrorKind::UnexpectedEof.into(),
        // The file began with a frame, or it would not have been taken for compressed.
        DecodeError::InvalidData { kind: InvalidDataKind::Magic } => Trailing.into(),
        DecodeError::ChecksumMismatch { .. } => io::Error::other("checksum differs"),
        other => io::Error::other(other),
    }
}
