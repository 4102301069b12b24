//! A finished result and DTail's two renderings of it: the terminal table and CSV. Those for other
//! programs are in `rendering`.
//!
//! Knows no escape sequence and no file: both are the caller's.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

/// Rows on a terminal when the query has no limit.
const TERMINAL_ROWS: usize = 10;

/// Escape sequences around one kind of text. Empty strings: plain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paint {
    /// Written before the text.
    pub before: String,
    /// Written after the text, before a line's newline.
    pub after: String,
}

/// How a terminal table looks. `TableStyle::default()` is plain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableStyle {
    /// The query echoed above the table.
    pub query: Paint,
    /// A column title (with its padding).
    pub header: Paint,
    /// The title of the column that rows are ordered by.
    pub header_sort_key: Paint,
    /// The title of a column that rows are grouped by.
    pub header_group_key: Paint,
    /// The title of a column that rows are both ordered and grouped by.
    pub header_sort_and_group_key: Paint,
    /// Bars between cells, and the dashes below the titles.
    pub delimiter: Paint,
    /// A cell (with its padding).
    pub data: Paint,
    /// `Some`: the line that says that rows were left out is written below the query, between
    /// these two (for DTail's `CLIENT|host|WARN|` form). `None`: it is not written, see
    /// [`ResultTable::limit_warning`].
    pub limit_warning: Option<Paint>,
}

/// A finished result: titles and rows, sorted, but for those that a limit leaves out. Cells are
/// bytes as found in the logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultTable {
    query: String,
    titles: Vec<Title>,
    limit: Option<usize>,
    /// CSV without quotes, as DTail writes it.
    strict: bool,
    /// All cells, row by row, one after the other.
    text: Vec<u8>,
    /// Where each cell ends in `text`.
    ends: Vec<usize>,
    /// What each cell is.
    kinds: Vec<CellKind>,
    /// Rows that the limit leaves out.
    hidden: usize,
    /// Of each column the widest cell in them.
    hidden_widths: Vec<usize>,
}

/// What a cell is, for renderings that have types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// Bytes as found in the logs.
    Text,
    /// A computed number, or what Go prints instead of one: `NaN`, `+Inf`, `-Inf`.
    Number,
    /// No line of the group had the value; the text is empty.
    Missing,
}

/// What all cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Some are texts, or there is nothing to tell by.
    Text,
    /// Whole numbers within an `i64`, or missing.
    Integer,
    /// Numbers, or missing.
    Float,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Title {
    pub(crate) text: String,
    pub(crate) is_sort_key: bool,
    pub(crate) is_group_key: bool,
}

impl ResultTable {
    pub(crate) fn new(
        query: &str,
        titles: Vec<Title>,
        limit: Option<usize>,
        strict: bool,
    ) -> ResultTable {
        let query = query.to_owned();
        let (text, ends, kinds) = (Vec::new(), Vec::new(), Vec::new());
        let (hidden, hidden_widths) = (0, vec![0; titles.len()]);
        ResultTable { query, titles, limit, strict, text, ends, kinds, hidden, hidden_widths }
    }

    /// So many rows are beyond the limit; of each column the widest cell in them.
    pub(crate) fn hide_rows(&mut self, rows: usize, widths: Vec<usize>) {
        self.hidden = rows;
        self.hidden_widths = widths;
    }

    /// So many rows will be pushed.
    pub(crate) fn reserve(&mut self, rows: usize) {
        let cells = rows.saturating_mul(self.titles.len());
        self.ends.reserve_exact(cells);
        self.kinds.reserve_exact(cells);
    }

    /// Forgets all cells. Returns how long they were together.
    pub(crate) fn clear_cells(&mut self) -> usize {
        let length = self.text.len();
        self.text.clear();
        self.ends.clear();
        self.kinds.clear();
        length
    }

    /// Appends the next cell of the last row, or the first of a new one: a text.
    pub(crate) fn push_cell(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.push(CellKind::Text, write);
    }

    /// The same with a number, as it is printed.
    pub(crate) fn push_number(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.push(CellKind::Number, write);
    }

    /// The same with nothing.
    pub(crate) fn push_missing(&mut self) {
        self.push(CellKind::Missing, |_| ());
    }

    fn push(&mut self, kind: CellKind, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.text);
        self.ends.push(self.text.len());
        self.kinds.push(kind);
    }

    /// Number of rows there are, including those that a limit leaves out of every rendering.
    pub fn rows(&self) -> usize {
        self.kept_rows() + self.hidden
    }

    /// The column titles, as written in the query.
    pub fn titles(&self) -> impl Iterator<Item = &str> {
        self.titles.iter().map(|title| title.text.as_str())
    }

    /// One cell as printed. Panics when there is no such row or column, or a limit leaves it out.
    pub fn cell(&self, row: usize, column: usize) -> &[u8] {
        let index = row * self.titles.len() + column;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    /// What one cell is. Panics as [`ResultTable::cell`].
    pub fn cell_kind(&self, row: usize, column: usize) -> CellKind {
        self.kinds[row * self.titles.len() + column]
    }

    /// What all shown cells of a column are.
    pub fn column_kind(&self, column: usize) -> ColumnKind {
        let mut kind = None;
        for row in 0..self.shown_rows() {
            match self.cell_kind(row, column) {
                CellKind::Missing => {}
                CellKind::Text => return ColumnKind::Text,
                CellKind::Number if is_integer(self.cell(row, column)) => {
                    kind.get_or_insert(ColumnKind::Integer);
                }
                CellKind::Number => kind = Some(ColumnKind::Float),
            }
        }
        kind.unwrap_or(ColumnKind::Text)
    }

    /// Rows that are written to a file: all, up to the query's limit.
    pub fn shown_rows(&self) -> usize {
        self.limit.unwrap_or(usize::MAX).min(self.rows())
    }

    fn kept_rows(&self) -> usize {
        self.ends.len().checked_div(self.titles.len()).unwrap_or(0)
    }

    fn row(&self, row: usize) -> impl Iterator<Item = &[u8]> {
        (0..self.titles.len()).map(move |column| self.cell(row, column))
    }

    /// DTail's text when a query without `limit` has more rows than a terminal is shown.
    pub fn limit_warning(&self) -> Option<String> {
        let rows = self.rows();
        (self.limit.is_none() && rows > TERMINAL_ROWS).then(|| {
            format!(
                "Got {rows} results but limited terminal output to {TERMINAL_ROWS} rows! Use \
                 'limit' clause to override!"
            )
        })
    }

    /// Writes DTail's terminal block: the query, the titles, the rows and one empty line. Columns
    /// are as wide as their widest cell, also one in a row that is not shown.
    pub fn write_text(&self, style: &TableStyle, w: &mut impl Write) -> io::Result<()> {
        write_painted(&style.query, self.query.as_bytes(), w)?;
        w.write_all(b"\n")?;
        if let (Some(paint), Some(warning)) = (&style.limit_warning, self.limit_warning()) {
            write_painted(paint, warning.as_bytes(), w)?;
            w.write_all(b"\n")?;
        }
        let widths = self.widths();
        let titles = self.titles.iter().map(|title| (style.of_title(title), title.text.as_bytes()));
        write_row(&style.delimiter, titles, &widths, w)?;
        for (column, width) in widths.iter().enumerate() {
            if column > 0 {
                write_painted(&style.delimiter, b"|", w)?;
            }
            write_painted(&style.delimiter, &vec![b'-'; width + 2], w)?;
        }
        w.write_all(b"\n")?;
        for row in 0..self.limit.unwrap_or(TERMINAL_ROWS).min(self.rows()) {
            let cells = self.row(row).map(|cell| (&style.data, cell));
            write_row(&style.delimiter, cells, &widths, w)?;
        }
        w.write_all(b"\n")
    }

    /// In bytes, as DTail measures.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.titles.iter().map(|title| title.text.len()).collect();
        widths.iter_mut().zip(&self.hidden_widths).for_each(|(it, hidden)| *it = *hidden.max(it));
        for row in 0..self.kept_rows() {
            for (width, cell) in widths.iter_mut().zip(self.row(row)) {
                *width = cell.len().max(*width);
            }
        }
        widths
    }

    /// Writes comma separated values, with the line of titles if `header`. A value is quoted when
    /// a reader would need it (comma, quote, line end), but never in a strict result.
    pub fn write_csv(&self, header: bool, w: &mut (impl Write + ?Sized)) -> io::Result<()> {
        if header {
            self.write_csv_row(self.titles.iter().map(|title| title.text.as_bytes()), w)?;
        }
        for row in 0..self.shown_rows() {
            self.write_csv_row(self.row(row), w)?;
        }
        Ok(())
    }

    fn write_csv_row<'a>(
        &self,
        cells: impl Iterator<Item = &'a [u8]>,
        w: &mut (impl Write + ?Sized),
    ) -> io::Result<()> {
        for (column, cell) in cells.enumerate() {
            if column > 0 {
                w.write_all(b",")?;
            }
            if self.strict || !cell.iter().any(|byte| b",\"\r\n".contains(byte)) {
                w.write_all(cell)?;
                continue;
            }
            w.write_all(b"\"")?;
            for (index, part) in cell.split(|byte| *byte == b'"').enumerate() {
                w.write_all(if index == 0 { b"" } else { b"\"\"" })?;
                w.write_all(part)?;
            }
            w.write_all(b"\"")?;
        }
        w.write_all(b"\n")
    }
}

impl TableStyle {
    fn of_title(&self, title: &Title) -> &Paint {
        match (title.is_sort_key, title.is_group_key) {
            (false, false) => &self.header,
            (true, false) => &self.header_sort_key,
            (false, true) => &self.header_group_key,
            (true, true) => &self.header_sort_and_group_key,
        }
    }
}

fn write_painted(paint: &Paint, text: &[u8], w: &mut impl Write) -> io::Result<()> {
    w.write_all(paint.before.as_bytes())?;
    w.write_all(text)?;
    w.write_all(paint.after.as_bytes())
}

fn write_row<'a>(
    delimiter: &Paint,
    cells: impl Iterator<Item = (&'a Paint, &'a [u8])>,
    widths: &[usize],
    w: &mut impl Write,
) -> io::Result<()> {
    for (column, ((paint, cell), width)) in cells.zip(widths).enumerate() {
        if column > 0 {
            write_painted(delimiter, b"|", w)?;
        }
        w.write_all(paint.before.as_bytes())?;
        // Widths are in bytes but Go pads by characters, so that columns stay aligned.
        let padding = width.saturating_sub(character_count(cell));
        write!(w, " {:padding$}", "")?;
        w.write_all(cell)?;
        w.write_all(b" ")?;
        w.write_all(paint.after.as_bytes())?;
    }
    w.write_all(b"\n")
}

fn is_integer(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<i64>().is_ok())
}

/// Characters as Go counts them: each byte that is not UTF-8 is one.
fn character_count(bytes: &[u8]) -> usize {
    bytes.utf8_chunks().map(|it| it.valid().chars().count() + it.invalid().len()).sum()
}
