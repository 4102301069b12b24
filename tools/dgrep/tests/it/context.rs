//! Long generated logs against grep, so that context, numbers and limits hold over block borders.

use dtail_testkit::Scratch;

use crate::{dgrep, peer};

/// A log in which matches are now close together and now far apart.
fn log() -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut log = String::new();
    for number in 1..=60_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = match (number / 1000) % 3 {
            0 if state.is_multiple_of(3) => "needle",
            1 if state.is_multiple_of(400) => "needle",
            2 if state.is_multiple_of(7) => "needle and needle",
            _ => "hay",
        };
        log.push_str(&format!("{number} {word} {}\n", "x".repeat((state % 90) as usize)));
    }
    log
}

#[test]
fn everything_is_as_grep_has_it() {
    let scratch = Scratch::new();
    scratch.write("big.log", log());
    scratch.write("small.log", "needle\nhay\n");
    for flags in [
        "-nH",
        "-c",
        "-o",
        "-nHv",
        "-nH -A1",
        "-nH -B3",
        "-nH -C2",
        "-nH -v -C1",
        "-nm7",
        "-on",
        "-ci",
        "-nw -m500",
        "-nH -B2 -m3",
    ] {
        for expression in ["needle", "n[e]+dle", "(needle|99 hay) x+$"] {
            let words: Vec<&str> = flags.split(' ').collect();
            let tail = ["-e", expression, "big.log", "small.log"];
            let Some(grep) = peer(&scratch, "/usr/bin/grep", &["-E", "--group-separator=--"])
            else {
                return;
            };
            let expected = grep.args(&words).args(tail).run();
            let dgrep = dgrep(&scratch, &["--plain", "--context-separator"]).args(&words);
            let named: &[&str] =
                if flags.contains('H') || flags.starts_with("-c") { &[] } else { &["-H"] };
            let finished = dgrep.args(named).args(tail).run();
            finished.exits(expected.code().unwrap_or(-1)).prints(&expected.stdout).says("");
        }
    }
}
