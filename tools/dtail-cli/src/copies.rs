//! Copied bytes with line numbers in front, as `cat -n` prints them: through all files, and a line
//! that is cut between two blocks is one line. Never decides what is copied.

use std::io::{self, Write};

use crate::decimal::Decimal;
use crate::output::Output;

/// cat's.
const WIDTH: usize = 6;

/// Numbers lines.
#[derive(Debug)]
pub(crate) struct Copies {
    next: Decimal,
    is_within_line: bool,
}

impl Copies {
    pub(crate) fn new() -> Copies {
        Copies { next: Decimal::new(1), is_within_line: false }
    }

    pub(crate) fn write<W: Write>(
        &mut self,
        bytes: &[u8],
        output: &mut Output<W>,
    ) -> io::Result<()> {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            self.append(&bytes[start..=end], output.pending());
            output.pass_on()?;
            start = end + 1;
        }
        let rest = &bytes[start..];
        if !rest.is_empty() {
            self.append(rest, output.pending());
        }
        self.is_within_line = !rest.is_empty() || (self.is_within_line && bytes.is_empty());
        output.pass_on()
    }

    fn append(&mut self, line: &[u8], pending: &mut Vec<u8>) {
        if !std::mem::take(&mut self.is_within_line) {
            pending.extend_from_slice(self.next.padded(WIDTH));
            pending.push(b'\t');
            self.next.increment();
        }
        pending.extend_from_slice(line);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::Copies;
    use crate::output::Output;

    #[track_caller]
    fn check(blocks: &[&str], expected: &Expect) {
        let mut copies = Copies::new();
        let mut output = Output::new(Vec::new());
        for block in blocks {
            copies.write(block.as_bytes(), &mut output).unwrap();
        }
        expected.assert_eq(
            &String::from_utf8_lossy(output.pending()).replace('\t', "→").replace(' ', "·"),
        );
    }

    #[test]
    fn lines_are_numbered_however_they_are_cut() {
        check(
            &["a\nb", "", "c\n", "\n", "d", "\n", "e"],
            &expect![[r#"
                ·····1→a
                ·····2→bc
                ·····3→
                ·····4→d
                ·····5→e"#]],
        );
    }
}
