//! A text that a cell keeps. Most are short, and then they are where the cell is: of ten million
//! groups each would otherwise have a piece of memory of its own.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

use crate::memory::heap_of;

/// Bytes of a short one. With more of them cells would be larger.
const SHORT: usize = 14;

/// Bytes as found in a log.
#[derive(Clone)]
pub(crate) struct Text(Kind);

#[derive(Clone)]
enum Kind {
    Short {
        length: u8,
        bytes: [u8; SHORT],
    },
    #[expect(clippy::box_collection, reason = "a third of the size of a Vec")]
    Long(Box<Vec<u8>>),
}

impl Text {
    pub(crate) fn new(bytes: &[u8]) -> Text {
        let mut text = Text(Kind::Short { length: 0, bytes: [0; SHORT] });
        text.set(bytes);
        text
    }

    /// Takes another value, in the memory of the one before if that was a long one.
    pub(crate) fn set(&mut self, value: &[u8]) {
        match &mut self.0 {
            Kind::Long(long) => {
                long.clear();
                long.extend_from_slice(value);
            }
            Kind::Short { length, bytes } if value.len() <= SHORT => {
                *length = value.len() as u8;
                bytes[..value.len()].copy_from_slice(value);
            }
            Kind::Short { .. } => self.0 = Kind::Long(Box::new(value.to_vec())),
        }
    }

    /// Bytes held beyond the value itself.
    pub(crate) fn heap(&self) -> usize {
        match &self.0 {
            Kind::Short { .. } => 0,
            Kind::Long(long) => heap_of(size_of::<Vec<u8>>()) + heap_of(long.capacity()),
        }
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kind::Short { length, bytes } => &bytes[..usize::from(*length)],
            Kind::Long(long) => long,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Text) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_what_they_were_made_of_whatever_their_length() {
        let all: Vec<u8> = (0..40).collect();
        let mut changing = Text::new(b"");
        for length in (0..all.len()).chain((0..all.len()).rev()) {
            let text = Text::new(&all[..length]);
            changing.set(&all[..length]);
            assert_eq!(*text, all[..length]);
            assert_eq!(text, changing);
            assert_eq!(text.heap() > 0, length > SHORT);
            assert!(text < Text::new(&[50]));
        }
    }
}
