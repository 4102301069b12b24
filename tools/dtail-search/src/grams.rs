//! Finds any of many literals. Never says which, and finds none shorter than three bytes.
//!
//! A few bytes are read at every `stride`th place of the text and looked up in a table of what the
//! literals have at `stride` offsets in a row; whatever place a literal begins at, one of these
//! offsets is at a place that is read. No step waits for the one before, so several are under way
//! at once, unlike in an automaton.

use std::fmt;
use std::ops::Range;

/// Odd, and its bits without pattern: 2^32 divided by the golden ratio.
const SPREAD: u32 = 0x9e37_79b1;

/// Places of the text that are looked up before somebody asks for the result.
const GROUP: usize = 8;

/// Most bytes between two places that are read.
const MAX_STRIDE: usize = 6;

/// Offsets are chosen within so many first bytes of a literal.
const MAX_CHOICE: usize = 32;

/// As much of a sample is looked at.
const MAX_SAMPLE: usize = 32 << 10;

const SLOTS: usize = 1 << 16;

/// Many literals, ready to be found.
#[derive(Clone)]
pub(crate) struct Grams {
    needles: Vec<Vec<u8>>,
    fold: bool,
    stride: usize,
    /// The bytes that are read and looked up, 3 or 4.
    mask: u32,
    width: usize,
    /// Bits that are set before looking up, so that case makes no difference.
    case_bits: u32,
    /// Not zero where a literal has such bytes.
    table: Box<[u8; SLOTS]>,
    /// Where the entries of a slot begin.
    starts: Box<[u32]>,
    entries: Box<[Entry]>,
}

/// A literal may begin `offset` bytes before a place.
#[derive(Debug, Clone, Copy)]
struct Entry {
    needle: u32,
    offset: u32,
}

impl fmt::Debug for Grams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Grams { needles, fold, stride, width, .. } = self;
        write!(f, "Grams of {} (fold {fold}, stride {stride}, {width} bytes)", needles.len())
    }
}

impl Grams {
    /// The shortest literal that can be found.
    pub(crate) const SHORTEST: usize = 3;

    /// Takes literals of at least [`Grams::SHORTEST`] bytes, in lower case if case makes no
    /// difference, and chooses offsets such that what is there is rare in the sample.
    pub(crate) fn new(needles: &[Vec<u8>], fold: bool, sample: &[u8]) -> Grams {
        let shortest = needles.iter().map(Vec::len).min().unwrap_or(Grams::SHORTEST);
        let width = if shortest > 4 { 4 } else { 3 };
        let stride = (shortest + 1 - width).min(MAX_STRIDE);
        let mut grams = Grams {
            needles: needles.to_vec(),
            fold,
            stride,
            mask: if width == 4 { u32::MAX } else { 0x00ff_ffff },
            width,
            case_bits: if fold { 0x2020_2020 } else { 0 },
            table: Box::new([0; SLOTS]),
            starts: Box::default(),
            entries: Box::default(),
        };
        grams.enter(sample);
        grams
    }

    fn enter(&mut self, sample: &[u8]) {
        let sample = &sample[..sample.len().min(MAX_SAMPLE)];
        let mut counts = vec![0u32; SLOTS];
        for bytes in sample.windows(4) {
            counts[self.slot([bytes[0], bytes[1], bytes[2], bytes[3]])] += 1;
        }
        let mut entries = Vec::with_capacity(self.needles.len() * self.stride);
        for (needle, bytes) in (0..).zip(&self.needles) {
            let slots: Vec<usize> = (0..=bytes.len().min(MAX_CHOICE) - self.width)
                .map(|offset| self.slot(padded(&bytes[offset..])))
                .collect();
            let rows = slots.windows(self.stride).enumerate();
            let cost = |row: &[usize]| row.iter().map(|&slot| u64::from(counts[slot])).sum::<u64>();
            let Some((base, row)) = rows.min_by_key(|(_, row)| cost(row)) else { continue };
            for (offset, &slot) in (base as u32..).zip(row) {
                entries.push((slot, Entry { needle, offset }));
            }
        }
        entries.sort_by_key(|&(slot, _)| slot);
        let mut starts = vec![0u32; SLOTS + 1];
        for &(slot, _) in &entries {
            self.table[slot] = 1;
            starts[slot + 1] += 1;
        }
        for slot in 0..SLOTS {
            starts[slot + 1] += starts[slot];
        }
        self.starts = starts.into();
        self.entries = entries.into_iter().map(|(_, entry)| entry).collect();
    }

    /// Bytes between two places that are read.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    #[inline(always)]
    fn slot(&self, bytes: [u8; 4]) -> usize {
        slot(bytes, self.case_bits, self.mask)
    }

    /// An occurrence that begins at or after `from`; none ends in an earlier line.
    pub(crate) fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        match self.stride {
            1 => self.find_by::<1>(text, from),
            2 => self.find_by::<2>(text, from),
            3 => self.find_by::<3>(text, from),
            4 => self.find_by::<4>(text, from),
            5 => self.find_by::<5>(text, from),
            _ => self.find_by::<MAX_STRIDE>(text, from),
        }
    }

    fn find_by<const STRIDE: usize>(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let (table, case_bits, mask) = (&*self.table, self.case_bits, self.mask);
        let mut at = from;
        while let Some(group) = text.get(at..at + (GROUP - 1) * STRIDE + 4) {
            let mut any = 0;
            for k in 0..GROUP {
                let bytes = &group[k * STRIDE..k * STRIDE + 4];
                let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
                any |= table[slot(bytes, case_bits, mask)];
            }
            if any != 0 {
                let places = (at..at + GROUP * STRIDE).step_by(STRIDE);
                if let Some(found) = self.first_at(places, text, from) {
                    return Some(found);
                }
            }
            at += GROUP * STRIDE;
        }
        let end = (text.len() + 1).saturating_sub(self.width);
        self.first_at((at..end).step_by(STRIDE), text, from)
    }

    /// The first occurrence that reaches over one of these places.
    fn first_at(
        &self,
        places: impl Iterator<Item = usize>,
        text: &[u8],
        from: usize,
    ) -> Option<Range<usize>> {
        for place in places {
            let slot = self.slot(padded(&text[place..]));
            if self.table[slot] == 0 {
                continue;
            }
            let range = self.starts[slot] as usize..self.starts[slot + 1] as usize;
            for entry in &self.entries[range] {
                let needle = &self.needles[entry.needle as usize];
                let Some(start) = place.checked_sub(entry.offset as usize) else { continue };
                let Some(there) = text.get(start..start + needle.len()) else { continue };
                let same =
                    if self.fold { there.eq_ignore_ascii_case(needle) } else { there == needle };
                if same && start >= from {
                    return Some(start..start + needle.len());
                }
            }
        }
        None
    }
}

#[inline(always)]
fn slot(bytes: [u8; 4], case_bits: u32, mask: u32) -> usize {
    let key = (u32::from_le_bytes(bytes) | case_bits) & mask;
    (key.wrapping_mul(SPREAD) >> 16) as usize
}

/// The first four bytes; what is missing is zero and does not count.
#[inline(always)]
fn padded(bytes: &[u8]) -> [u8; 4] {
    if let Some(whole) = bytes.first_chunk::<4>() {
        return *whole;
    }
    let mut padded = [0; 4];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}

#[cfg(test)]
mod tests {
    use super::Grams;
    use crate::testing::Numbers;

    #[test]
    fn finds_the_first_line_with_any_of_the_literals() {
        let mut numbers = Numbers::new(11);
        for round in 0..500 {
            let fold = round % 2 == 0;
            let alphabet: &[u8] = if round % 3 == 0 { b"aAbB@`\n" } else { b"abcdeABC\n" };
            let length = numbers.below(300);
            let text = numbers.bytes(length, alphabet);
            let letters: Vec<u8> = alphabet.iter().copied().filter(|&b| b != b'\n').collect();
            let shortest = 3 + numbers.below(8);
            let needles: Vec<Vec<u8>> = (0..1 + numbers.below(6))
                .map(|_| {
                    let length = shortest + numbers.below(5);
                    let needle = numbers.bytes(length, &letters);
                    if fold { needle.to_ascii_lowercase() } else { needle }
                })
                .collect();
            let sample = &text[..numbers.below(text.len() + 1)];
            let grams = Grams::new(&needles, fold, sample);
            let from = numbers.below(text.len() + 1);
            let is_at = |at: usize, needle: &Vec<u8>| {
                let there = text.get(at..at + needle.len());
                there.is_some_and(|there| {
                    if fold { there.eq_ignore_ascii_case(needle) } else { there == needle }
                })
            };
            let first = (from..text.len()).find(|&at| needles.iter().any(|n| is_at(at, n)));
            let found = grams.find(&text, from);
            let line = |at: usize| text[..at].iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(found.clone().map(|found| line(found.start)), first.map(line));
            if let Some(found) = found {
                let same =
                    |needle: &Vec<u8>| is_at(found.start, needle) && needle.len() == found.len();
                assert!(found.start >= from && needles.iter().any(same));
            }
        }
    }
}
