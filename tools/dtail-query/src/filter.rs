//! Evaluates the `where` clause on the fields of a line.

use memchr::memmem;

use crate::{
    complaints::Complaints,
    fields::{Fields, Slot},
    number,
    query::{Condition, NumberOperator, Operand, TextOperator},
};

/// Whether a line meets a condition. A missing field or a value that is no number never does, also
/// not a negated one.
pub(crate) fn holds(
    condition: &Condition<Slot>,
    fields: &Fields,
    line: &[u8],
    complaints: &mut Complaints,
) -> bool {
    match condition {
        Condition::Numbers { left, operator, right } => {
            let Some(left) = number(left, fields, line, complaints) else { return false };
            let Some(right) = number(right, fields, line, complaints) else { return false };
            compare_numbers(left, *operator, right)
        }
        Condition::Texts { left, operator, is_negated, right } => {
            let Some(left) = text(left, fields, line) else { return false };
            let Some(right) = text(right, fields, line) else { return false };
            compare_texts(left, *operator, right) != *is_negated
        }
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
