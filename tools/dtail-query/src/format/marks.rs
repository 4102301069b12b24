//! Where certain bytes are in a block of lines, found 64 bytes at a time. Never knows what they
//! mean, other than that a newline ends a line.
//!
//! Lines and fields are short: a search that starts anew at each of them costs more than looking at
//! the whole block once and counting bits.

/// Bytes that are compared together.
const WIDTH: usize = 16;
/// Bytes of which the places are kept together.
const WINDOW: usize = 64;

/// The marks of formats that have no others.
pub(super) const NEWLINES: [u8; 1] = *b"\n";

/// Goes through a block from left to right and stops at marks: the bytes that a format wants to
/// know of, one of which is the newline. All calls for one block must want the same.
///
/// Who reads in a loop does so with a copy, which the compiler keeps in registers.
#[derive(Debug, Clone)]
pub(crate) struct Marks<'a> {
    block: &'a [u8],
    /// Where the line begins that is read.
    line: usize,
    /// Where the window begins that `found` is of.
    base: usize,
    found: u64,
}

impl<'a> Marks<'a> {
    #[inline]
    pub(crate) fn of(block: &'a [u8]) -> Marks<'a> {
        // The first window comes after this one.
        Marks { block, line: 0, base: 0_usize.wrapping_sub(WINDOW), found: 0 }
    }

    /// Whether no line is left.
    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.line >= self.block.len()
    }

    /// The bytes from the beginning of the line on, and far beyond its end.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.block[self.line..]
    }

    /// Where the next mark is in the line, and what it is. Behind the last byte of the block is a
    /// newline. Nothing may be asked for behind a newline before [`Marks::end_line`].
    #[inline(always)]
    pub(super) fn next<const N: usize>(&mut self, wanted: [u8; N]) -> (usize, u8) {
        if self.found == 0 {
            (self.found, self.base) = look_on(self.block, self.base, wanted);
            if self.found == 0 {
                return (self.block.len() - self.line, b'\n');
            }
        }
        let at = self.base + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        (at - self.line, self.block[at])
    }

    /// Where the newline of the line is; marks before it are passed over.
    #[inline]
    pub(super) fn newline<const N: usize>(&mut self, wanted: [u8; N]) -> usize {
        loop {
            if let (at, b'\n') = self.next(wanted) {
                return at;
            }
        }
    }

    /// The line whose newline is at `end` is over. Returns the line.
    #[inline]
    pub(super) fn end_line(&mut self, end: usize) -> &'a [u8] {
        let line = &self.block[self.line..self.line + end];
        self.line += end + 1;
        line
    }
}

/// The end of a line without the carriage return before its newline, which is at `newline`.
#[inline]
pub(super) fn without_return(text: &[u8], newline: usize) -> usize {
    newline - usize::from(newline > 0 && text[newline - 1] == b'\r')
}

/// The next window with marks behind the one at `base`: its marks, none if there is no such window,
/// and where it begins.
#[inline(never)]
fn look_on<const N: usize>(block: &[u8], mut base: usize, wanted: [u8; N]) -> (u64, usize) {
    loop {
        let next = base.wrapping_add(WINDOW);
        if next >= block.len() {
            return (0, base);
        }
        base = next;
        let found = look(block, base, wanted);
        if found != 0 {
            return (found, base);
        }
    }
}

/// A bit for each of the bytes from `at` on, as far as there are any: whether it is wanted.
#[inline]
fn look<const N: usize>(block: &[u8], at: usize, wanted: [u8; N]) -> u64 {
    let rest = &block[at..];
    if let Some(window) = rest.first_chunk::<WINDOW>() {
        return look_at_window(window, wanted);
    }
    let mut window = [0; WINDOW];
    window[..rest.len()].copy_from_slice(rest);
    look_at_window(&window, wanted) & ((1 << rest.len()) - 1)
}

#[inline]
fn look_at_window<const N: usize>(window: &[u8; WINDOW], wanted: [u8; N]) -> u64 {
    let (parts, _) = window.as_chunks::<WIDTH>();
    parts.iter().rev().fold(0, |bits, part| bits << WIDTH | places(part, wanted))
}

/// The first of two bytes at or after `from`.
#[inline]
pub(super) fn first_of(one: u8, other: u8, line: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(window) = line.get(at..).and_then(<[u8]>::first_chunk) {
        let found = places(window, [one, other]);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += WIDTH;
    }
    let rest = line.get(at..)?;
    rest.iter().position(|&byte| byte == one || byte == other).map(|offset| at + offset)
}

/// A bit for each byte of the window: whether it is wanted.
#[inline]
#[cfg(target_arch = "x86_64")]
fn places<const N: usize>(window: &[u8; WIDTH], wanted: [u8; N]) -> u64 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
        _mm_setzero_si128,
    };
    // SAFETY: all processors of this kind have SSE2, and 16 bytes can be read. The compiler makes
    // no such code out of a loop.
    let bits = unsafe {
        let window = _mm_loadu_si128(window.as_ptr().cast());
        let mut same = _mm_setzero_si128();
        for byte in wanted {
            same = _mm_or_si128(same, _mm_cmpeq_epi8(window, _mm_set1_epi8(byte.cast_signed())));
        }
        _mm_movemask_epi8(same)
    };
    u64::from(bits.cast_unsigned())
}

/// A bit for each byte of the window: whether it is wanted.
#[inline]
#[cfg(not(target_arch = "x86_64"))]
fn places<const N: usize>(window: &[u8; WIDTH], wanted: [u8; N]) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const REST: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let (words, _) = window.as_chunks::<8>();
    words.iter().enumerate().fold(0, |found, (index, word)| {
        let same = wanted.iter().fold(0, |same, byte| {
            let differing = u64::from_le_bytes(*word) ^ (LOW * u64::from(*byte));
            same | !(((differing & REST) + REST) | differing | REST) >> 7
        });
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
    fn all_are_found_whatever_the_length_of_the_lines() {
        let mut random = Random::new(11);
        for _ in 0..20_000 {
            let block: Vec<u8> =
                (0..random.below(300)).map(|_| b"aaaaab\"\0\n"[random.below(9)]).collect();
            let mut marks = Marks::of(&block);
            for expected in block.split_inclusive(|&byte| byte == b'\n') {
                assert!(!marks.is_at_end());
                assert!(marks.rest().starts_with(expected));
                let line = expected.strip_suffix(b"\n").unwrap_or(expected);
                let quotes: Vec<usize> = (0..line.len()).filter(|&at| line[at] == b'"').collect();
                let before = random.below(4).min(quotes.len());
                for quote in &quotes[..before] {
                    assert_eq!(marks.next(*b"\n\""), (*quote, b'"'));
                }
                let end = marks.newline(*b"\n\"");
                assert_eq!(marks.end_line(end), line);
            }
            assert!(marks.is_at_end());
            let from = random.below(block.len() + 2);
            let first = (from..block.len()).find(|&at| block[at] == b'a' || block[at] == b'"');
            assert_eq!(first_of(b'a', b'"', &block, from), first);
        }
    }
}
