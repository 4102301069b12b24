//! A table on a terminal that takes the place of the one before it. Never makes a table and never
//! looks at what is in it.

use std::io::{self, IsTerminal};

use rustix::termios::{Winsize, tcgetwinsize};

/// From here on characters may take two columns.
const FIRST_WIDE: char = '\u{1100}';

/// What was printed last.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// How wide each line of the last table is, if nothing was printed after it.
    last: Option<Vec<usize>>,
}

impl Screen {
    /// Standard output, if it is a terminal that can be written over.
    pub(crate) fn standard() -> Option<Screen> {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        (!is_dumb && io::stdout().is_terminal()).then(Screen::default)
    }

    /// Something else was printed, below which the next table goes.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }

    /// What goes before `table` so that it takes the place of the last one.
    pub(crate) fn prepare(&mut self, table: &[u8]) -> String {
        let size = tcgetwinsize(io::stdout()).unwrap_or(Winsize {
            ws_row: 0,
            ws_col: 0,
            ws_xpixel: 0,
            ws_ypixel: 0,
        });
        self.replace(table, usize::from(size.ws_row), usize::from(size.ws_col))
    }

    fn replace(&mut self, table: &[u8], rows: usize, columns: usize) -> String {
        let text = String::from_utf8_lossy(table);
        let widths: Option<Vec<usize>> = text.lines().map(width).collect();
        let fits = |widths: &Vec<usize>| height(widths, columns) < rows;
        let next = widths.filter(|widths| columns > 0 && fits(widths));
        let last = std::mem::replace(&mut self.last, next);
        match last.filter(fits) {
            Some(last) if self.last.is_some() && !last.is_empty() => {
                format!("\x1b[{}A\r\x1b[J", height(&last, columns))
            }
            _ => String::new(),
        }
    }
}

/// Lines of the screen.
fn height(widths: &[usize], columns: usize) -> usize {
    widths.iter().map(|width| width.div_ceil(columns).max(1)).sum()
}

/// Columns that a line takes; `None` if that depends on the terminal.
fn width(line: &str) -> Option<usize> {
    let mut width = 0;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            // The colours of a table are the only escape sequences there are.
            '\x1b' => {
                rest.find(|c| *c == 'm')?;
            }
            c if c.is_control() || c >= FIRST_WIDE => return None,
            _ => width += 1,
        }
    }
    Some(width)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::Screen;

    /// What goes before each of the tables on a terminal of 5 rows and 10 columns.
    #[track_caller]
    fn check(tables: &[&str], expected: &Expect) {
        let mut screen = Screen::default();
        let before = tables.iter().map(|table| match *table {
            "forget" => {
                screen.forget();
                "-".to_owned()
            }
            table => screen.replace(table.as_bytes(), 5, 10).replace('\x1b', "^"),
        });
        expected.assert_eq(&before.collect::<Vec<_>>().join(" | "));
    }

    #[test]
    fn a_table_takes_the_place_of_the_last() {
        check(&["a\nb\n", "c\n", "d\n"], &expect![" | ^[2A\r^[J | ^[1A\r^[J"]);
    }

    #[test]
    fn lines_that_wrap_are_counted_and_colours_are_not() {
        check(&["12345678901\n\x1b[31m123456789\x1b[0m0\n", "\n"], &expect![" | ^[3A\r^[J"]);
    }

    #[test]
    fn what_does_not_fit_or_was_followed_by_something_stays() {
        check(&["1\n2\n3\n4\n5\n", "a\n", "b\n"], &expect![" |  | ^[1A\r^[J"]);
        check(&["a\n", "1\n2\n3\n4\n5\n", "b\n"], &expect![" |  | "]);
        check(&["a\n", "forget", "b\n", "c\n"], &expect![" | - |  | ^[1A\r^[J"]);
        check(&["\u{4e2d}\n", "b\n", "\t\n"], &expect![" |  | "]);
    }
}
