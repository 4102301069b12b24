//! Log levels, where log records go, and the log file. It never prints and never decides what is
//! worth a record.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use dtail_profile::local_now;
use jiff::Zoned;

/// DTail's log levels: each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are DTail's and say it all")]
pub enum Level {
    None,
    Fatal,
    Error,
    Warn,
    Info,
    Default,
    Verbose,
    Debug,
    Devel,
    Trace,
    All,
}

const LEVELS: [(&str, Level); 11] = [
    ("none", Level::None),
    ("fatal", Level::Fatal),
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("default", Level::Default),
    ("verbose", Level::Verbose),
    ("debug", Level::Debug),
    ("devel", Level::Devel),
    ("trace", Level::Trace),
    ("all", Level::All),
];

/// Where log records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logger {
    /// Nowhere.
    None,
    /// To the terminal.
    Stdout,
    /// To the log file.
    File,
    /// To both; DTail's name for it.
    Fout,
}

const LOGGERS: [(&str, Logger); 4] = [
    ("none", Logger::None),
    ("stdout", Logger::Stdout),
    ("file", Logger::File),
    ("fout", Logger::Fout),
];

impl Logger {
    /// Records go to the terminal.
    pub fn has_terminal(self) -> bool {
        matches!(self, Logger::Stdout | Logger::Fout)
    }

    /// Records go to the log file.
    pub fn has_file(self) -> bool {
        matches!(self, Logger::File | Logger::Fout)
    }
}

/// A name that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    known: Vec<&'static str>,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "use one of {}", self.known.join(" "))
    }
}

impl std::error::Error for UnknownName {}

fn named<T: Copy>(names: &[(&'static str, T)], name: &str) -> Result<T, UnknownName> {
    let found = names.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let unknown = || UnknownName { known: names.iter().map(|(known, _)| *known).collect() };
    found.map(|(_, value)| *value).ok_or_else(unknown)
}

impl FromStr for Level {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Level, UnknownName> {
        named(&LEVELS, name)
    }
}

impl FromStr for Logger {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Logger, UnknownName> {
        named(&LOGGERS, name)
    }
}

/// How log files are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// `YYYYMMDD.log`, a new file every day.
    Daily,
    /// `<program>.log`.
    Program(&'static str),
}

/// A log file that comes into being with its first record.
#[derive(Debug)]
pub struct LogFile {
    directory: PathBuf,
    rotation: Rotation,
    open: Option<(String, File)>,
}

impl LogFile {
    /// Nothing is created or opened yet.
    pub fn new(directory: PathBuf, rotation: Rotation) -> LogFile {
        LogFile { directory, rotation, open: None }
    }

    /// Appends `LEVEL|YYYYMMDD-HHMMSS|text`. `level` is the word in upper case.
    pub fn record(&mut self, level: &str, text: &str) -> io::Result<()> {
        let now = local_now();
        let record = format!("{level}|{}|{text}\n", now.strftime("%Y%m%d-%H%M%S"));
        self.append(&now, record.as_bytes())
    }

    /// Forgets the open file: the next record opens it anew, perhaps another one of that name.
    pub fn reopen(&mut self) {
        self.open = None;
    }

    /// Appends lines as they are.
    pub fn payload(&mut self, lines: &[u8]) -> io::Result<()> {
        self.append(&local_now(), lines)
    }

    /// One write, so that programs sharing a file do not mix within a record.
    fn append(&mut self, now: &Zoned, bytes: &[u8]) -> io::Result<()> {
        let name = match self.rotation {
            Rotation::Daily => format!("{}.log", now.strftime("%Y%m%d")),
            Rotation::Program(program) => format!("{program}.log"),
        };
        let with_path = |err: io::Error, path: &PathBuf| {
            io::Error::new(err.kind(), format!("cannot write log file {}: {err}", path.display()))
        };
        if self.open.as_ref().is_none_or(|(open, _)| *open != name) {
            fs::create_dir_all(&self.directory).map_err(|err| with_path(err, &self.directory))?;
            let path = self.directory.join(&name);
            let file = OpenOptions::new().create(true).append(true).open(&path);
            self.open = Some((name, file.map_err(|err| with_path(err, &path))?));
        }
        match &mut self.open {
            Some((name, file)) => file
                .write_all(bytes)
                .map_err(|err| with_path(err, &self.directory.join(name.as_str()))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Level, LogFile, Logger, Rotation};

    #[test]
    fn names_are_known_in_any_case_and_levels_are_ordered() {
        assert_eq!("Fout".parse(), Ok(Logger::Fout));
        assert_eq!("WARN".parse(), Ok(Level::Warn));
        assert!(Level::Error < Level::Warn && Level::Trace < Level::All);
        let message = "loud".parse::<Logger>().unwrap_err().to_string();
        assert_eq!(message, "use one of none stdout file fout");
    }

    #[test]
    fn nothing_exists_before_the_first_record() {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("a/b");
        let mut file = LogFile::new(directory.clone(), Rotation::Program("dcat"));
        assert!(!directory.exists());
        file.record("WARN", "x").unwrap();
        file.payload(b"line\n").unwrap();
        let text = fs::read_to_string(directory.join("dcat.log")).unwrap();
        let (first, second) = text.split_once('\n').unwrap();
        assert_eq!((first.len(), &first[..5], &first[20..]), (22, "WARN|", "|x"));
        assert_eq!(second, "line\n");
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew_when_reopened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dserver.log");
        let mut file = LogFile::new(dir.path().to_owned(), Rotation::Program("dserver"));
        file.payload(b"1\n").unwrap();
        fs::rename(&path, dir.path().join("old")).unwrap();
        file.payload(b"2\n").unwrap();
        assert!(!path.exists());
        file.reopen();
        file.payload(b"3\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
    }

    #[test]
    fn daily_files_carry_the_date() {
        let dir = tempfile::tempdir().unwrap();
        LogFile::new(dir.path().to_owned(), Rotation::Daily).record("INFO", "x").unwrap();
        let name = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().file_name();
        let name = name.into_string().unwrap();
        assert!(name.len() == 12 && name.starts_with("20") && name.ends_with(".log"), "{name}");
    }
}
