//! Where certain bytes are in a line, found 32 bytes at a time. Never knows what they mean.
//!
//! Fields are short: a search that starts anew at each of them costs more than looking at the
//! whole line once and counting bits.

/// Bytes that are looked at together.
const WIDTH: usize = 32;

/// Where one byte is in a line, from left to right.
#[derive(Debug, Clone)]
pub(super) struct Marks<'a> {
    line: &'a [u8],
    byte: u8,
    /// Noticed on the way.
    alarm: u8,
    is_alarmed: bool,
    /// Where the first bit of `found` stands.
    base: usize,
    /// Not looked at from here on.
    next: usize,
    found: u32,
}

impl<'a> Marks<'a> {
    #[inline]
    pub(super) fn of(byte: u8, line: &'a [u8]) -> Marks<'a> {
        Marks::with_alarm(byte, byte, line)
    }

    /// Notices `alarm` on the way.
    #[inline]
    pub(super) fn with_alarm(byte: u8, alarm: u8, line: &'a [u8]) -> Marks<'a> {
        Marks { line, byte, alarm, is_alarmed: false, base: 0, next: 0, found: 0 }
    }

    /// How many there are from here to the end.
    #[inline]
    pub(super) fn count_rest(&mut self) -> usize {
        let mut count = self.found.count_ones() as usize;
        while self.next < self.line.len() {
            self.look();
            count += self.found.count_ones() as usize;
        }
        self.found = 0;
        count
    }

    /// Whether the alarming byte is in what was looked at, which is all once [`Marks::count_rest`]
    /// was called or the end was reached.
    #[inline]
    pub(super) fn is_alarmed(&self) -> bool {
        self.is_alarmed
    }

    /// Looks at the next bytes, of which there must be some.
    #[inline]
    fn look(&mut self) {
        let (line, at) = (self.line, self.next);
        self.base = at;
        if let Some(window) = line[at..].first_chunk::<WIDTH>() {
            self.next = at + WIDTH;
            self.found = places(window, self.byte);
            self.is_alarmed |= places(window, self.alarm) != 0;
            return;
        }
        self.next = line.len();
        if let Some(window) = line.last_chunk::<WIDTH>() {
            // Some of it was looked at before.
            let known = at - (line.len() - WIDTH);
            self.found = places(window, self.byte) >> known;
            self.is_alarmed |= places(window, self.alarm) != 0;
            return;
        }
        let mut window = [0; WIDTH];
        window[..line.len()].copy_from_slice(line);
        let length = (1_u32 << line.len()) - 1;
        self.found = places(&window, self.byte) & length;
        self.is_alarmed |= places(&window, self.alarm) & length != 0;
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
            self.look();
        }
        let at = self.base + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(at)
    }
}

/// The first of two bytes at or after `from`.
#[inline]
pub(super) fn first_of(one: u8, other: u8, line: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(window) = line.get(at..).and_then(<[u8]>::first_chunk::<WIDTH>) {
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
fn places(window: &[u8; WIDTH], byte: u8) -> u32 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};
    let (low, high) = window.split_at(WIDTH / 2);
    // SAFETY: all processors of this kind have SSE2, and 16 bytes can be read from each half. The
    // compiler makes no such code out of a loop.
    let (low, high) = unsafe {
        let wanted = _mm_set1_epi8(byte.cast_signed());
        let same = |half: &[u8]| {
            _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(half.as_ptr().cast()), wanted))
        };
        (same(low), same(high))
    };
    low.cast_unsigned() | high.cast_unsigned() << 16
}

/// A bit for each byte of the window: whether it is `byte`.
#[inline]
#[cfg(not(target_arch = "x86_64"))]
fn places(window: &[u8; WIDTH], byte: u8) -> u32 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const REST: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let (words, _) = window.as_chunks::<8>();
    words.iter().enumerate().fold(0, |found, (index, word)| {
        let differing = u64::from_le_bytes(*word) ^ (LOW * u64::from(byte));
        let same = !(((differing & REST) + REST) | differing | REST) >> 7;
        // Gathers the lowest bits of all bytes in the highest byte.
        let bits = same.wrapping_mul(0x0102_0408_1020_4080) >> 56;
        found | (bits as u32) << (8 * index)
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
                (0..random.below(110)).map(|_| b"ab\"\0"[random.below(4)]).collect();
            let expected: Vec<usize> = (0..line.len()).filter(|&at| line[at] == b'a').collect();
            assert_eq!(Marks::of(b'a', &line).collect::<Vec<_>>(), expected);
            let mut marks = Marks::with_alarm(b'a', b'"', &line);
            let before = random.below(4).min(expected.len());
            (0..before).for_each(|_| assert!(marks.next().is_some()));
            assert_eq!(marks.count_rest(), expected.len() - before);
            assert_eq!(marks.is_alarmed(), line.contains(&b'"'));
            let from = random.below(line.len() + 2);
            let first = (from..line.len()).find(|&at| line[at] == b'a' || line[at] == b'"');
            assert_eq!(first_of(b'a', b'"', &line, from), first);
        }
    }
}
