//! A parsed query and its clauses. How the words become clauses is in `parse`; what the clauses
//! mean for a line is in `plan`.

use std::{fmt, path::PathBuf, time::Duration};

use crate::{
    UserFormats, beyond_dtail, explanation,
    expression::{Condition, Expression},
    format::LogFormat,
    function::Function,
    parse, warnings,
};

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
    /// First those of the columns, one for each as long as the columns are DTail's.
    pub(crate) aggregates: Vec<Aggregate>,
    pub(crate) table: Option<String>,
    pub(crate) conditions: Vec<Condition<String>>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) group_by: Vec<Expression<String>>,
    pub(crate) is_distinct: bool,
    pub(crate) having: Option<Condition<usize>>,
    pub(crate) orders: Vec<Order>,
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
    /// The column's title: what was typed, or the name after `as`.
    pub(crate) title: String,
    pub(crate) value: Output,
    /// A value of single lines without an aggregation; DTail then takes the last one.
    pub(crate) is_bare: bool,
    /// The title is a name after `as`.
    pub(crate) is_renamed: bool,
}

/// What is known of a group when all lines are in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    /// Index into [`Query::aggregates`].
    Aggregate(usize),
    /// Computed from aggregates, whose indices are the leaves.
    Computed(Expression<usize>),
}

/// What is collected of the lines of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aggregate {
    pub(crate) aggregation: Aggregation,
    pub(crate) input: Expression<String>,
    /// Of `rate`: when a line was written.
    pub(crate) time: Option<Expression<String>>,
}

impl Aggregate {
    /// Of a field as it is.
    pub(crate) fn of_field(aggregation: Aggregation, field: &str) -> Aggregate {
        let input = Expression::Field(field.to_owned());
        Aggregate { aggregation, input, time: None }
    }
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
    First,
    CountDistinct,
    Quantile(Share),
    Variance,
    Deviation,
    Rate,
    /// Of a width; `None`: powers of two.
    Histogram(Option<Width>),
}

/// A percentage in millionths of a percent, so that it can be compared and sent exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share(pub(crate) u32);

impl Share {
    pub(crate) const HALF: Share = Share(50_000_000);

    pub(crate) fn of_percent(percent: f64) -> Option<Share> {
        // Within the range of u32, and rounded before it is cut.
        (0.0..=100.0).contains(&percent).then(|| Share((percent * 1e6).round() as u32))
    }

    /// From 0 to 1.
    pub(crate) fn fraction(self) -> f64 {
        f64::from(self.0) / 1e8
    }
}

/// The width of the buckets of a histogram: the bits of a float above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Width(pub(crate) u64);

impl Width {
    pub(crate) fn of(width: f64) -> Option<Width> {
        (width > 0.0 && width.is_finite()).then(|| Width(width.to_bits()))
    }

    pub(crate) fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl Aggregation {
    pub(crate) const NAMED: [(&'static str, Aggregation); 15] = [
        ("count", Aggregation::Count),
        ("sum", Aggregation::Sum),
        ("min", Aggregation::Min),
        ("max", Aggregation::Max),
        ("avg", Aggregation::Avg),
        ("last", Aggregation::Last),
        ("len", Aggregation::Len),
        ("percentage", Aggregation::Percentage),
        ("percentile", Aggregation::Percentile),
        ("first", Aggregation::First),
        ("median", Aggregation::Quantile(Share::HALF)),
        ("stddev", Aggregation::Deviation),
        ("variance", Aggregation::Variance),
        ("rate", Aggregation::Rate),
        ("histogram", Aggregation::Histogram(None)),
    ];

    pub(crate) fn named(name: &str) -> Option<Aggregation> {
        Aggregation::NAMED.iter().find(|(known, _)| *known == name).map(|(_, it)| *it)
    }

    /// Whether DTail has it.
    pub(crate) fn is_dtails(self) -> bool {
        !matches!(
            self,
            Aggregation::First
                | Aggregation::CountDistinct
                | Aggregation::Quantile(_)
                | Aggregation::Variance
                | Aggregation::Deviation
                | Aggregation::Rate
                | Aggregation::Histogram(_)
        )
    }

    /// Whether it takes values as they are, not as numbers.
    pub(crate) fn takes_texts(self) -> bool {
        matches!(
            self,
            Aggregation::Count
                | Aggregation::Last
                | Aggregation::Len
                | Aggregation::First
                | Aggregation::CountDistinct
        )
    }
}

/// One assignment of the `set` clause.
#[derive(Debug, PartialEq)]
pub(crate) struct Assignment {
    /// The variable, with its `$`.
    pub(crate) variable: String,
    pub(crate) value: AssignedValue,
}

#[derive(Debug, PartialEq)]
pub(crate) enum AssignedValue {
    /// What DTail has.
    Plain {
        /// What is applied to the value, innermost function first.
        functions: Vec<Function>,
        /// The value: that of the field of this name if the line has one, else this text itself.
        source: String,
        /// Written in double quotes and no function call: a text. DTail looks for a field even so.
        is_quoted: bool,
    },
    Computed(Expression<String>),
}

/// One of the things that rows are ordered by: the `order` or `rorder` clause.
#[derive(Debug, PartialEq)]
pub(crate) struct Order {
    /// What was typed; of a selected column, its title.
    pub(crate) title: String,
    /// `rorder` or `asc`: the smallest first.
    pub(crate) is_ascending: bool,
    pub(crate) value: Output,
    /// Texts count as well as numbers. DTail, and so the clause with nothing but a column, takes
    /// every text for 0.
    pub(crate) by_text: bool,
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

    /// What is odd about the query though it can run: words that mean nothing, unknown variables.
    /// One line each, without prefix. `default_format` is the configured log format; a format that
    /// is neither built in nor one of `user_formats` may be known to the hosts that are asked.
    pub fn warnings(&self, default_format: &str, user_formats: &UserFormats) -> Vec<String> {
        warnings::of_query(self, default_format, user_formats)
    }

    /// What of a query DTail 4.1 does not know: the first thing, as messages name it. Log formats
    /// are not looked at.
    pub fn beyond_dtail(&self) -> Option<String> {
        beyond_dtail::of(self)
    }

    /// What happens to a line of this format, step by step, one line each.
    pub fn explain(&self, format: &LogFormat) -> Vec<String> {
        explanation::of(self, format)
    }

    /// The values that together make a group. None: all lines are one group.
    ///
    /// Without `group by`, DTail groups by the field of the first column; unless `strict`, a query
    /// that only selects aggregations means all lines.
    pub(crate) fn group_keys(&self, strict: bool) -> Vec<&Expression<String>> {
        if !self.group_by.is_empty() {
            return self.group_by.iter().collect();
        }
        if !strict && self.selections.iter().all(|selection| !selection.is_bare) {
            return Vec::new();
        }
        let first = self.selections.first().and_then(|selection| self.input_of(&selection.value));
        first.into_iter().collect()
    }

    /// Which of [`Query::group_keys`] an aggregate says again, for each of them: all lines of a group
    /// have the same. DTail takes groups together whose values only look the same when joined.
    pub(crate) fn key_columns(&self, strict: bool) -> Vec<Option<usize>> {
        let keys = if strict { Vec::new() } else { self.group_keys(strict) };
        let place = |aggregate: &Aggregate| keys.iter().position(|key| **key == aggregate.input);
        self.aggregates.iter().map(place).collect()
    }

    /// What the aggregate that is an output, or the first one in it, is collected from.
    pub(crate) fn input_of(&self, output: &Output) -> Option<&Expression<String>> {
        let mut first = None;
        match output {
            Output::Aggregate(index) => first = Some(*index),
            Output::Computed(expression) => expression.each_leaf(&mut |index| {
                first.get_or_insert(*index);
            }),
        }
        Some(&self.aggregates.get(first?)?.input)
    }

    /// What is collected for each group, in the order of the cells.
    pub(crate) fn cell_kinds(&self) -> Vec<Aggregation> {
        self.aggregates.iter().map(|aggregate| aggregate.aggregation).collect()
    }
}

/// Why a query cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    pub(crate) message: String,
    /// The query's line with the place, and the line with the caret.
    pub(crate) excerpt: Option<Box<[String; 2]>>,
}

impl QueryError {
    /// Two lines to go below the message, each behind a line end: the part of the query that is
    /// wrong, and carets below it. Empty if the error has no place.
    pub fn excerpt(&self) -> String {
        self.excerpt
            .iter()
            .flat_map(|lines| lines.iter())
            .map(|line| format!("\n  {line}"))
            .collect()
    }
}

/// One line.
impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot parse query: {}", self.message)
    }
}

impl std::error::Error for QueryError {}
