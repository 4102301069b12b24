//! Finds the needed fields of lines in one format. Never filters and never counts.

use super::marks::{Marks, NEWLINES, without_return};
use super::{LogFormat, Outcome, access, csv, default, json, key_value, logfmt, syslog, user};
use crate::aggregator::HostFacts;
use crate::fields::{Fields, Slot, Span};

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
    KeyValue(key_value::Keys),
    Csv(csv::CsvReader),
    Json(json::JsonReader),
    Logfmt(logfmt::LogfmtReader),
    Access(access::AccessReader),
    Syslog(syslog::SyslogReader),
    User(Box<user::UserReader>),
}

impl Reader {
    /// A reader for the slots that `fields` has now; gives the constant ones their values.
    pub(crate) fn new(
        format: &LogFormat,
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
            LogFormat::Default => Layout::Default(default::DefaultReader::new(strict, fields)),
            LogFormat::Generic => Layout::Generic,
            LogFormat::GenericKv => Layout::KeyValue(key_value::Keys::new(strict)),
            LogFormat::Csv => Layout::Csv(csv::CsvReader::new(strict, fields)),
            LogFormat::Json => Layout::Json(json::JsonReader::new(fields)),
            LogFormat::Logfmt => Layout::Logfmt(logfmt::LogfmtReader::new(fields)),
            LogFormat::Common => Layout::Access(access::AccessReader::new(false, fields)),
            LogFormat::Combined => Layout::Access(access::AccessReader::new(true, fields)),
            LogFormat::Syslog => Layout::Syslog(syslog::SyslogReader::new(fields)),
            LogFormat::Named(format) => {
                Layout::User(Box::new(user::UserReader::new(format, fields)))
            }
        };
        Reader { whole_line: fields.slot(b"$line"), layout, strict }
    }

    /// Another source begins.
    pub(crate) fn start_source(&mut self) {
        if let Layout::Csv(csv) = &mut self.layout {
            csv.forget_header();
        }
    }

    /// Whether lines can be read: the header of their source was.
    pub(crate) fn knows_columns(&self) -> bool {
        match &self.layout {
            Layout::Csv(csv) => csv.has_header(),
            _ => true,
        }
    }

    /// Reads the next line and sets `fields` to those of it. They are meaningless unless it is a
    /// record.
    #[inline]
    pub(crate) fn next<'a>(
        &mut self,
        marks: &mut Marks<'a>,
        fields: &mut Fields,
    ) -> (&'a [u8], Outcome) {
        let (newline, outcome) = if let Layout::Csv(csv) = &mut self.layout {
            csv.read(marks, fields)
        } else {
            fields.begin_line();
            match &mut self.layout {
                Layout::Default(default) => default.read(marks, fields),
                Layout::KeyValue(keys) => (keys.read(marks, 0, fields).0, Outcome::Record),
                Layout::Json(json) => json.read(marks, fields),
                _ => self.read_whole(marks, fields),
            }
        };
        let line = marks.end_line(newline);
        if let Some(slot) = self.whole_line
            && !fields.is_present(slot)
        {
            let (start, end) = trimmed(line);
            fields.put(slot, Span::Line(start, end));
        }
        (line, outcome)
    }

    /// The formats whose lines are read one by one.
    fn read_whole(&mut self, marks: &mut Marks<'_>, fields: &mut Fields) -> (usize, Outcome) {
        let newline = marks.newline(NEWLINES);
        let mut line = &marks.rest()[..newline];
        if !self.strict {
            line = &line[..without_return(line, newline)];
        }
        let outcome = match &mut self.layout {
            Layout::Logfmt(logfmt) => logfmt.read(line, fields),
            Layout::Access(access) => access.read(line, fields),
            Layout::Syslog(syslog) => syslog.read(line, fields),
            Layout::User(user) => user.read(line, fields),
            _ => Outcome::Record,
        };
        (newline, outcome)
    }

    /// Where the line that was read has the name of its table, if it is where it belongs.
    #[inline]
    pub(crate) fn table(&self) -> usize {
        match &self.layout {
            Layout::Default(default) => default.table(),
            _ => 0,
        }
    }
}

/// Bounds of the line without the white space (Unicode's) around it.
#[inline]
fn trimmed(line: &[u8]) -> (usize, usize) {
    match line {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => (0, line.len()),
        _ => without_spaces(line),
    }
}

fn without_spaces(line: &[u8]) -> (usize, usize) {
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
