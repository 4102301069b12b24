//! A compiled pattern: what it is made of and what it says of one line. Never looks at blocks, and
//! never keeps anything from one line to the next.

use std::ops::Range;

use memchr::memmem::Finder;
use regex_syntax::hir::HirKind;

use crate::cursor::Cursor;
use crate::expression::Expression;
use crate::literals::required;
use crate::parse::{Borders, Expressions, compile, is_everything, is_literal, parse};
use crate::plan::Plan;
use crate::wish::{PatternError, Whole, Wish};

/// A compiled pattern. The subject is a line without its newline. A clone is cheap, and threads
/// that search at the same time do it best with one each.
#[derive(Debug, Clone)]
pub struct Pattern {
    pub(crate) matcher: Matcher,
    pub(crate) invert: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Matcher {
    /// Every line; the expression only tells where in the line.
    Everything(Option<Box<Expression>>),
    Nothing,
    Literal(Box<Finder<'static>>),
    Expression(Box<Engine>),
}

/// An expression and how to find the lines that it may match.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(crate) expression: Expression,
    pub(crate) plan: Plan,
    /// A match may hold a newline, so lines have to be tried one by one.
    pub(crate) by_line: bool,
}

impl Pattern {
    /// Compiles what is wished for.
    pub fn new(wish: &Wish<'_>) -> Result<Pattern, PatternError> {
        let matcher = match wish.texts {
            [text]
                if wish.whole == Whole::Nothing
                    && !wish.ignore_case
                    && !text.is_empty()
                    && is_literal(wish, text) =>
            {
                Matcher::literal(text.as_bytes())
            }
            texts if texts.iter().any(|text| is_everything(wish, text)) => {
                let parsed = parse(wish)?;
                let lossy = parsed.matches_invalid;
                // An empty text would be found before anything else that is there.
                let each = parsed.each.into_iter();
                let each = each.filter(|hir| !matches!(hir.kind(), HirKind::Empty)).collect();
                let expression = Expression::new(each, Borders::Nowhere, lossy, None);
                Matcher::Everything(Some(Box::new(expression)))
            }
            _ => Matcher::of(wish, parse(wish)?)?,
        };
        Ok(Pattern { matcher, invert: wish.invert })
    }

    /// Compiles one expression with nothing special about it.
    pub fn expression(text: &str) -> Result<Pattern, PatternError> {
        Pattern::new(&Wish::of(&[text.to_owned()]))
    }

    /// The lines that contain these bytes.
    pub fn literal(bytes: &[u8]) -> Pattern {
        Pattern { matcher: Matcher::literal(bytes), invert: false }
    }

    /// Whether every line is selected, so that nobody need look.
    pub fn selects_everything(&self) -> bool {
        matches!(
            (&self.matcher, self.invert),
            (Matcher::Everything(_), false) | (Matcher::Nothing, true)
        )
    }

    /// Prepares to search a block of whole lines; the last one may lack its newline.
    pub fn over<'a>(&'a self, block: &'a [u8]) -> Cursor<'a> {
        Cursor::new(self, block)
    }

    /// Whether a line, which comes without its newline, is selected.
    pub fn is_match(&self, line: &[u8]) -> bool {
        let found = match &self.matcher {
            Matcher::Everything(_) => true,
            Matcher::Nothing => false,
            Matcher::Literal(finder) => finder.find(line).is_some(),
            Matcher::Expression(engine) => engine.expression.matches_line(line),
        };
        found != self.invert
    }

    /// Puts into `out` where in a line, which comes without its newline, the pattern matches:
    /// from left to right, no two overlap, none is empty. Of those that begin at the same place
    /// it is the first in the expression, as in Go. An inverted pattern matches where it would
    /// otherwise, too.
    pub fn spans(&self, line: &[u8], out: &mut Vec<Range<usize>>) {
        out.clear();
        match &self.matcher {
            Matcher::Everything(None) | Matcher::Nothing => {}
            Matcher::Everything(Some(expression)) => expression.spans(line, out),
            Matcher::Literal(finder) => {
                let length = finder.needle().len();
                out.extend(finder.find_iter(line).map(|at| at..at + length));
            }
            Matcher::Expression(engine) => engine.expression.spans(line, out),
        }
    }
}

impl Matcher {
    fn literal(bytes: &[u8]) -> Matcher {
        if bytes.is_empty() {
            Matcher::Everything(None)
        } else if bytes.contains(&b'\n') {
            Matcher::Nothing
        } else {
            Matcher::Literal(Box::new(Finder::new(bytes).into_owned()))
        }
    }

    fn of(wish: &Wish<'_>, parsed: Expressions) -> Result<Matcher, PatternError> {
        if parsed.each.is_empty() {
            return Ok(Matcher::Nothing);
        }
        let borders = match wish.whole {
            Whole::Nothing => Borders::Nowhere,
            Whole::Words => Borders::AsciiWords,
            Whole::Line => Borders::Lines,
        };
        // Next to an invalid byte, the regex crate would see no border of a word.
        let lossy = parsed.matches_invalid || wish.whole == Whole::Words;
        let mut sets = required(&parsed.each);
        sets.retain(|set| !lossy || !set.bytes.iter().any(|bytes| has_replacement(bytes)));
        if wish.whole == Whole::Line {
            sets.iter_mut().for_each(|set| set.sure = false);
        }
        // A set of literals alone needs no expression as long as nobody asks for one.
        let is_sure = sets.first().is_some_and(|set| set.sure);
        let compiled = if is_sure { None } else { Some(compile(wish, &parsed.each, borders)?) };
        let expression = Expression::new(parsed.each, borders, lossy, compiled);
        let plan = Plan::new(sets);
        Ok(Matcher::Expression(Box::new(Engine { expression, plan, by_line: parsed.by_line })))
    }
}

/// Whether a literal may stand for an invalid byte.
fn has_replacement(literal: &[u8]) -> bool {
    let mut replacement = [0; 4];
    let replacement = char::REPLACEMENT_CHARACTER.encode_utf8(&mut replacement).as_bytes();
    literal.windows(replacement.len()).any(|window| window == replacement)
}

#[cfg(test)]
mod tests;
