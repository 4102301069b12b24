//! ripgrep's JSON messages, one to a line, so that programs made for those understand ours. Never
//! selects a line.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dtail_client::HostSource;
use dtail_search::Pattern;

use crate::decimal::Decimal;
use crate::output::Output;
use crate::prefixed::STANDARD_INPUT;
use crate::runs::{Run, lines};

/// Prints messages. Lines are expected with numbers and offsets, sources with summaries.
#[derive(Debug)]
pub(crate) struct Messages {
    /// Tells lines that were selected from those around them; `None`: all were.
    selects: Option<Pattern>,
    /// Finds the matches in a line.
    finds: Option<Pattern>,
    started: Instant,
    /// Sources that have printed something and are not at their end, by host and name.
    open: HashMap<(Option<Arc<str>>, Arc<str>), Source>,
    total: Stats,
    /// Reused.
    spans: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Source {
    started: Instant,
    stats: Stats,
}

/// ripgrep's figures.
#[derive(Debug, Clone, Copy, Default)]
struct Stats {
    elapsed: Duration,
    searches: u64,
    searches_with_match: u64,
    bytes_searched: u64,
    bytes_printed: u64,
    matched_lines: u64,
    matches: u64,
}

impl Messages {
    pub(crate) fn new(selects: Option<Pattern>, finds: Option<Pattern>) -> Messages {
        Messages {
            selects,
            finds,
            started: Instant::now(),
            open: HashMap::new(),
            total: Stats::default(),
            spans: Vec::new(),
        }
    }

    pub(crate) fn write<W: Write>(
        &mut self,
        run: &Run<'_>,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        let path = path(run.host, run.source);
        let source = self.open.entry((run.host.cloned(), Arc::clone(run.source)));
        let source = source.or_insert_with(|| {
            let pending = output.pending();
            let before = pending.len();
            pending.extend_from_slice(br#"{"type":"begin","data":{"path":"#);
            append_text(path.as_bytes(), pending);
            pending.extend_from_slice(b"}}\n");
            let bytes_printed = (pending.len() - before) as u64;
            let stats = Stats { searches: 1, bytes_printed, ..Stats::default() };
            Source { started: Instant::now(), stats }
        });
        for (index, line) in lines(run.bytes).enumerate() {
            let is_selected = self.selects.as_ref().is_none_or(|pattern| pattern.is_match(line));
            self.spans.clear();
            if let Some(pattern) = &self.finds {
                pattern.spans(line, &mut self.spans);
            }
            let offset = run.offsets.get(index).copied();
            let pending = output.pending();
            let before = pending.len();
            let kind: &[u8] = if is_selected { b"match" } else { b"context" };
            append_line(kind, &path, line, run.numbers.at(index), offset, pending);
            append_matches(line, &self.spans, pending);
            source.stats.bytes_printed += (pending.len() - before) as u64;
            if is_selected {
                source.stats.searches_with_match = 1;
                source.stats.matched_lines += 1;
                source.stats.matches += self.spans.len() as u64;
            }
            output.pass_on()?;
        }
        Ok(())
    }

    /// A source is at its end.
    pub(crate) fn end<W: Write>(
        &mut self,
        ended: &HostSource,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        let (host, name) = (ended.host.clone(), Arc::clone(&ended.summary.source));
        let path = path(host.as_ref(), &name);
        // Like ripgrep, nothing about a source without matches, not even in the sums.
        let Some(source) = self.open.remove(&(host, name)) else { return Ok(()) };
        let bytes_searched = ended.summary.bytes_read;
        let stats = Stats { elapsed: source.started.elapsed(), bytes_searched, ..source.stats };
        self.total.add(&stats);
        let pending = output.pending();
        pending.extend_from_slice(br#"{"type":"end","data":{"path":"#);
        append_text(path.as_bytes(), pending);
        pending.extend_from_slice(br#","binary_offset":null,"stats":"#);
        stats.append(pending);
        pending.extend_from_slice(b"}}\n");
        output.pass_on()
    }

    /// Everything is at its end.
    pub(crate) fn finish<W: Write>(&mut self, output: &mut Output<W>) -> io::Result<()> {
        let pending = output.pending();
        pending.extend_from_slice(br#"{"data":{"elapsed_total":"#);
        append_duration(self.started.elapsed(), pending);
        pending.extend_from_slice(br#","stats":"#);
        self.total.append(pending);
        pending.extend_from_slice(b"},\"type\":\"summary\"}\n");
        output.pass_on()
    }
}

impl Stats {
    fn add(&mut self, other: &Stats) {
        self.elapsed += other.elapsed;
        self.searches += other.searches;
        self.searches_with_match += other.searches_with_match;
        self.bytes_searched += other.bytes_searched;
        self.bytes_printed += other.bytes_printed;
        self.matched_lines += other.matched_lines;
        self.matches += other.matches;
    }

    fn append(&self, pending: &mut Vec<u8>) {
        pending.extend_from_slice(br#"{"elapsed":"#);
        append_duration(self.elapsed, pending);
        for (name, value) in [
            ("searches", self.searches),
            ("searches_with_match", self.searches_with_match),
            ("bytes_searched", self.bytes_searched),
            ("bytes_printed", self.bytes_printed),
            ("matched_lines", self.matched_lines),
            ("matches", self.matches),
        ] {
            for piece in [b",\"", name.as_bytes(), b"\":"] {
                pending.extend_from_slice(piece);
            }
            pending.extend_from_slice(Decimal::new(value).as_bytes());
        }
        pending.push(b'}');
    }
}

/// On other machines as scp writes it.
fn path(host: Option<&Arc<str>>, source: &str) -> String {
    let source = if source == STANDARD_INPUT { "<stdin>" } else { source };
    host.map_or_else(|| source.to_owned(), |host| format!("{host}:{source}"))
}

fn append_line(
    kind: &[u8],
    path: &str,
    line: &[u8],
    number: Option<u64>,
    offset: Option<u64>,
    pending: &mut Vec<u8>,
) {
    for piece in [br#"{"type":""#, kind, br#"","data":{"path":"#] {
        pending.extend_from_slice(piece);
    }
    append_text(path.as_bytes(), pending);
    pending.extend_from_slice(br#","lines":"#);
    append_line_text(line, pending);
    for (name, value) in [("line_number", number), ("absolute_offset", offset)] {
        for piece in [b",\"", name.as_bytes(), b"\":"] {
            pending.extend_from_slice(piece);
        }
        match value {
            Some(value) => pending.extend_from_slice(Decimal::new(value).as_bytes()),
            None => pending.extend_from_slice(b"null"),
        }
    }
}

fn append_matches(line: &[u8], spans: &[Range<usize>], pending: &mut Vec<u8>) {
    pending.extend_from_slice(br#","submatches":["#);
    for (index, span) in spans.iter().enumerate() {
        if index > 0 {
            pending.push(b',');
        }
        pending.extend_from_slice(br#"{"match":"#);
        append_text(&line[span.clone()], pending);
        pending.extend_from_slice(br#","start":"#);
        pending.extend_from_slice(Decimal::new(span.start as u64).as_bytes());
        pending.extend_from_slice(br#","end":"#);
        pending.extend_from_slice(Decimal::new(span.end as u64).as_bytes());
        pending.push(b'}');
    }
    pending.extend_from_slice(b"]}}\n");
}

/// A line with its newline.
fn append_line_text(line: &[u8], pending: &mut Vec<u8>) {
    let Ok(text) = std::str::from_utf8(line) else {
        pending.extend_from_slice(br#"{"bytes":""#);
        // Base64 goes by threes: the newline joins what is left of the last one.
        let (whole, rest) = line.split_at(line.len() - line.len() % 3);
        let mut last = [b'\n'; 3];
        last[..rest.len()].copy_from_slice(rest);
        append_base64(whole, pending);
        append_base64(&last[..=rest.len()], pending);
        return pending.extend_from_slice(b"\"}");
    };
    pending.extend_from_slice(br#"{"text":"#);
    append_string(text, pending);
    // The newline goes before the closing quote.
    pending.truncate(pending.len() - 1);
    pending.extend_from_slice(b"\\n\"}");
}

/// `{"text":"…"}`, or `{"bytes":"…"}` in base64 for what is no UTF-8.
fn append_text(bytes: &[u8], pending: &mut Vec<u8>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            pending.extend_from_slice(br#"{"text":"#);
            append_string(text, pending);
            pending.push(b'}');
        }
        Err(_) => {
            pending.extend_from_slice(br#"{"bytes":""#);
            append_base64(bytes, pending);
            pending.extend_from_slice(b"\"}");
        }
    }
}

fn append_string(text: &str, pending: &mut Vec<u8>) {
    serde_json::to_writer(pending, text).expect("a text is JSON and memory takes all");
}

fn append_base64(bytes: &[u8], pending: &mut Vec<u8>) {
    let start = pending.len();
    pending.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let room = &mut pending[start..];
    STANDARD.encode_slice(bytes, room).expect("the room was made for it");
}

fn append_duration(duration: Duration, pending: &mut Vec<u8>) {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    let human = duration.as_secs_f64();
    let text = format!(r#"{{"secs":{seconds},"nanos":{nanos},"human":"{human:.6}s"}}"#);
    pending.extend_from_slice(text.as_bytes());
}
