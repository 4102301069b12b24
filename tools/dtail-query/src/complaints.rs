//! What could not be used of the lines, counted: a bounded number of bounded messages.

use crate::{
    fields::{Fields, Slot},
    format::{LogFormat, Misfit},
    sample,
};

/// Something that happened, how often, and its first instance as shown to the user.
#[derive(Debug, Clone, Default)]
struct Tally {
    count: u64,
    first: String,
    /// The block of the first instance.
    block: u64,
}

#[derive(Debug)]
pub(crate) struct Complaints {
    /// By slot: values that should be numbers.
    no_numbers: Vec<Tally>,
    /// The same for values that were computed.
    no_computed_numbers: Tally,
    /// By [`Misfit`], in its order.
    misfits: [Tally; Misfit::ALL.len()],
    /// The block that is read.
    block: u64,
}

impl Tally {
    fn note(&mut self, bytes: &[u8], block: u64) {
        if self.count == 0 {
            self.first = sample::quoted_bytes(bytes);
            self.block = block;
        }
        self.count += 1;
    }

    fn absorb(&mut self, other: Tally) {
        let count = self.count + other.count;
        if self.count == 0 || (other.count > 0 && other.block < self.block) {
            *self = other;
        }
        self.count = count;
    }
}

impl Complaints {
    pub(crate) fn new(slots: usize) -> Complaints {
        Complaints {
            no_numbers: vec![Tally::default(); slots],
            no_computed_numbers: Tally::default(),
            misfits: Default::default(),
            block: 0,
        }
    }

    pub(crate) fn note_no_number(&mut self, slot: Slot, value: &[u8]) {
        self.no_numbers[slot].note(value, self.block);
    }

    pub(crate) fn note_no_computed_number(&mut self, value: &[u8]) {
        self.no_computed_numbers.note(value, self.block);
    }

    pub(crate) fn note_misfit(&mut self, misfit: Misfit, line: &[u8]) {
        self.misfits[misfit as usize].note(line, self.block);
    }

    /// What follows is of this block.
    pub(crate) fn begin_block(&mut self, block: u64) {
        self.block = block;
    }

    /// Takes over those of another reader of the same query.
    pub(crate) fn absorb(&mut self, other: &mut Complaints) {
        let own = self.no_numbers.iter_mut().chain(&mut self.misfits);
        for (own, other) in own.zip(other.no_numbers.iter_mut().chain(&mut other.misfits)) {
            own.absorb(std::mem::take(other));
        }
        self.no_computed_numbers.absorb(std::mem::take(&mut other.no_computed_numbers));
    }

    /// The messages since the last call.
    pub(crate) fn take(&mut self, fields: &Fields, format: &LogFormat) -> Vec<String> {
        let mut messages = Vec::new();
        for (slot, tally) in self.no_numbers.iter_mut().enumerate() {
            let Tally { count, first, .. } = std::mem::take(tally);
            if count > 0 {
                let name = sample::quoted_bytes(fields.name(slot));
                let what =
                    if count == 1 { "value is not a number" } else { "values are not numbers" };
                messages.push(format!("field {name}: {count} {what}, first {first}"));
            }
        }
        let Tally { count, first, .. } = std::mem::take(&mut self.no_computed_numbers);
        if count > 0 {
            let what = if count == 1 { "value is not a number" } else { "values are not numbers" };
            messages.push(format!("{count} computed {what}, first {first}"));
        }
        for (tally, misfit) in self.misfits.iter_mut().zip(Misfit::ALL) {
            let Tally { count, first, .. } = std::mem::take(tally);
            if count > 0 {
                let what = if count == 1 { "line does" } else { "lines do" };
                let (format, reason) = (format.name(), misfit.reason());
                messages.push(format!(
                    "{count} {what} not fit log format \"{format}\" ({reason}), first {first}"
                ));
            }
        }
        messages
    }
}
