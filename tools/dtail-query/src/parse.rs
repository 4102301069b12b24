//! From the words of a query to its clauses: which words belong to which clause, and the small
//! clauses. The larger ones are in the modules below.
//!
//! Accepts what DTail accepts, in any order of clauses; never looks at a log format or a line.

mod assignment;
mod call;
mod condition;
mod excerpt;
mod leaf;
#[cfg(test)]
mod limit_tests;
mod operator;
mod order;
mod parser;
mod selection;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, path::PathBuf};

use crate::{
    expression::Expression,
    lex::{self, Token, TokenKind},
    query::{Aggregate, AssignedValue, Outfile, Query, QueryError, Selection},
    sample, suggestion,
};

const KEYWORDS: [&str; 12] = [
    "select",
    "from",
    "where",
    "set",
    "group",
    "having",
    "rorder",
    "order",
    "interval",
    "limit",
    "outfile",
    "logformat",
];

/// Far above any query that is typed; keeps planning short whoever sends the query.
const MAX_QUERY_BYTES: usize = 1 << 20;

/// Every line is asked for each of them.
const MAX_FIELDS: usize = 4096;

/// A keyword and the words up to the next keyword.
struct Clause<'a> {
    /// The whole query.
    text: &'a str,
    keyword: &'a Token,
    words: &'a [Token],
}

/// What clauses have in common while they are read.
#[derive(Debug, Default)]
struct Names {
    aggregates: Vec<Aggregate>,
    oddities: Vec<String>,
    patterns: usize,
    /// Between the parentheses of an aggregate.
    in_aggregate: bool,
}

impl Names {
    /// The index of an aggregate of its own.
    fn push(&mut self, aggregate: Aggregate) -> usize {
        self.aggregates.push(aggregate);
        self.aggregates.len() - 1
    }

    /// The index of an aggregate, which may be one that is there already.
    fn add(&mut self, aggregate: Aggregate) -> usize {
        // Looking through more would take longer than collecting it twice.
        let known = self.aggregates.iter().take(100).position(|it| *it == aggregate);
        known.unwrap_or_else(|| self.push(aggregate))
    }

    /// A word that looks like a computation or a number and is the name of a field.
    fn note_odd_field(&mut self, word: &Token) {
        if crate::number::parse(word.text.as_bytes()).is_some() {
            self.oddities.push(format!("the {} is read as the name of a field", found(word)));
        } else {
            self.note_computation(word);
        }
    }

    /// A word that looks like a computation and is the name of a field.
    fn note_computation(&mut self, word: &Token) {
        let mut inner = word.text.chars();
        inner.next();
        inner.next_back();
        let looks_so = word.kind == TokenKind::Word
            && !word.text.starts_with(['$', '/'])
            && inner.any(|it| "+*/%".contains(it));
        if looks_so {
            self.oddities.push(format!(
                "the {} is read as the name of a field (a computation needs blanks around its \
                 operators)",
                found(word)
            ));
        }
    }
}

pub(crate) fn query(text: &str) -> Result<Query, QueryError> {
    if text.len() > MAX_QUERY_BYTES {
        let length = text.len();
        return err(format!(
            "it has {length} bytes, and {MAX_QUERY_BYTES} is the most it may have"
        ));
    }
    let (tokens, open_quote) = lex::tokens(text);
    let mut query = Query { text: text.to_owned(), ..Query::default() };
    let mut names = Names::default();
    if let Some(column) = open_quote {
        let oddity = format!("the quote at column {column} is never closed: the rest is one text");
        names.oddities.push(oddity);
    }
    let clauses = clauses(text, &tokens)?;
    // What other clauses refer to comes first; of a repeated clause, DTail takes the last.
    let last = |keywords: &[&str]| {
        clauses.iter().rfind(|it| keywords.iter().any(|keyword| it.keyword.is_word(keyword)))
    };
    if let Some(clause) = last(&["select"]) {
        let (selections, is_distinct) = selection::selections(clause, &mut names)?;
        query.selections = selections;
        query.is_distinct = is_distinct;
    }
    for clause in &clauses {
        take_clause(clause, &mut query, &mut names)?;
    }
    if let Some(clause) = last(&["group"]) {
        query.group_by = order::group_keys(clause, &query.selections, &mut names)?;
    }
    if let Some(clause) = last(&["having"]) {
        let having = condition::having(clause, &query.selections, &mut names)?;
        query.having = Some(having);
    }
    if let Some(clause) = last(&["order", "rorder"]) {
        let is_ascending = clause.keyword.is_word("rorder");
        query.orders = order::orders(clause, is_ascending, &query.selections, &mut names)?;
    }
    query.aggregates = names.aggregates;
    query.oddities = names.oddities;
    complete(query)
}

fn clauses<'a>(text: &'a str, tokens: &'a [Token]) -> Result<Vec<Clause<'a>>, QueryError> {
    let mut clauses = Vec::new();
    let mut rest = tokens;
    while let Some((keyword, following)) = rest.split_first() {
        if !is_keyword(keyword) {
            let found = found(keyword);
            let meant = match keyword.kind {
                TokenKind::Word => misspelt_keyword(&keyword.text),
                _ => None,
            };
            let meant = meant.map(|it| format!("; did you mean {it}?")).unwrap_or_default();
            let message = format!(
                "unexpected {found} (expected a clause such as select, from, where){meant}"
            );
            return err_at(text, keyword, message);
        }
        let length = following.iter().position(is_keyword).unwrap_or(following.len());
        let (words, next) = following.split_at(length);
        clauses.push(Clause { text, keyword, words });
        rest = next;
    }
    Ok(clauses)
}

/// The keyword that a word was meant to be, if it is near one but not one.
fn misspelt_keyword(word: &str) -> Option<&'static str> {
    // Short words are near many others.
    if word.len() < 4 {
        return None;
    }
    let meant = suggestion::nearest(word, KEYWORDS).filter(|it| it.len() > 3)?;
    (!meant.eq_ignore_ascii_case(word)).then_some(meant)
}

/// The end of a message about a column that does not exist.
fn misspelt_column(name: &str, selections: &[Selection]) -> String {
    let titles = selections.iter().take(1000).map(|it| it.title.as_str());
    suggestion::nearest(name, titles).map(|it| format!("; did you mean {it}?")).unwrap_or_default()
}

fn is_keyword(token: &Token) -> bool {
    KEYWORDS.iter().any(|keyword| token.is_word(keyword))
}

/// The clauses that need no others.
fn take_clause(
    clause: &Clause<'_>,
    query: &mut Query,
    names: &mut Names,
) -> Result<(), QueryError> {
    let keyword = clause.keyword.text.to_ascii_lowercase();
    match keyword.as_str() {
        "from" => query.table = Some(table(clause)?),
        "where" => query.conditions = condition::conditions(clause, names)?,
        "set" => query.assignments = assignment::assignments(clause, names)?,
        "interval" => query.interval = interval(clause, &mut names.oddities)?,
        "limit" => query.limit = limit(clause, &mut names.oddities)?,
        "outfile" => query.outfile = Some(outfile(clause)?),
        "logformat" => query.log_format = Some(log_format(clause, &mut names.oddities)?),
        _ => {}
    }
    Ok(())
}

/// Checks what can only be checked when all clauses are known.
fn complete(mut query: Query) -> Result<Query, QueryError> {
    if query.selections.is_empty() {
        return err("there is no select clause (for example: select count(*))".to_owned());
    }
    if query.table.is_none() && query.log_format.as_deref() == Some("csv") {
        query.table = Some(".".to_owned());
    }
    if query.is_distinct {
        if !query.group_by.is_empty() {
            return err("select distinct and group by mean the same: write one of them".to_owned());
        }
        let keys = query.selections.iter().filter_map(|it| query.input_of(&it.value));
        query.group_by = keys.cloned().collect();
    }
    check_fields(&query)?;
    Ok(query)
}

/// A query of a megabyte could name more fields than can be looked for in a line.
fn check_fields(query: &Query) -> Result<(), QueryError> {
    let mut names: HashSet<&str> = HashSet::new();
    let mut note = |name| {
        names.insert(name);
    };
    each_field(query, &mut note);
    if names.len() > MAX_FIELDS {
        let count = names.len();
        return err(format!("it names {count} fields, and {MAX_FIELDS} are the most there may be"));
    }
    Ok(())
}

/// Calls `note` with every name of a field that a query has.
pub(crate) fn each_field<'a>(query: &'a Query, note: &mut dyn FnMut(&'a str)) {
    let mut of_tree = |tree: &'a Expression<String>| tree.each_leaf(&mut |name| note(name));
    for aggregate in &query.aggregates {
        of_tree(&aggregate.input);
        aggregate.time.iter().for_each(&mut of_tree);
    }
    query.group_by.iter().for_each(&mut of_tree);
    for assignment in &query.assignments {
        if let AssignedValue::Computed(tree) = &assignment.value {
            of_tree(tree);
        }
    }
    for assignment in &query.assignments {
        note(&assignment.variable);
        if let AssignedValue::Plain { source, .. } = &assignment.value {
            note(source);
        }
    }
    query.conditions.iter().for_each(|it| it.each_leaf(&mut |name| note(name)));
}

impl<'a> Clause<'a> {
    /// The words that say something. An empty quoted text says nothing in most clauses.
    fn filled_words(&self) -> impl Iterator<Item = &'a Token> + use<'a> {
        self.words.iter().filter(|word| !word.text.is_empty())
    }

    /// An error about the clause as a whole.
    fn err<T>(&self, what: &str) -> Result<T, QueryError> {
        err_at(self.text, self.keyword, format!("{} {what}", self.place()))
    }

    /// Where the clause begins, for messages.
    fn place(&self) -> String {
        format!("{} at column {}", self.keyword.text, self.keyword.column)
    }
}

fn err<T>(message: String) -> Result<T, QueryError> {
    Err(QueryError { message, excerpt: None })
}

/// An error with its place in the query.
fn err_at<T>(query: &str, token: &Token, message: String) -> Result<T, QueryError> {
    Err(QueryError { message, excerpt: Some(Box::new(excerpt::of(query, token.start..token.end))) })
}

/// A word and its place, as messages name it.
fn found(token: &Token) -> String {
    let (text, column) = (&token.text, token.column);
    match token.kind {
        TokenKind::Open | TokenKind::Close => format!("{text} at column {column}"),
        TokenKind::Quoted => format!("text {} at column {column}", sample::quoted(text)),
        _ => format!("word {} at column {column}", sample::quoted(text)),
    }
}

fn note_ignored<'a>(
    words: impl Iterator<Item = &'a Token>,
    keyword: &str,
    oddities: &mut Vec<String>,
) {
    oddities.extend(words.map(|word| format!("{keyword} ignores the {}", found(word))));
}

fn table(clause: &Clause<'_>) -> Result<String, QueryError> {
    let mut words = clause.filled_words();
    let Some(name) = words.next() else {
        return clause.err("needs the name of a table");
    };
    if let Some(extra) = words.next() {
        let message = format!("unexpected {} (from takes one table)", found(extra));
        return err_at(clause.text, extra, message);
    }
    Ok(name.text.to_uppercase())
}

fn interval(clause: &Clause<'_>, oddities: &mut Vec<String>) -> Result<Option<i64>, QueryError> {
    let mut words = clause.filled_words();
    let Some(word) = words.next() else { return Ok(None) };
    let seconds = integer(clause, word)?;
    note_ignored(words, "interval", oddities);
    Ok(Some(seconds))
}

fn limit(clause: &Clause<'_>, oddities: &mut Vec<String>) -> Result<Option<usize>, QueryError> {
    let mut words = clause.filled_words();
    let Some(word) = words.next() else {
        return clause.err("needs a number of rows");
    };
    let rows = integer(clause, word)?;
    note_ignored(words, "limit", oddities);
    // DTail spells "no limit" -1.
    Ok(usize::try_from(rows).ok())
}

fn integer(clause: &Clause<'_>, word: &Token) -> Result<i64, QueryError> {
    word.text.parse().or_else(|_| {
        let keyword = clause.keyword.text.to_ascii_lowercase();
        let message = format!("{keyword} needs a whole number, not the {}", found(word));
        err_at(clause.text, word, message)
    })
}

fn outfile(clause: &Clause<'_>) -> Result<Outfile, QueryError> {
    let words: Vec<&Token> = clause.filled_words().collect();
    match words.as_slice() {
        [path] => Ok(Outfile { path: PathBuf::from(&path.text), append: false }),
        [append, path] if append.is_word("append") => {
            Ok(Outfile { path: PathBuf::from(&path.text), append: true })
        }
        [] => clause.err("needs a path"),
        [_, extra, ..] => {
            let message = format!(
                "unexpected {} (write: outfile PATH, or: outfile append PATH)",
                found(extra)
            );
            err_at(clause.text, extra, message)
        }
    }
}

fn log_format(clause: &Clause<'_>, oddities: &mut Vec<String>) -> Result<String, QueryError> {
    let mut words = clause.filled_words();
    let Some(name) = words.next() else {
        return clause.err("needs the name of a log format");
    };
    note_ignored(words, "logformat", oddities);
    Ok(name.text.clone())
}
