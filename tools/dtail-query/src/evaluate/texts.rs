//! The functions of texts, over bytes that need not be UTF-8: a byte that is none is a character.

use md5::{Digest, Md5};
use memchr::{memchr, memmem};

use crate::function::Function;

/// Writes a text made of another one.
pub(super) fn transform(function: Function, text: &[u8], out: &mut Vec<u8>) {
    match function {
        Function::Md5Sum => {
            for byte in Md5::digest(text) {
                out.extend_from_slice(&hexadecimal(byte));
            }
        }
        Function::MaskDigits => {
            let masked = text.iter().map(|byte| if byte.is_ascii_digit() { b'.' } else { *byte });
            out.extend(masked);
        }
        Function::Lower if text.is_ascii() => {
            out.extend(text.iter().map(u8::to_ascii_lowercase));
        }
        Function::Upper if text.is_ascii() => {
            out.extend(text.iter().map(u8::to_ascii_uppercase));
        }
        Function::Lower => each_character(text, out, |it, out| put_all(it.to_lowercase(), out)),
        _ => each_character(text, out, |it, out| put_all(it.to_uppercase(), out)),
    }
}

fn put_all(characters: impl Iterator<Item = char>, out: &mut Vec<u8>) {
    for character in characters {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

fn each_character(text: &[u8], out: &mut Vec<u8>, write: impl Fn(char, &mut Vec<u8>)) {
    for chunk in text.utf8_chunks() {
        chunk.valid().chars().for_each(|it| write(it, out));
        out.extend_from_slice(chunk.invalid());
    }
}

pub(crate) fn hexadecimal(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// Number of characters.
pub(super) fn length(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.utf8_chunks().map(|it| it.valid().chars().count() + it.invalid().len()).sum()
}

pub(super) fn replace(text: &[u8], from: &[u8], to: &[u8], out: &mut Vec<u8>) {
    if from.is_empty() {
        out.extend_from_slice(text);
        return;
    }
    let mut rest = 0;
    for found in memmem::find_iter(text, from) {
        out.extend_from_slice(&text[rest..found]);
        out.extend_from_slice(to);
        rest = found + from.len();
    }
    out.extend_from_slice(&text[rest..]);
}

/// The bytes of a text that a function takes out of it.
pub(super) fn part(function: Function, text: &[u8]) -> Option<(usize, usize)> {
    match function {
        Function::Trim => {
            let trimmed = text.trim_ascii();
            let start = text.len() - text.trim_ascii_start().len();
            Some((start, start + trimmed.len()))
        }
        Function::Host => host(text),
        _ => path(text),
    }
}

/// From the first character (counted from 1, negative: from the end) on, so many of them.
pub(super) fn substring(text: &[u8], start: f64, length: Option<f64>) -> (usize, usize) {
    let count = self::length(text) as f64;
    let start = start.trunc();
    let from = if start < 0.0 { count + start } else { (start - 1.0).max(0.0) };
    // A negative start may be before the text, and what is there counts.
    let to = length.map_or(count, |length| from + length.trunc());
    let from = from.clamp(0.0, count);
    let to = to.clamp(from, count);
    (byte_of(text, from as usize), byte_of(text, to as usize))
}

/// Where a character begins.
fn byte_of(text: &[u8], character: usize) -> usize {
    if text.is_ascii() {
        return character.min(text.len());
    }
    let mut left = character;
    let mut bytes = 0;
    for chunk in text.utf8_chunks() {
        for valid in chunk.valid().chars() {
            if left == 0 {
                return bytes;
            }
            left -= 1;
            bytes += valid.len_utf8();
        }
        let invalid = chunk.invalid().len();
        if left <= invalid {
            return bytes + left;
        }
        left -= invalid;
        bytes += invalid;
    }
    bytes
}

/// The part of this number, counted from 1, or from the end if it is negative.
pub(super) fn split(text: &[u8], separator: &[u8], number: f64) -> Option<(usize, usize)> {
    let count = if separator.is_empty() { 0 } else { memmem::find_iter(text, separator).count() };
    let wanted =
        if number < 0.0 { count as f64 + 1.0 + number.trunc() } else { number.trunc() - 1.0 };
    if !(wanted >= 0.0 && wanted <= count as f64) {
        return None;
    }
    // Not above the count.
    let wanted = wanted as usize;
    let mut from = 0;
    let separators = memmem::find_iter(text, separator).take(count).chain([text.len()]);
    for (index, at) in separators.enumerate() {
        if index == wanted {
            return Some((from, at));
        }
        from = at + separator.len();
    }
    None
}

/// Where the host and its port are in a URL, or in an address without a scheme.
fn authority(text: &[u8]) -> (usize, usize) {
    let start = memmem::find(text, b"://").map_or(0, |at| at + 3);
    let length = text[start..].iter().position(|it| b"/?#".contains(it));
    (start, length.map_or(text.len(), |length| start + length))
}

fn host(text: &[u8]) -> Option<(usize, usize)> {
    let (mut from, mut to) = authority(text);
    if let Some(at) = memchr::memrchr(b'@', &text[from..to]) {
        from += at + 1;
    }
    if text.get(from) == Some(&b'[') {
        let end = from + memchr(b']', &text[from..to])?;
        return Some((from + 1, end));
    }
    let colons = memchr::memchr_iter(b':', &text[from..to]).count();
    // More than one: an IPv6 address without a port.
    if colons == 1
        && let Some(colon) = memchr(b':', &text[from..to])
    {
        to = from + colon;
    }
    (from < to).then_some((from, to))
}

fn path(text: &[u8]) -> Option<(usize, usize)> {
    let from = if text.starts_with(b"/") { 0 } else { authority(text).1 };
    let length = text[from..].iter().position(|it| b"?#".contains(it));
    Some((from, length.map_or(text.len(), |length| from + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, range: Option<(usize, usize)>) -> Option<&str> {
        range.map(|(from, to)| &text[from..to])
    }

    #[test]
    fn substrings_are_counted_in_characters() {
        let of = |text: &'static str, start, length| {
            cut(text, Some(substring(text.as_bytes(), start, length))).unwrap()
        };
        assert_eq!(of("hello", 2.0, None), "ello");
        assert_eq!(of("hello", 2.0, Some(3.0)), "ell");
        assert_eq!(of("hello", -3.0, Some(2.0)), "ll");
        assert_eq!(of("hello", -9.0, Some(5.0)), "h");
        assert_eq!(of("hello", 0.0, Some(2.0)), "he");
        assert_eq!(of("hello", 9.0, Some(2.0)), "");
        assert_eq!(of("hello", f64::NAN, Some(f64::INFINITY)), "hello");
        assert_eq!(of("aäöb", 2.0, Some(2.0)), "äö");
        assert_eq!(substring(b"a\xff\xfeb", 2.0, Some(2.0)), (1, 3));
    }

    #[test]
    fn parts_are_counted_from_both_ends() {
        let of = |text: &'static str, number| cut(text, split(text.as_bytes(), b", ", number));
        assert_eq!(of("a, b, c", 1.0), Some("a"));
        assert_eq!(of("a, b, c", 3.0), Some("c"));
        assert_eq!(of("a, b, c", -1.0), Some("c"));
        assert_eq!(of("a, b, c", -4.0), None);
        assert_eq!(of("a, b, c", 0.0), None);
        assert_eq!(of("a, b, c", f64::NAN), None);
        assert_eq!(of("", 1.0), Some(""));
        assert_eq!(split(b"abc", b"", 1.0), Some((0, 3)));
    }

    #[test]
    fn urls_have_hosts_and_paths() {
        let of = |text: &'static str| {
            (cut(text, host(text.as_bytes())), cut(text, path(text.as_bytes())))
        };
        assert_eq!(of("https://me@h.example:80/a/b?c#d"), (Some("h.example"), Some("/a/b")));
        assert_eq!(of("http://[::1]:80"), (Some("::1"), Some("")));
        assert_eq!(of("h.example:80"), (Some("h.example"), Some("")));
        assert_eq!(of("2001:db8::1"), (Some("2001:db8::1"), Some("")));
        assert_eq!(of("/only/path?x=http://y/z"), (Some("y"), Some("/only/path")));
        assert_eq!(of(""), (None, Some("")));
    }
}
