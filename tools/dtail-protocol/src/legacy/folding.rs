//! Patterns of today as single expressions in Go's syntax, which is all that an old server knows.
//! Never asks whether an expression is right.

use crate::{Pattern, Whole};

/// What has a meaning in an expression.
const SPECIAL: &str = r".+*?^$[]{}()|\";

/// What no character is.
const NOTHING: &str = r"[^\x00-\x{10FFFF}]";

/// The expression that matches the same lines. Words are as in Go, of ASCII letters, digits and
/// `_` only.
pub(super) fn folded(pattern: &Pattern) -> String {
    let Pattern { texts, invert: _, fixed, ignore_case, whole } = pattern;
    let text = |text: &String| if *fixed { escaped(text) } else { text.clone() };
    let mut expression = match texts.as_slice() {
        [] => NOTHING.to_owned(),
        [single] => text(single),
        several => {
            let groups: Vec<String> =
                several.iter().map(|it| format!("(?:{})", text(it))).collect();
            groups.join("|")
        }
    };
    expression = match whole {
        Whole::Nothing => expression,
        Whole::Words => format!(r"(?:^|\W)(?:{expression})(?:\W|$)"),
        // What DTail compares has its line end, except when it follows.
        Whole::Line => format!(r"^(?:{expression})\n?$"),
    };
    match ignore_case {
        true => format!("(?i:{expression})"),
        false => expression,
    }
}

/// An expression that matches the text and nothing else.
pub(super) fn escaped(literal: &str) -> String {
    let mut text = String::with_capacity(literal.len());
    for character in literal.chars() {
        if SPECIAL.contains(character) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::folded;
    use crate::{Pattern, Whole};

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
    fn check(texts: &[&str], change: impl FnOnce(&mut Pattern), expected: Expect) {
        let texts = texts.iter().map(ToString::to_string).collect();
        let mut pattern = Pattern { texts, ..Pattern::default() };
        change(&mut pattern);
        expected.assert_eq(&folded(&pattern));
    }

    #[test]
    fn one_expression_stays_as_it_is() {
        check(&["a.b|c"], |_| {}, expect!["a.b|c"]);
        check(&[""], |_| {}, expect![""]);
        check(&["a"], |it| it.invert = true, expect!["a"]);
    }

    #[test]
    fn several_become_alternatives() {
        check(&["a|b", "(?i)c"], |_| {}, expect!["(?:a|b)|(?:(?i)c)"]);
        check(&["a", ""], |_| {}, expect!["(?:a)|(?:)"]);
        check(&[], |_| {}, expect![r"[^\x00-\x{10FFFF}]"]);
    }

    #[test]
    fn flags_are_put_around() {
        check(&["a.b", "[x]"], |it| it.fixed = true, expect![r"(?:a\.b)|(?:\[x\])"]);
        check(&["a", "b"], |it| it.ignore_case = true, expect!["(?i:(?:a)|(?:b))"]);
        check(&["a|b"], |it| it.whole = Whole::Words, expect![r"(?:^|\W)(?:a|b)(?:\W|$)"]);
        check(&["a|b"], |it| it.whole = Whole::Line, expect![r"^(?:a|b)\n?$"]);
        let all = |it: &mut Pattern| {
            *it = Pattern { texts: it.texts.clone(), ..all_flags() };
        };
        check(&["1+1", "ä"], all, expect![r"(?i:^(?:(?:1\+1)|(?:ä))\n?$)"]);
    }

    fn all_flags() -> Pattern {
        Pattern {
            texts: Vec::new(),
            invert: true,
            fixed: true,
            ignore_case: true,
            whole: Whole::Line,
        }
    }
}
