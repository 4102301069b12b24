//! Comma separated values whose first line names the columns.
//!
//! DTail knows no quotes; unless it is to be copied exactly, fields may be quoted as RFC 4180 says,
//! within one line.

use memchr::{memchr, memchr_iter};

use super::marks::{Marks, has};
use super::{Misfit, Outcome};
use crate::fields::{Fields, Slot, Span};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reader of one source after the other.
#[derive(Debug, Clone)]
pub(super) struct CsvReader {
    /// Where each column goes, if it is needed.
    columns: Vec<Option<Slot>>,
    /// So many columns are enough to know the needed ones.
    needed: usize,
    has_header: bool,
    /// As DTail: no quotes, and an empty line is a record.
    strict: bool,
}

impl CsvReader {
    pub(super) fn new(strict: bool) -> CsvReader {
        CsvReader { columns: Vec::new(), needed: 0, has_header: false, strict }
    }

    pub(super) fn has_header(&self) -> bool {
        self.has_header
    }

    pub(super) fn forget_header(&mut self) {
        self.has_header = false;
    }

    pub(super) fn read(&mut self, line: &[u8], fields: &mut Fields) -> Outcome {
        if !self.strict && line.is_empty() {
            return Outcome::Nothing;
        }
        if !self.has_header {
            return self.read_header(line, fields);
        }
        if self.strict {
            return self.read_strictly(line, fields);
        }
        if has(b'"', line) {
            return self.read_quoted(line, fields);
        }
        let mut commas = Marks::of(b',', line);
        let mut start = 0;
        let mut is_over = false;
        for column in &self.columns[..self.needed] {
            let end = commas.next();
            is_over = end.is_none();
            let end = end.unwrap_or(line.len());
            if let Some(slot) = *column {
                fields.put(slot, Span::Line(start, end));
            }
            if is_over {
                break;
            }
            start = end + 1;
        }
        // As many fields as there are commas behind those that were passed, and one more.
        let more = if is_over { 0 } else { commas.count_rest() + 1 };
        if !is_over && self.needed + more > self.columns.len() {
            return Outcome::Misfit(Misfit::ManyColumns);
        }
        Outcome::Record
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
        self.needed = self.columns.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.has_header = true;
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
