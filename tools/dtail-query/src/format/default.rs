//! DTail's own log lines:
//! `INFO|TIME|PID|CALLER|CPUS|GOROUTINES|CGOCALLS|LOADAVG|UPTIME|MAPREDUCE:TABLE|key=value|…`.

use memchr::memchr;

use super::key_value::Keys;
use super::marks::Marks;
use super::{Misfit, Outcome};
use crate::fields::{Fields, Slot, Span};

/// Fields before the first `key=value`.
const FIXED_FIELDS: usize = 10;
const TIME: usize = 1;
const MAPREDUCE: usize = 9;

/// Variable, index of the field it is in.
const WHOLE_FIELDS: [(&str, usize); 10] = [
    ("$severity", 0),
    ("$loglevel", 0),
    ("$time", TIME),
    ("$pid", 2),
    ("$caller", 3),
    ("$cpus", 4),
    ("$goroutines", 5),
    ("$cgocalls", 6),
    ("$loadavg", 7),
    ("$uptime", 8),
];

/// Variable, first and last-but-one byte in a time such as `20211002-071143`.
const PARTS_OF_TIME: [(&str, usize, usize); 4] =
    [("$date", 0, 8), ("$hour", 9, 11), ("$minute", 11, 13), ("$second", 13, 15)];
const FULL_TIME_LENGTH: usize = 15;

pub(super) fn has_variable(variable: &str) -> bool {
    WHOLE_FIELDS.iter().any(|(name, _)| *name == variable)
        || PARTS_OF_TIME.iter().any(|(name, ..)| *name == variable)
}

/// Reader of the default format: which of its variables go to which slot.
#[derive(Debug, Clone)]
pub(super) struct DefaultReader {
    whole_fields: Vec<(Slot, usize)>,
    parts_of_time: Vec<(Slot, usize, usize)>,
    keys: Keys,
}

impl DefaultReader {
    pub(super) fn new(fields: &Fields) -> DefaultReader {
        let whole_fields = WHOLE_FIELDS
            .iter()
            .filter_map(|(name, index)| Some((fields.slot(name.as_bytes())?, *index)))
            .collect();
        let parts_of_time = PARTS_OF_TIME
            .iter()
            .filter_map(|(name, from, to)| Some((fields.slot(name.as_bytes())?, *from, *to)))
            .collect();
        DefaultReader { whole_fields, parts_of_time, keys: Keys::default() }
    }

    pub(super) fn read(&mut self, line: &[u8], fields: &mut Fields) -> Outcome {
        if !line.starts_with(b"INFO") {
            return Outcome::Misfit(Misfit::NotInfo);
        }
        let mut ends = [0; FIXED_FIELDS];
        let mut bars = Marks::of(b'|', line);
        for end in &mut ends {
            let Some(bar) = bars.next() else { return Outcome::Misfit(Misfit::FewFields) };
            *end = bar;
        }
        let bounds = |index: usize| {
            let start = if index == 0 { 0 } else { ends[index - 1] + 1 };
            (start, ends[index])
        };
        let (mapreduce, _) = bounds(MAPREDUCE);
        if !line[mapreduce..].starts_with(b"MAPREDUCE:") {
            return Outcome::Misfit(Misfit::NotMapreduce);
        }
        for &(slot, index) in &self.whole_fields {
            let (start, end) = bounds(index);
            fields.put(slot, Span::Line(start, end));
        }
        let (time, time_end) = bounds(TIME);
        if time_end - time == FULL_TIME_LENGTH {
            for &(slot, from, to) in &self.parts_of_time {
                fields.put(slot, Span::Line(time + from, time + to));
            }
        }
        let mut start = ends[FIXED_FIELDS - 1] + 1;
        for (place, end) in bars.chain([line.len()]).enumerate() {
            if !self.keys.put(place, line, start, end, fields) {
                return Outcome::Misfit(Misfit::NoEquals);
            }
            start = end + 1;
        }
        Outcome::Record
    }
}

/// Every field of a line with its value.
pub(super) fn each_field(line: &[u8], each: &mut dyn FnMut(&[u8], &[u8])) {
    let parts = || line.split(|&byte| byte == b'|');
    if !line.starts_with(b"INFO") || parts().count() <= FIXED_FIELDS {
        return;
    }
    for &(name, index) in &WHOLE_FIELDS {
        each(name.as_bytes(), parts().nth(index).unwrap_or_default());
    }
    for part in parts().skip(FIXED_FIELDS) {
        if let Some(equals) = memchr(b'=', part) {
            each(&part[..equals], &part[equals + 1..]);
        }
    }
}
