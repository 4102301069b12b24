//! dtail behind a fast writer that rotates its log: whether every line arrives once and in order,
//! and what it costs. Linux only, as all that looks into /proc.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::atomic;
use crate::bench::figure::{Figure, Unit};
use crate::bench::logs::room;
use crate::bench::process::{pause, resident};
use crate::bench::sequence::Checker;
use crate::bench::writer::Plan;
use crate::child::{Children, Finished, itself, piped};

const LOG: &str = "fast.log";
/// Until dtail says that the log is not there yet.
const START_LIMIT: Duration = Duration::from_secs(30);
/// When nothing has come for so long after the writer's end, nothing will.
const SILENCE: Duration = Duration::from_secs(5);
const SAMPLE: Duration = Duration::from_secs(1);
/// From this second on memory must not grow.
const SETTLED_S: usize = 10;
/// In megabytes, from then to the end.
const GROWTH_LIMIT: f64 = 8.0;
const MEMORY_LIMIT: f64 = 64.0;

/// What one run showed.
struct Seen {
    checker: Checker,
    written: u64,
    /// Resident bytes, each second while the writer wrote.
    memory: Vec<u64>,
    writing: Duration,
    /// From the writer's end to the last line.
    behind: Duration,
    finished: Finished,
}

/// Where a reader has come to.
struct Progress {
    checker: Checker,
    last: Instant,
}

/// The figures of one way of rotating; everything is made in `folder`, which is emptied after.
pub(crate) fn figures(
    children: &Children,
    dtail: &Path,
    folder: &Path,
    plan: Plan,
) -> Result<Vec<Figure>> {
    atomic::fresh_dir(folder)?;
    let log = folder.join(LOG);
    // The log, the kept ones, and one that dtail may still hold open.
    let each = (plan.rate as f64 * plan.rotate.as_secs_f64()) as u64;
    room(&log, each * (plan.mode.kept() + 2))?;
    let seen = follow(children, dtail, &log, plan);
    atomic::fresh_dir(folder)?;
    Ok(tell(&seen?, plan))
}

fn follow(children: &Children, dtail: &Path, log: &Path, plan: Plan) -> Result<Seen> {
    let mut command = Command::new(dtail);
    piped(command.args(["--cfg", "none", "--plain", "--files"]).arg(log));
    let mut running = children.spawn(&mut command)?;
    let (process, group) = (running.id(), running.group());
    let mut stdout = running.take_stdout().context("standard output was not piped")?;
    let progress = Mutex::new(Progress { checker: Checker::new(), last: Instant::now() });
    let (say, said) = sync_channel(1);
    let (written, memory, writing, ended, finished) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = vec![0; 1 << 20];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                progress.checker.take(&buffer[..count]);
                progress.last = Instant::now();
            }
        });
        let watcher = scope.spawn(move || {
            running.finish(None, move |line| {
                // The first such line says that dtail waits for the log; others change nothing.
                if line.contains(LOG) {
                    let _later = say.try_send(());
                }
            })
        });
        let measured = (|| -> Result<_> {
            said.recv_timeout(START_LIMIT)
                .context("dtail did not say that it waits for the log")?;
            let (written, memory, writing) = write_beside(children, log, plan, process)?;
            let ended = Instant::now();
            catch_up(children, &progress, written, ended)?;
            Ok((written, memory, writing, ended))
        })();
        group.signal(Signal::TERM);
        let finished = watcher.join().ok().context("dtail's watcher failed")??;
        let (written, memory, writing, ended) = measured
            .with_context(|| finished.stderr.lines().last().unwrap_or("dtail").to_owned())?;
        anyhow::Ok((written, memory, writing, ended, finished))
    })?;
    let Progress { checker, last } = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    let behind = last.saturating_duration_since(ended);
    Ok(Seen { checker, written, memory, writing, behind, finished })
}

/// Runs the writer to its end: its lines, dtail's memory each second, and the writer's time.
fn write_beside(
    children: &Children,
    log: &Path,
    plan: Plan,
    process: u32,
) -> Result<(u64, Vec<u64>, Duration)> {
    let mut command = itself()?;
    command.args(["bench", "writer", "--mode", plan.mode.name()]).arg(log);
    for (option, value) in [
        ("--rate", u128::from(plan.rate)),
        ("--seconds", u128::from(plan.time.as_secs())),
        ("--rotate", plan.rotate.as_millis()),
    ] {
        command.arg(option).arg(value.to_string());
    }
    let mut running = children.spawn(piped(&mut command).stdout(Stdio::piped()))?;
    let mut stdout = running.take_stdout().context("standard output was not piped")?;
    let limit = plan.time * 3 + START_LIMIT;
    let writer = std::thread::spawn(move || running.finish(Some(limit), |_| {}));
    let mut memory = Vec::new();
    while !writer.is_finished() {
        pause(children, SAMPLE)?;
        // A follower that has ended has no memory; its output shows that it ended.
        memory.extend(resident(process).ok());
    }
    let finished = writer.join().ok().context("the writer's watcher failed")??;
    let mut text = String::new();
    stdout.read_to_string(&mut text)?;
    anyhow::ensure!(finished.code == 0, "the writer failed: {}", finished.stderr.trim());
    Ok((text.trim().parse().context("the writer told no number")?, memory, finished.wall))
}

/// Waits until all lines have come, or none for a while.
fn catch_up(
    children: &Children,
    progress: &Mutex<Progress>,
    written: u64,
    since: Instant,
) -> Result<()> {
    loop {
        let (lines, last) = {
            let progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            (progress.checker.lines(), progress.last)
        };
        // More may follow the last line only when something is doubled: silence shows that.
        let quiet = if lines == written { SILENCE / 10 } else { SILENCE };
        if last.max(since).elapsed() > quiet {
            return Ok(());
        }
        pause(children, Duration::from_millis(20))?;
    }
}

fn tell(seen: &Seen, plan: Plan) -> Vec<Figure> {
    let mode = plan.mode.name();
    let faults = seen.checker.faults(seen.written);
    let bytes = seen.written as f64 * crate::bench::sequence::LINE as f64 / 1e6;
    let seconds = seen.writing.as_secs_f64();
    let rotations = seen.writing.as_millis() / plan.rotate.as_millis().max(1);
    let note = format!(
        "{} of {} lines, {} lost, {} again or late, {} torn; {:.0} MB/s, about {rotations} rotations, dtail ended with {}",
        seen.checker.lines(),
        seen.written,
        faults.lost,
        faults.again,
        faults.torn,
        bytes / seconds,
        seen.finished.code
    );
    let name = |what: &str| format!("{mode}: {what}");
    let mut figures = vec![
        Figure::check(&name("each line once, in order"), faults == Default::default(), note),
        Figure::check(
            &name("the writer kept its rate"),
            bytes / seconds >= 0.95 * plan.rate as f64 / 1e6,
            format!("{:.1} of {:.1} MB/s", bytes / seconds, plan.rate as f64 / 1e6),
        ),
    ];
    figures.extend(memory_figures(&name, &seen.memory));
    let cpu = seen.finished.cpu;
    figures.push(Figure::single(
        &name("processor time of dtail"),
        cpu.user + cpu.system,
        f64::INFINITY,
        Unit::Seconds,
        &format!("in {seconds:.0} s, {:.2} s of it in the system", cpu.system),
    ));
    let behind = seen.behind.as_secs_f64() * 1e3;
    let note = "from the writer's end to the last line";
    figures.push(Figure::single(&name("behind"), behind, f64::INFINITY, Unit::Milliseconds, note));
    figures
}

fn memory_figures(name: &dyn Fn(&str) -> String, samples: &[u64]) -> Vec<Figure> {
    let (Some(most), Some(end)) = (samples.iter().max(), samples.last()) else {
        return vec![Figure::skipped(&name("memory"), "there is no /proc")];
    };
    // A short run settles in its first third.
    let second = SETTLED_S.min(samples.len() / 3);
    let growth = (*end as f64 - samples[second] as f64) / 1e6;
    let note = format!("from second {} to the end", second + 1);
    vec![
        Figure::single(&name("memory"), *most as f64 / 1e6, MEMORY_LIMIT, Unit::Megabytes, "most"),
        Figure::single(&name("memory growth"), growth, GROWTH_LIMIT, Unit::Megabytes, &note),
    ]
}

/// What the hidden subcommand does: writes, and tells how many lines.
pub(crate) fn write(log: &Path, plan: Plan) -> Result<()> {
    let lines = crate::bench::writer::write(log, plan)
        .with_context(|| format!("cannot write {}", log.display()))?;
    Ok(writeln!(std::io::stdout(), "{lines}")?)
}

/// Where the log of a run lies.
pub(crate) fn folder(out_dir: &Path) -> PathBuf {
    out_dir.join("bench/rotation")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figure::Outcome;

    #[track_caller]
    fn check(megabytes: &[u64], outcomes: &[Outcome]) {
        let samples: Vec<u64> = megabytes.iter().map(|n| n * 1_000_000).collect();
        let figures = memory_figures(&str::to_owned, &samples);
        assert_eq!(figures.iter().map(|f| f.outcome).collect::<Vec<_>>(), outcomes);
    }

    #[test]
    fn memory_must_be_small_and_flat() {
        let mut flat = vec![5, 9];
        flat.extend([12; 40]);
        check(&flat, &[Outcome::Pass, Outcome::Pass]);
        check(&(0..60).collect::<Vec<_>>(), &[Outcome::Pass, Outcome::Missed]);
        check(&[70; 30], &[Outcome::Missed, Outcome::Pass]);
        check(&[5, 30, 30, 30, 30, 30], &[Outcome::Pass, Outcome::Pass]);
        check(&[], &[Outcome::Skipped]);
    }
}
