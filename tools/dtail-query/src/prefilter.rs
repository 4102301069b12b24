//! Literals that every line has in it that a query counts, so that the others need not be taken
//! apart. Never says more than what must hold.

use crate::{
    expression::{Condition, Expression, Operand, TextOperator},
    format::LogFormat,
    number,
    query::Query,
};

/// At least one literal of each set is in every line that counts. No sets: nothing is known.
pub(crate) fn required_literals(query: &Query, format: &LogFormat) -> Vec<Vec<Vec<u8>>> {
    let filter = Filter { format };
    let mut sets = Vec::new();
    for condition in &query.conditions {
        filter.add(condition, &mut sets);
    }
    sets
}

struct Filter<'a> {
    format: &'a LogFormat,
}

impl Filter<'_> {
    /// Adds what a condition needs in order to hold.
    fn add(&self, condition: &Condition<String>, sets: &mut Vec<Vec<Vec<u8>>>) {
        match condition {
            Condition::Texts { left, is_negated: false, right, operator } => {
                let literal = match (left, right) {
                    (Operand::Field(field), Operand::Literal(literal)) => (field, literal),
                    // `"a" contains field` is the other way round: the field is in the literal.
                    (Operand::Literal(literal), Operand::Field(field))
                        if *operator == TextOperator::Equal =>
                    {
                        (field, literal)
                    }
                    _ => return,
                };
                sets.extend(self.literal(literal.0, literal.1));
            }
            Condition::All(parts) => parts.iter().for_each(|it| self.add(it, sets)),
            // One of the sets of each part, joined: a line that counts has something of it.
            Condition::Any(parts) => {
                let mut joined = Vec::new();
                for part in parts {
                    let mut of_part = Vec::new();
                    self.add(part, &mut of_part);
                    let best = of_part.into_iter().max_by_key(|set| {
                        (set.iter().map(Vec::len).min(), usize::MAX - set.len())
                    });
                    match best {
                        Some(set) => joined.extend(set),
                        None => return,
                    }
                }
                joined.sort_unstable();
                joined.dedup();
                sets.push(joined);
            }
            Condition::In(Expression::Field(field), choices)
                // The same number can be written in many ways.
                if choices.numbers.is_empty() =>
            {
                let literals = choices.texts.iter().map(|text| self.literal(field, text));
                let joined = literals.collect::<Option<Vec<_>>>().map(|sets| sets.concat());
                sets.extend(joined.filter(|set| !set.is_empty()));
            }
            Condition::Same(sides) => {
                use Expression::{Field, Text};
                if let [Field(field), Text(text)] | [Text(text), Field(field)] = &**sides
                    && number::parse(text).is_none()
                {
                    sets.extend(self.literal(field, text));
                }
            }
            _ => {}
        }
    }

    /// One of these a line must have whose field has this text in it.
    fn literal(&self, field: &str, text: &[u8]) -> Option<Vec<Vec<u8>>> {
        if text.is_empty() || !is_of_the_line(field) || !self.format.takes_from_line(field, text) {
            return None;
        }
        if self.format.is_verbatim() {
            return (!text.contains(&b'\n')).then(|| vec![text.to_vec()]);
        }
        // Quotes and escapes may stand between any two characters of a value.
        let escape = if *self.format == LogFormat::Csv { b"\"" } else { b"\\" };
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" _-./:@".contains(byte);
        text.iter().all(is_plain).then(|| vec![text.to_vec(), escape.to_vec()])
    }
}

/// Whether the value of a field stands in the line. Some are of the machine.
fn is_of_the_line(field: &str) -> bool {
    !matches!(field, "*" | "$empty" | "$hostname" | "$server" | "$timezone" | "$timeoffset")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
    fn check(conditions: &str, expected: Expect) {
        let query = format!("select count(*) logformat generickv where {conditions}");
        let query = Query::parse(&query).unwrap();
        let format = LogFormat::GenericKv;
        let shown: Vec<String> = required_literals(&query, &format)
            .iter()
            .map(|set| {
                let set: Vec<_> = set.iter().map(|it| String::from_utf8_lossy(it)).collect();
                set.join(" | ")
            })
            .collect();
        expected.assert_eq(&shown.join("\n"));
    }

    #[test]
    fn what_must_hold_gives_literals() {
        check(
            "a eq \"error\" and b contains \"time out\" c hasprefix \"/x\" d = \"GET\"",
            expect![[r#"
                error
                time out
                /x
                GET"#]],
        );
        check(
            "(a eq \"x1\" or b eq \"y1\" and c eq \"long one\") and d in (\"p\", \"q\")",
            expect![[r#"
                long one | x1
                p | q"#]],
        );
    }

    #[test]
    fn what_need_not_be_in_the_line_gives_none() {
        check("a ne \"x\"", expect![""]);
        check("not a eq \"x\"", expect![""]);
        check("a eq \"x\" or b == 5", expect![""]);
        check("a == 5", expect![""]);
        check("a = \"5\"", expect![""]);
        check("a in (5, \"x\")", expect![""]);
        check("lower(a) eq \"x\"", expect![""]);
        check("$hostname eq \"x\"", expect![""]);
        check("\"abc\" contains a", expect![""]);
        check("a eq \"\"", expect![""]);
        check("a is missing", expect![""]);
    }
}
