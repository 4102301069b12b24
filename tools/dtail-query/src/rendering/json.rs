//! A result as JSON. Never writes anything that is not UTF-8.

use std::io::{self, Write};

use super::write_escaped;
use crate::{CellKind, ResultTable};

pub(super) fn write_array(table: &ResultTable, w: &mut dyn Write) -> io::Result<()> {
    let keys = keys(table)?;
    w.write_all(b"[")?;
    for row in 0..table.shown_rows() {
        w.write_all(if row == 0 { b"\n" } else { b",\n" })?;
        write_object(table, row, &keys, w)?;
    }
    w.write_all(b"\n]\n")
}

pub(super) fn write_lines(table: &ResultTable, w: &mut dyn Write) -> io::Result<()> {
    let keys = keys(table)?;
    for row in 0..table.shown_rows() {
        write_object(table, row, &keys, w)?;
        w.write_all(b"\n")?;
    }
    Ok(())
}

/// What goes before each value of a row.
fn keys(table: &ResultTable) -> io::Result<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    for (column, name) in table.distinct_titles().iter().enumerate() {
        let mut key = if column == 0 { b"{".to_vec() } else { b",".to_vec() };
        write_string(name.as_bytes(), &mut key)?;
        key.push(b':');
        keys.push(key);
    }
    Ok(keys)
}

fn write_object(
    table: &ResultTable,
    row: usize,
    keys: &[Vec<u8>],
    w: &mut dyn Write,
) -> io::Result<()> {
    for (column, key) in keys.iter().enumerate() {
        w.write_all(key)?;
        let cell = table.cell(row, column);
        match table.cell_kind(row, column) {
            CellKind::Text => write_string(cell, w)?,
            CellKind::Number if is_number(cell) => w.write_all(cell)?,
            CellKind::Number | CellKind::Missing => w.write_all(b"null")?,
        }
    }
    w.write_all(b"}")
}

/// Whether a printed number is one in JSON, too: not `NaN` and `+Inf`.
fn is_number(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    digits.first().is_some_and(u8::is_ascii_digit)
}

fn write_string(text: &[u8], w: &mut dyn Write) -> io::Result<()> {
    w.write_all(b"\"")?;
    for chunk in text.utf8_chunks() {
        write_valid(chunk.valid().as_bytes(), w)?;
        if !chunk.invalid().is_empty() {
            w.write_all("\u{fffd}".as_bytes())?;
        }
    }
    w.write_all(b"\"")
}

fn write_valid(text: &[u8], w: &mut dyn Write) -> io::Result<()> {
    let mut start = 0;
    let is_rare = |byte: &u8| *byte < 0x20 && !b"\t\n\r".contains(byte);
    while let Some(length) = text[start..].iter().position(is_rare) {
        let at = start + length;
        write_escaped(&text[start..at], short_escape, w)?;
        write!(w, "\\u{:04x}", text[at])?;
        start = at + 1;
    }
    write_escaped(&text[start..], short_escape, w)
}

fn short_escape(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'"' => Some(b"\\\""),
        b'\\' => Some(b"\\\\"),
        b'\n' => Some(b"\\n"),
        b'\r' => Some(b"\\r"),
        b'\t' => Some(b"\\t"),
        _ => None,
    }
}
