//! What a process lets a reader reach. Never opens anything.

use std::path::{Path, PathBuf};

use crate::access::Access;

/// What a process lets a reader reach besides what the operating system permits.
#[derive(Debug, Clone)]
pub struct Site {
    /// Which files and journals may be read.
    pub access: Access,
    /// The standard input of this process belongs to whoever asks; else `-` is refused.
    pub has_stdin: bool,
    /// The program that reads journals: a name looked up in `PATH`, or a path.
    pub journalctl: PathBuf,
}

impl Default for Site {
    /// That of a user at the machine itself.
    fn default() -> Site {
        let journalctl = Path::new("journalctl").to_owned();
        Site { access: Access::everything(), has_stdin: true, journalctl }
    }
}
