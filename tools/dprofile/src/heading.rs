//! What every answer begins with: the file, what is shown of it, when it was recorded. It never
//! computes a share of a function.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::recording::Recording;
use crate::totals::Totals;
use crate::unit;

/// The lines for people.
pub(crate) fn lines(recording: &Recording, kind: usize, totals: &Totals) -> String {
    let profile = &recording.profile;
    let shown = recording.value_type(kind);
    let mut text = format!(
        "{}: {}, {} in {} {}",
        recording.path,
        shown.kind,
        unit::shown(totals.total, &shown.unit),
        totals.stacks,
        if totals.stacks == 1 { "stack" } else { "stacks" }
    );
    if profile.time_nanos > 0
        && let Ok(time) = Timestamp::from_nanosecond(i128::from(profile.time_nanos))
    {
        let time = time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string();
        text.push_str(&format!(", recorded {time}"));
    }
    if profile.duration_nanos > 0 {
        text.push_str(&format!(" over {}", unit::shown(profile.duration_nanos, "ns")));
        if &*shown.unit == "nanoseconds" {
            let cores = totals.total as f64 / profile.duration_nanos as f64;
            text.push_str(&format!(" ({:.0} % of one core)", 100.0 * cores));
        }
    }
    text.push('\n');
    let others = profile.sample_types.iter().enumerate().filter(|(at, _)| *at != kind);
    let others: Vec<&str> = others.map(|(_, it)| &*it.kind).collect();
    if !others.is_empty() {
        text.push_str(&format!("also there: --sample {}\n", others.join(", --sample ")));
    }
    if totals.stacks == 0 {
        text.push_str("no stack has a value: too short a run, or nothing of this kind happened\n");
    }
    text
}

/// The same as JSON, to which an answer adds its own.
pub(crate) fn json(recording: &Recording, kind: usize, totals: &Totals) -> Value {
    let profile = &recording.profile;
    let types: Vec<Value> = profile
        .sample_types
        .iter()
        .map(|it| json!({ "kind": &*it.kind, "unit": &*it.unit }))
        .collect();
    json!({
        "file": recording.path,
        "sample_type": types[kind],
        "sample_types": types,
        "total": totals.total,
        "stacks": totals.stacks,
        "time_nanos": profile.time_nanos,
        "duration_nanos": profile.duration_nanos,
    })
}

/// JSON as it is printed.
pub(crate) fn printed(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
