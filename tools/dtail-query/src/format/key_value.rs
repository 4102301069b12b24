//! `key=value|key=value` lines. The value is everything after the first `=`.

use memchr::memchr;

use super::Outcome;
use super::marks::Marks;
use crate::fields::{Fields, Span};

/// Parts without `=` are skipped.
pub(super) fn read(line: &[u8], fields: &mut Fields) -> Outcome {
    let mut start = 0;
    for end in Marks::of(b'|', line).chain([line.len()]) {
        if let Some(equals) = memchr(b'=', &line[start..end]) {
            put(line, start, start + equals, end, fields);
        }
        start = end + 1;
    }
    Outcome::Record
}

/// Notes the value of `line[start..end]`, whose `=` is at `equals`, if its key is needed.
pub(super) fn put(line: &[u8], start: usize, equals: usize, end: usize, fields: &mut Fields) {
    if let Some(slot) = fields.slot(&line[start..equals]) {
        fields.put(slot, Span::Line(equals + 1, end));
    }
}

/// Every field of a line with its value.
pub(super) fn each_field(line: &[u8], each: &mut dyn FnMut(&[u8], &[u8])) {
    for part in line.split(|&byte| byte == b'|') {
        if let Some(equals) = memchr(b'=', part) {
            each(&part[..equals], &part[equals + 1..]);
        }
    }
}
