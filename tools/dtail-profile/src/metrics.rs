//! A few numbers about the process as a line, in the form of DTail's. It keeps no history.

use std::fmt;
use std::fs;
use std::time::Duration;

use crate::heap::{self, HeapState};
use crate::recording;

/// Bytes of the page that `/proc/self/statm` counts in.
const PAGE: u64 = 4096;

/// How the process is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// Bytes of memory that is in RAM; 0 where the system does not say.
    pub resident: u64,
    /// Its threads; 0 where the system does not say.
    pub threads: u64,
    /// CPU time it has had.
    pub cpu: Duration,
    /// Bytes in use and bytes that were ever asked for, by the sampled allocations; None unless
    /// they are being sampled.
    pub heap: Option<(u64, u64)>,
}

impl Metrics {
    /// As it is now.
    pub fn now() -> Metrics {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let pages = read("/proc/self/statm").split(' ').nth(1).and_then(|it| it.parse().ok());
        let status = read("/proc/self/status");
        let threads = status.lines().find_map(|line| line.strip_prefix("Threads:"));
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu = Duration::try_from(cpu).unwrap_or_default();
        let heap = heap::is_recorded().then(|| {
            let sum = HeapState::now().sum();
            (whole(sum.bytes - sum.freed_bytes), whole(sum.bytes))
        });
        let threads = threads.and_then(|threads| threads.trim().parse().ok());
        let resident = pages.map_or(0, |pages: u64| pages * PAGE);
        Metrics { resident, threads: threads.unwrap_or(0), cpu, heap }
    }

    /// Tells them where the recording that is going on tells things, or on standard error.
    pub fn log(label: &str) {
        recording::tell(&format!("Profile metrics [{label}]: {}", Metrics::now()));
    }
}

fn whole(bytes: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "nobody has so much memory")]
    #[expect(clippy::cast_sign_loss, reason = "it is not negative")]
    let whole = bytes.max(0.0) as u64;
    whole
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let megabytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        if let Some((used, all)) = self.heap {
            write!(f, "alloc={:.2}MB total_alloc={:.2}MB ", megabytes(used), megabytes(all))?;
        }
        let (sys, cpu) = (megabytes(self.resident), self.cpu.as_secs_f64());
        write!(f, "sys={sys:.2}MB threads={} cpu={cpu:.2}s", self.threads)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Metrics;

    #[test]
    fn the_line_has_the_form_of_dtails() {
        let mut metrics = Metrics {
            resident: 3 << 19,
            threads: 4,
            cpu: Duration::from_millis(1250),
            heap: Some((1 << 20, 2 << 20)),
        };
        let line = "alloc=1.00MB total_alloc=2.00MB sys=1.50MB threads=4 cpu=1.25s";
        assert_eq!(metrics.to_string(), line);
        metrics.heap = None;
        assert_eq!(metrics.to_string(), "sys=1.50MB threads=4 cpu=1.25s");
        let now = Metrics::now();
        assert!(!cfg!(target_os = "linux") || (now.resident > 0 && now.threads > 0));
    }
}
