//! Line numbers as text, counted up without formatting each; alone, or within a text that is written
//! again and again. Never negative.

use std::ops::Range;

const DIGITS: usize = 20;

/// A number in decimal digits.
#[derive(Debug, Clone)]
pub(crate) struct Decimal {
    digits: [u8; DIGITS],
    start: usize,
}

impl Decimal {
    pub(crate) fn new(mut number: u64) -> Decimal {
        let mut decimal = Decimal { digits: [b' '; DIGITS], start: DIGITS };
        loop {
            decimal.start -= 1;
            decimal.digits[decimal.start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return decimal;
            }
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }

    /// With blanks in front up to `width`, which is at most 20.
    pub(crate) fn padded(&self, width: usize) -> &[u8] {
        &self.digits[self.start.min(DIGITS - width)..]
    }

    /// The next number. After the largest of 20 digits comes 0.
    pub(crate) fn increment(&mut self) {
        for at in (0..DIGITS).rev() {
            if self.digits[at] == b'9' {
                self.digits[at] = b'0';
                continue;
            }
            self.digits[at] = if self.digits[at] == b' ' { b'1' } else { self.digits[at] + 1 };
            self.start = self.start.min(at);
            return;
        }
    }
}

/// A text with a number in it, which changes from line to line while the rest stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbered {
    text: Vec<u8>,
    digits: Range<usize>,
}

impl Numbered {
    /// Without a number for now.
    pub(crate) fn new(before: &str, after: &str) -> Numbered {
        let text = [before, after].concat().into_bytes();
        Numbered { text, digits: before.len()..before.len() }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    pub(crate) fn set(&mut self, number: u64) {
        let number = Decimal::new(number);
        let digits = number.as_bytes();
        if digits.len() == self.digits.len() {
            self.text[self.digits.clone()].copy_from_slice(digits);
            return;
        }
        self.text.splice(self.digits.clone(), digits.iter().copied());
        self.digits.end = self.digits.start + digits.len();
    }

    /// The next number, if there is one.
    pub(crate) fn increment(&mut self) {
        for digit in self.text[self.digits.clone()].iter_mut().rev() {
            if *digit != b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        if !self.digits.is_empty() {
            self.text.insert(self.digits.start, b'1');
            self.digits.end += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Decimal, Numbered};

    #[test]
    fn counting_up_is_the_same_as_formatting() {
        for start in [0, 8, 98, 995, 1_099_998, u64::MAX - 3] {
            let mut decimal = Decimal::new(start);
            let mut numbered = Numbered::new("<", ">");
            numbered.set(start);
            for number in start..=start.saturating_add(3) {
                assert_eq!(decimal.as_bytes(), number.to_string().as_bytes());
                assert_eq!(decimal.padded(6), format!("{number:>6}").as_bytes());
                assert_eq!(numbered.as_bytes(), format!("<{number}>").as_bytes());
                decimal.increment();
                numbered.increment();
            }
        }
    }

    #[test]
    fn a_number_is_put_into_its_place() {
        let mut numbered = Numbered::new("<", ">");
        numbered.increment();
        assert_eq!(numbered.as_bytes(), b"<>");
        for number in [7, 12, 99, 3, 1_000_000] {
            numbered.set(number);
            assert_eq!(numbered.as_bytes(), format!("<{number}>").as_bytes());
        }
    }
}
