//! Rewrites an expression in Go's RE2 spelling for the regex crate, such that it can be searched
//! in a block of many lines with the same result as in each line alone. Never judges it: what is
//! wrong is left in, for the regex crate to refuse.
//!
//! A line never contains its newline, so no part of the rewritten expression may match one: that
//! is what keeps a match from running over the end of a line.

/// A rewritten expression.
#[derive(Debug)]
pub(crate) struct Rewritten {
    /// To be compiled with `multi_line(true)`.
    pub(crate) regex: String,
    /// The expression names characters by number or a newline itself, so it may match a newline
    /// after all and has to be tried line by line.
    pub(crate) by_line: bool,
    /// The expression has parts that Go lets match a byte of invalid UTF-8.
    pub(crate) matches_invalid: bool,
}

/// Rewrites `text`.
pub(crate) fn rewrite(text: &str) -> Rewritten {
    let mut rewriter = Rewriter { rest: text, out: String::with_capacity(text.len() + 16) };
    let mut by_line = false;
    let mut matches_invalid = false;
    while let Some(c) = rewriter.next() {
        match c {
            '\\' => {
                let escaped = rewriter.escape();
                by_line |= matches!(escaped, Some('n' | 'x'));
                matches_invalid |= matches!(escaped, Some('D' | 'W' | 'S' | 'P' | 'p'));
            }
            '[' => matches_invalid |= rewriter.class(),
            '(' => rewriter.group(),
            '{' => rewriter.brace(),
            _ => {
                by_line |= c == '\n';
                matches_invalid |= c == '.';
                rewriter.out.push(c);
            }
        }
    }
    Rewritten { regex: rewriter.out, by_line, matches_invalid }
}

struct Rewriter<'a> {
    rest: &'a str,
    out: String,
}

impl Rewriter<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// Moves `length` bytes of the input over unchanged.
    fn copy(&mut self, length: usize) {
        let (copied, rest) = self.rest.split_at(length);
        self.out.push_str(copied);
        self.rest = rest;
    }

    /// After a backslash outside a class. Go's `\d \w \s \b` know ASCII only. Returns the
    /// character after the backslash.
    fn escape(&mut self) -> Option<char> {
        let c = self.next();
        match c {
            Some('d') => self.out.push_str("[0-9]"),
            Some('D') => self.out.push_str(r"[^0-9\n]"),
            Some('w') => self.out.push_str("[0-9A-Za-z_]"),
            Some('W') => self.out.push_str(r"[^0-9A-Za-z_\n]"),
            Some('s') => self.out.push_str(r"[\t\f\r ]"),
            Some('S') => self.out.push_str(r"[^\t\n\f\r ]"),
            Some('b') => self.out.push_str(r"(?-u:\b)"),
            Some('B') => self.out.push_str(r"(?-u:\B)"),
            Some('A') => self.out.push('^'),
            Some('z') => self.out.push('$'),
            Some('Q') => {
                let (literal, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
                self.out.push_str(&regex_syntax::escape(literal));
                self.rest = rest;
            }
            Some(property @ ('p' | 'P')) => {
                self.out.push_str("[\\");
                self.out.push(property);
                self.copy(property_name_length(self.rest));
                self.out.push_str(r"&&[^\n]]");
            }
            // The regex crate reads these two as borders of words.
            Some(angle @ ('<' | '>')) => self.out.push(angle),
            Some(other) => self.out.extend(['\\', other]),
            None => self.out.push('\\'),
        }
        c
    }

    /// After the `[` of a class. Go has no nested classes and no set operators. Returns whether
    /// the class may contain the character that stands for an invalid byte.
    fn class(&mut self) -> bool {
        let start = self.out.len();
        let negated = self.rest.starts_with('^');
        self.out.push_str(if negated { r"[^\n" } else { "[" });
        self.rest = &self.rest[usize::from(negated)..];
        let mut may_hold_newline = false;
        let mut first = true;
        while let Some(c) = self.next() {
            match c {
                ']' if !first => {
                    self.out.push(']');
                    if may_hold_newline && !negated {
                        self.out.insert(start, '[');
                        self.out.push_str(r"&&[^\n]]");
                    }
                    return negated || may_hold_newline;
                }
                '\\' => may_hold_newline |= self.class_escape(),
                '[' if named_class_length(self.rest) > 0 => {
                    self.out.push('[');
                    self.copy(named_class_length(self.rest));
                    may_hold_newline = true;
                }
                '-' if self.rest.starts_with('-') => {
                    self.out.push_str(r"-\-");
                    self.rest = &self.rest[1..];
                }
                ']' | '[' | '&' | '~' => self.out.extend(['\\', c]),
                _ => {
                    may_hold_newline |= c.is_control() || !c.is_ascii();
                    self.out.push(c);
                }
            }
            first = false;
        }
        false
    }

    /// After a backslash inside a class. Returns whether the item may hold a newline or the
    /// character that stands for an invalid byte.
    fn class_escape(&mut self) -> bool {
        match self.next() {
            Some('d') => self.out.push_str("0-9"),
            Some('w') => self.out.push_str("0-9A-Za-z_"),
            Some('s') => self.out.push_str(r"\t\f\r "),
            Some('D') => self.out.push_str(r"[^0-9\n]"),
            Some('W') => self.out.push_str(r"[^0-9A-Za-z_\n]"),
            Some('S') => self.out.push_str(r"[^\t\n\f\r ]"),
            Some(angle @ ('<' | '>')) => self.out.push(angle),
            Some(c) => {
                self.out.extend(['\\', c]);
                return !c.is_ascii_punctuation();
            }
            None => self.out.push('\\'),
        }
        self.out.ends_with(r"\n]") || self.out.ends_with(r"\r ]")
    }

    /// After a `(`. The flags `m` and `s` only matter to text of several lines, and a line is one.
    fn group(&mut self) {
        let is_flag = |byte: &u8| b"imsU-".contains(byte);
        let flags = self.rest.bytes().skip(1).take_while(is_flag).count();
        let end = 1 + flags;
        if !self.rest.starts_with('?') || !self.rest[end..].starts_with([':', ')']) {
            return self.out.push('(');
        }
        let (flags, rest) = self.rest.split_at(end);
        let kept: String = flags[1..].chars().filter(|flag| !"ms".contains(*flag)).collect();
        let kept = kept.trim_end_matches('-');
        self.rest = rest;
        if kept.is_empty() && rest.starts_with(')') && end > 1 {
            self.rest = &rest[1..];
            return;
        }
        self.out.push_str("(?");
        self.out.push_str(kept);
    }

    /// After a `{`, which Go takes literally unless it begins a repetition.
    fn brace(&mut self) {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let least = digits(self.rest);
        let after = &self.rest[least..];
        let most = after.strip_prefix(',').map(|most| &most[digits(most)..]);
        let counted = least > 0 && most.unwrap_or(after).starts_with('}');
        self.out.push_str(if counted { "{" } else { r"\{" });
    }
}

/// Length of `:alpha:]` after a bracket, or 0. Whatever is named, it is no longer than the name of
/// a class, lest many brackets take quadratic time.
fn named_class_length(rest: &str) -> usize {
    const LONGEST_NAME: usize = ":^xdigit".len();
    let Some(name) = rest.strip_prefix(':') else { return 0 };
    let name = &name.as_bytes()[..name.len().min(LONGEST_NAME + 2)];
    name.windows(2).position(|end| end == b":]").map_or(0, |end| 1 + end + 2)
}

/// Length of `L` or `{Greek}` after `\p`.
fn property_name_length(rest: &str) -> usize {
    if rest.starts_with('{') {
        rest.find('}').map_or(rest.len(), |end| end + 1)
    } else {
        rest.chars().next().map_or(0, char::len_utf8)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::rewrite;

    #[track_caller]
    fn check(text: &str, expected: &Expect) {
        let rewritten = rewrite(text);
        let flags = match (rewritten.by_line, rewritten.matches_invalid) {
            (true, true) => " by-line invalid",
            (true, false) => " by-line",
            (false, true) => " invalid",
            (false, false) => "",
        };
        expected.assert_eq(&format!("{}{flags}", rewritten.regex));
    }

    #[test]
    fn what_both_dialects_share_stays() {
        check("ERROR|WARN", &expect!["ERROR|WARN"]);
        check("^a(b|c)+d{2,3}$", &expect!["^a(b|c)+d{2,3}$"]);
        check("(?:x)(?P<n>y)(?i:z)(?i)", &expect!["(?:x)(?P<n>y)(?i:z)(?i)"]);
        check(r"a\.b\[\]\/\_", &expect![r"a\.b\[\]\/\_"]);
        check("[a-z0-9_.-]", &expect!["[a-z0-9_.-]"]);
    }

    #[test]
    fn perl_classes_know_ascii_only_and_no_newline() {
        check(r"\d\w\s\b", &expect![[r"[0-9][0-9A-Za-z_][\t\f\r ](?-u:\b)"]]);
        check(r"\D\S", &expect![[r"[^0-9\n][^\t\n\f\r ] invalid"]]);
        check(r"[\d\w\s]", &expect![[r"[0-90-9A-Za-z_\t\f\r ]"]]);
        check(r"[a\W]", &expect![[r"[[a[^0-9A-Za-z_\n]]&&[^\n]] invalid"]]);
    }

    #[test]
    fn no_class_holds_a_newline() {
        check("[^x]", &expect![[r"[^\nx] invalid"]]);
        check(r"[\n]", &expect![[r"[[\n]&&[^\n]] invalid"]]);
        check("[[:space:]]", &expect![[r"[[[:space:]]&&[^\n]] invalid"]]);
        check(r"\pL\P{Greek}", &expect![[r"[\pL&&[^\n]][\P{Greek}&&[^\n]] invalid"]]);
        check("(?s).(?m:$)(?im-s:a)", &expect![[r".(?:$)(?i:a) invalid"]]);
    }

    #[test]
    fn go_has_no_set_operators() {
        check("[[a&&b~~c+--]", &expect![[r"[\[a\&\&b\~\~c+-\-]"]]);
        check("[]a]", &expect![[r"[\]a]"]]);
        check("[^]a]", &expect![[r"[^\n\]a] invalid"]]);
    }

    #[test]
    fn a_brace_that_counts_nothing_is_literal() {
        check(r#"{"level":"#, &expect![[r#"\{"level":"#]]);
        check("a{,2}b{x}", &expect![[r"a\{,2}b\{x}"]]);
    }

    #[test]
    fn text_borders_are_line_borders() {
        check(r"\Aa\z", &expect!["^a$"]);
    }

    #[test]
    fn quoted_text_is_literal() {
        check(r"\Qa.b\E.", &expect![[r"a\.b. invalid"]]);
        check(r"\<b\>", &expect!["<b>"]);
    }

    #[test]
    fn a_named_newline_is_tried_line_by_line() {
        check(r"a\n", &expect![[r"a\n by-line"]]);
        check(r"\x41", &expect![[r"\x41 by-line"]]);
    }

    #[test]
    fn flags_and_named_classes_end_soon_or_are_none() {
        check("(?i:a)(?P<n>b)(?x:c)(?", &expect!["(?i:a)(?P<n>b)(?x:c)(?"]);
        check("[[:^xdigit:]]", &expect![[r"[[[:^xdigit:]]&&[^\n]] invalid"]]);
        check("[[:not-a-name:]]", &expect![[r"[\[:not-a-name:]]"]]);
    }

    #[test]
    fn nothing_takes_quadratic_time() {
        // At a look to the end for each repetition, each of these would take an hour.
        for piece in ["(", "(?", "(?i", "[", "[[:", "{", "a{1,", r"\p{", r"\Q"] {
            let text = piece.repeat(300_000);
            assert!(rewrite(&text).regex.len() >= 300_000, "{piece}");
        }
    }

    #[test]
    fn broken_expressions_stay_broken() {
        check("[a", &expect!["[a"]);
        check("(a", &expect!["(a"]);
        check("a\\", &expect!["a\\"]);
        check("(?", &expect!["(?"]);
        check("*", &expect!["*"]);
    }
}
