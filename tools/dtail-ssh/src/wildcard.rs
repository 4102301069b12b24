//! Patterns with `*` and `?`, as OpenSSH's files use them. Never knows what it matches.

/// Whether `text` as a whole matches `pattern`. Takes at most the product of both lengths.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to go on after the last star, if what follows it does not match: one byte further.
    let mut retry: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                retry = Some((at_pattern + 1, at_text));
                at_pattern += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => {
                let Some((after_star, begin)) = retry else { return false };
                retry = Some((after_star, begin + 1));
                at_pattern = after_star;
                at_text = begin + 1;
            }
        }
    }
    pattern[at_pattern..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        for text in yes {
            assert!(matches(pattern, text), "{pattern:?} should match {text:?}");
        }
        for text in no {
            assert!(!matches(pattern, text), "{pattern:?} should not match {text:?}");
        }
    }

    #[test]
    fn stars_and_question_marks() {
        check("", &[""], &["a"]);
        check("*", &["", "anything"], &[]);
        check("a?c", &["abc", "a?c"], &["ac", "abbc"]);
        check("10.*.3", &["10.2.3", "10.2.3.3"], &["10.2.33", "10.3"]);
        check("*.example.com", &["a.example.com", "b.a.example.com"], &["example.com"]);
        check("a*b*c", &["abc", "axxbxxbc"], &["ab", "acb"]);
        // Without the bound on going back this would take for ever.
        check(&"*a".repeat(40), &[], &[&"a".repeat(39).repeat(20).replace('a', "b")]);
    }
}
