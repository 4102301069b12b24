//! What a session answers. Never says how it is shown.

use std::sync::Arc;

/// Consecutive or selected lines of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineBlock {
    /// The source id: DTail's fifth output field, lossy UTF-8.
    pub source: Arc<str>,
    /// The lines, each ending in `\n`. Only a plain [`crate::Mode::Cat`] may cut a block within a
    /// line; the next block of the same source then goes on with it.
    pub bytes: Vec<u8>,
    /// The number of each line.
    pub numbers: LineNumbers,
    /// Where each line begins in its source, in bytes from 0, after decompression; empty unless
    /// asked for.
    pub offsets: Vec<u64>,
}

/// Line numbers of a block, counted from 1 where reading began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineNumbers {
    /// Not asked for.
    Unnumbered,
    /// The first line has this number and the others follow without a gap.
    From(u64),
    /// One number for each line.
    Each(Vec<u64>),
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something was done differently from what was asked.
    Warn,
    /// Something asked for was not done.
    Error,
}

/// Something the user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// One line, without prefix and without trailing dot.
    pub text: String,
}

/// What became of one source that was read to its end, its limit or its failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSummary {
    /// The source as in [`LineBlock::source`].
    pub source: Arc<str>,
    /// Lines selected, context lines not counted.
    pub matches: u64,
    /// Bytes read, after decompression.
    pub bytes_read: u64,
    /// It could not be read, or not to its end; a [`Severity::Error`] said why.
    pub failed: bool,
}

/// What a finished session did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines read; `None` when nobody needed them counted, which saves a pass over every byte.
    pub lines_read: Option<u64>,
    /// Bytes read, after decompression.
    pub bytes_read: u64,
    /// Lines selected by the pattern (context lines are not counted), or aggregated by the query.
    /// A plain [`crate::Mode::Cat`] counts nothing.
    pub matches: u64,
    /// Files read to the end or followed, standard input included.
    pub files: u64,
    /// Files, globs and standard inputs that could not be read, or not to the end.
    pub failed_files: u64,
    /// The request was given up, for example at a memory limit; a [`Severity::Error`] said why.
    pub aborted: bool,
}
