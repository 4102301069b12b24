//! The stacks of all threads at one moment: each is sent a signal and notes where it is. It waits
//! only so long, since a thread may be stuck in the kernel.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::handler::{self, DUMP};
use super::ring::Ring;
use super::stack;
use super::tasks::{self, TaskList};

/// Threads that are asked at most.
const MOST: usize = 4096;
/// How long to wait for the last of them.
const PATIENCE: Duration = Duration::from_millis(500);

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThreadStack {
    /// Its number.
    pub(crate) thread: i32,
    /// Its name.
    pub(crate) name: String,
    /// Where it is, the innermost address first; empty if it did not say.
    pub(crate) stack: Vec<u64>,
}

/// All threads but the profiler's own.
pub(crate) fn thread_stacks() -> Result<Vec<ThreadStack>, String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _only = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    stack::prepare();
    handler::install()?;
    let mut threads = BTreeSet::new();
    let mut list = TaskList::open().map_err(|err| format!("cannot list threads: {err}"))?;
    list.read(&mut threads).map_err(|err| format!("cannot list threads: {err}"))?;
    threads.retain(|thread| !tasks::is_kept_out(*thread));
    DUMP.put(Ring::new(threads.len().clamp(1, MOST).next_power_of_two()));
    let process = i64::from(std::process::id());
    for thread in threads.iter().take(MOST) {
        // SAFETY: it sends a signal that has a handler. One that has ended is no harm.
        unsafe { libc::syscall(libc::SYS_tgkill, process, i64::from(*thread), libc::SIGPROF) };
    }
    let mut stacks = HashMap::new();
    let deadline = Instant::now() + PATIENCE;
    while stacks.len() < threads.len().min(MOST) && Instant::now() < deadline {
        thread::park_timeout(Duration::from_millis(1));
        let mut add = |ring: &Ring| {
            ring.drain(|sample| {
                stacks.insert(sample.thread, sample.frames[..sample.length].to_vec());
            });
        };
        DUMP.enter(&mut add);
    }
    DUMP.take();
    let of = |thread: i32| ThreadStack {
        thread,
        name: name_of(thread),
        stack: stacks.remove(&thread).unwrap_or_default(),
    };
    Ok(threads.into_iter().map(of).collect())
}

fn name_of(thread: i32) -> String {
    let name = std::fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
    name.unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::thread;

    use super::thread_stacks;

    #[test]
    fn every_thread_says_where_it_is() {
        let (hold, held) = sync_channel::<()>(0);
        let waiting = thread::Builder::new().name("waiting".to_owned());
        let waiting = waiting.spawn(move || held.recv()).unwrap();
        // It may not have come far yet.
        let is_deep = || {
            let all = thread_stacks().unwrap();
            all.iter().any(|it| it.name == "waiting" && it.stack.len() > 5)
        };
        assert!((0..1000).any(|_| is_deep()), "it never waited");
        drop(hold);
        waiting.join().unwrap().unwrap_err();
    }
}
