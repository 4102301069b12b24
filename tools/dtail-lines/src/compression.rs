//! Recognises compressed files by their first bytes. Never looks at names and never decompresses.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::zstd::is_zstd;

/// So many first bytes are enough to recognise any format.
pub(crate) const START: usize = 16;

const BZIP2_FIRST_BLOCK: [u8; 6] = [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
const BZIP2_NO_BLOCK: [u8; 6] = [0x17, 0x72, 0x45, 0x38, 0x50, 0x90];

/// A compression format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// One or more gzip members.
    Gzip,
    /// One or more Zstandard frames.
    Zstd,
    /// One or more xz streams.
    Xz,
    /// One or more bzip2 streams.
    Bzip2,
    /// One or more LZ4 frames.
    Lz4,
}

impl Compression {
    /// The format of a regular file, by its first bytes. Leaves the file's offset alone.
    pub(crate) fn of(file: &File) -> io::Result<Option<Compression>> {
        let mut start = [0; START];
        let length = file.read_at(&mut start, 0)?;
        Ok(Compression::of_start(&start[..length]))
    }

    /// The format of data that begins like this. Text never does.
    pub(crate) fn of_start(start: &[u8]) -> Option<Compression> {
        match start {
            // The third byte is the method; there is only one.
            [0x1f, 0x8b, 8, ..] => Some(Compression::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Compression::Xz),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Compression::Lz4),
            // Text may begin like this, but not go on so.
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..]
                if rest.starts_with(&BZIP2_FIRST_BLOCK) || rest.starts_with(&BZIP2_NO_BLOCK) =>
            {
                Some(Compression::Bzip2)
            }
            _ => is_zstd(start).then_some(Compression::Zstd),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Xz => "xz",
            Compression::Bzip2 => "bzip2",
            Compression::Lz4 => "lz4",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Compression;

    #[test]
    fn text_is_never_taken_for_compressed() {
        for text in [&b""[..], b"B", b"BZh9 is how bzip2 begins", b"BZh", b"7zXZ", b"\x1f\x8b"] {
            assert_eq!(Compression::of_start(text), None, "{}", text.escape_ascii());
        }
        assert_eq!(Compression::of_start(b"BZh91AY&SY"), Some(Compression::Bzip2));
    }
}
