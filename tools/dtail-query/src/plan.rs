//! Resolves a query for one log format: every name it mentions becomes a slot, once.
//!
//! Nothing here happens per line.

use crate::{
    aggregator::HostFacts,
    fields::{Fields, Slot},
    format::{LogFormat, Reader},
    query::{Aggregation, Assignment, Condition, Operand, Query},
    set::PlannedAssignment,
};

/// What the engine does with each line, in the order of these fields.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) reader: Reader,
    pub(crate) conditions: Vec<Condition<Slot>>,
    pub(crate) assignments: Vec<PlannedAssignment>,
    /// The fields to read as numbers, each once.
    pub(crate) numbers: Vec<Slot>,
    pub(crate) columns: Vec<Column>,
    pub(crate) group: Vec<Slot>,
}

/// What one selected column takes from a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) aggregation: Aggregation,
    pub(crate) input: Input,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Input {
    /// The value, as it is.
    Value(Slot),
    /// Index into [`Plan::numbers`].
    Number(usize),
}

impl Plan {
    pub(crate) fn new(
        query: &Query,
        format: &LogFormat,
        host: &HostFacts,
        strict: bool,
    ) -> (Plan, Fields) {
        let mut fields = Fields::default();
        let conditions = query
            .conditions
            .iter()
            .map(|condition| plan_condition(condition, &mut fields))
            .collect();
        let assignments = query
            .assignments
            .iter()
            .map(|assignment| plan_assignment(assignment, strict, &mut fields))
            .collect();
        let mut numbers = Vec::new();
        let columns = query
            .selections
            .iter()
            .map(|selection| {
                let slot = fields.add(&selection.field);
                let aggregation = selection.aggregation;
                Column { aggregation, input: plan_input(aggregation, slot, &mut numbers) }
            })
            .collect();
        let group = query.group_fields(strict).into_iter().map(|name| fields.add(name)).collect();
        let reader = Reader::new(format, host, strict, &mut fields);
        (Plan { reader, conditions, assignments, numbers, columns, group }, fields)
    }
}

fn plan_input(aggregation: Aggregation, slot: Slot, numbers: &mut Vec<Slot>) -> Input {
    match aggregation {
        Aggregation::Count | Aggregation::Last | Aggregation::Len => Input::Value(slot),
        Aggregation::Sum
        | Aggregation::Min
        | Aggregation::Max
        | Aggregation::Avg
        | Aggregation::Percentage
        | Aggregation::Percentile => {
            let known = numbers.iter().position(|&number| number == slot);
            Input::Number(known.unwrap_or_else(|| {
                numbers.push(slot);
                numbers.len() - 1
            }))
        }
    }
}

fn plan_condition(condition: &Condition<String>, fields: &mut Fields) -> Condition<Slot> {
    match condition {
        Condition::Numbers { left, operator, right } => Condition::Numbers {
            left: plan_operand(left, fields),
            operator: *operator,
            right: plan_operand(right, fields),
        },
        Condition::Texts { left, operator, is_negated, right } => Condition::Texts {
            left: plan_operand(left, fields),
            operator: *operator,
            is_negated: *is_negated,
            right: plan_operand(right, fields),
        },
    }
}

fn plan_operand<Literal: Clone>(
    operand: &Operand<Literal, String>,
    fields: &mut Fields,
) -> Operand<Literal, Slot> {
    match operand {
        Operand::Literal(literal) => Operand::Literal(literal.clone()),
        Operand::Field(name) => Operand::Field(fields.add(name)),
    }
}

fn plan_assignment(
    assignment: &Assignment,
    strict: bool,
    fields: &mut Fields,
) -> PlannedAssignment {
    let may_be_field = strict || !assignment.is_quoted;
    PlannedAssignment {
        variable: fields.add(&assignment.variable),
        functions: assignment.functions.clone(),
        field: may_be_field.then(|| fields.add(&assignment.source)),
        text: fields.constant(&assignment.source),
    }
}
