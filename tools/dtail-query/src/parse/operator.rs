//! The operators of conditions: which words they are, and where they are glued to others.

use super::{err_at, found};
use crate::{
    expression::{NumberOperator, TextOperator},
    lex::{Token, TokenKind},
    query::QueryError,
    suggestion,
};

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Numbers(NumberOperator),
    Texts(TextTest),
    Same,
    In { is_negated: bool },
    Like { is_negated: bool },
    Matches { is_negated: bool },
    Missing { is_negated: bool },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct TextTest {
    pub(super) operator: TextOperator,
    pub(super) is_negated: bool,
}

const WORDS: [&str; 14] = [
    "eq",
    "ne",
    "contains",
    "ncontains",
    "lacks",
    "hasprefix",
    "nhasprefix",
    "hassuffix",
    "nhassuffix",
    "in",
    "like",
    "matches",
    "and",
    "or",
];

/// The longer before what they begin with.
const SIGNS: [&str; 11] = ["==", "!=", "<=", ">=", "=<", "=>", "=~", "!~", "<", ">", "="];

/// The operator of DTail's, or `=`, that one word is.
pub(super) fn comparison_word(word: &Token) -> Option<Comparison> {
    use NumberOperator as Number;
    use TextOperator as Text;
    if word.kind != TokenKind::Word || word.text.len() > 10 {
        return None;
    }
    let text = |operator, is_negated| Comparison::Texts(TextTest { operator, is_negated });
    Some(match word.text.to_ascii_lowercase().as_str() {
        "==" => Comparison::Numbers(Number::Equal),
        "!=" => Comparison::Numbers(Number::NotEqual),
        "<" => Comparison::Numbers(Number::Less),
        "<=" | "=<" => Comparison::Numbers(Number::LessOrEqual),
        ">" => Comparison::Numbers(Number::Greater),
        ">=" | "=>" => Comparison::Numbers(Number::GreaterOrEqual),
        "eq" => text(Text::Equal, false),
        "ne" => text(Text::Equal, true),
        "contains" => text(Text::Contains, false),
        "ncontains" | "lacks" => text(Text::Contains, true),
        "hasprefix" => text(Text::HasPrefix, false),
        "nhasprefix" => text(Text::HasPrefix, true),
        "hassuffix" => text(Text::HasSuffix, false),
        "nhassuffix" => text(Text::HasSuffix, true),
        "=" => Comparison::Same,
        "=~" => Comparison::Matches { is_negated: false },
        "!~" => Comparison::Matches { is_negated: true },
        _ => return None,
    })
}

/// The operator that begins with a word, and how many words it has.
pub(super) fn comparison(word: &Token, next: Option<&Token>) -> Option<(Comparison, usize)> {
    if let Some(one) = comparison_word(word) {
        return Some((one, 1));
    }
    let next_is = |text: &str| next.is_some_and(|it| it.is_word(text));
    if word.is_word("is") {
        return match () {
            () if next_is("missing") => Some((Comparison::Missing { is_negated: false }, 2)),
            () if next_is("present") => Some((Comparison::Missing { is_negated: true }, 2)),
            () => None,
        };
    }
    let is_negated = word.is_word("not");
    let operator = if is_negated { next? } else { word };
    let comparison = if operator.is_word("in") {
        Comparison::In { is_negated }
    } else if operator.is_word("like") {
        Comparison::Like { is_negated }
    } else if operator.is_word("matches") {
        Comparison::Matches { is_negated }
    } else {
        return None;
    };
    Some((comparison, 1 + usize::from(is_negated)))
}

/// The error about a word that is no operator and comes after another one.
pub(super) fn unknown<T>(query: &str, before: &Token, word: &Token) -> Result<T, QueryError> {
    let known = WORDS.iter().chain(&["is missing", "is present"]).copied();
    let meant = match word.kind {
        TokenKind::Word => suggestion::nearest(&word.text, known),
        _ => None,
    };
    let is_word = before.kind == TokenKind::Word && before.text.len() > 1;
    if meant.is_none()
        && is_word
        && let Some(meant) = suggestion::nearest(&before.text, ["and", "or", "not"])
            .or_else(|| super::misspelt_keyword(&before.text))
    {
        let message = format!("unexpected {}; did you mean {meant}?", found(before));
        return err_at(query, before, message);
    }
    let meant = meant.map(|it| format!("; did you mean {it}?")).unwrap_or_default();
    let message = format!(
        "expected an operator, not the {}{meant} (numbers: == != < <= > >=, texts: eq ne contains \
         lacks hasprefix nhasprefix hassuffix nhassuffix, both: = in, patterns: like matches =~ \
         !~, else: is missing, is present)",
        found(word)
    );
    err_at(query, word, message)
}

/// Takes signs such as `>=` off the words they are glued to: `x>=5` is three pieces. Next to an
/// operator with blanks around it a word stays whole, since that is how DTail reads it.
pub(super) fn unglued(pieces: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(pieces.len());
    let mut before_is_operator = false;
    let mut rest = pieces.into_iter().peekable();
    while let Some(piece) = rest.next() {
        let is_operator = comparison_word(&piece).is_some();
        let next_is_operator = rest.peek().is_some_and(|it| comparison_word(it).is_some());
        let stays = piece.kind != TokenKind::Word
            || is_operator
            || next_is_operator
            || before_is_operator
            || piece.text.starts_with('`');
        before_is_operator = is_operator;
        match first_sign(&piece.text).filter(|_| !stays) {
            Some((at, sign)) => {
                let (left, right) = (&piece.text[..at], &piece.text[at + sign.len()..]);
                push_part(&piece, left, 0, &mut out);
                push_part(&piece, sign, at, &mut out);
                push_part(&piece, right, at + sign.len(), &mut out);
                before_is_operator = right.is_empty();
            }
            None => out.push(piece),
        }
    }
    out
}

/// The same in the conditions of `if` only.
pub(super) fn unglued_in_if(pieces: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(pieces.len());
    let mut condition = Vec::new();
    // For each open parenthesis, whether what comes is a condition.
    let mut levels = Vec::new();
    let mut before_is_if = false;
    for piece in pieces {
        if piece.after_comma
            && let Some(level) = levels.last_mut()
        {
            *level = false;
        }
        match piece.kind {
            TokenKind::Open => levels.push(before_is_if || levels.last() == Some(&true)),
            TokenKind::Close => drop(levels.pop()),
            _ => {}
        }
        before_is_if = piece.kind == TokenKind::Word && piece.text == crate::function::IF;
        if levels.last() == Some(&true) {
            condition.push(piece);
        } else {
            out.append(&mut unglued(std::mem::take(&mut condition)));
            out.push(piece);
        }
    }
    out.append(&mut unglued(condition));
    out
}

fn first_sign(word: &str) -> Option<(usize, &'static str)> {
    let at = word.find(['=', '<', '>', '!'])?;
    let rest = &word[at..];
    SIGNS.iter().find(|sign| rest.starts_with(**sign)).map(|sign| (at, *sign))
}

fn push_part(whole: &Token, text: &str, offset: usize, out: &mut Vec<Token>) {
    if text.is_empty() {
        return;
    }
    let inner = crate::lex::without_backticks(text);
    out.push(Token {
        text: inner.unwrap_or(text).to_owned(),
        kind: if inner.is_some() { TokenKind::Escaped } else { TokenKind::Word },
        column: whole.column + whole.text[..offset].chars().count(),
        start: whole.start + offset,
        end: whole.start + offset + text.len(),
        after_comma: whole.after_comma && offset == 0,
    });
}

/// `%` is anything, `_` one character, `\` takes the next character as it is.
pub(super) fn expression_of_like(pattern: &str) -> String {
    let mut expression = String::from("(?s)^");
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => expression.push_str("(?-u:.*)"),
            // A byte that is no UTF-8 is one, too.
            '_' => expression.push_str("(?:.|(?-u:[\\x80-\\xff]))"),
            _ => {
                let literal =
                    if character == '\\' { characters.next().unwrap_or('\\') } else { character };
                expression.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
            }
        }
    }
    expression.push('$');
    expression
}
