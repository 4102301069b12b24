//! Log formats: which one a query reads, and the reader that finds a line's fields.
//!
//! A reader only notes where the needed values are; it never filters and never counts.

mod csv;
mod default;
mod key_value;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::{
    aggregator::HostFacts,
    fields::{Fields, Slot, Span},
    query::Query,
    sample,
};

/// How a log line is taken apart into fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// DTail's own lines: `INFO|…|MAPREDUCE:TABLE|key=value|…`.
    Default,
    /// Any line; only the variables every format has.
    Generic,
    /// `key=value|key=value`.
    GenericKv,
    /// Comma separated values; the first line of each source names the columns.
    Csv,
}

impl LogFormat {
    const NAMED: [(&'static str, LogFormat); 4] = [
        ("default", LogFormat::Default),
        ("generic", LogFormat::Generic),
        ("generickv", LogFormat::GenericKv),
        ("csv", LogFormat::Csv),
    ];

    /// The format a query reads: its `logformat` clause, else `generic` when there is no `from`,
    /// else `default` (the configured name). DTail falls back to [`LogFormat::Generic`] on the
    /// error; callers that want its exact behaviour do the same.
    pub fn choose(query: &Query, default: &str) -> Result<LogFormat, UnknownFormat> {
        let name = match (query.log_format(), query.table()) {
            (Some(name), _) => name,
            (None, None) => return Ok(LogFormat::Generic),
            (None, Some(_)) => default,
        };
        match LogFormat::NAMED.iter().find(|(known, _)| *known == name) {
            Some((_, format)) => Ok(*format),
            None => Err(UnknownFormat { name: name.to_owned() }),
        }
    }

    /// Every field of a line with its value; of CSV the columns by their numbers.
    pub fn fields_of(&self, line: &[u8]) -> Vec<(String, String)> {
        let line = String::from_utf8_lossy(line.trim_ascii_end());
        let pairs = |separator| {
            let pairs = line.split(separator).filter_map(|part| part.split_once('='));
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        match self {
            LogFormat::Generic => vec![("$line".to_owned(), line.to_string())],
            LogFormat::Default | LogFormat::GenericKv => pairs('|'),
            LogFormat::Csv => {
                let columns = (1..).zip(line.split(','));
                columns.map(|(number, value)| (number.to_string(), value.to_owned())).collect()
            }
        }
    }

    /// The name a query gives.
    pub(crate) fn name(self) -> &'static str {
        match self {
            LogFormat::Default => "default",
            LogFormat::Generic => "generic",
            LogFormat::GenericKv => "generickv",
            LogFormat::Csv => "csv",
        }
    }

    /// Whether values stand in lines as they are, nothing escaped.
    pub(crate) fn is_verbatim(&self) -> bool {
        *self != LogFormat::Csv
    }

    /// Whether `variable`, with its `$`, is one that lines of this format can have.
    pub(crate) fn has_variable(self, variable: &str) -> bool {
        COMMON_VARIABLES.contains(&variable)
            || (self == LogFormat::Default && default::has_variable(variable))
    }
}

const COMMON_VARIABLES: [&str; 6] =
    ["$line", "$empty", "$hostname", "$server", "$timezone", "$timeoffset"];

/// A log format name that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFormat {
    /// The name as typed or configured.
    pub name: String,
}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = sample::quoted(&self.name);
        let known = LogFormat::NAMED.map(|(name, _)| name).join(", ");
        match self.name.as_str() {
            // DTail knows these names, but the open build has nothing behind them.
            "mimecast" | "mimecastgeneric" | "custom1" | "custom2" => {
                write!(f, "log format {name} is not available (available: {known})")
            }
            _ => write!(f, "unknown log format {name} (known: {known})"),
        }
    }
}

impl std::error::Error for UnknownFormat {}

/// What a reader made of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The fields are set.
    Record,
    /// A line that is no record and no mistake: a header, a blank line.
    Nothing,
    Misfit(Misfit),
}

/// Why a line does not fit its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    NotInfo,
    FewFields,
    NotMapreduce,
    NoEquals,
    ManyColumns,
    OpenQuote,
}

impl Misfit {
    /// In the order of their declaration.
    pub(crate) const ALL: [Misfit; 6] = [
        Misfit::NotInfo,
        Misfit::FewFields,
        Misfit::NotMapreduce,
        Misfit::NoEquals,
        Misfit::ManyColumns,
        Misfit::OpenQuote,
    ];

    pub(crate) fn reason(self) -> &'static str {
        match self {
            Misfit::NotInfo => "not beginning with INFO",
            Misfit::FewFields => "less than 11 fields",
            Misfit::NotMapreduce => "field 10 not beginning with MAPREDUCE:",
            Misfit::NoEquals => "a field without =",
            Misfit::ManyColumns => "more fields than the header",
            Misfit::OpenQuote => "a quote that is never closed",
        }
    }
}

/// Finds the needed fields of lines in one format.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    /// Where `$line` goes.
    whole_line: Option<Slot>,
    layout: Layout,
    /// As DTail: a carriage return at the end of a line belongs to its last field.
    strict: bool,
}

#[derive(Debug, Clone)]
enum Layout {
    Default(default::DefaultReader),
    Generic,
    KeyValue,
    Csv(csv::CsvReader),
}

impl Reader {
    /// A reader for the slots that `fields` has now; gives the constant ones their values.
    pub(crate) fn new(
        format: LogFormat,
        host: &HostFacts,
        strict: bool,
        fields: &mut Fields,
    ) -> Reader {
        fields.set_for_all_lines("*", "*");
        fields.set_for_all_lines("$empty", "");
        fields.set_for_all_lines("$hostname", &host.hostname);
        fields.set_for_all_lines("$server", &host.hostname);
        fields.set_for_all_lines("$timezone", &host.timezone);
        fields.set_for_all_lines("$timeoffset", &host.timeoffset.to_string());
        let layout = match format {
            LogFormat::Default => Layout::Default(default::DefaultReader::new(fields)),
            LogFormat::Generic => Layout::Generic,
            LogFormat::GenericKv => Layout::KeyValue,
            LogFormat::Csv => Layout::Csv(csv::CsvReader::new(strict)),
        };
        Reader { whole_line: fields.slot(b"$line"), layout, strict }
    }

    /// Another source begins.
    pub(crate) fn start_source(&mut self) {
        if let Layout::Csv(csv) = &mut self.layout {
            csv.forget_header();
        }
    }

    /// Sets `fields` to those of `line`. They are meaningless unless it is a record.
    pub(crate) fn read(&mut self, line: &[u8], fields: &mut Fields) -> Outcome {
        fields.begin_line();
        let end = if self.strict { None } else { line.strip_suffix(b"\r") };
        let line = end.unwrap_or(line);
        if let Some(slot) = self.whole_line {
            let (start, end) = trimmed(line);
            fields.put(slot, Span::Line(start, end));
        }
        match &mut self.layout {
            Layout::Default(default) => default.read(line, fields),
            Layout::Generic => Outcome::Record,
            Layout::KeyValue => key_value::read(line, fields),
            Layout::Csv(csv) => csv.read(line, fields),
        }
    }
}

/// Bounds of the line without the white space (Unicode's) around it.
fn trimmed(line: &[u8]) -> (usize, usize) {
    let mut start = 0;
    let mut end = line.len();
    while let Some(length) = space_at_start(&line[start..end]) {
        start += length;
    }
    while let Some(length) = space_at_end(&line[start..end]) {
        end -= length;
    }
    (start, end)
}

fn space_at_start(text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    if first < 0x80 {
        return char::from(first).is_whitespace().then_some(1);
    }
    // The longest white space character has three bytes.
    (2..=text.len().min(3)).find(|&length| is_one_space(&text[..length]))
}

fn space_at_end(text: &[u8]) -> Option<usize> {
    let last = *text.last()?;
    if last < 0x80 {
        return char::from(last).is_whitespace().then_some(1);
    }
    (2..=text.len().min(3)).find(|&length| is_one_space(&text[text.len() - length..]))
}

fn is_one_space(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut chars = text.chars();
    chars.next().is_some_and(char::is_whitespace) && chars.next().is_none()
}
