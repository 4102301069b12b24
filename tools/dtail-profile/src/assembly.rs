//! From stacks of addresses to a profile in pprof format with names. It measures nothing.

use std::collections::HashMap;
use std::time::SystemTime;

use dtail_pprof::{
    Function, Label, LabelValue, Line, Location, Mapping, Profile, Sample, Text, ValueType,
};

use crate::machine::{self, MappedFile};
use crate::symbols::{Frame, Symbols};

/// Functions that only pass a wish for memory on, by the beginnings of their names: in a profile
/// of the heap they would hide who wished.
const ALLOCATION: [&str; 12] = [
    "dtail_profile::allocator::",
    "<dtail_profile::allocator::",
    "__rust_",
    "__rustc::",
    "__rustc[",
    "alloc::alloc::",
    "<alloc::alloc::",
    "alloc::raw_vec::",
    "<alloc::raw_vec::",
    "alloc::boxed::Box",
    "hashbrown::raw::alloc",
    "__rdl_",
];

/// A profile that is being put together.
pub(crate) struct Assembly {
    symbols: Symbols,
    profile: Profile,
    locations: HashMap<u64, Option<u32>>,
    functions: HashMap<(String, String), u32>,
    texts: HashMap<String, Text>,
    hides_allocation: bool,
}

impl Assembly {
    /// An empty profile of these sample types, given as kind and unit, taken since `started`.
    pub(crate) fn new(sample_types: &[(&str, &str)], started: SystemTime) -> Assembly {
        let since = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let symbols = Symbols::new(machine::mapped_files());
        let profile = Profile {
            sample_types: sample_types
                .iter()
                .map(|(kind, unit)| ValueType::new(kind, unit))
                .collect(),
            mappings: symbols.files().map(mapping).collect(),
            time_nanos: nanoseconds(since),
            duration_nanos: nanoseconds(started.elapsed().unwrap_or_default()),
            ..Profile::default()
        };
        Assembly {
            symbols,
            profile,
            locations: HashMap::new(),
            functions: HashMap::new(),
            texts: HashMap::new(),
            hides_allocation: false,
        }
    }

    /// Leaves out functions that only pass a wish for memory on.
    pub(crate) fn hide_allocation(&mut self) {
        self.hides_allocation = true;
    }

    /// The profile, for what describes it as a whole.
    pub(crate) fn profile(&mut self) -> &mut Profile {
        &mut self.profile
    }

    /// Adds a stack, the innermost address first.
    pub(crate) fn add(&mut self, stack: &[u64], values: Vec<i64>, labels: &[(&str, &str)]) {
        let locations = stack.iter().filter_map(|address| self.location(*address)).collect();
        let labels = labels.iter().filter(|(_, value)| !value.is_empty());
        let label = |&(key, value): &(&str, &str)| Label {
            key: key.into(),
            value: LabelValue::Text(value.into()),
        };
        let labels = labels.map(label).collect();
        self.profile.samples.push(Sample { locations, values, labels });
    }

    /// Adds a stack of one name that is no function.
    pub(crate) fn add_named(&mut self, name: &str, values: Vec<i64>) {
        let function = self.function(name.to_owned(), name.to_owned(), String::new());
        let lines = vec![Line { function, line: 0 }];
        let index = index(self.profile.locations.len());
        self.profile.locations.push(Location { mapping: None, address: 0, lines });
        self.profile.samples.push(Sample { locations: vec![index], values, labels: Vec::new() });
    }

    /// The finished profile.
    pub(crate) fn finish(self) -> Profile {
        self.profile
    }

    /// None for a place that is nothing but left out.
    fn location(&mut self, address: u64) -> Option<u32> {
        if let Some(known) = self.locations.get(&address) {
            return *known;
        }
        let (mapping, frames) = self.symbols.resolve(address);
        let hidden = match self.hides_allocation {
            true => frames.iter().take_while(|frame| passes_on(&frame.name)).count(),
            false => 0,
        };
        let lines: Vec<Line> = frames
            .into_iter()
            .skip(hidden)
            .map(|Frame { name, system_name, file, line }| Line {
                function: self.function(name, system_name, file),
                line: i64::from(line),
            })
            .collect();
        let location = (!lines.is_empty()).then(|| {
            let location = Location { mapping: mapping.map(index), address, lines };
            let at = index(self.profile.locations.len());
            self.profile.locations.push(location);
            at
        });
        self.locations.insert(address, location);
        location
    }

    fn function(&mut self, name: String, system_name: String, file: String) -> u32 {
        let key = (name, file);
        if let Some(known) = self.functions.get(&key) {
            return *known;
        }
        let at = index(self.profile.functions.len());
        let function = Function {
            name: key.0.as_str().into(),
            system_name: system_name.into(),
            file: self.text(&key.1),
            start_line: 0,
        };
        self.profile.functions.push(function);
        self.functions.insert(key, at);
        at
    }

    fn text(&mut self, text: &str) -> Text {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let shared: Text = text.into();
        self.texts.insert(text.to_owned(), shared.clone());
        shared
    }
}

fn passes_on(name: &str) -> bool {
    ALLOCATION.iter().any(|beginning| name.starts_with(beginning))
}

fn mapping(file: &MappedFile) -> Mapping {
    Mapping {
        start: file.range.start,
        limit: file.range.end,
        offset: file.offset,
        file: file.name.as_str().into(),
        build_id: file.build_id.as_str().into(),
        // All four, for otherwise `go tool pprof` looks names up itself and loses ours.
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        has_inline_frames: true,
    }
}

fn index(index: usize) -> u32 {
    u32::try_from(index).expect("no profile has so many parts")
}

/// A time as profiles hold it.
pub(crate) fn nanoseconds(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}
