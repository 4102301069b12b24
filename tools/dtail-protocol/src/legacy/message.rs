//! What a server of protocol 4.1 says, as its client takes it in. Never decides what is shown.

use std::mem;
use std::sync::Arc;

use super::splitter::Splitter;
use super::{END, LegacyError};

const GROUP_END: &[u8] = "∥".as_bytes();

/// One message, told apart by how it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// For the program, not for the user: begins with `.`, for example [`super::CLOSE`].
    Hidden(String),
    /// A line of a log.
    Line {
        /// The server's short name for itself.
        host: String,
        /// Counted by the server.
        number: u64,
        /// The source id.
        source: Arc<str>,
        /// Ends in `\n`, also if the server's line did not.
        bytes: Vec<u8>,
    },
    /// A text for the user; empty where a server logs less than it says.
    Server {
        /// The server's short name for itself.
        host: String,
        /// Without line end.
        text: String,
    },
    /// One group of a query, for `dtail_query::Groups::read_legacy`.
    Aggregate {
        /// The server's short name for itself.
        host: String,
        /// Without line end.
        data: Vec<u8>,
    },
    /// The answer to a registered key: `AUTHKEY OK` or `AUTHKEY ERR …`.
    AuthKey(String),
    /// Anything else.
    Other(Vec<u8>),
}

/// Received bytes in, messages out. For servers that were asked for lines that are not plain: only
/// then does each line say where it begins, so that one with [`END`] in it can be put together
/// again.
#[derive(Debug)]
pub struct MessageDecoder {
    splitter: Splitter,
    limit: usize,
    /// The beginning of a message that seems to go on.
    held: Vec<u8>,
    /// A message that has come after another that was held.
    next: Option<Vec<u8>>,
    /// Of the last line, which is mostly that of the next.
    source: Arc<str>,
}

impl MessageDecoder {
    /// `limit`: the longest message in bytes, [`super::MESSAGE_LIMIT`].
    pub fn new(limit: usize) -> MessageDecoder {
        let splitter = Splitter::new(END, limit);
        MessageDecoder { splitter, limit, held: Vec::new(), next: None, source: "".into() }
    }

    /// Takes in received bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.splitter.feed(bytes);
    }

    /// The next message, if all of it has come. Call it until it gives none, then feed again.
    #[expect(clippy::should_implement_trait, reason = "it is no iterator: it goes on after none")]
    pub fn next(&mut self) -> Result<Option<Message>, LegacyError> {
        if let Some(part) = self.next.take() {
            if is_unfinished(&part) {
                self.held = part;
            } else {
                return Ok(Some(parse(&part, &mut self.source)));
            }
        }
        while let Some(part) = self.splitter.next()? {
            if self.held.is_empty() {
                if !is_unfinished(part) {
                    return Ok(Some(parse(part, &mut self.source)));
                }
                self.held.extend_from_slice(part);
                continue;
            }
            if is_beginning(part) {
                self.next = Some(part.to_vec());
                return Ok(self.flush());
            }
            if self.held.len() + part.len() >= self.limit {
                return Err(LegacyError::TooLong(self.limit));
            }
            self.held.push(END);
            self.held.extend_from_slice(part);
            if !is_unfinished(&self.held) {
                return Ok(self.flush());
            }
        }
        Ok(None)
    }

    /// A line without `\n` is held back until the next message shows whether it goes on, because
    /// it contained [`END`]. Gives it out as it is: for when nothing more has come for a while
    /// (100 ms will do), and at the end of the stream.
    pub fn flush(&mut self) -> Option<Message> {
        let held = mem::take(&mut self.held);
        (!held.is_empty()).then(|| parse(&held, &mut self.source))
    }
}

/// Whether a message lacks what ends all of its kind, but for the last line of some files.
fn is_unfinished(part: &[u8]) -> bool {
    (part.starts_with(b"REMOTE|") && !part.ends_with(b"\n"))
        || (part.starts_with(b"AGGREGATE|") && !without_line_end(part).ends_with(GROUP_END))
}

/// Whether this begins a message and does not go on with the one before. A dot is not enough.
fn is_beginning(part: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 5] =
        [b"REMOTE|", b"SERVER|", b"AGGREGATE|", b".syn ", b".output wake"];
    BEGINNINGS.iter().any(|beginning| part.starts_with(beginning))
}

fn parse(part: &[u8], known_source: &mut Arc<str>) -> Message {
    let parsed = if part.starts_with(b".") {
        Some(Message::Hidden(text(without_line_end(part))))
    } else if let Some(fields) = part.strip_prefix(b"REMOTE|") {
        parse_line(fields, known_source)
    } else if let Some(fields) = part.strip_prefix(b"SERVER|") {
        parse_server(without_line_end(fields))
    } else if let Some(fields) = part.strip_prefix(b"AGGREGATE|") {
        let mut fields = without_line_end(fields).splitn(2, |byte| *byte == b'|');
        match (fields.next(), fields.next()) {
            (Some(host), Some(data)) => {
                Some(Message::Aggregate { host: text(host), data: data.to_vec() })
            }
            _ => None,
        }
    } else {
        auth_key(without_line_end(part))
    };
    parsed.unwrap_or_else(|| Message::Other(part.to_vec()))
}

/// `host|100|number|source|line`
fn parse_line(fields: &[u8], known_source: &mut Arc<str>) -> Option<Message> {
    let mut fields = fields.splitn(5, |byte| *byte == b'|');
    let host = text(fields.next()?);
    let _percentage = fields.next()?;
    let number = str::from_utf8(fields.next()?).ok()?.trim_ascii().parse().ok()?;
    let source = fields.next()?;
    let mut bytes = fields.next()?.to_vec();
    if !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    if known_source.as_bytes() != source {
        *known_source = Arc::from(String::from_utf8_lossy(source));
    }
    Some(Message::Line { host, number, source: known_source.clone(), bytes })
}

fn parse_server(fields: &[u8]) -> Option<Message> {
    let mut halves = fields.splitn(2, |byte| *byte == b'|');
    let host = text(halves.next()?);
    let said = halves.next()?;
    let last_field = said.rsplit(|byte| *byte == b'|').next()?;
    auth_key(last_field).or_else(|| Some(Message::Server { host, text: text(said) }))
}

fn auth_key(field: &[u8]) -> Option<Message> {
    let is_answer = field == b"AUTHKEY OK" || field.starts_with(b"AUTHKEY ERR");
    is_answer.then(|| Message::AuthKey(text(field)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\n").unwrap_or(bytes)
}
