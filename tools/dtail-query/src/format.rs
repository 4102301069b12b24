//! Log formats: which one a query reads, which fields its lines can have.
//!
//! A reader only notes where the needed values are; it never filters and never counts.

mod access;
mod csv;
mod default;
mod json;
mod json_text;
mod key_value;
mod logfmt;
mod marks;
mod misfit;
mod reader;
#[cfg(test)]
mod structured_tests;
mod syslog;
#[cfg(test)]
mod tests;
mod user;

use std::fmt;
use std::sync::Arc;

use crate::{
    fields::{Fields, Slot},
    query::Query,
    sample,
};

pub(crate) use marks::Marks;
pub(crate) use misfit::{Misfit, Outcome};
pub(crate) use reader::Reader;
pub use user::{BadFormat, UserFormat, UserFormats};

/// Names of the field that `$time` is, where a format has no place for it.
const TIME_NAMES: [&str; 4] = ["time", "timestamp", "@timestamp", "ts"];

/// How a log line is taken apart into fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFormat {
    /// DTail's own lines: `INFO|…|MAPREDUCE:TABLE|key=value|…`.
    Default,
    /// Any line; only the variables every format has.
    Generic,
    /// `key=value|key=value`.
    GenericKv,
    /// Comma separated values; the first line of each source names the columns.
    Csv,
    /// One JSON object per line.
    Json,
    /// `key=value key="some text"`.
    Logfmt,
    /// Access logs of web servers, up to the bytes sent.
    Common,
    /// The same with referer and user agent.
    Combined,
    /// RFC 5424 and RFC 3164.
    Syslog,
    /// One of the configuration.
    Named(Arc<UserFormat>),
}

impl LogFormat {
    const BUILT_IN: [(&'static str, LogFormat); 10] = [
        ("default", LogFormat::Default),
        ("generic", LogFormat::Generic),
        ("generickv", LogFormat::GenericKv),
        ("csv", LogFormat::Csv),
        ("json", LogFormat::Json),
        ("jsonl", LogFormat::Json),
        ("logfmt", LogFormat::Logfmt),
        ("common", LogFormat::Common),
        ("combined", LogFormat::Combined),
        ("syslog", LogFormat::Syslog),
    ];

    /// The format a query reads: its `logformat` clause, else `generic` when there is no `from`,
    /// else `default` (the configured name). DTail falls back to [`LogFormat::Generic`] on the
    /// error; callers that want its exact behaviour do the same.
    pub fn choose(
        query: &Query,
        default: &str,
        user_formats: &UserFormats,
    ) -> Result<LogFormat, UnknownFormat> {
        let name = match (query.log_format(), query.table()) {
            (Some(name), _) => name,
            (None, None) => return Ok(LogFormat::Generic),
            (None, Some(_)) => default,
        };
        if let Some((_, format)) = LogFormat::BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Ok(format.clone());
        }
        let problem = match user_formats.find(name) {
            Some(Ok(format)) => return Ok(LogFormat::Named(Arc::new(format))),
            Some(Err(err)) => Some(err),
            None => None,
        };
        let known = LogFormat::BUILT_IN.iter().map(|(name, _)| *name).chain(user_formats.names());
        let known = known.collect::<Vec<_>>().join(", ");
        Err(UnknownFormat { name: name.to_owned(), known, problem })
    }

    /// The name a query gives.
    pub fn name(&self) -> &str {
        match self {
            LogFormat::Named(format) => format.name(),
            _ => {
                let mut formats = LogFormat::BUILT_IN.iter();
                formats.find(|(_, format)| format == self).map_or("", |(name, _)| name)
            }
        }
    }

    pub(crate) fn is_built_in(name: &str) -> bool {
        LogFormat::BUILT_IN.iter().any(|(known, _)| *known == name)
    }

    /// Whether the first line of each source says what the others hold.
    pub fn has_header(&self) -> bool {
        *self == LogFormat::Csv
    }

    /// Whether a value stands in the line as it is, byte for byte. In the other formats those of
    /// letters, digits, blanks and `_-.:@` do; they may write `/` in another way.
    pub fn is_verbatim(&self) -> bool {
        !matches!(self, LogFormat::Json | LogFormat::Logfmt | LogFormat::Csv)
    }

    /// Whether a field with this text in it has it from the line, and not from what the line means.
    pub(crate) fn takes_from_line(&self, field: &str, text: &[u8]) -> bool {
        match self {
            // What is said by a mere name.
            LogFormat::Logfmt => memchr::memmem::find(b"true", text).is_none(),
            // Parts of a number.
            LogFormat::Syslog => !matches!(field, "facility" | "severity"),
            _ => true,
        }
    }

    /// Whether `variable`, with its `$`, is one that lines of this format can have.
    pub(crate) fn has_variable(&self, variable: &str) -> bool {
        let has_time = match self {
            LogFormat::Default | LogFormat::Generic | LogFormat::GenericKv | LogFormat::Csv => {
                false
            }
            LogFormat::Named(format) => format.fields().any(|field| field == "time"),
            _ => true,
        };
        COMMON_VARIABLES.contains(&variable)
            || (has_time && variable == "$time")
            || (*self == LogFormat::Default && default::has_variable(variable))
    }

    /// The fields of a line and their values, to be shown to people; of CSV the columns by their
    /// numbers.
    pub fn fields_of(&self, line: &[u8]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut each = |name: &[u8], value: &[u8]| found.push((text(name), text(value)));
        let places = |names: &[&str], places: &[Option<(usize, usize)>]| {
            let values = names.iter().zip(places);
            let values = values.filter_map(|(name, place)| Some((*name, (*place)?)));
            let values = values.filter(|(name, _)| !name.starts_with('$'));
            values.map(|(name, (from, to))| (name.to_owned(), text(&line[from..to]))).collect()
        };
        match self {
            LogFormat::Default => default::each_field(line, &mut each),
            LogFormat::Generic => each(b"$line", line),
            LogFormat::GenericKv => key_value::each_field(line, &mut each),
            LogFormat::Csv => {
                let mut number = 0;
                csv::each_column(line, &mut |value| {
                    number += 1;
                    each(number.to_string().as_bytes(), value);
                });
            }
            LogFormat::Json => json::each_field(line, &mut each),
            LogFormat::Logfmt => logfmt::each_field(line, &mut each),
            LogFormat::Common | LogFormat::Combined => {
                let is_combined = *self == LogFormat::Combined;
                let found = access::places(line, is_combined);
                return found.map_or(Vec::new(), |found| places(&access::NAMES, &found));
            }
            LogFormat::Syslog => {
                let Some((found, priority)) = syslog::places(line) else { return Vec::new() };
                let mut found: Vec<(String, String)> = places(&syslog::NAMES, &found);
                if let Some((facility, severity)) = priority.map(syslog::parts) {
                    found.push(("facility".to_owned(), facility.to_owned()));
                    found.push(("severity".to_owned(), severity.to_owned()));
                }
                return found;
            }
            LogFormat::Named(format) => format.each_field(line, &mut each),
        }
        found
    }
}

const COMMON_VARIABLES: [&str; 6] =
    ["$line", "$empty", "$hostname", "$server", "$timezone", "$timeoffset"];

/// A log format that cannot be read. One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFormat {
    /// The name as typed or configured.
    pub name: String,
    /// The names that there are.
    known: String,
    /// It is known, but of no use.
    problem: Option<BadFormat>,
}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(problem) = &self.problem {
            return write!(f, "{problem}");
        }
        let (name, known) = (sample::quoted(&self.name), &self.known);
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

/// Which of a format's own names are wanted.
#[derive(Debug, Clone)]
struct Named {
    /// Slot, index of the name.
    slots: Vec<(Slot, usize)>,
}

impl Named {
    fn new(names: &[&str], fields: &Fields) -> Named {
        let named = names.iter().enumerate();
        let slots = named
            .filter_map(|(index, name)| Some((fields.slot(name.as_bytes())?, index)))
            .collect();
        Named { slots }
    }
}
