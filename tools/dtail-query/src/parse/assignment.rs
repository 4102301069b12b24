//! The `set` clause: variables made from fields, texts and functions.

use super::{
    Clause, Names, err_at, found, leaf, operator,
    parser::{Mode, Parser},
};
use crate::{
    expression::{Arithmetic, Expression},
    function::Function,
    lex::{self, Token, TokenKind, without_backticks},
    query::{AssignedValue, Assignment, QueryError},
};

pub(super) fn assignments(
    clause: &Clause<'_>,
    names: &mut Names,
) -> Result<Vec<Assignment>, QueryError> {
    let pieces = operator::unglued(lex::pieces(clause.words));
    let mode = Mode { conditions: false, rows_of_conditions: false, aggregates: false };
    let mut parser = Parser { text: clause.text, pieces: &pieces, next: 0, mode, names, depth: 0 };
    let mut assignments = Vec::new();
    loop {
        parser.skip_and();
        let Some(first) = parser.peek() else { break };
        if !first.text.starts_with('$') {
            let message = format!("set needs a variable such as $name, not the {}", found(first));
            return err_at(clause.text, first, message);
        }
        parser.next += 1;
        match parser.peek() {
            Some(equals) if equals.is_word("=") => parser.next += 1,
            Some(other) if parser.peek_second().is_some() => {
                let message = format!("expected = after {}, not the {}", first.text, found(other));
                return err_at(clause.text, other, message);
            }
            _ => return incomplete(clause.text, first),
        }
        let Some(value) = parser.peek() else { return incomplete(clause.text, first) };
        let value = parser.assigned(value)?;
        assignments.push(Assignment { variable: first.text.clone(), value });
    }
    if assignments.is_empty() {
        return clause.err("needs an assignment such as $name = value");
    }
    Ok(assignments)
}

fn incomplete<T>(text: &str, variable: &Token) -> Result<T, QueryError> {
    let message =
        format!("incomplete assignment of the {} (write: $name = value)", found(variable));
    err_at(text, variable, message)
}

impl Parser<'_> {
    fn assigned(&mut self, first: &Token) -> Result<AssignedValue, QueryError> {
        if self.is_alone(first) {
            self.next += 1;
            return Ok(plain(first));
        }
        let (value, _) = self.value()?;
        let value = leaf::over_fields(&value);
        Ok(dtails_calls(&value).unwrap_or(AssignedValue::Computed(value)))
    }

    /// Whether a value is nothing but this word.
    fn is_alone(&self, first: &Token) -> bool {
        let second = self.peek_second();
        let is_operator = |it: &Token| {
            it.kind == TokenKind::Word && !it.after_comma && Arithmetic::of(&it.text).is_some()
        };
        let is_call = |it: &Token| it.kind == TokenKind::Open && first.kind == TokenKind::Word;
        first.kind != TokenKind::Open
            && !(first.kind == TokenKind::Word && first.text == "-")
            && !second.is_some_and(|it| is_operator(it) || is_call(it))
    }
}

fn plain(value: &Token) -> AssignedValue {
    // DTail reads calls in double quotes, too; what is none there is a text for us.
    if value.kind == TokenKind::Quoted
        && let Some((functions, source)) = quoted_calls(&value.text)
    {
        return AssignedValue::Plain { functions, source: source.to_owned(), is_quoted: false };
    }
    AssignedValue::Plain {
        functions: Vec::new(),
        source: value.text.clone(),
        is_quoted: value.kind == TokenKind::Quoted,
    }
}

/// DTail's functions of a name, where a field that is not there stands for its own name.
fn dtails_calls(value: &Expression<String>) -> Option<AssignedValue> {
    let mut functions = Vec::new();
    let mut inner = value;
    while let Expression::Call(function @ (Function::Md5Sum | Function::MaskDigits), arguments) =
        inner
    {
        functions.push(*function);
        inner = arguments.first()?;
    }
    functions.reverse();
    match inner {
        Expression::Field(source) if !functions.is_empty() => {
            Some(AssignedValue::Plain { functions, source: source.clone(), is_quoted: false })
        }
        _ => None,
    }
}

/// The functions of `outer(inner(argument))`, innermost first, and the argument.
fn quoted_calls(text: &str) -> Option<(Vec<Function>, &str)> {
    let mut functions = Vec::new();
    let mut argument = text;
    while let Some((name, inner)) = argument.strip_suffix(')').and_then(|it| it.split_once('(')) {
        functions.push(match name {
            "md5sum" => Function::Md5Sum,
            "maskdigits" => Function::MaskDigits,
            _ => return None,
        });
        argument = inner;
    }
    functions.reverse();
    match without_backticks(argument) {
        Some(escaped) => Some((functions, escaped)),
        None if functions.is_empty() || argument.is_empty() || argument.contains(['(', ')']) => {
            None
        }
        None => Some((functions, argument)),
    }
}
