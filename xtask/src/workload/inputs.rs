//! Makes the input files that workloads name, once per recipe and size, and proves that training
//! and evaluation do not share content.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::ctx::{Artefact, Ctx};
use crate::fault::{Fault, refuse};
use crate::progress::Progress;
use crate::workload::generate::Generator;
use crate::workload::{Kind, Workloads, corpus};
use crate::{atomic, digest};

/// How to make one input.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    pub(crate) generator: Generator,
    pub(crate) seed: u64,
    /// Lines relative to `--data-size`.
    #[serde(default = "one")]
    pub(crate) scale: f64,
    pub(crate) compress: Option<Compression>,
    /// The lines are spread over a folder of so many files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<u32>,
}

/// The formats that inputs can be compressed with.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
    Lz4,
}

fn one() -> f64 {
    1.0
}

/// A made input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    /// The generator's seed; none for a corpus.
    pub(crate) seed: Option<u64>,
}

/// All inputs of a run, by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Inputs(pub(crate) BTreeMap<String, Input>);

impl Inputs {
    /// The input named `name`.
    pub(crate) fn of(&self, name: &str) -> Result<&Input> {
        self.0
            .get(name)
            .with_context(|| format!("input {name} was not made; run again with --from inputs"))
    }
}

impl Artefact for Inputs {
    fn verify(&self) -> Result<()> {
        for input in self.0.values() {
            let bytes = length(&input.path)
                .with_context(|| format!("cannot read {}", input.path.display()))?;
            anyhow::ensure!(bytes == input.bytes, "{} has changed", input.path.display());
        }
        Ok(())
    }
}

/// Makes every input that the loaded cases name.
pub(crate) fn make(
    ctx: &Ctx,
    workloads: &Workloads,
    data_size: u64,
    corpus: Option<&str>,
) -> Result<Inputs> {
    let folder = ctx.out_dir.join("inputs");
    let mut kinds: BTreeMap<&str, Kind> = BTreeMap::new();
    for case in workloads.tools.iter().flat_map(|tool| &tool.cases) {
        kinds.extend(case.inputs().into_iter().map(|input| (input, case.kind)));
    }
    let mut made = BTreeMap::new();
    if let Some(pattern) = corpus {
        let wanted: Vec<_> = kinds.keys().copied().collect();
        made.extend(corpus::make(&folder, pattern, data_size, &wanted)?);
    }
    let recipes: Vec<_> =
        workloads.inputs.iter().filter(|(name, _)| kinds.contains_key(name.as_str())).collect();
    let mut progress = Progress::new("inputs", recipes.len() as u64);
    for (name, recipe) in recipes {
        ctx.children.check()?;
        progress.say(name);
        made.insert(name.clone(), make_one(&folder, name, recipe, data_size)?);
        progress.step();
    }
    refuse_equal(&made, &kinds)?;
    Ok(Inputs(made))
}

/// Makes one input of `data_size` lines for scale 1, or takes the file that is there.
pub(crate) fn make_one(
    folder: &Path,
    name: &str,
    recipe: &Recipe,
    data_size: u64,
) -> Result<Input> {
    let lines = recipe.lines(data_size);
    let path = recipe.path(folder, name, data_size)?;
    finish(path, Some(recipe.seed), |temporary| match recipe.files {
        Some(count) => write_folder(temporary, recipe, lines / u64::from(count.max(1)), count),
        None => write_one(temporary, recipe, lines),
    })
}

impl Recipe {
    fn lines(&self, data_size: u64) -> u64 {
        ((data_size as f64 * self.scale) as u64).max(10)
    }

    /// Where the input is made. The name holds a digest of everything that decides its content.
    pub(crate) fn path(&self, folder: &Path, name: &str, data_size: u64) -> Result<PathBuf> {
        let (recipe, lines) = (serde_json::to_string(self)?, self.lines(data_size));
        let identity = format!("{recipe}\n{lines}\n{}", Generator::VERSION);
        let extension = match self.compress {
            Some(Compression::Gzip) => "log.gz",
            Some(Compression::Zstd) => "log.zst",
            Some(Compression::Xz) => "log.xz",
            Some(Compression::Bzip2) => "log.bz2",
            Some(Compression::Lz4) => "log.lz4",
            None if self.files.is_some() => "files",
            None => "log",
        };
        let key = digest::of_bytes(identity.as_bytes());
        Ok(folder.join(format!("{name}-{}.{extension}", &key[..12])))
    }
}

/// Takes the file if an earlier run made it, or makes it; its digest is kept beside it.
pub(crate) fn finish(
    path: PathBuf,
    seed: Option<u64>,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<Input> {
    let record = path.with_added_extension("sha256");
    if !path.exists() || !record.is_file() {
        if path.is_dir() {
            std::fs::remove_dir_all(&path)?;
        }
        atomic::replace(&path, make)?;
        atomic::write(&record, digest_of(&path)?.as_bytes())?;
    }
    let sha256 = std::fs::read_to_string(&record)?;
    let bytes = length(&path)?;
    Ok(Input { path, sha256, bytes, seed })
}

/// The bytes of a file, or of all files of a folder.
fn length(path: &Path) -> std::io::Result<u64> {
    if !path.is_dir() {
        return Ok(std::fs::metadata(path)?.len());
    }
    std::fs::read_dir(path)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

/// The digest of a file, or of all files of a folder in the order of their names.
fn digest_of(path: &Path) -> Result<String> {
    if !path.is_dir() {
        return digest::of_file(path);
    }
    let mut files = std::fs::read_dir(path)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    let mut all = digest::Digest::default();
    for file in files {
        all.update(digest::of_file(&file)?.as_bytes());
    }
    Ok(all.finish())
}

/// Many small files, each with a seed of its own.
fn write_folder(path: &Path, recipe: &Recipe, lines: u64, count: u32) -> Result<()> {
    // What an interrupted run left has the name of its process and is not ours.
    atomic::fresh_dir(path)?;
    for (number, seed) in (0..count).zip(recipe.seed << 32..) {
        let one = Recipe { seed, files: None, ..recipe.clone() };
        write_one(&path.join(format!("{number:05}.log")), &one, lines.max(1))?;
    }
    Ok(())
}

fn write_one(path: &Path, recipe: &Recipe, lines: u64) -> Result<()> {
    let Some(how) = recipe.compress else {
        let mut out = BufWriter::with_capacity(1 << 18, create(path)?);
        recipe.generator.write(recipe.seed, lines, &mut out)?;
        return Ok(out.flush()?);
    };
    let mut plain = Vec::new();
    recipe.generator.write(recipe.seed, lines, &mut plain)?;
    compress(how, &plain, path)
}

fn create(path: &Path) -> Result<std::fs::File> {
    std::fs::File::create(path).with_context(|| format!("cannot make {}", path.display()))
}

/// Writes `plain` to `path`, compressed by crates: the same bytes on every machine.
pub(crate) fn compress(how: Compression, plain: &[u8], path: &Path) -> Result<()> {
    let mut out = BufWriter::new(create(path)?);
    match how {
        Compression::Gzip => {
            let mut packer = flate2::write::GzEncoder::new(&mut out, flate2::Compression::fast());
            packer.write_all(plain)?;
            packer.finish()?;
        }
        Compression::Zstd => {
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            out.write_all(&ruzstd::encoding::compress_to_vec(plain, level))?;
        }
        Compression::Xz => {
            let options = lzma_rust2::XzOptions::with_preset(1);
            let mut packer = lzma_rust2::XzWriter::new(&mut out, options)?;
            packer.write_all(plain)?;
            packer.finish()?;
        }
        Compression::Bzip2 => {
            let mut packer = bzip2::write::BzEncoder::new(&mut out, bzip2::Compression::fast());
            packer.write_all(plain)?;
            packer.finish()?;
        }
        Compression::Lz4 => {
            let mut packer = lz4_flex::frame::FrameEncoder::new(&mut out);
            packer.write_all(plain)?;
            packer.finish().context("lz4")?;
        }
    }
    Ok(out.flush()?)
}

/// Names and seeds may differ and the content still be the same, so the content decides.
fn refuse_equal(made: &BTreeMap<String, Input>, kinds: &BTreeMap<&str, Kind>) -> Result<()> {
    let mut seen: BTreeMap<&str, (&str, Kind)> = BTreeMap::new();
    for (name, input) in made {
        let Some(&kind) = kinds.get(name.as_str()) else { continue };
        match seen.insert(&input.sha256, (name, kind)) {
            Some((other, other_kind)) if other_kind != kind => {
                return Err(refuse(
                    Fault::Usage,
                    format!(
                        "inputs {other} and {name} have the same content, but one is for training and one for evaluation"
                    ),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(sha256: &str) -> Input {
        Input { path: PathBuf::new(), sha256: sha256.to_owned(), bytes: 0, seed: None }
    }

    #[test]
    fn equal_content_in_training_and_evaluation_is_refused() {
        let kinds = BTreeMap::from([("a", Kind::Train), ("b", Kind::Eval), ("c", Kind::Train)]);
        let made =
            |a, b, c| [("a", a), ("b", b), ("c", c)].map(|(n, s)| (n.to_owned(), input(s))).into();
        assert!(refuse_equal(&made("1", "1", "2"), &kinds).is_err());
        assert!(refuse_equal(&made("1", "2", "1"), &kinds).is_ok());
    }

    #[track_caller]
    fn check(how: Compression, magic: &[u8]) {
        let dir = tempfile::tempdir().unwrap();
        let recipe = Recipe {
            generator: Generator::Service,
            seed: 5,
            scale: 1.0,
            compress: Some(how),
            files: None,
        };
        let first = make_one(dir.path(), "x", &recipe, 100).unwrap();
        let second = make_one(dir.path(), "x", &recipe, 100).unwrap();
        assert_eq!(first.sha256, second.sha256);
        assert!(digest::starts_with(&first.path, magic));
    }

    #[test]
    fn a_folder_of_files_is_one_input() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = Recipe {
            generator: Generator::Service,
            seed: 6,
            scale: 1.0,
            compress: None,
            files: Some(20),
        };
        let first = make_one(dir.path(), "x", &recipe, 100).unwrap();
        let second = make_one(dir.path(), "x", &recipe, 100).unwrap();
        assert_eq!((&first.sha256, first.bytes), (&second.sha256, second.bytes));
        let text = |name: &str| std::fs::read_to_string(first.path.join(name)).unwrap();
        assert_eq!(text("00000.log").lines().count(), 5);
        assert_ne!(text("00000.log"), text("00019.log"));
        let inputs = Inputs(BTreeMap::from([("x".to_owned(), first.clone())]));
        assert!(inputs.verify().is_ok());
        std::fs::write(first.path.join("00003.log"), "x").unwrap();
        assert!(inputs.verify().is_err());
    }

    #[test]
    fn a_made_input_is_taken_again_and_is_of_its_format() {
        check(Compression::Gzip, &[0x1f, 0x8b]);
        check(Compression::Zstd, &[0x28, 0xb5, 0x2f, 0xfd]);
        check(Compression::Xz, b"\xfd7zXZ\0");
        check(Compression::Bzip2, b"BZh");
        check(Compression::Lz4, &[0x04, 0x22, 0x4d, 0x18]);
    }
}
