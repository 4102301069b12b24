//! What a profile is made of. It never says what a value means: its [`ValueType`] does.

use std::sync::Arc;

/// A string that may be shared by many. From a `String` or `&str` by `into()`.
pub type Text = Arc<str>;

/// A profile: stacks with values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// What the values of each sample are, in their order.
    pub sample_types: Vec<ValueType>,
    /// The kind of the sample type to show if nobody asks for another; if there is none, the last.
    pub default_sample_type: Option<Text>,
    /// The stacks.
    pub samples: Vec<Sample>,
    /// Places in programs.
    pub locations: Vec<Location>,
    /// What [`Line`]s are of.
    pub functions: Vec<Function>,
    /// Files that were mapped into the process.
    pub mappings: Vec<Mapping>,
    /// When recording began, in nanoseconds since 1970; 0 if unknown.
    pub time_nanos: i64,
    /// How long was recorded; 0 if unknown.
    pub duration_nanos: i64,
    /// What `period` counts.
    pub period_type: Option<ValueType>,
    /// What lies between two samples on average.
    pub period: i64,
    /// Free text.
    pub comments: Vec<Text>,
    /// Functions that are left out together with what they call, as a regular expression that
    /// must match the whole name.
    pub drop_frames: Option<Text>,
    /// Functions that are kept although `drop_frames` matches.
    pub keep_frames: Option<Text>,
}

/// The meaning of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueType {
    /// What is counted, such as `cpu` or `inuse_space`.
    pub kind: Text,
    /// In which unit, such as `nanoseconds` or `bytes`.
    pub unit: Text,
}

impl ValueType {
    /// A value type of this kind in this unit.
    pub fn new(kind: &str, unit: &str) -> ValueType {
        ValueType { kind: kind.into(), unit: unit.into() }
    }
}

/// One stack.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Indices into [`Profile::locations`], the leaf first.
    pub locations: Vec<u32>,
    /// One value for each of [`Profile::sample_types`].
    pub values: Vec<i64>,
    /// What else is known of it.
    pub labels: Vec<Label>,
}

/// A fact about a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub key: Text,
    /// Its value.
    pub value: LabelValue,
}

/// The value of a [`Label`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelValue {
    /// A text that is not empty.
    Text(Text),
    /// A number.
    Number {
        /// The number.
        value: i64,
        /// Its unit, or nothing.
        unit: Text,
    },
}

/// A place in a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// Index into [`Profile::mappings`].
    pub mapping: Option<u32>,
    /// Address in the process; 0 if unknown.
    pub address: u64,
    /// What the compiler put there, the innermost inlined function first; empty if unknown.
    pub lines: Vec<Line>,
}

/// A line of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Index into [`Profile::functions`].
    pub function: u32,
    /// Line in the function's file; 0 if unknown.
    pub line: i64,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name for people.
    pub name: Text,
    /// Its name for linkers.
    pub system_name: Text,
    /// The file of its source; may be empty.
    pub file: Text,
    /// Where it begins there; 0 if unknown.
    pub start_line: i64,
}

/// A file that was mapped into the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub limit: u64,
    /// Where in the file the first address lies.
    pub offset: u64,
    /// The file.
    pub file: Text,
    /// The build id of the file, in hexadecimal digits; may be empty.
    pub build_id: Text,
    /// Whether functions are named. Readers that find it unset may replace the names.
    pub has_functions: bool,
    /// Whether files are named.
    pub has_filenames: bool,
    /// Whether lines are known.
    pub has_line_numbers: bool,
    /// Whether inlined functions are told apart.
    pub has_inline_frames: bool,
}
