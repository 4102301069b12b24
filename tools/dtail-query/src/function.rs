//! The scalar functions by name: how many values each takes. What they do is in `evaluate`.

/// One value made from others of the same line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Md5Sum,
    MaskDigits,
    Lower,
    Upper,
    Trim,
    Length,
    Substring,
    Replace,
    Split,
    Concat,
    Coalesce,
    Text,
    Host,
    PathOfUrl,
    Number,
    Abs,
    Round,
    Floor,
    Ceiling,
    SquareRoot,
    Logarithm,
    Logarithm10,
    Logarithm2,
    Exponential,
    Power,
    Least,
    Greatest,
    /// Of a number: rounded down to a multiple.
    Bucket,
    /// Of a time: the second argument is in seconds.
    TimeBucket,
    Time,
    FormatTime,
    Date,
    Hour,
    Minute,
    Weekday,
}

/// A function as a query names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) function: Function,
    pub(crate) least: usize,
    pub(crate) most: usize,
}

const MANY: usize = 100_000;

const fn named(name: &'static str, function: Function, least: usize, most: usize) -> Named {
    Named { name, function, least, most }
}

/// Functions whose arguments are not all values: a condition, a pattern. The parser knows them.
pub(crate) const IF: &str = "if";
pub(crate) const EXTRACT: &str = "extract";

/// All names there are.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    Function::NAMED.iter().map(|it| it.name).chain([IF, EXTRACT])
}

impl Function {
    pub(crate) const NAMED: [Named; 35] = [
        named("md5sum", Function::Md5Sum, 1, 1),
        named("maskdigits", Function::MaskDigits, 1, 1),
        named("lower", Function::Lower, 1, 1),
        named("upper", Function::Upper, 1, 1),
        named("trim", Function::Trim, 1, 1),
        named("length", Function::Length, 1, 1),
        named("substr", Function::Substring, 2, 3),
        named("replace", Function::Replace, 3, 3),
        named("split", Function::Split, 3, 3),
        named("concat", Function::Concat, 1, MANY),
        named("coalesce", Function::Coalesce, 1, MANY),
        named("text", Function::Text, 1, 1),
        named("host", Function::Host, 1, 1),
        named("path_of_url", Function::PathOfUrl, 1, 1),
        named("number", Function::Number, 1, 1),
        named("abs", Function::Abs, 1, 1),
        named("round", Function::Round, 1, 2),
        named("floor", Function::Floor, 1, 1),
        named("ceil", Function::Ceiling, 1, 1),
        named("sqrt", Function::SquareRoot, 1, 1),
        named("log", Function::Logarithm, 1, 1),
        named("ln", Function::Logarithm, 1, 1),
        named("log10", Function::Logarithm10, 1, 1),
        named("log2", Function::Logarithm2, 1, 1),
        named("exp", Function::Exponential, 1, 1),
        named("pow", Function::Power, 2, 2),
        named("least", Function::Least, 1, MANY),
        named("greatest", Function::Greatest, 1, MANY),
        named("bucket", Function::Bucket, 2, 2),
        named("time", Function::Time, 1, 1),
        named("format_time", Function::FormatTime, 2, 2),
        named("date", Function::Date, 1, 1),
        named("hour", Function::Hour, 1, 1),
        named("minute", Function::Minute, 1, 1),
        named("weekday", Function::Weekday, 1, 1),
    ];

    pub(crate) fn find(name: &str) -> Option<&'static Named> {
        Function::NAMED.iter().find(|it| it.name == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Function::TimeBucket => "bucket",
            _ => Function::NAMED.iter().find(|it| it.function == self).map_or("", |it| it.name),
        }
    }
}
