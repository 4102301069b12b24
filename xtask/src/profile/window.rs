//! What was counted between two copies of a profile that a running program keeps on disk, in LLVM's
//! text form. It copies nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::atomic;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::profile::profdata;
use crate::toolchain::Toolchain;
use crate::workload::window::Copies;

/// Writes the steady profile of run `name` and tells where.
pub(crate) fn steady(
    ctx: &Ctx,
    toolchain: &Toolchain,
    raw_dir: &Path,
    name: &str,
) -> Result<PathBuf> {
    let Copies { begin, end } = Copies::of(raw_dir, name);
    let text = |path: &Path| profdata::text(ctx, toolchain, Fault::Training, path);
    let between = between(&text(&begin)?, &text(&end)?)
        .map_err(|clause| refuse(Fault::Training, format!("{}: {clause}", end.display())))?;
    let path = raw_dir.join(format!("{name}.steady.proftext"));
    atomic::write(&path, between.as_bytes())?;
    Ok(path)
}

/// The later text with the earlier counts taken off.
fn between(before: &str, after: &str) -> Result<String, String> {
    let known = records(before)?;
    let known: BTreeMap<(&str, &str), Vec<u64>> =
        known.into_iter().map(|record| ((record.name, record.hash), record.counters)).collect();
    let mut text = String::from(":ir\n");
    for Record { name, hash, mut counters } in records(after)? {
        if let Some(earlier) = known.get(&(name, hash)) {
            if earlier.len() != counters.len() {
                return Err(format!("{name} has other counters than before"));
            }
            for (counter, earlier) in counters.iter_mut().zip(earlier) {
                *counter = counter.saturating_sub(*earlier);
            }
        }
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{name}\n{hash}\n{}\n", counters.len());
        for counter in counters {
            let _infallible = writeln!(text, "{counter}");
        }
        text.push('\n');
    }
    Ok(text)
}

/// A function of the text form: its name, the hash of its control flow, its counters.
struct Record<'a> {
    name: &'a str,
    hash: &'a str,
    counters: Vec<u64>,
}

/// Programs that keep their profile on disk count no values, so that counters are all there is.
fn records(text: &str) -> Result<Vec<Record<'_>>, String> {
    let mut lines = text
        .lines()
        .filter(|line| !(line.is_empty() || line.starts_with('#') || line.starts_with(':')));
    let mut all = Vec::new();
    while let Some(name) = lines.next() {
        let bad = || format!("{name} is not understood in the profile's text form");
        let hash = lines.next().ok_or_else(bad)?;
        let count: usize = lines.next().and_then(|it| it.parse().ok()).ok_or_else(bad)?;
        let counters: Option<Vec<u64>> =
            lines.by_ref().take(count).map(|it| it.parse().ok()).collect();
        let counters = counters.filter(|it| it.len() == count).ok_or_else(bad)?;
        all.push(Record { name, hash, counters });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = ":ir\nhandshake\n# Func Hash:\n1\n# Num Counters:\n2\n# Counter Values:\n30\n5\n\nserve\n7\n1\n100\n\n";

    #[test]
    fn what_happened_before_the_window_is_not_in_it() {
        let after = BEFORE.replace("100", "350") + "late\n9\n1\n4\n\n";
        let text = between(BEFORE, &after).unwrap();
        let expected = ":ir\nhandshake\n1\n2\n0\n0\n\nserve\n7\n1\n250\n\nlate\n9\n1\n4\n\n";
        assert_eq!(text, expected);
        let nothing = between(&text, &text).unwrap();
        assert_eq!(nothing.lines().filter(|line| *line == "0").count(), 4);
    }

    #[test]
    fn another_shape_is_refused() {
        let error = between(BEFORE, "serve\n7\n2\n1\n2\n").unwrap_err();
        assert_eq!(error, "serve has other counters than before");
        for bad in ["serve\n", "serve\n7\nx\n", "serve\n7\n3\n1\n", "serve\n7\n1\nx\n"] {
            assert!(between(BEFORE, bad).unwrap_err().starts_with("serve is not"), "{bad:?}");
        }
    }
}
