//! The steady part of a server's life: from the moment when every client has had something of what
//! it asked for until the first of them has had all. At both moments the profile that the server
//! keeps on disk is copied. It subtracts nothing and starts nothing.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Below the folder of raw profiles.
const FOLDER: &str = "windows";

/// Which part of the program's life is trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Window {
    /// From its start to its end.
    #[default]
    Whole,
    /// While all clients are being answered: without start-up, handshakes and shutdown.
    Steady,
}

/// The two copies of a run.
#[derive(Clone, Debug)]
pub(crate) struct Copies {
    pub(crate) begin: PathBuf,
    pub(crate) end: PathBuf,
}

impl Copies {
    /// Those of run `name`.
    pub(crate) fn of(raw_dir: &Path, name: &str) -> Self {
        let folder = raw_dir.join(FOLDER);
        let copy = |moment: &str| folder.join(format!("{name}.{moment}.profraw"));
        Self { begin: copy("begin"), end: copy("end") }
    }
}

/// Watches the clients' outputs.
pub(crate) struct Watch {
    raw_dir: PathBuf,
    /// The beginning of the raw profile's file name.
    name: String,
    copies: Copies,
    state: Mutex<State>,
}

struct State {
    /// Clients that have had nothing yet.
    waiting: usize,
    has_begun: bool,
    has_ended: bool,
    fault: Option<String>,
}

impl Watch {
    /// For a server whose raw profile has this pattern, and so many clients.
    pub(crate) fn new(pattern: &Path, clients: usize) -> Result<Self> {
        let raw_dir = pattern.parent().context("a raw profile lies in a folder")?.to_owned();
        let name = pattern.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.split(".%").next().unwrap_or_default().to_owned();
        let folder = raw_dir.join(FOLDER);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make folder {}", folder.display()))?;
        let copies = Copies::of(&raw_dir, &name);
        for old in [&copies.begin, &copies.end] {
            if old.exists() {
                std::fs::remove_file(old)?;
            }
        }
        let state = State { waiting: clients, has_begun: false, has_ended: false, fault: None };
        Ok(Self { raw_dir, name, copies, state: Mutex::new(state) })
    }

    /// A client's output, which tells when it begins and ends.
    pub(crate) fn watched<R: Read>(self: &Arc<Self>, output: R) -> Watched<R> {
        Watched { output, watch: Arc::clone(self), has_begun: false }
    }

    /// Why there is no window, if there is none.
    pub(crate) fn fault(&self) -> Option<String> {
        let state = self.lock();
        let short = "the clients were never served all at once, so there is no steady window: give them more to do, and none that prints only in the end";
        let none = (!(state.has_begun && state.has_ended)).then(|| short.to_owned());
        state.fault.clone().or(none)
    }

    fn begun(&self) {
        let mut state = self.lock();
        state.waiting = state.waiting.saturating_sub(1);
        if state.waiting == 0 && !state.has_ended && !state.has_begun {
            state.has_begun = true;
            self.copy(&mut state, &self.copies.begin);
        }
    }

    fn ended(&self) {
        let mut state = self.lock();
        if state.has_begun && !state.has_ended {
            self.copy(&mut state, &self.copies.end);
        }
        state.has_ended = true;
    }

    /// The server goes on counting meanwhile; counts only grow, so that a difference is none below
    /// zero.
    fn copy(&self, state: &mut State, to: &Path) {
        let copied = self.raw_profile().and_then(|from| {
            std::fs::copy(&from, to).with_context(|| format!("cannot copy {}", from.display()))
        });
        if let Err(error) = copied {
            state.fault = Some(format!("{error:#}"));
        }
    }

    fn raw_profile(&self) -> Result<PathBuf> {
        for entry in std::fs::read_dir(&self.raw_dir)? {
            let path = entry?.path();
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            if file.strip_prefix(&self.name).is_some_and(|rest| rest.starts_with('.')) {
                return Ok(path);
            }
        }
        anyhow::bail!("the server keeps no profile on disk while it runs")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An output that is watched.
pub(crate) struct Watched<R> {
    output: R,
    watch: Arc<Watch>,
    has_begun: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.output.read(buffer)?;
        if count == 0 {
            self.watch.ended();
        } else if !self.has_begun {
            self.has_begun = true;
            self.watch.begun();
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(folder: &Path, clients: usize) -> Arc<Watch> {
        let pattern = folder.join("t.c.1.%m.%p%c.profraw");
        Arc::new(Watch::new(&pattern, clients).unwrap())
    }

    #[test]
    fn the_window_is_while_all_clients_are_served() {
        let dir = tempfile::tempdir().unwrap();
        let profile = dir.path().join("t.c.1.7.8.profraw");
        let write = |text: &str| std::fs::write(&profile, text).unwrap();
        std::fs::write(dir.path().join("t.c.10.7.9.profraw"), "another run's").unwrap();
        let watch = watch(dir.path(), 2);
        let mut outputs = [watch.watched(&b"ab"[..]), watch.watched(&b"cd"[..])];
        let mut byte = [0];
        write("handshake");
        outputs[0].read_exact(&mut byte).unwrap();
        assert!(watch.fault().is_some());
        write("first");
        outputs[1].read_exact(&mut byte).unwrap();
        write("second");
        io::copy(&mut outputs[0], &mut io::sink()).unwrap();
        write("shutdown");
        io::copy(&mut outputs[1], &mut io::sink()).unwrap();
        assert_eq!(watch.fault(), None);
        let copies = Copies::of(dir.path(), "t.c.1");
        assert_eq!(std::fs::read(copies.begin).unwrap(), b"first");
        assert_eq!(std::fs::read(copies.end).unwrap(), b"second");
    }

    #[test]
    fn clients_one_after_the_other_have_no_window() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("t.c.1.7.8.profraw"), "x").unwrap();
        let watch = watch(dir.path(), 2);
        io::copy(&mut watch.watched(&b"ab"[..]), &mut io::sink()).unwrap();
        io::copy(&mut watch.watched(&b"cd"[..]), &mut io::sink()).unwrap();
        assert!(watch.fault().unwrap().contains("never served all at once"));
    }

    #[test]
    fn a_server_without_a_profile_on_disk_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let watch = watch(dir.path(), 1);
        io::copy(&mut watch.watched(&b"ab"[..]), &mut io::sink()).unwrap();
        assert_eq!(watch.fault().unwrap(), "the server keeps no profile on disk while it runs");
    }
}
