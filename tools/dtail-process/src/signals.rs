//! Signals become a flag to look at, a channel to wait on or a call, so that `main` can return.
//! It never ends the process.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

/// The signals a program was asked to stop with.
#[derive(Debug)]
pub struct StopSignals {
    received: Receiver<u8>,
}

impl StopSignals {
    /// From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT set `cancel` and are reported instead of
    /// killing the process. A SIGHUP that is ignored (`nohup`) stays ignored.
    pub fn catch(cancel: Arc<AtomicBool>) -> io::Result<StopSignals> {
        let mut wanted = vec![SIGINT, SIGTERM, SIGQUIT];
        if !is_ignored(SIGHUP) {
            wanted.push(SIGHUP);
        }
        let mut signals = Signals::new(&wanted)?;
        // Only the first signal decides the exit code, so the others may be dropped.
        let (report, received) = bounded(1);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                cancel.store(true, Ordering::SeqCst);
                let _is_first = report.try_send(u8::try_from(signal).unwrap_or(0)).is_ok();
            }
        })?;
        Ok(StopSignals { received })
    }

    /// Receives the number of the first signal, once.
    pub fn received(&self) -> &Receiver<u8> {
        &self.received
    }
}

/// What a signal asks a server to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerSignal {
    /// SIGINT, SIGTERM or SIGQUIT: finish and leave.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// From now on signals are handed to `tell`, on a thread of its own, instead of killing the
/// process.
pub fn watch(mut tell: impl FnMut(ServerSignal) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGQUIT, SIGHUP])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            tell(if signal == SIGHUP { ServerSignal::Reload } else { ServerSignal::Stop });
        }
    })?;
    Ok(())
}

/// From now on SIGUSR1 is handed to `tell`, on a thread of its own, instead of killing the process.
pub fn watch_snapshots(mut tell: impl FnMut() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGUSR1])?;
    thread::Builder::new().name("snapshots".to_owned()).spawn(move || {
        signals.forever().for_each(|_| tell());
    })?;
    Ok(())
}

/// Whether the process inherited the signal as ignored. Where the system cannot tell: no.
fn is_ignored(signal: i32) -> bool {
    // One read of it all: this is part of every start.
    let mut status = [0; 4096];
    let read = File::open("/proc/self/status").and_then(|mut file| file.read(&mut status));
    read.is_ok_and(|length| ignores(&String::from_utf8_lossy(&status[..length]), signal))
}

fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::{SIGHUP, SIGINT, ignores};

    #[test]
    fn an_ignored_signal_is_read_from_the_process_status() {
        let nohup = "Name:\tcat\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert!(ignores(nohup, SIGHUP));
        assert!(!ignores(nohup, SIGINT));
        assert!(!ignores("", SIGHUP));
    }
}
