//! The profiles in a folder, known by their names. It never reads them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::heading;
use crate::recording::clean;
use crate::unit;

/// A profile in a folder.
struct Entry {
    name: String,
    tool: String,
    kind: String,
    modified: SystemTime,
    bytes: u64,
}

/// The table, the newest profile first.
pub(crate) fn render(folder: &Path, as_json: bool) -> Result<Vec<u8>, String> {
    let shown = folder.display();
    let cannot = |err: std::io::Error| format!("cannot read {shown}: {err}");
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What has vanished meanwhile is no entry.
        let Ok(metadata) = std::fs::metadata(entry.path()) else { continue };
        if !metadata.is_file() || !is_profile(&name) {
            continue;
        }
        let (tool, kind) = parts(&name);
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let (tool, kind) = (clean(tool), clean(kind));
        entries.push(Entry { tool, kind, name: clean(&name), modified, bytes: metadata.len() });
    }
    entries.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.name.cmp(&b.name)));
    Ok(if as_json { to_json(folder, &entries) } else { table(folder, &entries) })
}

fn time(entry: &Entry) -> Option<Timestamp> {
    Timestamp::try_from(entry.modified).ok()
}

fn to_json(folder: &Path, entries: &[Entry]) -> Vec<u8> {
    let profiles = entries.iter().map(|entry| {
        json!({
            "name": entry.name, "tool": entry.tool, "kind": entry.kind, "bytes": entry.bytes,
            "modified": time(entry).map(|time| time.to_string()),
        })
    });
    let profiles: Vec<Value> = profiles.collect();
    heading::printed(&json!({ "folder": folder.to_string_lossy(), "profiles": profiles }))
}

fn table(folder: &Path, entries: &[Entry]) -> Vec<u8> {
    if entries.is_empty() {
        return format!("no profiles in {}\n", folder.display()).into_bytes();
    }
    let mut text =
        format!("{:<12} {:<16} {:<19} {:>10}  name\n", "tool", "kind", "written", "size");
    for entry in entries {
        let time = time(entry).map(|time| {
            time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        });
        let _infallible = writeln!(
            text,
            "{:<12} {:<16} {:<19} {:>10}  {}",
            entry.tool,
            entry.kind,
            time.unwrap_or_default(),
            unit::shown(i64::try_from(entry.bytes).unwrap_or(i64::MAX), "bytes"),
            entry.name,
        );
    }
    text.into_bytes()
}

fn is_profile(name: &str) -> bool {
    let endings = [".prof", ".pprof", ".pgo", ".pb.gz", ".pb"];
    !name.starts_with('.') && endings.iter().any(|ending| name.ends_with(ending))
}

/// Tool and kind of a name such as `dgrep_cpu_20261121_120000.prof`.
fn parts(name: &str) -> (&str, &str) {
    let stem = name.split('.').next().unwrap_or_default();
    let Some((tool, rest)) = stem.split_once('_') else { return ("", "") };
    // The kind ends where the date begins; a label of a snapshot may have underscores.
    let is_date = |at: &usize| {
        let date = &rest.as_bytes()[at + 1..];
        date.len() >= 15 && date[8] == b'_' && date[..8].iter().all(u8::is_ascii_digit)
    };
    match rest.match_indices('_').map(|(at, _)| at).find(is_date) {
        Some(at) => (tool, &rest[..at]),
        None => ("", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_profile, parts};

    #[test]
    fn names_say_what_a_profile_is() {
        assert_eq!(parts("dgrep_cpu_20261121_120000.prof"), ("dgrep", "cpu"));
        assert_eq!(
            parts("dmap_snapshot_after_load_20261121_120000_2.prof"),
            ("dmap", "snapshot_after_load")
        );
        assert_eq!(parts("default.pgo"), ("", ""));
        assert_eq!(parts("a_b_c.prof"), ("", ""));
        assert!(is_profile("x.pb.gz") && !is_profile("x.gz") && !is_profile(".x.prof"));
    }
}
