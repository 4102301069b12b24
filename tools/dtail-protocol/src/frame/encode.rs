//! From frames to bytes. Makes no frame that [`super::Incoming`] would refuse, except of a request
//! beyond [`super::CLIENT_FRAME_LIMIT`] and of groups beyond [`super::BLOCK_LIMIT`].

use std::ffi::OsStr;
use std::time::Duration;

use super::{
    CAPABILITIES_LIMIT, CAPABILITY_LIMIT, ClientFrame, ClientHello, HEADER, Refusal, RefusalKind,
    SERVER_FRAME_LIMIT, ServerFrame, ServerHello, Start, TEXT_LIMIT, kind,
};
use crate::{
    Diagnostic, Extras, FollowFrom, LineBlock, LineNumbers, Mode, Parts, Pattern, Request,
    Severity, SourceSummary, Summary, Whole,
};

/// The most bytes of a number.
const NUMBER: usize = 10;

impl ClientFrame {
    /// Appends the frame's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ClientFrame::Hello(hello) => frame(kind::CLIENT_HELLO, out, |out| {
                put_client_hello(hello, out);
            }),
            ClientFrame::Start(start) => frame(kind::START, out, |out| put_start(start, out)),
            ClientFrame::Update(start) => frame(kind::UPDATE, out, |out| put_start(start, out)),
            ClientFrame::Cancel => frame(kind::CANCEL, out, |_| {}),
            ClientFrame::Credit(bytes) => {
                frame(kind::CREDIT, out, |out| put_number(*bytes, out));
            }
            ClientFrame::Heartbeat => frame(kind::CLIENT_HEARTBEAT, out, |_| {}),
            ClientFrame::RegisterKey(blob) => {
                frame(kind::REGISTER_KEY, out, |out| out.extend_from_slice(blob));
            }
            ClientFrame::Health => frame(kind::HEALTH, out, |_| {}),
            ClientFrame::Bye => frame(kind::BYE, out, |_| {}),
        }
    }
}

impl ServerFrame {
    /// Appends the frame's bytes; of a block of lines too large for one frame, several frames'.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ServerFrame::Hello(hello) => frame(kind::SERVER_HELLO, out, |out| {
                put_server_hello(hello, out);
            }),
            ServerFrame::Started { generation } => {
                frame(kind::STARTED, out, |out| put_number(u64::from(*generation), out));
            }
            ServerFrame::Lines { generation, block } => {
                let LineBlock { source, bytes, numbers, offsets } = block;
                let numbers = Numbers::from(numbers);
                put_lines(*generation, &Lines { source, bytes, numbers, offsets }, out);
            }
            ServerFrame::Source { generation, summary } => frame(kind::SOURCE, out, |out| {
                put_number(u64::from(*generation), out);
                put_source_summary(summary, out);
            }),
            // The payload becomes the groups by truncation, so what else there is comes last.
            ServerFrame::Aggregate { generation, groups } => frame(kind::AGGREGATE, out, |out| {
                out.reserve(groups.len() + 4);
                out.extend_from_slice(groups);
                out.extend_from_slice(&generation.to_le_bytes());
            }),
            ServerFrame::Diagnostic { generation, diagnostic: Diagnostic { severity, text } } => {
                frame(kind::DIAGNOSTIC, out, |out| {
                    put_number(u64::from(*generation), out);
                    out.push(match severity {
                        Severity::Warn => 0,
                        Severity::Error => 1,
                    });
                    put_text(cut(text, TEXT_LIMIT), out);
                });
            }
            ServerFrame::Finished { generation, summary } => frame(kind::FINISHED, out, |out| {
                put_number(u64::from(*generation), out);
                put_summary(summary, out);
            }),
            ServerFrame::Refused(refusal) => {
                frame(kind::REFUSED, out, |out| put_refusal(refusal, out));
            }
            ServerFrame::KeyRegistered => frame(kind::KEY_REGISTERED, out, |_| {}),
            ServerFrame::Healthy => frame(kind::HEALTHY, out, |_| {}),
            ServerFrame::Heartbeat => frame(kind::SERVER_HEARTBEAT, out, |_| {}),
        }
    }
}

fn frame(kind: u8, out: &mut Vec<u8>, put_payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind]);
    put_payload(out);
    let length = out.len() - start - HEADER;
    // A length that does not fit is refused by any peer, whatever it is cut to.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Lines of a block, or of a part of one.
struct Lines<'a> {
    source: &'a str,
    bytes: &'a [u8],
    numbers: Numbers<'a>,
    offsets: &'a [u64],
}

#[derive(Clone, Copy)]
enum Numbers<'a> {
    Unnumbered,
    From(u64),
    Each(&'a [u64]),
}

impl<'a> From<&'a LineNumbers> for Numbers<'a> {
    fn from(numbers: &'a LineNumbers) -> Numbers<'a> {
        match numbers {
            LineNumbers::Unnumbered => Numbers::Unnumbered,
            LineNumbers::From(first) => Numbers::From(*first),
            LineNumbers::Each(numbers) => Numbers::Each(numbers),
        }
    }
}

impl Lines<'_> {
    /// The most bytes they need in a frame.
    fn longest_payload(&self) -> usize {
        let numbers = match self.numbers {
            Numbers::Unnumbered | Numbers::From(_) => 1,
            Numbers::Each(numbers) => numbers.len() + 1,
        };
        self.bytes.len() + self.source.len() + (numbers + self.offsets.len() + 5) * NUMBER
    }

    /// Two parts, both smaller. Lines are kept whole unless there is only one.
    fn halves(&self) -> [Lines<'_>; 2] {
        let half = self.bytes.len() / 2;
        let line_end = |range: &[u8]| range.iter().position(|byte| *byte == b'\n');
        let cut = match self.bytes[..half].iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None => match line_end(&self.bytes[half..self.bytes.len() - 1]) {
                Some(end) => half + end + 1,
                None => half,
            },
        };
        let (head, tail) = self.bytes.split_at(cut);
        let line_ends = head.iter().filter(|byte| **byte == b'\n').count();
        let (head_numbers, tail_numbers) = match self.numbers {
            Numbers::Unnumbered => (Numbers::Unnumbered, Numbers::Unnumbered),
            Numbers::From(first) => {
                (Numbers::From(first), Numbers::From(first.saturating_add(line_ends as u64)))
            }
            Numbers::Each(numbers) => {
                let (head, tail) = numbers.split_at(line_ends.min(numbers.len()));
                (Numbers::Each(head), Numbers::Each(tail))
            }
        };
        let (head_offsets, tail_offsets) = self.offsets.split_at(line_ends.min(self.offsets.len()));
        let part = |bytes, numbers, offsets| Lines { source: self.source, bytes, numbers, offsets };
        [part(head, head_numbers, head_offsets), part(tail, tail_numbers, tail_offsets)]
    }
}

fn put_lines(generation: u32, lines: &Lines<'_>, out: &mut Vec<u8>) {
    let longest = lines.longest_payload();
    if longest > SERVER_FRAME_LIMIT && lines.bytes.len() > 1 {
        for half in lines.halves() {
            put_lines(generation, &half, out);
        }
        return;
    }
    out.reserve(longest + HEADER);
    // The payload becomes the block's bytes by truncation, so what else there is comes last.
    frame(kind::LINES, out, |out| {
        out.extend_from_slice(lines.bytes);
        let trailer = out.len();
        put_number(u64::from(generation), out);
        put_text(lines.source, out);
        match lines.numbers {
            Numbers::Unnumbered => out.push(0),
            Numbers::From(first) => {
                out.push(1);
                put_number(first, out);
            }
            Numbers::Each(numbers) => {
                out.push(2);
                put_ascending(numbers, out);
            }
        }
        put_ascending(lines.offsets, out);
        let trailer = u32::try_from(out.len() - trailer).unwrap_or(u32::MAX);
        out.extend_from_slice(&trailer.to_le_bytes());
    });
}

/// Each but the first as the difference to the one before.
fn put_ascending(numbers: &[u64], out: &mut Vec<u8>) {
    put_number(numbers.len() as u64, out);
    let mut previous = 0_u64;
    for &number in numbers {
        put_number(number.wrapping_sub(previous), out);
        previous = number;
    }
}

fn put_client_hello(hello: &ClientHello, out: &mut Vec<u8>) {
    let ClientHello { lowest, highest, capabilities, credit, software } = hello;
    put_number(u64::from(*lowest), out);
    put_number(u64::from(*highest), out);
    put_capabilities(capabilities, out);
    put_number(*credit, out);
    put_text(cut(software, TEXT_LIMIT), out);
}

fn put_server_hello(hello: &ServerHello, out: &mut Vec<u8>) {
    let ServerHello { version, capabilities, hostname, software } = hello;
    put_number(u64::from(*version), out);
    put_capabilities(capabilities, out);
    put_text(cut(hostname, TEXT_LIMIT), out);
    put_text(cut(software, TEXT_LIMIT), out);
}

fn put_capabilities(capabilities: &[String], out: &mut Vec<u8>) {
    let capabilities = &capabilities[..capabilities.len().min(CAPABILITIES_LIMIT)];
    put_number(capabilities.len() as u64, out);
    for capability in capabilities {
        put_text(cut(capability, CAPABILITY_LIMIT), out);
    }
}

fn put_start(start: &Start, out: &mut Vec<u8>) {
    let Start { generation, request, strict } = start;
    put_number(u64::from(*generation), out);
    put_flag(*strict, out);
    let Request {
        mode,
        files,
        pattern,
        context,
        query,
        parts,
        extras,
        follow_from,
        plain,
        timeout,
    } = request;
    out.push(match mode {
        Mode::Cat => 0,
        Mode::Grep => 1,
        Mode::Tail => 2,
        Mode::Map => 3,
    });
    put_number(files.len() as u64, out);
    for file in files {
        put_bytes(&file_name(file), out);
    }
    put_flag(pattern.is_some(), out);
    if let Some(pattern) = pattern {
        put_pattern(pattern, out);
    }
    put_number(context.before as u64, out);
    put_number(context.after as u64, out);
    put_number(context.max, out);
    put_flag(query.is_some(), out);
    if let Some(query) = query {
        put_text(query, out);
    }
    out.push(match parts {
        Parts::Lines => 0,
        Parts::Matches => 1,
        Parts::Nothing => 2,
    });
    let Extras { numbers, offsets, summaries, paths } = *extras;
    for flag in [numbers, offsets, summaries, paths] {
        put_flag(flag, out);
    }
    put_follow_from(*follow_from, out);
    put_flag(*plain, out);
    put_timeout(*timeout, out);
}

fn put_pattern(pattern: &Pattern, out: &mut Vec<u8>) {
    let Pattern { texts, invert, fixed, ignore_case, whole } = pattern;
    for flag in [invert, fixed, ignore_case] {
        put_flag(*flag, out);
    }
    out.push(match whole {
        Whole::Nothing => 0,
        Whole::Words => 1,
        Whole::Line => 2,
    });
    put_number(texts.len() as u64, out);
    for text in texts {
        put_text(text, out);
    }
}

fn put_follow_from(from: FollowFrom, out: &mut Vec<u8>) {
    let (kind, amount) = match from {
        FollowFrom::End => (0, None),
        FollowFrom::Lines(lines) => (1, Some(lines)),
        FollowFrom::Bytes(bytes) => (2, Some(bytes)),
        FollowFrom::Beginning => (3, None),
    };
    out.push(kind);
    if let Some(amount) = amount {
        put_number(amount, out);
    }
}

#[cfg(unix)]
fn file_name(file: &OsStr) -> std::borrow::Cow<'_, [u8]> {
    std::os::unix::ffi::OsStrExt::as_bytes(file).into()
}

/// Where names are no bytes, they travel as UTF-8 as far as they can.
#[cfg(not(unix))]
fn file_name(file: &OsStr) -> std::borrow::Cow<'_, [u8]> {
    file.to_string_lossy().into_owned().into_bytes().into()
}

fn put_timeout(timeout: Option<Duration>, out: &mut Vec<u8>) {
    put_flag(timeout.is_some(), out);
    if let Some(timeout) = timeout {
        put_number(timeout.as_secs(), out);
        put_number(u64::from(timeout.subsec_nanos()), out);
    }
}

fn put_summary(summary: &Summary, out: &mut Vec<u8>) {
    let Summary { lines_read, bytes_read, matches, files, failed_files, aborted } = summary;
    put_flag(lines_read.is_some(), out);
    if let Some(lines_read) = lines_read {
        put_number(*lines_read, out);
    }
    for number in [bytes_read, matches, files, failed_files] {
        put_number(*number, out);
    }
    put_flag(*aborted, out);
}

fn put_source_summary(summary: &SourceSummary, out: &mut Vec<u8>) {
    let SourceSummary { source, matches, bytes_read, failed } = summary;
    put_text(cut(source, TEXT_LIMIT), out);
    put_number(*matches, out);
    put_number(*bytes_read, out);
    put_flag(*failed, out);
}

fn put_refusal(refusal: &Refusal, out: &mut Vec<u8>) {
    let Refusal { generation, kind, text } = refusal;
    put_number(u64::from(*generation), out);
    out.push(match kind {
        RefusalKind::BadRequest => 0,
        RefusalKind::NotPermitted => 1,
        RefusalKind::Limit => 2,
        RefusalKind::Version => 3,
        RefusalKind::Protocol => 4,
        RefusalKind::Internal => 5,
    });
    put_text(cut(text, TEXT_LIMIT), out);
}

fn put_flag(flag: bool, out: &mut Vec<u8>) {
    out.push(u8::from(flag));
}

/// LEB128: seven bits to a byte, the lowest first.
fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_bytes(text.as_bytes(), out);
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// As much of `text` as fits into `limit` bytes.
fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
