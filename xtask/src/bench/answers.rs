//! Whether arms do the same work: they must print the same bytes, wherever they print them to.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::bench::contest::{Contest, Sink, surroundings};
use crate::bench::stage::Stage;
use crate::child::Finished;
use crate::compare::hyperfine::Arm;
use crate::digest::{self, Digest};
use crate::words;

/// Longer than any command that is worth timing.
const LIMIT: Duration = Duration::from_secs(300);

/// Whether the order of an answer's lines is part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Fixed,
    /// Lines may come in any order; the whole answer is held in memory.
    Free,
}

/// What an arm printed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    bytes: u64,
    sha256: String,
}

/// Fails when an arm prints other bytes than the first; returns how many bytes that are. To
/// /dev/null nothing can be compared.
pub(crate) fn same(stage: &Stage<'_>, home: &Path, contest: &Contest, order: Order) -> Result<u64> {
    if contest.sink == Sink::Null {
        return Ok(0);
    }
    let mut first: Option<Answer> = None;
    for arm in &contest.arms {
        let told = answer(stage, home, contest, arm, order)?;
        match &first {
            None => first = Some(told),
            Some(expected) => anyhow::ensure!(
                *expected == told,
                "{}: `{}` printed {} bytes that are not the {} of ours: other work, no contest",
                contest.name,
                words::short(&arm.words),
                told.bytes,
                expected.bytes
            ),
        }
    }
    Ok(first.map_or(0, |answer| answer.bytes))
}

fn answer(
    stage: &Stage<'_>,
    home: &Path,
    contest: &Contest,
    arm: &Arm,
    order: Order,
) -> Result<Answer> {
    let mut command = Command::new(&arm.words[0]);
    command.args(&arm.words[1..]).stdin(Stdio::null()).stderr(Stdio::piped());
    surroundings(&mut command, home, contest.folder.as_deref());
    let (finished, answer) = match contest.sink {
        Sink::File => to_file(stage, &mut command)?,
        Sink::Pipe | Sink::Reader | Sink::Null => to_pipe(stage, &mut command, order)?,
    };
    let line = words::short(&arm.words);
    let last = finished.stderr.lines().last().unwrap_or_default();
    let fine = contest.codes.contains(&finished.code);
    anyhow::ensure!(fine, "`{line}` exited with {} ({last})", finished.code);
    Ok(answer)
}

fn to_file(stage: &Stage<'_>, command: &mut Command) -> Result<(Finished, Answer)> {
    let path = stage.folder.join("output");
    let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    let finished = stage.ctx.children.spawn(command.stdout(file))?.finish(Some(LIMIT), |_| {})?;
    let bytes = std::fs::metadata(&path)?.len();
    Ok((finished, Answer { bytes, sha256: digest::of_file(&path)? }))
}

fn to_pipe(stage: &Stage<'_>, command: &mut Command, order: Order) -> Result<(Finished, Answer)> {
    let mut running = stage.ctx.children.spawn(command.stdout(Stdio::piped()))?;
    let mut stdout = running.take_stdout().context("standard output was not piped")?;
    let reader = std::thread::spawn(move || -> std::io::Result<Answer> {
        let mut digest = Digest::default();
        match order {
            Order::Fixed => digest.update_from(&mut stdout)?,
            Order::Free => {
                let mut bytes = Vec::new();
                stdout.read_to_end(&mut bytes)?;
                sorted_lines(&bytes).into_iter().for_each(|line| digest.update(line));
            }
        }
        Ok(Answer { bytes: digest.bytes(), sha256: digest.finish() })
    });
    let finished = running.finish(Some(LIMIT), |_| {})?;
    let answer = reader.join().unwrap_or_else(|_| Err(std::io::Error::other("the reader failed")));
    Ok((finished, answer.context("cannot read the program's output")?))
}

fn sorted_lines(bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctx::Ctx;
    use crate::registered::Found;
    use crate::workload::fixture::Companions;
    use std::collections::BTreeMap;

    /// The answers of two shell scripts, compared.
    fn compared(scripts: [&str; 2], sink: Sink, order: Order) -> Result<u64> {
        let dir = tempfile::tempdir().unwrap();
        let ctx = Ctx::new(dir.path(), &dir.path().join("out"), false, None).unwrap();
        let stage = Stage {
            ctx: &ctx,
            hyperfine: &Found { path: "hyperfine".into(), version: String::new() },
            companions: &Companions::default(),
            servers: &BTreeMap::new(),
            folder: dir.path().to_owned(),
            rounds: 3,
            only: &[],
        };
        let arm = |script: &str| Arm {
            name: script.to_owned(),
            words: ["sh", "-c", script].map(str::to_owned).to_vec(),
        };
        let contest = Contest { sink, ..Contest::new("x", scripts.map(arm).to_vec()) };
        same(&stage, dir.path(), &contest, order)
    }

    #[track_caller]
    fn check(scripts: [&str; 2], order: Order, bytes: Option<u64>) {
        for sink in [Sink::Pipe, Sink::File] {
            if sink == Sink::File && order == Order::Free {
                continue;
            }
            let told = compared(scripts, sink, order);
            assert_eq!(told.as_ref().ok(), bytes.as_ref(), "{scripts:?} {sink:?} {told:?}");
        }
    }

    #[test]
    fn other_bytes_or_exit_codes_are_no_contest() {
        check(["printf 'a\\nb\\n'", "echo a; echo b"], Order::Fixed, Some(4));
        check(["printf 'a\\nb\\n'", "echo b; echo a"], Order::Fixed, None);
        check(["printf 'a\\nb\\n'", "echo b; echo a"], Order::Free, Some(4));
        check(["echo a", "echo a; echo a"], Order::Free, None);
        check(["echo a", "echo a; exit 3"], Order::Fixed, None);
        assert_eq!(compared(["echo a", "echo b"], Sink::Null, Order::Fixed).unwrap(), 0);
    }

    #[test]
    fn lines_in_another_order_are_the_same_lines() {
        assert_eq!(sorted_lines(b"b\na\nc\n"), sorted_lines(b"c\nb\na\n"));
        assert_ne!(sorted_lines(b"a\na\n"), sorted_lines(b"a\n"));
    }
}
