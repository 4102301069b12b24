//! dgrep against the simplest filter there is, on real logs and over block borders.

use std::fs;

use dtail_testkit::{Scratch, inputs};

use crate::dgrep;

/// The lines of `log` that contain `needle`, as dgrep prints them.
fn filtered(log: &[u8], source: &str, needle: &str) -> Vec<u8> {
    let mut printed = Vec::new();
    let lines = log.strip_suffix(b"\n").unwrap_or(log).split(|byte| *byte == b'\n');
    for (number, line) in lines.enumerate() {
        if line.windows(needle.len()).any(|window| window == needle.as_bytes()) {
            printed.extend(format!("REMOTE|testhost|100|{}|{source}|", number + 1).into_bytes());
            printed.extend(line);
            printed.push(b'\n');
        }
    }
    printed
}

#[test]
fn real_logs_are_filtered() {
    for log in inputs::real_logs() {
        let scratch = Scratch::new();
        let bytes = fs::read(&log).unwrap();
        let source = log.file_name().unwrap().to_str().unwrap();
        for (needle, regex) in [
            ("error", "error"),
            ("error", "er{2}or"),
            ("a", "[a]"),
            ("nowhere at all", "nowhere at all"),
        ] {
            let expected = filtered(&bytes, source, needle);
            let finished = dgrep(&scratch, &["-regex", regex, log.to_str().unwrap()]).run();
            finished.exits(i32::from(expected.is_empty())).prints(&expected).says("");
        }
    }
}

#[test]
fn numbers_and_context_hold_over_block_borders() {
    let scratch = Scratch::new();
    let mut log = String::new();
    for number in 1..=100_000 {
        let mark = if number % 1000 == 0 { "needle" } else { "hay" };
        log.push_str(&format!("{number} {mark}\n"));
    }
    scratch.write("big.log", &log);
    let expected = filtered(log.as_bytes(), "big.log", "needle");
    dgrep(&scratch, &["-regex", "needle", "big.log"]).run().exits(0).prints(expected);

    let context =
        dgrep(&scratch, &["-plain", "-regex", "needle", "-before=2", "-after=1", "big.log"]);
    let around = |at: usize| (at - 2..=(at + 1).min(100_000)).map(|it| it - 1);
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let expected: String = (1..=100).flat_map(|it| around(it * 1000)).map(|it| lines[it]).collect();
    context.run().exits(0).prints(expected);
}
