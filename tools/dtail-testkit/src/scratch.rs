//! A folder for one test. It is removed afterwards, but kept and named when the test fails.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

/// A new empty folder.
#[derive(Debug)]
pub struct Scratch {
    dir: Option<TempDir>,
    path: PathBuf,
}

impl Scratch {
    /// Makes the folder; its path has no symbolic link in it.
    #[track_caller]
    pub fn new() -> Scratch {
        let dir = tempfile::Builder::new().prefix("dtail-test-").tempdir();
        let dir = dir.expect("a test needs a temporary folder");
        let path = dir.path().canonicalize().expect("the folder was just made");
        Scratch { dir: Some(dir), path }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, with the folders above it, and returns its path.
    #[track_caller]
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).expect("folders of a test file");
        }
        fs::write(&path, bytes).expect("a test file");
        path
    }

    /// Appends to a file in one write, making it if need be.
    #[track_caller]
    pub fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let file = OpenOptions::new().create(true).append(true).open(self.path.join(name));
        file.expect("a test file").write_all(bytes.as_ref()).expect("a test file");
    }

    /// Reads a file.
    #[track_caller]
    pub fn read(&self, name: &str) -> Vec<u8> {
        let path = self.path.join(name);
        fs::read(&path).unwrap_or_else(|err| panic!("cannot read {}: {err}", path.display()))
    }
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("kept for a look: {}", dir.keep().display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::panic;

    use super::Scratch;

    #[test]
    fn the_folder_goes_unless_the_test_fails() {
        let scratch = Scratch::new();
        scratch.append("a", "1\n");
        scratch.append("a", "2\n");
        assert_eq!(scratch.read("a"), b"1\n2\n");
        let path = scratch.path().to_owned();
        drop(scratch);
        assert!(!path.exists());

        let failed = panic::catch_unwind(|| {
            let scratch = Scratch::new();
            panic::panic_any(scratch.path().to_owned());
        });
        let kept = failed.unwrap_err().downcast::<std::path::PathBuf>().unwrap();
        assert!(kept.exists());
        fs::remove_dir_all(*kept).unwrap();
    }
}
