//! logfmt: `key=value key="value with blanks" flag`. Quoted values have the escapes of JSON. A flag
//! is `true`.

use memchr::memchr;

use super::marks::first_of;
use super::{Misfit, Outcome, TIME_NAMES, json_text};
use crate::fields::{Fields, Slot, Span};

/// Reader of lines.
#[derive(Debug, Clone)]
pub(super) struct LogfmtReader {
    time: Option<Slot>,
}

/// One field of a line.
struct Field {
    /// From, to.
    key: (usize, usize),
    value: Value,
    /// Where the next one begins, or blanks before it.
    end: usize,
}

enum Value {
    Flag,
    Plain(usize, usize),
    Escaped(usize, usize),
}

impl LogfmtReader {
    pub(super) fn new(fields: &Fields) -> LogfmtReader {
        LogfmtReader { time: fields.slot(b"$time") }
    }

    pub(super) fn read(&self, line: &[u8], fields: &mut Fields) -> Outcome {
        let mut at = 0;
        let mut outcome = Outcome::Nothing;
        loop {
            while let Some(b' ' | b'\t' | b'\r') = line.get(at) {
                at += 1;
            }
            if at >= line.len() {
                return outcome;
            }
            let Some(field) = field_at(at, line) else {
                return Outcome::Misfit(Misfit::OpenQuote);
            };
            outcome = Outcome::Record;
            at = field.end;
            let key = &line[field.key.0..field.key.1];
            let slot = fields.slot(key);
            if slot.is_none() && self.time.is_none() {
                continue;
            }
            let time = self.time.filter(|_| TIME_NAMES.iter().any(|name| name.as_bytes() == key));
            let span = span(&field.value, line, fields);
            for slot in slot.into_iter().chain(time) {
                fields.put(slot, span);
            }
        }
    }
}

fn span(value: &Value, line: &[u8], fields: &mut Fields) -> Span {
    match *value {
        Value::Plain(start, end) => Span::Line(start, end),
        Value::Flag => {
            let start = fields.computed_length();
            fields.compute(b"true");
            fields.computed_since(start)
        }
        Value::Escaped(start, end) => {
            let computed = fields.computed_length();
            json_text::unescape(&line[start..end], fields);
            fields.computed_since(computed)
        }
    }
}

/// The field that begins at `start`. None: its quote stays open.
fn field_at(start: usize, line: &[u8]) -> Option<Field> {
    let end = first_of(b'=', b' ', line, start).unwrap_or(line.len());
    if line.get(end) != Some(&b'=') {
        return Some(Field { key: (start, end), value: Value::Flag, end });
    }
    let key = (start, end);
    let first = end + 1;
    if line.get(first) != Some(&b'"') {
        let end = memchr(b' ', &line[first..]).map_or(line.len(), |offset| first + offset);
        return Some(Field { key, value: Value::Plain(first, end), end });
    }
    let first = first + 1;
    let mut quote = first_of(b'"', b'\\', line, first)?;
    let is_escaped = line[quote] == b'\\';
    while line[quote] == b'\\' {
        quote = first_of(b'"', b'\\', line, quote + 2)?;
    }
    let value = if is_escaped { Value::Escaped(first, quote) } else { Value::Plain(first, quote) };
    Some(Field { key, value, end: quote + 1 })
}

/// Every field of a line with its value.
pub(super) fn each_field(line: &[u8], each: &mut dyn FnMut(&[u8], &[u8])) {
    let mut at = 0;
    loop {
        while let Some(b' ' | b'\t' | b'\r') = line.get(at) {
            at += 1;
        }
        if at >= line.len() {
            return;
        }
        let Some(field) = field_at(at, line) else { return };
        let key = &line[field.key.0..field.key.1];
        match field.value {
            Value::Flag => each(key, b"true"),
            Value::Plain(start, end) => each(key, &line[start..end]),
            Value::Escaped(start, end) => each(key, &json_text::plain(&line[start..end], true)),
        }
        at = field.end;
    }
}
