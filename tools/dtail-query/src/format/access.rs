//! Access logs of web servers, common and combined:
//! `HOST IDENTITY USER [TIME] "REQUEST" STATUS BYTES "REFERER" "USER AGENT"`.
//! What is `-` is absent. What follows is ignored.

use memchr::{memchr, memrchr};

use super::marks::first_of;
use super::{Misfit, Named, Outcome};
use crate::fields::{Fields, Span};

pub(super) const NAMES: [&str; 13] = [
    "remote_host",
    "identity",
    "user",
    "time",
    "request",
    "method",
    "path",
    "protocol",
    "status",
    "bytes",
    "referer",
    "user_agent",
    "$time",
];
const TIME: usize = 3;
const REQUEST: usize = 4;
const STATUS: usize = 8;
const REFERER: usize = 10;

/// Where the fields of [`NAMES`] are.
pub(super) type Places = [Option<(usize, usize)>; NAMES.len()];

/// Reader of lines; `combined` ones must have the last two fields.
#[derive(Debug, Clone)]
pub(super) struct AccessReader {
    named: Named,
    is_combined: bool,
}

impl AccessReader {
    pub(super) fn new(is_combined: bool, fields: &Fields) -> AccessReader {
        AccessReader { named: Named::new(&NAMES, fields), is_combined }
    }

    pub(super) fn read(&self, line: &[u8], fields: &mut Fields) -> Outcome {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Outcome::Nothing;
        }
        let Some(places) = places(line, self.is_combined) else {
            return Outcome::Misfit(Misfit::NotAccess);
        };
        if self.is_combined && places[REFERER].is_none() {
            return Outcome::Misfit(Misfit::NoReferer);
        }
        for &(slot, index) in &self.named.slots {
            if let Some((start, end)) = places[index]
                && line[start..end] != *b"-"
            {
                fields.put(slot, Span::Line(start, end));
            }
        }
        Outcome::Record
    }
}

/// Finds the fields of a line.
pub(super) fn places(line: &[u8], is_combined: bool) -> Option<Places> {
    let mut places = [None; NAMES.len()];
    let mut at = 0;
    for place in &mut places[..TIME] {
        let end = at + memchr(b' ', line.get(at..)?)?;
        *place = Some((at, end));
        at = end + 1;
    }
    let time_end = memchr(b']', line.get(at..)?)? + at;
    if line[at] != b'[' {
        return None;
    }
    places[TIME] = Some((at + 1, time_end));
    places[NAMES.len() - 1] = places[TIME];
    let (start, end) = quoted(line, time_end + 1)?;
    places[REQUEST] = Some((start, end));
    split_request(line, start, end, &mut places);
    at = blank(line, end + 1)?;
    for place in &mut places[STATUS..REFERER] {
        let end = memchr(b' ', line.get(at..)?).map_or(line.len(), |offset| at + offset);
        if end == at {
            return None;
        }
        *place = Some((at, end));
        at = (end + 1).min(line.len());
    }
    if is_combined && at > 0 {
        at -= 1;
        if let Some(referer) = quoted(line, at)
            && let Some(agent) = quoted(line, referer.1 + 1)
        {
            places[REFERER] = Some(referer);
            places[REFERER + 1] = Some(agent);
        }
    }
    Some(places)
}

/// A blank, then a quoted text; its bounds without the quotes.
fn quoted(line: &[u8], at: usize) -> Option<(usize, usize)> {
    let start = blank(line, at)?;
    if line.get(start) != Some(&b'"') {
        return None;
    }
    let mut end = first_of(b'"', b'\\', line, start + 1)?;
    while line[end] == b'\\' {
        end = first_of(b'"', b'\\', line, end + 2)?;
    }
    Some((start + 1, end))
}

fn blank(line: &[u8], at: usize) -> Option<usize> {
    (line.get(at) == Some(&b' ')).then_some(at + 1)
}

/// `METHOD PATH PROTOCOL`; anything else has none of them.
fn split_request(line: &[u8], start: usize, end: usize, places: &mut Places) {
    let request = &line[start..end];
    let (Some(first), Some(last)) = (memchr(b' ', request), memrchr(b' ', request)) else { return };
    if first < last {
        places[REQUEST + 1] = Some((start, start + first));
        places[REQUEST + 2] = Some((start + first + 1, start + last));
        places[REQUEST + 3] = Some((start + last + 1, end));
    }
}
