//! `key=value|key=value` lines. The value is everything after the first `=`.

use memchr::memchr;

use super::Outcome;
use super::marks::Marks;
use crate::fields::{Fields, Slot, Span};

/// Fields of a line that are remembered.
const MAX_HINTS: usize = 64;

/// Finds the slots of keys. Lines of one kind have their keys in the same order.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    /// What the field at this place of the line before was.
    hints: Vec<Option<Slot>>,
}

impl Keys {
    /// Notes the value of `line[start..end]`, which is so many fields behind the first one, if its
    /// key is needed. `false`: it has no `=`.
    #[inline]
    pub(super) fn put(
        &mut self,
        place: usize,
        line: &[u8],
        start: usize,
        end: usize,
        fields: &mut Fields,
    ) -> bool {
        let field = &line[start..end];
        if let Some(Some(slot)) = self.hints.get(place).copied()
            && let Some(rest) = field.strip_prefix(fields.name(slot))
            && rest.first() == Some(&b'=')
        {
            // A key may hold no `=` itself.
            fields.put(slot, Span::Line(end - rest.len() + 1, end));
            return true;
        }
        let Some(equals) = memchr(b'=', field) else { return false };
        let slot = fields.slot(&field[..equals]);
        if let Some(slot) = slot {
            fields.put(slot, Span::Line(start + equals + 1, end));
        }
        if place < MAX_HINTS {
            if place >= self.hints.len() {
                self.hints.resize(place + 1, None);
            }
            self.hints[place] = slot;
        }
        true
    }

    /// Parts without `=` are skipped.
    pub(super) fn read(&mut self, line: &[u8], fields: &mut Fields) -> Outcome {
        let mut start = 0;
        for (place, end) in Marks::of(b'|', line).chain([line.len()]).enumerate() {
            self.put(place, line, start, end, fields);
            start = end + 1;
        }
        Outcome::Record
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
