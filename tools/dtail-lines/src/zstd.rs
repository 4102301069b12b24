//! Zstandard files of several frames, on top of a decoder for single ones. Never sees a file name.

use std::io::{self, BufRead, BufReader, Read};

use structured_zstd::decoding::errors::FrameDecoderError;
use structured_zstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::members::{TooLarge, Trailing};

/// The window of `zstd --long`; more takes an option of `zstd` as well.
const MAX_WINDOW: u64 = 128 << 20;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Whether data begins like a Zstandard file: with a frame or with a skippable one.
pub(crate) fn is_zstd(start: &[u8]) -> bool {
    start.starts_with(&MAGIC) || is_skippable(start)
}

fn is_skippable(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Decompresses all frames one after the other.
pub(crate) struct ZstdReader<R> {
    source: BufReader<R>,
    decoder: FrameDecoder,
    within_frame: bool,
}

impl<R: Read> ZstdReader<R> {
    pub(crate) fn new(source: BufReader<R>) -> ZstdReader<R> {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW).expect("no less and no more than is possible");
        ZstdReader { source, decoder, within_frame: false }
    }

    /// Goes to the next frame with data. `false` at the end of the file.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            let mut magic = [0; 4];
            let mut start = self.source.by_ref().take(4);
            let length = io::copy(&mut start, &mut &mut magic[..])? as usize;
            if length < magic.len() {
                let is_start = MAGIC.starts_with(&magic[..length]);
                let cut_off = || io::ErrorKind::UnexpectedEof.into();
                return Err(if is_start { cut_off() } else { Trailing.into() });
            }
            if is_skippable(&magic) {
                self.skip_frame()?;
            } else if magic == MAGIC {
                self.decoder.reset(magic.chain(&mut self.source)).map_err(frame_error)?;
                return Ok(true);
            } else {
                return Err(Trailing.into());
            }
        }
    }

    fn skip_frame(&mut self) -> io::Result<()> {
        let mut length = [0; 4];
        self.source.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
        if skipped < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn end_frame(&mut self) -> io::Result<()> {
        let stored = self.decoder.get_checksum_from_data();
        if stored.is_some() && stored != self.decoder.get_calculated_checksum() {
            return Err(io::Error::other("checksum differs"));
        }
        self.within_frame = false;
        Ok(())
    }
}

impl<R: Read> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.within_frame {
                if !self.next_frame()? {
                    return Ok(0);
                }
                self.within_frame = true;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, one).map_err(frame_error)?;
            }
            let length = self.decoder.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            self.end_frame()?;
        }
    }
}

/// The decoder wraps the end of the file into one of its own errors; its kind tells cut off from
/// damaged.
fn frame_error(err: FrameDecoderError) -> io::Error {
    if matches!(err, FrameDecoderError::WindowSizeTooBig { .. }) {
        return TooLarge.into();
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&err);
    while let Some(inner) = cause {
        let io_error = inner.downcast_ref::<io::Error>();
        if io_error.is_some_and(|err| err.kind() == io::ErrorKind::UnexpectedEof) {
            return io::ErrorKind::UnexpectedEof.into();
        }
        cause = inner.source();
    }
    io::Error::other(err)
}
