//! What tests read: numbered lines, plain and compressed, and real logs where they are at hand.
//! Never generates what a workload is about.

use std::fs;
use std::path::{Path, PathBuf};

/// How many lines [`lines`] has.
pub const LINES: usize = 2000;

/// `line 1` to `line 2000`, each with its newline.
pub fn lines() -> String {
    (1..=LINES).map(|number| format!("line {number}\n")).collect()
}

/// [`lines`] as gzip, in two members of half the lines each.
pub fn gzip() -> &'static [u8] {
    include_bytes!("../data/lines.gz")
}

/// [`lines`] as zstd, in two frames of half the lines each.
pub fn zstd() -> &'static [u8] {
    include_bytes!("../data/lines.zst")
}

/// The real system logs beside the repository, which are not part of it. Empty, and said so, when
/// they are not there.
pub fn real_logs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let mut logs: Vec<PathBuf> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    logs.sort();
    if logs.is_empty() {
        eprintln!("SKIPPED: no real logs in {}", folder.display());
    }
    logs
}
