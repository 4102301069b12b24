//! A profile to gzip'd protocol buffers. It never changes what it writes.

use std::collections::HashMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::profile::{Label, LabelValue, Profile, Sample, ValueType};
use crate::wire::Message;

impl Profile {
    /// Writes the profile, compressed. An index that leads nowhere and a sample whose values are
    /// not as many as the sample types are errors, and nothing is written then.
    pub fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
        self.check_references()?;
        let mut encoder = Encoder {
            out: GzEncoder::new(out, Compression::new(COMPRESSION)),
            strings: Strings { numbers: HashMap::from([("", 0)]), order: vec![""] },
            whole: Message::default(),
            scratch: Message::default(),
        };
        encoder.profile(self)?;
        encoder.out.finish()?.flush()
    }

    fn check_references(&self) -> io::Result<()> {
        let within = |index: u32, length: usize| (index as usize) < length;
        let samples = self.samples.iter().all(|sample| {
            sample.values.len() == self.sample_types.len()
                && sample.locations.iter().all(|at| within(*at, self.locations.len()))
        });
        let locations = self.locations.iter().all(|location| {
            location.mapping.is_none_or(|at| within(at, self.mappings.len()))
                && location.lines.iter().all(|line| within(line.function, self.functions.len()))
        });
        if samples && locations {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "a profile with a reference to nowhere"))
    }
}

/// Profiles are written at the end of a run, where nobody wants to wait.
const COMPRESSION: u32 = 1;

struct Encoder<'a, 'o> {
    out: GzEncoder<&'o mut dyn Write>,
    strings: Strings<'a>,
    /// What is written next, one field of the profile at a time.
    whole: Message,
    scratch: Message,
}

/// The table of strings, filled while the rest is written.
struct Strings<'a> {
    numbers: HashMap<&'a str, u64>,
    order: Vec<&'a str>,
}

impl<'a> Strings<'a> {
    fn number(&mut self, text: &'a str) -> u64 {
        *self.numbers.entry(text).or_insert_with(|| {
            self.order.push(text);
            self.order.len() as u64 - 1
        })
    }
}

impl<'a> Encoder<'a, '_> {
    fn profile(&mut self, profile: &'a Profile) -> io::Result<()> {
        for value_type in &profile.sample_types {
            let message = self.value_type(value_type);
            self.field(1, &message)?;
        }
        let mut message = Message::default();
        for sample in &profile.samples {
            message.bytes.clear();
            self.sample(sample, &mut message);
            self.field(2, &message)?;
        }
        self.mappings(profile)?;
        self.locations(profile)?;
        self.functions(profile)?;
        message.bytes.clear();
        self.facts(profile, &mut message);
        self.out.write_all(&message.bytes)?;
        for text in std::mem::take(&mut self.strings.order) {
            self.whole.bytes.clear();
            self.whole.within(6, text.as_bytes());
            self.out.write_all(&self.whole.bytes)?;
        }
        Ok(())
    }

    fn field(&mut self, field: u64, message: &Message) -> io::Result<()> {
        self.whole.bytes.clear();
        self.whole.within(field, &message.bytes);
        self.out.write_all(&self.whole.bytes)
    }

    fn value_type(&mut self, value_type: &'a ValueType) -> Message {
        let mut message = Message::default();
        message.number(1, self.strings.number(&value_type.kind));
        message.number(2, self.strings.number(&value_type.unit));
        message
    }

    fn sample(&mut self, sample: &'a Sample, message: &mut Message) {
        let locations = sample.locations.iter().map(|at| u64::from(*at) + 1);
        message.packed(1, locations, &mut self.scratch);
        let values = sample.values.iter().map(|value| value.cast_unsigned());
        message.packed(2, values, &mut self.scratch);
        for label in &sample.labels {
            let label = self.label(label);
            message.within(3, &label.bytes);
        }
    }

    fn label(&mut self, label: &'a Label) -> Message {
        let mut message = Message::default();
        message.number(1, self.strings.number(&label.key));
        match &label.value {
            LabelValue::Text(text) => message.number(2, self.strings.number(text)),
            LabelValue::Number { value, unit } => {
                message.signed(3, *value);
                message.number(4, self.strings.number(unit));
            }
        }
        message
    }

    fn mappings(&mut self, profile: &'a Profile) -> io::Result<()> {
        for (at, mapping) in profile.mappings.iter().enumerate() {
            let mut message = Message::default();
            message.number(1, at as u64 + 1);
            message.number(2, mapping.start);
            message.number(3, mapping.limit);
            message.number(4, mapping.offset);
            message.number(5, self.strings.number(&mapping.file));
            message.number(6, self.strings.number(&mapping.build_id));
            message.number(7, u64::from(mapping.has_functions));
            message.number(8, u64::from(mapping.has_filenames));
            message.number(9, u64::from(mapping.has_line_numbers));
            message.number(10, u64::from(mapping.has_inline_frames));
            self.field(3, &message)?;
        }
        Ok(())
    }

    fn locations(&mut self, profile: &'a Profile) -> io::Result<()> {
        let mut message = Message::default();
        for (at, location) in profile.locations.iter().enumerate() {
            message.bytes.clear();
            message.number(1, at as u64 + 1);
            message.number(2, location.mapping.map_or(0, |mapping| u64::from(mapping) + 1));
            message.number(3, location.address);
            for line in &location.lines {
                self.scratch.bytes.clear();
                self.scratch.number(1, u64::from(line.function) + 1);
                self.scratch.signed(2, line.line);
                message.within(4, &self.scratch.bytes);
            }
            self.field(4, &message)?;
        }
        Ok(())
    }

    fn functions(&mut self, profile: &'a Profile) -> io::Result<()> {
        let mut message = Message::default();
        for (at, function) in profile.functions.iter().enumerate() {
            message.bytes.clear();
            message.number(1, at as u64 + 1);
            message.number(2, self.strings.number(&function.name));
            message.number(3, self.strings.number(&function.system_name));
            message.number(4, self.strings.number(&function.file));
            message.signed(5, function.start_line);
            self.field(5, &message)?;
        }
        Ok(())
    }

    fn facts(&mut self, profile: &'a Profile, message: &mut Message) {
        let optional = |text: &'a Option<_>| text.as_deref().unwrap_or_default();
        message.number(7, self.strings.number(optional(&profile.drop_frames)));
        message.number(8, self.strings.number(optional(&profile.keep_frames)));
        message.signed(9, profile.time_nanos);
        message.signed(10, profile.duration_nanos);
        if let Some(period_type) = &profile.period_type {
            let period_type = self.value_type(period_type);
            message.within(11, &period_type.bytes);
        }
        message.signed(12, profile.period);
        let comments = profile.comments.iter().map(|text| self.strings.number(text));
        message.packed(13, comments, &mut self.scratch);
        message.number(14, self.strings.number(optional(&profile.default_sample_type)));
    }
}
