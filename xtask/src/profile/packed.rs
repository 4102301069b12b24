//! Profiles as they are committed: LLVM's text form, compressed with xz. Reads and writes bytes,
//! judges nothing.

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, Result};

/// Text of a profile that is larger than this is no profile of ours; a damaged file must not fill
/// the memory.
const LARGEST: u64 = 512 << 20;

/// Compresses a text; the same text gives the same bytes.
pub(crate) fn pack(text: &[u8]) -> Result<Vec<u8>> {
    let options = lzma_rust2::XzOptions::with_preset(6);
    let mut packer = lzma_rust2::XzWriter::new(Vec::new(), options)?;
    packer.write_all(text)?;
    Ok(packer.finish()?)
}

/// What `pack` was given. The error says what is wrong with the bytes.
pub(crate) fn unpack(bytes: &[u8]) -> Result<String> {
    anyhow::ensure!(!bytes.is_empty(), "the profile is empty (0 bytes)");
    let mut text = String::new();
    let reader = lzma_rust2::XzReader::new(bytes, false);
    reader
        .take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|error| anyhow::anyhow!("{error}"))
        .context("it is no whole xz file of a profile's text form")?;
    anyhow::ensure!((text.len() as u64) < LARGEST, "it unpacks to more than {LARGEST} bytes");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_what_is_damaged_is_refused() {
        let text = "f\n# Func Hash:\n1\n".repeat(1000);
        let packed = pack(text.as_bytes()).unwrap();
        assert_eq!(packed, pack(text.as_bytes()).unwrap());
        assert!(packed.len() * 20 < text.len());
        assert_eq!(unpack(&packed).unwrap(), text);
        let mut flipped = packed.clone();
        flipped[packed.len() / 2] ^= 1;
        for bad in [&[][..], &packed[..packed.len() / 2], &flipped, b"no xz at all"] {
            assert!(unpack(bad).is_err());
        }
    }
}
