//! The `set` clause: variables made from fields, texts and functions.

use super::{Clause, err, found};
use crate::{
    lex::{Token, TokenKind, without_backticks},
    query::{Assignment, Function, QueryError},
};

pub(super) fn assignments(clause: &Clause<'_>) -> Result<Vec<Assignment>, QueryError> {
    let mut assignments = Vec::new();
    let mut rest = clause.words;
    while let [first, following @ ..] = rest {
        if first.is_word("and") {
            rest = following;
            continue;
        }
        if !first.text.starts_with('$') {
            return err(format!("set needs a variable such as $name, not the {}", found(first)));
        }
        let [equals, value, following @ ..] = following else {
            return err(format!(
                "incomplete assignment of the {} (write: $name = value)",
                found(first)
            ));
        };
        if !equals.is_word("=") {
            return err(format!(
                "expected = after {}, not the {} (with blanks around it)",
                first.text,
                found(equals)
            ));
        }
        assignments.push(assignment(&first.text, value)?);
        rest = following;
    }
    if assignments.is_empty() {
        return err(format!("{} needs an assignment such as $name = value", clause.place()));
    }
    Ok(assignments)
}

fn assignment(variable: &str, value: &Token) -> Result<Assignment, QueryError> {
    let plain = Assignment {
        variable: variable.to_owned(),
        functions: Vec::new(),
        source: value.text.clone(),
        is_quoted: value.kind == TokenKind::Quoted,
    };
    if value.kind == TokenKind::Escaped || !value.text.ends_with(')') {
        return Ok(plain);
    }
    match (calls(&value.text), value.kind) {
        (Some((functions, source)), _) => {
            Ok(Assignment { functions, source: source.to_owned(), is_quoted: false, ..plain })
        }
        // DTail reads calls in double quotes, too; what is none there is a text for us.
        (None, TokenKind::Quoted) => Ok(plain),
        (None, _) => {
            let known = Function::NAMED.map(|(name, _)| name).join(", ");
            err(format!("cannot read the {} as calls of functions (known: {known})", found(value)))
        }
    }
}

/// The functions of `outer(inner(argument))`, innermost first, and the argument.
fn calls(text: &str) -> Option<(Vec<Function>, &str)> {
    let mut functions = Vec::new();
    let mut argument = text;
    while let Some((name, inner)) = argument.strip_suffix(')').and_then(|it| it.split_once('(')) {
        let (_, function) = Function::NAMED.iter().find(|(known, _)| *known == name)?;
        functions.push(*function);
        argument = inner;
    }
    functions.reverse();
    match without_backticks(argument) {
        Some(escaped) => Some((functions, escaped)),
        None if argument.is_empty() || argument.contains(['(', ')']) => None,
        None => Some((functions, argument)),
    }
}
