//! The fields of the current line that a query needs, as places in a few reused buffers.
//!
//! Knows neither formats nor clauses. A line allocates nothing here once the buffers have grown.

/// Index of one needed field; every name a query mentions has exactly one.
pub(crate) type Slot = usize;

/// Where the bytes of a value are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// The line has no such field.
    Absent,
    /// From, to: in the line itself.
    Line(usize, usize),
    /// In the values that are the same for every line.
    Constant(usize, usize),
    /// In the values computed from this line.
    Scratch(usize, usize),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    names: Vec<Box<[u8]>>,
    spans: Vec<Span>,
    /// The spans a line starts with: constants and absent ones.
    initial: Vec<Span>,
    constants: Vec<u8>,
    scratch: Vec<u8>,
    /// Others than readers put values into slots that readers fill.
    pub(crate) are_set: bool,
}

impl Fields {
    /// The slot of `name`, made if there is none.
    pub(crate) fn add(&mut self, name: &str) -> Slot {
        self.slot(name.as_bytes()).unwrap_or_else(|| {
            self.names.push(name.as_bytes().into());
            self.spans.push(Span::Absent);
            self.initial.push(Span::Absent);
            self.names.len() - 1
        })
    }

    /// A slot that no name leads to.
    pub(crate) fn add_anonymous(&mut self) -> Slot {
        self.names.push(Box::default());
        self.spans.push(Span::Absent);
        self.initial.push(Span::Absent);
        self.names.len() - 1
    }

    /// The slot of `name` if any clause needs it.
    pub(crate) fn slot(&self, name: &[u8]) -> Option<Slot> {
        // A query names a handful of fields: comparing them all beats hashing the name.
        self.names.iter().position(|known| **known == *name)
    }

    pub(crate) fn name(&self, slot: Slot) -> &[u8] {
        &self.names[slot]
    }

    /// Whether a slot has this name.
    pub(crate) fn slot_is(&self, slot: Slot, name: &str) -> bool {
        *self.names[slot] == *name.as_bytes()
    }

    /// Number of slots.
    pub(crate) fn count(&self) -> usize {
        self.names.len()
    }

    /// Keeps a text for as long as the plan lives.
    pub(crate) fn constant(&mut self, text: &str) -> Span {
        let start = self.constants.len();
        self.constants.extend_from_slice(text.as_bytes());
        Span::Constant(start, self.constants.len())
    }

    /// Gives a slot, if it is needed, the same value in every line that does not have its own.
    pub(crate) fn set_for_all_lines(&mut self, name: &str, text: &str) {
        if let Some(slot) = self.slot(name.as_bytes()) {
            self.initial[slot] = self.constant(text);
        }
    }

    /// Forgets the values of the line before.
    #[inline]
    pub(crate) fn begin_line(&mut self) {
        // For the few fields of most queries a call costs more than what it does.
        match (&mut self.spans[..], &self.initial[..]) {
            ([one], [first]) => *one = *first,
            ([one, two], [first, second]) => (*one, *two) = (*first, *second),
            ([one, two, three], [first, second, third]) => {
                (*one, *two, *three) = (*first, *second, *third);
            }
            (spans, initial) => spans.copy_from_slice(initial),
        }
        self.scratch.clear();
    }

    /// Forgets what was computed from the line before. The reader replaces all else.
    #[inline]
    pub(crate) fn begin_alike_line(&mut self) {
        self.scratch.clear();
    }

    /// Whether every line has the slot, and the same value in it.
    pub(crate) fn is_constant(&self, slot: Slot) -> bool {
        self.initial[slot] != Span::Absent
    }

    #[inline]
    pub(crate) fn put(&mut self, slot: Slot, span: Span) {
        self.spans[slot] = span;
    }

    /// The slot has what every line has that does not have its own.
    pub(crate) fn put_initial(&mut self, slot: Slot) {
        self.spans[slot] = self.initial[slot];
    }

    pub(crate) fn span(&self, slot: Slot) -> Span {
        self.spans[slot]
    }

    #[inline]
    pub(crate) fn is_present(&self, slot: Slot) -> bool {
        self.spans[slot] != Span::Absent
    }

    /// The value of a slot. `line` must be the line that was read.
    #[inline]
    pub(crate) fn get<'a>(&'a self, slot: Slot, line: &'a [u8]) -> Option<&'a [u8]> {
        self.bytes(self.spans[slot], line)
    }

    #[inline]
    pub(crate) fn bytes<'a>(&'a self, span: Span, line: &'a [u8]) -> Option<&'a [u8]> {
        match span {
            Span::Line(start, end) => Some(&line[start..end]),
            _ => self.elsewhere(span),
        }
    }

    /// The bytes of a value that does not stand in the line.
    fn elsewhere(&self, span: Span) -> Option<&[u8]> {
        match span {
            Span::Absent | Span::Line(..) => None,
            Span::Constant(start, end) => Some(&self.constants[start..end]),
            Span::Scratch(start, end) => Some(&self.scratch[start..end]),
        }
    }

    /// Where the next computed value begins; to be handed to [`Fields::computed_since`].
    pub(crate) fn computed_length(&self) -> usize {
        self.scratch.len()
    }

    /// Appends to the value being computed.
    pub(crate) fn compute(&mut self, bytes: &[u8]) {
        self.scratch.extend_from_slice(bytes);
    }

    /// Appends a copy of another value to the value being computed, and gives the copy.
    pub(crate) fn compute_copy(&mut self, span: Span, line: &[u8]) -> &mut [u8] {
        let start = self.scratch.len();
        match span {
            Span::Absent => {}
            Span::Line(from, to) => self.scratch.extend_from_slice(&line[from..to]),
            Span::Constant(from, to) => {
                self.scratch.extend_from_slice(&self.constants[from..to]);
            }
            Span::Scratch(from, to) => self.scratch.extend_from_within(from..to),
        }
        &mut self.scratch[start..]
    }

    /// The value computed since the scratch buffer had this length.
    pub(crate) fn computed_since(&self, start: usize) -> Span {
        Span::Scratch(start, self.scratch.len())
    }
}
