//! A result as a table of GitHub's Markdown. Never lets a cell's text become markup.

use std::io::{self, Write};

use super::write_escaped;
use crate::{ColumnKind, ResultTable};

pub(super) fn write(table: &ResultTable, header: bool, w: &mut dyn Write) -> io::Result<()> {
    let columns = table.titles().count();
    if header {
        write_row(table.titles().map(str::as_bytes), w)?;
        for column in 0..columns {
            let is_text = table.column_kind(column) == ColumnKind::Text;
            w.write_all(if is_text { b"| --- " } else { b"| ---: " })?;
        }
        w.write_all(b"|\n")?;
    }
    for row in 0..table.shown_rows() {
        write_row((0..columns).map(|column| table.cell(row, column)), w)?;
    }
    Ok(())
}

fn write_row<'a>(cells: impl Iterator<Item = &'a [u8]>, w: &mut dyn Write) -> io::Result<()> {
    for cell in cells {
        w.write_all(b"| ")?;
        write_escaped(cell, escape, w)?;
        w.write_all(b" ")?;
    }
    w.write_all(b"|\n")
}

fn escape(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'|' => Some(b"\\|"),
        b'\\' => Some(b"\\\\"),
        b'*' => Some(b"\\*"),
        b'_' => Some(b"\\_"),
        b'`' => Some(b"\\`"),
        b'[' => Some(b"\\["),
        b'~' => Some(b"\\~"),
        b'<' => Some(b"&lt;"),
        b'&' => Some(b"&amp;"),
        b'\n' => Some(b"<br>"),
        b'\r' | b'\t' => Some(b" "),
        _ => None,
    }
}
