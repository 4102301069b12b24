//! A query told step by step, for `--explain`: what happens to a line, and what is kept of it.

use std::fmt::Write;

use crate::{
    expression::{Condition, Expression, NumberOperator, Operand, TextOperator},
    format::LogFormat,
    function::{self, Function},
    prefilter,
    query::{Aggregate, Aggregation, AssignedValue, Output, Query},
    sample,
};

/// One line for each step.
pub(crate) fn of(query: &Query, format: &LogFormat) -> Vec<String> {
    let mut lines = vec![format!("log format: {}", format.name())];
    lines.push(match query.table() {
        None | Some("" | ".") => "table: every line".to_owned(),
        Some("*") => "table: lines with |MAPREDUCE:".to_owned(),
        Some(name) => format!("table: lines with |MAPREDUCE:{name}|"),
    });
    for set in prefilter::required_literals(query, format) {
        let any: Vec<String> = set.iter().map(|it| sample::quoted_bytes(it)).collect();
        lines.push(format!("prefilter: lines with {}", listed(&any, " or ")));
    }
    let mut fields: Vec<&str> = Vec::new();
    crate::parse::each_field(query, &mut |name| {
        if fields.len() < 1000 && !fields.contains(&name) {
            fields.push(name);
        }
    });
    let fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
    lines.push(format!("fields read: {}", listed(&fields, ", ")));
    let conditions: Vec<String> =
        query.conditions.iter().map(|it| shown(it, &Clone::clone)).collect();
    lines.extend(conditions.iter().map(|it| format!("where: {it}")));
    for it in &query.assignments {
        let value = match &it.value {
            AssignedValue::Plain { functions, source, is_quoted } => {
                let value = if *is_quoted { sample::quoted(source) } else { source.clone() };
                functions.iter().fold(value, |value, it| format!("{}({value})", it.name()))
            }
            AssignedValue::Computed(tree) => tree_shown(tree, &Clone::clone),
        };
        lines.push(format!("set: {} = {value}", it.variable));
    }
    let keys: Vec<String> =
        query.group_keys(false).iter().map(|it| tree_shown(it, &Clone::clone)).collect();
    lines.push(match keys.as_slice() {
        [] => "group by: nothing, all lines are one group".to_owned(),
        keys => format!("group by: {}", listed(keys, ", ")),
    });
    let aggregate = |index: &usize| named(&query.aggregates[*index]);
    for it in &query.aggregates {
        lines.push(format!("aggregate: {}, keeps {}", named(it), state(it.aggregation)));
    }
    lines.extend(query.having.iter().map(|it| format!("having: {}", shown(it, &aggregate))));
    for it in &query.selections {
        if let Output::Computed(tree) = &it.value {
            lines.push(format!("column: {} = {}", it.title, tree_shown(tree, &aggregate)));
        }
    }
    for it in &query.orders {
        let direction = if it.is_ascending { "smallest" } else { "largest" };
        lines.push(format!("order by: {}, {direction} first", it.title));
    }
    lines.extend(query.limit().map(|rows| format!("limit: {rows} rows")));
    lines.iter().map(|line| one_line(line)).collect()
}

fn one_line(line: &str) -> String {
    line.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

/// Some of many.
fn listed(names: &[String], between: &str) -> String {
    const MOST: usize = 20;
    let mut list = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(between);
    if names.len() > MOST {
        put(&mut list, format_args!("{between}{} more", names.len() - MOST));
    }
    list
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok(), "a String takes every write");
}

fn named(aggregate: &Aggregate) -> String {
    let input = tree_shown(&aggregate.input, &Clone::clone);
    match aggregate.aggregation {
        Aggregation::CountDistinct => format!("count(distinct {input})"),
        Aggregation::Quantile(share) => {
            format!("percentile({input}, {})", share.fraction() * 100.0)
        }
        Aggregation::Histogram(Some(width)) => format!("histogram({input}, {})", width.get()),
        other => {
            let name = Aggregation::NAMED.iter().find(|(_, it)| *it == other);
            let name = name.map_or("", |(name, _)| name);
            match &aggregate.time {
                Some(time) => format!("{name}({input}, {})", tree_shown(time, &Clone::clone)),
                None => format!("{name}({input})"),
            }
        }
    }
}

fn state(aggregation: Aggregation) -> &'static str {
    match aggregation {
        Aggregation::Count => "a counter",
        Aggregation::Sum | Aggregation::Percentage | Aggregation::Percentile => "an exact sum",
        Aggregation::Avg => "an exact sum and a counter",
        Aggregation::Min | Aggregation::Max => "a number",
        Aggregation::Last | Aggregation::First => "a text",
        Aggregation::Len => "a length",
        Aggregation::CountDistinct => "every different value",
        Aggregation::Quantile(_) => "a sketch (within 0.5 % of the value)",
        Aggregation::Variance | Aggregation::Deviation => "two exact sums and a counter",
        Aggregation::Rate => "an exact sum and two times",
        Aggregation::Histogram(_) => "a counter for each bucket",
    }
}

fn tree_shown<Leaf>(tree: &Expression<Leaf>, leaf: &dyn Fn(&Leaf) -> String) -> String {
    let shown_all = |trees: &[Expression<Leaf>]| {
        trees.iter().map(|it| tree_shown(it, leaf)).collect::<Vec<_>>().join(", ")
    };
    match tree {
        Expression::Number(number) => format!("{number}"),
        Expression::Text(text) => sample::quoted_bytes(text),
        Expression::Field(field) => leaf(field),
        Expression::Negation(inner) => format!("-({})", tree_shown(inner, leaf)),
        Expression::Arithmetic(operator, sides) => {
            let side = |tree: &Expression<Leaf>| match tree {
                Expression::Arithmetic(..) => format!("({})", tree_shown(tree, leaf)),
                _ => tree_shown(tree, leaf),
            };
            format!("{} {} {}", side(&sides[0]), operator.sign(), side(&sides[1]))
        }
        Expression::Call(Function::TimeBucket, arguments) => match arguments.as_slice() {
            [time, Expression::Number(seconds)] => {
                format!("bucket({}, {seconds}s)", tree_shown(time, leaf))
            }
            arguments => format!("bucket({})", shown_all(arguments)),
        },
        Expression::Call(function, arguments) => {
            format!("{}({})", function.name(), shown_all(arguments))
        }
        Expression::Extract(inner, pattern) => {
            let pattern = sample::quoted(&pattern.shown);
            format!("{}({}, {pattern})", function::EXTRACT, tree_shown(inner, leaf))
        }
        Expression::If(condition, sides) => {
            format!("{}({}, {})", function::IF, shown(condition, leaf), shown_all(&sides[..]))
        }
    }
}

fn shown<Leaf>(condition: &Condition<Leaf>, leaf: &dyn Fn(&Leaf) -> String) -> String {
    let joined = |parts: &[Condition<Leaf>], word: &str| {
        let parts: Vec<String> = parts.iter().map(|it| shown(it, leaf)).collect();
        format!("({})", listed(&parts, word))
    };
    match condition {
        Condition::Numbers { left, operator, right } => {
            let operand = |it: &Operand<f64, Leaf>| match it {
                Operand::Literal(literal) => format!("{literal}"),
                Operand::Field(field) => leaf(field),
            };
            format!("{} {} {}", operand(left), number_sign(*operator), operand(right))
        }
        Condition::Texts { left, operator, is_negated, right } => {
            let operand = |it: &Operand<Box<[u8]>, Leaf>| match it {
                Operand::Literal(literal) => sample::quoted_bytes(literal),
                Operand::Field(field) => leaf(field),
            };
            let word = text_word(*operator, *is_negated);
            format!("{} {word} {}", operand(left), operand(right))
        }
        Condition::ComparedNumbers(operator, sides) => {
            let [left, right] = [&sides[0], &sides[1]].map(|it| tree_shown(it, leaf));
            format!("{left} {} {right}", number_sign(*operator))
        }
        Condition::ComparedTexts { operator, is_negated, sides } => {
            let [left, right] = [&sides[0], &sides[1]].map(|it| tree_shown(it, leaf));
            format!("{left} {} {right}", text_word(*operator, *is_negated))
        }
        Condition::Same(sides) => {
            let [left, right] = [&sides[0], &sides[1]].map(|it| tree_shown(it, leaf));
            format!("{left} = {right}")
        }
        Condition::In(value, choices) => {
            let choices: Vec<String> =
                choices.texts.iter().map(|it| sample::quoted_bytes(it)).collect();
            format!("{} in ({})", tree_shown(value, leaf), listed(&choices, ", "))
        }
        Condition::Matches(value, pattern) => {
            format!("{} matches {}", tree_shown(value, leaf), sample::quoted(&pattern.shown))
        }
        Condition::Missing(value) => format!("{} is missing", tree_shown(value, leaf)),
        Condition::All(parts) => joined(parts, " and "),
        Condition::Any(parts) => joined(parts, " or "),
        Condition::Not(inner) => format!("not {}", shown(inner, leaf)),
    }
}

fn number_sign(operator: NumberOperator) -> &'static str {
    match operator {
        NumberOperator::Equal => "==",
        NumberOperator::NotEqual => "!=",
        NumberOperator::Less => "<",
        NumberOperator::LessOrEqual => "<=",
        NumberOperator::Greater => ">",
        NumberOperator::GreaterOrEqual => ">=",
    }
}

fn text_word(operator: TextOperator, is_negated: bool) -> &'static str {
    match (operator, is_negated) {
        (TextOperator::Equal, false) => "eq",
        (TextOperator::Equal, true) => "ne",
        (TextOperator::Contains, false) => "contains",
        (TextOperator::Contains, true) => "lacks",
        (TextOperator::HasPrefix, false) => "hasprefix",
        (TextOperator::HasPrefix, true) => "nhasprefix",
        (TextOperator::HasSuffix, false) => "hassuffix",
        (TextOperator::HasSuffix, true) => "nhassuffix",
    }
}
