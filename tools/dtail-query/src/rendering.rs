//! The renderings of a result that other programs read: JSON, JSON lines, CSV, tab separated values
//! and Markdown. Never opens a file and never decides which one is wanted.

mod json;
mod markdown;
mod tsv;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use crate::ResultTable;

/// A text form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// One array with an object per row. Numbers are numbers; what is missing, infinite or not a
    /// number is null; bytes that are not UTF-8 become U+FFFD.
    Json,
    /// One such object per line.
    JsonLines,
    /// DTail's comma separated values.
    Csv,
    /// Tab separated values; tab, line end and backslash are written `\t`, `\n`, `\r`, `\\`.
    Tsv,
    /// A table of GitHub's Markdown.
    Markdown,
}

impl OutputFormat {
    /// Whether rows of a later result can follow those of an earlier one in the same file.
    pub fn is_appendable(self) -> bool {
        self != OutputFormat::Json
    }
}

impl ResultTable {
    /// Writes all rows up to the limit, after the titles in formats that have a line of them.
    pub fn write_as(&self, format: OutputFormat, w: &mut dyn Write) -> io::Result<()> {
        self.write_rows_as(format, true, w)
    }

    /// The same, with the line of titles only if `header`.
    pub fn write_rows_as(
        &self,
        format: OutputFormat,
        header: bool,
        w: &mut dyn Write,
    ) -> io::Result<()> {
        match format {
            OutputFormat::Json => json::write_array(self, w),
            OutputFormat::JsonLines => json::write_lines(self, w),
            OutputFormat::Csv => self.write_csv(header, w),
            OutputFormat::Tsv => tsv::write(self, header, w),
            OutputFormat::Markdown => markdown::write(self, header, w),
        }
    }

    /// The titles as names of columns, of which no two may be the same.
    pub fn distinct_titles(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for title in self.titles() {
            let repeated = (2..).map(|number| format!("{title}_{number}"));
            let mut candidates = std::iter::once(title.to_owned()).chain(repeated);
            // There are more candidates than columns.
            names.extend(candidates.find(|name| !names.contains(name)));
        }
        names
    }
}

/// Writes `text`, of which each byte that has a replacement is replaced.
fn write_escaped(
    text: &[u8],
    replacement: impl Fn(u8) -> Option<&'static [u8]>,
    w: &mut dyn Write,
) -> io::Result<()> {
    let mut start = 0;
    for (index, &byte) in text.iter().enumerate() {
        if let Some(replacement) = replacement(byte) {
            w.write_all(&text[start..index])?;
            w.write_all(replacement)?;
            start = index + 1;
        }
    }
    w.write_all(&text[start..])
}
