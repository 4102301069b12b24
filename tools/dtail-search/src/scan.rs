//! Looks for any of a set of literals with whatever is fastest for them. Never looks at lines.

use std::ops::Range;

use aho_corasick::packed::{self, Searcher as Packed};
use aho_corasick::{AhoCorasick, Input, MatchKind};
use memchr::memmem::{self, Finder};

use crate::folded::Folded;
use crate::grams::Grams;
use crate::literals::Needles;

/// Up to so many literals are compared at once by their first bytes, when they are short.
const MAX_PACKED: usize = 16;

/// From this length on, reading a few places in the text is faster, however few literals.
const LONG: usize = 6;

/// A set of literals, ready to be found.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    engine: Engine,
    odd: bool,
    /// It finds the first of all occurrences, and not only the first line that has one.
    pub(crate) finds_first: bool,
}

#[derive(Debug, Clone)]
enum Engine {
    One(Box<Finder<'static>>),
    Folded(Box<Folded>),
    Packed(Box<Packed>),
    Grams(Box<Grams>),
    Automaton(Box<AhoCorasick>),
    Never,
}

impl Scan {
    /// Prepares to find these; the sample is a piece of what will be searched.
    pub(crate) fn new(needles: &Needles, sample: &[u8]) -> Scan {
        let engine = match &needles.bytes[..] {
            [one] if needles.fold => Engine::Folded(Box::new(Folded::new(one, sample))),
            [one] => Engine::One(Box::new(Finder::new(one).into_owned())),
            several => Engine::of_several(several, needles, sample),
        };
        let finds_first = !matches!(engine, Engine::Grams(_));
        Scan { engine, odd: needles.odd, finds_first }
    }

    /// An occurrence of one of the literals at or after `from`: the first one, or one on the line
    /// that has the first one.
    pub(crate) fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        match &self.engine {
            Engine::One(finder) => {
                let start = from + finder.find(&text[from..])?;
                Some(start..start + finder.needle().len())
            }
            Engine::Folded(folded) => folded.find(text, from),
            Engine::Packed(packed) => {
                let found = packed.find_in(text, (from..text.len()).into())?;
                Some(found.start()..found.end())
            }
            Engine::Grams(grams) => grams.find(text, from),
            Engine::Automaton(automaton) => {
                let found = automaton.find(Input::new(text).range(from..))?;
                Some(found.start()..found.end())
            }
            Engine::Never => None,
        }
    }

    /// Whether there is but one literal.
    pub(crate) fn is_of_one(&self) -> bool {
        matches!(self.engine, Engine::One(_) | Engine::Folded(_))
    }

    /// Whether the text may have letters beyond ASCII that stand for letters of the literals.
    pub(crate) fn may_miss(&self, text: &[u8]) -> bool {
        let has = |letter: &str| memmem::find(text, letter.as_bytes()).is_some();
        self.odd && !text.is_ascii() && (has("\u{212a}") || has("\u{17f}"))
    }

    /// Roughly what looking at a byte of text costs, in nanoseconds.
    pub(crate) fn cost(&self) -> f64 {
        match &self.engine {
            Engine::One(_) => 0.07,
            Engine::Folded(_) => 0.1,
            Engine::Packed(_) => 0.25,
            Engine::Grams(grams) => 0.9 / grams.stride() as f64,
            Engine::Automaton(_) => 2.0,
            Engine::Never => 0.0,
        }
    }
}

impl Engine {
    fn of_several(bytes: &[Vec<u8>], needles: &Needles, sample: &[u8]) -> Engine {
        let shortest = needles.shortest();
        if !needles.fold && bytes.len() <= MAX_PACKED && shortest < LONG {
            let packed = packed::Config::new().builder().extend(bytes).build();
            if let Some(packed) = packed {
                return Engine::Packed(Box::new(packed));
            }
        }
        if shortest >= Grams::SHORTEST {
            return Engine::Grams(Box::new(Grams::new(bytes, needles.fold, sample)));
        }
        // Otherwise it would find what ends first, which may begin later than something longer.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .ascii_case_insensitive(needles.fold)
            .build(bytes);
        // It refuses only what has more bytes than it can count, and nobody has these.
        automaton.map_or(Engine::Never, |automaton| Engine::Automaton(Box::new(automaton)))
    }
}
