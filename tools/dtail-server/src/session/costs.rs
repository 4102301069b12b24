//! What the patterns of a request cost before the first byte is read, which is more memory by far
//! than they have bytes. Only estimates, never compiles.

use dtail_protocol::{Pattern, Request};

/// The most memory that may be needed for understanding patterns, in bytes.
const LIMIT: usize = 64 << 20;
/// For each byte of an expression, as measured; compiling has a limit of its own.
const EACH_BYTE: usize = 400;
/// For a class such as `\p{Greek}`, which is a list of up to 800 ranges. Others, as in Go, have only
/// characters of ASCII.
const EACH_CLASS: usize = 8 << 10;
/// What makes a text an expression.
const META: &[char] = &['.', '+', '*', '?', '^', '$', '[', ']', '{', '}', '(', ')', '|', '\\'];

/// Why a request is refused for its patterns, if it is. One line.
pub(super) fn refusal(request: &Request) -> Option<String> {
    let limit = LIMIT >> 20;
    let needed = request.pattern.as_ref().map_or(0, memory);
    (needed > LIMIT).then(|| {
        format!(
            "the patterns need about {} MiB of memory, above the limit of {limit} MiB: give fewer \
             or shorter ones, or plain texts (--fixed-strings)",
            needed >> 20
        )
    })
}

fn memory(pattern: &Pattern) -> usize {
    let is_read = |text: &&String| pattern.ignore_case || !pattern.fixed && text.contains(META);
    pattern.texts.iter().filter(is_read).map(|text| memory_of(text, pattern.fixed)).sum()
}

fn memory_of(text: &str, fixed: bool) -> usize {
    let classes = if fixed { 0 } else { classes(text) };
    text.len() * EACH_BYTE + classes * EACH_CLASS
}

fn classes(text: &str) -> usize {
    let mut letters = text.bytes();
    let mut classes = 0;
    while let Some(letter) = letters.next() {
        if letter == b'\\' {
            let is_class = |letter: u8| matches!(letter, b'p' | b'P');
            classes += usize::from(letters.next().is_some_and(is_class));
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use dtail_protocol::{Mode, Pattern, Request};
    use expect_test::{Expect, expect};

    use super::refusal;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
    fn check(pattern: Pattern, expected: Expect) {
        let request =
            Request { pattern: Some(pattern), ..Request::of(Mode::Grep, vec!["a".into()]) };
        expected.assert_eq(&refusal(&request).unwrap_or_else(|| "fine".to_owned()));
    }

    fn several(count: usize, text: &str) -> Pattern {
        Pattern { texts: vec![text.to_owned(); count], ..Pattern::default() }
    }

    #[test]
    fn what_people_ask_for_is_fine() {
        check(
            several(1000, r"^(GET|PUT) /api/v[0-9]+/\w+/(?i:error|warn).*timeout \d{3}"),
            expect!["fine"],
        );
        check(several(10_000, &"plain text ".repeat(9)), expect!["fine"]);
        check(Pattern { fixed: true, ..several(10_000, &"a.b[c]".repeat(17)) }, expect!["fine"]);
    }

    #[test]
    fn what_would_need_gigabytes_is_refused() {
        check(
            Pattern::of(&r"\w".repeat(1 << 18)),
            expect![
                "the patterns need about 200 MiB of memory, above the limit of 64 MiB: give fewer or shorter ones, or plain texts (--fixed-strings)"
            ],
        );
        check(
            Pattern::of(&r"\pL".repeat(1 << 18)),
            expect![
                "the patterns need about 2348 MiB of memory, above the limit of 64 MiB: give fewer or shorter ones, or plain texts (--fixed-strings)"
            ],
        );
        check(
            several(10_000, "(?:[a-z]{1,50}){1,50}x"),
            expect![
                "the patterns need about 83 MiB of memory, above the limit of 64 MiB: give fewer or shorter ones, or plain texts (--fixed-strings)"
            ],
        );
        check(
            Pattern { ignore_case: true, ..several(10_000, &"k".repeat(100)) },
            expect![
                "the patterns need about 381 MiB of memory, above the limit of 64 MiB: give fewer or shorter ones, or plain texts (--fixed-strings)"
            ],
        );
        // An escaped backslash begins no class.
        check(Pattern::of(&r"\\p".repeat(1 << 14)), expect!["fine"]);
    }
}
