//! Wakes followers early when the system tells of a change. It only shortens their pauses: a change
//! nobody tells of, on a network file system or for want of inotify watches, is found by the next
//! regular look. Never looks at files itself.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// A writer of many short lines makes an event for each. The system merges equal events nobody has
/// fetched yet, so after some time of fetching there is a pause.
const FETCHING: Duration = Duration::from_millis(1);
const FETCHING_PAUSE: Duration = Duration::from_millis(4);

/// What a follower was woken for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rung {
    /// A followed file has changed.
    pub(super) data: bool,
    /// Files have come, gone or got other names.
    pub(super) names: bool,
}

/// What one follower listens to.
#[derive(Default)]
pub(super) struct Bell {
    chime: Arc<Chime>,
    files: HashSet<PathBuf>,
    folders: HashSet<PathBuf>,
}

#[derive(Default)]
struct Chime {
    rung: Mutex<Rung>,
    changed: Condvar,
}

/// Who listens to what, of all followers of the process.
#[derive(Default)]
struct Registry {
    files: HashMap<PathBuf, Vec<Weak<Chime>>>,
    folders: HashMap<PathBuf, Vec<Weak<Chime>>>,
}

/// The one watcher of the process. Its lock is held while it is told what to watch, and then it
/// waits for its thread, which needs the registry: so never lock the registry around that.
struct Tower {
    watcher: Mutex<RecommendedWatcher>,
    registry: Arc<Mutex<Registry>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tower() -> Option<&'static Tower> {
    static TOWER: OnceLock<Option<Tower>> = OnceLock::new();
    TOWER
        .get_or_init(|| {
            let registry = Arc::<Mutex<Registry>>::default();
            let heard = Arc::clone(&registry);
            let mut fetching_since = Instant::now();
            let watcher = notify::recommended_watcher(move |event| {
                hear(&lock(&heard), event);
                if fetching_since.elapsed() >= FETCHING {
                    thread::park_timeout(FETCHING_PAUSE);
                    fetching_since = Instant::now();
                }
            });
            Some(Tower { watcher: Mutex::new(watcher.ok()?), registry })
        })
        .as_ref()
}

/// Rings for whoever is concerned by an event.
fn hear(registry: &Registry, event: notify::Result<Event>) {
    let Ok(event) = event else { return };
    if event.need_rescan() {
        // Events were lost.
        let everybody = registry.folders.values().flatten();
        return everybody.for_each(|chime| ring(chime, Rung { data: true, names: true }));
    }
    let names = match event.kind {
        EventKind::Access(_) => return,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
            true
        }
        _ => false,
    };
    for path in &event.paths {
        let files = registry.files.get(path);
        let folders = path.parent().filter(|_| names).and_then(|it| registry.folders.get(it));
        for chime in files.into_iter().chain(folders).flatten() {
            ring(chime, Rung { data: true, names });
        }
    }
}

fn ring(chime: &Weak<Chime>, how: Rung) {
    if let Some(chime) = chime.upgrade() {
        let mut rung = lock(&chime.rung);
        rung.data |= how.data;
        rung.names |= how.names;
        chime.changed.notify_one();
    }
}

impl Bell {
    /// Listens to a path, and to names that come and go beside it.
    pub(super) fn listen_to_file(&mut self, path: &Path) {
        let Some(name) = path.file_name() else { return };
        let folder = folder_of(path);
        // As it will be named in events.
        let path = folder.join(name);
        if self.files.contains(&path) {
            return;
        }
        self.listen_to_folder(&folder);
        if let Some(tower) = tower() {
            let listener = Arc::downgrade(&self.chime);
            lock(&tower.registry).files.entry(path.clone()).or_default().push(listener);
        }
        self.files.insert(path);
    }

    /// Listens to names that come and go in a folder.
    pub(super) fn listen_to_folder(&mut self, folder: &Path) {
        if !self.folders.insert(folder.to_owned()) {
            return;
        }
        let Some(tower) = tower() else { return };
        let mut watcher = lock(&tower.watcher);
        let is_watched = lock(&tower.registry).folders.contains_key(folder);
        if is_watched || watcher.watch(folder, RecursiveMode::NonRecursive).is_ok() {
            let listener = Arc::downgrade(&self.chime);
            let mut registry = lock(&tower.registry);
            registry.folders.entry(folder.to_owned()).or_default().push(listener);
        }
    }

    /// Nothing more about this path.
    pub(super) fn forget_file(&mut self, path: &Path) {
        let path = folder_of(path).join(path.file_name().unwrap_or_default());
        if self.files.remove(&path)
            && let Some(tower) = tower()
        {
            self.leave(&mut lock(&tower.registry).files, &path);
        }
    }

    /// Waits until it rings, or rang since the last time, at most for `limit`.
    pub(super) fn wait(&self, limit: Duration) -> Rung {
        let rung = lock(&self.chime.rung);
        let waited =
            self.chime.changed.wait_timeout_while(rung, limit, |rung| *rung == Rung::default());
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }

    /// Takes this follower, and those that are gone, out of a list. `true` if nobody is left.
    fn leave(&self, lists: &mut HashMap<PathBuf, Vec<Weak<Chime>>>, path: &Path) -> bool {
        let Some(list) = lists.get_mut(path) else { return false };
        list.retain(|it| {
            it.strong_count() > 0 && !std::ptr::eq(it.as_ptr(), &raw const *self.chime)
        });
        let is_empty = list.is_empty();
        if is_empty {
            lists.remove(path);
        }
        is_empty
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if self.folders.is_empty() {
            return;
        }
        let Some(tower) = tower() else { return };
        let mut watcher = lock(&tower.watcher);
        let mut registry = lock(&tower.registry);
        for path in &self.files {
            self.leave(&mut registry.files, path);
        }
        let left: Vec<_> = self
            .folders
            .iter()
            .filter(|folder| self.leave(&mut registry.folders, folder))
            .collect();
        drop(registry);
        for folder in left {
            // It may be gone, and the watch with it.
            let _gone = watcher.unwatch(folder).is_err();
        }
    }
}

/// The folder of a path, such that it can be opened.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
