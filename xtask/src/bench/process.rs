//! What the system tells about a running process: resident memory and open sockets. Linux only;
//! elsewhere the figures that need it are skipped.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::child::Children;

/// Resident memory in bytes.
pub(crate) fn resident(process: u32) -> Result<u64> {
    let path = PathBuf::from(format!("/proc/{process}/status"));
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    resident_of(&text).with_context(|| format!("no VmRSS in {}", path.display()))
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Processor time of all its threads so far.
pub(crate) fn processor_time(process: u32) -> Result<Duration> {
    let folder = format!("/proc/{process}/task");
    let mut all = Duration::ZERO;
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        // A thread may end between listing and looking.
        let text = std::fs::read_to_string(entry?.path().join("schedstat")).unwrap_or_default();
        all += on_processor(&text).unwrap_or_default();
    }
    Ok(all)
}

/// The first number of `schedstat`: nanoseconds on a processor.
fn on_processor(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Open sockets, listeners and pairs included.
pub(crate) fn sockets(process: u32) -> Result<usize> {
    let folder = format!("/proc/{process}/fd");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))?;
    let is_socket = |entry: &std::fs::DirEntry| {
        // A descriptor may be closed between listing and looking.
        std::fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
    };
    Ok(entries.flatten().filter(is_socket).count())
}

/// Waits a while, unless the user interrupts.
pub(crate) fn pause(children: &Children, time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
        children.check()?;
        std::thread::park_timeout(left.min(Duration::from_millis(100)));
    }
    children.check()
}

/// Asks `holds` until it says yes; whether it did within `limit`.
pub(crate) fn wait(
    children: &Children,
    limit: Duration,
    mut holds: impl FnMut() -> Result<bool>,
) -> Result<bool> {
    let end = Instant::now() + limit;
    while !holds()? {
        if Instant::now() >= end {
            return Ok(false);
        }
        pause(children, Duration::from_millis(50))?;
    }
    Ok(true)
}

/// Raises the soft limit of open files to the hard one; children inherit it. A thousand
/// connections need more than the usual 1,024.
pub(crate) fn raise_file_limit() -> Result<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum;
    setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: limit.maximum })
        .context("cannot raise the limit of open files")?;
    Ok(wanted.unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_status() {
        let status = "Name:\tdserver\nVmHWM:\t   9000 kB\nVmRSS:\t   8300 kB\n";
        assert_eq!(resident_of(status), Some(8300 * 1024));
        assert_eq!(resident_of("Name:\tzombie\n"), None);
    }

    #[test]
    fn processor_time_is_read_from_schedstat() {
        assert_eq!(on_processor("1500000 77 12\n"), Some(Duration::from_micros(1500)));
        assert_eq!(on_processor(""), None);
    }

    #[test]
    fn a_condition_is_waited_for_up_to_its_limit() {
        let children = Children::default();
        let mut asked = 0;
        let second = wait(&children, Duration::from_secs(60), || {
            asked += 1;
            Ok(asked == 2)
        });
        assert!(second.unwrap() && asked == 2);
        assert!(!wait(&children, Duration::ZERO, || Ok(false)).unwrap());
    }
}
