//! The clauses of conditions: `where`, on lines, and `having`, on groups.

use super::{
    Clause, Names,
    leaf::{self, Leaf},
    operator,
    parser::{Mode, Parser},
};
use crate::{
    expression::{Condition, Expression},
    lex,
    query::{Output, QueryError, Selection},
};

/// The conditions of `where`, all of which must hold.
pub(super) fn conditions(
    clause: &Clause<'_>,
    names: &mut Names,
) -> Result<Vec<Condition<String>>, QueryError> {
    let condition = parsed(clause, names, false)?;
    Ok(match leaf::condition_over_fields(&condition) {
        Condition::All(parts) => parts,
        one => vec![one],
    })
}

/// The condition of `having`. A name is that of a column, else a field of the last line.
pub(super) fn having(
    clause: &Clause<'_>,
    selections: &[Selection],
    names: &mut Names,
) -> Result<Condition<usize>, QueryError> {
    let condition = parsed(clause, names, true)?;
    Ok(condition.grow(&mut |leaf| column_or_aggregate(leaf, selections, names)))
}

/// The column of this name, or what is collected of the lines.
pub(super) fn column_or_aggregate(
    leaf: &Leaf,
    selections: &[Selection],
    names: &mut Names,
) -> Expression<usize> {
    let Leaf::Field(name) = leaf else { return Expression::Field(names.aggregate_of(leaf)) };
    match selections.iter().find(|it| it.title == *name).map(|it| &it.value) {
        Some(Output::Aggregate(index)) => Expression::Field(*index),
        Some(Output::Computed(computed)) => computed.clone(),
        None => Expression::Field(names.aggregate_of(leaf)),
    }
}

fn parsed(
    clause: &Clause<'_>,
    names: &mut Names,
    aggregates: bool,
) -> Result<Condition<Leaf>, QueryError> {
    let pieces = operator::unglued(lex::pieces(clause.words));
    let mode = Mode { conditions: true, rows_of_conditions: true, aggregates };
    let mut parser = Parser { text: clause.text, pieces: &pieces, next: 0, mode, names, depth: 0 };
    parser.skip_and();
    if parser.peek().is_none() {
        return clause.err("needs a condition");
    }
    parser.condition()
}
