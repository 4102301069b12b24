//! Selects lines from blocks of whole lines: by literal or regular expression, inverted or not,
//! with context before and after and a limit. It works on whole blocks, not line by line, and
//! never does I/O.

mod pattern;
mod searcher;
mod syntax;

pub use pattern::{Cursor, Pattern, PatternError};
pub use searcher::{Progress, Searcher, Selected, Wanted, lines};
