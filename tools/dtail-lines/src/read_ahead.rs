//! What the system is told about how a file will be read: the only place that depends on it.

use std::fs::File;

/// The file will be read from its start to its end. Nothing is lost but time when the system does
/// not read ahead.
#[cfg(target_os = "linux")]
pub(crate) fn sequentially(file: &File) {
    let _ahead = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Sequential);
}

/// Other systems find out by themselves.
#[cfg(not(target_os = "linux"))]
pub(crate) fn sequentially(_file: &File) {}
