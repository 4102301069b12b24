//! The `select` clause: columns, each a field, an aggregation or something computed of them.

use super::{
    Clause, Names, err_at, found,
    leaf::{self, Leaf},
    operator,
    parser::{Mode, Parser},
};
use crate::{
    expression::{Arithmetic, Expression},
    lex::{self, Token, TokenKind},
    query::{Aggregate, Aggregation, Output, QueryError, Selection},
};

/// The columns, and whether their rows are distinct.
pub(super) fn selections(
    clause: &Clause<'_>,
    names: &mut Names,
) -> Result<(Vec<Selection>, bool), QueryError> {
    let pieces = operator::unglued_in_if(lex::pieces(clause.words));
    let mode = Mode { conditions: false, rows_of_conditions: false, aggregates: true };
    let mut parser = Parser { text: clause.text, pieces: &pieces, next: 0, mode, names, depth: 0 };
    let is_distinct = parser.peek().is_some_and(|it| it.is_word("distinct"))
        && parser.peek_second().is_some_and(|it| !it.after_comma && !it.is_word("as"));
    if is_distinct {
        parser.next += 1;
    }
    let mut selections = Vec::new();
    while let Some(token) = parser.peek() {
        if token.kind == TokenKind::Quoted && token.text.is_empty() {
            parser.next += 1;
            continue;
        }
        let mut selection = parser.selection(token)?;
        if let Some(title) = parser.alias() {
            selection.title.clone_from(&title.text);
            selection.is_renamed = true;
        }
        selections.push(selection);
    }
    if selections.is_empty() {
        return clause.err("needs a column, for example count(*)");
    }
    if is_distinct && selections.iter().any(|it| !it.is_bare) {
        return clause.err(
            "has distinct rows of values only; with aggregates, rows are distinct by group by",
        );
    }
    Ok((selections, is_distinct))
}

impl Parser<'_> {
    fn selection(&mut self, first: &Token) -> Result<Selection, QueryError> {
        let start = self.next;
        if first.kind == TokenKind::Quoted {
            self.next += 1;
            return Ok(self.quoted_selection(first));
        }
        if self.is_single(first) {
            self.next += 1;
            if first.kind == TokenKind::Word {
                self.check_word(first, start)?;
            }
            return Ok(self.bare(&first.text));
        }
        let (value, _) = self.value()?;
        let last = &self.pieces[self.next - 1];
        let title = self.text[first.start..last.end].to_owned();
        Ok(self.computed(title, &value))
    }

    /// Whether a column is nothing but this word.
    fn is_single(&self, first: &Token) -> bool {
        if !matches!(first.kind, TokenKind::Word | TokenKind::Escaped) {
            return false;
        }
        let Some(second) = self.peek_second() else { return true };
        let third = self.pieces.get(self.next + 2);
        let is_open = second.kind == TokenKind::Open && !second.after_comma;
        let is_computed = second.kind == TokenKind::Word
            && Arithmetic::of(&second.text).is_some()
            && !second.after_comma
            && third.is_some_and(|it| !it.after_comma);
        let is_negated = first.kind == TokenKind::Word && first.text == "-" && !second.after_comma;
        !(is_open && first.kind == TokenKind::Word || is_computed || is_negated)
    }

    /// Says what is odd about a word that DTail takes for a column without a word.
    fn check_word(&mut self, word: &Token, index: usize) -> Result<(), QueryError> {
        if operator::comparison_word(word).is_some() && word.text.starts_with(['=', '<', '>', '!'])
        {
            let message = format!(
                "a condition cannot be in select, see the {}; is where missing?",
                found(word)
            );
            return err_at(self.text, word, message);
        }
        self.names.note_odd_field(word);
        let next = self.pieces.get(index + 1);
        let before = index.checked_sub(1).and_then(|before| self.pieces.get(before));
        let is_alone = word.after_comma || before.is_none() || next.is_none_or(|it| it.after_comma);
        if let Some(keyword) = super::misspelt_keyword(&word.text).filter(|_| !is_alone) {
            self.names.oddities.push(format!(
                "select reads the {} as a field; did you mean {keyword}?",
                found(word)
            ));
        }
        Ok(())
    }

    fn bare(&mut self, field: &str) -> Selection {
        let aggregate = Aggregate::of_field(Aggregation::Last, field);
        Selection {
            title: field.to_owned(),
            value: Output::Aggregate(self.names.push(aggregate)),
            is_bare: true,
            is_renamed: false,
        }
    }

    /// DTail reads an aggregation in double quotes, too; a quoted text that is none is a field
    /// whose name has blanks or parentheses.
    fn quoted_selection(&mut self, token: &Token) -> Selection {
        let text = token.text.as_str();
        let call = text.strip_suffix(')').and_then(|it| it.split_once('('));
        let known = call.and_then(|(name, field)| Some((Aggregation::named(name)?, field)));
        match known {
            Some((aggregation, field)) if !field.is_empty() && !field.contains(['(', ')']) => {
                let field = lex::without_backticks(field).unwrap_or(field);
                let aggregate = Aggregate::of_field(aggregation, field);
                Selection {
                    title: text.to_owned(),
                    value: Output::Aggregate(self.names.push(aggregate)),
                    is_bare: false,
                    is_renamed: false,
                }
            }
            _ => self.bare(text),
        }
    }

    fn computed(&mut self, title: String, value: &Expression<Leaf>) -> Selection {
        let is_bare = !leaf::has_aggregates(value);
        let value = self.names.output(value);
        Selection { title, value, is_bare, is_renamed: false }
    }

    /// The title after `as`.
    fn alias(&mut self) -> Option<Token> {
        let word = self.peek().filter(|it| it.is_word("as") && !it.after_comma)?;
        let title = self.pieces.get(self.next + 1)?;
        if title.after_comma || matches!(title.kind, TokenKind::Open | TokenKind::Close) {
            return None;
        }
        debug_assert!(word.is_word("as"), "checked above");
        self.next += 2;
        Some(title.clone())
    }
}

impl Names {
    /// What a column, an order or a condition on groups says. Without aggregates it is a value of
    /// the last line; with some, its fields are those of the last line.
    pub(super) fn output(&mut self, value: &Expression<Leaf>) -> Output {
        if let Expression::Field(Leaf::Aggregate(index)) = value {
            return Output::Aggregate(*index);
        }
        if !leaf::has_aggregates(value) {
            let input = leaf::over_fields(value);
            let last = Aggregate { aggregation: Aggregation::Last, input, time: None };
            return Output::Aggregate(self.push(last));
        }
        Output::Computed(value.map(&mut |leaf| self.aggregate_of(leaf)))
    }

    pub(super) fn aggregate_of(&mut self, leaf: &Leaf) -> usize {
        match leaf {
            Leaf::Aggregate(index) => *index,
            Leaf::Field(name) => self.add(Aggregate::of_field(Aggregation::Last, name)),
        }
    }
}
