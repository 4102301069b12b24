//! The keys of groups and the way from a key to its group. Never knows what else is known of one.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::blocks::{BLOCK, Blocks};
use super::recent::{Recent, ShortKey};
use crate::{memory::heap_of, same::same};

/// With more groups the guesses would rarely be right.
const FEW: usize = 4096;

/// All keys and where each is.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    recent: Recent,
    places: Blocks<Place>,
    /// Those of a block of places, one after the other.
    texts: Vec<Vec<u8>>,
    /// Bytes in all but the last of them.
    full: usize,
}

/// Where a key ends among those of its block; it begins where the one before ends. Ten million
/// groups have ten million of them, so they are as small as can be.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: [u8; 4],
    end: [u8; 5],
}

impl Place {
    fn new(hash: u32, end: usize) -> Place {
        let [a, b, c, d, e, ..] = (end as u64).to_le_bytes();
        Place { hash: hash.to_le_bytes(), end: [a, b, c, d, e] }
    }

    #[inline]
    fn hash(self) -> u32 {
        u32::from_le_bytes(self.hash)
    }

    #[inline]
    fn end(self) -> usize {
        let [a, b, c, d, e] = self.end;
        u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]) as usize
    }
}

/// The hash that the index goes by, of which the first bits and the last ones matter.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

impl Keys {
    /// No keys yet, to be hashed like these.
    pub(super) fn another(&self) -> Keys {
        Keys { hasher: self.hasher.clone(), ..Keys::default() }
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        (hasher.finish() >> 32) as u32
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    #[inline]
    pub(super) fn get(&self, group: usize) -> &[u8] {
        let end = self.places[group].end();
        let start = if group.is_multiple_of(BLOCK) { 0 } else { self.places[group - 1].end() };
        &self.texts[group / BLOCK][start..end]
    }

    /// The group of a key, and whether it is a new one, which then is the last.
    #[inline]
    pub(super) fn find_or_insert(&mut self, key: &[u8]) -> (usize, bool) {
        match ShortKey::of(key).and_then(|short| self.recent.group(short)) {
            Some(group) => (group, false),
            None => self.look_up(key),
        }
    }

    #[inline(never)]
    fn look_up(&mut self, key: &[u8]) -> (usize, bool) {
        let hash = self.hash(key);
        let (group, is_new) = self.find_or_insert_hashed(key, hash);
        // Many keys come once and never again.
        if !is_new
            && self.places.len() <= FEW
            && let Some(short) = ShortKey::of(key)
        {
            self.recent.keep(short, group);
        }
        (group, is_new)
    }

    #[inline]
    fn find_or_insert_hashed(&mut self, key: &[u8], hash: u32) -> (usize, bool) {
        let is_same = |&group: &u32| {
            let group = group as usize;
            self.places[group].hash() == hash && same(self.get(group), key)
        };
        match self.index.find(spread(hash), is_same) {
            Some(group) => (*group as usize, false),
            None => (self.insert(key, hash), true),
        }
    }

    fn insert(&mut self, key: &[u8], hash: u32) -> usize {
        let group = self.places.len();
        if group.is_multiple_of(BLOCK) {
            // The next keys are as long as those before, roughly.
            let mut length = 0;
            if let Some(full) = self.texts.last_mut() {
                length = full.len();
                full.shrink_to_fit();
                self.full += length;
            }
            self.texts.push(Vec::with_capacity(length));
        }
        let text = &mut self.texts[group / BLOCK];
        text.extend_from_slice(key);
        self.places.push(Place::new(hash, text.len()));
        if self.index.len() == self.index.capacity() {
            self.grow();
        } else {
            self.index_group(group, hash);
        }
        group
    }

    fn index_group(&mut self, group: usize, hash: u32) {
        let group = u32::try_from(group).expect("memory ends before the numbers of groups do");
        let places = &self.places;
        let hash_of = |&group: &u32| spread(places[group as usize].hash());
        self.index.insert_unique(spread(hash), group, hash_of);
    }

    /// Makes another index, not two at a time.
    fn grow(&mut self) {
        self.index = HashTable::new();
        self.index = HashTable::with_capacity(self.places.len());
        for group in 0..self.places.len() {
            self.index_group(group, self.places[group].hash());
        }
    }

    /// Goes on as nothing but a list, to be given back from its end.
    pub(super) fn forget_index(&mut self) {
        self.index = HashTable::new();
        self.recent.forget_all();
    }

    /// Which groups are in the last block.
    pub(super) fn last_block(&self) -> Option<Range<usize>> {
        self.places.last_block()
    }

    pub(super) fn pop_block(&mut self) {
        self.places.pop_block();
        self.texts.pop();
        self.full -= self.texts.last().map_or(0, Vec::len);
    }

    /// Puts the groups here into `ours` that those there, in this range, are.
    pub(super) fn join(
        &mut self,
        other: &Keys,
        theirs: Range<usize>,
        ours: &mut Vec<usize>,
        mut begin: impl FnMut(usize, usize),
    ) {
        const PROBE: &[u8] = b"Are they hashed alike?";
        let are_alike = self.hash(PROBE) == other.hash(PROBE);
        ours.clear();
        for their in theirs {
            let key = other.get(their);
            let hash = if are_alike { other.places[their].hash() } else { self.hash(key) };
            let (our, is_new) = self.find_or_insert_hashed(key, hash);
            if is_new {
                begin(our, their);
            }
            ours.push(our);
        }
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.index.allocation_size()
            + self.recent.memory()
            + self.places.memory()
            + self.full
            + heap_of(self.texts.last().map_or(0, Vec::capacity))
            + heap_of(self.texts.capacity() * size_of::<Vec<u8>>())
    }
}
