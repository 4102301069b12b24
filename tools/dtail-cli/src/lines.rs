//! How a block of lines looks: the bytes alone, or DTail's `REMOTE|host|100|number|source|line`,
//! coloured or not. Never filters and never counts matches.

use std::io::{self, Write};
use std::sync::Arc;

use dtail_client::HostLines;
use dtail_protocol::{LineBlock, LineNumbers};

use crate::color::Style;
use crate::decimal::Decimal;
use crate::output::Output;
use crate::palette::{Palette, Part};

/// How lines are printed.
#[derive(Debug)]
pub(crate) enum LineFormat {
    /// Only their bytes.
    Plain,
    /// With DTail's fields in front.
    Fields(Box<Fields>),
}

/// The constant pieces of a line with fields, so that per line only copying is left.
#[derive(Debug)]
pub(crate) struct Fields {
    palette: Option<Palette>,
    /// This machine's name.
    own_name: String,
    /// The host whose lines these are; `None`: this machine.
    host: Option<Arc<str>>,
    /// From the line's start to its number; holds for `host` only.
    before_number: String,
    /// From the number to the text; holds for `source` only.
    before_text: String,
    source: Option<Arc<str>>,
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

impl LineFormat {
    /// With fields; coloured when there is a palette. `own_name` is this machine's.
    pub(crate) fn fields(own_name: &str, palette: Option<&Palette>) -> LineFormat {
        let plain = Around { before: String::new(), after: "\n".to_owned() };
        let around = |part| palette.map(|it| Around::of(it.style(part)));
        let mut severities = Vec::new();
        for (word, part) in
            [(&b"WARN"[..], Part::Warn), (b"ERROR", Part::Error), (b"FATAL", Part::Fatal)]
        {
            severities.extend(around(part).map(|around| (word, around)));
        }
        let mut fields = Fields {
            palette: palette.cloned(),
            own_name: own_name.to_owned(),
            host: None,
            before_number: String::new(),
            before_text: String::new(),
            source: None,
            text: around(Part::RemoteText).unwrap_or(plain),
            severities,
        };
        fields.before_number = fields.up_to_number(own_name);
        LineFormat::Fields(Box::new(fields))
    }

    /// Writes the lines of a block.
    pub(crate) fn write<W: Write>(
        &mut self,
        lines: &HostLines,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        match self {
            LineFormat::Plain => output.write_all(&lines.block.bytes),
            LineFormat::Fields(fields) => {
                fields.enter_host(lines.host.as_ref());
                fields.write(&lines.block, output)
            }
        }
    }
}

impl Fields {
    fn painted(&self, part: Part, text: &str) -> String {
        self.palette.as_ref().map_or_else(|| text.to_owned(), |it| it.style(part).paint(text))
    }

    fn write<W: Write>(&mut self, block: &LineBlock, output: &mut Output<W>) -> io::Result<()> {
        self.enter(&block.source);
        let mut numbers = Numbers::of(&block.numbers);
        let mut rest = block.bytes.as_slice();
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let (line, next) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
            let around = self.around(line);
            let pending = output.pending();
            pending.extend_from_slice(self.before_number.as_bytes());
            numbers.append_next(pending);
            pending.extend_from_slice(self.before_text.as_bytes());
            pending.extend_from_slice(around.before.as_bytes());
            pending.extend_from_slice(line);
            pending.extend_from_slice(around.after.as_bytes());
            output.pass_on()?;
            rest = next;
        }
        Ok(())
    }

    fn enter_host(&mut self, host: Option<&Arc<str>>) {
        if is_same(self.host.as_ref(), host) {
            return;
        }
        self.before_number = self.up_to_number(host.map_or(&self.own_name, |host| host));
        self.host = host.cloned();
    }

    fn up_to_number(&self, host: &str) -> String {
        let count = self.palette.as_ref().map(|it| it.style(Part::RemoteCount).before());
        [
            self.painted(Part::Remote, "REMOTE"),
            self.painted(Part::RemoteDelimiter, "|"),
            self.painted(Part::RemoteHostname, host),
            self.painted(Part::RemoteDelimiter, "|"),
            // The share of lines that got through, in percent: nothing is ever dropped here.
            self.painted(Part::RemoteStatsOk, "100"),
            self.painted(Part::RemoteDelimiter, "|"),
            count.unwrap_or_default(),
        ]
        .concat()
    }

    fn enter(&mut self, source: &Arc<str>) {
        if is_same(self.source.as_ref(), Some(source)) {
            return;
        }
        let after_number =
            self.palette.as_ref().map(|it| it.style(Part::RemoteCount).after()).unwrap_or_default();
        let delimiter = self.painted(Part::RemoteDelimiter, "|");
        let id = self.painted(Part::RemoteId, source);
        self.before_text = [after_number.as_str(), &delimiter, &id, &delimiter].concat();
        self.source = Some(Arc::clone(source));
    }

    fn around(&self, line: &[u8]) -> &Around {
        let by_severity = self.severities.iter().find(|(word, _)| line.starts_with(word));
        by_severity.map_or(&self.text, |(_, around)| around)
    }
}

fn is_same(left: Option<&Arc<str>>, right: Option<&Arc<str>>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => Arc::ptr_eq(left, right) || left == right,
        (left, right) => left.is_none() && right.is_none(),
    }
}

/// Writes one line number after the other.
enum Numbers<'a> {
    None,
    CountingUp(Decimal),
    Each(std::slice::Iter<'a, u64>),
}

impl Numbers<'_> {
    fn of(numbers: &LineNumbers) -> Numbers<'_> {
        match numbers {
            LineNumbers::Unnumbered => Numbers::None,
            LineNumbers::From(first) => Numbers::CountingUp(Decimal::new(*first)),
            LineNumbers::Each(numbers) => Numbers::Each(numbers.iter()),
        }
    }

    fn append_next(&mut self, text: &mut Vec<u8>) {
        match self {
            Numbers::None => {}
            Numbers::CountingUp(number) => {
                text.extend_from_slice(number.as_bytes());
                number.increment();
            }
            Numbers::Each(numbers) => {
                if let Some(number) = numbers.next() {
                    text.extend_from_slice(Decimal::new(*number).as_bytes());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use dtail_client::HostLines;
    use dtail_protocol::{LineBlock, LineNumbers};
    use expect_test::{Expect, expect};

    use super::LineFormat;
    use crate::output::Output;
    use crate::palette::Palette;

    #[track_caller]
    fn check(format: LineFormat, blocks: &[(&str, LineNumbers, &str)], expected: &Expect) {
        let local = blocks.iter().map(|(source, numbers, lines)| ("", *source, numbers, *lines));
        check_hosts(format, &local.collect::<Vec<_>>(), expected);
    }

    #[track_caller]
    fn check_hosts(
        mut format: LineFormat,
        blocks: &[(&str, &str, &LineNumbers, &str)],
        expected: &Expect,
    ) {
        let mut printed = Vec::new();
        let mut output = Output::new(&mut printed);
        for &(host, source, numbers, lines) in blocks {
            let block = LineBlock {
                source: Arc::from(source),
                bytes: lines.as_bytes().to_vec(),
                numbers: numbers.clone(),
            };
            let host = (!host.is_empty()).then(|| Arc::from(host));
            format.write(&HostLines { host, block }, &mut output).unwrap();
        }
        output.flush().unwrap();
        drop(output);
        expected.assert_eq(
            &String::from_utf8(printed).unwrap().replace('\x1b', "^").replace('\r', "␍"),
        );
    }

    #[test]
    fn plain_lines_are_their_bytes() {
        let blocks = [("f", LineNumbers::Unnumbered, "a\n\nb"), ("g", LineNumbers::From(3), "c\n")];
        check(
            LineFormat::Plain,
            &blocks,
            &expect![[r"
            a

            bc
        "]],
        );
    }

    #[test]
    fn fields_name_host_number_and_source() {
        let blocks = [
            ("f", LineNumbers::From(9), "nine\n\nERROR eleven|\n"),
            ("g", LineNumbers::Each(vec![5, 1000]), "five\r\nthousand\n"),
            ("f", LineNumbers::From(12), "twelve\n"),
        ];
        check(
            LineFormat::fields("web", None),
            &blocks,
            &expect![[r#"
                REMOTE|web|100|9|f|nine
                REMOTE|web|100|10|f|
                REMOTE|web|100|11|f|ERROR eleven|
                REMOTE|web|100|5|g|five␍
                REMOTE|web|100|1000|g|thousand
                REMOTE|web|100|12|f|twelve
            "#]],
        );
    }

    #[test]
    fn each_block_names_its_host() {
        let (one, two) = (&LineNumbers::From(1), &LineNumbers::From(2));
        check_hosts(
            LineFormat::fields("own", None),
            &[
                ("web", "f", one, "a\n"),
                ("db", "f", one, "b\n"),
                ("", "f", one, "c\n"),
                ("web", "f", two, "d\n"),
            ],
            &expect![[r#"
                REMOTE|web|100|1|f|a
                REMOTE|db|100|1|f|b
                REMOTE|own|100|1|f|c
                REMOTE|web|100|2|f|d
            "#]],
        );
    }

    #[test]
    fn colours_are_dtails() {
        let (palette, _) = Palette::new(&[]);
        let blocks = [("f", LineNumbers::From(1), "one\n\nWARN x\nERROR\nFATAL\nINFO ERROR\n")];
        check(
            LineFormat::fields("web", Some(&palette)),
            &blocks,
            &expect![[r#"
            ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mweb^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m1^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2mf^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[40mone^[49m^[39m
            ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mweb^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m2^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2mf^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[40m^[49m^[39m
            ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mweb^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m3^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2mf^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[40m^[1mWARN x^[0m^[49m^[39m
            ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mweb^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m4^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2mf^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[41m^[1mERROR^[0m^[49m^[39m
            ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mweb^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m5^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2mf^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[45m^[1mFATAL^[0m^[49m^[39m
            ^[37m^[44m^[2mREMOTE^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[1mweb^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[30m^[42m100^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2m6^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[44m^[2mf^[0m^[49m^[39m^[36m^[44m^[2m|^[0m^[49m^[39m^[37m^[40mINFO ERROR^[49m^[39m
        "#]],
        );
    }
}
