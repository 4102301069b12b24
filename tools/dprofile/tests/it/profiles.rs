//! Profiles to ask about. They are made here, so that the answers are known.

use dtail_pprof::{Function, Line, Location, Mapping, Profile, Sample, ValueType};

/// A profile of two sample types, `samples` and `cpu`, of stacks such as `3 main run`: how many
/// samples of 10 ms, then names from the root to the leaf.
pub(crate) fn profile(stacks: &[&str]) -> Profile {
    let mut profile = empty();
    for stack in stacks {
        let mut words = stack.split(' ');
        let count: i64 = words.next().and_then(|word| word.parse().ok()).expect("a count");
        let mut locations: Vec<u32> = words
            .map(|name| {
                let function = function(&mut profile, name);
                let known =
                    profile.locations.iter().position(|it| it.lines[0].function == function);
                known.map_or_else(|| location(&mut profile, &[(function, 10)]), |at| at as u32)
            })
            .collect();
        locations.reverse();
        let values = vec![count, count * 10_000_000];
        profile.samples.push(Sample { locations, values, labels: Vec::new() });
    }
    profile
}

/// Many stacks of few functions: with inlined frames, recursion and lines.
pub(crate) fn random(seed: u64, stacks: usize) -> Profile {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut profile = empty();
    let functions: Vec<u32> =
        (0..40).map(|at| function(&mut profile, &format!("crate_{}::work_{at}", at % 7))).collect();
    for _ in 0..200 {
        let inlined = random.usize(1..4);
        let lines: Vec<(u32, i64)> =
            (0..inlined).map(|_| (functions[random.usize(..40)], random.i64(1..300))).collect();
        location(&mut profile, &lines);
    }
    for _ in 0..stacks {
        let depth = random.usize(1..12);
        let count = random.i64(1..50);
        profile.samples.push(Sample {
            locations: (0..depth).map(|_| random.u32(..200)).collect(),
            values: vec![count, count * 10_000_000],
            labels: Vec::new(),
        });
    }
    profile
}

fn empty() -> Profile {
    let mapping = Mapping {
        start: 0x1000,
        limit: 0xffff_ffff,
        offset: 0,
        file: "/bin/x".into(),
        build_id: "".into(),
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        has_inline_frames: true,
    };
    Profile {
        sample_types: vec![
            ValueType::new("samples", "count"),
            ValueType::new("cpu", "nanoseconds"),
        ],
        mappings: vec![mapping],
        time_nanos: 1_700_000_000_000_000_000,
        duration_nanos: 200_000_000,
        period_type: Some(ValueType::new("cpu", "nanoseconds")),
        period: 10_000_000,
        ..Profile::default()
    }
}

fn function(profile: &mut Profile, name: &str) -> u32 {
    let known = profile.functions.iter().position(|it| &*it.name == name);
    known.unwrap_or_else(|| {
        profile.functions.push(Function {
            name: name.into(),
            system_name: name.into(),
            file: "src/work.rs".into(),
            start_line: 1,
        });
        profile.functions.len() - 1
    }) as u32
}

fn location(profile: &mut Profile, lines: &[(u32, i64)]) -> u32 {
    let at = profile.locations.len();
    profile.locations.push(Location {
        mapping: Some(0),
        address: 0x1000 + 16 * at as u64,
        lines: lines
            .iter()
            .map(|(function, line)| Line { function: *function, line: *line })
            .collect(),
    });
    at as u32
}

/// The file's bytes.
pub(crate) fn encoded(profile: &Profile) -> Vec<u8> {
    let mut bytes = Vec::new();
    profile.encode(&mut bytes).expect("no reference to nowhere");
    bytes
}
