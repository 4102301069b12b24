//! A parsed query and its clauses. How the words become clauses is in `parse`; what the clauses
//! mean for a line is in `plan`.

use std::{fmt, path::PathBuf, time::Duration};

use crate::{LogFormat, parse, warnings};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// Where a query's result is written instead of the terminal: the `outfile` clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outfile {
    /// The path as typed.
    pub path: PathBuf,
    /// Rows are appended to an existing file (`outfile append PATH`).
    pub append: bool,
}

/// A query that was understood.
#[derive(Debug, Default)]
pub struct Query {
    pub(crate) text: String,
    pub(crate) selections: Vec<Selection>,
    pub(crate) table: Option<String>,
    pub(crate) conditions: Vec<Condition<String>>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) group_by: Vec<String>,
    pub(crate) order: Option<Order>,
    /// Seconds as typed, if the clause names any.
    pub(crate) interval: Option<i64>,
    pub(crate) limit: Option<usize>,
    pub(crate) outfile: Option<Outfile>,
    pub(crate) log_format: Option<String>,
    /// What the parser accepted as DTail does, though it hardly does what was meant.
    pub(crate) oddities: Vec<String>,
}

/// One column of the result.
#[derive(Debug, PartialEq)]
pub(crate) struct Selection {
    /// The column's title: the token as typed.
    pub(crate) title: String,
    pub(crate) aggregation: Aggregation,
    pub(crate) field: String,
    /// No aggregation was written; DTail then takes the last value.
    pub(crate) is_bare: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregation {
    Count,
    Sum,
    Min,
    Max,
    Avg,
    Last,
    Len,
    Percentage,
    Percentile,
}

impl Aggregation {
    pub(crate) const NAMED: [(&'static str, Aggregation); 9] = [
        ("count", Aggregation::Count),
        ("sum", Aggregation::Sum),
        ("min", Aggregation::Min),
        ("max", Aggregation::Max),
        ("avg", Aggregation::Avg),
        ("last", Aggregation::Last),
        ("len", Aggregation::Len),
        ("percentage", Aggregation::Percentage),
        ("percentile", Aggregation::Percentile),
    ];
}

/// One comparison of the `where` clause. `Field` is a name as parsed, or a slot once planned.
#[derive(Debug, PartialEq)]
pub(crate) enum Condition<Field> {
    Numbers {
        left: Operand<f64, Field>,
        operator: NumberOperator,
        right: Operand<f64, Field>,
    },
    Texts {
        left: Operand<Box<[u8]>, Field>,
        operator: TextOperator,
        /// True for the `n…` forms, `ne` and `lacks`.
        is_negated: bool,
        right: Operand<Box<[u8]>, Field>,
    },
}

#[derive(Debug, PartialEq)]
pub(crate) enum Operand<Literal, Field> {
    Literal(Literal),
    Field(Field),
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

/// One assignment of the `set` clause.
#[derive(Debug, PartialEq)]
pub(crate) struct Assignment {
    /// The variable, with its `$`.
    pub(crate) variable: String,
    /// What is applied to the value, innermost function first.
    pub(crate) functions: Vec<Function>,
    /// The value: that of the field of this name if the line has one, else this text itself.
    pub(crate) source: String,
    /// Written in double quotes and no function call: a text. DTail looks for a field even so.
    pub(crate) is_quoted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Md5Sum,
    MaskDigits,
}

impl Function {
    pub(crate) const NAMED: [(&'static str, Function); 2] =
        [("md5sum", Function::Md5Sum), ("maskdigits", Function::MaskDigits)];
}

/// The `order` or `rorder` clause.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Title of the column.
    pub(crate) title: String,
    /// `rorder`: the smallest number first.
    pub(crate) is_ascending: bool,
}

impl Query {
    /// Parses a query. The error is one line and names the column.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        parse::query(text)
    }

    /// The query as typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The table of the `from` clause, upper-cased. `.` and `None` mean every line, `*` every
    /// MAPREDUCE line.
    pub fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    /// The name given in the `logformat` clause, which need not be one we know.
    pub fn log_format(&self) -> Option<&str> {
        self.log_format.as_deref()
    }

    /// Time between two reports: 5 seconds unless the query says otherwise, never below 1.
    pub fn interval(&self) -> Duration {
        let Some(seconds) = self.interval else { return DEFAULT_INTERVAL };
        // Beyond this, adding it to a point in time could overflow.
        let seconds = seconds.clamp(1, i64::from(u32::MAX));
        Duration::from_secs(seconds.unsigned_abs())
    }

    /// Whether the query itself names an interval.
    pub fn has_explicit_interval(&self) -> bool {
        self.interval.is_some()
    }

    /// The most rows a result may show. `None`: DTail prints all to a file, 10 to a terminal.
    pub fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// The `outfile` clause.
    pub fn outfile(&self) -> Option<&Outfile> {
        self.outfile.as_ref()
    }

    /// What happens to a line of this format, step by step, one line each.
    pub fn explain(&self, format: &LogFormat) -> Vec<String> {
        let table = self.table().map_or("every line".to_owned(), |name| format!("table {name}"));
        let fields = self.group_fields(false).join(", ");
        vec![
            format!("query: {}", self.text()),
            format!("log format: {}", format.name()),
            format!("reads: {table}"),
            format!("groups by: {}", if fields.is_empty() { "nothing" } else { &fields }),
        ]
    }

    /// What is odd about the query though it can run: words that mean nothing, unknown variables.
    /// One line each, without prefix. `default_format` is the configured log format.
    pub fn warnings(&self, default_format: &str) -> Vec<String> {
        warnings::of_query(self, default_format)
    }

    /// The fields whose values together make a group. None: all lines are one group.
    ///
    /// Without `group by`, DTail groups by the field of the first column; unless `strict`, a query
    /// that only selects aggregations means all lines.
    pub(crate) fn group_fields(&self, strict: bool) -> Vec<&str> {
        if !self.group_by.is_empty() {
            return self.group_by.iter().map(String::as_str).collect();
        }
        if !strict && self.selections.iter().all(|selection| !selection.is_bare) {
            return Vec::new();
        }
        self.selections.first().map(|selection| selection.field.as_str()).into_iter().collect()
    }
}

/// Why a query cannot run. One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    pub(crate) message: String,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot parse query: {}", self.message)
    }
}

impl std::error::Error for QueryError {}
