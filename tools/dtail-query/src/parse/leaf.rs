//! What an expression stands on while it is parsed, before it is known where it belongs.

use crate::expression::{Condition, Expression};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Leaf {
    /// A name as written.
    Field(String),
    /// Index into the aggregates of the query.
    Aggregate(usize),
}

/// Whether an expression has aggregates in it.
pub(super) fn has_aggregates(expression: &Expression<Leaf>) -> bool {
    let mut has = false;
    expression.each_leaf(&mut |leaf| has |= matches!(leaf, Leaf::Aggregate(_)));
    has
}

/// An expression over fields only; the parser lets no aggregate into it.
pub(super) fn over_fields(expression: &Expression<Leaf>) -> Expression<String> {
    expression.map(&mut name)
}

/// A condition over fields only.
pub(super) fn condition_over_fields(condition: &Condition<Leaf>) -> Condition<String> {
    condition.map(&mut name)
}

fn name(leaf: &Leaf) -> String {
    match leaf {
        Leaf::Field(name) => name.clone(),
        Leaf::Aggregate(_) => String::new(),
    }
}
