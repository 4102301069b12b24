//! DTail's lines, `REMOTE|host|100|number|source|line`, coloured or not. Never filters and never
//! counts matches.

use std::io;
use std::io::Write;
use std::sync::Arc;

use crate::color::Style;
use crate::decimal::Numbered;
use crate::output::Output;
use crate::palette::{Palette, Part};
use crate::runs::{Numbers, Run, is_same, lines};

/// The constant pieces of a line with fields, so that per line only copying is left.
#[derive(Debug)]
pub(crate) struct Fields {
    palette: Option<Palette>,
    /// This machine's name.
    own_name: String,
    /// The host whose lines these are; `None`: this machine.
    host: Option<Arc<str>>,
    source: Option<Arc<str>>,
    /// From a line's start to its text; holds for `host` and `source` only.
    head: Numbered,
    text: Around,
    /// By what the text begins with.
    severities: Vec<(&'static [u8], Around)>,
}

/// Escape sequences around a text, the latter with the newline.
#[derive(Debug)]
struct Around {
    before: String,
    after: String,
}

impl Around {
    fn of(style: &Style) -> Around {
        Around { before: style.before(), after: style.after() + "\n" }
    }
}

impl Fields {
    /// Coloured when there is a palette. `own_name` is this machine's.
    pub(crate) fn new(own_name: &str, palette: Option<&Palette>) -> Fields {
        let plain = Around { before: String::new(), after: "\n".to_owned() };
        let around = |part| palette.map(|it| Around::of(it.style(part)));
        let mut severities = Vec::new();
        for (word, part) in
            [(&b"WARN"[..], Part::Warn), (b"ERROR", Part::Error), (b"FATAL", Part::Fatal)]
        {
            severities.extend(around(part).map(|around| (word, around)));
        }
        Fields {
            palette: palette.cloned(),
            own_name: own_name.to_owned(),
            host: None,
            source: None,
            head: Numbered::default(),
            text: around(Part::RemoteText).unwrap_or(plain),
            severities,
        }
    }

    pub(crate) fn write<W: Write>(
        &mut self,
        run: &Run<'_>,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        self.enter(run);
        match run.numbers {
            Numbers::None => lines(run.bytes).try_for_each(|line| self.write_line(line, output)),
            Numbers::From(first) => {
                self.head.set(first);
                lines(run.bytes).try_for_each(|line| {
                    self.write_line(line, output)?;
                    self.head.increment();
                    Ok(())
                })
            }
            Numbers::Each(numbers) => {
                lines(run.bytes).zip(numbers).try_for_each(|(line, number)| {
                    self.head.set(*number);
                    self.write_line(line, output)
                })
            }
        }
    }

    fn write_line<W: Write>(&self, line: &[u8], output: &mut Output<W>) -> io::Result<()> {
        let head = self.head.as_bytes();
        let (head, after) = match self.severity(line) {
            None => (head, &self.text.after),
            Some(around) => {
                let until_text = &head[..head.len() - self.text.before.len()];
                output.pending().extend_from_slice(until_text);
                (around.before.as_bytes(), &around.after)
            }
        };
        let pending = output.pending();
        pending.reserve(head.len() + line.len() + after.len());
        pending.extend_from_slice(head);
        pending.extend_from_slice(line);
        pending.extend_from_slice(after.as_bytes());
        output.pass_on()
    }

    fn severity(&self, line: &[u8]) -> Option<&Around> {
        // A look at one byte spares most lines the others.
        if !matches!(line.first(), Some(b'W' | b'E' | b'F')) {
            return None;
        }
        let found = self.severities.iter().find(|(word, _)| line.starts_with(word));
        found.map(|(_, around)| around)
    }

    fn enter(&mut self, run: &Run<'_>) {
        let is_known = self.source.is_some()
            && is_same(self.host.as_ref(), run.host)
            && is_same(self.source.as_ref(), Some(run.source));
        if is_known {
            return;
        }
        let count = self.palette.as_ref().map(|it| it.style(Part::RemoteCount));
        let delimiter = self.painted(Part::RemoteDelimiter, "|");
        let host = run.host.map_or(self.own_name.as_str(), |host| host);
        let before_number = [
            &self.painted(Part::Remote, "REMOTE"),
            &delimiter,
            &self.painted(Part::RemoteHostname, host),
            &delimiter,
            // The share of lines that got through, in percent: nothing is ever dropped here.
            &self.painted(Part::RemoteStatsOk, "100"),
            &delimiter,
            &count.map(Style::before).unwrap_or_default(),
        ];
        let after_number = [
            &count.map(Style::after).unwrap_or_default(),
            &delimiter,
            &self.painted(Part::RemoteId, run.source),
            &delimiter,
            &self.text.before,
        ];
        self.head = Numbered::new(
            &before_number.map(String::as_str).concat(),
            &after_number.map(String::as_str).concat(),
        );
        self.host = run.host.cloned();
        self.source = Some(Arc::clone(run.source));
    }

    fn painted(&self, part: Part, text: &str) -> String {
        self.palette.as_ref().map_or_else(|| text.to_owned(), |it| it.style(part).paint(text))
    }
}
