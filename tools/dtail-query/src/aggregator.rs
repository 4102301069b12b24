//! The engine: lines in, increments of groups out.
//!
//! Owns what happens to one line from reading its fields to its group; allocates nothing per line
//! once its buffers have grown and the groups are known.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::{
    complaints::Complaints,
    fields::Fields,
    filter,
    format::{LogFormat, Outcome},
    groups::{GroupKey, Groups},
    number,
    plan::{Input, Plan},
    query::Query,
};

/// What a query may ask about the machine that parses the lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// The full host name.
    pub hostname: String,
    /// Abbreviation of the time zone.
    pub timezone: String,
    /// Seconds east of UTC.
    pub timeoffset: i32,
}

/// Aggregates lines by one query.
#[derive(Debug)]
pub struct Aggregator {
    query: Arc<Query>,
    host: HostFacts,
    plan: Plan,
    format: LogFormat,
    strict: bool,
    line_filter: Option<Box<[u8]>>,
    groups: Groups,
    complaints: Complaints,
    fields: Fields,
    /// Of the current line, as in [`Plan::numbers`].
    numbers: Vec<Option<f64>>,
    key: GroupKey,
}

impl Aggregator {
    /// Plans the query for one log format. `strict` reproduces DTail's numbers exactly: averages
    /// over all lines of a group, extremes that a part without values pulls to 0, rounded sums,
    /// grouping by the first column, CSV without quotes.
    pub fn new(query: Arc<Query>, format: LogFormat, host: HostFacts, strict: bool) -> Aggregator {
        let (plan, fields) = Plan::new(&query, &format, &host, strict);
        let columns = plan.columns.iter().map(|column| column.aggregation).collect();
        Aggregator {
            format,
            strict,
            line_filter: line_filter(&query),
            groups: Groups::with_columns(columns, strict),
            complaints: Complaints::new(fields.count()),
            numbers: Vec::with_capacity(plan.numbers.len()),
            key: GroupKey::default(),
            plan,
            fields,
            query,
            host,
        }
    }

    /// A new source begins: the next line of a CSV source is its header.
    pub fn start_source(&mut self) {
        self.plan.reader.start_source();
    }

    /// A new source begins, of which the header was read elsewhere. Formats without one pay no
    /// attention.
    pub fn start_source_with(&mut self, header: &[u8]) {
        self.plan.reader.start_source();
        if self.format.has_header() {
            self.plan.reader.read(header, &mut self.fields);
        }
    }

    /// The lines that follow come after those of every lower sequence number.
    pub fn begin_block(&mut self, sequence: u64) {
        self.complaints.begin_block(sequence);
    }

    /// The same plan with nothing in it yet, for another thread.
    pub fn clone_empty(&self) -> Aggregator {
        let (query, host) = (Arc::clone(&self.query), self.host.clone());
        Aggregator::new(query, self.format.clone(), host, self.strict)
    }

    /// Bytes that the groups hold, roughly.
    pub fn memory(&self) -> usize {
        self.groups.memory()
    }

    /// Every record that counts contains, for each entry, one of its literals.
    pub fn required_literals(&self) -> Vec<Vec<Vec<u8>>> {
        Vec::new()
    }

    /// Takes in one line, without its newline, that [`Aggregator::line_filter`] lets through.
    pub fn line(&mut self, line: &[u8]) {
        match self.plan.reader.read(line, &mut self.fields) {
            Outcome::Record => {}
            Outcome::Nothing => return,
            // DTail skips such lines without a word.
            Outcome::Misfit(_) if self.strict => return,
            Outcome::Misfit(misfit) => return self.complaints.note_misfit(misfit, line),
        }
        let Aggregator { fields, complaints, .. } = self;
        if !self.plan.conditions.iter().all(|it| filter::holds(it, fields, line, complaints)) {
            return;
        }
        for assignment in &self.plan.assignments {
            assignment.assign(fields, line);
        }
        self.read_numbers(line);
        if self.has_a_sample() {
            self.add_sample(line);
        }
    }

    fn read_numbers(&mut self, line: &[u8]) {
        self.numbers.clear();
        for &slot in &self.plan.numbers {
            let value = self.fields.get(slot, line);
            let number = value.and_then(number::parse);
            if let (Some(value), None) = (value, number) {
                self.complaints.note_no_number(slot, value);
            }
            self.numbers.push(number);
        }
    }

    /// Whether the line has something for at least one column; else it makes no group.
    fn has_a_sample(&self) -> bool {
        self.plan.columns.iter().any(|column| match column.input {
            Input::Value(slot) => self.fields.is_present(slot),
            Input::Number(index) => self.numbers[index].is_some(),
        })
    }

    fn add_sample(&mut self, line: &[u8]) {
        self.key.clear();
        for &slot in &self.plan.group {
            self.key.push(self.fields.get(slot, line).unwrap_or_default());
        }
        let (cells, heap) = self.groups.add_sample(&mut self.key);
        for (cell, column) in cells.iter_mut().zip(&self.plan.columns) {
            match column.input {
                Input::Value(slot) => {
                    if let Some(value) = self.fields.get(slot, line) {
                        *heap += cell.add_value(value);
                    }
                }
                Input::Number(index) => {
                    if let Some(number) = self.numbers[index] {
                        *heap += cell.add_number(number, self.strict);
                    }
                }
            }
        }
    }

    /// What was aggregated since the last call.
    pub fn take(&mut self) -> Groups {
        self.groups.take()
    }

    /// Takes over what another thread's aggregator of the same query would complain about.
    pub fn absorb_complaints(&mut self, other: &mut Aggregator) {
        self.complaints.absorb(&mut other.complaints);
    }

    /// What could not be used since the last call, counted: one line each, a bounded number.
    pub fn take_warnings(&mut self) -> Vec<String> {
        self.complaints.take(&self.fields, &self.format)
    }

    /// The literal bytes a line must contain to belong to the query's table. `None`: every line.
    /// [`Aggregator::line`] does not check it again.
    pub fn line_filter(&self) -> Option<&[u8]> {
        self.line_filter.as_deref()
    }
}

fn line_filter(query: &Query) -> Option<Box<[u8]>> {
    match query.table()? {
        "" | "." => None,
        // In DTail this matches no line; it can only have been meant to match any table.
        "*" => Some(b"|MAPREDUCE:".as_slice().into()),
        name => Some(format!("|MAPREDUCE:{name}|").into_bytes().into()),
    }
}
