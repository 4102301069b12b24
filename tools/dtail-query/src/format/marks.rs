//! Where certain bytes are in a line, found 64 bytes at a time. Never knows what they mean.
//!
//! Fields are short: a search that starts anew at each of them costs more than looking at the
//! whole line once and counting bits.

/// Bytes that are compared together.
const WIDTH: usize = 16;
/// Bytes of which the places are kept together.
const WINDOW: usize = 64;

/// Where one byte is in a line, from left to right.
#[derive(Debug, Clone)]
pub(super) struct Marks<'a> {
    line: &'a [u8],
    byte: u8,
    /// Where the first bit of `found` stands.
    base: usize,
    /// Not looked at from here on.
    next: usize,
    found: u64,
}

impl<'a> Marks<'a> {
    #[inline]
    pub(super) fn of(byte: u8, line: &'a [u8]) -> Marks<'a> {
        let found = look(line, 0, byte);
        Marks { line, byte, base: 0, next: WINDOW, found }
    }

    /// How many there are from here to the end.
    #[inline]
    pub(super) fn count_rest(&mut self) -> usize {
        let mut count = self.found.count_ones() as usize;
        while self.next < self.line.len() {
            count += look(self.line, self.next, self.byte).count_ones() as usize;
            self.next += WINDOW;
        }
        self.found = 0;
        count
    }
}

impl Iterator for Marks<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            if self.next >= self.line.len() {
                return None;
            }
            self.found = look(self.line, self.next, self.byte);
            self.base = self.next;
            self.next += WINDOW;
        }
        let at = self.base + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(at)
    }
}

/// Whether a byte is anywhere in a line.
#[inline]
pub(super) fn has(byte: u8, line: &[u8]) -> bool {
    let mut at = 0;
    while at < line.len() {
        if look(line, at, byte) != 0 {
            return true;
        }
        at += WINDOW;
    }
    false
}

/// A bit for each of the bytes from `at` on, as far as there are any: whether it is `byte`.
#[inline]
fn look(line: &[u8], at: usize, byte: u8) -> u64 {
    if let Some(window) = line[at..].first_chunk::<WINDOW>() {
        let (parts, _) = window.as_chunks::<WIDTH>();
        return parts.iter().rev().fold(0, |bits, part| bits << WIDTH | places(part, byte));
    }
    let (parts, last) = line[at..].as_chunks::<WIDTH>();
    let rest = line.len() - at;
    let mut bits = 0;
    for (index, part) in parts.iter().enumerate() {
        bits |= places(part, byte) << (index * WIDTH);
    }
    let last = last.len();
    if last > 0 {
        let partial = match line.last_chunk::<WIDTH>() {
            // Some of it was looked at before.
            Some(part) => places(part, byte) >> (WIDTH - last),
            None => {
                let mut part = [0; WIDTH];
                part[..last].copy_from_slice(&line[line.len() - last..]);
                places(&part, byte) & ((1 << last) - 1)
            }
        };
        bits |= partial << (rest - last);
    }
    bits
}

/// The first of two bytes at or after `from`.
#[inline]
pub(super) fn first_of(one: u8, other: u8, line: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(window) = line.get(at..).and_then(<[u8]>::first_chunk) {
        let found = places(window, one) | places(window, other);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += WIDTH;
    }
    let rest = line.get(at..)?;
    rest.iter().position(|&byte| byte == one || byte == other).map(|offset| at + offset)
}

/// A bit for each byte of the window: whether it is `byte`.
#[inline]
#[cfg(target_arch = "x86_64")]
fn places(window: &[u8; WIDTH], byte: u8) -> u64 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};
    // SAFETY: all processors of this kind have SSE2, and 16 bytes can be read. The compiler makes
    // no such code out of a loop.
    let bits = unsafe {
        let wanted = _mm_set1_epi8(byte.cast_signed());
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(window.as_ptr().cast()), wanted))
    };
    u64::from(bits.cast_unsigned())
}

/// A bit for each byte of the window: whether it is `byte`.
#[inline]
#[cfg(not(target_arch = "x86_64"))]
fn places(window: &[u8; WIDTH], byte: u8) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const REST: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let (words, _) = window.as_chunks::<8>();
    words.iter().enumerate().fold(0, |found, (index, word)| {
        let differing = u64::from_le_bytes(*word) ^ (LOW * u64::from(byte));
        let same = !(((differing & REST) + REST) | differing | REST) >> 7;
        // Gathers the lowest bits of all bytes in the highest byte.
        let bits = same.wrapping_mul(0x0102_0408_1020_4080) >> 56;
        found | bits << (8 * index)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn all_are_found_whatever_the_length_of_the_line() {
        let mut random = Random::new(11);
        for _ in 0..20_000 {
            let line: Vec<u8> =
                (0..random.below(200)).map(|_| b"ab\"\0"[random.below(4)]).collect();
            let expected: Vec<usize> = (0..line.len()).filter(|&at| line[at] == b'a').collect();
            assert_eq!(Marks::of(b'a', &line).collect::<Vec<_>>(), expected);
            let mut marks = Marks::of(b'a', &line);
            let before = random.below(4).min(expected.len());
            (0..before).for_each(|_| assert!(marks.next().is_some()));
            assert_eq!(marks.count_rest(), expected.len() - before);
            assert_eq!(has(b'"', &line), line.contains(&b'"'));
            assert_eq!(has(0, &line), line.contains(&0));
            let from = random.below(line.len() + 2);
            let first = (from..line.len()).find(|&at| line[at] == b'a' || line[at] == b'"');
            assert_eq!(first_of(b'a', b'"', &line, from), first);
        }
    }
}
