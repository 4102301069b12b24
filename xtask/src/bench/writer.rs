//! The writer beside a follower: numbered lines at a steady rate into a log that is rotated. A
//! process of its own, so that its processor time is nobody else's. Reads nothing.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::bench::sequence::{LINE, Lines};

/// Lines of one write at most: a megabyte.
const BLOCK_LINES: u64 = 10_000;
/// How long the writer rests when it is ahead of its rate.
const REST: Duration = Duration::from_millis(1);

/// How the log is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// It is renamed to `.1`, which replaces the one before.
    Rename,
    /// `.2` becomes `.3`, `.1` becomes `.2`, the log becomes `.1`.
    Chain,
    /// It is deleted and made anew.
    Recreate,
}

impl Mode {
    /// How figures name it, and its value on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::Chain => "chain",
            Self::Recreate => "recreate",
        }
    }

    /// How many old logs are kept.
    pub(crate) fn kept(self) -> u64 {
        match self {
            Self::Rename => 1,
            Self::Chain => 3,
            Self::Recreate => 0,
        }
    }
}

/// What is written, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Bytes each second.
    pub(crate) rate: u64,
    pub(crate) time: Duration,
    /// Between rotations.
    pub(crate) rotate: Duration,
    pub(crate) mode: Mode,
}

/// Makes the log and writes until the time is over; the number of lines.
pub(crate) fn write(log: &Path, plan: Plan) -> io::Result<u64> {
    let mut file = File::create(log)?;
    let (mut lines, mut block) = (Lines::new(), Vec::new());
    let (started, mut written, mut next) = (Instant::now(), 0, plan.rotate);
    loop {
        let elapsed = started.elapsed();
        if elapsed >= plan.time {
            return Ok(written);
        }
        if elapsed >= next {
            drop(file);
            rotate(log, plan.mode)?;
            file = File::create(log)?;
            next += plan.rotate;
        }
        let due = due_lines(plan.rate, elapsed).saturating_sub(written);
        if due == 0 {
            std::thread::park_timeout(REST);
            continue;
        }
        let count = due.min(BLOCK_LINES);
        block.clear();
        lines.append(count as usize, &mut block);
        file.write_all(&block)?;
        written += count;
    }
}

/// Lines that should have been written by now.
fn due_lines(rate: u64, elapsed: Duration) -> u64 {
    (elapsed.as_secs_f64() * rate as f64 / LINE as f64) as u64
}

fn rotate(log: &Path, mode: Mode) -> io::Result<()> {
    if mode == Mode::Recreate {
        return fs::remove_file(log);
    }
    for number in (1..mode.kept()).rev() {
        match fs::rename(old(log, number), old(log, number + 1)) {
            // Not so many rotations yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    fs::rename(log, old(log, 1))
}

fn old(log: &Path, number: u64) -> PathBuf {
    log.with_added_extension(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::sequence::{Checker, Faults};

    #[test]
    fn a_rate_is_kept_in_whole_lines() {
        assert_eq!(due_lines(1000, Duration::from_millis(250)), 2);
        assert_eq!(due_lines(200_000_000, Duration::from_secs(1)), 2_000_000);
    }

    #[test]
    fn a_chain_keeps_three_old_logs() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        for number in 0..5 {
            fs::write(&log, format!("{number}")).unwrap();
            rotate(&log, Mode::Chain).unwrap();
        }
        let read = |number| fs::read_to_string(old(&log, number)).unwrap();
        assert_eq!([1, 2, 3].map(read), ["4", "3", "2"]);
        assert!(!log.exists() && !old(&log, 4).exists());
        fs::write(&log, "x").unwrap();
        rotate(&log, Mode::Recreate).unwrap();
        assert!(!log.exists());
    }

    #[test]
    fn the_logs_together_hold_every_line_once() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        // Two rotations, so that the chain still has everything.
        let plan = Plan {
            rate: 2_000_000,
            time: Duration::from_millis(100),
            rotate: Duration::from_millis(40),
            mode: Mode::Chain,
        };
        let written = write(&log, plan).unwrap();
        let mut checker = Checker::new();
        for path in [old(&log, 3), old(&log, 2), old(&log, 1), log] {
            checker.take(&fs::read(path).unwrap_or_default());
        }
        assert!(written > 0);
        assert_eq!((checker.lines(), checker.faults(written)), (written, Faults::default()));
    }
}
