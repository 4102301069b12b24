//! From write to print: single lines into one of several followed files, each timed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::atomic;
use crate::bench::faults;
use crate::bench::figure::{Figure, Unit};
use crate::bench::process::{pause, processor_time};
use crate::child::{Children, piped};
use crate::random::Random;

const FILES: usize = 8;
const SEED: u64 = 915;
/// What every share of the lines must keep to, in milliseconds.
const LIMIT_MS: f64 = 50.0;
/// A line that has not come by then is lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// A line is written so often until a file is known to be followed.
const RETRY: Duration = Duration::from_millis(300);

/// How long nothing is written, to see what that costs; as long before, so that it is quiet.
const IDLE: Duration = Duration::from_secs(3);

/// The number of a line and when it was printed.
type Printed = (u64, Instant);

/// The figures of `probes` lines over several files in `folder`.
pub(crate) fn figures(
    children: &Children,
    dtail: &Path,
    folder: &Path,
    probes: u32,
) -> Result<Vec<Figure>> {
    atomic::fresh_dir(folder)?;
    let paths: Vec<PathBuf> = (0..FILES).map(|n| folder.join(format!("{n}.log"))).collect();
    paths.iter().try_for_each(|path| atomic::write(path, b"begun\n"))?;
    let mut command = Command::new(dtail);
    piped(command.args(["--cfg", "none", "--plain"]).args(&paths));
    let mut running = children.spawn(&mut command)?;
    let (group, process) = (running.group(), running.id());
    let stdout = running.take_stdout().context("standard output was not piped")?;
    let (print, printed) = sync_channel(1024);
    let reader = std::thread::spawn(move || report(stdout, &print));
    let watcher = std::thread::spawn(move || running.finish(None, |_| {}));
    let times = measure(children, &paths, probes, &printed);
    let idle = idle(children, process);
    group.signal(Signal::TERM);
    drop(printed);
    let finished = watcher.join().ok().context("dtail's watcher failed")??;
    drop(reader.join());
    children.check()?;
    let mut figures = times.map(tell).unwrap_or_else(|error| {
        let last = finished.stderr.lines().last().unwrap_or("it said nothing");
        vec![Figure::check("write to print", false, format!("{error:#}; dtail: {last}"))]
    });
    figures.push(idle?);
    Ok(figures)
}

/// What following costs while nothing is written.
fn idle(children: &Children, process: u32) -> Result<Figure> {
    let name = "idle, processor time per second";
    if !faults::possible() {
        return Ok(Figure::skipped(name, "there is no /proc"));
    }
    // A follower that has ended has no processor time; its lines are missing, too.
    let now = || processor_time(process).unwrap_or_default();
    pause(children, IDLE)?;
    let before = now();
    pause(children, IDLE)?;
    let used = now().saturating_sub(before).as_secs_f64() * 1e3 / IDLE.as_secs_f64();
    let note = format!("over {FILES} files");
    Ok(Figure::single(name, used, f64::INFINITY, Unit::Milliseconds, &note))
}

/// Says of each numbered line when it came.
fn report(stdout: impl Read, print: &SyncSender<Printed>) {
    for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
        let number = line
            .rsplit(|byte| *byte == b' ')
            .next()
            .and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
        if let Some(number) = number
            && print.send((number, Instant::now())).is_err()
        {
            // Nobody wants to know any more; reading goes on no further either.
            return;
        }
    }
}

/// Milliseconds from write to print of each line.
fn measure(
    children: &Children,
    paths: &[PathBuf],
    probes: u32,
    printed: &Receiver<Printed>,
) -> Result<Vec<f64>> {
    let open = |path: &PathBuf| File::options().append(true).open(path);
    let mut files = paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let mut number = 0;
    for file in &mut files {
        begin(file, &mut number, printed)?;
    }
    let mut random = Random::new(SEED);
    let mut times = Vec::new();
    for _ in 0..probes {
        // A follower that looks around from time to time is met at any moment of its round.
        pause(children, Duration::from_millis(5 + random.below(200)))?;
        number += 1;
        let file = &mut files[random.below(FILES as u64) as usize];
        let line = line(number);
        let started = Instant::now();
        file.write_all(line.as_bytes())?;
        let shown = wait_for(number, printed, PATIENCE).context("a line was not printed")?;
        times.push(shown.duration_since(started).as_secs_f64() * 1e3);
    }
    Ok(times)
}

/// Writes until something of the file is printed: then it is followed.
fn begin(file: &mut File, number: &mut u64, printed: &Receiver<Printed>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        *number += 1;
        file.write_all(line(*number).as_bytes())?;
        if wait_for(*number, printed, RETRY).is_some() {
            return Ok(());
        }
    }
    anyhow::bail!("dtail does not follow one of its files")
}

fn line(number: u64) -> String {
    format!("[2024-01-01 00:00:00] INFO - probe {number}\n")
}

/// When the line came; nothing when it has not come in time.
fn wait_for(number: u64, printed: &Receiver<Printed>, limit: Duration) -> Option<Instant> {
    let end = Instant::now() + limit;
    loop {
        let left = end.checked_duration_since(Instant::now())?;
        match printed.recv_timeout(left) {
            Ok((shown, at)) if shown == number => return Some(at),
            Ok(_earlier) => {}
            Err(_late) => return None,
        }
    }
}

fn tell(mut times: Vec<f64>) -> Vec<Figure> {
    times.sort_by(f64::total_cmp);
    let note = format!("{} single lines over {FILES} files", times.len());
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    [("half", 0.5), ("99 %", 0.99), ("all", 1.0)]
        .map(|(name, share)| {
            let name = format!("write to print, {name} within");
            Figure::single(&name, at(share), LIMIT_MS, Unit::Milliseconds, &note)
        })
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figure::Measured;

    #[test]
    fn shares_are_told_of_sorted_times() {
        let figures = tell((1..=101).rev().map(f64::from).collect());
        let values: Vec<f64> = figures
            .iter()
            .map(|figure| match figure.measured {
                Measured::Number { value, .. } => value,
                _ => panic!("a time is a number"),
            })
            .collect();
        assert_eq!(values, [51.0, 100.0, 101.0]);
    }

    #[test]
    fn printed_lines_are_known_by_their_number() {
        let (print, printed) = sync_channel(8);
        report(format!("begun\n{}{}", line(7), line(8)).as_bytes(), &print);
        assert!(wait_for(8, &printed, PATIENCE).is_some());
        assert!(wait_for(9, &printed, Duration::ZERO).is_none());
    }
}
