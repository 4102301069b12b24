//! Compressed files of several members, frames or streams, one after the other, on top of decoders
//! for single ones. Never sees a file name.

use std::fmt;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::XzReader;

/// The largest dictionary of `xz -9`, and what its decoder needs besides, in KiB.
const XZ_MEMORY: u32 = 66 * 1024;

/// What a member is read from: first what was read to recognise it, then the rest of the file.
pub(crate) type Source<R> = Chain<Cursor<Vec<u8>>, Watched<R>>;

/// After the last member something else follows.
#[derive(Debug)]
pub(crate) struct Trailing;

/// Decompressing would take more memory than it may.
#[derive(Debug)]
pub(crate) struct TooLarge;

impl Trailing {
    /// Whether a decoder ended with this.
    pub(crate) fn is(err: &io::Error) -> bool {
        matches!(err.get_ref(), Some(inner) if inner.is::<Trailing>())
    }
}

impl TooLarge {
    /// Whether a decoder ended with this.
    pub(crate) fn is(err: &io::Error) -> bool {
        matches!(err.get_ref(), Some(inner) if inner.is::<TooLarge>())
    }
}

impl fmt::Display for Trailing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something else follows")
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it takes too much memory")
    }
}

impl std::error::Error for Trailing {}
impl std::error::Error for TooLarge {}

impl From<Trailing> for io::Error {
    fn from(trailing: Trailing) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, trailing)
    }
}

impl From<TooLarge> for io::Error {
    fn from(too_large: TooLarge) -> io::Error {
        io::Error::new(io::ErrorKind::OutOfMemory, too_large)
    }
}

/// A buffered reader that knows whether its end was run into.
pub(crate) struct Watched<R> {
    source: BufReader<R>,
    has_ended: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(buffer)?;
        self.has_ended |= length == 0 && !buffer.is_empty();
        Ok(length)
    }
}

impl<R: Read> BufRead for Watched<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.source.fill_buf()?;
        self.has_ended |= bytes.is_empty();
        Ok(bytes)
    }

    fn consume(&mut self, length: usize) {
        self.source.consume(length);
    }
}

/// A decoder for a single member. 0 is its end, or that of the file.
pub(crate) trait Member<R>: Read {
    /// What every member begins with.
    const MAGIC: &'static [u8];
    /// Zero bytes may follow the last member.
    const IS_PADDED: bool = false;
    /// It takes the end of the file for its own.
    const IS_CREDULOUS: bool = false;

    fn begin(source: Source<R>) -> Self;
    fn end(self) -> Source<R>;
}

impl<R: Read> Member<R> for GzDecoder<Source<R>> {
    const MAGIC: &'static [u8] = &[0x1f, 0x8b];
    const IS_PADDED: bool = true;

    fn begin(source: Source<R>) -> Self {
        GzDecoder::new(source)
    }

    fn end(self) -> Source<R> {
        self.into_inner()
    }
}

impl<R: Read> Member<R> for BzDecoder<Source<R>> {
    const MAGIC: &'static [u8] = b"BZh";

    fn begin(source: Source<R>) -> Self {
        BzDecoder::new(source)
    }

    fn end(self) -> Source<R> {
        self.into_inner()
    }
}

impl<R: Read> Member<R> for FrameDecoder<Source<R>> {
    const MAGIC: &'static [u8] = &[0x04, 0x22, 0x4d, 0x18];
    const IS_CREDULOUS: bool = true;

    fn begin(source: Source<R>) -> Self {
        FrameDecoder::new(source)
    }

    fn end(self) -> Source<R> {
        self.into_inner()
    }
}

impl<R: Read> Member<R> for XzReader<Source<R>> {
    const MAGIC: &'static [u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
    const IS_PADDED: bool = true;

    fn begin(source: Source<R>) -> Self {
        XzReader::new_mem_limit(source, false, XZ_MEMORY)
    }

    fn end(self) -> Source<R> {
        self.into_inner()
    }
}

/// Decompresses all members one after the other.
pub(crate) struct Members<M> {
    /// `None` after the end or a damage.
    member: Option<M>,
}

impl<M> Members<M> {
    /// The first bytes are taken for a member's whatever they are.
    pub(crate) fn new<R: Read>(source: BufReader<R>) -> Members<M>
    where
        M: Member<R>,
    {
        let source = Watched { source, has_ended: false };
        Members { member: Some(M::begin(Cursor::new(Vec::new()).chain(source))) }
    }

    /// Reads once. 0 is the end of the last member.
    pub(crate) fn read<R: Read>(&mut self, buffer: &mut [u8]) -> io::Result<usize>
    where
        M: Member<R>,
    {
        while let Some(member) = &mut self.member {
            let length = member.read(buffer).map_err(explain)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            let source = self.member.take().map(|member| member.end().into_inner().1);
            self.member = source.map(next_member).transpose()?.flatten();
        }
        Ok(0)
    }
}

/// Not all decoders have the same words for the same thing.
fn explain(err: io::Error) -> io::Error {
    if err.kind() == io::ErrorKind::OutOfMemory { TooLarge.into() } else { err }
}

/// The member that follows another one. `None` at the end of the file.
fn next_member<R: Read, M: Member<R>>(mut source: Watched<R>) -> io::Result<Option<M>> {
    if source.has_ended && M::IS_CREDULOUS {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut start = vec![0; M::MAGIC.len()];
    let mut length = 0;
    while length < start.len() {
        match source.fill_buf()?.first() {
            Some(&byte) => start[length] = byte,
            None => break,
        }
        source.consume(1);
        length += 1;
    }
    source.has_ended = false;
    if length == 0 {
        return Ok(None);
    }
    if start == M::MAGIC {
        return Ok(Some(M::begin(Cursor::new(start).chain(source))));
    }
    if !M::IS_PADDED || start[..length].iter().any(|&byte| byte != 0) {
        return Err(Trailing.into());
    }
    loop {
        let padding = source.fill_buf()?;
        if padding.is_empty() {
            return Ok(None);
        }
        if padding.iter().any(|&byte| byte != 0) {
            return Err(Trailing.into());
        }
        let length = padding.len();
        source.consume(length);
    }
}
