//! The clauses `group by` and `order by`.

use super::{
    Clause, Names, condition, err_at, found,
    leaf::{self, Leaf},
    misspelt_column, operator,
    parser::{Mode, Parser},
};
use crate::{
    expression::Expression,
    lex::{self, Token, TokenKind},
    query::{Order, Output, QueryError, Selection},
    sample,
};

/// What rows are grouped by. A name after `as` means its column, unless that has aggregates in it.
pub(super) fn group_keys(
    clause: &Clause<'_>,
    selections: &[Selection],
    names: &mut Names,
) -> Result<Vec<Expression<String>>, QueryError> {
    let pieces = without_by(clause);
    let mode = Mode { conditions: false, rows_of_conditions: false, aggregates: false };
    let mut parser = Parser { text: clause.text, pieces: &pieces, next: 0, mode, names, depth: 0 };
    let mut keys = Vec::new();
    while let Some(first) = parser.peek() {
        let start = parser.next;
        let (value, _) = parser.value()?;
        let is_single = parser.next == start + 1;
        let renamed = selections.iter().find(|it| it.is_renamed && it.title == first.text);
        keys.push(match renamed.filter(|_| is_single) {
            Some(Selection { value: Output::Aggregate(index), is_bare: true, .. }) => {
                parser.names.aggregates[*index].input.clone()
            }
            // A word is a field here, whatever it looks like.
            _ if is_single => Expression::Field(first.text.clone()),
            _ => leaf::over_fields(&value),
        });
    }
    if keys.is_empty() {
        return clause.err("needs a field to group by");
    }
    Ok(keys)
}

/// What rows are ordered by. `is_ascending`: unless a direction is written.
pub(super) fn orders(
    clause: &Clause<'_>,
    is_ascending: bool,
    selections: &[Selection],
    names: &mut Names,
) -> Result<Vec<Order>, QueryError> {
    let pieces = without_by(clause);
    let mode = Mode { conditions: false, rows_of_conditions: false, aggregates: true };
    let mut parser = Parser { text: clause.text, pieces: &pieces, next: 0, mode, names, depth: 0 };
    let mut orders = Vec::new();
    let mut has_directions = false;
    while let Some(first) = parser.peek() {
        let start = parser.next;
        let aggregates = parser.names.aggregates.len();
        let title = quoted_title(first, selections);
        let value = match title {
            Some(_) => {
                parser.next += 1;
                Expression::Field(Leaf::Field(first.text.clone()))
            }
            None => parser.value()?.0,
        };
        let typed = match title {
            Some(title) => title.to_owned(),
            None if parser.next == start + 1 => first.text.clone(),
            None => clause.text[first.start..pieces[parser.next - 1].end].to_owned(),
        };
        let value = parser.ordered(first, &typed, &value, aggregates, selections)?;
        let direction = parser.direction();
        has_directions |= direction.is_some();
        let is_ascending = direction.unwrap_or(is_ascending);
        orders.push(Order { title: typed, is_ascending, value, by_text: false });
    }
    if orders.is_empty() {
        return clause.err("needs a selected column");
    }
    let by_text = has_directions || orders.len() > 1;
    orders.iter_mut().for_each(|order| order.by_text = by_text);
    Ok(orders)
}

/// A title may have blanks, and then it is written in quotes.
fn quoted_title<'a>(token: &'a Token, selections: &[Selection]) -> Option<&'a str> {
    let is_title = selections.iter().any(|it| it.title == token.text);
    (is_title && matches!(token.kind, TokenKind::Quoted | TokenKind::Escaped))
        .then_some(token.text.as_str())
}

impl Parser<'_> {
    /// What an order looks at. `aggregates`: how many there were before it was read.
    fn ordered(
        &mut self,
        first: &Token,
        typed: &str,
        value: &Expression<Leaf>,
        aggregates: usize,
        selections: &[Selection],
    ) -> Result<Output, QueryError> {
        if let Some(column) = selections.iter().find(|it| it.title == typed) {
            self.names.aggregates.truncate(aggregates);
            return Ok(column.value.clone());
        }
        let mut unknown = None;
        value.each_leaf(&mut |leaf| {
            if let Leaf::Field(name) = leaf
                && !selections.iter().any(|it| it.title == *name)
            {
                unknown.get_or_insert(name);
            }
        });
        if unknown.is_some() || !has_leaves(value) {
            let shown = sample::quoted(unknown.map_or(typed, String::as_str));
            let meant = misspelt_column(unknown.map_or(typed, String::as_str), selections);
            let message = format!(
                "rows can only be ordered by a selected column, and {shown} is none{meant}"
            );
            return err_at(self.text, first, message);
        }
        let value =
            value.grow(&mut |leaf| condition::column_or_aggregate(leaf, selections, self.names));
        Ok(match value {
            Expression::Field(index) => Output::Aggregate(index),
            computed => Output::Computed(computed),
        })
    }

    /// `asc` or `desc`, and the words of DTail's users that mean nothing.
    fn direction(&mut self) -> Option<bool> {
        let mut direction = None;
        while let Some(word) = self.peek().filter(|it| !it.after_comma) {
            if word.is_word("asc") {
                direction = Some(true);
            } else if word.is_word("desc") {
                direction = Some(false);
            } else if word.is_word("reverse") {
                self.names.oddities.push(format!(
                    "order ignores the {}: order sorts largest first, rorder smallest first",
                    found(word)
                ));
            } else {
                break;
            }
            self.next += 1;
        }
        direction
    }
}

fn has_leaves(value: &Expression<Leaf>) -> bool {
    let mut has = false;
    value.each_leaf(&mut |_| has = true);
    has
}

fn without_by(clause: &Clause<'_>) -> Vec<Token> {
    let mut pieces = operator::unglued_in_if(lex::pieces(clause.words));
    pieces.retain(|it| !(it.kind == TokenKind::Quoted && it.text.is_empty()));
    if pieces.first().is_some_and(|it| it.is_word("by")) {
        pieces.remove(0);
    }
    pieces
}
