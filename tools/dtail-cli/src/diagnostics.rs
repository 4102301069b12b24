//! What the program has to say besides its output: short lines for people on standard error, or
//! DTail's `CLIENT|host|LEVEL|…` on standard output, and records in the log file.
//! It never decides the exit code.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dtail_process::log::{Level, LogFile};
use dtail_query::Paint;

use crate::color::Style;
use crate::output::Output;
use crate::palette::{Palette, Part};

/// Where diagnostics are shown.
#[derive(Debug)]
pub(crate) enum Voice {
    /// Nowhere.
    Silent,
    /// For people, on standard error.
    People,
    /// As DTail says it, on standard output.
    DTail { host: String, palette: Option<Palette> },
}

/// Says and records what is bad enough.
#[derive(Debug)]
pub(crate) struct Diagnostics {
    pub(crate) program: &'static str,
    pub(crate) voice: Voice,
    /// Worse than this is not said, nor recorded.
    pub(crate) level: Level,
    /// Warnings are recorded but not said. May be changed while the program runs.
    pub(crate) quiet: Arc<AtomicBool>,
    /// Errors that keep it from being written are told once, then it is given up.
    pub(crate) log: Option<LogFile>,
    /// The user asked for a log file, so that failing to write one is worth a line.
    pub(crate) log_is_wanted: bool,
    /// Printed lines go to the log file, too.
    pub(crate) logs_payload: bool,
    /// Errors that were not said.
    pub(crate) hidden: Hidden,
}

/// What is told at the end, because the exit code comes from it.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    first: Option<String>,
    count: u64,
}

impl Diagnostics {
    /// Says one line. What was printed before is written first, so that both come in order.
    pub(crate) fn say<W: Write>(
        &mut self,
        level: Level,
        text: &dyn fmt::Display,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        self.say_of(None, level, text, output)
    }

    /// Says one line about what happened on a host; `None`: on this machine.
    pub(crate) fn say_of<W: Write>(
        &mut self,
        host: Option<&str>,
        level: Level,
        text: &dyn fmt::Display,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        if level > self.level {
            return Ok(());
        }
        let text = match (host, &self.voice) {
            // There the host has a field of its own.
            (Some(host), Voice::Silent | Voice::People) => one_line(&format!("{host}: {text}")),
            _ => one_line(&text.to_string()),
        };
        let word = word(level);
        let recorded = self.log.as_mut().map(|log| log.record(word, &text));
        self.give_up_log_on_error(recorded);
        if self.quiet.load(Ordering::Relaxed) && level >= Level::Warn {
            return Ok(());
        }
        match &self.voice {
            Voice::Silent => {
                if level <= Level::Error {
                    self.hidden.count += 1;
                    self.hidden.first.get_or_insert(text);
                }
                Ok(())
            }
            Voice::People => {
                output.flush()?;
                tell_people(self.program, level, &text);
                Ok(())
            }
            Voice::DTail { host: own_name, palette } => {
                let around = match host {
                    Some(host) => diagnostic_line(&SERVER, host, palette.as_ref(), word),
                    None => diagnostic_line(&CLIENT, own_name, palette.as_ref(), word),
                };
                writeln!(output, "{}{text}{}", around.before, around.after)
            }
        }
    }

    /// Says what is odd about the arguments. DTail says this before its logging begins, so it is
    /// on standard error also where the rest is on standard output.
    pub(crate) fn advise<W: Write>(
        &mut self,
        text: &str,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        if let Voice::DTail { .. } = self.voice {
            tell(&format!("warning: {}\n", one_line(text)));
            return Ok(());
        }
        self.say(Level::Warn, &text, output)
    }

    /// Records printed lines, if that was asked for.
    pub(crate) fn record_payload(&mut self, lines: &[u8]) {
        let recorded = self.log.as_mut().map(|log| log.payload(lines));
        self.give_up_log_on_error(recorded);
    }

    /// Says in one line why the exit code will be what it is, if nothing was said so far.
    pub(crate) fn tell_hidden(&mut self) {
        let Hidden { first, count } = std::mem::take(&mut self.hidden);
        let Some(first) = first else { return };
        let more = match count - 1 {
            0 => String::new(),
            more => format!(" (and {more} more, see --logger)"),
        };
        tell_people(self.program, Level::Error, &format!("{first}{more}"));
    }

    fn give_up_log_on_error(&mut self, recorded: Option<io::Result<()>>) {
        let Some(Err(err)) = recorded else { return };
        self.log = None;
        if self.log_is_wanted {
            tell_people(self.program, Level::Warn, &err.to_string());
        }
    }

    /// What surrounds the warning that a table shows only some rows, if it is to be part of the
    /// output.
    pub(crate) fn limit_warning(&self) -> Option<Paint> {
        match &self.voice {
            Voice::DTail { host, palette } if self.level >= Level::Warn => {
                Some(diagnostic_line(&CLIENT, host, palette.as_ref(), word(Level::Warn)))
            }
            _ => None,
        }
    }
}

/// Says one line on standard error, whatever the log level.
pub(crate) fn tell_people(program: &str, level: Level, text: &str) {
    let kind = match level {
        Level::None | Level::Fatal | Level::Error => "",
        Level::Warn => "warning: ",
        _ => "info: ",
    };
    tell(&format!("{program}: {kind}{text}\n"));
}

fn tell(line: &str) {
    // With standard error closed nobody is left to tell.
    let _told = io::stderr().write_all(line.as_bytes());
}

/// Who speaks in DTail's diagnostics: the first field and how the line is coloured.
struct Speaker {
    name: &'static str,
    name_part: Part,
    delimiter: Part,
    hostname: Part,
    text: Part,
}

const CLIENT: Speaker = Speaker {
    name: "CLIENT",
    name_part: Part::Client,
    delimiter: Part::ClientDelimiter,
    hostname: Part::ClientHostname,
    text: Part::ClientText,
};

const SERVER: Speaker = Speaker {
    name: "SERVER",
    name_part: Part::Server,
    delimiter: Part::ServerDelimiter,
    hostname: Part::ServerHostname,
    text: Part::ServerText,
};

/// What surrounds the text of a line that begins with `CLIENT|host|LEVEL|`.
fn diagnostic_line(speaker: &Speaker, host: &str, palette: Option<&Palette>, level: &str) -> Paint {
    let name = speaker.name;
    let Some(palette) = palette else {
        return Paint { before: format!("{name}|{host}|{level}|"), after: String::new() };
    };
    let delimiter = palette.style(speaker.delimiter).paint("|");
    let text: &Style = palette.style(match level {
        "WARN" => Part::Warn,
        "ERROR" => Part::Error,
        "FATAL" => Part::Fatal,
        _ => speaker.text,
    });
    let before = [
        palette.style(speaker.name_part).paint(name).as_str(),
        &delimiter,
        &palette.style(speaker.hostname).paint(host),
        &delimiter,
        &text.before(),
        level,
        "|",
    ]
    .concat();
    Paint { before, after: text.after() }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::None | Level::Fatal => "FATAL",
        Level::Error => "ERROR",
        Level::Warn => "WARN",
        Level::Info | Level::Default => "INFO",
        Level::Verbose => "VERBOSE",
        Level::Debug | Level::Devel => "DEBUG",
        Level::Trace | Level::All => "TRACE",
    }
}

/// A file name may hold anything, also what would forge a second line or move the cursor.
fn one_line(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use dtail_process::log::Level;
    use expect_test::{Expect, expect};

    use super::{Diagnostics, Voice};
    use crate::output::Output;
    use crate::palette::Palette;

    #[track_caller]
    fn check(palette: Option<Palette>, said: &[(Level, &str)], expected: &Expect) {
        let mut diagnostics = Diagnostics {
            program: "dcat",
            voice: Voice::DTail { host: "web".to_owned(), palette },
            level: Level::Warn,
            quiet: Arc::default(),
            log: None,
            log_is_wanted: false,
            logs_payload: false,
            hidden: super::Hidden::default(),
        };
        let mut printed = Vec::new();
        let mut output = Output::new(&mut printed);
        for (level, text) in said {
            diagnostics.say(*level, text, &mut output).unwrap();
        }
        output.flush().unwrap();
        drop(output);
        expected.assert_eq(&String::from_utf8(printed).unwrap().replace('\x1b', "^"));
    }

    #[test]
    fn dtails_lines_name_the_level_and_stay_one_line() {
        let said =
            [(Level::Info, "not said"), (Level::Warn, "two\nlines"), (Level::Error, "bad\x1b[2J")];
        check(
            None,
            &said,
            &expect![[r#"
            CLIENT|web|WARN|two\nlines
            CLIENT|web|ERROR|bad\u{1b}[2J
        "#]],
        );
    }

    #[test]
    fn what_happened_on_a_host_carries_its_name() {
        let mut diagnostics = Diagnostics {
            program: "dcat",
            voice: Voice::DTail { host: "own".to_owned(), palette: None },
            level: Level::Warn,
            quiet: Arc::default(),
            log: None,
            log_is_wanted: false,
            logs_payload: false,
            hidden: super::Hidden::default(),
        };
        let mut output = Output::new(Vec::new());
        diagnostics.say_of(Some("web"), Level::Error, &"bad", &mut output).unwrap();
        output.flush().unwrap();
        assert_eq!(output.writer(), b"SERVER|web|ERROR|bad\n");
    }

    #[test]
    fn dtails_lines_are_coloured_by_severity() {
        check(
            Some(Palette::new(&[]).0),
            &[(Level::Error, "bad")],
            &expect![[r#"
            ^[30m^[43m^[2mCLIENT^[0m^[49m^[39m^[30m^[43m^[2m|^[0m^[49m^[39m^[30m^[43m^[2mweb^[0m^[49m^[39m^[30m^[43m^[2m|^[0m^[49m^[39m^[37m^[41m^[1mERROR|bad^[0m^[49m^[39m
        "#]],
        );
    }
}
