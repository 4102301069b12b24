//! Selects lines from blocks of whole lines: by literals or regular expressions, inverted or not,
//! with context before and after and a limit. It works on whole blocks, not line by line, and
//! never does I/O.

#[cfg(test)]
mod agreement;
mod cursor;
mod expression;
mod folded;
mod grams;
mod literals;
mod parse;
mod pass;
mod pattern;
mod plan;
mod progress;
mod runs;
mod scan;
mod searcher;
mod syntax;
#[cfg(test)]
mod testing;
mod wish;
mod words;

pub use cursor::Cursor;
pub use pattern::Pattern;
pub use progress::Progress;
pub use runs::Hits;
pub use searcher::{Counts, Parts, Searcher, Selected, Wanted, lines};
pub use wish::{PatternError, Whole, Wish};
