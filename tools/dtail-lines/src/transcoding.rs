//! Makes UTF-8 of text that says by its first two bytes that it is UTF-16. Never guesses.

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_16BE, UTF_16LE};

/// The byte order mark, as it comes.
const LITTLE_ENDIAN: [u8; 2] = [0xff, 0xfe];
const BIG_ENDIAN: [u8; 2] = [0xfe, 0xff];

/// What is known of an encoding while bytes come in.
#[derive(Default)]
pub(crate) struct Transcoding {
    state: State,
    /// Bytes as they came; kept only for its memory.
    raw: Vec<u8>,
}

#[derive(Default)]
enum State {
    /// Fewer than two bytes have come.
    #[default]
    Unknown,
    AsIs,
    Utf16(Box<Decoder>),
}

/// The encoding of text that begins like this, if it is not to be left as it is.
pub(crate) fn encoding_of(start: &[u8]) -> Option<&'static Encoding> {
    if start.starts_with(&LITTLE_ENDIAN) {
        Some(UTF_16LE)
    } else {
        start.starts_with(&BIG_ENDIAN).then_some(UTF_16BE)
    }
}

impl Transcoding {
    /// Leaves everything as it is.
    pub(crate) fn none() -> Transcoding {
        Transcoding { state: State::AsIs, raw: Vec::new() }
    }

    /// Replaces the bytes from `start` on, which have just come, by UTF-8, where what is no UTF-16
    /// becomes U+FFFD. A first byte that may be half a mark is held back. `is_last`: nothing more
    /// will come.
    pub(crate) fn apply(&mut self, bytes: &mut Vec<u8>, start: usize, is_last: bool) {
        if let State::AsIs = self.state {
            return;
        }
        let mut taken = 0;
        if let State::Unknown = self.state {
            if !self.raw.is_empty() {
                bytes.splice(start..start, self.raw.drain(..));
            }
            let new = &bytes[start..];
            if new.len() < 2 && !is_last {
                self.raw.extend(bytes.drain(start..));
                return;
            }
            let Some(encoding) = encoding_of(new) else {
                self.state = State::AsIs;
                return;
            };
            taken = 2;
            self.state = State::Utf16(Box::new(encoding.new_decoder_without_bom_handling()));
        }
        let State::Utf16(decoder) = &mut self.state else { return };
        self.raw.clear();
        self.raw.extend_from_slice(&bytes[start + taken..]);
        bytes.truncate(start);
        decode(decoder, &self.raw, bytes, is_last);
        self.raw.clear();
        if is_last {
            self.state = State::AsIs;
        }
    }
}

fn decode(decoder: &mut Decoder, mut raw: &[u8], bytes: &mut Vec<u8>, is_last: bool) {
    loop {
        let end = bytes.len();
        let room = decoder.max_utf8_buffer_length(raw.len()).unwrap_or(raw.len() * 3);
        bytes.resize(end + room, 0);
        let (result, read, written, _) = decoder.decode_to_utf8(raw, &mut bytes[end..], is_last);
        bytes.truncate(end + written);
        raw = &raw[read..];
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::Transcoding;

    fn transcode(input: &[u8], chunk: usize) -> Vec<u8> {
        let mut transcoding = Transcoding::default();
        let mut bytes = b"kept".to_vec();
        for chunk in input.chunks(chunk) {
            let start = bytes.len();
            bytes.extend_from_slice(chunk);
            transcoding.apply(&mut bytes, start, false);
        }
        let start = bytes.len();
        transcoding.apply(&mut bytes, start, true);
        bytes.split_off(4)
    }

    #[track_caller]
    fn check(input: &[u8], expected: &Expect) {
        let whole = transcode(input, 1000);
        for chunk in 1..=input.len() {
            assert_eq!(transcode(input, chunk), whole, "in chunks of {chunk}");
        }
        expected.assert_eq(&whole.escape_ascii().to_string());
    }

    #[test]
    fn only_a_mark_of_utf_16_changes_anything() {
        check(b"", &expect![""]);
        check(b"a", &expect!["a"]);
        check(b"\xff", &expect![[r"\xff"]]);
        check(b"\xfe\n", &expect![[r"\xfe\n"]]);
        check(b"\xef\xbb\xbfa\n", &expect![[r"\xef\xbb\xbfa\n"]]);
        check(b"a\xff\xfeb\0", &expect![[r"a\xff\xfeb\x00"]]);
    }

    #[test]
    fn both_byte_orders_become_utf_8() {
        check(b"\xff\xfea\0\n\0\xac\x20", &expect![[r"a\n\xe2\x82\xac"]]);
        check(b"\xfe\xff\0a\0\n\x20\xac", &expect![[r"a\n\xe2\x82\xac"]]);
        check(b"\xff\xfe\x3d\xd8\x00\xde", &expect![[r"\xf0\x9f\x98\x80"]]);
    }

    #[test]
    fn what_is_no_utf_16_is_replaced() {
        check(b"\xff\xfe\x3d\xd8a\0", &expect![[r"\xef\xbf\xbda"]]);
        check(b"\xff\xfea\0b", &expect![[r"a\xef\xbf\xbd"]]);
        check(b"\xff\xfe", &expect![""]);
    }
}
