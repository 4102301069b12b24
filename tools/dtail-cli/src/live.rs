//! One line at a terminal that says how far a query has come, and that is written over. Never
//! shown anywhere else, and never in a file.

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use rustix::termios::tcgetwinsize;

/// Queries that take no longer show nothing.
const PATIENCE: Duration = Duration::from_millis(700);
/// Between two lines.
const INTERVAL: Duration = Duration::from_millis(200);

/// The line, which is on standard error.
#[derive(Debug)]
pub(crate) struct Live {
    started: Instant,
    shown: bool,
    /// Bytes of all files, if that is known.
    total: Option<u64>,
    /// Bytes that were read, but not of the files.
    others: u64,
    /// Groups of the last result.
    pub(crate) groups: Option<usize>,
}

impl Live {
    /// A line at the terminal, if there is one that can be written over.
    pub(crate) fn standard(files: &[OsString]) -> Option<Live> {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        if is_dumb || !io::stderr().is_terminal() {
            return None;
        }
        Some(Live {
            started: Instant::now(),
            shown: false,
            total: files.iter().map(size).sum(),
            others: bytes_read().map(|(read, own)| read + own)?,
            groups: None,
        })
    }

    /// How long to wait for something to happen before [`Live::show`].
    pub(crate) fn wait(&self) -> Duration {
        INTERVAL
    }

    /// Shows how far it has come now.
    pub(crate) fn show(&mut self) {
        let elapsed = self.started.elapsed();
        let columns = tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
        if elapsed < PATIENCE || columns <= 1 {
            return;
        }
        let Some((read, own)) = bytes_read() else { return };
        let read = read.saturating_sub(self.others);
        self.others += own;
        let mut line = progress(read, self.total, elapsed, self.groups);
        // A line that wraps cannot be written over. It is ASCII.
        line.truncate(columns - 1);
        self.shown = true;
        write(&format!("\r{line}\x1b[K"));
    }

    /// Makes room for something else.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            write("\r\x1b[K");
        }
    }
}

/// With standard error closed nobody is left to tell.
fn write(text: &str) {
    let _told = io::stderr().write_all(text.as_bytes());
}

/// The size of a file, if it is one.
fn size(name: &OsString) -> Option<u64> {
    let metadata = fs::metadata(name).ok()?;
    metadata.is_file().then_some(metadata.len())
}

/// Bytes that this process has read of anything, compressed ones as they are in the file, and those
/// that this question will add. Only Linux tells.
fn bytes_read() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/self/io").ok()?;
    let read = text.lines().find_map(|line| line.strip_prefix("rchar: "))?.parse().ok()?;
    Some((read, text.len() as u64))
}

fn progress(read: u64, total: Option<u64>, elapsed: Duration, groups: Option<usize>) -> String {
    let rate = bytes(read as f64 / elapsed.as_secs_f64());
    let mut line = bytes(read as f64);
    if let Some(total) = total.filter(|total| *total > 0) {
        let percent = (read.min(total) as f64 / total as f64 * 100.0).floor();
        line = format!("{} of {} ({percent}%)", bytes(read.min(total) as f64), bytes(total as f64));
    }
    line.push_str(&format!(", {rate}/s"));
    match groups {
        None => {}
        Some(1) => line.push_str(", 1 group"),
        Some(groups) => line.push_str(&format!(", {groups} groups")),
    }
    line
}

fn bytes(count: f64) -> String {
    match count {
        count if count >= 1e9 => format!("{:.2} GB", count / 1e9),
        count if count >= 1e6 => format!("{:.1} MB", count / 1e6),
        count => format!("{:.1} kB", count / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::progress;

    #[test]
    fn progress_says_how_much_of_how_much_how_fast_and_how_many() {
        let second = Duration::from_secs(1);
        let line = progress(1_500_000, Some(3_000_000_000), second * 2, Some(12));
        assert_eq!(line, "1.5 MB of 3.00 GB (0%), 750.0 kB/s, 12 groups");
        assert_eq!(progress(5000, None, second, Some(1)), "5.0 kB, 5.0 kB/s, 1 group");
        // What else was read is not part of the files.
        assert_eq!(progress(7000, Some(5000), second, None), "5.0 kB of 5.0 kB (100%), 7.0 kB/s");
    }
}
