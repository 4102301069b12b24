//! The searcher against a reference that looks at one line after the other.

use std::collections::VecDeque;

use super::{Searcher, Selected, Wanted, lines};
use crate::pattern::Pattern;
use crate::progress::Progress;
use crate::testing::Numbers;
use crate::wish::Wish;

/// What DTail's description says, one line at a time. `matches` is the pattern by hand.
fn reference(input: &[u8], wanted: Wanted, matches: impl Fn(&[u8]) -> bool) -> Selected {
    let mut out = Selected::default();
    let mut earlier: VecDeque<(u64, &[u8])> = VecDeque::new();
    let mut owed = 0;
    let mut selected = 0;
    let mut print = |number: u64, line: &[u8]| {
        out.bytes.extend_from_slice(line);
        if wanted.numbers {
            out.numbers.push(number);
        }
    };
    for (line, number) in input.split_inclusive(|&byte| byte == b'\n').zip(1..) {
        let full = wanted.max > 0 && selected == wanted.max;
        if matches(line.strip_suffix(b"\n").unwrap_or(line)) {
            if full {
                break;
            }
            earlier.drain(..).for_each(|(number, line)| print(number, line));
            print(number, line);
            selected += 1;
            owed = wanted.after;
        } else if owed > 0 {
            print(number, line);
            owed -= 1;
        } else if !full {
            earlier.push_back((number, line));
            if earlier.len() > wanted.before {
                earlier.pop_front();
            }
        }
    }
    out
}

/// Searches blocks of about `block_size` bytes, cut behind newlines.
fn search_in_blocks(searcher: &Searcher, input: &[u8], block_size: usize) -> Selected {
    let mut out = Selected::default();
    let mut progress = Progress::default();
    let mut start = 0;
    while start < input.len() {
        let least = (start + block_size - 1).min(input.len() - 1);
        let end = input[least..].iter().position(|&byte| byte == b'\n');
        let end = end.map_or(input.len(), |newline| least + newline + 1);
        searcher.search(&mut progress, &input[start..end], &mut out);
        start = end;
    }
    out
}

/// Text of a few lines out of few bytes, so that matches and empty lines are frequent.
fn text(numbers: &mut Numbers) -> Vec<u8> {
    let length = numbers.below(60);
    numbers.bytes(length, b"ab\n\nx\xff")
}

#[track_caller]
fn check_all_options(pattern: &str, rounds: usize, matches: impl Fn(&[u8]) -> bool) {
    let mut numbers = Numbers::new(1);
    let compiled = [false, true].map(|invert| {
        Pattern::new(&Wish { invert, ..Wish::of(&[pattern.to_owned()]) })
            .expect("the pattern is good")
    });
    for _ in 0..rounds {
        let input = text(&mut numbers);
        let wanted = Wanted {
            before: numbers.below(4),
            after: numbers.below(4),
            max: numbers.below(4) as u64,
            numbers: numbers.below(2) == 0,
            ..Wanted::default()
        };
        let invert = numbers.below(2) == 0;
        let expected = reference(&input, wanted, |line| matches(line) != invert);
        let searcher = Searcher::new(compiled[usize::from(invert)].clone(), wanted);
        for block_size in 1..=input.len() + 1 {
            let found = search_in_blocks(&searcher, &input, block_size);
            let case = format!(
                "{pattern:?} invert={invert} {wanted:?} blocks of {block_size} in \"{}\"",
                input.escape_ascii()
            );
            assert_eq!(found, expected, "{case}");
        }
    }
}

#[test]
fn a_literal_agrees_with_the_reference() {
    check_all_options("a", 300, |line| line.contains(&b'a'));
    check_all_options("ab", 300, |line| line.windows(2).any(|pair| pair == b"ab"));
}

#[test]
fn an_expression_agrees_with_the_reference() {
    check_all_options("^[ab]", 300, |line| line.first().is_some_and(|byte| b"ab".contains(byte)));
    check_all_options("b$", 300, |line| line.last() == Some(&b'b'));
    check_all_options("^$", 600, <[u8]>::is_empty);
    check_all_options("a.", 300, |line| line.iter().rev().skip(1).any(|&byte| byte == b'a'));
    check_all_options("a[^x]*x", 300, |line| {
        let first = line.iter().position(|&byte| byte == b'a');
        first.is_some_and(|at| line[at..].contains(&b'x'))
    });
}

#[test]
fn everything_agrees_with_the_reference() {
    check_all_options(".", 300, |_| true);
}

#[test]
fn progress_counts_lines_and_selections() {
    let wanted = Wanted { max: 2, numbers: true, ..Wanted::default() };
    let searcher = Searcher::new(Pattern::literal(b"a"), wanted);
    let mut progress = Progress::default();
    let mut out = Selected::default();
    searcher.search(&mut progress, b"a\nb\n", &mut out);
    assert_eq!((progress.selected(), progress.lines(), progress.is_done()), (1, 2, false));
    searcher.search(&mut progress, b"c\na\na\n", &mut out);
    assert_eq!((progress.selected(), progress.lines(), progress.is_done()), (2, 5, true));
    assert_eq!(out.numbers, [1, 4]);
}

#[test]
fn leading_context_is_bounded_and_its_loss_is_noted() {
    let search = |context_bytes, before| {
        let wanted = Wanted { before, numbers: true, context_bytes, ..Wanted::default() };
        let searcher = Searcher::new(Pattern::literal(b"hit"), wanted);
        let mut progress = Progress::default();
        let mut out = Selected::default();
        for block in [&b"one\ntwo\n"[..], b"three\n", b"four\n", b"hit\n", b"x\nhit\n"] {
            searcher.search(&mut progress, block, &mut out);
            assert!(context_bytes == 0 || progress.carried.len() <= context_bytes);
        }
        (String::from_utf8_lossy(&out.bytes).into_owned(), out.numbers, progress.lost_context())
    };
    let whole = "one\ntwo\nthree\nfour\nhit\nx\nhit\n".to_owned();
    assert_eq!(search(0, 9), (whole.clone(), (1..=7).collect(), false));
    assert_eq!(search(19, 9), (whole[0..].to_owned(), (1..=7).collect(), false));
    assert_eq!(search(18, 9), (whole[4..].to_owned(), (2..=7).collect(), true));
    assert_eq!(search(11, 9), (whole[8..].to_owned(), (3..=7).collect(), true));
    assert_eq!(search(11, 2), (whole[8..].to_owned(), (3..=7).collect(), false));
    assert_eq!(search(4, 9), (whole[19..].to_owned(), (5..=7).collect(), true));
}

#[test]
fn lines_come_without_newlines() {
    let show = |block: &'static [u8]| lines(block).collect::<Vec<_>>();
    assert_eq!(show(b"a\n\nb\n"), [&b"a"[..], b"", b"b"]);
    assert_eq!(show(b"a\r\nb"), [&b"a\r"[..], b"b"]);
    assert!(show(b"").is_empty());
}

#[test]
fn a_whole_block_counts_its_lines() {
    let searcher = Searcher::new(Pattern::literal(b""), Wanted::default());
    assert!(searcher.selects_everything());
    let mut progress = Progress::default();
    assert_eq!(searcher.pass_whole(&mut progress, b"a\nb\n"), 1);
    assert_eq!(searcher.pass_whole(&mut progress, b"c\n"), 3);
    assert_eq!((progress.selected(), progress.lines()), (3, 3));
}
