//! Reads the journal of a systemd unit through `journalctl`. Never parses its lines.

use std::io;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};

use crate::error::FileError;
use crate::input::read_when_ready;
use crate::site::Site;

/// What a file argument begins with that names a unit.
pub(crate) const PREFIX: &str = "journal:";

/// systemd's own limit of a unit's name.
const MAX_NAME_LENGTH: usize = 255;
/// How much of the last words of the program is kept.
const MAX_LAST_WORDS: usize = 1024;
/// How long the program may take to end after its output has ended.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pause between two looks whether it has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A running `journalctl`, killed when dropped.
pub(crate) struct Journal {
    child: Child,
    output: ChildStdout,
    /// `None` once it has ended.
    complaints: Option<ChildStderr>,
    last_words: Vec<u8>,
    /// When the output ended.
    ended: Option<Instant>,
}

/// The unit that a file argument names, if it names one. Its name becomes an argument of a
/// program, so it is checked; a pattern of units is for those only who may read everything.
pub(crate) fn unit(argument: &[u8], site: &Site) -> Option<Result<String, FileError>> {
    let unit = argument.strip_prefix(PREFIX.as_bytes())?;
    let is_pattern = |byte| b"*?[]!^".contains(&byte);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || br":-_.\@".contains(&byte);
    let fault = if unit.is_empty() {
        Some("the unit is missing")
    } else if unit.len() > MAX_NAME_LENGTH {
        Some("the unit's name is too long")
    } else if unit.starts_with(b"-") {
        Some("the unit's name begins with a dash")
    } else if !unit.iter().all(|&byte| is_plain(byte) || is_pattern(byte)) {
        Some("no unit has such a name")
    } else if !site.access.is_everything() && unit.iter().any(|&byte| is_pattern(byte)) {
        Some("patterns of units are not permitted")
    } else {
        None
    };
    Some(match fault {
        None => Ok(String::from_utf8_lossy(unit).into_owned()),
        Some(fault) => {
            Err(FileError::BadJournal(String::from_utf8_lossy(argument).into_owned(), fault))
        }
    })
}

impl Journal {
    /// Starts to read the journal of a unit: all of it, or what comes from now on.
    pub(crate) fn start(unit: &str, site: &Site, follows: bool) -> Result<Journal, FileError> {
        let name = format!("{PREFIX}{unit}");
        if !site.access.permits(Path::new(&name)) {
            return Err(FileError::Refused { name, reason: "no rule permits it".to_owned() });
        }
        let mut command = Command::new(&site.journalctl);
        command.args(["--no-pager", "-o", "short", "-u", unit]);
        if follows {
            command.args(["-f", "-n", "0"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|err| match err.kind() {
            io::ErrorKind::NotFound => {
                FileError::NoJournal { name: name.clone(), program: site.journalctl.clone() }
            }
            _ => FileError::Read(name.clone(), err),
        })?;
        let output = child.stdout.take().expect("its output is a pipe to us");
        let complaints = child.stderr.take();
        Ok(Journal { child, output, complaints, last_words: Vec::new(), ended: None })
    }

    /// Appends bytes to `bytes`, no more than its spare capacity. 0 is the end; `None` means that
    /// nothing came within `wait`.
    pub(crate) fn read(
        &mut self,
        bytes: &mut Vec<u8>,
        wait: Duration,
    ) -> io::Result<Option<usize>> {
        self.listen_to_complaints()?;
        if self.ended.is_none() {
            match read_when_ready(&self.output, bytes, wait)? {
                Some(0) => self.ended = Some(Instant::now()),
                result => return Ok(result),
            }
        }
        let Some(status) = self.wait_for_end()? else { return Ok(None) };
        self.listen_to_complaints()?;
        if status.success() { Ok(Some(0)) } else { Err(self.failure(status)) }
    }

    /// `None` while the program is still about to end.
    fn wait_for_end(&mut self) -> io::Result<Option<ExitStatus>> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(Some(status));
        }
        if self.ended.is_some_and(|ended| ended.elapsed() >= PATIENCE) {
            self.child.kill()?;
            return self.child.wait().map(Some);
        }
        let interval = Timespec { tv_sec: 0, tv_nsec: POLL_INTERVAL.subsec_nanos().into() };
        // A signal may end the pause early; that only means an earlier look.
        let _ = poll(&mut [], Some(&interval));
        Ok(None)
    }

    /// Takes what the program has to say besides, so that it never waits for somebody to listen.
    fn listen_to_complaints(&mut self) -> io::Result<()> {
        while let Some(complaints) = &self.complaints {
            self.last_words.reserve(MAX_LAST_WORDS);
            match read_when_ready(complaints, &mut self.last_words, Duration::ZERO)? {
                None => break,
                Some(0) => self.complaints = None,
                Some(_) => {
                    let surplus = self.last_words.len().saturating_sub(MAX_LAST_WORDS);
                    self.last_words.drain(..surplus);
                }
            }
        }
        Ok(())
    }

    fn failure(&self, status: ExitStatus) -> io::Error {
        let words = String::from_utf8_lossy(&self.last_words);
        let last = words.lines().map(str::trim).rfind(|line| !line.is_empty());
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        match last {
            Some(last) => io::Error::other(last.chars().map(printable).collect::<String>()),
            None => io::Error::other(format!("journalctl ended with {status}")),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Both fail only when it has ended and been waited for already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[cfg(test)]
mod tests;
