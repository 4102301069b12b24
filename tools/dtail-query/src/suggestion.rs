//! "Did you mean": the known word that a misspelt one is nearest to. Never decides anything.

/// Longer words are not looked at: nobody has meant one of ours.
const LONGEST: usize = 20;

/// The nearest of `known`, if it is near enough to have been meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let letters = word.chars().count();
    let allowed = if letters < 4 { 1 } else { 2 };
    // Words of every query are looked at, and most known ones are too long or too short.
    let is_as_long = |it: &&str| !it.is_ascii() || it.len().abs_diff(letters) <= allowed;
    known
        .into_iter()
        .filter(is_as_long)
        .map(|it| (distance(&word, &it.to_lowercase()), it))
        .filter(|(distance, it)| *distance <= allowed && it.len() > *distance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

/// Letters to add, drop, change or swap with their neighbour (restricted Damerau-Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().take(2 * LONGEST).collect();
    let mut before_last = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut current = vec![row + 1; right.len() + 1];
        for (column, other) in right.iter().enumerate() {
            let changed = last[column] + usize::from(letter != other);
            let mut least = changed.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *letter == right[column - 1] && left[row - 1] == *other {
                least = least.min(before_last[column - 1] + 1);
            }
            current[column + 1] = least;
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_has_a_nearest_one() {
        let known = ["select", "from", "where", "set"];
        assert_eq!(nearest("selct", known), Some("select"));
        assert_eq!(nearest("form", known), Some("from"));
        assert_eq!(nearest("WHER", known), Some("where"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest("", known), None);
        for word in ["where", "wheregr", "whe", "whx", "se", "st", "ſet", "selectxy"] {
            let all = known.iter().map(|it| (distance(word, it), *it));
            let allowed = if word.chars().count() < 4 { 1 } else { 2 };
            let near = all.filter(|(distance, _)| *distance <= allowed);
            let expected = near.min_by_key(|(distance, _)| *distance).map(|(_, it)| it);
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
