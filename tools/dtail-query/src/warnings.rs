//! What is odd about a query though it can run, as far as the log format tells.

use std::collections::HashSet;

use crate::{
    format::{LogFormat, UserFormats},
    query::{Aggregation, AssignedValue, Output, Query},
    sample,
};

/// One line each, without prefix.
pub(crate) fn of_query(
    query: &Query,
    default_format: &str,
    user_formats: &UserFormats,
) -> Vec<String> {
    let mut warnings = query.oddities.clone();
    let Ok(format) = LogFormat::choose(query, default_format, user_formats) else {
        return warnings;
    };
    let variables: HashSet<&str> =
        query.assignments.iter().map(|it| it.variable.as_str()).collect();
    let is_set = |name: &str| variables.contains(name);
    let mut seen: HashSet<&str> = HashSet::new();
    for name in mentioned_fields(query) {
        let Some(bareword) = name.strip_prefix('$') else { continue };
        if is_set(name) || format.has_variable(name) || !seen.insert(name) {
            continue;
        }
        warnings.push(format!(
            "{} is not a known variable for log format \"{}\"; did you mean bareword {}?",
            shown(name),
            format.name(),
            shown(bareword)
        ));
    }
    let mut conditions = Vec::new();
    condition_fields(query, &mut conditions);
    for name in conditions.into_iter().filter(|name| is_set(name)) {
        if !format.has_variable(name) {
            let name = shown(name);
            warnings.push(format!("{name} is unknown to where, which comes before set"));
        }
    }
    for order in &query.orders {
        let Output::Aggregate(index) = order.value else { continue };
        if query.aggregates[index].aggregation == Aggregation::Last && !order.by_text {
            let title = shown(&order.title);
            warnings.push(format!("order has no effect: {title} is not a number"));
        }
    }
    warnings
}

/// The name as it is, unless it would not fit into a line.
fn shown(name: &str) -> String {
    let quoted = sample::quoted(name);
    if quoted.len() == name.len() + 2 { name.to_owned() } else { quoted }
}

/// In the order in which DTail looks at them.
fn mentioned_fields(query: &Query) -> Vec<&str> {
    let mut names = Vec::new();
    for aggregate in &query.aggregates {
        aggregate.input.each_leaf(&mut |name| names.push(name.as_str()));
        aggregate.time.iter().for_each(|it| it.each_leaf(&mut |name| names.push(name.as_str())));
    }
    condition_fields(query, &mut names);
    for assignment in &query.assignments {
        match &assignment.value {
            AssignedValue::Plain { source, is_quoted: false, .. } => names.push(source),
            AssignedValue::Plain { .. } => {}
            AssignedValue::Computed(tree) => tree.each_leaf(&mut |name| names.push(name.as_str())),
        }
    }
    for key in &query.group_by {
        key.each_leaf(&mut |name| names.push(name.as_str()));
    }
    names
}

fn condition_fields<'a>(query: &'a Query, names: &mut Vec<&'a str>) {
    query.conditions.iter().for_each(|it| it.each_leaf(&mut |name| names.push(name.as_str())));
}
