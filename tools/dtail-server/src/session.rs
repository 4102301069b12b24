//! One session: a client's requests over one stream of bytes, in our protocol or in DTail's 4.1.
//! Never knows what carries the stream and never reads a log file.

mod costs;
mod legacy;
mod native;
mod outbox;
mod worker;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dtail_protocol::{Mode, Parts, Pattern, Request, Summary, Whole};
use probe::probe;

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

/// See [`dtail_session::Settings::passes_files`].
const NO_FILES: &str = "a server reads its files itself";

/// Serves one stream until one side ends it.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    who: &Who,
    dialect: Dialect,
    reader: Reader,
    writer: Writer,
) {
    let _counted = crate::stats::counted(&shared.stats.sessions);
    let user = who.user.name().as_bytes();
    probe!(dtail, session_open, user.as_ptr(), user.len());
    match dialect {
        Dialect::Native => native::serve(shared, who, reader, writer).await,
        Dialect::Legacy => legacy::serve(shared, who, reader, writer).await,
    }
    probe!(dtail, session_close, user.as_ptr(), user.len());
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
        text += &shown_pattern(pattern);
    }
    match request.parts {
        Parts::Lines => {}
        Parts::Matches => text += ", only what matches",
        Parts::Nothing => text += ", only counted",
    }
    if let Some(query) = &request.query {
        let _infallible = write!(text, ", query {:?}", cut(query));
    }
    text
}

fn shown_pattern(pattern: &Pattern) -> String {
    let Pattern { texts, invert, fixed, ignore_case, whole } = pattern;
    let mut text = format!(", lines {}matching", if *invert { "not " } else { "" });
    const MOST_TEXTS: usize = 3;
    for (index, expression) in texts.iter().take(MOST_TEXTS).enumerate() {
        let or = if index > 0 { " or" } else { "" };
        let _infallible = write!(text, "{or} {:?}", cut(expression));
    }
    if let Some(more) = texts.len().checked_sub(MOST_TEXTS).filter(|more| *more > 0) {
        let _infallible = write!(text, " or {more} more");
    }
    let whole = match whole {
        Whole::Nothing => None,
        Whole::Words => Some("as words"),
        Whole::Line => Some("as lines"),
    };
    let how = [fixed.then_some("literally"), ignore_case.then_some("in any case"), whole];
    for word in how.into_iter().flatten() {
        let _infallible = write!(text, " {word}");
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
