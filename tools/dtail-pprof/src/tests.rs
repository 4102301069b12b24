//! Profiles survive being written and read; everything else is an error of one line.

use std::io::Read;

use expect_test::{Expect, expect};
use flate2::read::GzDecoder;

use crate::*;

/// A profile with something in every field.
fn complete() -> Profile {
    let function = |name: &str, line| Function {
        name: name.into(),
        system_name: format!("_R{name}").into(),
        file: "src/main.rs".into(),
        start_line: line,
    };
    let number = LabelValue::Number { value: -5, unit: "bytes".into() };
    Profile {
        sample_types: vec![
            ValueType::new("samples", "count"),
            ValueType::new("cpu", "nanoseconds"),
        ],
        default_sample_type: Some("cpu".into()),
        samples: vec![
            Sample {
                locations: vec![1, 0, 1],
                values: vec![3, i64::MAX],
                labels: vec![
                    Label { key: "thread".into(), value: LabelValue::Text("crew".into()) },
                    Label { key: "size".into(), value: number },
                ],
            },
            Sample { locations: Vec::new(), values: vec![0, i64::MIN], labels: Vec::new() },
        ],
        locations: vec![
            Location {
                mapping: Some(0),
                address: u64::MAX,
                lines: vec![Line { function: 1, line: 7 }, Line { function: 0, line: -1 }],
            },
            Location::default(),
        ],
        functions: vec![function("größer", 1), function("main", 300)],
        mappings: vec![Mapping {
            start: 0x1000,
            limit: 0x2000,
            offset: 16,
            file: "/bin/cat".into(),
            build_id: "abcd".into(),
            has_functions: true,
            has_filenames: false,
            has_line_numbers: true,
            has_inline_frames: true,
        }],
        time_nanos: 1_700_000_000_000_000_000,
        duration_nanos: 5,
        period_type: Some(ValueType::new("cpu", "nanoseconds")),
        period: 10_000_000,
        comments: vec!["one".into(), "one".into(), "".into()],
        drop_frames: Some("malloc".into()),
        keep_frames: Some("keep".into()),
    }
}

fn encoded(profile: &Profile) -> Vec<u8> {
    let mut bytes = Vec::new();
    profile.encode(&mut bytes).unwrap();
    bytes
}

fn inflated(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

#[track_caller]
fn check(bytes: &[u8], expected: &Expect) {
    expected.assert_eq(&Profile::decode(bytes).unwrap_err().to_string());
}

/// A field of wire type 2.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2, bytes.len() as u8];
    field.extend_from_slice(bytes);
    field
}

/// The least that is a profile, with more fields behind it.
fn minimal(more: &[&[u8]]) -> Vec<u8> {
    [field(1, &[8, 1, 16, 2]), field(6, b""), field(6, b"cpu"), field(6, b"ns"), more.concat()]
        .concat()
}

#[test]
fn what_was_written_is_read() {
    let profile = complete();
    let bytes = encoded(&profile);
    assert_eq!(Profile::decode(&bytes).as_ref(), Ok(&profile));
    assert_eq!(Profile::decode(&inflated(&bytes)), Ok(profile));
    // A kind without samples, as Go writes when nothing was blocked.
    let empty = Profile { sample_types: vec![ValueType::new("a", "b")], ..Profile::default() };
    assert_eq!(Profile::decode(&encoded(&empty)), Ok(empty));
}

#[test]
fn every_cut_is_an_error_or_a_shorter_profile() {
    let bytes = encoded(&complete());
    for length in 2..bytes.len() {
        assert_eq!(Profile::decode(&bytes[..length]), Err(DecodeError::Truncated), "{length}");
    }
    // Without compression a cut between two fields is not seen, but no reference leads nowhere.
    let plain = inflated(&bytes);
    for length in 1..plain.len() {
        fuzzed::profiles(&plain[..length]);
    }
}

#[test]
fn any_changed_bit_is_survived() {
    let plain = inflated(&encoded(&complete()));
    for at in 0..plain.len() {
        for bit in 0..8 {
            let mut changed = plain.clone();
            changed[at] ^= 1 << bit;
            fuzzed::profiles(&changed);
        }
    }
    let mut random = fastrand::Rng::with_seed(6);
    for _ in 0..5_000 {
        let mut bytes: Vec<u8> = (0..random.usize(..64)).map(|_| random.u8(..24)).collect();
        fuzzed::profiles(&bytes);
        bytes.splice(0..0, [0x1f, 0x8b]);
        fuzzed::profiles(&bytes);
    }
}

#[test]
fn what_is_no_profile_is_named() {
    check(b"", &expect!["empty, so no profile was written"]);
    check(b"hello, world", &expect!["not a profile in pprof format"]);
    check(b"\x1f\x8bx", &expect!["truncated: the profile ends in the middle, record it again"]);
    check(&field(6, b""), &expect!["not a profile in pprof format"]);
    let mut damaged = encoded(&complete());
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    check(&damaged, &expect!["damaged: corrupt gzip stream does not have a matching checksum"]);
}

#[test]
fn references_are_checked() {
    check(
        &minimal(&[&field(2, &[8, 1, 16, 1])]),
        &expect!["damaged profile: a location that is there twice or not at all"],
    );
    check(
        &minimal(&[&field(4, &[8, 1, 34, 2, 8, 9])]),
        &expect!["damaged profile: a function that is there twice or not at all"],
    );
    check(
        &minimal(&[&field(4, &[8, 1, 16, 3])]),
        &expect!["damaged profile: a mapping that is there twice or not at all"],
    );
    check(
        &minimal(&[&field(4, &[8, 7]), &field(4, &[8, 7])]),
        &expect!["damaged profile: a location that is there twice or not at all"],
    );
    check(
        &minimal(&[&field(5, &[8, 1, 16, 77])]),
        &expect!["damaged profile: a text that is not in its table"],
    );
    check(
        &minimal(&[&field(2, &[])]),
        &expect!["damaged profile: a sample without all its values"],
    );
    check(
        &minimal(&[&field(2, &[18, 2, 1, 1])]),
        &expect!["too large a profile: more than 1 values in a sample"],
    );
}

#[test]
fn ids_may_be_any_and_numbers_need_not_be_packed() {
    // Locations 200 and 3; a sample that names them one by one; a field nobody knows.
    let bytes = minimal(&[
        &field(2, &[8, 3, 8, 200, 1, 8, 3, 16, 5]),
        &field(4, &[8, 200, 1, 24, 1]),
        &field(4, &[8, 3, 24, 2]),
        &[0x7d, 0, 0, 0, 0],
    ]);
    let profile = Profile::decode(&bytes).unwrap();
    assert_eq!(profile.samples[0].locations, [1, 0, 1]);
    assert_eq!(profile.samples[0].values, [5]);
    assert_eq!(profile.locations[1].address, 2);
    assert_eq!(Profile::decode(&encoded(&profile)), Ok(profile));
}

#[test]
fn a_little_file_does_not_become_a_giant() {
    // A gibibyte of zeros in a megabyte.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    (0..1025).for_each(|_| std::io::Write::write_all(&mut bomb, &zeros).unwrap());
    check(&bomb.finish().unwrap(), &expect!["too large a profile: more than 1073741824 bytes"]);
}

#[test]
fn what_leads_nowhere_is_not_written() {
    let mut profile = complete();
    profile.samples[0].locations.push(2);
    let mut bytes = Vec::new();
    let refusal = profile.encode(&mut bytes).unwrap_err().to_string();
    assert_eq!((refusal.as_str(), bytes.len()), ("a profile with a reference to nowhere", 0));
}
