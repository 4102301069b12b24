//! The server's log: one record per line in DTail's format, in a file and perhaps on a terminal.
//! It never decides what is worth a record.

use std::fmt::{self, Display};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use dtail_process::log::{Level, LogFile};

/// Where records go; shared by everybody in the process.
#[derive(Clone)]
pub(crate) struct Log(Arc<Inner>);

struct Inner {
    level: Level,
    sinks: Mutex<Sinks>,
}

struct Sinks {
    file: Option<LogFile>,
    terminal: Option<Box<dyn Write + Send>>,
    /// Why the file could not be written; told once on the terminal.
    file_failed: bool,
}

impl Log {
    /// Records less bad than `level` are dropped.
    pub(crate) fn new(
        level: Level,
        file: Option<LogFile>,
        terminal: Option<Box<dyn Write + Send>>,
    ) -> Log {
        Log(Arc::new(Inner {
            level,
            sinks: Mutex::new(Sinks { file, terminal, file_failed: false }),
        }))
    }

    pub(crate) fn error(&self, who: impl Display, text: impl Display) {
        self.record(Level::Error, who, text);
    }

    pub(crate) fn warn(&self, who: impl Display, text: impl Display) {
        self.record(Level::Warn, who, text);
    }

    pub(crate) fn info(&self, who: impl Display, text: impl Display) {
        self.record(Level::Info, who, text);
    }

    /// Whether records so bad are written at all.
    pub(crate) fn keeps(&self, level: Level) -> bool {
        level <= self.0.level
    }

    /// Fields of our own making, which may contain DTail's separators.
    pub(crate) fn statistics(&self, fields: &str) {
        if self.keeps(Level::Info) {
            self.write("INFO", fields);
        }
    }

    /// The next record opens the file anew.
    pub(crate) fn reopen(&self) {
        let mut sinks = self.0.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.file_failed = false;
        if let Some(file) = &mut sinks.file {
            file.reopen();
        }
    }

    /// What others say is made harmless: no second record, and no field of ours.
    pub(crate) fn record(&self, level: Level, who: impl Display, text: impl Display) {
        let word = match level {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            _ => "INFO",
        };
        if self.keeps(level) {
            self.write(word, &format!("{}|{}", harmless(who), harmless(text)));
        }
    }

    fn write(&self, word: &str, text: &str) {
        let mut sinks = self.0.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        let Sinks { file, terminal, file_failed } = &mut *sinks;
        let written = file.as_mut().map(|file| file.record(word, text));
        if let Some(terminal) = terminal {
            // A terminal that is gone is no reason to stop serving.
            let _shown = writeln!(terminal, "{word}|{text}");
            if let Some(Err(err)) = written
                && !std::mem::replace(file_failed, true)
            {
                let _shown = writeln!(terminal, "ERROR|{err}");
            }
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("level", &self.0.level).finish_non_exhaustive()
    }
}

/// The text without control characters and field separators.
pub(crate) fn harmless(text: impl Display) -> String {
    let text = text.to_string();
    let harms = |c: char| c.is_control() || c == '|';
    if !text.contains(harms) {
        return text;
    }
    let escaped = |c: char| match c {
        '|' => "\\x7c".to_owned(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use dtail_process::log::{Level, LogFile, Rotation};
    use expect_test::expect;

    use super::Log;

    #[test]
    fn nobody_can_forge_a_record_or_a_field() {
        let dir = tempfile::tempdir().unwrap();
        let file = LogFile::new(dir.path().to_owned(), Rotation::Program("dserver"));
        let log = Log::new(Level::Info, Some(file), None);
        log.info("eve\nINFO", "a|b\r\n\u{1b}[2J");
        log.statistics("1|2|MAPREDUCE:STATS|x=1");
        let text = fs::read_to_string(dir.path().join("dserver.log")).unwrap();
        let without_time: Vec<String> =
            text.lines().map(|line| format!("{}{}", &line[..5], &line[20..])).collect();
        expect![[r"
            INFO||eve\nINFO|a\x7cb\r\n\u{1b}[2J
            INFO||1|2|MAPREDUCE:STATS|x=1"]]
        .assert_eq(&without_time.join("\n"));
    }

    #[test]
    fn the_level_decides() {
        let dir = tempfile::tempdir().unwrap();
        let file = LogFile::new(dir.path().to_owned(), Rotation::Program("dserver"));
        let log = Log::new(Level::Warn, Some(file), None);
        log.info("a", "b");
        log.statistics("c");
        assert!(!dir.path().join("dserver.log").exists());
        log.warn("a", "b");
        assert!(dir.path().join("dserver.log").exists());
    }
}
