//! Lines as the formats take them: of one source, without copying; and the groups they form, with
//! something between those that do not follow each other. Never prints.

use std::sync::Arc;

use dtail_client::HostLines;
use dtail_protocol::LineNumbers;

/// Lines of one source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    /// `None`: this machine.
    pub(crate) host: Option<&'a Arc<str>>,
    pub(crate) source: &'a Arc<str>,
    /// Each line with its newline.
    pub(crate) bytes: &'a [u8],
    pub(crate) numbers: Numbers<'a>,
    /// Where each line begins in its source; empty if nobody asked.
    pub(crate) offsets: &'a [u64],
}

/// The numbers of these lines.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Numbers<'a> {
    None,
    /// That of the first; the others follow.
    From(u64),
    Each(&'a [u64]),
}

impl Run<'_> {
    pub(crate) fn of(lines: &HostLines) -> Run<'_> {
        Run {
            host: lines.host.as_ref(),
            source: &lines.block.source,
            bytes: &lines.block.bytes,
            numbers: match &lines.block.numbers {
                LineNumbers::Unnumbered => Numbers::None,
                LineNumbers::From(first) => Numbers::From(*first),
                LineNumbers::Each(numbers) => Numbers::Each(numbers),
            },
            offsets: &lines.block.offsets,
        }
    }
}

impl Numbers<'_> {
    /// The number of the line at `index`.
    pub(crate) fn at(&self, index: usize) -> Option<u64> {
        match self {
            Numbers::None => None,
            Numbers::From(first) => Some(first + index as u64),
            Numbers::Each(numbers) => numbers.get(index).copied(),
        }
    }
}

/// The lines without their newlines.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let mut ends = memchr::memchr_iter(b'\n', bytes);
    std::iter::from_fn(move || {
        let end = match ends.next() {
            Some(end) => end,
            None if start < bytes.len() => bytes.len(),
            None => return None,
        };
        let line = &bytes[start..end];
        start = end + 1;
        Some(line)
    })
}

/// Whether two names are the same, for most of which a look at where they lie is enough.
pub(crate) fn is_same(left: Option<&Arc<str>>, right: Option<&Arc<str>>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => Arc::ptr_eq(left, right) || left == right,
        (left, right) => left.is_none() && right.is_none(),
    }
}

/// Finds the groups of lines that follow each other.
#[derive(Debug)]
pub(crate) struct Groups {
    /// What is printed between them, with a newline.
    pub(crate) separator: Vec<u8>,
    last: Option<Last>,
}

/// The last line there was.
#[derive(Debug)]
struct Last {
    host: Option<Arc<str>>,
    source: Arc<str>,
    number: u64,
}

impl Groups {
    pub(crate) fn new(separator: Vec<u8>) -> Groups {
        Groups { separator, last: None }
    }

    /// Takes the first lines without a gap from `rest`, and whether something comes before them.
    pub(crate) fn next<'a>(&mut self, rest: &mut Run<'a>) -> Option<(bool, Run<'a>)> {
        let first = rest.numbers.at(0).filter(|_| !rest.bytes.is_empty())?;
        let count = match rest.numbers {
            Numbers::Each(numbers) => {
                numbers.windows(2).take_while(|pair| pair[0] + 1 == pair[1]).count() + 1
            }
            _ => memchr::memchr_iter(b'\n', rest.bytes).count().max(1),
        };
        let end = memchr::memchr_iter(b'\n', rest.bytes).nth(count - 1);
        let (group, bytes) = rest.bytes.split_at(end.map_or(rest.bytes.len(), |end| end + 1));
        let (offsets, more) = rest.offsets.split_at(count.min(rest.offsets.len()));
        let group = Run { bytes: group, numbers: Numbers::From(first), offsets, ..*rest };
        rest.numbers = match rest.numbers {
            Numbers::Each(numbers) => Numbers::Each(&numbers[count..]),
            _ => Numbers::From(first + count as u64),
        };
        (rest.bytes, rest.offsets) = (bytes, more);
        let is_apart = self.last.as_ref().is_some_and(|last| {
            last.number + 1 != first
                || !is_same(last.host.as_ref(), group.host)
                || !is_same(Some(&last.source), Some(group.source))
        });
        let number = first + count as u64 - 1;
        match &mut self.last {
            // The same place most of the time.
            Some(last) if !is_apart => last.number = number,
            last => {
                let (host, source) = (group.host.cloned(), Arc::clone(group.source));
                *last = Some(Last { host, source, number });
            }
        }
        Some((is_apart, group))
    }
}
