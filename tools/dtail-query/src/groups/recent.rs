//! The groups of short keys that came of late. Most logs have a handful of groups, and comparing two
//! words finds them sooner than hashing the key. Never knows more than a guess: who chooses keys so
//! that they get into each other's way here has them looked up as all others.

use crate::memory::heap_of;

type Guess = (ShortKey, u32);

const BITS: u32 = 7;
const PLACES: usize = 1 << BITS;
/// Of keys that are longer no guess is kept.
const LONGEST: usize = 16;

/// A key of at most 16 bytes: its first and its last ones, which overlap, and how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShortKey {
    first: u64,
    last: u64,
    length: u32,
}

impl ShortKey {
    #[inline]
    pub(super) fn of(key: &[u8]) -> Option<ShortKey> {
        let (first, last) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
            (Some(first), Some(last)) if key.len() <= LONGEST => {
                (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
            }
            (Some(_), _) => return None,
            _ => match (key.first_chunk::<4>(), key.last_chunk::<4>(), key) {
                (Some(first), Some(last), _) => {
                    (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
                }
                (.., [a]) => (0, u64::from(*a)),
                (.., [a, b]) => (0, u16::from_le_bytes([*a, *b]).into()),
                (.., [a, b, c]) => (0, u32::from_le_bytes([*a, *b, *c, 0]).into()),
                _ => (0, 0),
            },
        };
        Some(ShortKey { first, last, length: key.len() as u32 })
    }

    /// Where its guess is kept.
    #[inline]
    fn place(self) -> usize {
        let mixed = (self.first ^ self.last.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (u64::BITS - BITS)) as usize
    }
}

/// The last short key of each place, and its group.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    /// None as long as there is none, later one for each place.
    guesses: Option<Box<[Guess; PLACES]>>,
}

impl Recent {
    #[inline]
    pub(super) fn group(&self, key: ShortKey) -> Option<usize> {
        let (known, group) = self.guesses.as_ref()?[key.place()];
        (known == key).then_some(group as usize)
    }

    #[inline]
    pub(super) fn keep(&mut self, key: ShortKey, group: usize) {
        // No key has this length.
        let nothing = ShortKey { first: 0, last: 0, length: u32::MAX };
        let guesses = self.guesses.get_or_insert_with(|| Box::new([(nothing, 0); PLACES]));
        if let Ok(group) = group.try_into() {
            guesses[key.place()] = (key, group);
        }
    }

    pub(super) fn forget_all(&mut self) {
        self.guesses = None;
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        heap_of(self.guesses.as_ref().map_or(0, |it| size_of_val(&**it)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart_by_every_byte_and_their_length() {
        let text: Vec<u8> = (1..=LONGEST as u8 + 1).collect();
        assert_eq!(ShortKey::of(&text), None);
        let mut keys = vec![ShortKey::of(b""), ShortKey::of(b"\0"), ShortKey::of(b"\0\0\0\0\0")];
        for length in 1..=LONGEST {
            keys.push(ShortKey::of(&text[..length]));
            for at in 0..length {
                let mut other = text[..length].to_vec();
                other[at] ^= 0x80;
                keys.push(ShortKey::of(&other));
            }
        }
        for (index, key) in keys.iter().enumerate() {
            assert!(key.is_some());
            assert!(!keys[..index].contains(key), "{index}");
        }
    }

    #[test]
    fn a_guess_is_of_the_last_key_of_its_place() {
        let mut recent = Recent::default();
        let keys: Vec<ShortKey> =
            (0..1000).filter_map(|it| ShortKey::of(format!("{it}").as_bytes())).collect();
        assert_eq!((recent.group(keys[0]), recent.memory()), (None, 0));
        for (group, key) in keys.iter().enumerate() {
            recent.keep(*key, group);
            assert_eq!(recent.group(*key), Some(group));
        }
        let kept = keys.iter().enumerate().filter(|(group, key)| {
            let guess = recent.group(**key);
            assert!(guess.is_none_or(|it| it == *group));
            guess.is_some()
        });
        assert!((64..=128).contains(&kept.count()));
        recent.forget_all();
        assert_eq!(recent.group(keys[999]), None);
    }
}
