//! From what is wished to compiled expressions. Never searches.

use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, Look};

use crate::syntax::{Rewritten, rewrite};
use crate::wish::{PatternError, Whole, Wish};

/// DTail takes a pattern without any of these as a literal.
const META: &[char] = &['.', '+', '*', '?', '^', '$', '[', ']', '{', '}', '(', ')', '|', '\\'];

/// Most bytes of a compiled expression. Who asks from another machine chooses the expression.
const SIZE_LIMIT: usize = 10 << 20;

/// Among so many, the one that is too big is looked for by compiling each alone.
const MAX_BLAMED: usize = 100;

/// The texts of a wish, understood.
#[derive(Debug)]
pub(crate) struct Expressions {
    /// One for each text, without what the match must be the whole of.
    pub(crate) each: Vec<Hir>,
    /// A match may hold a newline, so lines have to be tried one by one.
    pub(crate) by_line: bool,
    /// Some part matches a byte of invalid UTF-8.
    pub(crate) matches_invalid: bool,
}

/// Whether a text is no more than the bytes it is written with.
pub(crate) fn is_literal(wish: &Wish<'_>, text: &str) -> bool {
    wish.fixed || !text.contains(META)
}

/// Whether a text is one of those that match every line, also an empty one.
pub(crate) fn is_everything(wish: &Wish<'_>, text: &str) -> bool {
    wish.whole == Whole::Nothing && (text.is_empty() || !wish.fixed && matches!(text, "." | ".*"))
}

/// Reads all texts. Those that no line can match are left out.
pub(crate) fn parse(wish: &Wish<'_>) -> Result<Expressions, PatternError> {
    let mut all = Expressions { each: Vec::new(), by_line: false, matches_invalid: false };
    let mut parser = ParserBuilder::new();
    parser.utf8(false).multi_line(true).case_insensitive(wish.ignore_case);
    for text in wish.texts {
        let literal = is_literal(wish, text);
        if literal && text.contains('\n') {
            continue;
        }
        if literal && !wish.ignore_case {
            all.each.push(Hir::literal(text.as_bytes()));
            continue;
        }
        let rewritten = if literal {
            let regex = regex_syntax::escape(text);
            Rewritten { regex, by_line: false, matches_invalid: false }
        } else {
            rewrite(text)
        };
        let hir = parser.build().parse(&rewritten.regex);
        let hir = hir.map_err(|err| PatternError::new(text, &err))?;
        all.by_line |= rewritten.by_line;
        all.matches_invalid |= rewritten.matches_invalid;
        all.each.push(hir);
    }
    Ok(all)
}

/// What an expression is compiled to match the whole of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Borders {
    Nowhere,
    /// Only right where there are no characters beyond ASCII next to a match.
    AsciiWords,
    Words,
    Lines,
}

/// Compiles expressions, any of which may match, and refuses what becomes too big.
pub(crate) fn compile(
    wish: &Wish<'_>,
    expressions: &[Hir],
    borders: Borders,
) -> Result<Regex, PatternError> {
    build(expressions, borders, Some(SIZE_LIMIT)).map_err(|reason| {
        // One of them alone is to blame, or nobody is but all.
        let alone = wish.texts.iter().zip(expressions);
        let alone = alone.filter(|_| wish.texts.len() == expressions.len());
        let to_blame = alone
            .filter(|_| (2..=MAX_BLAMED).contains(&expressions.len()))
            .find(|(_, hir)| build(std::slice::from_ref(*hir), borders, Some(SIZE_LIMIT)).is_err());
        let text = to_blame.map_or_else(|| wish.texts.join("|"), |(text, _)| text.clone());
        PatternError::new(&text, &reason)
    })
}

/// Compiles without a limit what follows from something that was within it.
pub(crate) fn compile_unlimited(expressions: &[Hir], borders: Borders) -> Option<Regex> {
    build(expressions, borders, None).ok()
}

fn build(expressions: &[Hir], borders: Borders, limit: Option<usize>) -> Result<Regex, String> {
    let any = match expressions {
        [one] => one.clone(),
        several => Hir::alternation(several.to_vec()),
    };
    let bordered = |before: Look, after: Look, hir: Hir| {
        Hir::concat(vec![Hir::look(before), hir, Hir::look(after)])
    };
    let hir = match borders {
        Borders::Nowhere => any,
        Borders::AsciiWords => bordered(Look::WordStartHalfAscii, Look::WordEndHalfAscii, any),
        Borders::Words => bordered(Look::WordStartHalfUnicode, Look::WordEndHalfUnicode, any),
        Borders::Lines => bordered(Look::StartLF, Look::EndLF, any),
    };
    let config = Config::new()
        .nfa_size_limit(limit)
        .hybrid_cache_capacity(2 << 20)
        .utf8_empty(false)
        .which_captures(WhichCaptures::Implicit);
    Regex::builder().configure(config).build_from_hir(&hir).map_err(|err| reason(&err))
}

/// Says it as the regex crate does.
fn reason(err: &BuildError) -> String {
    match err.size_limit() {
        Some(limit) => format!("Compiled regex exceeds size limit of {limit} bytes"),
        None => err.to_string(),
    }
}
