//! A pseudo-terminal with somebody at it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::wait_until;

/// A terminal of 24 rows and 80 columns. What is shown on it is kept.
pub struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    path: PathBuf,
    /// The side of the programs; also keeps the terminal there before one opens it.
    inside: File,
}

impl Terminal {
    /// Opens a new one.
    ///
    /// # Panics
    ///
    /// If the system gives none.
    #[must_use]
    pub fn new() -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("a terminal");
        unlockpt(&master).expect("a terminal");
        let name = ptsname(&master, Vec::new()).expect("a terminal");
        let path = PathBuf::from(name.into_string().expect("a terminal"));
        let inside = OpenOptions::new().read(true).write(true).open(&path).expect("a terminal");
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&inside, size).expect("a size");
        let keyboard = File::from(master);
        let mut reader = keyboard.try_clone().expect("a terminal");
        let screen = Arc::new(Mutex::new(Vec::new()));
        let shown = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                shown.lock().expect("nobody panics with it").extend_from_slice(&buffer[..length]);
            }
        });
        Terminal { keyboard, screen, path, inside }
    }

    /// Its device, for a program that opens it itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The side of the programs: their standard streams.
    ///
    /// # Panics
    ///
    /// If the system has no more files.
    #[must_use]
    pub fn inside(&self) -> File {
        self.inside.try_clone().expect("a terminal")
    }

    /// Types some keys.
    ///
    /// # Panics
    ///
    /// If the terminal is gone.
    #[track_caller]
    pub fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a terminal");
    }

    /// Everything that was shown since the start or since it was cleared.
    #[must_use]
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.lock()).into_owned()
    }

    /// Forgets what was shown.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Waits until it shows some text.
    ///
    /// # Panics
    ///
    /// If that takes longer than `limit`.
    #[track_caller]
    pub fn shows(&self, text: &str, limit: Duration) {
        wait_until(&format!("the terminal shows {text:?}"), limit, || self.shown().contains(text));
    }

    /// Whether it shows what is typed.
    ///
    /// # Panics
    ///
    /// If the terminal is gone.
    #[must_use]
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.inside).expect("a terminal").local_modes.contains(LocalModes::ECHO)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.screen.lock().expect("nobody panics with it")
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}
