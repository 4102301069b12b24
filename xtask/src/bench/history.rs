//! Programs that were put aside to be compared with later ones: a folder for each tag, with the
//! programs, what they cost then, and the facts without which that means nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::cargo::{Bin, Bins};
use crate::compare::rounds::CaseCost;
use crate::ctx::Artefact as _;
use crate::fault::{Fault, refuse};
use crate::report::machine::Machine;
use crate::report::table::Table;

/// The layout of `saved.json`; raised when a field changes its meaning.
const SCHEMA: u32 = 1;
const RECORD: &str = "saved.json";

/// One tag.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) schema: u32,
    pub(crate) tag: String,
    /// RFC 3339, UTC.
    pub(crate) time: String,
    pub(crate) commit: Option<String>,
    /// Whether tracked files differed from that commit.
    pub(crate) dirty: bool,
    pub(crate) machine: Machine,
    /// rustc's release.
    pub(crate) compiler: String,
    /// None for programs out of --bin-dir.
    pub(crate) cargo_profile: Option<String>,
    pub(crate) data_size: u64,
    pub(crate) rounds: u32,
    pub(crate) programs: Bins,
    pub(crate) cases: Vec<CaseCost>,
}

impl Saved {
    pub(crate) const SCHEMA: u32 = SCHEMA;
}

/// The folder of all tags.
pub(crate) struct History {
    folder: PathBuf,
}

impl History {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder of a tag, whose name must be one that any file system takes.
    fn of(&self, tag: &str) -> Result<PathBuf> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if tag.is_empty() || tag.starts_with('.') || !tag.chars().all(is_plain) {
            let text = format!("tag {tag:?}: letters, digits, '.', '_' and '-', no '.' in front");
            return Err(refuse(Fault::Usage, text));
        }
        Ok(self.folder.join(tag))
    }

    /// Refuses a tag that is taken: what others compare with is not replaced by accident.
    pub(crate) fn check_free(&self, tag: &str) -> Result<()> {
        if self.of(tag)?.exists() {
            let text = format!(
                "tag {tag} is taken (cargo xtask bench list); remove it with: cargo xtask bench clean {tag}"
            );
            return Err(refuse(Fault::Usage, text));
        }
        Ok(())
    }

    /// Copies the programs and writes the record; the tag appears when both are whole.
    pub(crate) fn save(&self, mut saved: Saved) -> Result<PathBuf> {
        let folder = self.of(&saved.tag)?;
        atomic::replace(&folder, |temporary| {
            std::fs::create_dir_all(temporary)?;
            for Bin { tool, path, .. } in &mut saved.programs.bins {
                std::fs::copy(&*path, temporary.join(&*tool))
                    .with_context(|| format!("cannot copy {}", path.display()))?;
                *path = folder.join(&*tool);
            }
            atomic::write_json(&temporary.join(RECORD), &saved)
        })?;
        Ok(folder)
    }

    /// The programs of a tag, unchanged since they were saved.
    pub(crate) fn load(&self, tag: &str) -> Result<Saved> {
        let folder = self.of(tag)?;
        if !folder.is_dir() {
            let known: Vec<String> = self.all()?.into_iter().map(|saved| saved.tag).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let text = format!(
                "no tag {tag}; there are: {known}; make one with: cargo xtask bench save {tag}"
            );
            return Err(refuse(Fault::Usage, text));
        }
        let saved = read(&folder)?;
        let changed = |error: anyhow::Error| {
            refuse(Fault::Quality, format!("tag {tag} is damaged: {error:#}; save it again"))
        };
        saved.programs.verify().map_err(changed)?;
        Ok(saved)
    }

    /// All tags, the oldest first.
    pub(crate) fn all(&self) -> Result<Vec<Saved>> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for entry in entries {
            let folder = entry?.path();
            if folder.join(RECORD).is_file() {
                all.push(read(&folder)?);
            }
        }
        all.sort_by(|a, b| (&a.time, &a.tag).cmp(&(&b.time, &b.tag)));
        Ok(all)
    }

    /// Removes one tag.
    pub(crate) fn remove(&self, tag: &str) -> Result<()> {
        let folder = self.of(tag)?;
        if !folder.join(RECORD).is_file() {
            return Err(refuse(Fault::Usage, format!("no tag {tag} (cargo xtask bench list)")));
        }
        std::fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))
    }
}

fn read(folder: &Path) -> Result<Saved> {
    let path = folder.join(RECORD);
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let saved: Option<Saved> = serde_json::from_slice(&bytes).ok();
    saved.filter(|saved| saved.schema == SCHEMA).ok_or_else(|| {
        let text = format!("{} is not of this version; remove its folder", path.display());
        refuse(Fault::Quality, text)
    })
}

/// What `bench list` prints.
pub(crate) fn list(all: &[Saved]) -> Table {
    let mut table =
        Table::new(&["tag", "saved", "commit", "compiler", "profile", "cases", "machine"]);
    for saved in all {
        let commit = saved.commit.as_deref().map_or("unknown", |text| &text[..text.len().min(9)]);
        table.row([
            saved.tag.clone(),
            saved.time.clone(),
            format!("{commit}{}", if saved.dirty { " with changes" } else { "" }),
            saved.compiler.clone(),
            saved.cargo_profile.clone().unwrap_or_else(|| "--bin-dir".to_owned()),
            saved.cases.len().to_string(),
            format!("{} × {}", saved.machine.cores, saved.machine.cpu),
        ]);
    }
    table
}

/// What `bench run` prints.
pub(crate) fn costs(cases: &[CaseCost]) -> Table {
    let mut table = Table::new(&["tool", "case", "median [95 %]", "peak memory"]);
    for cost in cases {
        let (median, low, high) = cost.seconds;
        let ms = |seconds: f64| format!("{:.1}", seconds * 1e3);
        let measure = &cost.measure;
        table.row([
            cost.tool.clone(),
            cost.case.clone(),
            format!("{} ms [{}, {}] {measure}", ms(median), ms(low), ms(high)),
            cost.memory.map_or_else(String::new, |bytes| format!("{:.1} MB", bytes as f64 / 1e6)),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;

    fn saved(folder: &Path, tag: &str) -> Saved {
        let path = folder.join("built");
        std::fs::write(&path, "program").unwrap();
        let bin = Bin {
            tool: "dcat".to_owned(),
            sha256: digest::of_file(&path).unwrap(),
            path,
            bytes: 7,
        };
        Saved {
            schema: SCHEMA,
            tag: tag.to_owned(),
            time: "2026-01-02T03:04:05Z".to_owned(),
            commit: None,
            dirty: false,
            machine: Machine::now(),
            compiler: "1.0.0".to_owned(),
            cargo_profile: None,
            data_size: 100,
            rounds: 3,
            programs: Bins { rustflags: Vec::new(), bins: vec![bin] },
            cases: Vec::new(),
        }
    }

    #[test]
    fn what_is_saved_is_loaded_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let history = History::new(dir.path().join("saved"));
        assert!(history.all().unwrap().is_empty());
        let folder = history.save(saved(dir.path(), "before")).unwrap();
        let loaded = history.load("before").unwrap();
        assert_eq!(loaded.programs.of("dcat").unwrap().path, folder.join("dcat"));
        assert_eq!(history.all().unwrap().len(), 1);
        assert!(history.check_free("before").is_err() && history.check_free("after").is_ok());
        std::fs::write(folder.join("dcat"), "another").unwrap();
        let error = history.load("before").unwrap_err();
        assert_eq!(crate::fault::exit_code(&error), Fault::Quality.code());
        history.remove("before").unwrap();
        assert!(history.load("before").is_err() && history.remove("before").is_err());
    }

    #[test]
    fn a_tag_is_no_path() {
        let history = History::new(PathBuf::from("nowhere"));
        for tag in ["", "..", "a/b", ".hidden", "a b"] {
            let error = history.check_free(tag).unwrap_err();
            assert_eq!(crate::fault::exit_code(&error), Fault::Usage.code(), "{tag:?}");
        }
    }
}
