//! Cuts a query into tokens: barewords and quoted texts, each with its column.
//!
//! Owns DTail's rules for quotes, commas and backticks; knows no clause and no keyword.

use std::ops::Range;

/// One word or quoted text of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The token's text; backticks and quotes are removed.
    pub(crate) text: String,
    /// How it was written, which decides what it may mean.
    pub(crate) kind: TokenKind,
    /// Column of its first character (of the opening quote or backtick), counted from 1.
    pub(crate) column: usize,
    /// The bytes of the query it is written in, quotes included.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// There is a comma between it and the token before.
    pub(crate) after_comma: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Written plainly: may be a keyword, an operator, a number, a field or a call.
    Word,
    /// Written in double quotes.
    Quoted,
    /// Written in backticks (perhaps within double quotes): always the name of a field.
    Escaped,
    /// A parenthesis. Only [`pieces`] tell them from words.
    Open,
    Close,
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
    let mut lexer = Lexer { tokens: Vec::new(), after_comma: false };
    let mut column = 1;
    let mut start = 0;
    let mut quote_column = 0;
    let mut is_quoted = false;
    for piece in query.split('"') {
        if is_quoted {
            let end = (start + piece.len() + 1).min(query.len());
            lexer.push(piece, TokenKind::Quoted, quote_column, start - 1..end);
        } else {
            lexer.push_words(piece, column, start);
        }
        column += piece.chars().count();
        quote_column = column;
        column += 1;
        start += piece.len() + 1;
        is_quoted = !is_quoted;
    }
    // The loop flips once more than there are quotes: an even number of pieces is an open quote.
    let open = !is_quoted;
    let tokens = lexer.tokens;
    let open_column = if open { tokens.last().map(|token| token.column) } else { None };
    (tokens, open_column)
}

struct Lexer {
    tokens: Vec<Token>,
    after_comma: bool,
}

impl Lexer {
    fn push_words(&mut self, piece: &str, first_column: usize, first_byte: usize) {
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
                    self.push_word(piece, start..offset, word_column, first_byte);
                    word_start = None;
                }
                _ => {}
            }
            self.after_comma |= c == ',';
        }
        if let Some(start) = word_start {
            self.push_word(piece, start..piece.len(), word_column, first_byte);
        }
    }

    fn push_word(&mut self, piece: &str, at: Range<usize>, column: usize, first_byte: usize) {
        let range = first_byte + at.start..first_byte + at.end;
        self.push(&piece[at], TokenKind::Word, column, range);
    }

    fn push(&mut self, text: &str, kind: TokenKind, column: usize, range: Range<usize>) {
        let (text, kind) = match without_backticks(text) {
            Some(inner) => (inner, TokenKind::Escaped),
            None => (text, kind),
        };
        let after_comma = std::mem::take(&mut self.after_comma);
        let Range { start, end } = range;
        self.tokens.push(Token { text: text.to_owned(), kind, column, start, end, after_comma });
    }
}

/// The tokens with their parentheses apart, as expressions need them: `sum(a)/2` is a word, a
/// parenthesis, a word, a parenthesis, an operator and a word. Other operators need blanks around
/// them, since names may have them: `a-b` is one word.
pub(crate) fn pieces(tokens: &[Token]) -> Vec<Token> {
    let mut pieces = Vec::with_capacity(tokens.len());
    for token in tokens {
        if token.kind == TokenKind::Word && token.text.contains(['(', ')']) {
            split_word(token, &mut pieces);
        } else {
            pieces.push(token.clone());
        }
    }
    pieces
}

fn split_word(token: &Token, pieces: &mut Vec<Token>) {
    let word = token.text.as_str();
    let mut from = 0;
    let mut column = token.column;
    while from < word.len() {
        let rest = &word[from..];
        let (length, kind) = piece_at(rest, pieces.last().filter(|_| from > 0));
        let text = &rest[..length];
        let inner = if kind == TokenKind::Escaped { &text[1..length - 1] } else { text };
        pieces.push(Token {
            text: inner.to_owned(),
            kind,
            column,
            start: token.start + from,
            end: token.start + from + length,
            after_comma: token.after_comma && from == 0,
        });
        from += length;
        column += text.chars().count();
    }
}

/// Bytes and kind of the piece that `rest` begins with. `before`: the piece it is glued to.
fn piece_at(rest: &str, before: Option<&Token>) -> (usize, TokenKind) {
    let after_close = before.is_some_and(|it| it.kind == TokenKind::Close);
    match rest.as_bytes()[0] {
        b'(' => (1, TokenKind::Open),
        b')' => (1, TokenKind::Close),
        // Nothing else can follow a parenthesis.
        b'+' | b'-' | b'*' | b'/' | b'%' if after_close => (1, TokenKind::Word),
        b'`' if rest[1..].contains('`') => {
            let length = rest[1..].find('`').map_or(rest.len(), |end| end + 2);
            (length, TokenKind::Escaped)
        }
        _ => (rest.find(['(', ')']).unwrap_or(rest.len()), TokenKind::Word),
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
        for Token { text, kind, column, .. } in tokens {
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
    fn pieces_have_parentheses_of_their_own() {
        let query = "sum(`a(b)`)/2 (ä+b) `x(y)` \"q(r)\"";
        let mut actual = String::new();
        for Token { text, kind, column, start, end, .. } in pieces(&tokens(query).0) {
            actual.push_str(&format!("{column} {kind:?} {text} = {}\n", &query[start..end]));
        }
        expect![[r#"
            1 Word sum = sum
            4 Open ( = (
            5 Escaped a(b) = `a(b)`
            11 Close ) = )
            12 Word / = /
            13 Word 2 = 2
            15 Open ( = (
            16 Word ä+b = ä+b
            19 Close ) = )
            21 Escaped x(y) = `x(y)`
            28 Quoted q(r) = "q(r)"
        "#]]
        .assert_eq(&actual);
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
