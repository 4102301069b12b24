//! A table of texts, as aligned columns or as Markdown.

use std::fmt::Write as _;

/// A header and rows of the same number of cells.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column titles.
    pub(crate) fn new(titles: &[&str]) -> Self {
        Self { rows: vec![titles.iter().map(|title| (*title).to_owned()).collect()] }
    }

    /// Adds a row; `cells` has as many cells as there are titles.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.rows[0].len());
        self.rows.push(cells.into());
    }

    /// The same when the number of columns is known only at run time.
    pub(crate) fn cells(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.rows[0].len());
        self.rows.push(cells);
    }

    /// Columns padded to their widest cell, two blanks apart.
    pub(crate) fn text(&self) -> String {
        let columns = self.rows[0].len();
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                // Writing to a String cannot fail.
                let _infallible = write!(line, "{cell:<width$}  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
            if number == 0 {
                text.push_str(&"-".repeat(widths.iter().sum::<usize>() + 2 * (columns - 1)));
                text.push('\n');
            }
        }
        text
    }

    /// A Markdown table.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let safe: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", safe.join(" | "))
        };
        let mut text = line(&self.rows[0]);
        text.push_str(&line(&vec!["---".to_owned(); self.rows[0].len()]));
        text.extend(self.rows[1..].iter().map(|row| line(row)));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn columns_are_aligned_and_bars_are_escaped() {
        let mut table = Table::new(&["tool", "Ø"]);
        table.row(["dcat|x".into(), "1".into()]);
        expect![[r#"
            tool    Ø
            ---------
            dcat|x  1
        "#]]
        .assert_eq(&table.text());
        expect![[r#"
            | tool | Ø |
            | --- | --- |
            | dcat\|x | 1 |
        "#]]
        .assert_eq(&table.markdown());
    }
}
