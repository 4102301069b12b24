//! The growing-file fixture: writes, rotates and truncates a log while a tool follows it, and
//! waits for the tool to show each mark before it goes on. Nothing here sleeps.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde::Deserialize;

use crate::child::{Finished, Running};
use crate::digest::Digest;

/// A case's pattern must let lines with this word through: it tells how far the tool has come.
const MARK: &str = "workload-mark";
const FILE: &str = "growing.log";

/// How the followed file grows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Growing {
    /// The input whose lines are written.
    pub(crate) input: String,
    /// How often the file is rotated by rename.
    #[serde(default)]
    renames: usize,
    /// How often it is truncated and written anew.
    #[serde(default)]
    truncations: usize,
    /// Its first part is there before the tool starts, for a tool that is told where to begin.
    #[serde(default)]
    begun: bool,
}

/// The followed file in the case's scratch folder.
pub(crate) fn path(scratch: &Path) -> PathBuf {
    scratch.join(FILE)
}

/// Whether the fixture made the file named `name`.
pub(crate) fn owns(name: &str) -> bool {
    name.starts_with(FILE)
}

/// Makes what has to be there before the tool starts.
pub(crate) fn prepare(growing: &Growing, source: &Path, scratch: &Path) -> Result<()> {
    if !growing.begun {
        return Ok(());
    }
    let lines = fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
    let mut begun = split_at_lines(&lines, growing.parts())[0].to_vec();
    begun.extend_from_slice(marked_line(0).as_bytes());
    fs::write(path(scratch), begun).context("cannot write the growing file")
}

impl Growing {
    fn parts(&self) -> usize {
        self.renames + self.truncations + 1
    }
}

/// Feeds the running tool, ends it with SIGTERM after the last mark, and digests its output.
///
/// Unless it has begun, the file does not exist when the tool starts: a follower names it on standard error, because it
/// waits for it, and reads it from its beginning when it appears, so that the output is the same in
/// every run. A tool that ends or is ended early ends the feeding too, because its output closes.
pub(crate) fn drive(
    growing: &Growing,
    source: &Path,
    scratch: &Path,
    mut running: Running,
    limit: Duration,
) -> Result<(Digest, Finished)> {
    let stdout = running.take_stdout().context("standard output was not piped")?;
    let group = running.group();
    let (say, said) = sync_channel(1);
    let (marks, seen) = sync_channel(1);
    let (finished, digest, fed) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || digest_and_report(stdout, &marks));
        let feeder = scope.spawn(move || {
            // What has begun shows its mark; nobody says anything about it.
            let ready = if growing.begun { Ok(()) } else { said.recv() };
            let fed = ready.map_err(|_gone| Feed::Gone);
            let fed = fed.and_then(|()| feed(growing, source, &path(scratch), &seen));
            group.signal(Signal::TERM);
            fed
        });
        let finished = running.finish(Some(limit), move |line| {
            // Only the first such line matters; later ones find the channel full or closed.
            if line.contains(FILE) {
                let _later = say.try_send(());
            }
        });
        (finished, reader.join(), feeder.join())
    });
    let mut finished = finished?;
    let digest = digest.unwrap_or_else(|_| Err(std::io::Error::other("the reader failed")));
    let digest = digest.context("cannot read the program's output")?;
    match fed {
        Ok(Ok(())) => {}
        Ok(Err(Feed::Error(error))) => return Err(error),
        // The caller sees how the tool ended; this is why the output is short.
        _ => finished.stderr.push_str("\nthe program left before the last mark"),
    }
    Ok((digest, finished))
}

/// Why feeding ended early.
enum Feed {
    Gone,
    Error(anyhow::Error),
}

impl From<std::io::Error> for Feed {
    fn from(error: std::io::Error) -> Self {
        Self::Error(anyhow::Error::new(error).context("cannot write the growing file"))
    }
}

fn feed(growing: &Growing, source: &Path, path: &Path, seen: &Receiver<u64>) -> Result<(), Feed> {
    let lines = fs::read(source)?;
    let mut file = match growing.begun {
        true => File::options().append(true).open(path)?,
        false => File::create(path)?,
    };
    for (number, part) in split_at_lines(&lines, growing.parts()).into_iter().enumerate() {
        if number == 0 && growing.begun {
            shown(0, seen)?;
            continue;
        }
        if number > 0 && number <= growing.renames {
            fs::rename(path, path.with_added_extension(number.to_string()))?;
            file = File::create(path)?;
        } else if number > 0 {
            file.set_len(0)?;
            file = File::options().append(true).open(path)?;
            // A truncated file shows only while it is shorter than what was read before, so the
            // tool must have seen the truncation before the file grows again.
            mark(&mut file, 1000 + number as u64, seen)?;
        }
        file.write_all(part)?;
        mark(&mut file, number as u64, seen)?;
    }
    Ok(())
}

/// Appends a mark and waits until the tool has printed it.
fn mark(file: &mut File, number: u64, seen: &Receiver<u64>) -> Result<(), Feed> {
    file.write_all(marked_line(number).as_bytes())?;
    shown(number, seen)
}

fn marked_line(number: u64) -> String {
    format!("[2024-01-01 00:00:00] FATAL - {MARK} {number}.\n")
}

/// Waits until the tool has printed the mark.
fn shown(number: u64, seen: &Receiver<u64>) -> Result<(), Feed> {
    loop {
        match seen.recv() {
            Ok(shown) if shown == number => return Ok(()),
            Ok(_earlier) => {}
            Err(_closed) => return Err(Feed::Gone),
        }
    }
}

fn split_at_lines(bytes: &[u8], parts: usize) -> Vec<&[u8]> {
    let mut rest = bytes;
    let mut split = Vec::new();
    for left in (2..=parts).rev() {
        let aim = rest.len() / left;
        let end = rest[aim..].iter().position(|b| *b == b'\n').map_or(rest.len(), |n| aim + n + 1);
        let (part, tail) = rest.split_at(end);
        split.push(part);
        rest = tail;
    }
    split.push(rest);
    split
}

fn digest_and_report(stdout: impl Read, marks: &SyncSender<u64>) -> std::io::Result<Digest> {
    let mut reader = BufReader::with_capacity(1 << 16, stdout);
    let mut digest = Digest::default();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        digest.update(&line);
        if let Some(number) = marked(&line) {
            // The feeder may have given up; the output is digested to its end all the same.
            let _nobody_waits = marks.send(number);
        }
        line.clear();
    }
    Ok(digest)
}

fn marked(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?;
    text.rsplit_once(MARK)?.1.trim_start().split_once('.')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_lines_and_together_the_whole() {
        let bytes = b"one\ntwo\nthree\nfour\nfive\n";
        for parts in 1..6 {
            let split = split_at_lines(bytes, parts);
            assert_eq!(split.len(), parts);
            assert_eq!(split.concat(), bytes);
            assert!(split.iter().all(|part| part.is_empty() || part.ends_with(b"\n")));
        }
    }

    #[test]
    fn a_log_that_has_begun_ends_with_a_mark() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        fs::write(&source, "one\ntwo\nthree\nfour\n").unwrap();
        let growing: Growing =
            toml::from_str("input = \"x\"\nrenames = 1\nbegun = true\n").unwrap();
        prepare(&growing, &source, dir.path()).unwrap();
        let text = fs::read_to_string(path(dir.path())).unwrap();
        let (lines, mark) = text.trim_end().rsplit_once('\n').unwrap();
        assert!(lines.starts_with("one\n") && !lines.contains("four"));
        assert_eq!(marked(mark.as_bytes()), Some(0));
    }

    #[test]
    fn marks_are_found_behind_prefixes_and_colours() {
        assert_eq!(marked(b"REMOTE|h|100|7|x|[..] FATAL - workload-mark 12.\x1b[0m\n"), Some(12));
        assert_eq!(marked(b"workload-mark\n"), None);
    }
}
