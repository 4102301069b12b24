//! How a block of lines looks: the bytes alone, with numbers, with grep's or DTail's prefixes, as
//! JSON, or not at all because only sums are wanted. Never filters and never counts matches.

use std::io::{self, Write};

use dtail_client::{HostLines, HostSource};

use crate::copies::Copies;
use crate::fields::Fields;
use crate::json::Messages;
use crate::output::Output;
use crate::prefixed::Prefixed;
use crate::runs::{Groups, Run};
use crate::summaries::Summaries;

/// How lines are printed.
#[derive(Debug)]
pub(crate) struct LineFormat {
    pub(crate) shape: Shape,
    /// Marks lines that do not follow each other.
    pub(crate) groups: Option<Groups>,
}

/// What becomes of a line.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Only its bytes.
    Plain,
    /// As for `cat -n`.
    Copies(Copies),
    /// With names and numbers in front, or colours.
    Prefixed(Box<Prefixed>),
    /// With DTail's fields in front.
    Fields(Box<Fields>),
    Json(Box<Messages>),
    /// Nothing: only its file is of interest.
    Summaries(Summaries),
}

impl From<Shape> for LineFormat {
    fn from(shape: Shape) -> LineFormat {
        LineFormat { shape, groups: None }
    }
}

impl LineFormat {
    /// Writes the lines of a block.
    pub(crate) fn write<W: Write>(
        &mut self,
        lines: &HostLines,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        let mut run = Run::of(lines);
        let Some(groups) = &mut self.groups else { return self.shape.write(&run, output) };
        while let Some((is_apart, group)) = groups.next(&mut run) {
            if is_apart {
                output.pending().extend_from_slice(&groups.separator);
            }
            self.shape.write(&group, output)?;
        }
        Ok(())
    }

    /// A source is at its end.
    pub(crate) fn end<W: Write>(
        &mut self,
        source: &HostSource,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        match &mut self.shape {
            Shape::Json(messages) => messages.end(source, output),
            Shape::Summaries(summaries) => summaries.write(source, output),
            _ => Ok(()),
        }
    }

    /// Everything is at its end.
    pub(crate) fn finish<W: Write>(&mut self, output: &mut Output<W>) -> io::Result<()> {
        match &mut self.shape {
            Shape::Json(messages) => messages.finish(output),
            _ => Ok(()),
        }
    }

    /// How many files were named because of what they do or do not hold, if that was asked for.
    pub(crate) fn files_named(&self) -> Option<u64> {
        match &self.shape {
            Shape::Summaries(summaries) => summaries.files_named(),
            _ => None,
        }
    }
}

impl Shape {
    fn write<W: Write>(&mut self, run: &Run<'_>, output: &mut Output<W>) -> io::Result<()> {
        match self {
            Shape::Plain => output.write_all(run.bytes),
            Shape::Copies(copies) => copies.write(run.bytes, output),
            Shape::Prefixed(prefixed) => prefixed.write(run, output),
            Shape::Fields(fields) => fields.write(run, output),
            Shape::Json(messages) => messages.write(run, output),
            Shape::Summaries(_) => Ok(()),
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

    use super::{LineFormat, Shape};
    use crate::fields::Fields;
    use crate::output::Output;
    use crate::palette::Palette;

    fn fields(own_name: &str, palette: Option<&Palette>) -> LineFormat {
        Shape::Fields(Box::new(Fields::new(own_name, palette))).into()
    }

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
                offsets: Vec::new(),
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
            Shape::Plain.into(),
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
            fields("web", None),
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
            fields("own", None),
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
            fields("web", Some(&palette)),
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
