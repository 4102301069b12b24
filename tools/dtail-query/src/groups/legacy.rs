//! Partial results as DTail's servers send them: `KEY∥SAMPLES∥title≔value∥…`. Values with these
//! delimiters in them cannot be told apart there, which is DTail's way.

use memchr::memmem;

use super::{BadPartialResult, GroupKey, Groups};
use crate::{
    cell::{Cell, Text},
    number,
    query::Aggregation,
    query::Query,
    sum::ExactSum,
};

const END: &[u8] = "∥".as_bytes();
const IS: &[u8] = "≔".as_bytes();

/// DTail's limit of a line, and so of a value.
const LONGEST_VALUE: u64 = 1 << 20;

impl Groups {
    /// The data of DTail's AGGREGATE messages, one call for each group:
    /// `KEY∥SAMPLES∥title≔value∥…`. They are increments: the caller goes on with empty groups. Of a
    /// query that is [beyond DTail](Query::beyond_dtail) nothing is written.
    pub fn write_legacy(&self, query: &Query, emit: &mut dyn FnMut(&[u8])) {
        if query.beyond_dtail().is_some() {
            return;
        }
        let mut data = Vec::new();
        for group in 0..self.len() {
            data.clear();
            self.write_legacy_group(query, group, &mut data);
            emit(&data);
        }
    }

    fn write_legacy_group(&self, query: &Query, group: usize, data: &mut Vec<u8>) {
        let samples = self.samples.get(group).to_string();
        put(data, &[self.key_text(group), END, samples.as_bytes(), END]);
        let cells = (0..self.columns.len()).map(|column| self.cell(group, column));
        let columns: Vec<_> = query.selections.iter().zip(cells).collect();
        for (column, cell) in &columns {
            if let Some(number) = legacy_number(cell) {
                put(data, &[column.title.as_bytes(), IS, number.as_bytes(), END]);
            }
        }
        // A length is said as a number and by the value itself, of which DTail's client takes the
        // length again. The value is not known any more, but anything as long will do.
        for (column, cell) in &columns {
            match &**cell {
                Cell::Last(Some(last), _) => put(data, &[column.title.as_bytes(), IS, last, END]),
                Cell::Len(Some(length), _) => {
                    put(data, &[column.title.as_bytes(), IS]);
                    let length = usize::try_from((*length).min(LONGEST_VALUE)).unwrap_or(0);
                    data.resize(data.len() + length, b'x');
                    data.extend_from_slice(END);
                }
                _ => {}
            }
        }
    }

    /// Adds one group from the data of DTail's AGGREGATE message.
    pub fn read_legacy(&mut self, data: &[u8], query: &Query) -> Result<(), BadPartialResult> {
        if query.beyond_dtail().is_some() {
            return Err(BadPartialResult { reason: "it is of a query that DTail does not know" });
        }
        if self.kinds.is_empty() {
            *self = Groups { arrivals: self.arrivals, ..Groups::of_query(query, self.strict) };
        }
        self.arrivals += 1;
        let arrival = self.arrivals;
        // DTail's clients drop them, too.
        let data: Vec<u8> = data.iter().copied().filter(|byte| *byte != b'\n').collect();
        let mut parts = split(&data, END);
        let key = parts.next().unwrap_or_default();
        let samples = parts.next().and_then(|part| str::from_utf8(part).ok()?.parse().ok());
        let samples = samples.ok_or(BadPartialResult { reason: "it has no number of samples" })?;
        // Of several values with one title, the last.
        let mut values: Vec<Option<&[u8]>> = vec![None; query.selections.len()];
        for part in parts.filter(|part| !part.is_empty()) {
            let is = memmem::find(part, IS);
            let is = is.ok_or(BadPartialResult { reason: "it has a value without a name" })?;
            for (column, value) in query.selections.iter().zip(&mut values) {
                if column.title.as_bytes() == &part[..is] {
                    *value = Some(&part[is + IS.len()..]);
                }
            }
        }
        let cells: Result<Vec<Cell>, BadPartialResult> = self
            .kinds
            .iter()
            .zip(values)
            .map(|(column, value)| {
                value.map_or(Ok(Cell::new(*column)), |it| read(*column, it, samples, arrival))
            })
            .collect();
        let mut group_key = self.legacy_key(key, query);
        let bounds = group_key.finish(self.strict);
        self.merge_group(&group_key.bytes, bounds, samples, cells?.into_iter());
        Ok(())
    }

    /// The key as our own groups have it, as far as DTail's can be taken apart.
    fn legacy_key(&self, text: &[u8], query: &Query) -> GroupKey {
        let mut key = GroupKey::default();
        key.clear();
        let fields = query.group_keys(self.strict).len();
        let commas = text.iter().filter(|byte| **byte == b',').count();
        if fields == 0 {
            // One group of all lines, which DTail knows only as groups of its first column.
        } else if commas + 1 == fields {
            text.split(|byte| *byte == b',').for_each(|value| key.push(value));
        } else {
            key.push(text);
        }
        key
    }
}

fn put(data: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| data.extend_from_slice(part));
}

/// What of a cell is a number in DTail, in the shortest decimal form.
fn legacy_number(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Count(count) => Some(count.to_string()),
        Cell::Sum(sum) | Cell::Avg { sum, .. } => Some(sum.value().to_string()),
        Cell::Min(extreme) | Cell::Max(extreme) => extreme.map(|extreme| extreme.to_string()),
        Cell::Len(length, _) => length.map(|length| length.to_string()),
        _ => None,
    }
}

fn read(
    column: Aggregation,
    value: &[u8],
    samples: u64,
    arrival: u64,
) -> Result<Cell, BadPartialResult> {
    let number = || number::parse(value).ok_or(BadPartialResult { reason: "a value is no number" });
    Ok(match column {
        Aggregation::Count => {
            let integer = str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            // A cast stops at the ends of the range.
            Cell::Count(match integer {
                Some(integer) => integer,
                None => number()? as u64,
            })
        }
        Aggregation::Sum | Aggregation::Percentage | Aggregation::Percentile => {
            Cell::Sum(ExactSum::of(number()?))
        }
        // DTail divides by all lines of a group.
        Aggregation::Avg => Cell::Avg { sum: ExactSum::of(number()?), terms: samples },
        Aggregation::Min => Cell::Min(Some(number()?)),
        Aggregation::Max => Cell::Max(Some(number()?)),
        Aggregation::Last => Cell::Last(Some(Text::new(value)), arrival),
        Aggregation::Len => Cell::Len(Some(value.len() as u64), arrival),
        // Refused before anything is read.
        other => Cell::new(other),
    })
}

/// As `slice::split`, by more than one byte.
fn split<'a>(bytes: &'a [u8], delimiter: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let part = rest?;
        match memmem::find(part, delimiter) {
            None => rest.take(),
            Some(end) => {
                rest = Some(&part[end + delimiter.len()..]);
                Some(&part[..end])
            }
        }
    })
}

#[cfg(test)]
mod tests;
