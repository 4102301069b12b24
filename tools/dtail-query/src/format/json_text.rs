//! The words of JSON: strings, numbers, brackets. Never knows which are wanted.

use std::borrow::Cow;

use super::marks::Marks;
use crate::fields::Fields;

/// What ends a string, or makes more of it than its bytes.
const MARKS: [u8; 3] = *b"\"\n\\";

/// A line that is read from left to right. Its newline stands for its end.
pub(super) struct Text<'m, 'a> {
    marks: &'m mut Marks<'a>,
    /// The line and what follows it.
    line: &'a [u8],
    at: usize,
    /// Where the newline is, once its mark was passed.
    newline: Option<usize>,
}

impl<'m, 'a> Text<'m, 'a> {
    pub(super) fn new(marks: &'m mut Marks<'a>) -> Text<'m, 'a> {
        let line = marks.rest();
        Text { marks, line, at: 0, newline: None }
    }

    /// Gives the rest of the line up. Returns where its newline is.
    #[inline]
    pub(super) fn finish(self) -> usize {
        self.newline.unwrap_or_else(|| self.marks.newline(MARKS))
    }

    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        &self.line[start..self.at]
    }

    /// The byte that is next.
    #[inline(always)]
    fn peek(&self) -> u8 {
        self.line.get(self.at).copied().unwrap_or(b'\n')
    }

    /// The byte that is next behind blanks.
    #[inline(always)]
    pub(super) fn first(&mut self) -> u8 {
        if self.peek() <= b' ' {
            self.skip_blanks();
        }
        self.peek()
    }

    #[inline(never)]
    fn skip_blanks(&mut self) {
        while let b' ' | b'\t' | b'\r' = self.peek() {
            self.at += 1;
        }
    }

    /// Whether there is nothing but blanks.
    #[inline]
    pub(super) fn is_over(&mut self) -> bool {
        self.first() == b'\n'
    }

    /// Passes the byte that is next.
    #[inline]
    pub(super) fn pass(&mut self) {
        self.at += 1;
    }

    /// Passes blanks and this byte.
    #[inline(always)]
    pub(super) fn eat(&mut self, wanted: u8) -> Option<()> {
        (self.first() == wanted).then(|| self.at += 1)
    }

    #[inline]
    pub(super) fn eat_all(&mut self, wanted: &[u8]) -> Option<()> {
        self.line.get(self.at..)?.starts_with(wanted).then(|| self.at += wanted.len())
    }

    /// What comes next, up to the end of the line and beyond.
    #[inline]
    pub(super) fn remaining(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// The bytes since `start`, with the next one.
    pub(super) fn since_with_next(&self, start: usize) -> &'a [u8] {
        self.line.get(start..=self.at).unwrap_or_default()
    }

    /// Passes so many bytes that are known, with quotes of strings without escapes.
    #[inline]
    pub(super) fn pass_known(&mut self, length: usize, quotes: usize) -> Option<()> {
        self.pass_quote(self.at)?;
        for _ in 1..quotes {
            self.mark()?;
        }
        self.at += length;
        Some(())
    }

    /// Passes the mark of the first quote at or after `from`.
    #[inline(always)]
    fn pass_quote(&mut self, from: usize) -> Option<()> {
        // Marks outside of strings mean nothing.
        while self.mark()?.0 < from {}
        Some(())
    }

    /// What is in a string behind its opening quote, and whether there are escapes in it.
    #[inline]
    pub(super) fn string(&mut self) -> Option<(&'a [u8], bool)> {
        self.pass_quote(self.at - 1)?;
        self.string_end()
    }

    /// The same behind an opening quote whose mark was passed.
    #[inline(always)]
    pub(super) fn string_end(&mut self) -> Option<(&'a [u8], bool)> {
        let start = self.at;
        let (end, mark) = self.mark()?;
        if mark == b'"' {
            self.at = end + 1;
            return Some((&self.line[start..end], false));
        }
        self.escaped_string(start, end)
    }

    /// A string whose first escape is known.
    #[inline(never)]
    fn escaped_string(&mut self, start: usize, mut escape: usize) -> Option<(&'a [u8], bool)> {
        loop {
            let mut next = self.mark()?;
            if next.0 == escape + 1 {
                next = self.mark()?;
            }
            if next.1 == b'"' {
                self.at = next.0 + 1;
                return Some((&self.line[start..next.0], true));
            }
            escape = next.0;
        }
    }

    /// The next mark in the line.
    #[inline(always)]
    fn mark(&mut self) -> Option<(usize, u8)> {
        let (at, mark) = self.marks.next(MARKS);
        if mark == b'\n' {
            self.newline = Some(at);
            return None;
        }
        Some((at, mark))
    }

    /// The rest of a number behind its first byte.
    #[inline]
    pub(super) fn skip_number(&mut self) {
        while let b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-' = self.peek() {
            self.at += 1;
        }
    }

    /// Everything up to what ends a value.
    pub(super) fn skip_word(&mut self) {
        while !matches!(self.peek(), b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    /// An object or array behind its opening bracket, which is `first`. `open` is a buffer.
    pub(super) fn skip_nested(&mut self, first: u8, open: &mut Vec<u8>) -> Option<()> {
        open.clear();
        open.push(first);
        while let Some(&innermost) = open.last() {
            let byte = self.peek();
            self.at += 1;
            match byte {
                b'\n' => return None,
                b'"' => {
                    self.string()?;
                }
                bracket @ (b'{' | b'[') => open.push(bracket),
                b'}' if innermost == b'{' => _ = open.pop(),
                b']' if innermost == b'[' => _ = open.pop(),
                b'}' | b']' => return None,
                _ => {}
            }
        }
        Some(())
    }
}

/// What a string means whose bytes these are.
pub(super) fn plain(text: &[u8], is_escaped: bool) -> Cow<'_, [u8]> {
    if !is_escaped {
        return Cow::Borrowed(text);
    }
    let mut fields = Fields::default();
    let start = fields.computed_length();
    unescape(text, &mut fields);
    let span = fields.computed_since(start);
    Cow::Owned(fields.bytes(span, &[]).unwrap_or_default().to_vec())
}

/// Computes what a string with escapes means. An escape that means nothing stands for itself, a
/// half of a surrogate pair for the replacement character.
pub(super) fn unescape(mut text: &[u8], fields: &mut Fields) {
    while let Some(backslash) = memchr::memchr(b'\\', text) {
        fields.compute(&text[..backslash]);
        text = &text[backslash + 1..];
        let Some((&kind, rest)) = text.split_first() else { return fields.compute(b"\\") };
        text = rest;
        match kind {
            b'"' | b'\\' | b'/' => fields.compute(&[kind]),
            b'b' => fields.compute(b"\x08"),
            b'f' => fields.compute(b"\x0c"),
            b'n' => fields.compute(b"\n"),
            b'r' => fields.compute(b"\r"),
            b't' => fields.compute(b"\t"),
            b'u' => match unit(text) {
                Some((unit, rest)) => text = put_unit(unit, rest, fields),
                None => fields.compute(b"\\u"),
            },
            _ => fields.compute(&[b'\\', kind]),
        }
    }
    fields.compute(text);
}

/// Four hexadecimal digits and what follows them.
fn unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<4>()?;
    let unit = digits
        .iter()
        .try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))?;
    Some((unit, rest))
}

/// Computes the character that begins with a UTF-16 unit. Returns what follows it.
fn put_unit<'a>(first: u32, rest: &'a [u8], fields: &mut Fields) -> &'a [u8] {
    let mut following = rest;
    let mut code = first;
    if (0xD800..0xDC00).contains(&first)
        && let Some((second, after)) = rest.strip_prefix(b"\\u").and_then(unit)
        && (0xDC00..0xE000).contains(&second)
    {
        code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        following = after;
    }
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    fields.compute(character.encode_utf8(&mut [0; 4]).as_bytes());
    following
}
