//! Partial results as bytes, for the way from server to client. Believes nothing it reads.
//!
//! A piece is a header (see [`header`]) and then groups to its end. A group is the length of its
//! key's text, the number of its bounds (4 bytes each), the text, the bounds (4 bytes each), the
//! samples (8 bytes) and a cell for each column. All numbers are little-endian. Nothing is packed,
//! so that what is read takes at most a few times the memory of what was received.

use std::fmt;
use std::ops::ControlFlow;

use super::{BOUND, Groups};
use crate::{
    cell::{Bins, Cell, Histogram, Moments, Rate, Sketch, Text, TextSet},
    query::{Aggregation, Query},
    sum::ExactSum,
};

const VERSION: u8 = 2;

/// More floats than a sum can have: each says at least one of the 2098 bits of an f64's range.
const SUM_LIMIT: usize = 2_100;

const CUT_SHORT: BadPartialResult = BadPartialResult { reason: "it is cut short" };

/// Why bytes are no partial result of a query. One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPartialResult {
    pub(super) reason: &'static str,
}

impl fmt::Display for BadPartialResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason;
        write!(f, "cannot use a partial result: {reason}; bring both sides to the same version")
    }
}

impl std::error::Error for BadPartialResult {}

impl Groups {
    /// Serialises in pieces of about `max_bytes` (one group more, at most), each of them a valid
    /// partial result by itself; merging all of them gives these groups again. No groups: no
    /// pieces.
    pub fn encode(
        &self,
        max_bytes: usize,
        emit: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let header = header(&self.kinds, self.strict);
        let mut piece = Vec::new();
        for group in 0..self.len() {
            if piece.is_empty() {
                piece.extend_from_slice(&header);
            }
            self.encode_group(group, &mut piece);
            if piece.len() >= max_bytes {
                emit(std::mem::take(&mut piece))?;
                piece.reserve(max_bytes.min(1 << 20));
            }
        }
        if piece.is_empty() { ControlFlow::Continue(()) } else { emit(piece) }
    }

    /// What a piece begins with.
    pub(crate) fn header_of(query: &Query, strict: bool) -> Vec<u8> {
        header(&query.cell_kinds(), strict)
    }

    fn encode_group(&self, group: usize, out: &mut Vec<u8>) {
        let (text, bounds) = self.parts(group);
        let (bounds, _) = bounds.as_chunks::<BOUND>();
        put_length(text.len(), out);
        put_length(bounds.len(), out);
        out.extend_from_slice(text);
        for bound in bounds {
            put_length(usize::from_le_bytes(*bound), out);
        }
        out.extend_from_slice(&self.samples.get(group).to_le_bytes());
        for column in 0..self.columns.len() {
            encode_cell(&self.cell(group, column), out);
        }
    }

    /// Reads one piece. `query` and `strict` are what the groups were aggregated by.
    pub fn decode(bytes: &[u8], query: &Query, strict: bool) -> Result<Groups, BadPartialResult> {
        let columns = query.cell_kinds();
        let rest =
            bytes.strip_prefix(header(&columns, strict).as_slice()).ok_or(BadPartialResult {
                reason: "it is of another query, or of another version of DTail",
            })?;
        let mut groups = Groups::of_query(query, strict);
        let mut fields = Fields { rest };
        let mut key = Vec::new();
        let mut cells = Vec::new();
        while !fields.rest.is_empty() {
            key.clear();
            let key_bounds = fields.key(groups.bounds, &mut key)?;
            let samples = fields.number()?;
            for column in &columns {
                cells.push(fields.cell(*column)?);
            }
            groups.merge_group(&key, key_bounds, samples, cells.drain(..));
        }
        Ok(groups)
    }
}

/// The version, whether strict, the number of columns and what each of them is.
fn header(columns: &[Aggregation], strict: bool) -> Vec<u8> {
    let mut header = vec![VERSION, u8::from(strict)];
    put_length(columns.len(), &mut header);
    for column in columns {
        let letter = match column {
            Aggregation::Count => b'c',
            Aggregation::Sum => b's',
            Aggregation::Min => b'n',
            Aggregation::Max => b'x',
            Aggregation::Avg => b'a',
            Aggregation::Last => b'l',
            Aggregation::Len => b'L',
            Aggregation::Percentage => b'%',
            Aggregation::Percentile => b'r',
            Aggregation::First => b'f',
            Aggregation::CountDistinct => b'd',
            Aggregation::Quantile(_) => b'q',
            Aggregation::Variance => b'v',
            Aggregation::Deviation => b'D',
            Aggregation::Rate => b'R',
            Aggregation::Histogram(None) => b'h',
            Aggregation::Histogram(Some(_)) => b'H',
        };
        header.push(letter);
        match column {
            Aggregation::Quantile(share) => header.extend_from_slice(&share.0.to_le_bytes()),
            Aggregation::Histogram(Some(width)) => header.extend_from_slice(&width.0.to_le_bytes()),
            _ => {}
        }
    }
    header
}

/// What does not fit cannot be sent at all: such a piece is refused by the one who reads it.
fn put_length(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn encode_cell(cell: &Cell, out: &mut Vec<u8>) {
    match cell {
        Cell::Count(count) => out.extend_from_slice(&count.to_le_bytes()),
        Cell::Sum(sum) => encode_sum(sum, out),
        Cell::Avg { sum, terms } => {
            out.extend_from_slice(&terms.to_le_bytes());
            encode_sum(sum, out);
        }
        Cell::Min(extreme) | Cell::Max(extreme) => {
            out.push(u8::from(extreme.is_some()));
            out.extend_from_slice(&extreme.unwrap_or(0.0).to_le_bytes());
        }
        Cell::Last(text, moment) | Cell::First(text, moment) => {
            put_length(text.as_ref().map_or(0, |text| text.len() + 1), out);
            out.extend_from_slice(text.as_deref().unwrap_or_default());
            out.extend_from_slice(&moment.to_le_bytes());
        }
        Cell::Len(length, moment) => {
            out.push(u8::from(length.is_some()));
            out.extend_from_slice(&length.unwrap_or(0).to_le_bytes());
            out.extend_from_slice(&moment.to_le_bytes());
        }
        Cell::CountDistinct(texts) => {
            put_length(texts.as_ref().map_or(0, |texts| texts.len()), out);
            for text in texts.iter().flat_map(|texts| texts.iter()) {
                put_length(text.len(), out);
                out.extend_from_slice(text);
            }
        }
        Cell::Quantile(sketch, _) => encode_sketch(sketch.as_deref(), out),
        Cell::Variance(moments) | Cell::Deviation(moments) => {
            let nothing = Moments::default();
            let moments = moments.as_deref().unwrap_or(&nothing);
            out.extend_from_slice(&moments.terms.to_le_bytes());
            encode_sum(&moments.sum, out);
            encode_sum(&moments.squares, out);
        }
        Cell::Rate(rate) => {
            out.push(u8::from(rate.is_some()));
            if let Some(rate) = rate {
                out.extend_from_slice(&rate.first.to_le_bytes());
                out.extend_from_slice(&rate.last.to_le_bytes());
                encode_sum(&rate.sum, out);
            }
        }
        Cell::Histogram(histogram, _) => {
            let buckets = histogram.as_deref().map_or(&[][..], |it| it.buckets.as_slice());
            put_length(buckets.len(), out);
            for (bucket, count) in buckets {
                out.extend_from_slice(&bucket.to_le_bytes());
                out.extend_from_slice(&count.to_le_bytes());
            }
        }
    }
}

/// A sketch without values is none.
fn encode_sketch(sketch: Option<&Sketch>, out: &mut Vec<u8>) {
    match sketch {
        None => put_length(0, out),
        Some(Sketch::Exact(values)) => {
            put_length(values.len(), out);
            if !values.is_empty() {
                out.push(0);
            }
            for (value, count) in values {
                out.extend_from_slice(&value.to_le_bytes());
                out.extend_from_slice(&count.to_le_bytes());
            }
        }
        Some(Sketch::Binned(bins)) => {
            put_length(bins.counts.len(), out);
            out.push(1);
            out.extend_from_slice(&bins.min.to_le_bytes());
            out.extend_from_slice(&bins.max.to_le_bytes());
            for (bin, count) in &bins.counts {
                out.extend_from_slice(&bin.to_le_bytes());
                out.extend_from_slice(&count.to_le_bytes());
            }
        }
    }
}

fn encode_sum(sum: &ExactSum, out: &mut Vec<u8>) {
    let (high, rest) = sum.terms();
    put_length(rest.len(), out);
    for term in std::iter::once(&high).chain(rest) {
        out.extend_from_slice(&term.to_le_bytes());
    }
}

/// What has not been read of a piece.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadPartialResult> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(*array)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], BadPartialResult> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn length(&mut self) -> Result<usize, BadPartialResult> {
        usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_| CUT_SHORT)
    }

    fn number(&mut self) -> Result<u64, BadPartialResult> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn float(&mut self) -> Result<f64, BadPartialResult> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// Reads a key as [`super::GroupKey`] makes it. Returns how many bytes of it are bounds.
    fn key(&mut self, bounds: usize, key: &mut Vec<u8>) -> Result<usize, BadPartialResult> {
        let text_length = self.length()?;
        let bound_count = self.length()?;
        // Those from DTail's own servers may lack them.
        if bound_count != bounds && bound_count != 0 {
            return Err(BadPartialResult { reason: "its groups have other fields" });
        }
        let text = self.bytes(text_length)?;
        key.extend_from_slice(text);
        for _ in 0..bound_count {
            let bound = self.length()?;
            if text.get(bound) != Some(&b',') {
                return Err(BadPartialResult { reason: "the fields of a group are unclear" });
            }
            key.extend_from_slice(&bound.to_le_bytes());
        }
        Ok(key.len() - text_length)
    }

    fn cell(&mut self, column: Aggregation) -> Result<Cell, BadPartialResult> {
        Ok(match column {
            Aggregation::Count => Cell::Count(self.number()?),
            Aggregation::Sum | Aggregation::Percentage | Aggregation::Percentile => {
                Cell::Sum(self.sum()?)
            }
            Aggregation::Avg => {
                let terms = self.number()?;
                Cell::Avg { sum: self.sum()?, terms }
            }
            Aggregation::Min => Cell::Min(self.option(Fields::float)?),
            Aggregation::Max => Cell::Max(self.option(Fields::float)?),
            Aggregation::Last => Cell::Last(self.text()?, self.number()?),
            Aggregation::First => Cell::First(self.text()?, self.number()?),
            Aggregation::Len => Cell::Len(self.option(Fields::number)?, self.number()?),
            Aggregation::CountDistinct => Cell::CountDistinct(self.texts()?),
            Aggregation::Quantile(share) => Cell::Quantile(self.sketch()?, share),
            Aggregation::Variance => Cell::Variance(self.moments()?),
            Aggregation::Deviation => Cell::Deviation(self.moments()?),
            Aggregation::Rate => Cell::Rate(self.rate()?),
            Aggregation::Histogram(width) => Cell::Histogram(self.histogram()?, width),
        })
    }

    fn text(&mut self) -> Result<Option<Text>, BadPartialResult> {
        Ok(match self.length()?.checked_sub(1) {
            None => None,
            Some(length) => Some(Text::new(self.bytes(length)?)),
        })
    }

    fn texts(&mut self) -> Result<Option<Box<TextSet>>, BadPartialResult> {
        let count = self.length()?;
        let mut texts = None;
        for _ in 0..count {
            let length = self.length()?;
            let text = self.bytes(length)?;
            texts.get_or_insert_with(Box::<TextSet>::default).add(text);
        }
        Ok(texts)
    }

    fn sketch(&mut self) -> Result<Option<Box<Sketch>>, BadPartialResult> {
        let count = self.length()?;
        if count == 0 {
            return Ok(None);
        }
        let sketch = match self.array()? {
            [0] => {
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push((self.float()?, self.number()?));
                }
                Sketch::Exact(values)
            }
            _ => {
                let (min, max) = (self.float()?, self.float()?);
                let mut counts = Vec::new();
                for _ in 0..count {
                    counts.push((i32::from_le_bytes(self.array()?), self.number()?));
                }
                Sketch::Binned(Bins { counts, min, max })
            }
        };
        if !sketch.is_proper() {
            return Err(BadPartialResult { reason: "its values are those of no sketch" });
        }
        Ok(Some(Box::new(sketch)))
    }

    fn moments(&mut self) -> Result<Option<Box<Moments>>, BadPartialResult> {
        let terms = self.number()?;
        let (sum, squares) = (self.sum()?, self.sum()?);
        Ok((terms > 0).then(|| Box::new(Moments { terms, sum, squares })))
    }

    fn rate(&mut self) -> Result<Option<Box<Rate>>, BadPartialResult> {
        match self.array()? {
            [0] => Ok(None),
            [1] => {
                let (first, last) = (self.float()?, self.float()?);
                Ok(Some(Box::new(Rate { first, last, sum: self.sum()? })))
            }
            [_] => Err(BadPartialResult { reason: "a flag is neither 0 nor 1" }),
        }
    }

    fn histogram(&mut self) -> Result<Option<Box<Histogram>>, BadPartialResult> {
        let count = self.length()?;
        let mut buckets = Vec::new();
        for _ in 0..count {
            buckets.push((i64::from_le_bytes(self.array()?), self.number()?));
        }
        let wrong = BadPartialResult { reason: "its buckets are those of no histogram" };
        let histogram = Histogram::of_parts(buckets).ok_or(wrong)?;
        Ok((count > 0).then(|| Box::new(histogram)))
    }

    fn option<T>(
        &mut self,
        read: fn(&mut Self) -> Result<T, BadPartialResult>,
    ) -> Result<Option<T>, BadPartialResult> {
        let [is_some] = self.array()?;
        let value = read(self)?;
        match is_some {
            0 => Ok(None),
            1 => Ok(Some(value)),
            _ => Err(BadPartialResult { reason: "a flag is neither 0 nor 1" }),
        }
    }

    /// Adding the terms anew makes a proper sum of whatever was sent.
    fn sum(&mut self) -> Result<ExactSum, BadPartialResult> {
        let count = self.length()?;
        if count > SUM_LIMIT {
            return Err(BadPartialResult { reason: "a sum has too many parts" });
        }
        let mut sum = ExactSum::of(self.float()?);
        for _ in 0..count {
            sum.add(self.float()?);
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests;
