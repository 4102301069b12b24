//! Foreign text made fit for a one-line message: quoted, escaped, cut to a bounded length.

const MAX_CHARS: usize = 60;

/// `text` in double quotes, with control characters escaped and a long rest replaced by `…`.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((cut, _)) => format!("{:?}", format!("{}…", &text[..cut])),
        None => format!("{text:?}"),
    }
}

/// The same for bytes of a log line, of which only the beginning is looked at.
pub(crate) fn quoted_bytes(bytes: &[u8]) -> String {
    // A character has at most 4 bytes, so this is enough to see that there is more.
    let beginning = &bytes[..bytes.len().min(4 * (MAX_CHARS + 1))];
    quoted(&String::from_utf8_lossy(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_one_bounded_line() {
        assert_eq!(quoted("a\n\"b\"\x1b"), r#""a\n\"b\"\u{1b}""#);
        assert_eq!(quoted_bytes(b"\xff\x00"), "\"\u{fffd}\\0\"");
        let long = "ä".repeat(10_000);
        assert_eq!(quoted_bytes(long.as_bytes()), format!("\"{}…\"", "ä".repeat(60)));
        assert_eq!(quoted(&long[..120]), format!("\"{}\"", "ä".repeat(60)));
    }
}
