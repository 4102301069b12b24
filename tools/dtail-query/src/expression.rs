//! The tree of an expression: values and conditions, over whatever their leaves are. A leaf is a
//! name as parsed, a slot once planned, or the number of an aggregate behind the groups.
//!
//! Owns only the shape; what a tree comes to is in `evaluate`.

use std::{fmt, sync::Mutex};

use regex::bytes::{CaptureLocations, Regex, RegexBuilder};

use crate::function::Function;

/// A pattern may not be compiled to more than this, so that a query cannot take all memory.
const PATTERN_SIZE: usize = 1 << 20;

/// What a value is computed from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression<Leaf> {
    Number(f64),
    Text(Box<[u8]>),
    Field(Leaf),
    Negation(Box<Expression<Leaf>>),
    Arithmetic(Arithmetic, Box<[Expression<Leaf>; 2]>),
    Call(Function, Vec<Expression<Leaf>>),
    /// The first group of the pattern, or all it matches if it has none.
    Extract(Box<Expression<Leaf>>, Box<Pattern>),
    If(Box<Condition<Leaf>>, Box<[Expression<Leaf>; 2]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Arithmetic {
    pub(crate) fn of(word: &str) -> Option<Arithmetic> {
        Some(match word {
            "+" => Arithmetic::Add,
            "-" => Arithmetic::Subtract,
            "*" => Arithmetic::Multiply,
            "/" => Arithmetic::Divide,
            "%" => Arithmetic::Remainder,
            _ => return None,
        })
    }

    pub(crate) fn sign(self) -> char {
        match self {
            Arithmetic::Add => '+',
            Arithmetic::Subtract => '-',
            Arithmetic::Multiply => '*',
            Arithmetic::Divide => '/',
            Arithmetic::Remainder => '%',
        }
    }
}

/// What holds, does not hold or (with a missing value) is unknown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition<Leaf> {
    /// Two plain operands, which is DTail's only condition of numbers.
    Numbers {
        left: Operand<f64, Leaf>,
        operator: NumberOperator,
        right: Operand<f64, Leaf>,
    },
    /// Two plain operands, which is DTail's only condition of texts.
    Texts {
        left: Operand<Box<[u8]>, Leaf>,
        operator: TextOperator,
        /// True for the `n…` forms, `ne` and `lacks`.
        is_negated: bool,
        right: Operand<Box<[u8]>, Leaf>,
    },
    ComparedNumbers(NumberOperator, Box<[Expression<Leaf>; 2]>),
    ComparedTexts {
        operator: TextOperator,
        is_negated: bool,
        sides: Box<[Expression<Leaf>; 2]>,
    },
    /// `=`: as numbers if both are, else as texts.
    Same(Box<[Expression<Leaf>; 2]>),
    /// `in`: the same as one of these.
    In(Expression<Leaf>, Choices),
    Matches(Expression<Leaf>, Box<Pattern>),
    Missing(Expression<Leaf>),
    All(Vec<Condition<Leaf>>),
    Any(Vec<Condition<Leaf>>),
    Not(Box<Condition<Leaf>>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand<Literal, Leaf> {
    Literal(Literal),
    Field(Leaf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberOperator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextOperator {
    Equal,
    Contains,
    HasPrefix,
    HasSuffix,
}

/// The literals of `in`, sorted, so that thousands of them cost little per line.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Choices {
    /// All as written.
    pub(crate) texts: Vec<Box<[u8]>>,
    /// Those that are numbers.
    pub(crate) numbers: Vec<f64>,
}

/// A regular expression over bytes.
pub(crate) struct Pattern {
    /// As the user wrote it, also for `like`.
    pub(crate) shown: Box<str>,
    pub(crate) regex: Regex,
    /// Reused for every value. Each thread has its own pattern, so nobody waits for it.
    pub(crate) captures: Mutex<CaptureLocations>,
}

impl Pattern {
    /// The error is one line.
    pub(crate) fn new(shown: &str, expression: &str) -> Result<Pattern, String> {
        let regex = RegexBuilder::new(expression)
            .size_limit(PATTERN_SIZE)
            .dfa_size_limit(PATTERN_SIZE)
            .nest_limit(100)
            .build()
            .map_err(|err| match err {
                regex::Error::CompiledTooBig(_) => {
                    format!("it would take more than {PATTERN_SIZE} bytes of memory")
                }
                err => {
                    let text = err.to_string();
                    let last = text.lines().next_back().unwrap_or_default();
                    last.strip_prefix("error: ").unwrap_or(last).to_owned()
                }
            })?;
        Ok(Pattern::of(shown, regex))
    }

    fn of(shown: &str, regex: Regex) -> Pattern {
        let captures = Mutex::new(regex.capture_locations());
        Pattern { shown: shown.into(), regex, captures }
    }
}

impl Clone for Pattern {
    fn clone(&self) -> Pattern {
        Pattern::of(&self.shown, self.regex.clone())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.regex.as_str())
    }
}

impl<Leaf> Expression<Leaf> {
    /// The same tree over other leaves.
    pub(crate) fn map<Other>(&self, leaf: &mut dyn FnMut(&Leaf) -> Other) -> Expression<Other> {
        self.grow(&mut |it| Expression::Field(leaf(it)))
    }

    /// The same tree with a tree in the place of each leaf.
    pub(crate) fn grow<Other>(
        &self,
        leaf: &mut dyn FnMut(&Leaf) -> Expression<Other>,
    ) -> Expression<Other> {
        match self {
            Expression::Number(number) => Expression::Number(*number),
            Expression::Text(text) => Expression::Text(text.clone()),
            Expression::Field(field) => leaf(field),
            Expression::Negation(inner) => Expression::Negation(Box::new(inner.grow(leaf))),
            Expression::Arithmetic(operator, sides) => {
                Expression::Arithmetic(*operator, grow_pair(sides, leaf))
            }
            Expression::Call(function, arguments) => {
                Expression::Call(*function, arguments.iter().map(|it| it.grow(leaf)).collect())
            }
            Expression::Extract(inner, pattern) => {
                Expression::Extract(Box::new(inner.grow(leaf)), pattern.clone())
            }
            Expression::If(condition, sides) => {
                Expression::If(Box::new(condition.grow(leaf)), grow_pair(sides, leaf))
            }
        }
    }

    /// Calls `visit` for every leaf, in the order they are written.
    pub(crate) fn each_leaf<'a>(&'a self, visit: &mut dyn FnMut(&'a Leaf)) {
        match self {
            Expression::Number(_) | Expression::Text(_) => {}
            Expression::Field(field) => visit(field),
            Expression::Negation(inner) | Expression::Extract(inner, _) => inner.each_leaf(visit),
            Expression::Arithmetic(_, sides) => sides.iter().for_each(|it| it.each_leaf(visit)),
            Expression::Call(_, arguments) => arguments.iter().for_each(|it| it.each_leaf(visit)),
            Expression::If(condition, sides) => {
                condition.each_leaf(visit);
                sides.iter().for_each(|it| it.each_leaf(visit));
            }
        }
    }
}

impl<Leaf> Condition<Leaf> {
    /// The same condition over other leaves.
    pub(crate) fn map<Other>(&self, leaf: &mut dyn FnMut(&Leaf) -> Other) -> Condition<Other> {
        self.grow(&mut |it| Expression::Field(leaf(it)))
    }

    /// The same condition with a tree in the place of each leaf.
    pub(crate) fn grow<Other>(
        &self,
        leaf: &mut dyn FnMut(&Leaf) -> Expression<Other>,
    ) -> Condition<Other> {
        match self {
            Condition::Numbers { left, operator, right } => {
                match (left.grow(leaf), right.grow(leaf)) {
                    (Ok(left), Ok(right)) => {
                        Condition::Numbers { left, operator: *operator, right }
                    }
                    (left, right) => {
                        let number = |it: Operand<f64, Other>| it.tree(Expression::Number);
                        let sides = [left, right].map(|it| it.map_or_else(|tree| tree, number));
                        Condition::ComparedNumbers(*operator, Box::new(sides))
                    }
                }
            }
            Condition::Texts { left, operator, is_negated, right } => {
                let (operator, is_negated) = (*operator, *is_negated);
                match (left.grow(leaf), right.grow(leaf)) {
                    (Ok(left), Ok(right)) => Condition::Texts { left, operator, is_negated, right },
                    (left, right) => {
                        let text = |it: Operand<Box<[u8]>, Other>| it.tree(Expression::Text);
                        let sides = [left, right].map(|it| it.map_or_else(|tree| tree, text));
                        Condition::ComparedTexts { operator, is_negated, sides: Box::new(sides) }
                    }
                }
            }
            Condition::ComparedNumbers(operator, sides) => {
                Condition::ComparedNumbers(*operator, grow_pair(sides, leaf))
            }
            Condition::ComparedTexts { operator, is_negated, sides } => Condition::ComparedTexts {
                operator: *operator,
                is_negated: *is_negated,
                sides: grow_pair(sides, leaf),
            },
            Condition::Same(sides) => Condition::Same(grow_pair(sides, leaf)),
            Condition::In(value, choices) => Condition::In(value.grow(leaf), choices.clone()),
            Condition::Matches(value, pattern) => {
                Condition::Matches(value.grow(leaf), pattern.clone())
            }
            Condition::Missing(value) => Condition::Missing(value.grow(leaf)),
            Condition::All(parts) => Condition::All(parts.iter().map(|it| it.grow(leaf)).collect()),
            Condition::Any(parts) => Condition::Any(parts.iter().map(|it| it.grow(leaf)).collect()),
            Condition::Not(inner) => Condition::Not(Box::new(inner.grow(leaf))),
        }
    }

    /// Calls `visit` for every leaf, in the order they are written.
    pub(crate) fn each_leaf<'a>(&'a self, visit: &mut dyn FnMut(&'a Leaf)) {
        match self {
            Condition::Numbers { left, right, .. } => {
                left.field().into_iter().chain(right.field()).for_each(visit);
            }
            Condition::Texts { left, right, .. } => {
                left.field().into_iter().chain(right.field()).for_each(visit);
            }
            Condition::ComparedNumbers(_, sides)
            | Condition::ComparedTexts { sides, .. }
            | Condition::Same(sides) => sides.iter().for_each(|it| it.each_leaf(visit)),
            Condition::In(value, _) | Condition::Matches(value, _) | Condition::Missing(value) => {
                value.each_leaf(visit);
            }
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().for_each(|it| it.each_leaf(visit));
            }
            Condition::Not(inner) => inner.each_leaf(visit),
        }
    }
}

impl<Literal: Clone, Leaf> Operand<Literal, Leaf> {
    /// The same operand over another leaf; an error is the tree that came in the place of it.
    fn grow<Other>(
        &self,
        leaf: &mut dyn FnMut(&Leaf) -> Expression<Other>,
    ) -> Result<Operand<Literal, Other>, Expression<Other>> {
        match self {
            Operand::Literal(literal) => Ok(Operand::Literal(literal.clone())),
            Operand::Field(field) => match leaf(field) {
                Expression::Field(other) => Ok(Operand::Field(other)),
                tree => Err(tree),
            },
        }
    }

    fn tree(self, literal: fn(Literal) -> Expression<Leaf>) -> Expression<Leaf> {
        match self {
            Operand::Literal(it) => literal(it),
            Operand::Field(field) => Expression::Field(field),
        }
    }

    fn field(&self) -> Option<&Leaf> {
        match self {
            Operand::Literal(_) => None,
            Operand::Field(field) => Some(field),
        }
    }
}

fn grow_pair<Leaf, Other>(
    pair: &[Expression<Leaf>; 2],
    leaf: &mut dyn FnMut(&Leaf) -> Expression<Other>,
) -> Box<[Expression<Other>; 2]> {
    let [left, right] = pair;
    Box::new([left.grow(leaf), right.grow(leaf)])
}

impl Choices {
    pub(crate) fn new(mut texts: Vec<Box<[u8]>>) -> Choices {
        texts.sort_unstable();
        texts.dedup();
        let mut numbers: Vec<f64> =
            texts.iter().filter_map(|text| crate::number::parse(text)).map(|it| it + 0.0).collect();
        numbers.sort_unstable_by(f64::total_cmp);
        Choices { texts, numbers }
    }

    pub(crate) fn has_number(&self, number: f64) -> bool {
        !number.is_nan() && self.numbers.binary_search_by(|it| it.total_cmp(&number)).is_ok()
    }

    pub(crate) fn has_text(&self, text: &[u8]) -> bool {
        self.texts.binary_search_by(|it| (**it).cmp(text)).is_ok()
    }
}
