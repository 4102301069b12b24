//! The `select` clause: columns, each a bare field or an aggregation of a field.

use super::{Clause, err, found};
use crate::{
    lex::{Token, TokenKind, without_backticks},
    query::{Aggregation, QueryError, Selection},
};

pub(super) fn selections(
    clause: &Clause<'_>,
    oddities: &mut Vec<String>,
) -> Result<Vec<Selection>, QueryError> {
    let mut selections = Vec::new();
    for word in clause.filled_words() {
        if word.is_word("as") {
            oddities.push(format!(
                "select reads the {} as a field: a column cannot be given another title",
                found(word)
            ));
        }
        selections.push(selection(word)?);
    }
    if selections.is_empty() {
        return err(format!("{} needs a column, for example count(*)", clause.place()));
    }
    Ok(selections)
}

fn selection(word: &Token) -> Result<Selection, QueryError> {
    let title = word.text.clone();
    let bare =
        Selection { aggregation: Aggregation::Last, field: title.clone(), title, is_bare: true };
    let Some((name, rest)) = word.text.split_once('(') else { return Ok(bare) };
    let known = Aggregation::NAMED.iter().find(|(known_name, _)| *known_name == name);
    let field = rest.strip_suffix(')');
    match (word.kind, known, field) {
        (TokenKind::Escaped, ..) => Ok(bare),
        // A quoted text that is no call is a field whose name has parentheses.
        (TokenKind::Quoted, None, _) | (TokenKind::Quoted, _, None) => Ok(bare),
        (_, Some((_, aggregation)), Some(field)) => {
            let field = argument(word, field)?;
            Ok(Selection { aggregation: *aggregation, field, is_bare: false, ..bare })
        }
        (_, None, _) => {
            let known = Aggregation::NAMED.map(|(name, _)| name).join(", ");
            err(format!(
                "unknown aggregation in the {} (known, in lower case: {known})",
                found(word)
            ))
        }
        (_, _, None) => err(format!(
            "no closing parenthesis in the {} (write {name}(field) without blanks)",
            found(word)
        )),
    }
}

fn argument(word: &Token, field: &str) -> Result<String, QueryError> {
    if let Some(escaped) = without_backticks(field) {
        return Ok(escaped.to_owned());
    }
    if field.is_empty() {
        return err(format!("no field in the {} (count(*) counts lines)", found(word)));
    }
    if field.contains(['(', ')']) {
        return err(format!(
            "aggregations do not nest, see the {} (a field whose name has parentheses goes into \
             backticks)",
            found(word)
        ));
    }
    Ok(field.to_owned())
}
