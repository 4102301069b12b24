//! Log formats of the user's own: a regular expression whose named groups are the fields. Never
//! reads the configuration they come from.

use std::fmt;
use std::sync::Arc;

use regex::bytes::{CaptureLocations, Regex, RegexBuilder};

use super::{LogFormat, Misfit, Outcome};
use crate::fields::{Fields, Slot, Span};
use crate::sample;

/// Most bytes that a compiled expression, and what it keeps while it searches, may take.
const SIZE_LIMIT: usize = 4 << 20;

/// The formats that the configuration names. They are compiled when they are chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFormats {
    /// Name, expression.
    formats: Arc<[(String, String)]>,
}

/// A format of the user's own.
#[derive(Debug, Clone)]
pub struct UserFormat {
    name: String,
    expression: Regex,
}

/// A format of the configuration that cannot be used. One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFormat {
    pub(super) name: String,
    reason: String,
}

impl fmt::Display for BadFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log format {}: {}", sample::quoted(&self.name), self.reason)
    }
}

impl std::error::Error for BadFormat {}

impl PartialEq for UserFormat {
    fn eq(&self, other: &UserFormat) -> bool {
        self.name == other.name && self.expression.as_str() == other.expression.as_str()
    }
}

impl Eq for UserFormat {}

impl UserFormats {
    /// Formats as pairs of name and expression.
    pub fn new(formats: impl IntoIterator<Item = (String, String)>) -> UserFormats {
        UserFormats { formats: formats.into_iter().collect() }
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.formats.iter().map(|(name, _)| name.as_str())
    }

    /// Compiles all of them, to find out early that one is bad.
    pub fn check(&self) -> Result<(), BadFormat> {
        self.formats.iter().try_for_each(|(name, text)| UserFormat::new(name, text).map(|_| ()))
    }

    pub(super) fn find(&self, name: &str) -> Option<Result<UserFormat, BadFormat>> {
        let (name, text) = self.formats.iter().find(|(known, _)| known == name)?;
        Some(UserFormat::new(name, text))
    }
}

impl UserFormat {
    fn new(name: &str, text: &str) -> Result<UserFormat, BadFormat> {
        let bad = |reason: String| BadFormat { name: name.to_owned(), reason };
        if LogFormat::is_built_in(name) {
            return Err(bad("the name is that of a format of dtail: choose another".to_owned()));
        }
        let expression = RegexBuilder::new(text)
            .size_limit(SIZE_LIMIT)
            .dfa_size_limit(SIZE_LIMIT)
            .build()
            .map_err(|err| bad(format!("bad regular expression: {}", last_line(&err))))?;
        if expression.capture_names().flatten().next().is_none() {
            let reason = "its expression names no field: write groups such as (?P<host>\\S+)";
            return Err(bad(reason.to_owned()));
        }
        Ok(UserFormat { name: name.to_owned(), expression })
    }

    /// As configured.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The fields that lines have.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.expression.capture_names().flatten()
    }

    /// Every field of a line with its value.
    pub(super) fn each_field(&self, line: &[u8], each: &mut dyn FnMut(&[u8], &[u8])) {
        let Some(captures) = self.expression.captures(line) else { return };
        for name in self.fields() {
            if let Some(found) = captures.name(name) {
                each(name.as_bytes(), found.as_bytes());
            }
        }
    }
}

/// The regex crate draws a picture of several lines; its last one says what is wrong.
fn last_line(err: &regex::Error) -> String {
    let text = err.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Reader of lines.
#[derive(Debug, Clone)]
pub(super) struct UserReader {
    expression: Regex,
    locations: CaptureLocations,
    /// Index of a group, and where what it captures goes.
    groups: Vec<(usize, Slot)>,
}

impl UserReader {
    pub(super) fn new(format: &UserFormat, fields: &Fields) -> UserReader {
        // A clone has search buffers of its own, for which threads need not wait.
        let expression = format.expression.clone();
        let mut groups = Vec::new();
        for (index, name) in expression.capture_names().enumerate() {
            let Some(name) = name else { continue };
            groups.extend(fields.slot(name.as_bytes()).map(|slot| (index, slot)));
            if name == "time" {
                groups.extend(fields.slot(b"$time").map(|slot| (index, slot)));
            }
        }
        UserReader { locations: expression.capture_locations(), expression, groups }
    }

    pub(super) fn read(&mut self, line: &[u8], fields: &mut Fields) -> Outcome {
        if line.is_empty() {
            return Outcome::Nothing;
        }
        if self.groups.is_empty() {
            return match self.expression.is_match(line) {
                true => Outcome::Record,
                false => Outcome::Misfit(Misfit::NoMatch),
            };
        }
        if self.expression.captures_read(&mut self.locations, line).is_none() {
            return Outcome::Misfit(Misfit::NoMatch);
        }
        for &(index, slot) in &self.groups {
            if let Some((start, end)) = self.locations.get(index) {
                fields.put(slot, Span::Line(start, end));
            }
        }
        Outcome::Record
    }
}
