//! Signals become a flag to look at, an end of waiting or a call, so that `main` can return.
//! It never ends the process.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use rustix::io::write;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use signal_hook::low_level::register;

/// The signals a program was asked to stop with.
#[derive(Debug)]
pub struct StopSignals(Arc<Bell>);

/// What signals and the end of work ring, and `main` hears.
#[derive(Debug)]
struct Bell {
    /// The number of the first signal; 0 before.
    signal: AtomicU8,
    /// A byte comes out for each that went in.
    hears: UnixStream,
    rings: UnixStream,
}

impl Bell {
    /// Handlers of signals may call it.
    fn ring(&self) {
        let _is_heard = write(&self.rings, &[0]).is_ok();
    }
}

/// What ended the waiting.
#[derive(Debug)]
pub enum Ended<T> {
    /// The work did.
    Done(T),
    /// It panicked, which was told.
    Panicked,
    /// A signal of this number did; the work goes on, and its end can be received.
    Signal(u8, Receiver<T>),
}

impl StopSignals {
    /// From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT set `cancel` and are reported instead of
    /// killing the process. A SIGHUP that is ignored (`nohup`) stays ignored.
    pub fn catch(cancel: &Arc<AtomicBool>) -> io::Result<StopSignals> {
        let (hears, rings) = UnixStream::pair()?;
        // No handler may wait. Where there is no room there is something to hear.
        rings.set_nonblocking(true)?;
        let bell = Arc::new(Bell { signal: AtomicU8::new(0), hears, rings });
        let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
        for signal in [SIGINT, SIGTERM, SIGQUIT].into_iter().chain(hangup) {
            let (cancel, bell) = (Arc::clone(cancel), Arc::clone(&bell));
            let number = u8::try_from(signal).unwrap_or(0);
            let told = move || {
                cancel.store(true, Ordering::SeqCst);
                // Only the first decides the exit code.
                let order = Ordering::SeqCst;
                let _is_first = bell.signal.compare_exchange(0, number, order, order).is_ok();
                bell.ring();
            };
            // SAFETY: it stores two numbers and makes a system call that may be made in handlers;
            // it neither allocates, locks nor touches `errno`.
            unsafe { register(signal, told) }?;
        }
        Ok(StopSignals(bell))
    }

    /// Works on a thread of its own, so that a signal ends the waiting whatever the work is stuck
    /// in, such as a write that nobody reads. The error is that of starting the thread.
    pub fn wait_for<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Ended<T>> {
        let (report, done) = bounded(1);
        let end = End(Arc::clone(&self.0));
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Rings after a panic as well.
            let _end = end;
            // Nobody listens any more if a signal came first and was not waited out.
            let _heard = report.send(work());
        })?;
        // It cannot fail while we hold the other end.
        let _heard = (&self.0.hears).read_exact(&mut [0]);
        Ok(match self.0.signal.load(Ordering::SeqCst) {
            0 => done.recv().map_or(Ended::Panicked, Ended::Done),
            signal => Ended::Signal(signal, done),
        })
    }
}

/// Rings when it is dropped.
struct End(Arc<Bell>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.ring();
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
    use std::sync::Arc;

    use super::{Ended, SIGHUP, SIGINT, StopSignals, ignores};

    #[test]
    fn work_ends_the_waiting_and_so_does_its_panic() {
        let stop = StopSignals::catch(&Arc::default()).unwrap();
        assert!(matches!(stop.wait_for("seven", || 7).unwrap(), Ended::Done(7)));
        let panics = stop.wait_for("panics", || assert_eq!(1, 2)).unwrap();
        assert!(matches!(panics, Ended::Panicked), "{panics:?}");
    }

    #[test]
    fn an_ignored_signal_is_read_from_the_process_status() {
        let nohup = "Name:\tcat\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert!(ignores(nohup, SIGHUP));
        assert!(!ignores(nohup, SIGINT));
        assert!(!ignores("", SIGHUP));
    }
}
