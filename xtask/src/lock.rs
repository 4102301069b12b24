//! One pipeline at a time in one output folder.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use rustix::fs::{FlockOperation, flock};

use crate::fault::{Fault, refuse};

/// Held for the life of a recipe; the kernel releases it however the process ends.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `out_dir`, or says who holds it.
    pub(crate) fn take(out_dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(out_dir)
            .with_context(|| format!("cannot make folder {}", out_dir.display()))?;
        let path = out_dir.join("lock");
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).unwrap_or_default();
                return Err(refuse(
                    Fault::Usage,
                    format!(
                        "process {} is already working in {}; wait for it, or give another --out-dir",
                        holder.trim(),
                        out_dir.display()
                    ),
                ));
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        let refused = Lock::take(dir.path()).err().expect("must be refused");
        assert!(refused.to_string().contains("is already working in"), "{refused}");
        drop(first);
        Lock::take(dir.path()).unwrap();
    }
}
