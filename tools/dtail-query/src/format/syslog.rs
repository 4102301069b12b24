//! Syslog lines of RFC 5424 and RFC 3164, told apart line by line, as sent (with `<PRIORITY>`) and
//! as written to files (often without, and often with a time as RFC 3339 has it).
//! What is `-` is absent. Facility and severity are their numbers.

use memchr::memchr;

use super::{Misfit, Named, Outcome};
use crate::fields::{Fields, Span};

pub(super) const NAMES: [&str; 12] = [
    "priority",
    "version",
    "time",
    "host",
    "app",
    "pid",
    "msgid",
    "structured_data",
    "message",
    "$time",
    "facility",
    "severity",
];
const PRIORITY: usize = 0;
const VERSION: usize = 1;
const TIME: usize = 2;
const HOST: usize = 3;
const APP: usize = 4;
const PID: usize = 5;
const STRUCTURED_DATA: usize = 7;
const MESSAGE: usize = 8;
const TIME_VARIABLE: usize = 9;
const FACILITY: usize = 10;
const SEVERITY: usize = 11;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Where the fields of [`NAMES`] are.
pub(super) type Places = [Option<(usize, usize)>; NAMES.len()];

/// Reader of lines.
#[derive(Debug, Clone)]
pub(super) struct SyslogReader {
    named: Named,
}

impl SyslogReader {
    pub(super) fn new(fields: &Fields) -> SyslogReader {
        SyslogReader { named: Named::new(&NAMES, fields) }
    }

    pub(super) fn read(&self, line: &[u8], fields: &mut Fields) -> Outcome {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Outcome::Nothing;
        }
        let Some((places, priority)) = places(line) else {
            return Outcome::Misfit(Misfit::NotSyslog);
        };
        for &(slot, index) in &self.named.slots {
            if let (Some(priority), FACILITY | SEVERITY) = (priority, index) {
                let (facility, severity) = parts(priority);
                let start = fields.computed_length();
                fields.compute(if index == FACILITY { facility } else { severity }.as_bytes());
                let span = fields.computed_since(start);
                fields.put(slot, span);
            } else if let Some((start, end)) = places[index]
                && line[start..end] != *b"-"
            {
                fields.put(slot, Span::Line(start, end));
            }
        }
        Outcome::Record
    }
}

/// Facility and severity of a priority.
pub(super) fn parts(priority: u8) -> (&'static str, &'static str) {
    const NUMBERS: [&str; 32] = [
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
        "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
    ];
    (NUMBERS[usize::from(priority / 8)], NUMBERS[usize::from(priority % 8)])
}

/// Finds the fields of a line, and its priority.
pub(super) fn places(line: &[u8]) -> Option<(Places, Option<u8>)> {
    let mut places = [None; NAMES.len()];
    let (at, priority) = match line.first()? {
        b'<' => {
            let end = memchr(b'>', &line[..line.len().min(5)])?;
            let priority: u8 = str::from_utf8(&line[1..end]).ok()?.parse().ok()?;
            places[PRIORITY] = Some((1, end));
            (end + 1, Some(priority))
        }
        _ => (0, None),
    };
    let rest = &line[at..];
    if let [b'1'..=b'9', b' ', ..] = rest {
        new_style(line, at, &mut places)?;
    } else {
        old_style(line, at, &mut places)?;
    }
    places[TIME_VARIABLE] = places[TIME];
    Some((places, priority))
}

/// RFC 5424 from its version on.
fn new_style(line: &[u8], version: usize, places: &mut Places) -> Option<()> {
    places[VERSION] = Some((version, version + 1));
    let mut at = version + 2;
    for place in &mut places[TIME..STRUCTURED_DATA] {
        let end = at + memchr(b' ', line.get(at..)?)?;
        if end == at {
            return None;
        }
        *place = Some((at, end));
        at = end + 1;
    }
    let end = structured_data_end(line, at)?;
    places[STRUCTURED_DATA] = Some((at, end));
    match line.get(end) {
        None => {}
        Some(b' ') => {
            let start = end + 1;
            let mark = if line[start..].starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
            places[MESSAGE] = Some((start + mark, line.len()));
        }
        Some(_) => return None,
    }
    Some(())
}

/// The end of `-` or `[id name="value"]…`.
fn structured_data_end(line: &[u8], start: usize) -> Option<usize> {
    if line.get(start)? == &b'-' {
        return Some(start + 1);
    }
    let mut at = start;
    while line.get(at) == Some(&b'[') {
        let mut is_quoted = false;
        loop {
            at += 1;
            match line.get(at)? {
                b'\\' if is_quoted => at += 1,
                b'"' => is_quoted = !is_quoted,
                b']' if !is_quoted => break,
                _ => {}
            }
        }
        at += 1;
    }
    (at > start).then_some(at)
}

/// RFC 3164 and what is written to files, from the time on.
fn old_style(line: &[u8], start: usize, places: &mut Places) -> Option<()> {
    let end = start + time_length(&line[start..])?;
    places[TIME] = Some((start, end));
    let host = end + 1;
    let host_end = host + memchr(b' ', line.get(host..)?)?;
    places[HOST] = Some((host, host_end));
    let tag = host_end + 1;
    let text = line.get(tag..)?;
    let is_tag = |byte: &u8| !matches!(byte, b' ' | b':' | b'[');
    let app = text.iter().position(|byte| !is_tag(byte)).unwrap_or(text.len());
    let (tag_end, pid) = match text.get(app) {
        Some(b'[') => match memchr(b']', &text[app..]) {
            Some(length) => (app + length + 1, Some((app + 1, app + length))),
            None => (app, None),
        },
        _ => (app, None),
    };
    if app == 0 || text.get(tag_end) != Some(&b':') {
        // No tag: all of it is the message.
        places[MESSAGE] = Some((tag, line.len()));
        return Some(());
    }
    places[APP] = Some((tag, tag + app));
    places[PID] = pid.map(|(from, to)| (tag + from, tag + to));
    let message = tag + tag_end + 1;
    let blank = usize::from(line.get(message) == Some(&b' '));
    places[MESSAGE] = Some((message + blank, line.len()));
    Some(())
}

/// The length of `Jan _2 15:04:05` or of a time as RFC 3339 has it.
fn time_length(text: &[u8]) -> Option<usize> {
    const OLD: usize = 15;
    if let Some(month) = text.first_chunk::<3>()
        && MONTHS.contains(&month)
    {
        let is_time = text.get(3) == Some(&b' ')
            && text.get(6) == Some(&b' ')
            && text.get(9) == Some(&b':')
            && text.get(12) == Some(&b':')
            && text.get(OLD) == Some(&b' ');
        return is_time.then_some(OLD);
    }
    let is_date = text.first_chunk::<11>().is_some_and(|date| {
        date[..4].iter().all(u8::is_ascii_digit) && date[4] == b'-' && date[7] == b'-'
    });
    if is_date { memchr(b' ', text) } else { None }
}
