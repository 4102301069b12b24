//! What share of its time a program spent in each function by itself, as dprofile tells it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Time per function, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shares {
    pub(crate) seconds: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Top {
    sample_type: SampleType,
    functions: Vec<Row>,
}

#[derive(Deserialize)]
struct SampleType {
    kind: String,
    unit: String,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    flat: i64,
}

impl Shares {
    /// Reads what `dprofile top -n 0 --json` prints about a CPU profile.
    pub(crate) fn of_dprofile(text: &str) -> Result<Self> {
        let top: Top = serde_json::from_str(text).context("dprofile's answer is not understood")?;
        let SampleType { kind, unit } = top.sample_type;
        let scale = match unit.as_str() {
            "nanoseconds" => 1e-9,
            "microseconds" => 1e-6,
            "milliseconds" => 1e-3,
            "seconds" => 1.0,
            _ => anyhow::bail!("it is no CPU profile: its values are {kind} in {unit}"),
        };
        let mut shares = Self::default();
        for Row { name, flat } in top.functions.into_iter().filter(|row| row.flat > 0) {
            *shares.seconds.entry(plain(&name)).or_default() += flat as f64 * scale;
        }
        Ok(shares)
    }

    /// All of it.
    pub(crate) fn total(&self) -> f64 {
        self.seconds.values().sum()
    }

    /// One function's share of the whole, 0 to 1.
    pub(crate) fn of(&self, function: &str) -> f64 {
        let total = self.total();
        if total > 0.0 { self.seconds.get(function).copied().unwrap_or(0.0) / total } else { 0.0 }
    }

    /// Adds another recording of the same work.
    pub(crate) fn add(&mut self, other: Self) {
        for (name, seconds) in other.seconds {
            *self.seconds.entry(name).or_default() += seconds;
        }
    }
}

/// A function's name without what differs from build to build: the digits that tell crates of one
/// name apart.
fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        let digits = after.split_once(']').filter(|(inside, _)| {
            inside.len() >= 8 && inside.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        match digits {
            Some((_, behind)) => rest = behind,
            None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    match plain.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|it| it.is_ascii_hexdigit()) => {
            name.to_owned()
        }
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dprofiles_answer_becomes_seconds() {
        let text = r#"{"sample_type": {"kind": "cpu", "unit": "nanoseconds"}, "total": 4,
            "functions": [{"name": "a[0123456789abcdef]::b", "flat": 3000000000, "cum": 0},
                          {"name": "a::b", "flat": 1000000000, "cum": 1}, {"name": "c", "flat": 0, "cum": 9}]}"#;
        let shares = Shares::of_dprofile(text).unwrap();
        assert_eq!(shares.seconds, BTreeMap::from([("a::b".to_owned(), 4.0)]));
        assert!((shares.of("a::b") - 1.0).abs() < 1e-9 && shares.of("c") == 0.0);
        let other = text.replace("nanoseconds", "bytes");
        let error = Shares::of_dprofile(&other).unwrap_err();
        assert_eq!(error.to_string(), "it is no CPU profile: its values are cpu in bytes");
        assert!(Shares::of_dprofile("[]").is_err());
    }

    #[test]
    fn names_are_those_of_any_build() {
        for (name, expected) in [
            ("<alloc[a1b2c3d4e5f60718]::vec::Vec<u8>>::push", "<alloc::vec::Vec<u8>>::push"),
            ("core::str::run::h0123456789abcdef", "core::str::run"),
            ("<[u8]>::sort", "<[u8]>::sort"),
            ("[libc.so.6]", "[libc.so.6]"),
            ("a::hash", "a::hash"),
        ] {
            assert_eq!(plain(name), expected);
        }
    }
}
