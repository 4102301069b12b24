//! Splits a line into words as a shell would, without anything else a shell does.

/// Words are separated by blanks and tabs; single and double quotes keep them together; a backslash
/// keeps the next character, also within quotes, as DTail's control commands have it. `None`: a
/// quote is not closed.
pub fn split_words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.get_or_insert_default().extend(letters.next()),
            _ if quote == Some(letter) => quote = None,
            '"' | '\'' if quote.is_none() => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            ' ' | '\t' if quote.is_none() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::split_words;

    #[track_caller]
    fn check(line: &str, expected: &Expect) {
        expected.assert_eq(&format!("{:?}", split_words(line)));
    }

    #[test]
    fn quotes_and_backslashes_keep_words_together() {
        check(" a\t b ", &expect![[r#"Some(["a", "b"])"#]]);
        check(r#"'a b'c "d'e" '' f\ g"#, &expect![[r#"Some(["a bc", "d'e", "", "f g"])"#]]);
        check(r#""a \" b" \"#, &expect![[r#"Some(["a \" b", ""])"#]]);
        check("", &expect!["Some([])"]);
        check("'open", &expect!["None"]);
    }
}
