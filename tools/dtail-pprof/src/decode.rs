//! A profile from bytes that may come from anybody. It never panics, never keeps a reference it
//! has not checked, and never allocates much more than a profile of that size needs.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use crate::profile::{
    Function, Label, LabelValue, Line, Location, Mapping, Profile, Sample, Text, ValueType,
};
use crate::wire::{Fields, Malformed, Value, take_number};

/// What a profile may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    what: &'static str,
    most: usize,
}

const BYTES: Limit = Limit { what: "bytes", most: 1 << 30 };
const SAMPLE_TYPES: Limit = Limit { what: "sample types", most: 64 };
const SAMPLES: Limit = Limit { what: "samples", most: 1 << 24 };
/// Of all samples together.
const FRAMES: Limit = Limit { what: "frames in samples", most: 1 << 28 };
const LABELS: Limit = Limit { what: "labels", most: 1 << 25 };
const MAPPINGS: Limit = Limit { what: "mappings", most: 1 << 18 };
const LOCATIONS: Limit = Limit { what: "locations", most: 1 << 23 };
/// Of all locations together.
const LINES: Limit = Limit { what: "lines", most: 1 << 25 };
const FUNCTIONS: Limit = Limit { what: "functions", most: 1 << 23 };
const STRINGS: Limit = Limit { what: "strings", most: 1 << 24 };
const STRING_BYTES: Limit = Limit { what: "bytes in a string", most: 1 << 20 };
const COMMENTS: Limit = Limit { what: "comments", most: 1 << 16 };

impl Limit {
    fn check(self, count: usize) -> Result<(), DecodeError> {
        if count > self.most { Err(DecodeError::TooLarge(self)) } else { Ok(()) }
    }
}

/// Why bytes are no profile. One line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// There are none.
    Empty,
    /// They are not what a profile consists of.
    NotAProfile,
    /// They end too early.
    Truncated,
    /// Their compression is broken.
    BadGzip(String),
    /// They are a profile that contradicts itself.
    Inconsistent(&'static str),
    /// More than anybody records.
    TooLarge(Limit),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Empty => f.write_str("empty, so no profile was written"),
            DecodeError::NotAProfile => f.write_str("not a profile in pprof format"),
            DecodeError::Truncated => {
                f.write_str("truncated: the profile ends in the middle, record it again")
            }
            DecodeError::BadGzip(reason) => write!(f, "damaged: {reason}"),
            DecodeError::Inconsistent(reason) => write!(f, "damaged profile: {reason}"),
            DecodeError::TooLarge(Limit { what, most }) => {
                write!(f, "too large a profile: more than {most} {what}")
            }
        }
    }
}

impl std::error::Error for DecodeError {}

impl From<Malformed> for DecodeError {
    fn from(malformed: Malformed) -> DecodeError {
        match malformed {
            Malformed::Truncated => DecodeError::Truncated,
            Malformed::Nonsense => DecodeError::NotAProfile,
        }
    }
}

impl Profile {
    /// Reads a profile, compressed by gzip or not.
    pub fn decode(bytes: &[u8]) -> Result<Profile, DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::Empty);
        }
        if !bytes.starts_with(&[0x1f, 0x8b]) {
            BYTES.check(bytes.len())?;
            return profile(bytes);
        }
        let mut plain = Vec::new();
        let most = BYTES.most as u64 + 1;
        let inflated = MultiGzDecoder::new(bytes).take(most).read_to_end(&mut plain);
        inflated.map_err(|err| match err.kind() {
            std::io::ErrorKind::UnexpectedEof => DecodeError::Truncated,
            _ => DecodeError::BadGzip(err.to_string()),
        })?;
        BYTES.check(plain.len())?;
        profile(&plain)
    }
}

/// The fields of a profile, sorted by what they are: messages may come in any order, and samples
/// commonly come before what they refer to.
#[derive(Default)]
struct Parts<'a> {
    sample_types: Vec<&'a [u8]>,
    samples: Vec<&'a [u8]>,
    mappings: Vec<&'a [u8]>,
    locations: Vec<&'a [u8]>,
    functions: Vec<&'a [u8]>,
    strings: Vec<&'a [u8]>,
    period_type: Option<&'a [u8]>,
    comments: Vec<u64>,
    drop_frames: u64,
    keep_frames: u64,
    default_sample_type: u64,
    time_nanos: u64,
    duration_nanos: u64,
    period: u64,
}

fn profile(bytes: &[u8]) -> Result<Profile, DecodeError> {
    let parts = parts(bytes)?;
    if parts.sample_types.is_empty() || parts.strings.first().is_none_or(|text| !text.is_empty()) {
        return Err(DecodeError::NotAProfile);
    }
    let mut texts =
        Strings { texts: parts.strings.iter().map(|_| None).collect(), bytes: parts.strings };
    let mut sample_types = Vec::new();
    for message in &parts.sample_types {
        sample_types.push(value_type(message, &mut texts)?);
    }
    let (functions, function_ids) = functions(&parts.functions, &mut texts)?;
    let (mappings, mapping_ids) = mappings(&parts.mappings, &mut texts)?;
    let (locations, location_ids) = locations(&parts.locations, &mapping_ids, &function_ids)?;
    let samples = samples(&parts.samples, sample_types.len(), &location_ids, &mut texts)?;
    let period_type = parts.period_type.map(|message| value_type(message, &mut texts));
    let comments: Result<Vec<Text>, _> = parts.comments.iter().map(|at| texts.text(*at)).collect();
    Ok(Profile {
        sample_types,
        default_sample_type: texts.optional(parts.default_sample_type)?,
        samples,
        locations,
        functions,
        mappings,
        time_nanos: parts.time_nanos.cast_signed(),
        duration_nanos: parts.duration_nanos.cast_signed(),
        period_type: period_type.transpose()?,
        period: parts.period.cast_signed(),
        comments: comments?,
        drop_frames: texts.optional(parts.drop_frames)?,
        keep_frames: texts.optional(parts.keep_frames)?,
    })
}

fn parts(bytes: &[u8]) -> Result<Parts<'_>, DecodeError> {
    let mut parts = Parts::default();
    let mut fields = Fields::of(bytes);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(message)) => keep(&mut parts.sample_types, message, SAMPLE_TYPES)?,
            (2, Value::Bytes(message)) => keep(&mut parts.samples, message, SAMPLES)?,
            (3, Value::Bytes(message)) => keep(&mut parts.mappings, message, MAPPINGS)?,
            (4, Value::Bytes(message)) => keep(&mut parts.locations, message, LOCATIONS)?,
            (5, Value::Bytes(message)) => keep(&mut parts.functions, message, FUNCTIONS)?,
            (6, Value::Bytes(text)) => keep(&mut parts.strings, text, STRINGS)?,
            (7, Value::Number(at)) => parts.drop_frames = at,
            (8, Value::Number(at)) => parts.keep_frames = at,
            (9, Value::Number(time)) => parts.time_nanos = time,
            (10, Value::Number(time)) => parts.duration_nanos = time,
            (11, Value::Bytes(message)) => parts.period_type = Some(message),
            (12, Value::Number(period)) => parts.period = period,
            (13, value) => numbers(value, &mut parts.comments, COMMENTS)?,
            (14, Value::Number(at)) => parts.default_sample_type = at,
            (1..=14, _) => return Err(DecodeError::NotAProfile),
            _ => {}
        }
    }
    Ok(parts)
}

fn keep<'a>(list: &mut Vec<&'a [u8]>, part: &'a [u8], limit: Limit) -> Result<(), DecodeError> {
    limit.check(list.len() + 1)?;
    list.push(part);
    Ok(())
}

/// Adds the numbers of a repeated field, which come one by one or packed.
fn numbers(value: Value<'_>, list: &mut Vec<u64>, limit: Limit) -> Result<(), DecodeError> {
    match value {
        Value::Number(number) => list.push(number),
        Value::Bytes(mut packed) => {
            while !packed.is_empty() {
                list.push(take_number(&mut packed)?);
                limit.check(list.len())?;
            }
        }
        Value::Other => return Err(DecodeError::NotAProfile),
    }
    limit.check(list.len())
}

/// The table of strings; what is used of it becomes a [`Text`] once.
struct Strings<'a> {
    bytes: Vec<&'a [u8]>,
    texts: Vec<Option<Text>>,
}

impl Strings<'_> {
    fn text(&mut self, at: u64) -> Result<Text, DecodeError> {
        let at = usize::try_from(at).ok().filter(|at| *at < self.bytes.len());
        let at = at.ok_or(DecodeError::Inconsistent("a text that is not in its table"))?;
        if let Some(text) = &self.texts[at] {
            return Ok(Arc::clone(text));
        }
        STRING_BYTES.check(self.bytes[at].len())?;
        let text: Text = String::from_utf8_lossy(self.bytes[at]).into();
        self.texts[at] = Some(Arc::clone(&text));
        Ok(text)
    }

    fn optional(&mut self, at: u64) -> Result<Option<Text>, DecodeError> {
        Ok(Some(self.text(at)?).filter(|text| !text.is_empty()))
    }
}

/// Which index an id became.
struct Ids {
    what: &'static str,
    count: u32,
    /// None while ids count from 1, as every writer known to us does.
    others: Option<HashMap<u64, u32>>,
}

impl Ids {
    fn new(what: &'static str) -> Ids {
        Ids { what, count: 0, others: None }
    }

    fn add(&mut self, id: u64) -> Result<(), DecodeError> {
        if id == 0 {
            return Err(DecodeError::Inconsistent(self.what));
        }
        let index = self.count;
        self.count += 1;
        if self.others.is_none() {
            if id == u64::from(self.count) {
                return Ok(());
            }
            self.others = Some((0..index).map(|at| (u64::from(at) + 1, at)).collect());
        }
        match self.others.as_mut().and_then(|others| others.insert(id, index)) {
            Some(_) => Err(DecodeError::Inconsistent(self.what)),
            None => Ok(()),
        }
    }

    #[inline]
    fn index(&self, id: u64) -> Result<u32, DecodeError> {
        let index = match &self.others {
            None => id.checked_sub(1).and_then(|at| u32::try_from(at).ok()),
            Some(others) => others.get(&id).copied(),
        };
        index.filter(|at| *at < self.count).ok_or(DecodeError::Inconsistent(self.what))
    }
}

fn value_type(message: &[u8], texts: &mut Strings<'_>) -> Result<ValueType, DecodeError> {
    let (mut kind, mut unit) = (0, 0);
    let mut fields = Fields::of(message);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Number(at)) => kind = at,
            (2, Value::Number(at)) => unit = at,
            (1..=2, _) => return Err(DecodeError::NotAProfile),
            _ => {}
        }
    }
    Ok(ValueType { kind: texts.text(kind)?, unit: texts.text(unit)? })
}

fn functions(
    messages: &[&[u8]],
    texts: &mut Strings<'_>,
) -> Result<(Vec<Function>, Ids), DecodeError> {
    let mut ids = Ids::new("a function that is there twice or not at all");
    let mut functions = Vec::with_capacity(messages.len());
    for message in messages {
        let mut numbers = [0; 5];
        read_numbers(message, &mut numbers)?;
        let [id, name, system_name, file, start_line] = numbers;
        ids.add(id)?;
        functions.push(Function {
            name: texts.text(name)?,
            system_name: texts.text(system_name)?,
            file: texts.text(file)?,
            start_line: start_line.cast_signed(),
        });
    }
    Ok((functions, ids))
}

fn mappings(
    messages: &[&[u8]],
    texts: &mut Strings<'_>,
) -> Result<(Vec<Mapping>, Ids), DecodeError> {
    let mut ids = Ids::new("a mapping that is there twice or not at all");
    let mut mappings = Vec::with_capacity(messages.len());
    for message in messages {
        let mut numbers = [0; 10];
        read_numbers(message, &mut numbers)?;
        let [id, start, limit, offset, file, build_id, functions, files, lines, inlined] = numbers;
        ids.add(id)?;
        mappings.push(Mapping {
            start,
            limit,
            offset,
            file: texts.text(file)?,
            build_id: texts.text(build_id)?,
            has_functions: functions != 0,
            has_filenames: files != 0,
            has_line_numbers: lines != 0,
            has_inline_frames: inlined != 0,
        });
    }
    Ok((mappings, ids))
}

/// Reads a message that consists of numbers; the field 1 is the first of them.
fn read_numbers<const COUNT: usize>(
    message: &[u8],
    numbers: &mut [u64; COUNT],
) -> Result<(), DecodeError> {
    let mut fields = Fields::of(message);
    while let Some((field, value)) = fields.next()? {
        let slot = usize::try_from(field - 1).ok().and_then(|at| numbers.get_mut(at));
        match (slot, value) {
            (Some(slot), Value::Number(number)) => *slot = number,
            (Some(_), _) => return Err(DecodeError::NotAProfile),
            (None, _) => {}
        }
    }
    Ok(())
}

fn locations(
    messages: &[&[u8]],
    mapping_ids: &Ids,
    function_ids: &Ids,
) -> Result<(Vec<Location>, Ids), DecodeError> {
    let mut ids = Ids::new("a location that is there twice or not at all");
    let mut locations = Vec::with_capacity(messages.len());
    let mut line_count = 0;
    for message in messages {
        let mut location = Location::default();
        let mut id = 0;
        let mut fields = Fields::of(message);
        while let Some((field, value)) = fields.next()? {
            match (field, value) {
                (1, Value::Number(number)) => id = number,
                (2, Value::Number(0)) => location.mapping = None,
                (2, Value::Number(number)) => location.mapping = Some(mapping_ids.index(number)?),
                (3, Value::Number(number)) => location.address = number,
                (4, Value::Bytes(message)) => {
                    line_count += 1;
                    LINES.check(line_count)?;
                    let mut numbers = [0; 2];
                    read_numbers(message, &mut numbers)?;
                    // A line without a function says nothing.
                    if numbers[0] != 0 {
                        let function = function_ids.index(numbers[0])?;
                        location.lines.push(Line { function, line: numbers[1].cast_signed() });
                    }
                }
                (1..=4, _) => return Err(DecodeError::NotAProfile),
                _ => {}
            }
        }
        ids.add(id)?;
        locations.push(location);
    }
    Ok((locations, ids))
}

fn samples(
    messages: &[&[u8]],
    value_count: usize,
    location_ids: &Ids,
    texts: &mut Strings<'_>,
) -> Result<Vec<Sample>, DecodeError> {
    let mut samples = Vec::with_capacity(messages.len());
    let (mut frame_count, mut label_count) = (0, 0);
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    let values_limit = Limit { what: "values in a sample", most: value_count };
    for message in messages {
        let mut labels = Vec::new();
        ids.clear();
        values.clear();
        let mut fields = Fields::of(message);
        while let Some((field, value)) = fields.next()? {
            match (field, value) {
                (1, value) => numbers(value, &mut ids, FRAMES)?,
                (2, value) => numbers(value, &mut values, values_limit)?,
                (3, Value::Bytes(message)) => {
                    label_count += 1;
                    LABELS.check(label_count)?;
                    labels.push(label(message, texts)?);
                }
                (3, _) => return Err(DecodeError::NotAProfile),
                _ => {}
            }
        }
        if values.len() != value_count {
            return Err(DecodeError::Inconsistent("a sample without all its values"));
        }
        frame_count += ids.len();
        FRAMES.check(frame_count)?;
        let locations: Result<Vec<u32>, _> = ids.iter().map(|id| location_ids.index(*id)).collect();
        let values = values.iter().map(|value| value.cast_signed()).collect();
        samples.push(Sample { locations: locations?, values, labels });
    }
    Ok(samples)
}

fn label(message: &[u8], texts: &mut Strings<'_>) -> Result<Label, DecodeError> {
    let mut numbers = [0; 4];
    read_numbers(message, &mut numbers)?;
    let [key, text, value, unit] = numbers;
    let value = match texts.optional(text)? {
        Some(text) => LabelValue::Text(text),
        None => LabelValue::Number { value: value.cast_signed(), unit: texts.text(unit)? },
    };
    Ok(Label { key: texts.text(key)?, value })
}
