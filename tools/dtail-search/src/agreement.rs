//! The whole engine against a reference that looks at one line after the other and at every part
//! of a line if need be. Only for tests.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use regex::bytes::{Regex, RegexBuilder};

use crate::testing::Numbers;
use crate::{Hits, Parts, Pattern, Progress, Searcher, Selected, Wanted, Whole, Wish};

/// What is asked for, with a simple answer.
#[derive(Debug, Clone)]
struct Question {
    texts: Vec<String>,
    fixed: bool,
    ignore_case: bool,
    whole: Whole,
    invert: bool,
}

impl Question {
    fn wish(&self) -> Wish<'_> {
        let Question { ref texts, fixed, ignore_case, whole, invert } = *self;
        Wish { texts, fixed, ignore_case, whole, invert }
    }
}

struct Answers {
    /// The expressions as a part of a line has to match them.
    parts: Regex,
    /// The same anywhere in the line.
    anywhere: Regex,
    /// What is found in a line that is known to match.
    spans: Regex,
    /// Invalid bytes are seen as U+FFFD.
    lossy: bool,
    everything: bool,
    whole: Whole,
    word: Regex,
}

impl Answers {
    fn new(question: &Question) -> Answers {
        let Question { texts, fixed, ignore_case, whole, .. } = question;
        let each: Vec<String> = texts
            .iter()
            .map(|text| if *fixed { regex::escape(text) } else { text.clone() })
            .map(|text| format!("(?:{text})"))
            .collect();
        let any = if each.is_empty() { "[a&&b]".to_owned() } else { each.join("|") };
        let compile = |regex: String| {
            let mut builder = RegexBuilder::new(&regex);
            builder.case_insensitive(*ignore_case).build().expect("the reference is good")
        };
        let not_empty: Vec<String> = each.iter().filter(|text| *text != "(?:)").cloned().collect();
        let spans = match whole {
            Whole::Nothing if each.len() > not_empty.len() => not_empty.join("|"),
            Whole::Nothing => any.clone(),
            Whole::Words => format!(r"\b{{start-half}}(?:{any})\b{{end-half}}"),
            Whole::Line => format!("^(?:{any})$"),
        };
        let is_wild = |text: &String| text.contains('.') || text.contains("[^");
        let special = |text: &String| text.is_empty() || !fixed && matches!(&text[..], "." | ".*");
        Answers {
            parts: compile(format!(r"\A(?:{any})\z")),
            anywhere: compile(any),
            spans: compile(spans),
            lossy: !fixed && texts.iter().any(is_wild) || *whole == Whole::Words,
            everything: *whole == Whole::Nothing && texts.iter().any(special),
            whole: *whole,
            word: Regex::new(r"\A\w\z").expect("the reference is good"),
        }
    }

    /// The line as it is seen, and for each of its bytes where that is in the line.
    fn seen(&self, line: &[u8]) -> (Vec<u8>, Vec<usize>) {
        if !self.lossy || std::str::from_utf8(line).is_ok() {
            return (line.to_vec(), (0..=line.len()).collect());
        }
        let (mut text, mut places, mut at) = (Vec::new(), Vec::new(), 0);
        while at < line.len() {
            let end = (at + 1..=(at + 4).min(line.len()))
                .find(|&end| std::str::from_utf8(&line[at..end]).is_ok());
            let (bytes, end) = match end {
                Some(end) => (&line[at..end], end),
                None => ("\u{fffd}".as_bytes(), at + 1),
            };
            places.extend(bytes.iter().map(|_| at));
            text.extend_from_slice(bytes);
            at = end;
        }
        places.push(line.len());
        (text, places)
    }

    fn matches(&self, line: &[u8]) -> bool {
        let (text, _) = self.seen(line);
        match self.whole {
            _ if self.everything => true,
            Whole::Nothing => self.anywhere.is_match(&text),
            Whole::Line => self.parts.is_match(&text),
            Whole::Words => {
                let text = std::str::from_utf8(&text).expect("it is seen as text");
                let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
                let borders = || borders.iter().copied().chain([text.len()]);
                let in_word = |c: Option<char>| {
                    c.is_some_and(|c| self.word.is_match(c.to_string().as_bytes()))
                };
                borders().filter(|&start| !in_word(text[..start].chars().next_back())).any(
                    |start| {
                        borders()
                            .filter(|&end| end >= start && !in_word(text[end..].chars().next()))
                            .any(|end| self.parts.is_match(&text.as_bytes()[start..end]))
                    },
                )
            }
        }
    }

    fn spans(&self, line: &[u8]) -> Vec<Range<usize>> {
        let (text, places) = self.seen(line);
        let found = self.spans.find_iter(&text).filter(|found| !found.is_empty());
        found.map(|found| places[found.start()]..places[found.end()]).collect()
    }
}

/// What DTail's description says, one line at a time; also how many lines were selected.
fn reference(
    input: &[u8],
    wanted: Wanted,
    invert: bool,
    answers: &Answers,
    matches: &[bool],
) -> (Selected, u64) {
    let mut out = Selected::default();
    let mut earlier: VecDeque<(u64, u64, &[u8])> = VecDeque::new();
    let (mut owed, mut selected, mut offset) = (0, 0, 0);
    let lines_only = wanted.parts == Parts::Lines;
    let mut print = |number: u64, offset: u64, bytes: &[u8]| {
        out.bytes.extend_from_slice(bytes);
        out.numbers.extend(wanted.numbers.then_some(number));
        out.offsets.extend(wanted.offsets.then_some(offset));
    };
    let lines = input.split_inclusive(|&byte| byte == b'\n').zip(matches);
    for ((line, &matches), number) in lines.zip(1..) {
        let full = wanted.max > 0 && selected == wanted.max;
        if matches != invert {
            if full {
                break;
            }
            selected += 1;
            match wanted.parts {
                Parts::Lines => {
                    earlier.drain(..).for_each(|(number, at, line)| print(number, at, line));
                    print(number, offset, line);
                    owed = wanted.after;
                }
                Parts::Matches if !invert => {
                    let line = line.strip_suffix(b"\n").unwrap_or(line);
                    for span in answers.spans(line) {
                        print(number, offset, &[&line[span], b"\n"].concat());
                    }
                }
                _ => {}
            }
        } else if owed > 0 {
            print(number, offset, line);
            owed -= 1;
        } else if !full && lines_only {
            earlier.push_back((number, offset, line));
            if earlier.len() > wanted.before {
                earlier.pop_front();
            }
        }
        offset += line.len() as u64;
    }
    (out, selected)
}

/// Cuts the input behind newlines into blocks of about this size, or of any size for 0.
fn blocks(input: &[u8], size: usize, numbers: &mut Numbers) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut start = 0;
    while start < input.len() {
        let size = if size == 0 { 1 + numbers.below(input.len()) } else { size };
        let least = (start + size - 1).min(input.len() - 1);
        let end = input[least..].iter().position(|&byte| byte == b'\n');
        let end = end.map_or(input.len(), |newline| least + newline + 1);
        blocks.push(start..end);
        start = end;
    }
    blocks
}

/// Searches in one of the three ways there are.
fn search(
    searcher: &Searcher,
    input: &[u8],
    blocks: &[Range<usize>],
    way: usize,
) -> (Selected, u64) {
    let mut out = Selected::default();
    let mut progress = Progress::default();
    let (mut selected, mut lines) = (0, 0);
    let mut hits = Hits::default();
    for range in blocks {
        let block = &input[range.clone()];
        match way {
            0 => searcher.search(&mut progress, block, &mut out),
            1 => {
                searcher.find(block, &mut hits);
                searcher.search_found(&mut progress, block, &hits, &mut out);
            }
            _ => {
                let mut alone = Selected::default();
                let counts = searcher.search_alone(block, &mut alone);
                out.bytes.extend(alone.bytes);
                out.numbers.extend(alone.numbers.iter().map(|number| number + lines));
                let start = range.start as u64;
                out.offsets.extend(alone.offsets.iter().map(|offset| offset + start));
                selected += counts.selected;
                lines += counts.lines;
            }
        }
    }
    (out, selected + progress.selected())
}

fn wanted(numbers: &mut Numbers) -> Wanted {
    let independent = numbers.below(2) == 0;
    let mut small = |limit| if independent { 0 } else { numbers.below(limit) };
    let (before, after, max) = (small(4), small(4), small(6) as u64);
    Wanted {
        before,
        after,
        max,
        numbers: numbers.below(2) == 0,
        offsets: numbers.below(2) == 0,
        context_bytes: 0,
        parts: [Parts::Lines, Parts::Lines, Parts::Matches, Parts::Nothing][numbers.below(4)],
    }
}

/// Letters whose cases Unicode and ASCII see differently, borders of words, broken UTF-8.
const ATOMS: [&[u8]; 22] = [
    b"a",
    b"b",
    b"A",
    b"k",
    b"K",
    "\u{212a}".as_bytes(),
    b"s",
    b"S",
    "\u{17f}".as_bytes(),
    "\u{e9}".as_bytes(),
    "\u{c9}".as_bytes(),
    b"1",
    b"_",
    b"-",
    b" ",
    b"\0",
    b"\xff",
    b"\xe2\x84",
    b"\x84",
    b"\r",
    b"x",
    b"e",
];

fn line(numbers: &mut Numbers, planted: &[String], out: &mut Vec<u8>) {
    // Mostly ASCII, or everything would take the slow way.
    let kinds = if numbers.below(4) == 0 { ATOMS.len() } else { 5 };
    for _ in 0..numbers.below(9) {
        if numbers.below(12) == 0 && !planted.is_empty() {
            let text = &planted[numbers.below(planted.len())];
            out.extend(text.bytes().filter(|&byte| byte != b'\n'));
        } else {
            out.extend_from_slice(ATOMS[numbers.below(kinds)]);
        }
    }
    out.push(b'\n');
}

fn input(numbers: &mut Numbers, planted: &[String]) -> Vec<u8> {
    let count = if numbers.below(3) == 0 { 250 } else { 1 + numbers.below(30) };
    let mut out = Vec::new();
    (0..count).for_each(|_| line(numbers, planted, &mut out));
    if numbers.below(3) == 0 {
        out.pop();
    }
    out
}

const LETTERS: [&str; 14] =
    ["a", "b", "A", "k", "K", "s", "S", "\u{17f}", "\u{e9}", "1", "_", "-", " ", "x"];

fn literal(numbers: &mut Numbers, longest: usize) -> String {
    let kinds = if numbers.below(3) == 0 { LETTERS.len() } else { 7 };
    (0..=numbers.below(longest)).map(|_| LETTERS[numbers.below(kinds)]).collect()
}

/// An expression that means the same in both dialects.
fn expression(numbers: &mut Numbers, depth: usize) -> String {
    let mut text = String::new();
    for _ in 0..=numbers.below(4) {
        let part = match numbers.below(if depth == 0 { 5 } else { 7 }) {
            0 => ".".to_owned(),
            1 => (*numbers.pick(&["[ab]", "[^a]", "[kx]", "[1-9]", "[a-z]", "(?i:ks)", "[Aa]b"]))
                .to_owned(),
            2..5 => literal(numbers, 4),
            5 => format!("({})", expression(numbers, depth - 1)),
            _ => {
                let branches: Vec<String> =
                    (0..2 + numbers.below(2)).map(|_| expression(numbers, depth - 1)).collect();
                format!("(?:{})", branches.join("|"))
            }
        };
        let many = numbers.pick(&["", "", "", "", "*", "+", "?", "{2}", "{1,3}"]);
        text += &if many.is_empty() { part } else { format!("(?:{part}){many}") };
    }
    text
}

fn question(numbers: &mut Numbers) -> Question {
    let fixed = numbers.below(3) == 0;
    let whole = [Whole::Nothing, Whole::Nothing, Whole::Words, Whole::Line][numbers.below(4)];
    let count = [1, 1, 1, 2, 3, 9, 40][numbers.below(7)];
    let longest = 1 + numbers.below(9);
    let literals_only = fixed || numbers.below(3) == 0;
    let mut texts: Vec<String> = (0..count)
        .map(|_| match (literals_only, whole) {
            (true, _) => literal(numbers, longest),
            // A part of a line has other ends than the line, so the reference knows no anchors.
            (false, Whole::Words) => expression(numbers, 2),
            (false, _) => {
                let anchored = |anchor, here| if here { anchor } else { "" };
                let before = anchored("^", numbers.below(6) == 0);
                let after = anchored("$", numbers.below(6) == 0);
                format!("{before}(?:{}){after}", expression(numbers, 2))
            }
        })
        .collect();
    if numbers.below(40) == 0 {
        texts.push((*numbers.pick(&["", ".", ".*"])).to_owned());
    }
    if numbers.below(100) == 0 {
        texts.clear();
    }
    let ignore_case = numbers.below(3) == 0;
    Question { texts, fixed, ignore_case, whole, invert: numbers.below(4) == 0 }
}

#[track_caller]
fn check(question: &Question, numbers: &mut Numbers, input: &[u8]) -> usize {
    let answers = Answers::new(question);
    let pattern = Pattern::new(&question.wish()).expect("the pattern is good");
    let matches: Vec<bool> = crate::lines(input).map(|line| answers.matches(line)).collect();
    for (line, &expected) in crate::lines(input).zip(&matches).take(20) {
        let found = pattern.is_match(line) != question.invert;
        assert_eq!(found, expected, "{question:?} on {}", line.escape_ascii());
    }
    for _ in 0..6 {
        let wanted = wanted(numbers);
        let expected = reference(input, wanted, question.invert, &answers, &matches);
        let searcher = Searcher::new(pattern.clone(), wanted);
        for way in 0..if searcher.is_independent() { 3 } else { 2 } {
            let size = [0, 1, 7, 100, 5000, usize::MAX / 2][numbers.below(6)];
            let blocks = blocks(input, size, numbers);
            let found = search(&searcher, input, &blocks, way);
            let same = found == expected;
            assert!(same, "{question:?} {wanted:?} way {way}\n{}", difference(&found, &expected));
        }
    }
    matches.iter().filter(|&&matches| matches).count()
}

fn difference(found: &(Selected, u64), expected: &(Selected, u64)) -> String {
    let (found_bytes, expected_bytes) = (&found.0.bytes, &expected.0.bytes);
    let pairs = found_bytes.iter().zip(expected_bytes);
    let same = pairs.take_while(|(found, expected)| found == expected).count();
    let near = |bytes: &[u8]| bytes[same.saturating_sub(40)..].escape_ascii().to_string();
    let near = |bytes: &[u8]| near(&bytes[..bytes.len().min(same + 40)]);
    let (near_found, near_expected) = (near(found_bytes), near(expected_bytes));
    let ((found, count), (expected, expected_count)) = (found, expected);
    format!(
        "after {same} bytes, of {count} and {expected_count} lines\n\
         found    {near_found} {:?} {:?}\nexpected {near_expected} {:?} {:?}",
        found.numbers, found.offsets, expected.numbers, expected.offsets,
    )
}

/// More find more: ten thousand have been tried.
const ROUNDS: usize = 150;

#[test]
fn agrees_with_the_reference_whatever_is_asked() {
    let mut numbers = Numbers::new(2026);
    let (mut matched, mut unmatched) = (0, 0);
    for _ in 0..ROUNDS {
        let question = question(&mut numbers);
        let planted: Vec<String> = question.texts.iter().take(9).cloned().collect();
        let input = input(&mut numbers, &planted);
        let matches = check(&question, &mut numbers, &input);
        matched += matches;
        unmatched += crate::lines(&input).count() - matches;
    }
    // Otherwise the questions have become too easy.
    assert!(matched > 1_000 && unmatched > 1_000, "{matched} {unmatched}");
}

/// What a program selects of a file, or `None` when there is no such program.
fn peer(program: &str, arguments: &[&str], file: &Path) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    command.args(arguments).arg(file).env("LC_ALL", "C.UTF-8").env_remove("RIPGREP_CONFIG_PATH");
    match command.output() {
        Ok(output) => {
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 1)), "{program} {arguments:?}: {output:?}");
            Some(output.stdout)
        }
        Err(err) if err.kind() == ErrorKind::NotFound => None,
        Err(err) => panic!("{program}: {err}"),
    }
}

/// Lines as a service writes them; text, so that nobody takes it for a binary file.
fn log(numbers: &mut Numbers) -> Vec<u8> {
    let mut log = String::new();
    for second in 0..3000 {
        let user = numbers.below(1000);
        let action = numbers.pick(&["login", "logout", "backup", "Restart", "caf\u{e9}"]);
        let status = numbers.pick(&["success", "failure", "Failure_2", "", "ERROR: disk full"]);
        let took = numbers.below(5000);
        let line =
            format!("{second:06} INFO User user{user} {action} action ({took}ms) {status}\n");
        log += &line;
    }
    log.into_bytes()
}

#[test]
fn agrees_with_other_programs_where_they_are_installed() {
    let input = log(&mut Numbers::new(5));
    let file = std::env::temp_dir().join(format!("dtail-search-{}.log", std::process::id()));
    std::fs::write(&file, &input).expect("the directory for temporary files is writable");
    let texts = [
        "user77",
        "INFO",
        "failure",
        "(login|logout|backup) action .*failure",
        "4[0-9]{2}ms",
        "fail.*",
        "^00[0-9]*5 ",
        "full$",
        "user7|user77|ERROR",
        "caf. action",
        "e[^a-z]*:",
        "ure",
        "login action|zzz",
        "INFO User user[0-9]* R",
    ];
    let options = [("", ""), ("i", ""), ("v", ""), ("w", ""), ("x", ""), ("w", "i"), ("F", "")];
    for program in ["grep", "rg"] {
        for (text, (one, two)) in texts.iter().flat_map(|text| options.map(|both| (text, both))) {
            let has = |option: &str| option == one || option == two;
            let flags = [one, two].concat();
            let flags = format!("-{}{flags}", if has("F") || program == "rg" { "" } else { "E" });
            let mut arguments = vec!["-e", text];
            arguments.extend((flags.len() > 1).then_some(&flags[..]));
            let Some(expected) = peer(program, &arguments, &file) else {
                eprintln!("SKIPPED: {program} is not installed, nothing is compared with it");
                break;
            };
            let texts = [(*text).to_owned()];
            let whole = match (has("w"), has("x")) {
                (true, _) => Whole::Words,
                (_, true) => Whole::Line,
                _ => Whole::Nothing,
            };
            let (fixed, ignore_case, invert) = (has("F"), has("i"), has("v"));
            let wish = Wish { texts: &texts, fixed, ignore_case, whole, invert };
            let pattern = Pattern::new(&wish).expect("the pattern is good");
            let searcher = Searcher::new(pattern, Wanted::default());
            let mut found = Selected::default();
            searcher.search_alone(&input, &mut found);
            assert!(found.bytes == expected, "{program} {arguments:?} selects other lines");
        }
    }
    std::fs::remove_file(&file).expect("the file is ours");
}
