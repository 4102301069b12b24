//! The different values of a column, for `count(distinct x)`: exact, in one buffer.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::memory::heap_of;

/// A set of texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextSet {
    /// Where each text is.
    index: HashTable<(usize, usize)>,
    hasher: DefaultHashBuilder,
    /// All texts, one after the other.
    bytes: Vec<u8>,
}

impl TextSet {
    pub(crate) fn add(&mut self, text: &[u8]) {
        let TextSet { index, hasher, bytes } = self;
        let hash = hasher.hash_one(text);
        if index.find(hash, |&(start, end)| bytes[start..end] == *text).is_some() {
            return;
        }
        let start = bytes.len();
        bytes.extend_from_slice(text);
        let place = (start, bytes.len());
        index.insert_unique(hash, place, |&(start, end)| hasher.hash_one(&bytes[start..end]));
    }

    pub(crate) fn merge(&mut self, other: &TextSet) {
        other.iter().for_each(|text| self.add(text));
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// In no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.index.iter().map(|&(start, end)| &self.bytes[start..end])
    }

    pub(crate) fn heap(&self) -> usize {
        self.index.allocation_size() + heap_of(self.bytes.capacity())
    }
}
