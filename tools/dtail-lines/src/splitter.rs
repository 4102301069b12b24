//! Cuts a sequence of bytes into blocks of whole lines and over-long lines into pieces. Never
//! reads anything itself.

use memchr::{memchr, memrchr};

/// A block of whole lines, each with its newline. Made to be used again and again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// The lines. Take them away when you want to keep them.
    pub bytes: Vec<u8>,
    /// Where over-long lines begin that were cut into pieces, each piece a line of its own.
    pub long_lines: Vec<usize>,
}

/// Holds back what is not yet a whole line.
#[derive(Debug)]
pub(crate) struct Splitter {
    held: Vec<u8>,
    max_line_length: usize,
    /// `held` goes on with a line whose first piece is already delivered.
    within_long_line: bool,
}

impl Splitter {
    /// A splitter for lines of up to `max_line_length` bytes, newline not counted.
    pub(crate) fn new(max_line_length: usize) -> Splitter {
        let max_line_length = max_line_length.max(1);
        Splitter { held: Vec::new(), max_line_length, within_long_line: false }
    }

    /// Begins a block with what was held back; new bytes are to be appended to it.
    pub(crate) fn begin(&mut self, block: &mut Block) {
        block.long_lines.clear();
        block.bytes.clear();
        block.bytes.append(&mut self.held);
    }

    /// Gives back the room that a long line took which is no longer held back.
    pub(crate) fn give_back(&mut self) {
        self.held.shrink_to_fit();
    }

    /// Whether a block without any newline is long enough to be cut.
    pub(crate) fn is_over_long(&self, block: &Block) -> bool {
        block.bytes.len() > self.max_line_length
    }

    /// Ends a block after a whole line and holds back the rest. At the `last` block of the
    /// sequence nothing is held back and a missing newline is added.
    pub(crate) fn end(&mut self, block: &mut Block, last: bool) {
        if last && block.bytes.last().is_some_and(|&byte| byte != b'\n') {
            block.bytes.push(b'\n');
        }
        if let Some(start) = first_long_line(&block.bytes, self.max_line_length) {
            return self.cut(block, start);
        }
        let whole = memrchr(b'\n', &block.bytes).map_or(0, |newline| newline + 1);
        self.held.extend_from_slice(&block.bytes[whole..]);
        block.bytes.truncate(whole);
        self.within_long_line &= whole == 0;
    }

    /// Ends the sequence outside a block: what is held back becomes a line.
    pub(crate) fn finish(&mut self, block: &mut Block) {
        self.begin(block);
        self.end(block, true);
    }

    /// Cuts the over-long lines of a block, of which the first begins at `start`.
    fn cut(&mut self, block: &mut Block, start: usize) {
        let bytes = std::mem::take(&mut block.bytes);
        let pieces = bytes.len() / self.max_line_length + 1;
        block.bytes.reserve(bytes.len() + pieces);
        block.bytes.extend_from_slice(&bytes[..start]);
        self.within_long_line &= start == 0;
        let mut rest = &bytes[start..];
        while !rest.is_empty() {
            let newline = memchr(b'\n', rest);
            let mut content = &rest[..newline.unwrap_or(rest.len())];
            if content.len() > self.max_line_length && !self.within_long_line {
                block.long_lines.push(block.bytes.len());
                self.within_long_line = true;
            }
            while content.len() > self.max_line_length {
                let (piece, after) = content.split_at(self.max_line_length);
                block.bytes.extend_from_slice(piece);
                block.bytes.push(b'\n');
                content = after;
            }
            let Some(newline) = newline else {
                return self.held.extend_from_slice(content);
            };
            block.bytes.extend_from_slice(content);
            block.bytes.push(b'\n');
            self.within_long_line = false;
            rest = &rest[newline + 1..];
        }
    }
}

/// Where the first line begins that is longer than allowed. Hops from newline to newline in strides
/// of the allowed length, looking at few bytes.
pub(crate) fn first_long_line(bytes: &[u8], max_line_length: usize) -> Option<usize> {
    let mut start = 0;
    while bytes.len() - start > max_line_length {
        match memrchr(b'\n', &bytes[start..=start + max_line_length]) {
            Some(newline) => start += newline + 1,
            None => return Some(start),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{Block, Splitter};

    /// Splits `input` given in chunks of `chunk` bytes; long lines are marked by `!`.
    fn split(input: &[u8], max_line_length: usize, chunk: usize) -> String {
        let mut splitter = Splitter::new(max_line_length);
        let mut block = Block::default();
        let mut shown = Vec::new();
        let mut take = |block: &Block| {
            let mut marks = block.long_lines.iter().peekable();
            for (offset, &byte) in block.bytes.iter().enumerate() {
                shown.extend(marks.next_if_eq(&&offset).map(|_| b'!'));
                shown.push(byte);
            }
            assert!(block.bytes.last().is_none_or(|&byte| byte == b'\n'));
        };
        for chunk in input.chunks(chunk) {
            splitter.begin(&mut block);
            block.bytes.extend_from_slice(chunk);
            splitter.end(&mut block, false);
            take(&block);
        }
        splitter.finish(&mut block);
        take(&block);
        shown.escape_ascii().to_string()
    }

    #[track_caller]
    fn check(input: &[u8], expected: &Expect) {
        let whole = split(input, 4, usize::MAX);
        for chunk in 1..=input.len() {
            assert_eq!(split(input, 4, chunk), whole, "in chunks of {chunk}");
        }
        expected.assert_eq(&whole);
    }

    #[test]
    fn lines_pass_unchanged() {
        check(b"ab\n\n\r\ncd\xff\0\n", &expect![[r"ab\n\n\r\ncd\xff\x00\n"]]);
        check(b"", &expect![""]);
    }

    #[test]
    fn a_missing_newline_is_added() {
        check(b"ab\ncd", &expect![[r"ab\ncd\n"]]);
    }

    #[test]
    fn long_lines_are_cut_and_told_once() {
        check(b"abcd\n", &expect![[r"abcd\n"]]);
        check(b"abcde\n", &expect![[r"!abcd\ne\n"]]);
        check(b"abcdefgh\n", &expect![[r"!abcd\nefgh\n"]]);
        check(b"x\nabcdefghi\ny\nabcdefg", &expect![[r"x\n!abcd\nefgh\ni\ny\n!abcd\nefg\n"]]);
        check(b"abcdefgh", &expect![[r"!abcd\nefgh\n"]]);
        check(b"abcdefgh\nabcdef\nabcd\n", &expect![[r"!abcd\nefgh\n!abcd\nef\nabcd\n"]]);
    }

    #[test]
    fn memory_is_bounded_by_the_longest_allowed_line() {
        let mut splitter = Splitter::new(1000);
        let mut block = Block::default();
        for _ in 0..1000 {
            splitter.begin(&mut block);
            block.bytes.extend_from_slice(&[b'x'; 300]);
            splitter.end(&mut block, false);
            assert!(splitter.held.len() <= 1000);
        }
    }
}
