//! Whether conditions hold for a line: the `where` clause, `if` and `having`.

use memchr::memmem;

use crate::{
    complaints::Complaints,
    evaluate::{Evaluation, Value},
    expression::{Condition, Expression, NumberOperator, Operand, TextOperator},
    fields::{Fields, Slot},
    number,
};

/// Whether a line meets a condition. `None`: a value is missing or is no number, so that neither
/// the condition nor its negation holds.
pub(crate) fn truth(condition: &Condition<Slot>, at: &mut Evaluation<'_>) -> Option<bool> {
    match condition {
        Condition::Numbers { left, operator, right } => {
            let left = number(left, at.fields, at.line, at.complaints)?;
            let right = number(right, at.fields, at.line, at.complaints)?;
            Some(compare_numbers(left, *operator, right))
        }
        Condition::Texts { left, operator, is_negated, right } => {
            let left = text(left, at.fields, at.line)?;
            let right = text(right, at.fields, at.line)?;
            Some(compare_texts(left, *operator, right) != *is_negated)
        }
        other => composed(other, at),
    }
}

/// The conditions that DTail does not have.
fn composed(condition: &Condition<Slot>, at: &mut Evaluation<'_>) -> Option<bool> {
    match condition {
        Condition::Numbers { .. } | Condition::Texts { .. } => truth(condition, at),
        Condition::ComparedNumbers(operator, sides) => {
            let left = at.number(&sides[0])?;
            let right = at.number(&sides[1])?;
            Some(compare_numbers(left, *operator, right))
        }
        Condition::ComparedTexts { operator, is_negated, sides } => {
            let left = at.text(&sides[0])?;
            let right = at.text(&sides[1])?;
            Some(compare_texts(at.bytes(left), *operator, at.bytes(right)) != *is_negated)
        }
        Condition::Same(sides) => same(&sides[0], &sides[1], at),
        Condition::In(value, choices) => match at.value(value) {
            Value::Missing => None,
            Value::Number(number) => Some(choices.has_number(number + 0.0)),
            Value::Text(span) => {
                let text = at.bytes(span);
                let is_number =
                    || number::parse(text).is_some_and(|it| choices.has_number(it + 0.0));
                Some(choices.has_text(text) || !choices.numbers.is_empty() && is_number())
            }
        },
        Condition::Matches(value, pattern) => {
            let span = at.text(value)?;
            Some(pattern.regex.is_match(at.bytes(span)))
        }
        Condition::Missing(value) => Some(at.value(value) == Value::Missing),
        Condition::All(parts) => {
            let mut all = Some(true);
            for part in parts {
                match truth(part, at) {
                    Some(false) => return Some(false),
                    None => all = None,
                    Some(true) => {}
                }
            }
            all
        }
        Condition::Any(parts) => {
            let mut any = Some(false);
            for part in parts {
                match truth(part, at) {
                    Some(true) => return Some(true),
                    None => any = None,
                    Some(false) => {}
                }
            }
            any
        }
        Condition::Not(inner) => truth(inner, at).map(|it| !it),
    }
}

/// As numbers if both are numbers, else as texts.
#[expect(clippy::float_cmp, reason = "= of numbers is ==")]
fn same(
    left: &Expression<Slot>,
    right: &Expression<Slot>,
    at: &mut Evaluation<'_>,
) -> Option<bool> {
    let left = at.value(left);
    let right = at.value(right);
    let number = |value: Value, at: &Evaluation<'_>| match value {
        Value::Missing => None,
        Value::Number(number) => Some(number),
        Value::Text(span) => number::parse(at.bytes(span)),
    };
    if left == Value::Missing || right == Value::Missing {
        return None;
    }
    match (left, right) {
        (Value::Text(left), Value::Text(right)) if at.bytes(left) == at.bytes(right) => Some(true),
        // Of a number and a text that is none, nothing is the same.
        _ => Some(match (number(left, at), number(right, at)) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        }),
    }
}

fn number(
    operand: &Operand<f64, Slot>,
    fields: &Fields,
    line: &[u8],
    complaints: &mut Complaints,
) -> Option<f64> {
    let slot = match operand {
        Operand::Literal(literal) => return Some(*literal),
        Operand::Field(slot) => *slot,
    };
    let value = fields.get(slot, line)?;
    let number = number::parse(value);
    if number.is_none() {
        complaints.note_no_number(slot, value);
    }
    number
}

fn text<'a>(
    operand: &'a Operand<Box<[u8]>, Slot>,
    fields: &'a Fields,
    line: &'a [u8],
) -> Option<&'a [u8]> {
    match operand {
        Operand::Literal(literal) => Some(literal),
        Operand::Field(slot) => fields.get(*slot, line),
    }
}

#[expect(clippy::float_cmp, reason = "== of the query language is Go's ==")]
fn compare_numbers(left: f64, operator: NumberOperator, right: f64) -> bool {
    match operator {
        NumberOperator::Equal => left == right,
        NumberOperator::NotEqual => left != right,
        NumberOperator::Less => left < right,
        NumberOperator::LessOrEqual => left <= right,
        NumberOperator::Greater => left > right,
        NumberOperator::GreaterOrEqual => left >= right,
    }
}

fn compare_texts(left: &[u8], operator: TextOperator, right: &[u8]) -> bool {
    match operator {
        TextOperator::Equal => left == right,
        TextOperator::Contains => memmem::find(left, right).is_some(),
        TextOperator::HasPrefix => left.starts_with(right),
        TextOperator::HasSuffix => left.ends_with(right),
    }
}
