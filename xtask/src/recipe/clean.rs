//! `pgo-clean`: removes output folders of the pipeline, and only such.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::fault::{Fault, refuse};
use crate::lock::Lock;
use crate::recipe::plan::own_root;

/// Removes `out_dir`, or the default output folders.
pub(crate) fn clean(out_dir: Option<&Path>) -> Result<()> {
    let defaults = [own_root().join("target/pgo"), own_root().join("target/pgo-quick")];
    match out_dir {
        Some(folder) if !is_ours(folder) => {
            let text = format!("{} is not an output folder of the pipeline", folder.display());
            Err(refuse(Fault::Usage, text))
        }
        Some(folder) => remove(folder),
        None => defaults.iter().filter(|folder| folder.is_dir()).try_for_each(|f| remove(f)),
    }
}

/// Whether the pipeline made the folder. A workspace that was used as --out-dir is not ours.
fn is_ours(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).exists();
    has("lock") && !has("Cargo.toml") && !has(".git")
}

fn remove(folder: &Path) -> Result<()> {
    let _lock = Lock::take(folder)?;
    std::fs::remove_dir_all(folder)
        .with_context(|| format!("cannot remove {}", folder.display()))?;
    eprintln!("   removed {}", folder.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_ours_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(crate::fault::exit_code(&clean(Some(dir.path())).unwrap_err()), 2);
        drop(Lock::take(dir.path()).unwrap());
        std::fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        assert!(clean(Some(dir.path())).is_err());
        std::fs::remove_file(dir.path().join("Cargo.toml")).unwrap();
        clean(Some(dir.path())).unwrap();
        assert!(!dir.path().exists());
    }
}
