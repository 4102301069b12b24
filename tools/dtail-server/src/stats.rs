//! What the server counts, and the line with which DTail's own queries read it
//! (`from STATS select …`). Never decides anything.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dtail_process::host::Load;

/// Counters of one server.
#[derive(Debug)]
pub(crate) struct Stats {
    started: Instant,
    pub(crate) current_connections: AtomicUsize,
    pub(crate) lifetime_connections: AtomicU64,
    pub(crate) unauthenticated: AtomicUsize,
    pub(crate) refused_connections: AtomicU64,
    pub(crate) sessions: AtomicUsize,
    pub(crate) requests: AtomicU64,
    pub(crate) running: AtomicUsize,
    pub(crate) bytes_sent: AtomicU64,
}

/// Counts one up as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted<'a>(&'a AtomicUsize);

pub(crate) fn counted(counter: &AtomicUsize) -> Counted<'_> {
    counter.fetch_add(1, Ordering::Relaxed);
    Counted(counter)
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Stats {
    pub(crate) fn new() -> Stats {
        Stats {
            started: Instant::now(),
            current_connections: AtomicUsize::new(0),
            lifetime_connections: AtomicU64::new(0),
            unauthenticated: AtomicUsize::new(0),
            refused_connections: AtomicU64::new(0),
            sessions: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            bytes_sent: AtomicU64::new(0),
        }
    }

    /// DTail's fields: process, place in the source, processors, concurrent tasks, calls into C,
    /// load, uptime of the machine; then `key=value`.
    pub(crate) fn line(&self) -> String {
        let load = Load::current();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let tasks = self.running.load(Ordering::Relaxed) + self.sessions.load(Ordering::Relaxed);
        format!(
            "{}|stats.rs:1|{processors}|{tasks}|0|{}|{}|MAPREDUCE:STATS|currentConnections={}|\
             lifetimeConnections={}|preAuthConnections={}|refusedConnections={}|sessions={}|\
             requests={}|running={}|bytesSent={}|serverUptime={}",
            std::process::id(),
            load.average,
            go_duration(load.uptime),
            self.current_connections.load(Ordering::Relaxed),
            self.lifetime_connections.load(Ordering::Relaxed),
            self.unauthenticated.load(Ordering::Relaxed),
            self.refused_connections.load(Ordering::Relaxed),
            self.sessions.load(Ordering::Relaxed),
            self.requests.load(Ordering::Relaxed),
            self.running.load(Ordering::Relaxed),
            self.bytes_sent.load(Ordering::Relaxed),
            self.started.elapsed().as_secs(),
        )
    }
}

/// Such as `471h0m21s`.
fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::{Stats, counted, go_duration};

    #[test]
    fn durations_are_written_as_go_does() {
        let shown = |seconds| go_duration(Duration::from_secs(seconds));
        assert_eq!([shown(0), shown(61), shown(1_695_621)], ["0s", "1m1s", "471h0m21s"]);
    }

    #[test]
    fn a_line_has_the_fields_that_dtails_queries_look_for() {
        let stats = Stats::new();
        let counted = counted(&stats.current_connections);
        let line = format!("INFO|20260101-000000|{}", stats.line());
        let fields: Vec<&str> = line.split('|').collect();
        assert_eq!(fields[9], "MAPREDUCE:STATS");
        assert_eq!(fields[10], "currentConnections=1");
        assert!(fields[10..].iter().all(|field| field.contains('=')), "{line}");
        drop(counted);
        assert_eq!(stats.current_connections.load(Ordering::Relaxed), 0);
    }
}
