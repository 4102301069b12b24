//! The `where` clause: comparisons of numbers or texts, all of which must hold.

use super::{Clause, err, found};
use crate::{
    lex::{Token, TokenKind},
    number,
    query::{Condition, NumberOperator, Operand, QueryError, TextOperator},
};

enum Operator {
    Number(NumberOperator),
    Text(TextOperator, /* is_negated */ bool),
}

pub(super) fn conditions(clause: &Clause<'_>) -> Result<Vec<Condition<String>>, QueryError> {
    let mut conditions = Vec::new();
    let mut rest = clause.words;
    loop {
        while let [first, following @ ..] = rest
            && first.is_word("and")
        {
            rest = following;
        }
        match rest {
            [] => break,
            [left, operator, right, following @ ..] => {
                conditions.push(condition(left, operator, right)?);
                rest = following;
            }
            [left, ..] => {
                return err(format!(
                    "incomplete condition after the {} (expected: field operator value)",
                    found(left)
                ));
            }
        }
    }
    if conditions.is_empty() {
        return err(format!("{} needs a condition", clause.place()));
    }
    Ok(conditions)
}

fn condition(
    left: &Token,
    operator: &Token,
    right: &Token,
) -> Result<Condition<String>, QueryError> {
    Ok(match known_operator(operator)? {
        Operator::Number(known) => Condition::Numbers {
            left: number_operand(left, operator)?,
            operator: known,
            right: number_operand(right, operator)?,
        },
        Operator::Text(known, is_negated) => Condition::Texts {
            left: text_operand(left),
            operator: known,
            is_negated,
            right: text_operand(right),
        },
    })
}

fn known_operator(word: &Token) -> Result<Operator, QueryError> {
    use NumberOperator as Number;
    use TextOperator as Text;
    let name = word.text.to_ascii_lowercase();
    Ok(match name.as_str() {
        _ if word.kind != TokenKind::Word => return unknown_operator(word),
        "==" => Operator::Number(Number::Equal),
        "!=" => Operator::Number(Number::NotEqual),
        "<" => Operator::Number(Number::Less),
        "<=" | "=<" => Operator::Number(Number::LessOrEqual),
        ">" => Operator::Number(Number::Greater),
        ">=" | "=>" => Operator::Number(Number::GreaterOrEqual),
        "eq" => Operator::Text(Text::Equal, false),
        "ne" => Operator::Text(Text::Equal, true),
        "contains" => Operator::Text(Text::Contains, false),
        "ncontains" | "lacks" => Operator::Text(Text::Contains, true),
        "hasprefix" => Operator::Text(Text::HasPrefix, false),
        "nhasprefix" => Operator::Text(Text::HasPrefix, true),
        "hassuffix" => Operator::Text(Text::HasSuffix, false),
        "nhassuffix" => Operator::Text(Text::HasSuffix, true),
        _ => return unknown_operator(word),
    })
}

fn unknown_operator(word: &Token) -> Result<Operator, QueryError> {
    err(format!(
        "expected an operator, not the {} (numbers: == != < <= > >=, texts: eq ne contains lacks \
         hasprefix nhasprefix hassuffix nhassuffix)",
        found(word)
    ))
}

fn number_operand(word: &Token, operator: &Token) -> Result<Operand<f64, String>, QueryError> {
    match (word.kind, number::parse(word.text.as_bytes())) {
        (TokenKind::Quoted, _) => err(format!(
            "{} compares numbers, not the {} (texts are compared by eq, ne, contains, …)",
            operator.text,
            found(word)
        )),
        (TokenKind::Word, Some(literal)) => Ok(Operand::Literal(literal)),
        _ => Ok(Operand::Field(word.text.clone())),
    }
}

fn text_operand(word: &Token) -> Operand<Box<[u8]>, String> {
    match word.kind {
        TokenKind::Quoted => Operand::Literal(word.text.as_bytes().into()),
        TokenKind::Word | TokenKind::Escaped => Operand::Field(word.text.clone()),
    }
}
