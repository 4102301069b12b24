//! `key=value|key=value` lines. The value is everything after the first `=`.

use memchr::memchr;

use super::marks::{Marks, without_return};
use crate::fields::{Fields, Slot, Span};
use crate::same::begins_with;

/// What ends a field.
pub(super) const BARS: [u8; 2] = *b"|\n";
/// Fields of a line that are remembered.
const MAX_HINTS: usize = 64;
/// Bytes of a key that is remembered.
const MAX_KEY: usize = 64;

/// Finds the slots of keys. Lines of one kind have their keys in the same order.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    /// What the field at this place of the line before was.
    hints: Vec<Hint>,
    /// As DTail: a carriage return at the end of a line belongs to its last field.
    strict: bool,
}

#[derive(Debug, Clone, Default)]
struct Hint {
    /// With its `=`; empty if nothing is remembered.
    key: Vec<u8>,
    /// Where its value goes, if it is needed.
    slot: Option<Slot>,
}

impl Keys {
    pub(super) fn new(strict: bool) -> Keys {
        Keys { hints: Vec::new(), strict }
    }

    /// Reads the fields from `start` on, up to the newline, which is at the place that is returned.
    /// `false`: there is one without `=`, which was skipped.
    #[inline]
    pub(super) fn read(
        &mut self,
        marks: &mut Marks<'_>,
        mut start: usize,
        fields: &mut Fields,
    ) -> (usize, bool) {
        let line = marks.rest();
        let mut quick = marks.clone();
        let mut all_have_keys = true;
        let mut place = 0;
        loop {
            let (at, mark) = quick.next(BARS);
            let is_last = mark == b'\n';
            let end = if is_last && !self.strict { without_return(line, at) } else { at };
            let field = &line[start..end];
            match self.hints.get(place) {
                Some(Hint { key, slot }) if !key.is_empty() && begins_with(field, key) => {
                    if let Some(slot) = *slot {
                        fields.put(slot, Span::Line(start + key.len(), end));
                    }
                }
                _ => all_have_keys &= self.put(place, field, start, fields),
            }
            if is_last {
                *marks = quick;
                return (at, all_have_keys);
            }
            start = at + 1;
            place += 1;
        }
    }

    /// Notes the value of a field, which begins at `start`, if its key is needed, and remembers the
    /// key. `false`: it has no `=`.
    fn put(&mut self, place: usize, field: &[u8], start: usize, fields: &mut Fields) -> bool {
        let Some(equals) = memchr(b'=', field) else { return false };
        let slot = fields.slot(&field[..equals]);
        let value = equals + 1;
        if let Some(slot) = slot {
            fields.put(slot, Span::Line(start + value, start + field.len()));
        }
        if place < MAX_HINTS && value <= MAX_KEY {
            if place >= self.hints.len() {
                self.hints.resize(place + 1, Hint::default());
            }
            // A key holds no `=` itself, so what begins like this has this key.
            let Hint { key, slot: known } = &mut self.hints[place];
            key.clear();
            key.extend_from_slice(&field[..value]);
            *known = slot;
        }
        true
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
