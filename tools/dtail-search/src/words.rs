//! Where words begin and end. Never looks for words.

use std::ops::Range;

use regex_syntax::is_word_character;

/// Whether the characters before and after a part of a line are no characters of words: letters,
/// digits or `_`. Invalid bytes are none.
pub(crate) fn is_whole(text: &[u8], part: &Range<usize>) -> bool {
    !ends_with_word(&text[..part.start]) && !begins_with_word(&text[part.end..])
}

fn ends_with_word(text: &[u8]) -> bool {
    let Some(&last) = text.last() else { return false };
    if last.is_ascii() {
        return is_ascii_word(last);
    }
    // A character has at most four bytes, and no suffix of a character is a character.
    (2..=text.len().min(4))
        .find_map(|length| std::str::from_utf8(&text[text.len() - length..]).ok())
        .and_then(|text| text.chars().next_back())
        .is_some_and(is_word_character)
}

fn begins_with_word(text: &[u8]) -> bool {
    let Some(&first) = text.first() else { return false };
    if first.is_ascii() {
        return is_ascii_word(first);
    }
    let chunk = text[..text.len().min(4)].utf8_chunks().next();
    chunk.and_then(|chunk| chunk.valid().chars().next()).is_some_and(is_word_character)
}

fn is_ascii_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
