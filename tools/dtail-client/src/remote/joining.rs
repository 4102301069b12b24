//! Makes blocks end with a line, where a host may cut them anywhere. Never looks at numbers.

use std::mem;
use std::sync::Arc;

use dtail_protocol::{LineBlock, LineNumbers};

/// The longest line kept together, in bytes.
const LONGEST: u64 = 1 << 20;

/// Keeps the beginning of a line until its end comes.
#[derive(Debug)]
pub(crate) struct Joining {
    rest: Vec<u8>,
    source: Option<Arc<str>>,
    longest: usize,
}

impl Joining {
    /// `memory`: what one host may take; longer lines are passed on in pieces.
    pub(crate) fn new(memory: u64) -> Joining {
        Joining { rest: Vec::new(), source: None, longest: memory.min(LONGEST) as usize }
    }

    /// What can be passed on now.
    pub(crate) fn add(&mut self, mut block: LineBlock) -> Option<LineBlock> {
        let whole = block.bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let tail = block.bytes.split_off(whole);
        self.source = Some(Arc::clone(&block.source));
        if whole > 0 {
            // The rest is the beginning of the first line.
            self.rest.append(&mut block.bytes);
            mem::swap(&mut self.rest, &mut block.bytes);
        }
        self.rest.extend_from_slice(&tail);
        if self.rest.len() > self.longest {
            block.bytes.append(&mut self.rest);
        }
        (!block.bytes.is_empty()).then_some(block)
    }

    /// What never got its end; it gets one now.
    pub(crate) fn take_rest(&mut self) -> Option<LineBlock> {
        let mut bytes = mem::take(&mut self.rest);
        let source = self.source.take().filter(|_| !bytes.is_empty())?;
        bytes.push(b'\n');
        Some(LineBlock { source, bytes, numbers: LineNumbers::Unnumbered, offsets: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use dtail_protocol::{LineBlock, LineNumbers};
    use expect_test::{Expect, expect};

    use super::Joining;

    /// Shows what each block lets out, and the rest.
    #[track_caller]
    fn check(memory: u64, blocks: &[&str], expected: &Expect) {
        let mut joining = Joining::new(memory);
        let block = |text: &&str| LineBlock {
            source: "f".into(),
            bytes: text.as_bytes().to_vec(),
            numbers: LineNumbers::Unnumbered,
            offsets: Vec::new(),
        };
        let show = |block: Option<LineBlock>| {
            block.map_or("-".to_owned(), |it| String::from_utf8(it.bytes).unwrap())
        };
        let mut shown: Vec<String> =
            blocks.iter().map(|text| show(joining.add(block(text)))).collect();
        shown.push(show(joining.take_rest()));
        expected.assert_eq(&format!("{shown:?}"));
    }

    #[test]
    fn blocks_end_with_a_line() {
        check(100, &["a\nb\n", "c\n"], &expect![[r#"["a\nb\n", "c\n", "-"]"#]]);
        check(
            100,
            &["a\nb", "c", "d\ne", "\n"],
            &expect![[r#"["a\n", "-", "bcd\n", "e\n", "-"]"#]],
        );
    }

    #[test]
    fn a_line_without_end_gets_one() {
        check(100, &["a\nb"], &expect![[r#"["a\n", "b\n"]"#]]);
    }

    #[test]
    fn a_long_line_is_passed_on_in_pieces() {
        check(3, &["ab", "cd", "e\n"], &expect![[r#"["-", "abcd", "e\n", "-"]"#]]);
        check(3, &["a\nbcdef", "g\n"], &expect![[r#"["a\nbcdef", "g\n", "-"]"#]]);
    }
}
