//! Evaluates the `set` clause: variables computed from the fields of a line.

use md5::{Digest, Md5};

use crate::{
    fields::{Fields, Slot, Span},
    query::Function,
};

/// An assignment with its places resolved.
#[derive(Debug)]
pub(crate) struct PlannedAssignment {
    pub(crate) variable: Slot,
    /// Innermost function first.
    pub(crate) functions: Vec<Function>,
    /// The field to read, unless the value is a text in quotes.
    pub(crate) field: Option<Slot>,
    /// The value when the line has no such field.
    pub(crate) text: Span,
}

impl PlannedAssignment {
    pub(crate) fn assign(&self, fields: &mut Fields, line: &[u8]) {
        let mut value = match self.field.map(|slot| fields.span(slot)) {
            None | Some(Span::Absent) => self.text,
            Some(span) => span,
        };
        for function in &self.functions {
            let start = fields.computed_length();
            match function {
                Function::Md5Sum => {
                    let digest = Md5::digest(fields.bytes(value, line).unwrap_or_default());
                    for byte in digest {
                        fields.compute(&hexadecimal(byte));
                    }
                }
                Function::MaskDigits => {
                    for byte in fields.compute_copy(value, line) {
                        if byte.is_ascii_digit() {
                            *byte = b'.';
                        }
                    }
                }
            }
            value = fields.computed_since(start);
        }
        fields.put(self.variable, value);
    }
}

fn hexadecimal(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}
