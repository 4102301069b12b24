//! Comma separated values whose first line names the columns.
//!
//! DTail knows no quotes; unless it is to be copied exactly, fields may be quoted as RFC 4180 says,
//! within one line.

use std::collections::HashSet;

use memchr::{memchr, memchr_iter};

use super::marks::{Marks, without_return};
use super::{Misfit, Outcome};
use crate::fields::{Fields, Slot, Span};

/// What ends a field, and what makes one more than that.
const MARKS: [u8; 3] = *b",\n\"";
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reader of one source after the other.
#[derive(Debug, Clone)]
pub(super) struct CsvReader {
    /// Where each column goes, if it is needed.
    columns: Vec<Option<Slot>>,
    /// Nobody else puts values into slots.
    is_alone: bool,
    /// Each line replaces what the line before has put into slots.
    replaces: bool,
    has_header: bool,
    /// As DTail: no quotes, and an empty line is a record.
    strict: bool,
}

impl CsvReader {
    pub(super) fn new(strict: bool, fields: &Fields) -> CsvReader {
        let is_alone = !fields.are_set && fields.slot(b"$line").is_none();
        CsvReader { columns: Vec::new(), is_alone, replaces: false, has_header: false, strict }
    }

    pub(super) fn has_header(&self) -> bool {
        self.has_header
    }

    pub(super) fn forget_header(&mut self) {
        self.has_header = false;
    }

    /// Reads a line up to its newline, which is at the place that is returned.
    #[inline]
    pub(super) fn read(&mut self, marks: &mut Marks<'_>, fields: &mut Fields) -> (usize, Outcome) {
        if !self.has_header || self.strict {
            fields.begin_line();
            return self.read_whole(marks, fields);
        }
        if self.replaces {
            fields.begin_alike_line();
        } else {
            fields.begin_line();
        }
        let mut start = 0;
        let mut quick = marks.clone();
        let mut columns = self.columns.iter();
        let (last, at, mark) = loop {
            let Some(column) = columns.next() else {
                *marks = quick;
                return (marks.newline(MARKS), Outcome::Misfit(Misfit::ManyColumns));
            };
            let (at, mark) = quick.next(MARKS);
            if mark != b',' {
                break (*column, at, mark);
            }
            if let Some(slot) = *column {
                fields.put(slot, Span::Line(start, at));
            }
            start = at + 1;
        };
        *marks = quick;
        if mark != b'\n' {
            return self.end_quoted(marks, fields);
        }
        if let Some(slot) = last {
            fields.put(slot, Span::Line(start, without_return(marks.rest(), at)));
        }
        if self.replaces {
            columns.flatten().for_each(|slot| fields.put_initial(*slot));
        }
        let is_empty = at == 0 || at == 1 && marks.rest()[0] == b'\r';
        (at, if is_empty { Outcome::Nothing } else { Outcome::Record })
    }

    /// A line with a quote.
    #[inline(never)]
    fn end_quoted(&self, marks: &mut Marks<'_>, fields: &mut Fields) -> (usize, Outcome) {
        fields.begin_line();
        let newline = marks.newline(MARKS);
        let line = &marks.rest()[..without_return(marks.rest(), newline)];
        (newline, self.read_quoted(line, fields))
    }

    /// Reads headers, and lines as DTail does.
    fn read_whole(&mut self, marks: &mut Marks<'_>, fields: &mut Fields) -> (usize, Outcome) {
        let newline = marks.newline(MARKS);
        let mut line = &marks.rest()[..newline];
        if !self.strict {
            line = &line[..without_return(line, newline)];
        }
        let outcome = match line {
            b"" if !self.strict => Outcome::Nothing,
            _ if !self.has_header => self.read_header(line, fields),
            _ => self.read_strictly(line, fields),
        };
        (newline, outcome)
    }

    fn read_strictly(&self, line: &[u8], fields: &mut Fields) -> Outcome {
        let mut start = 0;
        let mut columns = self.columns.iter();
        for end in memchr_iter(b',', line).chain([line.len()]) {
            let Some(column) = columns.next() else {
                return Outcome::Misfit(Misfit::ManyColumns);
            };
            if let Some(slot) = *column {
                fields.put(slot, Span::Line(start, end));
            }
            start = end + 1;
        }
        Outcome::Record
    }

    fn read_quoted(&self, line: &[u8], fields: &mut Fields) -> Outcome {
        let mut columns = self.columns.iter();
        let mut next = Some(0);
        while let Some(start) = next {
            let Some(column) = columns.next() else {
                return Outcome::Misfit(Misfit::ManyColumns);
            };
            let Some((span, following)) = field_at(start, line, fields) else {
                return Outcome::Misfit(Misfit::OpenQuote);
            };
            if let Some(slot) = *column {
                fields.put(slot, span);
            }
            next = following;
        }
        Outcome::Record
    }

    fn read_header(&mut self, line: &[u8], fields: &mut Fields) -> Outcome {
        let mut names = line;
        self.columns.clear();
        if self.strict {
            self.columns.extend(names.split(|byte| *byte == b',').map(|name| fields.slot(name)));
        } else {
            names = names.strip_prefix(BYTE_ORDER_MARK).unwrap_or(names);
            let mut next = Some(0);
            while let Some(start) = next {
                let Some((span, following)) = field_at(start, names, fields) else {
                    return Outcome::Misfit(Misfit::OpenQuote);
                };
                let slot = fields.bytes(span, names).and_then(|name| fields.slot(name));
                self.columns.push(slot);
                next = following;
            }
        }
        self.has_header = true;
        // Of two columns of one name, a line may have the first only.
        let slots: HashSet<Slot> = self.columns.iter().flatten().copied().collect();
        self.replaces = self.is_alone && slots.len() == self.columns.iter().flatten().count();
        // What lines of the source before had is not there any more.
        fields.begin_line();
        Outcome::Nothing
    }
}

/// The field that begins at `start`, and where the next one begins. None: its quote stays open.
///
/// Text after the closing quote belongs to the field, as most readers have it.
fn field_at(start: usize, line: &[u8], fields: &mut Fields) -> Option<(Span, Option<usize>)> {
    if line.get(start) != Some(&b'"') {
        let end = comma_from(start, line);
        return Some((Span::Line(start, end), after(end, line)));
    }
    let first = start + 1;
    let mut quote = first + memchr(b'"', &line[first..])?;
    let end = comma_from(quote + 1, line);
    if end == quote + 1 {
        return Some((Span::Line(first, quote), after(end, line)));
    }
    let computed = fields.computed_length();
    let mut from = first;
    loop {
        fields.compute(&line[from..quote]);
        if line.get(quote + 1) != Some(&b'"') {
            break;
        }
        fields.compute(b"\"");
        from = quote + 2;
        quote = from + memchr(b'"', &line[from..])?;
    }
    let end = comma_from(quote + 1, line);
    fields.compute(&line[quote + 1..end]);
    Some((fields.computed_since(computed), after(end, line)))
}

fn comma_from(start: usize, line: &[u8]) -> usize {
    memchr(b',', &line[start..]).map_or(line.len(), |offset| start + offset)
}

fn after(end: usize, line: &[u8]) -> Option<usize> {
    (end < line.len()).then_some(end + 1)
}

/// The values of all columns, or their names if it is a header.
pub(super) fn each_column(header: &[u8], each: &mut dyn FnMut(&[u8])) {
    let header = header.strip_prefix(BYTE_ORDER_MARK).unwrap_or(header);
    let mut fields = Fields::default();
    let mut next = Some(0);
    while let Some(start) = next {
        let Some((span, following)) = field_at(start, header, &mut fields) else { return };
        each(fields.bytes(span, header).unwrap_or_default());
        next = following;
    }
}
