//! A profile as text for people, in the manner of Go's `debug=1`.

use std::fmt::Write as _;

use dtail_pprof::{LabelValue, Profile};

/// The most valuable stacks first, each with its functions.
pub(super) fn of(profile: &Profile, name: &str) -> String {
    let sum = |at: usize| profile.samples.iter().map(|it| it.values[at]).sum::<i64>();
    let mut text = format!("{name} profile:");
    for (at, kind) in profile.sample_types.iter().enumerate() {
        let _text_takes_all = write!(text, " {}={}", kind.kind, sum(at));
    }
    text.push('\n');
    for comment in &profile.comments {
        let _text_takes_all = writeln!(text, "# {comment}");
    }
    let mut samples: Vec<_> = profile.samples.iter().collect();
    samples.sort_by_key(|sample| std::cmp::Reverse(sample.values.last().copied()));
    for sample in samples {
        let values: Vec<String> = sample.values.iter().map(i64::to_string).collect();
        let _text_takes_all = write!(text, "\n{} @", values.join(" "));
        for label in &sample.labels {
            if let LabelValue::Text(value) = &label.value {
                let _text_takes_all = write!(text, " {}={value}", label.key);
            }
        }
        text.push('\n');
        for location in &sample.locations {
            let location = &profile.locations[*location as usize];
            for line in &location.lines {
                let function = &profile.functions[line.function as usize];
                let _text_takes_all = writeln!(
                    text,
                    "#\t{:#x}\t{}\t{}:{}",
                    location.address, function.name, function.file, line.line
                );
            }
        }
    }
    text
}
