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
}

/// The formats that inputs can be compressed with.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    Gzip,
    Zstd,
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
            let bytes = std::fs::metadata(&input.path)
                .with_context(|| format!("cannot read {}", input.path.display()))?
                .len();
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
    finish(path, Some(recipe.seed), |temporary| write_one(temporary, recipe, lines))
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
    if !path.is_file() || !record.is_file() {
        atomic::replace(&path, make)?;
        atomic::write(&record, digest::of_file(&path)?.as_bytes())?;
    }
    let sha256 = std::fs::read_to_string(&record)?;
    let bytes = std::fs::metadata(&path)?.len();
    Ok(Input { path, sha256, bytes, seed })
}

fn write_one(path: &Path, recipe: &Recipe, lines: u64) -> Result<()> {
    let create =
        || std::fs::File::create(path).with_context(|| format!("cannot make {}", path.display()));
    match recipe.compress {
        None => {
            let mut out = BufWriter::with_capacity(1 << 18, create()?);
            recipe.generator.write(recipe.seed, lines, &mut out)?;
            out.flush()?;
        }
        Some(Compression::Gzip) => {
            let out = BufWriter::new(create()?);
            let mut out = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
            recipe.generator.write(recipe.seed, lines, &mut out)?;
            out.finish()?.flush()?;
        }
        Some(Compression::Zstd) => {
            let mut plain = Vec::new();
            recipe.generator.write(recipe.seed, lines, &mut plain)?;
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            let packed = ruzstd::encoding::compress_to_vec(plain.as_slice(), level);
            create()?.write_all(&packed)?;
        }
    }
    Ok(())
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

    #[test]
    fn a_made_input_is_taken_again_and_has_the_recorded_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = Recipe {
            generator: Generator::Service,
            seed: 5,
            scale: 1.0,
            compress: Some(Compression::Gzip),
        };
        let first = make_one(dir.path(), "x", &recipe, 100).unwrap();
        let second = make_one(dir.path(), "x", &recipe, 100).unwrap();
        assert_eq!(first.sha256, second.sha256);
        assert!(digest::starts_with(&first.path, &[0x1f, 0x8b]));
    }
}
