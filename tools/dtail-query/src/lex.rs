//! Cuts a query into tokens: barewords and quoted texts, each with its column.
//!
//! Owns DTail's rules for quotes, commas and backticks; knows no clause and no keyword.

/// One word or quoted text of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The token's text; backticks and quotes are removed.
    pub(crate) text: String,
    /// How it was written, which decides what it may mean.
    pub(crate) kind: TokenKind,
    /// Column of its first character (of the opening quote or backtick), counted from 1.
    pub(crate) column: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Written plainly: may be a keyword, an operator, a number, a field or a call.
    Word,
    /// Written in double quotes.
    Quoted,
    /// Written in backticks (perhaps within double quotes): always the name of a field.
    Escaped,
}

impl Token {
    /// Whether this is the bareword `word`, in any case.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }
}

/// The tokens of a query, in order, and the column of a quote that is never closed.
///
/// There is no escape for a double quote; after an unbalanced one all the rest is one quoted token.
pub(crate) fn tokens(query: &str) -> (Vec<Token>, Option<usize>) {
    let mut tokens = Vec::new();
    let mut column = 1;
    let mut quote_column = 0;
    let mut is_quoted = false;
    for piece in query.split('"') {
        if is_quoted {
            tokens.push(token(piece, TokenKind::Quoted, quote_column));
        } else {
            push_words(piece, column, &mut tokens);
        }
        column += piece.chars().count();
        quote_column = column;
        column += 1;
        is_quoted = !is_quoted;
    }
    // The loop flips once more than there are quotes: an even number of pieces is an open quote.
    let open = !is_quoted;
    let open_column = if open { tokens.last().map(|token| token.column) } else { None };
    (tokens, open_column)
}

fn push_words(piece: &str, first_column: usize, tokens: &mut Vec<Token>) {
    let mut word_start = None;
    let mut word_column = first_column;
    for (chars_before, (offset, c)) in piece.char_indices().enumerate() {
        let is_blank = c == ',' || c.is_whitespace();
        match (is_blank, word_start) {
            (false, None) => {
                word_start = Some(offset);
                word_column = first_column + chars_before;
            }
            (true, Some(start)) => {
                tokens.push(token(&piece[start..offset], TokenKind::Word, word_column));
                word_start = None;
            }
            _ => {}
        }
    }
    if let Some(start) = word_start {
        tokens.push(token(&piece[start..], TokenKind::Word, word_column));
    }
}

fn token(text: &str, kind: TokenKind, column: usize) -> Token {
    match without_backticks(text) {
        Some(inner) => Token { text: inner.to_owned(), kind: TokenKind::Escaped, column },
        None => Token { text: text.to_owned(), kind, column },
    }
}

/// What is between two backticks, if the text begins and ends with one.
pub(crate) fn without_backticks(text: &str) -> Option<&str> {
    text.strip_prefix('`')?.strip_suffix('`')
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
    fn check(query: &str, expected: Expect) {
        let (tokens, open_quote) = tokens(query);
        let mut actual = String::new();
        for Token { text, kind, column } in tokens {
            actual.push_str(&format!("{column} {kind:?} {text}\n"));
        }
        if let Some(column) = open_quote {
            actual.push_str(&format!("open quote at {column}\n"));
        }
        expected.assert_eq(&actual);
    }

    #[test]
    fn commas_and_any_white_space_separate_words() {
        check(
            "select a,b ,, c\u{a0}d\n\te",
            expect![[r#"
                1 Word select
                8 Word a
                10 Word b
                15 Word c
                17 Word d
                20 Word e
            "#]],
        );
    }

    #[test]
    fn quotes_keep_text_verbatim_and_split_words() {
        check(
            r#"a"b, select "c "" d"#,
            expect![[r#"
                1 Word a
                2 Quoted b, select 
                14 Word c
                16 Quoted 
                19 Word d
            "#]],
        );
    }

    #[test]
    fn after_an_unbalanced_quote_the_rest_is_one_text() {
        check(
            r#"where x eq "a b limit 3"#,
            expect![[r#"
                1 Word where
                7 Word x
                9 Word eq
                12 Quoted a b limit 3
                open quote at 12
            "#]],
        );
    }

    #[test]
    fn backticks_escape_words_and_quoted_texts() {
        check(
            r#"`from` "`a b`" ` `` ```"#,
            expect![[r#"
                1 Escaped from
                8 Escaped a b
                16 Word `
                18 Escaped 
                21 Escaped `
            "#]],
        );
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        check(
            "äö \"ü\" x",
            expect![[r#"
                1 Word äö
                4 Quoted ü
                8 Word x
            "#]],
        );
    }
}
