//! What a server of protocol 4.1 says, as it is written. Every function appends whole messages.
//!
//! The protocol has no way to say [`END`] within a message: a client ends the line there and goes
//! on with the next. That is the old client's loss; ours knows (see [`super::MessageDecoder`]).

use std::io::Write;

use super::END;
use crate::{LineBlock, LineNumbers};

/// The hidden message by which a server wishes to close.
pub const CLOSE: &str = ".syn close connection";

/// Appends a message for the client program; `text` begins with `.`.
pub fn hidden(out: &mut Vec<u8>, text: &str) {
    put(out, &[text.as_bytes()]);
}

/// Appends what a server says first: what it can do beyond the basics, for example `journal-v1`.
pub fn capabilities(out: &mut Vec<u8>, names: &[&str]) {
    let mut text = ".syn capabilities".to_owned();
    for name in names {
        text.push(' ');
        text.push_str(name);
    }
    hidden(out, &text);
}

/// Appends the wish to close, which the client answers by [`super::Command::AckClose`].
pub fn close_connection(out: &mut Vec<u8>) {
    hidden(out, CLOSE);
}

/// Appends the answer to [`super::Command::Session`].
pub fn session_err(out: &mut Vec<u8>, text: &str) {
    hidden(out, &format!(".syn session err {text}"));
}

/// Appends a text for the user: one line.
pub fn server_text(out: &mut Vec<u8>, host: &str, text: &str) {
    put(out, &[b"SERVER|", host.as_bytes(), b"|", text.as_bytes(), b"\n"]);
}

/// Appends the answer that a key was registered.
pub fn auth_key_ok(out: &mut Vec<u8>, host: &str) {
    put(out, &[b"SERVER|", host.as_bytes(), b"|AUTHKEY OK"]);
}

/// Appends the answer that a key was not registered. `reason`: as DTail's, `feature disabled`,
/// `missing public key`, `invalid base64` or `invalid public key`.
pub fn auth_key_err(out: &mut Vec<u8>, host: &str, reason: &str) {
    put(out, &[b"SERVER|", host.as_bytes(), b"|AUTHKEY ERR ", reason.as_bytes()]);
}

/// Appends the answer to [`super::Command::Health`]. No line end: clients compare the last field.
pub fn health_ok(out: &mut Vec<u8>, host: &str) {
    put(out, &[b"SERVER|", host.as_bytes(), b"|OK"]);
}

/// Appends one group of a query, as `dtail_query::Groups::write_legacy` gives it.
pub fn aggregate(out: &mut Vec<u8>, host: &str, data: &[u8]) {
    put(out, &[b"AGGREGATE|", host.as_bytes(), b"|", data]);
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
    out.push(END);
}

/// Appends a line, with or without its `\n`. `plain`: nothing but the line.
pub fn write_line(
    out: &mut Vec<u8>,
    host: &str,
    source: &str,
    number: u64,
    line: &[u8],
    plain: bool,
) {
    if !plain {
        put_prefix(out, host, source, number);
    }
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    put(out, &[line, b"\n"]);
}

fn put_prefix(out: &mut Vec<u8>, host: &str, source: &str, number: u64) {
    // 100: the share of lines that were not dropped, in percent.
    write!(out, "REMOTE|{host}|100|{number}|{source}|").expect("a Vec takes every write");
}

/// Appends all lines of a block. The block holds whole lines only (ask the session for numbers,
/// that is `plain: false`, also if `plain` here is true).
pub fn write_block(out: &mut Vec<u8>, host: &str, block: &LineBlock, plain: bool) {
    let lines = block.bytes.split_inclusive(|byte| *byte == b'\n');
    if plain {
        // A message may have many lines. A client hides those that begin with a dot, so that no
        // line with a dot may come first if it can be helped.
        let mut message_begins = true;
        for (line, next) in lines.clone().zip(lines.skip(1).map(Some).chain([None])) {
            out.extend_from_slice(line);
            message_begins = next.is_none_or(|next| !next.starts_with(b"."));
            if message_begins {
                out.push(END);
            }
        }
        debug_assert!(message_begins, "the last line ends the last message");
        return;
    }
    for (index, line) in lines.enumerate() {
        let number = match &block.numbers {
            LineNumbers::Unnumbered => 0,
            LineNumbers::From(first) => first.saturating_add(index as u64),
            LineNumbers::Each(numbers) => numbers.get(index).copied().unwrap_or(0),
        };
        write_line(out, host, &block.source, number, line, false);
    }
}
