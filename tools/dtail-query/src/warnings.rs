//! What is odd about a query though it can run, as far as the log format tells.

use crate::{
    format::{LogFormat, UserFormats},
    query::{Aggregation, Condition, Operand, Query},
    sample,
};

/// One line each, without prefix.
pub(crate) fn of_query(query: &Query, default_format: &str) -> Vec<String> {
    let mut warnings = query.oddities.clone();
    let Ok(format) = LogFormat::choose(query, default_format, &UserFormats::default()) else {
        return warnings;
    };
    let is_set = |name: &str| query.assignments.iter().any(|it| it.variable == name);
    let mut seen: Vec<&str> = Vec::new();
    for name in mentioned_fields(query) {
        let Some(bareword) = name.strip_prefix('$') else { continue };
        if seen.contains(&name) || format.has_variable(name) || is_set(name) {
            continue;
        }
        seen.push(name);
        warnings.push(format!(
            "{} is not a known variable for log format \"{}\"; did you mean bareword {}?",
            shown(name),
            format.name(),
            shown(bareword)
        ));
    }
    for name in condition_fields(query).filter(|name| is_set(name)) {
        if !format.has_variable(name) {
            let name = shown(name);
            warnings.push(format!("{name} is unknown to where, which comes before set"));
        }
    }
    if let Some(order) = &query.order
        && query.selections.iter().any(|selection| {
            selection.title == order.title && selection.aggregation == Aggregation::Last
        })
    {
        let title = shown(&order.title);
        warnings.push(format!("order has no effect: {title} is not a number"));
    }
    warnings
}

/// The name as it is, unless it would not fit into a line.
fn shown(name: &str) -> String {
    let quoted = sample::quoted(name);
    if quoted.len() == name.len() + 2 { name.to_owned() } else { quoted }
}

fn mentioned_fields(query: &Query) -> impl Iterator<Item = &str> {
    let selected = query.selections.iter().map(|selection| selection.field.as_str());
    let assigned = query.assignments.iter().filter(|it| !it.is_quoted).map(|it| it.source.as_str());
    let grouped = query.group_by.iter().map(String::as_str);
    selected.chain(condition_fields(query)).chain(assigned).chain(grouped)
}

fn condition_fields(query: &Query) -> impl Iterator<Item = &str> {
    query
        .conditions
        .iter()
        .flat_map(|condition| match condition {
            Condition::Numbers { left, right, .. } => [field(left), field(right)],
            Condition::Texts { left, right, .. } => [field(left), field(right)],
        })
        .flatten()
}

fn field<Literal>(operand: &Operand<Literal, String>) -> Option<&str> {
    match operand {
        Operand::Literal(_) => None,
        Operand::Field(name) => Some(name),
    }
}
