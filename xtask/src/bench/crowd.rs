//! A thousand hosts: one server that is reached under a thousand loopback addresses, asked by one
//! client that greps on all of them, and by one that follows on all of them and is told nothing.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::atomic;
use crate::bench::contest::Contest;
use crate::bench::figure::{Figure, Unit};
use crate::bench::process::{pause, resident, sockets, wait};
use crate::bench::stage::{Data, Host, Stage, ended_well};
use crate::child::Running;
use crate::compare::hyperfine::Arm;

const HOSTS: usize = 1000;
/// For a thousand logins, many times over.
const PATIENCE: Duration = Duration::from_secs(120);
/// Memory that has not grown for this many seconds has settled.
const SETTLED_S: u32 = 4;

/// All figures of the crowd.
pub(crate) fn figures(stage: &Stage<'_>, data: &Data) -> Result<Vec<Figure>> {
    let served = stage.serve("crowd", |host| {
        let list = stage.folder.join("hosts");
        atomic::write(&list, hosts(host.port).as_bytes())?;
        let mut figures = grep(stage, host, &list, &data.small.path)?;
        figures.extend(idle(stage, host, &list)?);
        Ok(figures)
    })?;
    ended_well(served)
}

/// A line for each host: 127.0.1.1, 127.0.1.2 and so on, which all reach this machine.
fn hosts(port: u16) -> String {
    let mut text = String::new();
    for number in 0..HOSTS {
        let (third, fourth) = (1 + number / 250, 1 + number % 250);
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "127.0.{third}.{fourth}:{port}");
    }
    text
}

fn grep(stage: &Stage<'_>, host: &Host<'_>, list: &Path, log: &Path) -> Result<Vec<Figure>> {
    let (list, log) = (list.display().to_string(), log.display().to_string());
    let own = ["--plain", "--regex", "INFO", "--files", &log];
    let dgrep = stage.program("dgrep")?;
    let expected = std::fs::read_to_string(&log)?.matches("INFO").count() * HOSTS;
    let mut command = host.client(&dgrep, &list, &own);
    let mut running =
        stage.ctx.children.spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let stdout = running.take_stdout().context("standard output was not piped")?;
    let counter = std::thread::spawn(move || BufReader::new(stdout).split(b'\n').count());
    let finished = running.finish(Some(PATIENCE), |_| {})?;
    let lines = counter.join().unwrap_or(0);
    let last = finished.stderr.lines().last().unwrap_or_default();
    let note = format!("{lines} of {expected} lines, exit code {}; {last}", finished.code);
    let all = finished.code == 0 && lines == expected;
    let mut figures = vec![Figure::new(
        "1,000 hosts: all answered",
        crate::bench::figure::Measured::Check { holds: all },
        note,
    )];
    if !all {
        return Ok(figures);
    }
    let words = std::iter::once(dgrep).chain(host.args(&list, &own)).collect();
    let contest = Contest::new("thousand hosts", vec![Arm { name: "dgrep".to_owned(), words }]);
    let few = Stage { rounds: stage.rounds.min(3), folder: stage.folder.clone(), ..*stage };
    let outcomes = contest.run(&few, host.home)?;
    let note = "dgrep to 1,000 hosts, connect to exit";
    figures.push(Figure::new("1,000 hosts: grep", outcomes.time(Unit::Seconds, 20.0), note));
    figures.push(match outcomes.memory() {
        Some(megabytes) => Figure::single(
            "1,000 hosts: client memory",
            megabytes,
            300.0,
            Unit::Megabytes,
            "peak resident",
        ),
        None => Figure::skipped("1,000 hosts: client memory", "needs hyperfine 1.20 or newer"),
    });
    Ok(figures)
}

/// What a session costs the server while nothing happens: before any data, and after some.
fn idle(stage: &Stage<'_>, host: &Host<'_>, list: &Path) -> Result<Vec<Figure>> {
    let name = "1,000 hosts: idle session in the server";
    let log: PathBuf = stage.folder.join("idle.log");
    atomic::write(&log, b"")?;
    let server = host.live.process;
    let (before, open) = (resident(server)?, sockets(server)?);
    let own = ["--plain", "--files", &log.display().to_string()];
    let mut command = host.client(&stage.program("dtail")?, &list.display().to_string(), &own);
    let mut running =
        stage.ctx.children.spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let stdout = running.take_stdout().context("standard output was not piped")?;
    let (group, lines) = (running.group(), AtomicUsize::new(0));
    let children = &stage.ctx.children;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            BufReader::new(stdout).split(b'\n').for_each(|_line| {
                lines.fetch_add(1, Ordering::Relaxed);
            });
        });
        let client = scope.spawn(move || Running::finish(running, None, |_| {}));
        let measured = || -> Result<Vec<Figure>> {
            let all = || Ok(sockets(server)? >= open + HOSTS);
            if !wait(children, PATIENCE, all)? {
                let connected = sockets(server)?.saturating_sub(open);
                return Ok(vec![missed(name, &format!("{connected} sessions came about"))]);
            }
            let quiet = settled(stage, server)?;
            std::fs::File::options().append(true).open(&log)?.write_all(b"one line\n")?;
            if !wait(children, PATIENCE, || Ok(lines.load(Ordering::Relaxed) >= HOSTS))? {
                let shown = lines.load(Ordering::Relaxed);
                return Ok(vec![missed(name, &format!("{shown} of them showed the line"))]);
            }
            let after = settled(stage, server)?;
            let each = |now: u64| now.saturating_sub(before) as f64 / HOSTS as f64 / 1e3;
            let figure = |name: &str, now, note| {
                Figure::single(name, each(now), 150.0, Unit::Kilobytes, note)
            };
            Ok(vec![
                figure(name, quiet, "resident memory of dserver over 1,000 followers, no data yet"),
                figure(&format!("{name}, after a line"), after, "the same after each sent a line"),
            ])
        };
        let figures = measured();
        group.signal(Signal::TERM);
        let ended = client.join().ok().context("a client's watcher failed")?;
        figures.and_then(|figures| ended.map(|_| figures))
    })
}

fn missed(name: &str, note: &str) -> Figure {
    Figure::new(name, crate::bench::figure::Measured::Check { holds: false }, note)
}

/// Resident memory once it has not grown for some seconds.
fn settled(stage: &Stage<'_>, process: u32) -> Result<u64> {
    let (mut most, mut still) = (resident(process)?, 0);
    for _second in 0..PATIENCE.as_secs() {
        pause(&stage.ctx.children, Duration::from_secs(1))?;
        let now = resident(process)?;
        still = if now > most { 0 } else { still + 1 };
        most = most.max(now);
        if still >= SETTLED_S {
            return Ok(now);
        }
    }
    Ok(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_addresses_are_all_loopback_and_all_different() {
        let text = hosts(2222);
        let mut lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines[999]), ("127.0.1.1:2222", "127.0.4.250:2222"));
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), HOSTS);
    }
}
