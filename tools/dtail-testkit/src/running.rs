//! A running program: signals, what it has printed so far, its end. Never leaves one behind.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};

use crate::Finished;
use crate::wait::holds_within;

pub use rustix::process::Signal;

type Collected = Arc<Mutex<Vec<u8>>>;

/// A program that was started and may have ended.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Kept open so that a silent standard input does not end.
    _stdin: Option<ChildStdin>,
    command: String,
    dir: PathBuf,
    stdout: Collected,
    stderr: Collected,
    readers: Vec<JoinHandle<()>>,
    started: Instant,
}

impl Running {
    pub(crate) fn new(
        mut child: Child,
        stdin: Option<ChildStdin>,
        command: String,
        dir: PathBuf,
        reads_stdout: bool,
    ) -> Running {
        let (stdout, stderr) = (Collected::default(), Collected::default());
        let mut readers = Vec::new();
        if reads_stdout && let Some(pipe) = child.stdout.take() {
            readers.push(collect(pipe, Arc::clone(&stdout)));
        }
        if let Some(pipe) = child.stderr.take() {
            readers.push(collect(pipe, Arc::clone(&stderr)));
        }
        let started = Instant::now();
        Running { child, _stdin: stdin, command, dir, stdout, stderr, readers, started }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap_or_else(|err| panic!("cannot signal the program: {err}"));
    }

    /// Closes the reading end of an unread standard output ([`crate::Program::spawn_stalled`]).
    pub fn close_stdout(&mut self) {
        drop(self.child.stdout.take());
    }

    /// What the program has printed so far.
    pub fn stdout(&self) -> Vec<u8> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the program has said to standard error so far.
    pub fn stderr(&self) -> Vec<u8> {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the program has closed its standard error, most likely by ending.
    pub fn has_closed_stderr(&self) -> bool {
        self.readers.last().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until `condition` holds for what the program has said to standard error so far.
    #[track_caller]
    pub fn wait_for_stderr(
        &self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut(&[u8]) -> bool,
    ) {
        let holds = holds_within(limit, &mut || condition(&self.stderr()));
        assert!(holds, "waited {limit:?} in vain until {what}\n{}", self.snapshot(None).report());
    }

    /// Waits until `condition` holds for what the program has printed so far.
    #[track_caller]
    pub fn wait_for_stdout(
        &self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut(&[u8]) -> bool,
    ) {
        let holds = holds_within(limit, &mut || condition(&self.stdout()));
        assert!(holds, "waited {limit:?} in vain until {what}\n{}", self.snapshot(None).report());
    }

    /// Bytes waiting in an unread standard output ([`crate::Program::spawn_stalled`]).
    pub fn unread_stdout(&self) -> u64 {
        let pipe = self.child.stdout.as_ref();
        pipe.and_then(|pipe| rustix::io::ioctl_fionread(pipe).ok()).unwrap_or(0)
    }

    /// Waits for the end. A program that runs longer than `limit` is killed and the test fails.
    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> Finished {
        let mut status = None;
        let ended = holds_within(limit, &mut || {
            status = self.child.try_wait().expect("a child can be waited for");
            status.is_some()
        });
        if !ended {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        for reader in std::mem::take(&mut self.readers) {
            drop(reader.join());
        }
        let finished = self.snapshot(status);
        assert!(ended, "still running after {limit:?}\n{}", finished.report());
        finished
    }

    fn snapshot(&self, status: Option<ExitStatus>) -> Finished {
        Finished {
            command: self.command.clone(),
            dir: self.dir.clone(),
            status,
            stdout: self.stdout(),
            stderr: self.stderr(),
            took: self.started.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

fn collect(mut pipe: impl Read + Send + 'static, into: Collected) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            let mut collected = into.lock().unwrap_or_else(PoisonError::into_inner);
            collected.extend_from_slice(&buffer[..count]);
        }
    })
}
