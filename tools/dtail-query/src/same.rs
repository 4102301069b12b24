//! Whether short texts are the same. Calling the system's comparison costs more than comparing the
//! few bytes of most keys.

/// Whether two texts are the same.
#[inline]
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    if let (Some(left_end), Some(right_end)) = (left.last_chunk::<8>(), right.last_chunk::<8>()) {
        let (left, _) = left.as_chunks::<8>();
        let (right, _) = right.as_chunks::<8>();
        // The end overlaps with what is before it.
        return word(left_end) == word(right_end)
            && left.iter().zip(right).all(|(left, right)| word(left) == word(right));
    }
    match (left, right) {
        ([a, b, c, d, ..], [e, f, g, h, ..]) => {
            [a, b, c, d] == [e, f, g, h] && left.last_chunk::<4>() == right.last_chunk::<4>()
        }
        _ => left.iter().zip(right).all(|(left, right)| left == right),
    }
}

/// Whether a text begins with another.
#[inline]
pub(crate) fn begins_with(text: &[u8], beginning: &[u8]) -> bool {
    text.get(..beginning.len()).is_some_and(|it| same(it, beginning))
}

fn word(bytes: &[u8; 8]) -> u64 {
    u64::from_ne_bytes(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_other_byte_makes_another_text() {
        let text: Vec<u8> = (0..40).collect();
        for length in 0..text.len() {
            let (text, longer) = (&text[..length], &text[..=length]);
            assert!(same(text, text) && begins_with(longer, text));
            assert!(!same(text, longer) && !begins_with(text, longer));
            for at in 0..length {
                let mut other = text.to_vec();
                other[at] ^= 0x80;
                assert!(!same(text, &other) && !begins_with(longer, &other));
            }
        }
    }
}
