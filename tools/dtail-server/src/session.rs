//! One session: a client's requests over one stream of bytes, in our protocol or in DTail's 4.1.
//! Never knows what carries the stream and never reads a log file.

mod legacy;
mod native;
mod outbox;
mod worker;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dtail_protocol::{Mode, Request, Summary};

use crate::shared::{Shared, Who};
use crate::wire::{Reader, Writer};
pub(crate) use worker::settings;

/// Which protocol a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Ours, version 5.
    Native,
    /// DTail's, version 4.1.
    Legacy,
}

/// Once a session is over, time for what is under way to be sent.
const FAREWELL: Duration = Duration::from_secs(5);

/// Serves one stream until one side ends it.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    who: &Who,
    dialect: Dialect,
    reader: Reader,
    writer: Writer,
) {
    let _counted = crate::stats::counted(&shared.stats.sessions);
    match dialect {
        Dialect::Native => native::serve(shared, who, reader, writer).await,
        Dialect::Legacy => legacy::serve(shared, who, reader, writer).await,
    }
}

/// A request for the log, in one line of bounded length.
fn shown(request: &Request) -> String {
    let mode = match request.mode {
        Mode::Cat => "cat",
        Mode::Grep => "grep",
        Mode::Tail => "tail",
        Mode::Map => "map",
    };
    let mut text = mode.to_owned();
    const MOST_FILES: usize = 10;
    for file in request.files.iter().take(MOST_FILES) {
        let _infallible = write!(text, " {}", cut(&file.to_string_lossy()));
    }
    if let Some(more) = request.files.len().checked_sub(MOST_FILES).filter(|more| *more > 0) {
        let _infallible = write!(text, " and {more} more");
    }
    if let Some(pattern) = &request.pattern {
        let not = if pattern.invert { "not " } else { "" };
        let _infallible = write!(text, ", lines {not}matching {:?}", cut(&pattern.text));
    }
    if let Some(query) = &request.query {
        let _infallible = write!(text, ", query {:?}", cut(query));
    }
    text
}

fn cut(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A summary for the log.
fn told(summary: &Summary, started: Instant) -> String {
    let Summary { bytes_read, matches, files, failed_files, aborted, .. } = summary;
    let aborted = if *aborted { ", given up" } else { "" };
    let took = started.elapsed().as_secs_f64();
    format!(
        "{files} files read, {failed_files} failed, {bytes_read} bytes, {matches} matches, \
         {took:.3} s{aborted}"
    )
}

#[cfg(test)]
mod tests;
