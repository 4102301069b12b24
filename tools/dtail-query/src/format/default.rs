//! DTail's own log lines:
//! `INFO|TIME|PID|CALLER|CPUS|GOROUTINES|CGOCALLS|LOADAVG|UPTIME|MAPREDUCE:TABLE|key=value|…`.

use memchr::memchr;

use super::key_value::{BARS, Keys};
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
    /// Where the name of its table is in the line that was read, if it fits the format.
    table: usize,
}

impl DefaultReader {
    pub(super) fn new(strict: bool, fields: &Fields) -> DefaultReader {
        let whole_fields = WHOLE_FIELDS
            .iter()
            .filter_map(|(name, index)| Some((fields.slot(name.as_bytes())?, *index)))
            .collect();
        let parts_of_time = PARTS_OF_TIME
            .iter()
            .filter_map(|(name, from, to)| Some((fields.slot(name.as_bytes())?, *from, *to)))
            .collect();
        DefaultReader { whole_fields, parts_of_time, keys: Keys::new(strict), table: 0 }
    }

    /// Reads a line up to its newline, which is at the place that is returned.
    #[inline]
    pub(super) fn read(&mut self, marks: &mut Marks<'_>, fields: &mut Fields) -> (usize, Outcome) {
        let line = marks.rest();
        if !line.starts_with(b"INFO") {
            return (marks.newline(BARS), Outcome::Misfit(Misfit::NotInfo));
        }
        let mut ends = [0; FIXED_FIELDS];
        let mut quick = marks.clone();
        for end in &mut ends {
            match quick.next(BARS) {
                (newline, b'\n') => {
                    *marks = quick;
                    return (newline, Outcome::Misfit(Misfit::FewFields));
                }
                (bar, _) => *end = bar,
            }
        }
        *marks = quick;
        self.table = ends[MAPREDUCE - 1];
        if !line[self.table + 1..].starts_with(b"MAPREDUCE:") {
            return (marks.newline(BARS), Outcome::Misfit(Misfit::NotMapreduce));
        }
        self.put_fixed(&ends, fields);
        let (newline, all_have_keys) = self.keys.read(marks, ends[FIXED_FIELDS - 1] + 1, fields);
        let misfit = Outcome::Misfit(Misfit::NoEquals);
        (newline, if all_have_keys { Outcome::Record } else { misfit })
    }

    #[inline]
    fn put_fixed(&self, ends: &[usize; FIXED_FIELDS], fields: &mut Fields) {
        let bounds = |index: usize| {
            let start = if index == 0 { 0 } else { ends[index - 1] + 1 };
            (start, ends[index])
        };
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
    }

    /// Where `|MAPREDUCE:TABLE|` is in the line that was read, if it fits the format.
    #[inline]
    pub(super) fn table(&self) -> usize {
        self.table
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
