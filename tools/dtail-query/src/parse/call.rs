//! Calls within expressions: scalar functions and aggregates.

use super::{
    err_at, found,
    leaf::{self, Leaf},
    parser::{Mode, Parser},
};
use crate::{
    duration,
    expression::Expression,
    function::{self, Function, Named},
    lex::{Token, TokenKind},
    number,
    query::{Aggregate, Aggregation, QueryError, Share, Width},
    suggestion,
};

/// The variable that `rate` takes its times from.
const TIME: &str = "$time";

impl Parser<'_> {
    /// Whether the word just read is the name of a function: a parenthesis follows it at once, or
    /// after blanks if it is a known one.
    pub(super) fn is_call(&self, name: &Token) -> bool {
        let is_open = |it: &&Token| it.kind == TokenKind::Open;
        let Some(open) = self.peek().filter(is_open) else { return false };
        let is_known = || {
            Aggregation::named(&name.text).is_some()
                || function::names().any(|known| known == name.text)
        };
        open.start == name.end || is_known()
    }

    /// A value and its depth. The name was read, the parenthesis comes next.
    pub(super) fn call(&mut self, name: &Token) -> Result<(Expression<Leaf>, usize), QueryError> {
        let open = &self.pieces[self.next];
        self.next += 1;
        if let Some(aggregation) = Aggregation::named(&name.text) {
            if !self.mode.aggregates {
                return self.misplaced_aggregate(name);
            }
            return self.aggregate(name, aggregation, open);
        }
        let outer = self.mode;
        self.mode = Mode { conditions: false, rows_of_conditions: false, ..outer };
        let value = match name.text.as_str() {
            function::IF => self.conditional(name, open),
            function::EXTRACT => self.extract(name, open),
            known => match Function::find(known) {
                Some(known) => self.function(name, known, open),
                None => self.unknown_call(name),
            },
        };
        self.mode = outer;
        value
    }

    fn misplaced_aggregate<T>(&self, name: &Token) -> Result<T, QueryError> {
        let shown = &name.text;
        let message = match shown.as_str() {
            _ if self.names.in_aggregate => format!(
                "aggregations do not nest, see the {} (a field whose name has parentheses goes \
                 into backticks)",
                found(name)
            ),
            "min" => format!("min is an aggregate, see the {}; least takes values", found(name)),
            "max" => format!("max is an aggregate, see the {}; greatest takes values", found(name)),
            _ => format!(
                "{shown} looks at all lines of a group, so it cannot be in this clause, see the {} \
                 (conditions on aggregates go into having)",
                found(name)
            ),
        };
        err_at(self.text, name, message)
    }

    fn unknown_call<T>(&self, name: &Token) -> Result<T, QueryError> {
        let aggregates = Aggregation::NAMED.map(|(name, _)| name);
        let functions = function::names();
        let meant = if self.mode.aggregates {
            suggestion::nearest(&name.text, aggregates.into_iter().chain(functions))
        } else {
            suggestion::nearest(&name.text, functions)
        };
        let meant = meant.map(|it| format!("; did you mean {it}?")).unwrap_or_default();
        let (what, known) = if self.mode.aggregates {
            ("aggregation or function", format!("aggregations: {}", aggregates.join(", ")))
        } else {
            ("function", function::names().collect::<Vec<_>>().join(", "))
        };
        err_at(self.text, name, format!("unknown {what} in the {}{meant} ({known})", found(name)))
    }

    fn function(
        &mut self,
        name: &Token,
        known: &Named,
        open: &Token,
    ) -> Result<(Expression<Leaf>, usize), QueryError> {
        let mut function = known.function;
        let mut arguments = Vec::new();
        let mut deepest = 0;
        while self.peek().is_some_and(|it| it.kind != TokenKind::Close) {
            let duration = match self.peek() {
                Some(word) if function == Function::Bucket && arguments.len() == 1 => {
                    self.duration(word)?
                }
                _ => None,
            };
            if let Some(seconds) = duration {
                function = Function::TimeBucket;
                self.next += 1;
                arguments.push(Expression::Number(seconds));
                continue;
            }
            self.expect_comma(!arguments.is_empty())?;
            let (argument, depth) = self.value()?;
            deepest = deepest.max(depth);
            arguments.push(argument);
        }
        self.close(open)?;
        let count = arguments.len();
        if count < known.least || count > known.most {
            let wanted = match (known.least, known.most) {
                (1, 1) => "1 value".to_owned(),
                (least, most) if least == most => format!("{least} values"),
                (least, most) if most > 9 => format!("{least} or more values"),
                (least, most) => format!("{least} to {most} values"),
            };
            let message =
                format!("{} takes {wanted}, not {count}, see the {}", known.name, found(name));
            return err_at(self.text, name, message);
        }
        Ok((Expression::Call(function, arguments), deepest))
    }

    /// Arguments are apart by commas, so that a forgotten operator is not taken for one.
    fn expect_comma(&self, is_later: bool) -> Result<(), QueryError> {
        match self.peek() {
            Some(token) if is_later && !token.after_comma => {
                let message = format!("expected a comma or ) and not the {}", found(token));
                err_at(self.text, token, message)
            }
            _ => Ok(()),
        }
    }

    /// The seconds of a time span such as `5m`. Numbers without a unit are none.
    fn duration(&self, word: &Token) -> Result<Option<f64>, QueryError> {
        let is_number = number::parse(word.text.as_bytes()).is_some();
        let begins_with_digit = word.text.starts_with(|it: char| it.is_ascii_digit());
        if word.kind != TokenKind::Word || is_number || !begins_with_digit {
            return Ok(None);
        }
        match duration::seconds(&word.text) {
            Some(seconds) => Ok(Some(seconds)),
            None => {
                let message = format!(
                    "the {} is no span of time (write 500ms, 30s, 5m, 1h, 1d or 1w)",
                    found(word)
                );
                err_at(self.text, word, message)
            }
        }
    }

    fn conditional(
        &mut self,
        name: &Token,
        open: &Token,
    ) -> Result<(Expression<Leaf>, usize), QueryError> {
        self.mode.conditions = true;
        let condition = self.part_condition();
        self.mode.conditions = false;
        let (condition, mut deepest) = condition?;
        let mut sides = Vec::new();
        while self.peek().is_some_and(|it| it.kind != TokenKind::Close) {
            self.expect_comma(true)?;
            let (side, depth) = self.value()?;
            deepest = deepest.max(depth);
            sides.push(side);
        }
        self.close(open)?;
        match <[Expression<Leaf>; 2]>::try_from(sides) {
            Ok(sides) => Ok((Expression::If(Box::new(condition), Box::new(sides)), deepest)),
            Err(_) => {
                let message =
                    format!("write if(condition, value, other value), see the {}", found(name));
                err_at(self.text, name, message)
            }
        }
    }

    fn extract(
        &mut self,
        name: &Token,
        open: &Token,
    ) -> Result<(Expression<Leaf>, usize), QueryError> {
        let (value, depth) = self.value()?;
        let pattern = self.pattern(name, false)?;
        self.close(open)?;
        Ok((Expression::Extract(Box::new(value), Box::new(pattern)), depth))
    }

    fn aggregate(
        &mut self,
        name: &Token,
        mut aggregation: Aggregation,
        open: &Token,
    ) -> Result<(Expression<Leaf>, usize), QueryError> {
        let outer = self.mode;
        self.mode = Mode { conditions: false, rows_of_conditions: false, aggregates: false };
        self.names.in_aggregate = true;
        let is_distinct = aggregation == Aggregation::Count
            && self.peek().is_some_and(|it| it.is_word("distinct"))
            && self.peek_second().is_some_and(|it| it.kind != TokenKind::Close);
        if is_distinct {
            self.next += 1;
            aggregation = Aggregation::CountDistinct;
        }
        let input = self.aggregated(name)?;
        let mut time = None;
        if self.peek().is_some_and(|it| it.kind != TokenKind::Close) {
            self.expect_comma(true)?;
            (aggregation, time) = self.parameter(name, aggregation)?;
        } else if aggregation == Aggregation::Rate {
            time = Some(Expression::Field(TIME.to_owned()));
        }
        self.close(open)?;
        self.names.in_aggregate = false;
        self.mode = outer;
        let time = time.map(|it| Expression::Call(Function::Time, vec![it]));
        let aggregate = Aggregate { aggregation, input, time };
        Ok((Expression::Field(Leaf::Aggregate(self.names.add(aggregate))), 1))
    }

    /// What an aggregate collects. A single word is a field, whatever it looks like.
    fn aggregated(&mut self, name: &Token) -> Result<Expression<String>, QueryError> {
        match self.peek() {
            Some(token) if token.kind == TokenKind::Close => {
                let call = format!("{}()", name.text);
                let message = format!(
                    "no field in the word {:?} at column {} (count(*) counts lines)",
                    call, name.column
                );
                return err_at(self.text, name, message);
            }
            Some(token) if self.ends_after(1) => match token.kind {
                TokenKind::Quoted => {
                    let message = format!(
                        "the {} is the same for every line (the name of a field goes into \
                         backticks, with blanks into \"`…`\")",
                        found(token)
                    );
                    return err_at(self.text, token, message);
                }
                TokenKind::Word | TokenKind::Escaped => {
                    self.next += 1;
                    if token.kind == TokenKind::Word {
                        self.names.note_odd_field(token);
                    }
                    return Ok(Expression::Field(token.text.clone()));
                }
                TokenKind::Open | TokenKind::Close => {}
            },
            _ => {}
        }
        let (value, _) = self.value()?;
        Ok(leaf::over_fields(&value))
    }

    /// Whether the argument ends after so many pieces.
    fn ends_after(&self, pieces: usize) -> bool {
        let next = self.pieces.get(self.next + pieces);
        next.is_none_or(|it| it.kind == TokenKind::Close || it.after_comma)
    }

    /// The second argument of an aggregate.
    fn parameter(
        &mut self,
        name: &Token,
        aggregation: Aggregation,
    ) -> Result<(Aggregation, Option<Expression<String>>), QueryError> {
        if aggregation == Aggregation::Rate {
            let (time, _) = self.value()?;
            return Ok((aggregation, Some(leaf::over_fields(&time))));
        }
        let token = &self.pieces[self.next];
        let number = match token.kind {
            TokenKind::Word => self.literal(token)?,
            _ => None,
        };
        let known = match (aggregation, number) {
            (Aggregation::Percentile, Some(percent)) => {
                Share::of_percent(percent).map(Aggregation::Quantile)
            }
            (Aggregation::Histogram(_), Some(width)) => {
                Width::of(width).map(|width| Aggregation::Histogram(Some(width)))
            }
            _ => None,
        };
        let Some(known) = known else {
            let message = match aggregation {
                Aggregation::Percentile => {
                    format!("percentile needs a number from 0 to 100 and not the {}", found(token))
                }
                Aggregation::Histogram(_) => {
                    format!("histogram needs a width above 0 and not the {}", found(token))
                }
                _ => format!(
                    "{} takes 1 value, so that the {} is one too many",
                    name.text,
                    found(token)
                ),
            };
            return err_at(self.text, token, message);
        };
        self.next += 1;
        Ok((known, None))
    }
}
