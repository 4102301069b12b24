//! The engine: lines in, increments of groups out.
//!
//! Owns what happens to one line from reading its fields to its group; allocates nothing per line
//! once its buffers have grown and the groups are known.

#[cfg(test)]
mod language_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use memchr::memmem::Finder;

use crate::{
    batch::Batch,
    complaints::Complaints,
    evaluate::{Evaluation, Work},
    fields::{Fields, Slot, Span},
    filter,
    format::{LogFormat, Marks, Outcome},
    groups::{GroupKey, Groups},
    number,
    plan::{Input, Number, Plan},
    prefilter,
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

/// Block numbers beyond this are the same to `first` and `last`.
const LAST_BLOCK: u64 = (1 << 40) - 1;
/// Bits for what was taken of one block so far.
const PART_BITS: u32 = 24;

/// Aggregates lines by one query.
#[derive(Debug)]
pub struct Aggregator {
    plan: Plan,
    format: LogFormat,
    strict: bool,
    query: Arc<Query>,
    /// What is in every line of the query's table.
    table: Option<Finder<'static>>,
    groups: Groups,
    complaints: Complaints,
    fields: Fields,
    batch: Batch,
    key: GroupKey,
    work: Work,
    /// When the lines were written, as far as it is known: the number of their block, and how
    /// often groups were taken since it began.
    moment: u64,
}

impl Aggregator {
    /// Plans the query for one log format. `strict` reproduces DTail's numbers exactly: averages
    /// over all lines of a group, extremes that a part without values pulls to 0, rounded sums,
    /// grouping by the first column, CSV without quotes.
    #[expect(clippy::needless_pass_by_value, reason = "an aggregator outlives what it is made of")]
    pub fn new(query: Arc<Query>, format: LogFormat, host: HostFacts, strict: bool) -> Aggregator {
        let (plan, fields) = Plan::new(&query, &format, &host, strict);
        Aggregator {
            format,
            strict,
            table: line_filter(&query).map(|it| Finder::new(&it).into_owned()),
            groups: Groups::of_query(&query, strict),
            complaints: Complaints::new(fields.count()),
            batch: Batch::default(),
            key: GroupKey::default(),
            work: Work::default(),
            moment: 0,
            plan,
            fields,
            query,
        }
    }

    /// Another aggregator of the same query that has seen nothing, for another thread.
    pub fn clone_empty(&self) -> Aggregator {
        Aggregator {
            plan: self.plan.clone(),
            format: self.format.clone(),
            strict: self.strict,
            query: Arc::clone(&self.query),
            table: self.table.clone(),
            groups: self.groups.another(),
            complaints: Complaints::new(self.fields.count()),
            fields: self.fields.clone(),
            batch: Batch::default(),
            key: GroupKey::default(),
            work: Work::default(),
            moment: 0,
        }
    }

    /// The lines that follow come after those of every block with a lower number, whoever
    /// aggregates them; `first`, `last` and `len` go by it.
    pub fn begin_block(&mut self, sequence: u64) {
        self.moment = sequence.min(LAST_BLOCK) << PART_BITS;
        self.complaints.begin_block(sequence);
    }

    /// A new source begins: the next line of a CSV source is its header.
    pub fn start_source(&mut self) {
        self.plan.reader.start_source();
    }

    /// A new source begins, of which the header was read elsewhere. Formats without one pay no
    /// attention. `false`: it is none, the next line must be tried.
    pub fn start_source_with(&mut self, header: &[u8]) -> bool {
        self.plan.reader.start_source();
        if self.format.has_header() {
            self.plan.reader.next(&mut Marks::of(header), &mut self.fields);
        }
        self.knows_columns()
    }

    /// Whether lines can be read: the header of their source was, if it needs one.
    pub fn knows_columns(&self) -> bool {
        self.plan.reader.knows_columns()
    }

    /// Bytes that the groups hold, roughly.
    pub fn memory(&self) -> usize {
        self.groups.memory()
    }

    /// Takes in one line, without its newline, whatever table it is of.
    pub fn line(&mut self, line: &[u8]) {
        let (line, outcome) = self.plan.reader.next(&mut Marks::of(line), &mut self.fields);
        self.take_in(line, outcome);
        self.batch.add_up(&self.plan, &mut self.groups);
    }

    /// Takes in a block of whole lines, but for those of other tables. Returns how many it took.
    pub fn lines(&mut self, block: &[u8]) -> u64 {
        let mut marks = Marks::of(block);
        let mut taken = 0;
        while !marks.is_at_end() {
            let (line, outcome) = self.plan.reader.next(&mut marks, &mut self.fields);
            if self.is_of_table(line) {
                taken += 1;
                self.take_in(line, outcome);
                if self.batch.is_full() {
                    self.batch.add_up(&self.plan, &mut self.groups);
                }
            }
        }
        self.batch.add_up(&self.plan, &mut self.groups);
        taken
    }

    /// Whether the line that was read is of the query's table.
    #[inline]
    fn is_of_table(&self, line: &[u8]) -> bool {
        self.table.as_ref().is_none_or(|table| {
            line.get(self.plan.reader.table()..).is_some_and(|it| it.starts_with(table.needle()))
                || table.find(line).is_some()
        })
    }

    #[inline]
    fn take_in(&mut self, line: &[u8], outcome: Outcome) {
        match outcome {
            Outcome::Record => self.record(line),
            Outcome::Nothing => {}
            // DTail skips such lines without a word.
            Outcome::Misfit(_) if self.strict => {}
            Outcome::Misfit(misfit) => self.complaints.note_misfit(misfit, line),
        }
    }

    /// Takes in the line whose fields were read.
    #[inline]
    fn record(&mut self, line: &[u8]) {
        let Aggregator { plan, fields, complaints, work, batch, .. } = self;
        let mut at = Evaluation { fields, line, complaints, work };
        if !plan.conditions.iter().all(|it| filter::truth(it, &mut at) == Some(true)) {
            return;
        }
        for assignment in &plan.assignments {
            assignment.assign(&mut at);
        }
        for (slot, expression) in &plan.texts {
            let span = at.text(expression).unwrap_or(Span::Absent);
            at.fields.put(*slot, span);
        }
        for number in &plan.numbers {
            batch.push(match number {
                Number::Field(slot) => number_in(*slot, &mut at),
                Number::Computed(expression) => at.number(expression),
            });
        }
        if plan.has_every_line || self.has_a_sample() {
            self.add_sample(line);
        } else {
            self.batch.forget_line(self.plan.numbers.len());
        }
    }

    /// Whether the line has something for at least one column; else it makes no group.
    fn has_a_sample(&self) -> bool {
        let numbers = self.batch.last_line(self.plan.numbers.len());
        self.plan.columns.iter().any(|input| match *input {
            Input::EveryLine => true,
            Input::Value(slot) | Input::Key(slot) => self.fields.is_present(slot),
            Input::Number(index) => numbers[index].is_some(),
            Input::Rate { amount, time } => {
                numbers[time].is_some() && amount.is_none_or(|amount| numbers[amount].is_some())
            }
        })
    }

    /// Finds the group of the line and adds its texts; its numbers are added up later.
    #[inline]
    fn add_sample(&mut self, line: &[u8]) {
        let Aggregator { plan, fields, groups, key, .. } = self;
        let group = match plan.group[..] {
            // A lone value is the key, there is no need to copy it.
            [slot] => groups.group_of(fields.get(slot, line).unwrap_or_default()),
            _ => {
                key.clear();
                for &slot in &plan.group {
                    key.push(fields.get(slot, line).unwrap_or_default());
                }
                groups.group(key)
            }
        };
        self.batch.end_line(group);
        for &(column, slot) in &plan.keys {
            if fields.is_present(slot) && !groups.touch_key(group, column, self.moment) {
                let value = fields.get(slot, line).unwrap_or_default();
                groups.add_value(group, column, value, self.moment);
            }
        }
        for &(column, slot) in &plan.values {
            if let Some(value) = fields.get(slot, line) {
                groups.add_value(group, column, value, self.moment);
            }
        }
    }

    /// What was aggregated since the last call.
    pub fn take(&mut self) -> Groups {
        // What comes now is later than what was taken, also within one block.
        let parts = (1 << PART_BITS) - 1;
        self.moment += u64::from(self.moment & parts < parts);
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
    pub fn line_filter(&self) -> Option<&[u8]> {
        self.table.as_ref().map(Finder::needle)
    }

    /// Of each of these sets, every line that counts has at least one of the literals in it, as
    /// bytes. No sets: nothing is known. What has them need not count.
    pub fn required_literals(&self) -> Vec<Vec<Vec<u8>>> {
        prefilter::required_literals(&self.query, &self.format)
    }
}

#[inline]
fn number_in(slot: Slot, at: &mut Evaluation<'_>) -> Option<f64> {
    let value = at.fields.get(slot, at.line)?;
    let number = number::parse(value);
    if number.is_none() {
        at.complaints.note_no_number(slot, value);
    }
    number
}

fn line_filter(query: &Query) -> Option<Box<[u8]>> {
    match query.table()? {
        "" | "." => None,
        // In DTail this matches no line; it can only have been meant to match any table.
        "*" => Some(b"|MAPREDUCE:".as_slice().into()),
        name => Some(format!("|MAPREDUCE:{name}|").into_bytes().into()),
    }
}
