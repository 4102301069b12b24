//! What an expression comes to on the fields of one line. Values that are made here live in the
//! scratch buffer of the fields, so that a line allocates nothing once the buffers have grown.

mod numbers;
mod texts;
mod times;

pub(crate) use numbers::write_shortest;
pub(crate) use texts::hexadecimal;

use std::sync::PoisonError;

use crate::{
    complaints::Complaints,
    expression::{Arithmetic, Expression, Pattern},
    fields::{Fields, Slot, Span},
    filter,
    function::Function,
    number,
};

/// What evaluating needs besides the expression.
#[derive(Debug)]
pub(crate) struct Evaluation<'a> {
    pub(crate) fields: &'a mut Fields,
    pub(crate) line: &'a [u8],
    pub(crate) complaints: &'a mut Complaints,
    pub(crate) work: &'a mut Work,
}

/// Buffers that are reused from line to line.
#[derive(Debug, Default, Clone)]
pub(crate) struct Work {
    buffer: Vec<u8>,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Missing,
    Number(f64),
    Text(Span),
}

impl From<Option<f64>> for Value {
    fn from(number: Option<f64>) -> Value {
        number.map_or(Value::Missing, Value::Number)
    }
}

impl From<Option<Span>> for Value {
    fn from(span: Option<Span>) -> Value {
        span.map_or(Value::Missing, Value::Text)
    }
}

impl Evaluation<'_> {
    pub(crate) fn value(&mut self, expression: &Expression<Slot>) -> Value {
        match expression {
            Expression::Number(number) => Value::Number(*number),
            Expression::Text(text) => {
                let start = self.fields.computed_length();
                self.fields.compute(text);
                Value::Text(self.fields.computed_since(start))
            }
            Expression::Field(slot) => match self.fields.span(*slot) {
                Span::Absent => Value::Missing,
                span => Value::Text(span),
            },
            Expression::Negation(inner) => self.number(inner).map(|it| -it).into(),
            Expression::Arithmetic(operator, sides) => {
                let [left, right] = &**sides;
                self.arithmetic(*operator, left, right).into()
            }
            Expression::Call(function, arguments) => self.call(*function, arguments),
            Expression::Extract(inner, pattern) => self.extract(inner, pattern).into(),
            Expression::If(condition, sides) => {
                let [then, otherwise] = &**sides;
                let holds = filter::truth(condition, self) == Some(true);
                self.value(if holds { then } else { otherwise })
            }
        }
    }

    /// The value as a number. One that is none is complained about.
    pub(crate) fn number(&mut self, expression: &Expression<Slot>) -> Option<f64> {
        if let Expression::Field(slot) = expression {
            let value = self.fields.get(*slot, self.line)?;
            let number = number::parse(value);
            if number.is_none() {
                self.complaints.note_no_number(*slot, value);
            }
            return number;
        }
        match self.value(expression) {
            Value::Missing => None,
            Value::Number(number) => Some(number),
            Value::Text(span) => {
                let text = self.fields.bytes(span, self.line).unwrap_or_default();
                let number = number::parse(text);
                if number.is_none() {
                    self.complaints.note_no_computed_number(text);
                }
                number
            }
        }
    }

    /// The value as a text.
    pub(crate) fn text(&mut self, expression: &Expression<Slot>) -> Option<Span> {
        match self.value(expression) {
            Value::Missing => None,
            Value::Text(span) => Some(span),
            Value::Number(number) => Some(self.number_as_text(number)),
        }
    }

    fn number_as_text(&mut self, number: f64) -> Span {
        let start = self.fields.computed_length();
        let mut text = std::mem::take(&mut self.work.buffer);
        text.clear();
        write_shortest(number, &mut text);
        self.fields.compute(&text);
        self.work.buffer = text;
        self.fields.computed_since(start)
    }

    /// The bytes of a text that was evaluated on this line.
    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        self.fields.bytes(span, self.line).unwrap_or_default()
    }

    fn arithmetic(
        &mut self,
        operator: Arithmetic,
        left: &Expression<Slot>,
        right: &Expression<Slot>,
    ) -> Option<f64> {
        let left = self.number(left)?;
        let right = self.number(right)?;
        numbers::compute(operator, left, right)
    }

    fn call(&mut self, function: Function, arguments: &[Expression<Slot>]) -> Value {
        match function {
            Function::Coalesce => arguments
                .iter()
                .map(|it| self.value(it))
                .find(|it| *it != Value::Missing)
                .unwrap_or(Value::Missing),
            Function::Concat => self.concat(arguments),
            Function::Text => self.text(&arguments[0]).into(),
            Function::Number => self.quiet_number(&arguments[0]).into(),
            Function::Length => {
                let span = self.text(&arguments[0]);
                span.map(|it| texts::length(self.bytes(it)) as f64).into()
            }
            Function::Lower | Function::Upper | Function::Md5Sum | Function::MaskDigits => {
                match self.text(&arguments[0]) {
                    Some(span) => {
                        let make =
                            |text: &[u8], out: &mut Vec<u8>| texts::transform(function, text, out);
                        Value::Text(self.transformed(span, make))
                    }
                    None => Value::Missing,
                }
            }
            Function::Replace => self.replaced(arguments).into(),
            Function::Trim | Function::Host | Function::PathOfUrl => {
                let span = self.text(&arguments[0]);
                span.and_then(|it| part(it, texts::part(function, self.bytes(it)))).into()
            }
            Function::Substring => self.substring(arguments).into(),
            Function::Split => self.split(arguments).into(),
            Function::Time
            | Function::Date
            | Function::Hour
            | Function::Minute
            | Function::Weekday
            | Function::FormatTime
            | Function::TimeBucket => self.time_call(function, arguments),
            _ => self.number_call(function, arguments).into(),
        }
    }

    /// A number without a word if it is none.
    fn quiet_number(&mut self, expression: &Expression<Slot>) -> Option<f64> {
        match self.value(expression) {
            Value::Missing => None,
            Value::Number(number) => Some(number),
            Value::Text(span) => number::parse(self.bytes(span)),
        }
    }

    fn number_call(&mut self, function: Function, arguments: &[Expression<Slot>]) -> Option<f64> {
        if matches!(function, Function::Least | Function::Greatest) {
            let mut best: Option<f64> = None;
            for argument in arguments {
                let Some(number) = self.number(argument) else { continue };
                best = Some(match best {
                    Some(best) if function == Function::Least => best.min(number),
                    Some(best) => best.max(number),
                    None => number,
                });
            }
            return best;
        }
        let first = self.number(&arguments[0])?;
        let second = match arguments.get(1) {
            Some(second) => Some(self.number(second)?),
            None => None,
        };
        numbers::apply(function, first, second)
    }

    /// The text that `make` writes from another one.
    fn transformed(&mut self, span: Span, make: impl FnOnce(&[u8], &mut Vec<u8>)) -> Span {
        let mut buffer = std::mem::take(&mut self.work.buffer);
        buffer.clear();
        make(self.bytes(span), &mut buffer);
        self.keep(buffer)
    }

    /// Makes a text of the buffer's content, and the buffer reusable.
    fn keep(&mut self, buffer: Vec<u8>) -> Span {
        let start = self.fields.computed_length();
        self.fields.compute(&buffer);
        self.work.buffer = buffer;
        self.fields.computed_since(start)
    }

    /// What is missing is left out.
    fn concat(&mut self, arguments: &[Expression<Slot>]) -> Value {
        let mine = self.work.spans.len();
        for argument in arguments {
            if let Some(span) = self.text(argument) {
                self.work.spans.push(span);
            }
        }
        let start = self.fields.computed_length();
        for index in mine..self.work.spans.len() {
            self.fields.compute_copy(self.work.spans[index], self.line);
        }
        self.work.spans.truncate(mine);
        Value::Text(self.fields.computed_since(start))
    }

    fn replaced(&mut self, arguments: &[Expression<Slot>]) -> Option<Span> {
        let span = self.text(&arguments[0])?;
        let from = self.text(&arguments[1])?;
        let to = self.text(&arguments[2])?;
        let mut buffer = std::mem::take(&mut self.work.buffer);
        buffer.clear();
        texts::replace(self.bytes(span), self.bytes(from), self.bytes(to), &mut buffer);
        Some(self.keep(buffer))
    }

    fn substring(&mut self, arguments: &[Expression<Slot>]) -> Option<Span> {
        let span = self.text(&arguments[0])?;
        let start = self.number(&arguments[1])?;
        let length = match arguments.get(2) {
            Some(length) => Some(self.number(length)?),
            None => None,
        };
        part(span, Some(texts::substring(self.bytes(span), start, length)))
    }

    fn split(&mut self, arguments: &[Expression<Slot>]) -> Option<Span> {
        let span = self.text(&arguments[0])?;
        let separator = self.text(&arguments[1])?;
        let number = self.number(&arguments[2])?;
        part(span, texts::split(self.bytes(span), self.bytes(separator), number))
    }

    fn extract(&mut self, inner: &Expression<Slot>, pattern: &Pattern) -> Option<Span> {
        let span = self.text(inner)?;
        let mut captures = pattern.captures.lock().unwrap_or_else(PoisonError::into_inner);
        pattern.regex.captures_read(&mut captures, self.bytes(span))?;
        part(span, captures.get(usize::from(captures.len() > 1)))
    }

    fn time_call(&mut self, function: Function, arguments: &[Expression<Slot>]) -> Value {
        let seconds = match self.value(&arguments[0]) {
            Value::Missing => None,
            Value::Number(number) => times::of_number(number),
            Value::Text(span) => times::parse(self.bytes(span)),
        };
        let Some(seconds) = seconds else { return Value::Missing };
        match function {
            Function::Time => Value::Number(seconds),
            Function::Hour => Value::Number(times::hour(seconds)),
            Function::Minute => Value::Number(times::minute(seconds)),
            Function::Weekday => Value::Number(times::weekday(seconds)),
            Function::Date => self.formatted(|out| times::format(seconds, b"%Y-%m-%d", out)),
            Function::FormatTime => {
                let Some(span) = self.text(&arguments[1]) else { return Value::Missing };
                let made = self.transformed(span, |form, out| times::format(seconds, form, out));
                Value::Text(made)
            }
            _ => match self.number(&arguments[1]).and_then(|step| times::bucket(seconds, step)) {
                Some((start, form)) => self.formatted(|out| times::format(start, form, out)),
                None => Value::Missing,
            },
        }
    }

    fn formatted(&mut self, make: impl FnOnce(&mut Vec<u8>)) -> Value {
        let mut buffer = std::mem::take(&mut self.work.buffer);
        buffer.clear();
        make(&mut buffer);
        Value::Text(self.keep(buffer))
    }
}

/// The part of a text that is this range of its bytes.
fn part(span: Span, range: Option<(usize, usize)>) -> Option<Span> {
    let (from, to) = range?;
    Some(match span {
        Span::Absent => return None,
        Span::Line(start, _) => Span::Line(start + from, start + to),
        Span::Constant(start, _) => Span::Constant(start + from, start + to),
        Span::Scratch(start, _) => Span::Scratch(start + from, start + to),
    })
}
