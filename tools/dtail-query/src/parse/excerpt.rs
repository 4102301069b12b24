//! The part of a query that an error is about, with a caret below it.

use std::ops::Range;

/// Characters before and after the place.
const BEFORE: usize = 50;
const AFTER: usize = 30;

/// One line of the query and one with carets. `place` are bytes of the query.
pub(super) fn of(query: &str, place: Range<usize>) -> [String; 2] {
    let before = query.get(..place.start).unwrap_or_default();
    let from = before.char_indices().rev().nth(BEFORE - 1).map_or(0, |(at, _)| at);
    let marked = query.get(place).unwrap_or_default();
    let after = query.get(before.len() + marked.len()..).unwrap_or_default();
    let mut line = String::from(if from > 0 { "…" } else { "" });
    line.extend(before[from..].chars().map(shown));
    let indent = line.chars().count();
    let mut carets = 0;
    for character in marked.chars().take(BEFORE) {
        line.push(shown(character));
        carets += 1;
    }
    let is_cut = marked.chars().nth(BEFORE).is_some();
    if !is_cut {
        line.extend(after.chars().take(AFTER).map(shown));
    }
    if is_cut || after.chars().nth(AFTER).is_some() {
        line.push('…');
    }
    let line = line.trim_end().to_owned();
    [line, format!("{}{}", " ".repeat(indent), "^".repeat(carets.max(1)))]
}

/// Nothing that moves the cursor, so that the caret is where it should be.
fn shown(character: char) -> char {
    if character.is_control() || character.is_whitespace() { ' ' } else { character }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_marked() {
        assert_eq!(of("select x\twher y", 9..13), ["select x wher y", "         ^^^^"]);
        let long = format!("select {} wrong {}", "a,".repeat(500), "b,".repeat(500));
        let at = long.find("wrong").unwrap();
        let [line, carets] = of(&long, at..at + 5);
        assert_eq!(line.chars().count(), 1 + BEFORE + 5 + AFTER + 1);
        assert_eq!(carets.trim_start(), "^^^^^");
        assert_eq!(
            line.chars().skip(carets.chars().count() - 5).take(5).collect::<String>(),
            "wrong"
        );
    }
}
