//! Numbered lines, and the check that each of them arrives once and in order. Pure; reads and
//! writes no files.

/// Bytes of every line, its end included.
pub(crate) const LINE: usize = 100;
const DIGITS: usize = 12;
const FILLER: &[u8; LINE - DIGITS] =
    b" INFO - User monitor performed backup action (duration: 1234ms, status: success) 012345\n";

/// The lines from number 0 on, one at a time.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    number: u64,
    text: [u8; LINE],
}

impl Lines {
    /// Stands at line 0.
    pub(crate) fn new() -> Self {
        let mut text = [b'0'; LINE];
        text[DIGITS..].copy_from_slice(FILLER);
        Self { number: 0, text }
    }

    /// Goes to the next line.
    fn advance(&mut self) {
        self.number += 1;
        for digit in self.text[..DIGITS].iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
    }

    /// Goes to the line `number`.
    fn seek(&mut self, number: u64) {
        self.number = number;
        let digits = format!("{number:0DIGITS$}");
        self.text[..DIGITS].copy_from_slice(&digits.as_bytes()[..DIGITS]);
    }

    /// Appends `count` lines to `block`.
    pub(crate) fn append(&mut self, count: usize, block: &mut Vec<u8>) {
        for _ in 0..count {
            block.extend_from_slice(&self.text);
            self.advance();
        }
    }
}

/// What is wrong with lines that were read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Numbers that were left out when a later one came.
    pub(crate) lost: u64,
    /// Lines that came again, or after a later one.
    pub(crate) again: u64,
    /// Lines that nobody wrote.
    pub(crate) torn: u64,
}

/// Reads lines in pieces of any size.
pub(crate) struct Checker {
    expected: Lines,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    faults: Faults,
    lines: u64,
}

impl Checker {
    /// Expects line 0.
    pub(crate) fn new() -> Self {
        let (faults, lines) = (Faults::default(), 0);
        Self { expected: Lines::new(), partial: Vec::new(), faults, lines }
    }

    /// Takes the next bytes.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        if !self.partial.is_empty() {
            let Some(rest) = self.complete(bytes) else { return };
            bytes = rest;
        }
        loop {
            // The usual case compares and parses nothing.
            if let Some(rest) = bytes.strip_prefix(&self.expected.text) {
                self.expected.advance();
                self.lines += 1;
                bytes = rest;
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { break };
            let (line, rest) = bytes.split_at(end + 1);
            self.line(line);
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
    }

    /// Ends the line that has begun; nothing when its end has not come yet.
    fn complete<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.partial.extend_from_slice(bytes);
            return None;
        };
        let (head, rest) = bytes.split_at(end + 1);
        let mut line = std::mem::take(&mut self.partial);
        line.extend_from_slice(head);
        self.line(&line);
        line.clear();
        self.partial = line;
        Some(rest)
    }

    fn line(&mut self, line: &[u8]) {
        self.lines += 1;
        let Some(number) = number(line) else {
            self.faults.torn += 1;
            return;
        };
        if number < self.expected.number {
            self.faults.again += 1;
            return;
        }
        self.faults.lost += number - self.expected.number;
        self.expected.seek(number);
        self.expected.advance();
    }

    /// Lines so far, right or wrong.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// What is wrong when `written` lines should have come by now.
    pub(crate) fn faults(&self, written: u64) -> Faults {
        let mut faults = self.faults;
        faults.lost += written.saturating_sub(self.expected.number);
        faults.torn += u64::from(!self.partial.is_empty());
        faults
    }
}

fn number(line: &[u8]) -> Option<u64> {
    let (digits, filler) = line.split_at_checked(DIGITS)?;
    if filler != FILLER || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(count: usize) -> Vec<Vec<u8>> {
        let mut block = Vec::new();
        Lines::new().append(count, &mut block);
        block.chunks(LINE).map(<[u8]>::to_vec).collect()
    }

    #[track_caller]
    fn check(lines: &[Vec<u8>], expected: Faults) {
        let bytes = lines.concat();
        for piece in [1, 7, LINE, LINE + 1, 1 << 20] {
            let mut checker = Checker::new();
            bytes.chunks(piece).for_each(|piece| checker.take(piece));
            assert_eq!(checker.faults(20), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn lines_have_their_number_and_one_length() {
        let lines = written(1001);
        assert!(lines.iter().all(|line| line.len() == LINE && line.ends_with(b"\n")));
        assert!(lines[1000].starts_with(b"000000001000 INFO"));
        assert_eq!(number(&lines[1000]), Some(1000));
    }

    #[test]
    fn what_is_lost_doubled_swapped_or_torn_is_counted() {
        let right = written(20);
        check(&right, Faults::default());
        let mut lines = right.clone();
        lines.drain(3..5);
        check(&lines, Faults { lost: 2, ..Faults::default() });
        let mut lines = right.clone();
        lines.insert(9, right[8].clone());
        check(&lines, Faults { again: 1, ..Faults::default() });
        let mut lines = right.clone();
        lines.swap(6, 7);
        check(&lines, Faults { lost: 1, again: 1, torn: 0 });
        let mut lines = right.clone();
        lines[5].truncate(40);
        lines[5].push(b'\n');
        check(&lines, Faults { lost: 1, torn: 1, again: 0 });
        check(&right[..17], Faults { lost: 3, ..Faults::default() });
        let mut lines = right;
        lines[19].pop();
        check(&lines, Faults { lost: 1, torn: 1, again: 0 });
    }
}
