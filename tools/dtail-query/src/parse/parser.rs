//! Reads expressions by precedence climbing: values, conditions, calls.
//!
//! Loosest first: `or`, `and` (also where two conditions merely follow each other), comparisons,
//! `+ -`, `* / %`, signs and `not`. Knows no clause; what a clause allows is in [`Mode`].

use super::{
    Names, err_at, found,
    leaf::Leaf,
    operator::{self, Comparison, TextTest},
};
use crate::{
    expression::{Arithmetic, Choices, Condition, Expression, Operand, Pattern},
    lex::{Token, TokenKind},
    number,
    query::QueryError,
};

/// The deepest an expression may be, parentheses and operators in a row counted alike.
const MAX_DEPTH: usize = 200;
/// Patterns are large once compiled.
const MAX_PATTERNS: usize = 64;

const OR: u8 = 1;
const AND: u8 = 2;
const COMPARISON: u8 = 3;
const SUM: u8 = 4;
const PRODUCT: u8 = 5;

/// What may be written where the parser is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mode {
    /// Comparisons, `and`, `or`, `not`.
    pub(super) conditions: bool,
    /// Two conditions in a row mean both.
    pub(super) rows_of_conditions: bool,
    pub(super) aggregates: bool,
}

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) pieces: &'a [Token],
    pub(super) next: usize,
    pub(super) mode: Mode,
    pub(super) names: &'a mut Names,
    pub(super) depth: usize,
}

/// A part of an expression, and where it is.
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) depth: usize,
    /// Index of its first piece.
    pub(super) first: usize,
}

pub(super) enum Kind {
    /// One word or text, which may mean different things on the two sides of an operator.
    Plain(usize),
    Value(Expression<Leaf>),
    Condition(Condition<Leaf>),
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Or,
    And,
    /// `and` without being written.
    Both,
    Compare(Comparison, /* words */ usize),
    Compute(Arithmetic),
}

impl Step {
    fn level(self) -> u8 {
        match self {
            Step::Or => OR,
            Step::And | Step::Both => AND,
            Step::Compare(..) => COMPARISON,
            Step::Compute(Arithmetic::Add | Arithmetic::Subtract) => SUM,
            Step::Compute(_) => PRODUCT,
        }
    }
}

impl<'a> Parser<'a> {
    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.pieces.get(self.next)
    }

    pub(super) fn peek_second(&self) -> Option<&'a Token> {
        self.pieces.get(self.next + 1)
    }

    /// A value that ends where the next one begins.
    pub(super) fn value(&mut self) -> Result<(Expression<Leaf>, usize), QueryError> {
        let node = self.node(SUM)?;
        self.value_of(node)
    }

    /// A condition to the end of what there is to read.
    pub(super) fn condition(&mut self) -> Result<Condition<Leaf>, QueryError> {
        let node = self.node(OR)?;
        let (condition, _) = self.condition_of(node)?;
        match self.peek() {
            None => Ok(condition),
            Some(token) => err_at(self.text, token, format!("unexpected {}", found(token))),
        }
    }

    /// A condition that ends with a comma, and its depth.
    pub(super) fn part_condition(&mut self) -> Result<(Condition<Leaf>, usize), QueryError> {
        let node = self.node(OR)?;
        self.condition_of(node)
    }

    fn node(&mut self, level: u8) -> Result<Node, QueryError> {
        let mut left = self.operand()?;
        while let Some(step) = self.step(&left)
            && step.level() >= level
        {
            left = self.join(left, step)?;
        }
        Ok(left)
    }

    /// The operator that follows, if it is one.
    fn step(&self, left: &Node) -> Option<Step> {
        let token = self.peek()?;
        let is_condition = matches!(left.kind, Kind::Condition(_));
        if token.kind == TokenKind::Close || token.after_comma && !self.mode.rows_of_conditions {
            return None;
        }
        let following = self.peek_second();
        let names_a_field = following.is_some_and(|it| operator::comparison_word(it).is_some());
        if token.kind == TokenKind::Word {
            if let Some(operator) = Arithmetic::of(&token.text)
                && !is_condition
                && !token.after_comma
                && !names_a_field
                && following.is_some_and(|it| !it.after_comma && it.kind != TokenKind::Close)
            {
                return Some(Step::Compute(operator));
            }
            if self.mode.conditions {
                if token.is_word("and") {
                    return Some(Step::And);
                }
                if token.is_word("or") && !names_a_field {
                    return Some(Step::Or);
                }
                if !is_condition && let Some(found) = operator::comparison(token, following) {
                    return Some(Step::Compare(found.0, found.1));
                }
            }
        }
        (self.mode.rows_of_conditions && is_condition).then_some(Step::Both)
    }

    fn join(&mut self, left: Node, step: Step) -> Result<Node, QueryError> {
        let first = left.first;
        match step {
            Step::Or => self.join_conditions(left, OR),
            Step::And | Step::Both => self.join_conditions(left, AND),
            Step::Compute(operator) => {
                self.next += 1;
                let right = self.node(if step.level() == SUM { PRODUCT } else { PRODUCT + 1 })?;
                let (left, left_depth) = self.value_of(left)?;
                let (right, right_depth) = self.value_of(right)?;
                let sides = Box::new([left, right]);
                let value = Kind::Value(Expression::Arithmetic(operator, sides));
                self.deeper(value, left_depth.max(right_depth), first)
            }
            Step::Compare(comparison, words) => {
                let at = self.next;
                self.next += words;
                self.compare(left, comparison, at)
            }
        }
    }

    fn join_conditions(&mut self, left: Node, level: u8) -> Result<Node, QueryError> {
        let first = left.first;
        let (left, mut depth) = self.condition_of(left)?;
        let mut parts = vec![left];
        while let Some(step) = self.step(&Node::of(Condition::All(Vec::new())))
            && step.level() == level
        {
            if matches!(step, Step::Or) {
                self.next += 1;
            }
            self.skip_and();
            if matches!(step, Step::And) && self.peek().is_none_or(|it| it.kind == TokenKind::Close)
            {
                break;
            }
            let right = self.node(level + 1)?;
            let (right, right_depth) = self.condition_of(right)?;
            depth = depth.max(right_depth);
            parts.push(right);
        }
        let condition = match (parts.len(), level) {
            (1, _) => parts.swap_remove(0),
            (_, OR) => Condition::Any(parts),
            _ => Condition::All(parts),
        };
        self.deeper(Kind::Condition(condition), depth, first)
    }

    /// DTail's noise word.
    pub(super) fn skip_and(&mut self) {
        while self.peek().is_some_and(|it| it.is_word("and")) {
            self.next += 1;
        }
    }

    fn operand(&mut self) -> Result<Node, QueryError> {
        let first = self.next;
        let Some(token) = self.peek() else { return self.nothing_follows() };
        if self.depth >= MAX_DEPTH {
            return too_deep(self.text, token);
        }
        self.depth += 1;
        let node = self.operand_at(token, first);
        self.depth -= 1;
        node
    }

    fn operand_at(&mut self, token: &'a Token, first: usize) -> Result<Node, QueryError> {
        let following = self.peek_second();
        let names_a_field = following.is_some_and(|it| operator::comparison_word(it).is_some());
        match token.kind {
            TokenKind::Open => return self.parenthesized(token, first),
            TokenKind::Close => {
                return err_at(self.text, token, format!("unexpected {}", found(token)));
            }
            TokenKind::Word if !names_a_field => {
                if self.mode.conditions && token.is_word("not") && following.is_some() {
                    self.next += 1;
                    let inner = self.node(COMPARISON)?;
                    let (inner, depth) = self.condition_of(inner)?;
                    let not = Condition::Not(Box::new(inner));
                    return self.deeper(Kind::Condition(not), depth, first);
                }
                if token.text == "-" && following.is_some_and(|it| !it.after_comma) {
                    self.next += 1;
                    let inner = self.node(PRODUCT + 1)?;
                    let (inner, depth) = self.value_of(inner)?;
                    let negation = Expression::Negation(Box::new(inner));
                    return self.deeper(Kind::Value(negation), depth, first);
                }
                if self.mode.conditions && operator::comparison_word(token).is_some() {
                    let message = format!("no value before the {}", found(token));
                    return err_at(self.text, token, message);
                }
            }
            _ => {}
        }
        self.next += 1;
        if token.kind == TokenKind::Word && self.is_call(token) {
            let (value, depth) = self.call(token)?;
            return self.deeper(Kind::Value(value), depth, first);
        }
        Ok(Node { kind: Kind::Plain(first), depth: 1, first })
    }

    fn parenthesized(&mut self, open: &'a Token, first: usize) -> Result<Node, QueryError> {
        self.next += 1;
        let inner = self.node(OR)?;
        self.close(open)?;
        // In parentheses a word is nothing but a value.
        let kind = match inner.kind {
            Kind::Plain(_) => {
                let (value, _) = self.value_of(inner)?;
                return Ok(Node { kind: Kind::Value(value), depth: 1, first });
            }
            kind => kind,
        };
        self.deeper(kind, inner.depth, first)
    }

    pub(super) fn close(&mut self, open: &Token) -> Result<(), QueryError> {
        match self.peek() {
            Some(token) if token.kind == TokenKind::Close => {
                self.next += 1;
                Ok(())
            }
            Some(token) => {
                let message = format!("expected ) and not the {}", found(token));
                err_at(self.text, token, message)
            }
            None => {
                let column = open.column;
                err_at(
                    self.text,
                    open,
                    format!("no closing parenthesis for the ( at column {column}"),
                )
            }
        }
    }

    /// An error instead of a tree that is too deep to be walked.
    pub(super) fn deeper(
        &self,
        kind: Kind,
        depth: usize,
        first: usize,
    ) -> Result<Node, QueryError> {
        match self.pieces.get(first) {
            Some(token) if depth >= MAX_DEPTH => too_deep(self.text, token),
            _ => Ok(Node { kind, depth: depth + 1, first }),
        }
    }

    fn nothing_follows<T>(&self) -> Result<T, QueryError> {
        match self.next.checked_sub(1).and_then(|last| self.pieces.get(last)) {
            Some(last) => err_at(self.text, last, format!("nothing follows the {}", found(last))),
            None => super::err("there is nothing to read".to_owned()),
        }
    }

    /// The value that a part is, and its depth.
    pub(super) fn value_of(&mut self, node: Node) -> Result<(Expression<Leaf>, usize), QueryError> {
        let token = &self.pieces[node.first];
        match node.kind {
            Kind::Value(value) => Ok((value, node.depth)),
            Kind::Plain(index) => Ok((
                {
                    let pieces = self.pieces;
                    self.plain_value(&pieces[index])?
                },
                1,
            )),
            Kind::Condition(_) => {
                let message = format!(
                    "a condition begins at the {}, where a value is needed (if(condition, a, b) \
                     makes a value of it)",
                    found(token)
                );
                err_at(self.text, token, message)
            }
        }
    }

    /// A word that is no number is a field, and in quotes it is a text.
    fn plain_value(&mut self, token: &Token) -> Result<Expression<Leaf>, QueryError> {
        Ok(match token.kind {
            TokenKind::Quoted => Expression::Text(token.text.as_bytes().into()),
            TokenKind::Word => match (self.literal(token)?, token.text.strip_prefix('-')) {
                (Some(number), _) => Expression::Number(number),
                // Where something is computed, a sign is one even without a blank.
                (None, Some(name))
                    if name.starts_with(|it: char| it.is_alphabetic() || it == '$') =>
                {
                    let field = Expression::Field(Leaf::Field(name.to_owned()));
                    Expression::Negation(Box::new(field))
                }
                (None, _) => {
                    self.names.note_computation(token);
                    Expression::Field(Leaf::Field(token.text.clone()))
                }
            },
            _ => Expression::Field(Leaf::Field(token.text.clone())),
        })
    }

    /// The number that a word is.
    pub(super) fn literal(&self, token: &Token) -> Result<Option<f64>, QueryError> {
        let number = number::parse(token.text.as_bytes());
        let digits = token.text.trim_start_matches(['-', '+']);
        if number.is_none()
            && digits.starts_with(|it: char| it.is_ascii_digit())
            && digits.parse::<f64>().is_ok()
        {
            let message = format!("the {} is beyond the range of numbers", found(token));
            return err_at(self.text, token, message);
        }
        Ok(number)
    }

    /// The condition that a part is, and its depth.
    fn condition_of(&mut self, node: Node) -> Result<(Condition<Leaf>, usize), QueryError> {
        if let Kind::Condition(condition) = node.kind {
            return Ok((condition, node.depth));
        }
        let first = &self.pieces[node.first];
        match self.peek() {
            Some(token) if token.kind != TokenKind::Close => {
                operator::unknown(self.text, first, token)
            }
            _ => {
                let message = format!(
                    "incomplete condition after the {} (expected: field operator value)",
                    found(first)
                );
                let last = &self.pieces[self.next.saturating_sub(1).min(self.pieces.len() - 1)];
                err_at(self.text, last, message)
            }
        }
    }

    fn compare(
        &mut self,
        left: Node,
        comparison: Comparison,
        at: usize,
    ) -> Result<Node, QueryError> {
        let first = left.first;
        let depth = left.depth;
        let operator = &self.pieces[at];
        let condition = match comparison {
            Comparison::Missing { is_negated } => {
                let (value, _) = self.value_of(left)?;
                negated(Condition::Missing(value), is_negated)
            }
            Comparison::In { is_negated } => {
                let (value, _) = self.value_of(left)?;
                negated(Condition::In(value, self.choices(operator)?), is_negated)
            }
            Comparison::Matches { is_negated } => {
                let (value, _) = self.value_of(left)?;
                let pattern = self.pattern(operator, false)?;
                negated(Condition::Matches(value, Box::new(pattern)), is_negated)
            }
            Comparison::Like { is_negated } => {
                let (value, _) = self.value_of(left)?;
                let pattern = self.pattern(operator, true)?;
                negated(Condition::Matches(value, Box::new(pattern)), is_negated)
            }
            _ => {
                if self.peek().is_none_or(|it| it.kind == TokenKind::Close) {
                    self.next = at;
                    let message = format!(
                        "incomplete condition after the {} (expected: field operator value)",
                        found(&self.pieces[first])
                    );
                    return err_at(self.text, operator, message);
                }
                let right = self.node(SUM)?;
                let depth = depth.max(right.depth);
                let condition = self.compared(left, comparison, operator, right)?;
                return self.deeper(Kind::Condition(condition), depth, first);
            }
        };
        self.deeper(Kind::Condition(condition), depth, first)
    }

    /// Two plain operands make DTail's own conditions, which are the fastest.
    fn compared(
        &mut self,
        left: Node,
        comparison: Comparison,
        operator: &Token,
        right: Node,
    ) -> Result<Condition<Leaf>, QueryError> {
        if let (Kind::Plain(left), Kind::Plain(right)) = (&left.kind, &right.kind) {
            let (left, right) = (&self.pieces[*left], &self.pieces[*right]);
            match comparison {
                Comparison::Numbers(known) => {
                    let left = self.number_operand(left, operator)?;
                    let right = self.number_operand(right, operator)?;
                    return Ok(Condition::Numbers { left, operator: known, right });
                }
                Comparison::Texts(TextTest { operator, is_negated }) => {
                    let left = self.text_operand(left);
                    let right = self.text_operand(right);
                    return Ok(Condition::Texts { left, operator, is_negated, right });
                }
                _ => {}
            }
        }
        let (left, _) = self.value_of(left)?;
        let (right, _) = self.value_of(right)?;
        let sides = Box::new([left, right]);
        Ok(match comparison {
            Comparison::Numbers(operator) => Condition::ComparedNumbers(operator, sides),
            Comparison::Texts(TextTest { operator, is_negated }) => {
                Condition::ComparedTexts { operator, is_negated, sides }
            }
            _ => Condition::Same(sides),
        })
    }

    fn number_operand(
        &mut self,
        word: &Token,
        operator: &Token,
    ) -> Result<Operand<f64, Leaf>, QueryError> {
        if word.kind == TokenKind::Quoted {
            let message = format!(
                "{} compares numbers, not the {} (texts are compared by =, eq, ne, contains, …)",
                operator.text,
                found(word)
            );
            return err_at(self.text, word, message);
        }
        Ok(match self.literal(word)? {
            Some(literal) if word.kind == TokenKind::Word => Operand::Literal(literal),
            _ => {
                self.names.note_computation(word);
                Operand::Field(Leaf::Field(word.text.clone()))
            }
        })
    }

    fn text_operand(&mut self, word: &Token) -> Operand<Box<[u8]>, Leaf> {
        if word.kind == TokenKind::Quoted {
            return Operand::Literal(word.text.as_bytes().into());
        }
        if word.kind == TokenKind::Word && number::parse(word.text.as_bytes()).is_some() {
            self.names.oddities.push(format!(
                "the {} is read as the name of a field (a text goes into double quotes)",
                found(word)
            ));
        }
        Operand::Field(Leaf::Field(word.text.clone()))
    }

    /// The list after `in`.
    fn choices(&mut self, operator: &Token) -> Result<Choices, QueryError> {
        let open = match self.peek() {
            Some(token) if token.kind == TokenKind::Open => token,
            _ => {
                return err_at(self.text, operator, "in needs a list such as (1, 2, \"a\")".into());
            }
        };
        self.next += 1;
        let mut texts = Vec::new();
        while let Some(token) = self.peek()
            && token.kind != TokenKind::Close
        {
            let is_number = token.kind == TokenKind::Word && self.literal(token)?.is_some();
            if !is_number && token.kind != TokenKind::Quoted {
                let message = format!(
                    "in takes numbers and texts in double quotes, not the {}",
                    found(token)
                );
                return err_at(self.text, token, message);
            }
            texts.push(token.text.as_bytes().into());
            self.next += 1;
        }
        self.close(open)?;
        Ok(Choices::new(texts))
    }

    /// A pattern in quotes.
    pub(super) fn pattern(&mut self, before: &Token, is_like: bool) -> Result<Pattern, QueryError> {
        let token = match self.peek() {
            Some(token) if token.kind == TokenKind::Quoted => token,
            Some(token) => {
                let message = format!(
                    "a pattern goes into double quotes, which the {} does not",
                    found(token)
                );
                return err_at(self.text, token, message);
            }
            None => return err_at(self.text, before, "there is no pattern".to_owned()),
        };
        self.next += 1;
        self.names.patterns += 1;
        if self.names.patterns > MAX_PATTERNS {
            let message = format!(
                "a query may have {MAX_PATTERNS} patterns, this is one more, at the {}",
                found(token)
            );
            return err_at(self.text, token, message);
        }
        let compiled = if is_like {
            Pattern::new(&token.text, &operator::expression_of_like(&token.text))
        } else {
            Pattern::new(&token.text, &token.text)
        };
        compiled.or_else(|reason| {
            err_at(self.text, token, format!("cannot use the pattern {}: {reason}", found(token)))
        })
    }
}

impl Node {
    fn of(condition: Condition<Leaf>) -> Node {
        Node { kind: Kind::Condition(condition), depth: 1, first: 0 }
    }
}

fn negated(condition: Condition<Leaf>, is_negated: bool) -> Condition<Leaf> {
    if is_negated { Condition::Not(Box::new(condition)) } else { condition }
}

fn too_deep<T>(text: &str, token: &Token) -> Result<T, QueryError> {
    let message =
        format!("the expression is nested deeper than {MAX_DEPTH} levels, at the {}", found(token));
    err_at(text, token, message)
}
