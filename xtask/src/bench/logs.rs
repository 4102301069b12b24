//! The data of the benches that need no server: logs of a size, many small ones, compressed ones,
//! lists of words. Seeded, kept for the next time, and never what anything is trained on.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::atomic;
use crate::bench::stage::Stage;
use crate::random::Random;
use crate::toolchain::in_path;
use crate::workload::generate::Generator;
use crate::workload::inputs::{self, Compression};

/// Seeds of benches begin here; those of `workloads/inputs.toml` are below.
const LOG_SEED: u64 = 911;
const SMALL_SEED: u64 = 912;
const PACKED_SEED: u64 = 913;
const WORD_SEED: u64 = 914;
/// How many small files there are; their names are short so that all fit into one command line.
pub(crate) const SMALL_FILES: usize = 10_000;
const SMALL_BYTES: u64 = 10_000;
/// Lines of every kind but `Long` are shorter.
const LINE_BYTES: u64 = 200;

/// A service log of at least `bytes`, ending with its first whole line beyond.
pub(crate) fn service(stage: &Stage<'_>, bytes: u64) -> Result<PathBuf> {
    of(stage, Generator::Service, bytes)
}

/// A log of at least `bytes`, ending with its first whole line beyond.
pub(crate) fn of(stage: &Stage<'_>, generator: Generator, bytes: u64) -> Result<PathBuf> {
    let name = format!("bench-{}{bytes}-v{}.log", kind(generator), Generator::VERSION);
    let path = stage.ctx.out_dir.join("inputs").join(name);
    let input = inputs::finish(path, Some(LOG_SEED), |temporary| {
        room(temporary, bytes)?;
        let mut out = BufWriter::with_capacity(1 << 18, std::fs::File::create(temporary)?);
        generator.write_bytes(LOG_SEED, bytes, &mut out)?;
        Ok(out.flush()?)
    })?;
    Ok(input.path)
}

/// A log of so many lines.
pub(crate) fn lines(stage: &Stage<'_>, generator: Generator, lines: u64) -> Result<PathBuf> {
    let name = format!("bench-{}{lines}-lines-v{}.log", kind(generator), Generator::VERSION);
    let path = stage.ctx.out_dir.join("inputs").join(name);
    let input = inputs::finish(path, Some(LOG_SEED), |temporary| {
        room(temporary, lines * LINE_BYTES)?;
        let mut out = BufWriter::with_capacity(1 << 18, std::fs::File::create(temporary)?);
        generator.write(LOG_SEED, lines, &mut out)?;
        Ok(out.flush()?)
    })?;
    Ok(input.path)
}

/// What a log's name says about its lines; nothing for service logs.
fn kind(generator: Generator) -> &'static str {
    match generator {
        Generator::Service => "",
        Generator::Mapreduce => "mapreduce-",
        Generator::Csv => "csv-",
        Generator::Keyvalue => "keyvalue-",
        Generator::Json => "json-",
        Generator::Long => "long-",
        Generator::Utf8 => "utf8-",
    }
}

/// The folder of the small files, and their names in it.
pub(crate) fn small_files(stage: &Stage<'_>) -> Result<(PathBuf, Vec<String>)> {
    let version = Generator::VERSION;
    let folder = stage.ctx.out_dir.join("inputs").join(format!("bench-small-v{version}"));
    let names: Vec<String> = (0..SMALL_FILES).map(|number| format!("{number:04}")).collect();
    let complete = folder.join("complete");
    if !complete.is_file() {
        atomic::fresh_dir(&folder)?;
        for (name, seed) in names.iter().zip(SMALL_SEED << 32..) {
            let mut bytes = Vec::new();
            Generator::Service.write_bytes(seed, SMALL_BYTES, &mut bytes)?;
            std::fs::write(folder.join(name), bytes).context("cannot write a small file")?;
        }
        atomic::write(&complete, b"")?;
    }
    Ok((folder, names))
}

/// A service log of about `bytes` before it was compressed: by the usual program when it is
/// installed, because that is what people's logs are made with, else by a crate.
pub(crate) fn packed(stage: &Stage<'_>, how: Compression, bytes: u64) -> Result<PathBuf> {
    packed_of(stage, Generator::Service, how, bytes)
}

/// The same of another kind of log.
pub(crate) fn packed_of(
    stage: &Stage<'_>,
    generator: Generator,
    how: Compression,
    bytes: u64,
) -> Result<PathBuf> {
    let (program, extension) = match how {
        Compression::Gzip => ("gzip", "gz"),
        Compression::Zstd => ("zstd", "zst"),
        Compression::Xz => ("xz", "xz"),
        Compression::Bzip2 => ("bzip2", "bz2"),
        Compression::Lz4 => ("lz4", "lz4"),
    };
    let kind = kind(generator);
    let name = format!("bench-{kind}{bytes}-v{}.log.{extension}", Generator::VERSION);
    let path = stage.ctx.out_dir.join("inputs").join(name);
    let input = inputs::finish(path, Some(PACKED_SEED), |temporary| {
        room(temporary, bytes)?;
        let Some(program) = in_path(program) else {
            let mut plain = Vec::new();
            generator.write_bytes(PACKED_SEED, bytes, &mut plain)?;
            return inputs::compress(how, &plain, temporary);
        };
        let out = std::fs::File::create(temporary)?;
        let mut command = Command::new(program);
        command.arg("-c").stdin(Stdio::piped()).stdout(out);
        let mut child = command.spawn().context("cannot run the compressor")?;
        let stdin = child.stdin.take().context("standard input was not piped")?;
        let mut stdin = BufWriter::with_capacity(1 << 18, stdin);
        let written = generator.write_bytes(PACKED_SEED, bytes, &mut stdin);
        let written = written.and_then(|()| stdin.flush());
        drop(stdin);
        let status = child.wait()?;
        written.context("cannot feed the compressor")?;
        anyhow::ensure!(status.success(), "the compressor failed");
        Ok(())
    })?;
    Ok(input.path)
}

/// A file of `count` words to search for at once: one that is in 1 % of the lines, and others that
/// are in none but look as if they could be.
pub(crate) fn words(stage: &Stage<'_>, count: usize) -> Result<PathBuf> {
    let path = stage.folder.join(format!("words-{count}"));
    atomic::write(&path, word_list(count).as_bytes())?;
    Ok(path)
}

fn word_list(count: usize) -> String {
    const SYLLABLES: [&str; 8] = ["us", "er", "ad", "fail", "log", "back", "sy", "nc"];
    let mut random = Random::new(WORD_SEED);
    let mut list = "user777\n".to_owned();
    for number in 1..count {
        let length = 2 + random.below(3);
        (0..length).for_each(|_| list.push_str(random.pick(&SYLLABLES)));
        list.push_str(&format!("-{number:04}\n"));
    }
    list
}

/// Refuses to fill the disk: twice the bytes must be free where `path` shall be.
pub(crate) fn room(path: &Path, bytes: u64) -> Result<()> {
    let folder = path.parent().context("a file lies in a folder")?;
    let fs = rustix::fs::statvfs(folder).context("cannot ask for free disk space")?;
    let free = fs.f_bavail * fs.f_frsize;
    anyhow::ensure!(
        free / 2 >= bytes,
        "{:.1} GB free in {}, but {:.1} GB are needed: free some, or use a smaller --data-size",
        free as f64 / 1e9,
        folder.display(),
        2.0 * bytes as f64 / 1e9
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_nobody_elses() {
        let text = include_str!("../../../workloads/inputs.toml");
        let table: toml::Table = text.parse().unwrap();
        let seeds = table.values().filter_map(|input| input.get("seed")?.as_integer());
        assert!(seeds.max().unwrap() < 900);
    }

    #[test]
    fn all_words_but_the_first_are_in_no_line() {
        let list = word_list(100);
        let words: Vec<&str> = list.lines().collect();
        assert_eq!((words.len(), words[0]), (100, "user777"));
        let mut log = Vec::new();
        Generator::Service.write_bytes(1, 100_000, &mut log).unwrap();
        let log = String::from_utf8(log).unwrap();
        assert!(log.contains(words[0]));
        assert!(words[1..].iter().all(|word| !log.contains(word)));
    }

    #[test]
    fn a_disk_is_not_filled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        assert!(room(&path, 1000).is_ok());
        assert!(room(&path, u64::MAX / 4).unwrap_err().to_string().contains("--data-size"));
    }
}
