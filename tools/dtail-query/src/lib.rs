//! The query language of the log tools: parsing, log formats, aggregation, merging of partial
//! results, and rendering of result tables to a writer the caller owns.
//!
//! Never does I/O of its own, knows neither sessions nor hosts other than by the facts handed in.
//! The way of a line: [`Query`] and [`LogFormat`] make an [`Aggregator`], which turns lines into
//! increments of [`Groups`]; increments merge, and merged groups become a [`ResultTable`].

mod aggregator;
mod batch;
mod beyond_dtail;
mod cell;
mod complaints;
mod duration;
mod evaluate;
mod explanation;
mod expression;
mod fields;
mod filter;
#[cfg(test)]
mod fixture;
mod format;
mod function;
pub mod fuzzed;
mod groups;
mod lex;
mod memory;
mod number;
mod parse;
mod plan;
mod prefilter;
mod query;
#[cfg(test)]
mod random;
mod rendering;
mod result;
mod same;
mod sample;
mod set;
mod suggestion;
mod sum;
mod table;
mod warnings;

pub use aggregator::{Aggregator, HostFacts};
pub use format::{BadFormat, LogFormat, UnknownFormat, UserFormat, UserFormats};
pub use groups::{BadPartialResult, Groups};
pub use query::{Outfile, Query, QueryError};
pub use rendering::OutputFormat;
pub use table::{CellKind, ColumnKind, Paint, ResultTable, TableStyle};
