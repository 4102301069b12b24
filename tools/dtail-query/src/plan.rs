//! Resolves a query for one log format: every name it mentions becomes a slot, once.
//!
//! Nothing here happens per line.

use std::collections::HashMap;

use crate::{
    aggregator::HostFacts,
    expression::{Condition, Expression},
    fields::{Fields, Slot},
    format::{LogFormat, Reader},
    query::{Aggregate, Aggregation, AssignedValue, Assignment, Query},
    set::{PlannedAssignment, PlannedValue},
};

/// What the engine does with each line, in the order of these fields.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) reader: Reader,
    pub(crate) conditions: Vec<Condition<Slot>>,
    pub(crate) assignments: Vec<PlannedAssignment>,
    /// Texts that only columns and groups need, as if they were set.
    pub(crate) texts: Vec<(Slot, Expression<Slot>)>,
    /// What is needed as a number, each once.
    pub(crate) numbers: Vec<Number>,
    pub(crate) columns: Vec<Input>,
    /// The columns that are [`Input::Key`], and their slots.
    pub(crate) keys: Vec<(usize, Slot)>,
    /// The columns that are [`Input::Value`], and their slots.
    pub(crate) values: Vec<(usize, Slot)>,
    /// Whether there is an [`Input::EveryLine`].
    pub(crate) has_every_line: bool,
    pub(crate) group: Vec<Slot>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Number {
    Field(Slot),
    Computed(Expression<Slot>),
}

/// What one aggregate takes from a line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Input {
    /// That there is a line.
    EveryLine,
    /// The value, as it is.
    Value(Slot),
    /// A value that is the same in all lines of a group.
    Key(Slot),
    /// Index into [`Plan::numbers`].
    Number(usize),
    /// Indices of an amount and of a time. No amount: 1 for each line.
    Rate { amount: Option<usize>, time: usize },
}

impl Plan {
    pub(crate) fn new(
        query: &Query,
        format: &LogFormat,
        host: &HostFacts,
        strict: bool,
    ) -> (Plan, Fields) {
        let mut planner = Planner::default();
        let conditions = query
            .conditions
            .iter()
            .map(|condition| condition.map(&mut |name| planner.slot(name)))
            .collect();
        let assignments =
            query.assignments.iter().map(|it| planner.assignment(it, strict)).collect();
        let is_set = |name: &str| query.assignments.iter().any(|it| it.variable == name);
        let mut columns: Vec<Input> = query
            .aggregates
            .iter()
            .map(|it| match &it.input {
                // What is only counted need not be found.
                Expression::Field(name)
                    if it.aggregation == Aggregation::Count
                        && matches!(name.as_str(), "*" | "$line")
                        && !is_set(name) =>
                {
                    Input::EveryLine
                }
                _ => planner.column(it),
            })
            .collect();
        let group: Vec<Slot> =
            query.group_keys(strict).into_iter().map(|it| planner.value(it)).collect();
        let Planner { mut fields, texts, numbers, .. } = planner;
        fields.are_set = !query.assignments.is_empty();
        let reader = Reader::new(format, host, strict, &mut fields);
        let is_always_there = |slot: Slot| {
            let is_set = query.assignments.iter().any(|it| fields.slot_is(slot, &it.variable));
            fields.is_constant(slot) && !is_set
        };
        for (column, aggregate) in columns.iter_mut().zip(&query.aggregates) {
            let Input::Value(slot) = *column else { continue };
            if aggregate.aggregation == Aggregation::Count && is_always_there(slot) {
                *column = Input::EveryLine;
            } else if !strict && group.contains(&slot) {
                // DTail takes groups together whose values only look the same when joined.
                *column = Input::Key(slot);
            }
        }
        let slots = |of: fn(Input) -> Option<Slot>| {
            let columns = columns.iter().enumerate();
            columns.filter_map(|(column, input)| Some((column, of(*input)?))).collect()
        };
        let keys = slots(|it| if let Input::Key(slot) = it { Some(slot) } else { None });
        let values = slots(|it| if let Input::Value(slot) = it { Some(slot) } else { None });
        let has_every_line = columns.iter().any(|it| matches!(it, Input::EveryLine));
        let plan = Plan {
            reader,
            conditions,
            assignments,
            texts,
            numbers,
            columns,
            keys,
            values,
            has_every_line,
            group,
        };
        (plan, fields)
    }
}

#[derive(Default)]
struct Planner {
    fields: Fields,
    /// A query may name thousands of fields thousands of times.
    slots: HashMap<String, Slot>,
    texts: Vec<(Slot, Expression<Slot>)>,
    numbers: Vec<Number>,
    /// The numbers that are fields, for the same reason.
    number_fields: HashMap<Slot, usize>,
}

impl Planner {
    fn slot(&mut self, name: &str) -> Slot {
        if let Some(slot) = self.slots.get(name) {
            return *slot;
        }
        let slot = self.fields.add(name);
        self.slots.insert(name.to_owned(), slot);
        slot
    }

    fn tree(&mut self, expression: &Expression<String>) -> Expression<Slot> {
        expression.map(&mut |name| self.slot(name))
    }

    /// Where the value is when it is needed as a text.
    fn value(&mut self, expression: &Expression<String>) -> Slot {
        if let Expression::Field(name) = expression {
            return self.slot(name);
        }
        let tree = self.tree(expression);
        if let Some((slot, _)) = self.texts.iter().take(100).find(|(_, it)| *it == tree) {
            return *slot;
        }
        // No line has such a field, and if one had it, the value would be put over it.
        let slot = self.fields.add(&format!("\0computed {}", self.texts.len()));
        self.texts.push((slot, tree));
        slot
    }

    fn number(&mut self, expression: &Expression<String>) -> usize {
        let next = self.numbers.len();
        if let Expression::Field(name) = expression {
            let slot = self.slot(name);
            let index = *self.number_fields.entry(slot).or_insert(next);
            if index == next {
                self.numbers.push(Number::Field(slot));
            }
            return index;
        }
        let number = Number::Computed(self.tree(expression));
        let known = self.numbers.iter().take(100).position(|it| *it == number);
        known.unwrap_or_else(|| {
            self.numbers.push(number);
            next
        })
    }

    fn column(&mut self, aggregate: &Aggregate) -> Input {
        let Aggregate { aggregation, input, time } = aggregate;
        let is_every_line = *input == Expression::Field("*".to_owned());
        match time {
            Some(time) => Input::Rate {
                amount: (!is_every_line).then(|| self.number(input)),
                time: self.number(time),
            },
            None if aggregation.takes_texts() => Input::Value(self.value(input)),
            None => Input::Number(self.number(input)),
        }
    }

    fn assignment(&mut self, assignment: &Assignment, strict: bool) -> PlannedAssignment {
        let variable = self.slot(&assignment.variable);
        let value = match &assignment.value {
            AssignedValue::Plain { functions, source, is_quoted } => {
                let may_be_field = strict || !is_quoted;
                PlannedValue::Plain {
                    functions: functions.clone(),
                    field: may_be_field.then(|| self.slot(source)),
                    text: self.fields.constant(source),
                }
            }
            AssignedValue::Computed(expression) => PlannedValue::Computed(self.tree(expression)),
        };
        PlannedAssignment { variable, value }
    }
}
