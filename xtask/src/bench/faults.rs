//! Bad days: a client that stops reading for a minute, and a server that dies in the middle.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::{ChildStdout, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::bench::figure::{Figure, Measured, Unit};
use crate::bench::process::{pause, resident};
use crate::bench::stage::{Data, Host, Stage, ended_well};
use crate::child::Finished;
use crate::digest;

/// How long the client does not read.
const STALL_S: usize = 60;
/// Buffers fill in the first seconds; after that, memory must not grow.
const FILLING_S: usize = 5;
/// What is read before the accident.
const HEAD: usize = 1 << 20;
const LIFE: Duration = Duration::from_secs(600);

/// A client stops for a minute while it is sent a gigabyte.
pub(crate) fn stalled(stage: &Stage<'_>, data: &Data) -> Result<Vec<Figure>> {
    let served = stage.serve("stalled", |host| {
        let server = host.live.process;
        let before = resident(server)?;
        let file = data.gigabyte.display().to_string();
        let mut command =
            host.client(&stage.program("dcat")?, &host.address(), &["--plain", &file]);
        let (samples, digest, finished) = with_client(stage, &mut command, |stdout, client| {
            let mut digest = digest::Digest::default();
            let mut head = vec![0; HEAD];
            stdout.read_exact(&mut head)?;
            digest.update(&head);
            client(Signal::STOP);
            let mut samples = Vec::new();
            for _second in 0..STALL_S {
                pause(&stage.ctx.children, Duration::from_secs(1))?;
                samples.push(resident(server)?);
            }
            client(Signal::CONT);
            digest.update_from(stdout)?;
            Ok((samples, digest))
        })
        .map(|((samples, digest), finished)| (samples, digest, finished))?;
        let whole = finished.code == 0 && digest.finish() == digest::of_file(&data.gigabyte)?;
        Ok(stall_figures(before, &samples, whole, &finished))
    })?;
    ended_well(served)
}

fn stall_figures(before: u64, samples: &[u64], whole: bool, finished: &Finished) -> Vec<Figure> {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let filled = samples.get(FILLING_S).copied().unwrap_or(before);
    let most = samples.iter().skip(FILLING_S).max().copied().unwrap_or(filled);
    let growth = megabytes(most.saturating_sub(filled));
    let held = megabytes(most.saturating_sub(before));
    let note = format!(
        "server memory from {:.1} MB before to {:.1} MB at most; from second {FILLING_S} to {STALL_S}",
        megabytes(before),
        megabytes(most)
    );
    let last = finished.stderr.lines().last().unwrap_or_default();
    vec![
        Figure::single("stalled client: server memory grows", growth, 4.0, Unit::Megabytes, &note),
        Figure::single(
            "stalled client: server memory held",
            held,
            64.0,
            Unit::Megabytes,
            "over the memory before the session",
        ),
        Figure::new(
            "stalled client: nothing lost",
            Measured::Check { holds: whole },
            format!("1 GB compared after the minute, exit code {}; {last}", finished.code),
        ),
    ]
}

/// One of two servers is killed while both send.
pub(crate) fn killed(stage: &Stage<'_>, data: &Data) -> Result<Vec<Figure>> {
    let served = stage.serve("killed", |dying| {
        let survivor = stage.serve("surviving", |living| killed_one(stage, data, dying, living))?;
        ended_well(survivor)
    })?;
    served.result.context("the server never took connections")
}

fn killed_one(
    stage: &Stage<'_>,
    data: &Data,
    dying: &Host<'_>,
    living: &Host<'_>,
) -> Result<Vec<Figure>> {
    let servers = format!("{},{}", dying.address(), living.address());
    let file = data.service.path.display().to_string();
    // Each server was prepared with a key of its own; the client has that of the first.
    let keys = "id_rsa.pub";
    std::fs::copy(dying.home.join(keys), living.home.join(keys))
        .with_context(|| format!("cannot copy {keys}"))?;
    let mut command = dying.client(&stage.program("dcat")?, &servers, &["--plain", &file]);
    let (lines, finished) = with_client(stage, &mut command, |stdout, _client| {
        let mut reader = BufReader::with_capacity(1 << 18, stdout);
        let mut lines = Lines::default();
        let mut read = 0;
        while read < HEAD {
            let count = lines.take(&mut reader)?;
            anyhow::ensure!(count > 0, "the client ended before the accident");
            read += count;
        }
        // Nobody reads, so both servers are in the middle, however fast they are.
        dying.live.group.signal(Signal::KILL);
        while lines.take(&mut reader)? > 0 {}
        Ok(lines)
    })?;
    let mut whole = Lines::default();
    let mut reader = BufReader::new(std::fs::File::open(&data.service.path)?);
    while whole.take(&mut reader)? > 0 {}
    let check =
        |name: &str, holds, note: String| Figure::new(name, Measured::Check { holds }, note);
    let names = |port: u16| finished.stderr.contains(&format!(":{port}"));
    let said = finished.stderr.lines().last().unwrap_or_default().to_owned();
    Ok(vec![
        check(
            "killed server: exit code 3",
            finished.code == 3,
            format!("exit code {}", finished.code),
        ),
        check("killed server: named", names(dying.port) && !names(living.port), said),
        check(
            "killed server: the other's lines are all there",
            lines.hold(&whole) && lines.count < 2 * whole.count,
            format!("{} lines of two times {}", lines.count, whole.count),
        ),
    ])
}

/// How often each line was seen, by a digest of the line.
#[derive(Default)]
struct Lines {
    seen: HashMap<u64, u32>,
    count: u64,
    line: Vec<u8>,
}

impl Lines {
    /// Reads one line; its length, 0 at the end.
    fn take(&mut self, reader: &mut impl std::io::BufRead) -> std::io::Result<usize> {
        self.line.clear();
        let length = reader.read_until(b'\n', &mut self.line)?;
        if length > 0 {
            let mut hasher = DefaultHasher::new();
            self.line.hash(&mut hasher);
            *self.seen.entry(hasher.finish()).or_default() += 1;
            self.count += 1;
        }
        Ok(length)
    }

    /// Whether every line of `other` is here at least as often.
    fn hold(&self, other: &Self) -> bool {
        other.seen.iter().all(|(line, times)| self.seen.get(line).is_some_and(|n| n >= times))
    }
}

/// Runs a client whose output is read by `work`, which can also send it signals.
fn with_client<T>(
    stage: &Stage<'_>,
    command: &mut std::process::Command,
    work: impl FnOnce(&mut ChildStdout, &dyn Fn(Signal)) -> Result<T>,
) -> Result<(T, Finished)> {
    let children = &stage.ctx.children;
    let mut running = children.spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let mut stdout = running.take_stdout().context("standard output was not piped")?;
    let group = running.group();
    std::thread::scope(|scope| {
        let client = scope.spawn(move || running.finish(Some(LIFE), |_| {}));
        let result = work(&mut stdout, &|signal| group.signal(signal));
        // After an error nobody reads any more: the closed pipe ends the client.
        group.signal(Signal::CONT);
        drop(stdout);
        let finished = client.join().ok().context("a client's watcher failed")??;
        Ok((result?, finished))
    })
}

/// Whether the figures can be had at all: they look into /proc.
pub(crate) fn possible() -> bool {
    Path::new("/proc/self/status").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figure::Outcome;
    use crate::child::Cpu;

    fn finished(code: i32) -> Finished {
        let (stderr, wall, cpu) = (String::new(), Duration::ZERO, Cpu::default());
        Finished { code, timed_out: false, stderr, wall, cpu }
    }

    #[track_caller]
    fn check_stall(samples: &[u64], whole: bool, expected: [Outcome; 3]) {
        let figures = stall_figures(10_000_000, samples, whole, &finished(0));
        assert_eq!(figures.iter().map(|figure| figure.outcome).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn memory_may_fill_its_buffers_and_then_no_more() {
        use Outcome::{Missed, Pass};
        let mut samples = vec![20_000_000; STALL_S];
        check_stall(&samples, true, [Pass, Pass, Pass]);
        check_stall(&samples, false, [Pass, Pass, Missed]);
        samples[40] = 30_000_000;
        check_stall(&samples, true, [Missed, Pass, Pass]);
        check_stall(&[90_000_000; STALL_S], true, [Pass, Missed, Pass]);
    }

    #[test]
    fn lines_hold_others_only_as_often_as_they_were_seen() {
        let lines = |text: &str| {
            let mut lines = Lines::default();
            let mut reader = text.as_bytes();
            while lines.take(&mut reader).unwrap() > 0 {}
            lines
        };
        assert!(lines("b\na\na\nc\n").hold(&lines("a\na\nb\n")));
        assert!(!lines("a\nb\n").hold(&lines("a\na\n")));
        assert_eq!(lines("a\nb").count, 2);
    }
}
