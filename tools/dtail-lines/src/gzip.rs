//! Gzip files of several members, on top of a decoder for single ones. Never sees a file name.

use std::io::{self, BufRead, BufReader, Chain, Read};

use flate2::bufread::GzDecoder;

use crate::compression::Trailing;

/// The first bytes of a member.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Decompresses all members one after the other. Zero bytes after the last one are padding, as
/// for GNU gzip.
pub(crate) struct GzipReader<R> {
    /// `None` after the end or a damage.
    member: Option<GzDecoder<Member<R>>>,
}

/// What was read of a member to recognise it, and the rest of the file.
type Member<R> = Chain<&'static [u8], BufReader<R>>;

impl<R: Read> GzipReader<R> {
    pub(crate) fn new(source: BufReader<R>) -> GzipReader<R> {
        GzipReader { member: Some(GzDecoder::new(Read::chain(&[][..], source))) }
    }
}

impl<R: Read> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let length = member.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            let ended = self.member.take().map(|member| member.into_inner().into_inner().1);
            self.member = ended.map(next_member).transpose()?.flatten();
        }
        Ok(0)
    }
}

/// The member that follows another one. `None` at the end of the file.
fn next_member<R: Read>(mut source: BufReader<R>) -> io::Result<Option<GzDecoder<Member<R>>>> {
    let mut start = [0; 2];
    let mut length = 0;
    while length < start.len() {
        match source.fill_buf()?.first() {
            Some(&byte) => start[length] = byte,
            None => break,
        }
        source.consume(1);
        length += 1;
    }
    if start == MAGIC {
        return Ok(Some(GzDecoder::new(Read::chain(&MAGIC[..], source))));
    }
    if start != [0, 0] {
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
