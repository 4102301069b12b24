//! A profile that was read: its stacks as frames with names for people. It never adds anything up.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use dtail_pprof::{Profile, Sample, ValueType};

use crate::prune;

/// A file larger than this is no profile anybody can work with; the format's own limit is lower
/// still for what is not compressed.
const MOST_BYTES: u64 = 1 << 30;

/// A profile and what its locations are called.
pub(crate) struct Recording {
    /// The file, as it was named.
    pub(crate) path: String,
    pub(crate) profile: Profile,
    /// Each function's name, once.
    pub(crate) names: Vec<String>,
    /// Each source file, once; the first is the unknown one.
    pub(crate) files: Vec<String>,
    /// The frames of all locations, one location after the other, the innermost first.
    frames: Vec<Frame>,
    /// Where the frames of each location end.
    ends: Vec<usize>,
}

/// A line of a function in a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    /// Index into [`Recording::names`].
    pub(crate) name: u32,
    /// Index into [`Recording::files`].
    pub(crate) file: u32,
    pub(crate) line: i64,
}

impl Recording {
    /// Reads a file; `-` is standard input.
    pub(crate) fn load(path: &Path) -> Result<Recording, String> {
        let shown = if path.as_os_str() == "-" {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let bytes = read(path).map_err(|err| format!("cannot read {shown}: {err}"))?;
        let profile = Profile::decode(&bytes).map_err(|err| format!("{shown}: {err}"))?;
        drop(bytes);
        Recording::new(shown, profile)
    }

    pub(crate) fn new(path: String, mut profile: Profile) -> Result<Recording, String> {
        prune::prune(&mut profile).map_err(|err| format!("{path}: {err}"))?;
        for value_type in &mut profile.sample_types {
            value_type.kind = clean(&value_type.kind).into();
            value_type.unit = clean(&value_type.unit).into();
        }
        let mut names = Interned::default();
        let mut files = Interned::default();
        files.number("");
        let functions: Vec<(u32, u32)> = profile
            .functions
            .iter()
            .map(|it| {
                (
                    names.number(&shown_name(&it.name, &it.system_name)),
                    files.number(&clean(&it.file)),
                )
            })
            .collect();
        let (mut frames, mut ends) = (Vec::new(), Vec::with_capacity(profile.locations.len()));
        for location in &profile.locations {
            if location.lines.is_empty() {
                let mapping = location.mapping.map(|at| &profile.mappings[at as usize]);
                let file = mapping.map_or("", |it| &it.file);
                let name = names.number(&unknown(location.address, file));
                frames.push(Frame { name, file: 0, line: 0 });
            }
            frames.extend(location.lines.iter().map(|line| {
                let (name, file) = functions[line.function as usize];
                Frame { name, file, line: line.line }
            }));
            ends.push(frames.len());
        }
        Ok(Recording { path, profile, names: names.texts, files: files.texts, frames, ends })
    }

    /// Which of the sample types is meant; without a wish the one the profile prefers.
    pub(crate) fn kind(&self, wish: Option<&str>) -> Result<usize, String> {
        let types = &self.profile.sample_types;
        let find = |kind: &str| types.iter().position(|it| &*it.kind == kind);
        let Some(wish) = wish else {
            let own = self.profile.default_sample_type.as_deref().and_then(find);
            return Ok(own.unwrap_or(types.len() - 1));
        };
        find(wish).ok_or_else(|| {
            let kinds: Vec<&str> = types.iter().map(|it| &*it.kind).collect();
            format!("no sample type {wish} in {}, which has {}", self.path, kinds.join(", "))
        })
    }

    pub(crate) fn value_type(&self, kind: usize) -> &ValueType {
        &self.profile.sample_types[kind]
    }

    /// The frames of a sample, those of the leaf first.
    #[inline]
    pub(crate) fn stack<'a>(
        &'a self,
        sample: &'a Sample,
    ) -> impl DoubleEndedIterator<Item = &'a Frame> {
        sample.locations.iter().flat_map(|at| {
            let at = *at as usize;
            let start = if at == 0 { 0 } else { self.ends[at - 1] };
            &self.frames[start..self.ends[at]]
        })
    }

    /// The stacks that have a value of this kind, with it.
    pub(crate) fn stacks(&self, kind: usize) -> impl Iterator<Item = (&Sample, i64)> {
        let with_value = move |sample| -> (&Sample, i64) { (sample, sample.values[kind]) };
        self.profile.samples.iter().map(with_value).filter(|(_, value)| *value != 0)
    }
}

/// Numbers for texts.
#[derive(Default)]
pub(crate) struct Interned {
    numbers: HashMap<String, u32>,
    pub(crate) texts: Vec<String>,
}

impl Interned {
    pub(crate) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        // A profile has at most some millions of them.
        let number = self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    } else {
        let file = File::open(path)?;
        bytes.reserve_exact(usize::try_from(file.metadata()?.len().min(MOST_BYTES)).unwrap_or(0));
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than any profile"));
    }
    Ok(bytes)
}

/// The name for people. Names of Rust that were left as linkers know them are made readable.
fn shown_name(name: &str, system_name: &str) -> String {
    let name = if name.is_empty() { system_name } else { name };
    match rustc_demangle::try_demangle(name) {
        Ok(readable) => clean(&format!("{readable:#}")),
        Err(_) if name.is_empty() => "[no name]".to_owned(),
        Err(_) => clean(name),
    }
}

/// What a place is called whose function nobody knows.
fn unknown(address: u64, file: &str) -> String {
    match Path::new(file).file_name() {
        Some(file) => format!("{address:#x} [{}]", clean(&file.to_string_lossy())),
        None => format!("{address:#x}"),
    }
}

/// A text without what a terminal would act on and XML does not allow: profiles may come from
/// anybody.
pub(crate) fn clean(text: &str) -> String {
    let unwanted = |it: char| it.is_control() || matches!(it, '\u{fffe}' | '\u{ffff}');
    text.replace(unwanted, "\u{fffd}")
}

#[cfg(test)]
pub(crate) mod tests {
    use dtail_pprof::{Function, Line, Location, Profile, Sample, ValueType};

    use super::{Recording, shown_name, unknown};

    /// A recording of stacks such as `3 main run [inner outer]`: a value, then locations from the
    /// root to the leaf; in brackets what was inlined into one, innermost first. A name may have
    /// a line, as in `main:7`.
    pub(crate) fn recorded(stacks: &[&str]) -> Recording {
        Recording::new("a.prof".to_owned(), profile(stacks)).unwrap()
    }

    pub(crate) fn profile(stacks: &[&str]) -> Profile {
        let mut profile = Profile {
            sample_types: vec![ValueType::new("cpu", "nanoseconds")],
            ..Profile::default()
        };
        for stack in stacks {
            let (value, mut rest) = stack.split_once(' ').unwrap();
            let mut locations = Vec::new();
            while !rest.is_empty() {
                let place;
                if let Some(inlined) = rest.strip_prefix('[') {
                    (place, rest) = inlined.split_once(']').unwrap();
                    rest = rest.trim_start();
                } else {
                    (place, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                }
                let lines = place.split(' ').map(|name| line(&mut profile, name)).collect();
                profile.locations.push(Location { lines, ..Location::default() });
                locations.insert(0, profile.locations.len() as u32 - 1);
            }
            let values = vec![value.parse().unwrap()];
            profile.samples.push(Sample { locations, values, labels: Vec::new() });
        }
        profile
    }

    fn line(profile: &mut Profile, name: &str) -> Line {
        let (name, line) = name.split_once(':').unwrap_or((name, "0"));
        let known = profile.functions.iter().position(|it| &*it.name == name);
        let function = known.unwrap_or_else(|| {
            profile.functions.push(Function {
                name: name.into(),
                system_name: name.into(),
                file: format!("{name}.rs").into(),
                start_line: 1,
            });
            profile.functions.len() - 1
        });
        Line { function: function as u32, line: line.parse().unwrap() }
    }

    #[test]
    fn the_profile_chooses_its_sample_type_unless_the_user_does() {
        let mut profile = profile(&[]);
        profile.sample_types.insert(0, ValueType::new("samples", "count"));
        let recording = Recording::new("a.prof".to_owned(), profile.clone()).unwrap();
        assert_eq!((recording.kind(None), recording.kind(Some("samples"))), (Ok(1), Ok(0)));
        let refusal = recording.kind(Some("heap")).unwrap_err();
        assert_eq!(refusal, "no sample type heap in a.prof, which has samples, cpu");
        profile.default_sample_type = Some("samples".into());
        assert_eq!(Recording::new(String::new(), profile).unwrap().kind(None), Ok(0));
    }

    #[test]
    fn names_are_for_people() {
        assert_eq!(
            shown_name("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", ""),
            "core::fmt::Write::write_fmt"
        );
        assert_eq!(shown_name("_RNvC6_123foo3bar", ""), "123foo::bar");
        assert_eq!(shown_name("", "_start"), "_start");
        assert_eq!(shown_name("runtime.(*mheap).alloc", ""), "runtime.(*mheap).alloc");
        assert_eq!(unknown(255, "/lib/libc.so.6"), "0xff [libc.so.6]");
        assert_eq!(unknown(255, ""), "0xff");
        assert_eq!(shown_name("\x1b[2Jevil\n", ""), "\u{fffd}[2Jevil\u{fffd}");
    }
}
