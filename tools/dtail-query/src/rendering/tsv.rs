//! A result as tab separated values. Never quotes.

use std::io::{self, Write};

use super::write_escaped;
use crate::ResultTable;

pub(super) fn write(table: &ResultTable, header: bool, w: &mut dyn Write) -> io::Result<()> {
    if header {
        write_row(table.titles().map(str::as_bytes), w)?;
    }
    let columns = table.titles().count();
    for row in 0..table.shown_rows() {
        write_row((0..columns).map(|column| table.cell(row, column)), w)?;
    }
    Ok(())
}

fn write_row<'a>(cells: impl Iterator<Item = &'a [u8]>, w: &mut dyn Write) -> io::Result<()> {
    for (column, cell) in cells.enumerate() {
        if column > 0 {
            w.write_all(b"\t")?;
        }
        write_escaped(cell, escape, w)?;
    }
    w.write_all(b"\n")
}

fn escape(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'\t' => Some(b"\\t"),
        b'\n' => Some(b"\\n"),
        b'\r' => Some(b"\\r"),
        b'\\' => Some(b"\\\\"),
        _ => None,
    }
}
