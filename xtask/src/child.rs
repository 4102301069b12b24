//! Child processes: every one in a process group of its own, so that Ctrl-C, SIGTERM and time
//! limits end it together with whatever it started. Owns no knowledge of what is being run.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::fault::{Fault, refuse};

/// How long a child may take to end after SIGTERM before it gets SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// How much of a child's error output is kept for messages, in bytes.
const ERROR_TAIL: usize = 64 * 1024;
/// Held while a child is reaped: what the kernel adds to our children's time is then this one's.
static REAPING: Mutex<()> = Mutex::new(());

/// The process groups that run now, and whether the user has asked us to stop.
#[derive(Clone, Default)]
pub(crate) struct Children {
    interrupted: Arc<AtomicBool>,
    groups: Arc<Mutex<BTreeSet<Group>>>,
}

/// A child's process group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group(i32);

impl Group {
    /// Sends `signal` to every process of the group.
    pub(crate) fn signal(self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.0) {
            // The group may have ended meanwhile, which is what we want.
            let _ended_already = kill_process_group(pid, signal);
        }
    }
}

/// How a finished child ended.
pub(crate) struct Finished {
    /// The exit code as a shell states it: 128 + n after signal n.
    pub(crate) code: i32,
    /// The time limit passed and the child was ended.
    pub(crate) timed_out: bool,
    /// The last part of its standard error, lossy UTF-8.
    pub(crate) stderr: String,
    /// From start to exit.
    pub(crate) wall: Duration,
    /// The processor time of the child and of those it waited for.
    pub(crate) cpu: Cpu,
}

/// Processor time in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Children {
    /// Starts watching for SIGINT, SIGTERM and SIGHUP; the first one ends every child.
    pub(crate) fn watch() -> Result<Self> {
        let children = Self::default();
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
            .context("cannot watch for signals")?;
        let watched = children.clone();
        std::thread::spawn(move || {
            for _signal in signals.forever() {
                // A second signal means that SIGTERM was not enough.
                let again = watched.interrupted.swap(true, Ordering::SeqCst);
                watched.signal_all(if again { Signal::KILL } else { Signal::TERM });
                let late = watched.clone();
                std::thread::spawn(move || {
                    std::thread::park_timeout(GRACE);
                    late.signal_all(Signal::KILL);
                });
            }
        });
        Ok(children)
    }

    /// An error once the user has asked us to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.interrupted.load(Ordering::SeqCst) {
            return Err(refuse(Fault::Interrupted, "interrupted; nothing half-written was kept"));
        }
        Ok(())
    }

    /// Starts `command` in its own process group, without standard input unless it has one.
    pub(crate) fn spawn(&self, command: &mut Command) -> Result<Running> {
        self.check()?;
        let program = command.get_program().to_string_lossy().into_owned();
        let child =
            command.process_group(0).spawn().with_context(|| format!("cannot run {program}"))?;
        let running = Running { children: self.clone(), child, started: Instant::now() };
        self.lock().insert(running.group());
        // A signal between the check and the insertion must not leave the child behind.
        if self.interrupted.load(Ordering::SeqCst) {
            running.group().signal(Signal::TERM);
        }
        Ok(running)
    }

    fn signal_all(&self, signal: Signal) {
        for group in self.lock().iter() {
            group.signal(signal);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A started child; dropping it ends its whole group.
pub(crate) struct Running {
    children: Children,
    child: Child,
    started: Instant,
}

impl Running {
    /// The child's standard output, if it was piped and not taken before.
    pub(crate) fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for the end, for at most `limit`; hands each line of standard error to `on_line`.
    pub(crate) fn finish(
        mut self,
        limit: Option<Duration>,
        mut on_line: impl FnMut(&str) + Send,
    ) -> Result<Finished> {
        let stderr = self.child.stderr.take();
        let (ended, watch) = sync_channel::<()>(1);
        let group = self.group();
        let (status, wall, timed_out, stderr) = std::thread::scope(|scope| {
            let watchdog = scope.spawn(move || limit.is_some_and(|l| kill_after(group, l, &watch)));
            let reader =
                scope.spawn(move || stderr.map_or(String::new(), |s| tail(s, &mut on_line)));
            let ended_at = self.wait_for_end();
            let wall = ended_at.duration_since(self.started);
            // Whatever the child left behind would keep our pipes open for ever.
            group.signal(Signal::KILL);
            let status = self.reap();
            drop(ended);
            let timed_out = watchdog.join().unwrap_or(false);
            (status, wall, timed_out, reader.join().unwrap_or_default())
        });
        let (status, cpu) = status.context("cannot wait for a child process")?;
        self.children.check()?;
        Ok(Finished { code: shell_code(status), timed_out, stderr, wall, cpu })
    }

    /// Returns when the child has ended; it is not reaped yet, so its number still means it.
    fn wait_for_end(&self) -> Instant {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let wait = || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            while wait().is_err_and(|error| error == rustix::io::Errno::INTR) {}
        }
        Instant::now()
    }

    /// Takes the ended child's status, and its share of our children's processor time.
    fn reap(&mut self) -> std::io::Result<(ExitStatus, Cpu)> {
        let _alone = REAPING.lock().unwrap_or_else(PoisonError::into_inner);
        let before = children_cpu();
        let status = self.child.wait()?;
        let after = children_cpu();
        let (user, system) = (after.user - before.user, after.system - before.system);
        Ok((status, Cpu { user, system }))
    }

    /// The child's process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's process group.
    pub(crate) fn group(&self) -> Group {
        Group(self.child.id().cast_signed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Also reaches grandchildren that outlived the child; an empty group is not an error.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.group().signal(Signal::KILL);
            drop(self.reap());
        }
        self.children.lock().remove(&self.group());
    }
}

/// Ends the group when nobody says within `limit` that it has ended by itself.
fn kill_after(group: Group, limit: Duration, ended: &std::sync::mpsc::Receiver<()>) -> bool {
    if ended.recv_timeout(limit) != Err(RecvTimeoutError::Timeout) {
        return false;
    }
    group.signal(Signal::TERM);
    if ended.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
        group.signal(Signal::KILL);
    }
    true
}

fn tail(stream: impl Read, on_line: &mut impl FnMut(&str)) -> String {
    let mut kept = String::new();
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream);
    while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&line);
        on_line(text.trim_end());
        kept.push_str(&text);
        if kept.len() > 2 * ERROR_TAIL {
            let mut cut = kept.len() - ERROR_TAIL;
            while !kept.is_char_boundary(cut) {
                cut += 1;
            }
            kept.drain(..cut);
        }
        line.clear();
    }
    kept
}

/// The processor time of all children reaped so far; nothing when the system does not tell.
fn children_cpu() -> Cpu {
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(Cpu::default(), |usage| Cpu {
        user: seconds(usage.user_time()),
        system: seconds(usage.system_time()),
    })
}

fn shell_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// A command that runs this program again. While it runs, cargo may put another xtask in its place
/// (`cargo test --workspace` builds it with the features of all packages): the name is gone then,
/// or means another program, but Linux still runs what the process was started from.
pub(crate) fn itself() -> Result<Command> {
    let running = std::path::Path::new("/proc/self/exe");
    Ok(Command::new(if running.exists() { running.into() } else { std::env::current_exe()? }))
}

/// Standard input from nowhere, output and errors piped: how most children are run.
pub(crate) fn piped(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(script: &str, limit: Option<Duration>, code: i32, timed_out: bool, stderr: &str) {
        let mut command = Command::new("sh");
        piped(command.args(["-c", script]));
        let running = Children::default().spawn(&mut command).unwrap();
        let finished = running.finish(limit, |_| {}).unwrap();
        assert_eq!((finished.code, finished.timed_out), (code, timed_out));
        assert_eq!(finished.stderr, stderr);
    }

    #[test]
    fn exit_codes_signals_and_errors_are_told_as_a_shell_does() {
        check("exit 3", None, 3, false, "");
        check("echo bad >&2; kill -KILL $$", None, 137, false, "bad\n");
    }

    #[test]
    fn a_childs_processor_time_is_its_own() {
        let run = |script: &str| {
            let mut command = Command::new("sh");
            piped(command.args(["-c", script]));
            Children::default().spawn(&mut command).unwrap().finish(None, |_| {}).unwrap().cpu
        };
        let busy = std::thread::spawn({
            move || run("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done")
        });
        let idle = run("read x < /dev/null || true");
        let busy = busy.join().unwrap();
        let sum = |cpu: Cpu| cpu.user + cpu.system;
        assert!(sum(busy) > 5.0 * sum(idle), "{busy:?} {idle:?}");
    }

    #[test]
    fn a_time_limit_ends_the_child_and_its_children() {
        check("sleep 600 & wait", Some(Duration::from_millis(50)), 143, true, "");
    }
}
