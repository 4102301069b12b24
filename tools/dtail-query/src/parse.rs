//! From the words of a query to its clauses: which words belong to which clause, and the small
//! clauses. The larger ones are in the modules below.
//!
//! Accepts what DTail accepts, in any order of clauses; never looks at a log format or a line.

mod assignment;
mod condition;
mod selection;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::{
    lex::{self, Token, TokenKind},
    query::{Order, Outfile, Query, QueryError},
    sample,
};

const KEYWORDS: [&str; 11] = [
    "select",
    "from",
    "where",
    "set",
    "group",
    "rorder",
    "order",
    "interval",
    "limit",
    "outfile",
    "logformat",
];

/// Far above any query that is typed; keeps planning short whoever sends the query.
const MAX_QUERY_BYTES: usize = 64 << 10;

/// A keyword and the words up to the next keyword.
struct Clause<'a> {
    keyword: &'a Token,
    words: &'a [Token],
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
    if let Some(column) = open_quote {
        let oddity = format!("the quote at column {column} is never closed: the rest is one text");
        query.oddities.push(oddity);
    }
    let mut rest = tokens.as_slice();
    while let Some((keyword, following)) = rest.split_first() {
        if !is_keyword(keyword) {
            let found = found(keyword);
            return err(format!(
                "unexpected {found} (expected a clause such as select, from, where)"
            ));
        }
        let length = following.iter().position(is_keyword).unwrap_or(following.len());
        let (words, next) = following.split_at(length);
        take_clause(&Clause { keyword, words }, &mut query)?;
        rest = next;
    }
    complete(query)
}

fn is_keyword(token: &Token) -> bool {
    KEYWORDS.iter().any(|keyword| token.is_word(keyword))
}

fn take_clause(clause: &Clause<'_>, query: &mut Query) -> Result<(), QueryError> {
    let keyword = clause.keyword.text.to_ascii_lowercase();
    match keyword.as_str() {
        "select" => query.selections = selection::selections(clause, &mut query.oddities)?,
        "from" => query.table = Some(table(clause)?),
        "where" => query.conditions = condition::conditions(clause)?,
        "set" => query.assignments = assignment::assignments(clause)?,
        "group" => query.group_by = group_fields(clause)?,
        "order" => query.order = Some(order(clause, false, &mut query.oddities)?),
        "rorder" => query.order = Some(order(clause, true, &mut query.oddities)?),
        "interval" => query.interval = interval(clause, &mut query.oddities)?,
        "limit" => query.limit = limit(clause, &mut query.oddities)?,
        "outfile" => query.outfile = Some(outfile(clause)?),
        _ => query.log_format = Some(log_format(clause, &mut query.oddities)?),
    }
    Ok(())
}

/// Checks what can only be checked when all clauses are known.
fn complete(mut query: Query) -> Result<Query, QueryError> {
    if query.selections.is_empty() {
        return err("there is no select clause (for example: select count(*))".to_owned());
    }
    if let Some(Order { title, .. }) = &query.order
        && !query.selections.iter().any(|selection| selection.title == *title)
    {
        let title = sample::quoted(title);
        return err(format!("rows can only be ordered by a selected column, and {title} is none"));
    }
    if query.table.is_none() && query.log_format.as_deref() == Some("csv") {
        query.table = Some(".".to_owned());
    }
    Ok(query)
}

impl<'a> Clause<'a> {
    /// The words that say something. An empty quoted text says nothing in most clauses.
    fn filled_words(&self) -> impl Iterator<Item = &'a Token> + use<'a> {
        self.words.iter().filter(|word| !word.text.is_empty())
    }

    /// Where the clause begins, for messages.
    fn place(&self) -> String {
        format!("{} at column {}", self.keyword.text, self.keyword.column)
    }
}

fn err<T>(message: String) -> Result<T, QueryError> {
    Err(QueryError { message })
}

/// A word and its place, as messages name it.
fn found(token: &Token) -> String {
    let what = if token.kind == TokenKind::Quoted { "text" } else { "word" };
    format!("{what} {} at column {}", sample::quoted(&token.text), token.column)
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
        return err(format!("{} needs the name of a table", clause.place()));
    };
    if let Some(extra) = words.next() {
        return err(format!("unexpected {} (from takes one table)", found(extra)));
    }
    Ok(name.text.to_uppercase())
}

fn group_fields(clause: &Clause<'_>) -> Result<Vec<String>, QueryError> {
    let fields: Vec<String> = without_by(clause).map(|word| word.text.clone()).collect();
    if fields.is_empty() {
        return err(format!("{} needs a field to group by", clause.place()));
    }
    Ok(fields)
}

fn without_by<'a>(clause: &Clause<'a>) -> impl Iterator<Item = &'a Token> + use<'a> {
    let mut words = clause.filled_words().peekable();
    words.next_if(|word| word.is_word("by"));
    words
}

fn order(
    clause: &Clause<'_>,
    is_ascending: bool,
    oddities: &mut Vec<String>,
) -> Result<Order, QueryError> {
    let mut words = without_by(clause);
    let Some(title) = words.next() else {
        return err(format!("{} needs a selected column", clause.place()));
    };
    for word in words {
        let ignored = found(word);
        oddities.push(if ["asc", "desc", "reverse"].iter().any(|it| word.is_word(it)) {
            format!("order ignores the {ignored}: order sorts largest first, rorder smallest first")
        } else {
            format!("order ignores the {ignored}: rows are ordered by one column")
        });
    }
    Ok(Order { title: title.text.clone(), is_ascending })
}

fn interval(clause: &Clause<'_>, oddities: &mut Vec<String>) -> Result<Option<i64>, QueryError> {
    let mut words = clause.filled_words();
    let Some(word) = words.next() else { return Ok(None) };
    let seconds = integer(word, "interval")?;
    note_ignored(words, "interval", oddities);
    Ok(Some(seconds))
}

fn limit(clause: &Clause<'_>, oddities: &mut Vec<String>) -> Result<Option<usize>, QueryError> {
    let mut words = clause.filled_words();
    let Some(word) = words.next() else {
        return err(format!("{} needs a number of rows", clause.place()));
    };
    let rows = integer(word, "limit")?;
    note_ignored(words, "limit", oddities);
    // DTail spells "no limit" -1.
    Ok(usize::try_from(rows).ok())
}

fn integer(word: &Token, keyword: &str) -> Result<i64, QueryError> {
    match word.text.parse() {
        Ok(number) => Ok(number),
        Err(_) => err(format!("{keyword} needs a whole number, not the {}", found(word))),
    }
}

fn outfile(clause: &Clause<'_>) -> Result<Outfile, QueryError> {
    let words: Vec<&Token> = clause.filled_words().collect();
    match words.as_slice() {
        [path] => Ok(Outfile { path: PathBuf::from(&path.text), append: false }),
        [append, path] if append.is_word("append") => {
            Ok(Outfile { path: PathBuf::from(&path.text), append: true })
        }
        [] => err(format!("{} needs a path", clause.place())),
        [_, extra, ..] => err(format!(
            "unexpected {} (write: outfile PATH, or: outfile append PATH)",
            found(extra)
        )),
    }
}

fn log_format(clause: &Clause<'_>, oddities: &mut Vec<String>) -> Result<String, QueryError> {
    let mut words = clause.filled_words();
    let Some(name) = words.next() else {
        return err(format!("{} needs the name of a log format", clause.place()));
    };
    note_ignored(words, "logformat", oddities);
    Ok(name.text.clone())
}
