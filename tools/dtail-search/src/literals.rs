//! Which literals must be in a line for an expression to match it. Never searches.

use std::collections::HashSet;

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// Most literals that a part of an expression is spelled out into, texts of a list not counted.
const MAX_SPELLED: usize = 64;

/// Most characters of a class that is spelled out.
const MAX_CLASS: u32 = 10;

/// Most literals in one set.
const MAX_NEEDLES: usize = 100_000;

/// Literals, one of which is in every match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needles {
    /// None is empty. In lower case when `fold`.
    pub(crate) bytes: Vec<Vec<u8>>,
    /// ASCII letters stand for both cases.
    pub(crate) fold: bool,
    /// A `k` or an `s` also stands for U+212A or U+017F, which are not found as letters.
    pub(crate) odd: bool,
    /// Every match begins with one of them.
    pub(crate) at_start: bool,
    /// Wherever one of them is there is a match.
    pub(crate) sure: bool,
}

/// What is known of any of these expressions: the sets of literals worth looking for, the best
/// first. One that is sure stands alone.
pub(crate) fn required(expressions: &[Hir]) -> Vec<Needles> {
    let found = match expressions {
        [one] => analyse(one),
        several => either(several.iter().map(analyse).collect()),
    };
    if let Some(exact) = found.exact {
        return needles(&exact, true, true).into_iter().collect();
    }
    let mut sets = found.required;
    sets.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
    sets.dedup();
    sets
}

/// A piece of text that an expression may stand for.
#[derive(Debug, Clone, Default)]
struct Piece {
    bytes: Vec<u8>,
    /// Some letters stand for both cases; they are in lower case.
    fold: bool,
    /// Some letters stand for one case only.
    strict: bool,
    odd: bool,
}

impl Piece {
    fn literal(bytes: &[u8]) -> Piece {
        let strict = bytes.iter().any(u8::is_ascii_alphabetic);
        Piece { bytes: bytes.to_vec(), strict, ..Piece::default() }
    }

    fn then(&self, next: &Piece) -> Piece {
        let bytes = [&self.bytes[..], &next.bytes].concat();
        let (fold, strict) = (self.fold | next.fold, self.strict | next.strict);
        Piece { bytes, fold, strict, odd: self.odd | next.odd }
    }
}

/// What is known of a part of an expression.
#[derive(Debug, Default)]
struct Found {
    /// All that it can stand for.
    exact: Option<Vec<Piece>>,
    /// Otherwise: sets, of each of which something is in every match.
    required: Vec<Needles>,
}

fn analyse(hir: &Hir) -> Found {
    match hir.kind() {
        HirKind::Literal(literal) => exactly(vec![Piece::literal(&literal.0)]),
        HirKind::Empty => exactly(vec![Piece::default()]),
        // Borders hold on their conditions, so what is around them is required but not sure.
        HirKind::Look(_) => Found::default(),
        HirKind::Class(class) => Found { exact: spell(class), required: Vec::new() },
        HirKind::Capture(capture) => analyse(&capture.sub),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Concat(parts) => in_sequence(parts),
        HirKind::Alternation(parts) => either(parts.iter().map(analyse).collect()),
    }
}

fn exactly(pieces: Vec<Piece>) -> Found {
    Found { exact: Some(pieces), required: Vec::new() }
}

fn repeated(repetition: &Repetition) -> Found {
    if repetition.min == 0 {
        return Found::default();
    }
    let found = analyse(&repetition.sub);
    let Some(once) = found.exact else { return found };
    let mut pieces = once.clone();
    for _ in 1..repetition.min.min(MAX_SPELLED as u32) {
        match product(&pieces, &once) {
            Some(longer) => pieces = longer,
            None => return Found { exact: None, required: only(&pieces, true) },
        }
    }
    if repetition.max == Some(repetition.min) && repetition.min <= MAX_SPELLED as u32 {
        return exactly(pieces);
    }
    Found { exact: None, required: only(&pieces, true) }
}

fn in_sequence(parts: &[Hir]) -> Found {
    let mut required = Vec::new();
    let mut pieces = vec![Piece::default()];
    let mut is_exact = true;
    // No byte has been passed whose literal is unknown.
    let mut at_start = true;
    for part in parts {
        if let HirKind::Look(_) = part.kind() {
            is_exact = false;
            continue;
        }
        let found = analyse(part);
        if let Some(exact) = found.exact {
            if exact.len() > 1 {
                required.extend(needles(&pieces, at_start, false));
            }
            if let Some(longer) = product(&pieces, &exact) {
                pieces = longer;
                continue;
            }
            required.extend(needles(&pieces, at_start, false));
            pieces = exact;
        } else {
            required.extend(needles(&pieces, at_start, false));
            let begins = at_start && pieces.iter().all(|piece| piece.bytes.is_empty());
            let of_part = found.required.into_iter();
            required.extend(of_part.map(|set| Needles { at_start: set.at_start && begins, ..set }));
            pieces = vec![Piece::default()];
        }
        is_exact = false;
        at_start = false;
    }
    if is_exact {
        return exactly(pieces);
    }
    required.extend(needles(&pieces, at_start, false));
    Found { exact: None, required }
}

fn either(branches: Vec<Found>) -> Found {
    if branches.iter().all(|found| found.exact.is_some()) {
        let pieces: Vec<Piece> =
            branches.into_iter().filter_map(|found| found.exact).flatten().collect();
        return if pieces.len() <= MAX_NEEDLES { exactly(pieces) } else { Found::default() };
    }
    let mut all: Option<Needles> = None;
    for found in branches {
        let sets = match found.exact {
            Some(pieces) => only(&pieces, true),
            None => found.required,
        };
        let best = sets.into_iter().min_by(|a, b| cost(a).total_cmp(&cost(b)));
        let Some(best) = best else { return Found::default() };
        all = Some(match all {
            None => best,
            Some(others) => others.or(best),
        });
    }
    let all = all.filter(|set| set.bytes.len() <= MAX_NEEDLES);
    Found { exact: None, required: all.into_iter().collect() }
}

impl Needles {
    fn or(mut self, other: Needles) -> Needles {
        let fold = self.fold | other.fold;
        self.bytes.extend(other.bytes);
        if fold {
            self.bytes.iter_mut().for_each(|bytes| bytes.make_ascii_lowercase());
        }
        let (odd, at_start) = (self.odd | other.odd, self.at_start & other.at_start);
        Needles { bytes: self.bytes, fold, odd, at_start, sure: false }
    }

    /// Length of the shortest in bytes.
    pub(crate) fn shortest(&self) -> usize {
        self.bytes.iter().map(Vec::len).min().unwrap_or(0)
    }
}

fn product(left: &[Piece], right: &[Piece]) -> Option<Vec<Piece>> {
    if left.len() * right.len() > MAX_SPELLED.max(left.len()).max(right.len()) {
        return None;
    }
    Some(left.iter().flat_map(|left| right.iter().map(|right| left.then(right))).collect())
}

fn only(pieces: &[Piece], at_start: bool) -> Vec<Needles> {
    needles(pieces, at_start, false).into_iter().collect()
}

/// The pieces as a set to look for, unless one of them is empty.
fn needles(pieces: &[Piece], at_start: bool, exact: bool) -> Option<Needles> {
    if pieces.is_empty() || pieces.iter().any(|piece| piece.bytes.is_empty()) {
        return None;
    }
    // No line holds a newline, and what is left out is never found.
    let pieces = || pieces.iter().filter(|piece| !piece.bytes.contains(&b'\n'));
    let fold = pieces().any(|piece| piece.fold);
    let strict = pieces().any(|piece| piece.strict);
    let odd = pieces().any(|piece| piece.odd);
    let mut seen = HashSet::new();
    let mut bytes = Vec::new();
    for piece in pieces() {
        let spelled = if fold { piece.bytes.to_ascii_lowercase() } else { piece.bytes.clone() };
        if seen.insert(spelled.clone()) {
            bytes.push(spelled);
        }
    }
    Some(Needles { bytes, fold, odd, at_start, sure: exact && !(fold && strict) })
}

/// The characters of a small class.
fn spell(class: &Class) -> Option<Vec<Piece>> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => {
            class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect()
        }
        Class::Bytes(class) => {
            class.iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
    };
    let count: u32 = ranges.iter().map(|(start, end)| end - start + 1).sum();
    if count == 0 || count > 2 * MAX_CLASS {
        return None;
    }
    let bytewise = matches!(class, Class::Bytes(_));
    let mut chars: Vec<char> = Vec::new();
    for (start, end) in ranges {
        for code in start..=end {
            if bytewise && code > 0x7f {
                return None;
            }
            // The gap of the surrogates is no character.
            chars.extend(char::from_u32(code));
        }
    }
    let has = |c: char| chars.contains(&c);
    let mut pieces = Vec::new();
    for &c in &chars {
        let other = [c.to_ascii_lowercase(), c.to_ascii_uppercase()];
        let fold = c.is_ascii_alphabetic() && other.iter().all(|&c| has(c));
        let odd = match other[0] {
            'k' => has('\u{212a}'),
            's' => has('\u{17f}'),
            _ => false,
        };
        if fold && c.is_ascii_uppercase()
            || is_odd(c) && has(plain_letter(c)) && has(plain_letter(c).to_ascii_uppercase())
        {
            continue;
        }
        let mut encoded = [0; 4];
        let piece = Piece::literal(c.encode_utf8(&mut encoded).as_bytes());
        pieces.push(Piece { fold, strict: piece.strict && !fold, odd: fold && odd, ..piece });
    }
    (pieces.len() <= MAX_CLASS as usize).then_some(pieces)
}

fn is_odd(c: char) -> bool {
    matches!(c, '\u{212a}' | '\u{17f}')
}

fn plain_letter(odd: char) -> char {
    if odd == '\u{212a}' { 'k' } else { 's' }
}

/// How dear it is to look for these, roughly: how often one of them is to be expected in a byte of
/// a log, and a little for each.
fn cost(set: &Needles) -> f64 {
    set.bytes.iter().map(|needle| expected(needle) + 0.000_2).sum()
}

/// Text is no random bytes: all but the rarest bytes of a literal come with the others.
fn expected(needle: &[u8]) -> f64 {
    let mut shares = [1.0f64; 4];
    for &byte in needle {
        let share = match byte {
            b' ' | b'0' | b'1' | b'e' | b't' | b'a' | b'i' | b'n' | b's' | b'r' | b'o' => 0.06,
            b'a'..=b'z' | b'2'..=b'9' | b':' | b'-' | b'.' | b'/' | b',' | b'"' | b'=' => 0.03,
            b'A'..=b'Z' | b'_' | b'[' | b']' | b'(' | b')' => 0.01,
            _ => 0.004,
        };
        if let Some(place) = shares.iter().position(|&other| share < other) {
            shares[place..].rotate_right(1);
            shares[place] = share;
        }
    }
    shares.iter().product()
}

#[cfg(test)]
mod tests;
