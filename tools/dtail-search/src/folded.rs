//! Finds one literal of which ASCII letters may be in either case. Never decides what a case is
//! beyond ASCII.
//!
//! Two bytes of the literal are compared at many places at once, in loops over arrays that the
//! compiler turns into vector instructions; where both agree, the whole literal is.

use std::ops::Range;

/// Places that are tried at once.
const WIDTH: usize = 64;

/// The two bytes are chosen among so many first bytes of the literal.
const MAX_CHOICE: usize = 24;

/// As much of a sample is looked at.
const MAX_SAMPLE: usize = 8 << 10;

/// One literal, ready to be found.
#[derive(Debug, Clone)]
pub(crate) struct Folded {
    /// In lower case.
    needle: Vec<u8>,
    /// Offsets of the two bytes; the same for a literal of one byte.
    offsets: [usize; 2],
    bytes: [u8; 2],
    /// The bit that tells upper from lower case, for letters.
    case_bits: [u8; 2],
}

impl Folded {
    /// Takes a literal in lower case, which is not empty, and chooses its two bytes such that they
    /// are rarely together in the sample.
    pub(crate) fn new(needle: &[u8], sample: &[u8]) -> Folded {
        let sample = &sample[..sample.len().min(MAX_SAMPLE)];
        let mut counts = [1u32; 256];
        for byte in sample {
            counts[usize::from(byte.to_ascii_lowercase())] += 1;
        }
        let choice = needle.len().min(MAX_CHOICE);
        let count = |at: usize| u64::from(counts[usize::from(needle[at])]);
        let mut pairs: Vec<[usize; 2]> =
            (0..choice).flat_map(|i| (i + 1..choice).map(move |j| [i, j])).collect();
        pairs.sort_by_key(|&[i, j]| count(i) * count(j));
        pairs.truncate(4);
        let best = pairs.into_iter().map(|pair| Folded::with(needle, pair));
        let best = best.min_by_key(|folded| folded.agreements(sample));
        best.unwrap_or_else(|| Folded::with(needle, [0, 0]))
    }

    fn with(needle: &[u8], offsets: [usize; 2]) -> Folded {
        let bytes = offsets.map(|offset| needle[offset]);
        let case_bits = bytes.map(|byte| if byte.is_ascii_lowercase() { 0x20 } else { 0 });
        Folded { needle: needle.to_vec(), offsets, bytes, case_bits }
    }

    /// In how many places of a text both bytes agree.
    fn agreements(&self, text: &[u8]) -> usize {
        let last = text.len().saturating_sub(self.needle.len());
        (0..last).filter(|&at| self.may_begin(text, at)).count()
    }

    fn may_begin(&self, text: &[u8], at: usize) -> bool {
        let agrees = |k: usize| text[at + self.offsets[k]] | self.case_bits[k] == self.bytes[k];
        agrees(0) && agrees(1)
    }

    /// The first occurrence at or after `from`.
    pub(crate) fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let length = self.needle.len();
        let last = text.len().checked_sub(length)?;
        let mut at = from;
        while let Some((place, group)) = self.next_agreeing(text, &mut at, last) {
            if let Some(found) = self.first_in(text, place, &group) {
                return Some(found..found + length);
            }
        }
        (at..=last)
            .find(|&at| self.may_begin(text, at) && self.is_at(text, at))
            .map(|found| found..found + length)
    }

    /// The next places of which one or more agree; `at` goes behind them, or to the rest that is
    /// too short. A function of its own with a branch for all places at once: inlined into a caller
    /// where a profile has seen many hits, this loop took two and a half times the instructions.
    #[inline(never)]
    fn next_agreeing(
        &self,
        text: &[u8],
        at: &mut usize,
        last: usize,
    ) -> Option<(usize, [u64; WIDTH / 8])> {
        // A group reaches WIDTH bytes beyond its offset, which is within the literal.
        while *at + WIDTH <= last + 1 {
            let place = *at;
            let group = self.agreeing(text, place);
            *at += WIDTH;
            if group.iter().fold(0, |any, word| any | word) != 0 {
                return Some((place, group));
            }
        }
        None
    }

    /// One byte for each of the next places, in words, zero where the two bytes do not agree.
    #[inline]
    fn agreeing(&self, text: &[u8], at: usize) -> [u64; WIDTH / 8] {
        let [i, j] = self.offsets;
        let [x, y] = self.bytes;
        let [x_case, y_case] = self.case_bits;
        let left = &text[at + i..][..WIDTH];
        let right = &text[at + j..][..WIDTH];
        let mut agree = [0u8; WIDTH];
        for k in 0..WIDTH {
            agree[k] = u8::from((left[k] | x_case == x) & (right[k] | y_case == y));
        }
        let mut words = [0u64; WIDTH / 8];
        for (word, bytes) in words.iter_mut().zip(agree.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words
    }

    fn first_in(&self, text: &[u8], at: usize, group: &[u64; WIDTH / 8]) -> Option<usize> {
        for (k, mut word) in group.iter().copied().enumerate() {
            while word != 0 {
                let place = at + k * 8 + word.trailing_zeros() as usize / 8;
                if self.is_at(text, place) {
                    return Some(place);
                }
                word &= word - 1;
            }
        }
        None
    }

    fn is_at(&self, text: &[u8], at: usize) -> bool {
        text[at..at + self.needle.len()].eq_ignore_ascii_case(&self.needle)
    }
}

#[cfg(test)]
mod tests {
    use super::Folded;
    use crate::testing::Numbers;

    #[test]
    fn agrees_with_a_look_at_every_place() {
        let mut numbers = Numbers::new(7);
        for round in 0..3000 {
            let alphabet: &[u8] = if round % 2 == 0 { b"aAbB1" } else { b"aA@`{[kK\x80" };
            let length = numbers.below(400);
            let text = numbers.bytes(length, alphabet);
            let needle = numbers.bytes(1 + round % 5, alphabet).to_ascii_lowercase();
            let sample = &text[..numbers.below(text.len() + 1)];
            let folded = Folded::new(&needle, sample);
            let from = numbers.below(text.len() + 1);
            let expected = (from..(text.len() + 1).saturating_sub(needle.len()))
                .find(|&at| text[at..at + needle.len()].eq_ignore_ascii_case(&needle))
                .map(|at| at..at + needle.len());
            let case = format!("{} in {}", needle.escape_ascii(), text.escape_ascii());
            assert_eq!(folded.find(&text, from), expected, "{case} from {from}");
        }
    }
}
