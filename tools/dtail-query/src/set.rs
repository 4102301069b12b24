//! Evaluates the `set` clause: variables computed from the fields of a line.

use md5::{Digest, Md5};

use crate::{
    evaluate::{Evaluation, hexadecimal},
    expression::Expression,
    fields::{Slot, Span},
    function::Function,
};

/// An assignment with its places resolved.
#[derive(Debug, Clone)]
pub(crate) struct PlannedAssignment {
    pub(crate) variable: Slot,
    pub(crate) value: PlannedValue,
}

#[derive(Debug, Clone)]
pub(crate) enum PlannedValue {
    /// What DTail has.
    Plain {
        /// Innermost function first.
        functions: Vec<Function>,
        /// The field to read, unless the value is a text in quotes.
        field: Option<Slot>,
        /// The value when the line has no such field.
        text: Span,
    },
    Computed(Expression<Slot>),
}

impl PlannedAssignment {
    pub(crate) fn assign(&self, at: &mut Evaluation<'_>) {
        let value = match &self.value {
            PlannedValue::Plain { functions, field, text } => {
                let span = field.map(|slot| at.fields.span(slot));
                let value = span.filter(|it| *it != Span::Absent).unwrap_or(*text);
                functions.iter().fold(value, |value, function| apply(*function, value, at))
            }
            PlannedValue::Computed(expression) => at.text(expression).unwrap_or(Span::Absent),
        };
        at.fields.put(self.variable, value);
    }
}

/// DTail's functions.
fn apply(function: Function, value: Span, at: &mut Evaluation<'_>) -> Span {
    let start = at.fields.computed_length();
    if function == Function::Md5Sum {
        let digest = Md5::digest(at.bytes(value));
        for byte in digest {
            at.fields.compute(&hexadecimal(byte));
        }
    } else {
        for byte in at.fields.compute_copy(value, at.line) {
            if byte.is_ascii_digit() {
                *byte = b'.';
            }
        }
    }
    at.fields.computed_since(start)
}
