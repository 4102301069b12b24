//! Line numbers as text, counted up without formatting each. Never negative.

const DIGITS: usize = 20;

/// A number in decimal digits.
#[derive(Debug, Clone)]
pub(crate) struct Decimal {
    digits: [u8; DIGITS],
    start: usize,
}

impl Decimal {
    pub(crate) fn new(mut number: u64) -> Decimal {
        let mut decimal = Decimal { digits: [b'0'; DIGITS], start: DIGITS };
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

    /// The next number. After the largest of 20 digits comes 0.
    pub(crate) fn increment(&mut self) {
        for at in (0..DIGITS).rev() {
            if self.digits[at] == b'9' {
                self.digits[at] = b'0';
                continue;
            }
            self.digits[at] += 1;
            self.start = self.start.min(at);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn counting_up_is_the_same_as_formatting() {
        for start in [0, 8, 98, 995, 1_099_998, u64::MAX - 3] {
            let mut decimal = Decimal::new(start);
            for number in start..=start.saturating_add(3) {
                assert_eq!(decimal.as_bytes(), number.to_string().as_bytes());
                decimal.increment();
            }
        }
    }
}
