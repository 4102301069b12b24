//! The threads of this process, by the numbers the kernel gave them. It stops none and asks none.

use std::collections::BTreeSet;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags, RawDir, SeekFrom};

/// Linux gives no number beyond it.
const MOST_THREADS: usize = 1 << 22;

/// A set of threads that handlers may look at.
pub(super) struct ThreadSet {
    words: Box<[AtomicU64]>,
}

impl ThreadSet {
    pub(super) fn new() -> ThreadSet {
        // SAFETY: zeros are valid atomic numbers. Untouched, they take no memory.
        let words = unsafe { Box::new_zeroed_slice(MOST_THREADS / 64).assume_init() };
        ThreadSet { words }
    }

    fn word(&self, thread: i32) -> Option<(&AtomicU64, u64)> {
        let thread = usize::try_from(thread).ok()?;
        Some((self.words.get(thread / 64)?, 1 << (thread % 64)))
    }

    pub(super) fn contains(&self, thread: i32) -> bool {
        self.word(thread).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    pub(super) fn insert(&self, thread: i32) {
        if let Some((word, bit)) = self.word(thread) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    pub(super) fn remove(&self, thread: i32) {
        if let Some((word, bit)) = self.word(thread) {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }
}

static KEPT_OUT: OnceLock<ThreadSet> = OnceLock::new();

/// Until it is dropped, the thread that made it is in no profile.
#[derive(Debug)]
pub(crate) struct KeptOut(i32);

/// Keeps this thread out of profiles: one of the profiler's own.
pub(crate) fn keep_out() -> KeptOut {
    let thread = current();
    KEPT_OUT.get_or_init(ThreadSet::new).insert(thread);
    KeptOut(thread)
}

impl Drop for KeptOut {
    fn drop(&mut self) {
        if let Some(set) = KEPT_OUT.get() {
            set.remove(self.0);
        }
    }
}

/// Signal handlers may call it.
pub(super) fn is_kept_out(thread: i32) -> bool {
    KEPT_OUT.get().is_some_and(|set| set.contains(thread))
}

/// This thread. Signal handlers may call it.
pub(super) fn current() -> i32 {
    // SAFETY: it only asks for a number.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    i32::try_from(thread).unwrap_or(0)
}

/// The list of threads, to be read again and again.
pub(super) struct TaskList {
    folder: OwnedFd,
    buffer: Box<[MaybeUninit<u8>]>,
}

impl TaskList {
    pub(super) fn open() -> io::Result<TaskList> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open("/proc/self/task", flags, Mode::empty())?;
        Ok(TaskList { folder, buffer: vec![MaybeUninit::uninit(); 4096].into() })
    }

    /// Those that are there now.
    pub(super) fn read(&mut self, threads: &mut BTreeSet<i32>) -> io::Result<()> {
        threads.clear();
        rustix::fs::seek(&self.folder, SeekFrom::Start(0))?;
        let mut entries = RawDir::new(&self.folder, &mut self.buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_str().ok();
            threads.extend(name.and_then(|name| name.parse::<i32>().ok()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{TaskList, ThreadSet, current, is_kept_out, keep_out};

    #[test]
    fn a_set_of_threads_holds_what_was_put_in() {
        let set = ThreadSet::new();
        set.insert(4_194_303);
        set.insert(64);
        set.insert(-1);
        assert!(set.contains(4_194_303) && set.contains(64) && !set.contains(65));
        set.remove(64);
        assert!(!set.contains(64) && !set.contains(i32::MAX) && !set.contains(-1));
    }

    #[test]
    fn this_thread_is_among_the_threads_and_may_be_kept_out() {
        let mut threads = BTreeSet::new();
        let mut list = TaskList::open().unwrap();
        for _ in 0..2 {
            list.read(&mut threads).unwrap();
            assert!(threads.contains(&current()));
        }
        let kept_out = keep_out();
        assert!(is_kept_out(current()));
        drop(kept_out);
        assert!(!is_kept_out(current()));
    }
}
