//! What of a query DTail 4.1 could not run or say: its protocol has no place for it. The order of
//! rows is made where they are shown, so it is no matter.

use crate::{
    expression::{Condition, Expression},
    query::{AssignedValue, Output, Query},
};

/// The first such thing, as messages name it.
pub(crate) fn of(query: &Query) -> Option<String> {
    if query.is_distinct {
        return Some("select distinct".to_owned());
    }
    if query.having.is_some() {
        return Some("having".to_owned());
    }
    let column = query.selections.iter().enumerate().find(|(index, selection)| {
        selection.is_renamed || selection.value != Output::Aggregate(*index)
    });
    let aggregates = query.aggregates.iter().find(|aggregate| {
        !aggregate.aggregation.is_dtails() || !matches!(aggregate.input, Expression::Field(_))
    });
    if let Some((_, selection)) = column {
        return Some(format!("the column {}", crate::sample::quoted(&selection.title)));
    }
    if aggregates.is_some() || query.aggregates.len() > query.selections.len() {
        let title = query.selections.iter().find(|selection| match selection.value {
            Output::Aggregate(index) => aggregates == query.aggregates.get(index),
            Output::Computed(_) => true,
        });
        return Some(match title {
            Some(selection) => format!("the column {}", crate::sample::quoted(&selection.title)),
            None => "what rows are ordered by".to_owned(),
        });
    }
    let is_plain = |condition: &Condition<String>| {
        matches!(condition, Condition::Numbers { .. } | Condition::Texts { .. })
    };
    if !query.conditions.iter().all(is_plain) {
        return Some("where with more than comparisons of fields".to_owned());
    }
    if query.assignments.iter().any(|it| matches!(it.value, AssignedValue::Computed(_))) {
        return Some("set with more than fields, md5sum and maskdigits".to_owned());
    }
    if query.group_by.iter().any(|it| !matches!(it, Expression::Field(_))) {
        return Some("group by with more than fields".to_owned());
    }
    None
}
