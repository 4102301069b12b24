//! Files that are either whole or not there: write to a temporary sibling, then rename.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Runs `make` on a temporary path beside `path` and renames the result into place.
/// On any error the temporary file is removed and `path` is what it was before.
pub(crate) fn replace(path: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let directory = path.parent().with_context(|| format!("{} has no folder", path.display()))?;
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make folder {}", directory.display()))?;
    let temporary = Temporary(temporary_name(path));
    make(&temporary.0)?;
    fs::rename(&temporary.0, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes `bytes` to `path`, whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |temporary| {
        fs::write(temporary, bytes).with_context(|| format!("cannot write {}", path.display()))
    })
}

/// Writes `value` as indented JSON with a final newline.
pub(crate) fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    text.push('\n');
    write(path, text.as_bytes())
}

/// Empties `directory`, making it if it is missing.
pub(crate) fn fresh_dir(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot empty {}", directory.display()));
        }
        _ => {}
    }
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make folder {}", directory.display()))
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

/// Removes the file when dropped; after a successful rename there is nothing left to remove.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Absence is the normal case, and a left-over is harmless: it never has the final name.
        drop(fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_make_leaves_the_old_file_and_no_rest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("profile");
        write(&path, b"old").unwrap();
        let failed = replace(&path, |temporary| {
            fs::write(temporary, b"half")?;
            anyhow::bail!("stopped")
        });
        assert_eq!(failed.unwrap_err().to_string(), "stopped");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
