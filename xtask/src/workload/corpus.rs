//! The user's own log files as inputs: the first half of each trains, the second half evaluates.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::digest;
use crate::fault::{Fault, refuse};
use crate::workload::inputs::{Input, finish};
use crate::workload::{CORPUS_INPUTS, Kind};

/// Bytes read per file at most; a corpus is a sample, not an archive.
const BYTES_PER_FILE: u64 = 64 << 20;

/// Makes the wanted corpus inputs below `folder`, each of at least `data_size` lines: a small
/// corpus is repeated.
pub(crate) fn make(
    folder: &Path,
    pattern: &str,
    data_size: u64,
    wanted: &[&str],
) -> Result<Vec<(String, Input)>> {
    let (train, eval) = read_halves(&files(pattern)?)?;
    let mut made = Vec::new();
    for (name, kind) in CORPUS_INPUTS.iter().filter(|(name, _)| wanted.contains(name)) {
        let half = if *kind == Kind::Train { &train } else { &eval };
        let lines = half.iter().filter(|byte| **byte == b'\n').count() as u64;
        if lines == 0 {
            return Err(refuse(Fault::Usage, format!("--corpus {pattern}: no lines for {name}")));
        }
        let times = data_size.div_ceil(lines);
        let key = digest::of_bytes(half);
        let path = folder.join(format!("{name}-{}-{times}.log", &key[..12]));
        let input = finish(path, None, |temporary| {
            let mut out = std::fs::File::create(temporary)?;
            for _ in 0..times {
                out.write_all(half)?;
            }
            Ok(())
        })?;
        made.push(((*name).to_owned(), input));
    }
    Ok(made)
}

fn files(pattern: &str) -> Result<Vec<PathBuf>> {
    let usage = |text: String| refuse(Fault::Usage, format!("--corpus {pattern}: {text}"));
    let found = glob::glob(pattern).map_err(|error| usage(error.to_string()))?;
    let mut files: Vec<PathBuf> =
        found.collect::<Result<_, _>>().map_err(|error| usage(error.to_string()))?;
    files.retain(|path| path.is_file());
    if files.is_empty() {
        return Err(usage("no such file".to_owned()));
    }
    Ok(files)
}

/// Splits every file at a line border near its middle.
fn read_halves(files: &[PathBuf]) -> Result<(Vec<u8>, Vec<u8>)> {
    let (mut train, mut eval) = (Vec::new(), Vec::new());
    for path in files {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            let mut file = std::io::Read::take(std::fs::File::open(path)?, BYTES_PER_FILE);
            std::io::Read::read_to_end(&mut file, &mut bytes)?;
            Ok(bytes)
        };
        let bytes =
            read().with_context(|| format!("cannot read corpus file {}", path.display()))?;
        let middle = bytes.len() / 2;
        let border = bytes[middle..].iter().position(|byte| *byte == b'\n');
        let border = border.map_or(bytes.len(), |offset| middle + offset + 1);
        push_lines(&mut train, &bytes[..border]);
        push_lines(&mut eval, &bytes[border..]);
    }
    Ok((train, eval))
}

fn push_lines(half: &mut Vec<u8>, bytes: &[u8]) {
    half.extend_from_slice(bytes);
    if half.last().is_some_and(|byte| *byte != b'\n') {
        half.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_whole_lines_and_share_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.log"), "a1\na2\na3\na4\n").unwrap();
        std::fs::write(dir.path().join("b.log"), "b1\nb2 without end").unwrap();
        let pattern = dir.path().join("*.log").display().to_string();
        let (train, eval) = read_halves(&files(&pattern).unwrap()).unwrap();
        assert_eq!(String::from_utf8(train).unwrap(), "a1\na2\na3\nb1\nb2 without end\n");
        assert_eq!(String::from_utf8(eval).unwrap(), "a4\n");
    }

    #[test]
    fn a_corpus_that_matches_nothing_is_a_usage_error() {
        let error = files("/nonexistent/*.log").unwrap_err();
        assert_eq!(error.to_string(), "--corpus /nonexistent/*.log: no such file");
        assert_eq!(crate::fault::exit_code(&error), 2);
    }
}
