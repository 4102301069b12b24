//! The list of what an installation put below its prefix: written at install, and read by the
//! uninstaller, which then removes those files and no others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::fault::{Fault, refuse};
use crate::{atomic, digest};

/// The list, below the prefix. One `digest  path` on each line, as sha256sum prints and checks.
const LIST: &str = "share/dtail/installed";

/// Files by their path below the prefix, each with its digest.
pub(crate) struct Installed {
    prefix: PathBuf,
    files: BTreeMap<String, String>,
}

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Removed,
    /// Somebody changed it since, so it is theirs.
    Kept,
    Gone,
}

impl Installed {
    /// What earlier installations left below `prefix`.
    pub(crate) fn read(prefix: &Path) -> Result<Self> {
        let path = prefix.join(LIST);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            other => other.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let pairs = text.lines().filter_map(|line| line.split_once("  "));
        let files = pairs.map(|(digest, path)| (path.to_owned(), digest.to_owned())).collect();
        Ok(Self { prefix: prefix.to_owned(), files })
    }

    /// Notes a file that is below the prefix now.
    pub(crate) fn add(&mut self, path: &Path) -> Result<()> {
        let name = path.strip_prefix(&self.prefix)?.to_string_lossy().into_owned();
        self.files.insert(name, digest::of_file(path)?);
        Ok(())
    }

    /// Writes the list.
    pub(crate) fn write(&self) -> Result<()> {
        let lines = self.files.iter().map(|(path, digest)| format!("{digest}  {path}\n"));
        atomic::write(&self.prefix.join(LIST), lines.collect::<String>().as_bytes())
    }

    /// Refuses a prefix in which nothing was installed.
    pub(crate) fn ensure_some(&self) -> Result<()> {
        if !self.files.is_empty() {
            return Ok(());
        }
        let text = format!(
            "nothing was installed below {} (no {LIST}); say where with --prefix DIR",
            self.prefix.display()
        );
        Err(refuse(Fault::Usage, text))
    }

    /// The files' paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.files.keys().map(|name| self.prefix.join(name))
    }

    /// Removes the files, the list, and the folders that are empty then; tells each file's fate.
    pub(crate) fn remove(&self) -> Result<Vec<(PathBuf, Fate)>> {
        let mut fates = Vec::new();
        for (name, digest) in &self.files {
            let path = self.prefix.join(name);
            let fate = match digest::of_file(&path) {
                Err(_) if !path.exists() => Fate::Gone,
                found if found.as_ref().is_ok_and(|found| found == digest) => {
                    std::fs::remove_file(&path)
                        .with_context(|| format!("cannot remove {}", path.display()))?;
                    Fate::Removed
                }
                _ => Fate::Kept,
            };
            fates.push((path, fate));
        }
        let list = self.prefix.join(LIST);
        std::fs::remove_file(&list).with_context(|| format!("cannot remove {}", list.display()))?;
        for path in self.paths().chain([list]) {
            let folders = path.ancestors().skip(1).take_while(|folder| *folder != self.prefix);
            // A folder with something else in it stays, and so do those above it.
            let _stopped_at = folders.map(std::fs::remove_dir).find(Result::is_err);
        }
        Ok(fates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_but_what_others_put_there() {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path();
        let put = |name: &str| {
            let path = prefix.join(name);
            atomic::write(&path, name.as_bytes()).unwrap();
            path
        };
        let mut installed = Installed::read(prefix).unwrap();
        assert_eq!(crate::fault::exit_code(&installed.ensure_some().unwrap_err()), 2);
        for name in ["bin/dcat", "bin/dgrep", "share/man/man1/dcat.1"] {
            installed.add(&put(name)).unwrap();
        }
        installed.write().unwrap();
        // A second installation knows of the first; another's file and a changed one stay.
        let mut again = Installed::read(prefix).unwrap();
        again.add(&put("bin/dmap")).unwrap();
        again.write().unwrap();
        put("bin/other");
        std::fs::write(prefix.join("bin/dgrep"), "mine").unwrap();
        let fates = Installed::read(prefix).unwrap().remove().unwrap();
        let fate = |name: &str| &fates.iter().find(|(path, _)| path.ends_with(name)).unwrap().1;
        assert_eq!(
            (fate("dcat"), fate("dmap"), fate("dgrep")),
            (&Fate::Removed, &Fate::Removed, &Fate::Kept)
        );
        let mut left: Vec<_> = walkdir::WalkDir::new(prefix)
            .into_iter()
            .flatten()
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| entry.path().strip_prefix(prefix).unwrap().display().to_string())
            .collect();
        left.sort();
        assert_eq!(left, ["bin/dgrep", "bin/other"]);
        assert!(!prefix.join("share").exists());
    }
}
