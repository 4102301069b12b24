//! From typed expressions, and files of them, to the pattern of a request. Never compiles one.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};

use dtail_protocol::{Pattern, Whole};

use crate::arguments::SearchArgs;
use crate::hosts;
use crate::program::{Tool, Typed};

/// The most that is read of a file of expressions: more do not compile.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Which lines are wanted; `None`: every line. The error is one line.
pub(crate) fn pattern(
    typed: &Typed,
    args: &SearchArgs,
    warnings: &mut Vec<String>,
) -> Result<Option<Pattern>, String> {
    let grep = args.grep.as_ref().filter(|text| !text.is_empty());
    let first = grep.or(args.regex.as_ref());
    if first.is_some_and(String::is_empty) && typed.tool == Tool::Dgrep {
        return Err("the regular expression is empty: use --regex . for every line".to_owned());
    }
    let is_given = first.is_some() || !args.regexp.is_empty() || !args.file.is_empty();
    let mut texts: Vec<String> = first.into_iter().chain(&args.regexp).cloned().collect();
    for file in &args.file {
        read_file(file, &mut texts)?;
    }
    if !is_given {
        warnings.extend(forgotten(typed, args));
        if !args.invert {
            return Ok(None);
        }
        // Every line matches, so none is wanted.
        return Ok(Some(Pattern { invert: true, ..Pattern::of(".") }));
    }
    let whole = match (args.line_regexp, args.word_regexp) {
        (true, _) => Whole::Line,
        (false, true) => Whole::Words,
        (false, false) => Whole::Nothing,
    };
    Ok(Some(Pattern {
        texts,
        invert: args.invert,
        fixed: args.fixed_strings,
        ignore_case: args.ignore_case,
        whole,
    }))
}

/// The most likely slip of somebody who knows grep.
fn forgotten(typed: &Typed, args: &SearchArgs) -> Option<String> {
    let first = typed.input.arguments.first().and_then(|it| it.to_str())?;
    let is_forgotten = typed.tool == Tool::Dgrep
        && !args.invert
        && typed.input.arguments.len() > 1
        && !hosts::is_remote(&typed.common.remote)
        && !std::path::Path::new(first).exists();
    let first = first.escape_debug();
    is_forgotten.then(|| {
        format!("no --regex given, so every line matches; if {first} is one, use --regex '{first}'")
    })
}

/// Whether expressions are read from standard input.
pub(crate) fn take_standard_input(args: &SearchArgs) -> bool {
    args.file.iter().any(|file| file == "-")
}

/// Adds the lines of a file, as grep does: an empty line matches everything, an empty file nothing.
fn read_file(name: &OsStr, texts: &mut Vec<String>) -> Result<(), String> {
    let shown = name.display();
    let fail = |err: io::Error| format!("cannot read patterns of {shown}: {err}");
    let mut bytes = Vec::new();
    let read = match name == OsStr::new("-") {
        true => io::stdin().lock().take(MAX_FILE + 1).read_to_end(&mut bytes),
        false => fs::File::open(name).and_then(|it| it.take(MAX_FILE + 1).read_to_end(&mut bytes)),
    };
    if read.map_err(fail)? as u64 > MAX_FILE {
        return Err(format!("{shown} is too long for a file of patterns (64 MiB)"));
    }
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    // What follows the last newline is a line only if there is something.
    lines.pop_if(|last| last.is_empty());
    for (number, line) in lines.into_iter().enumerate() {
        let text = std::str::from_utf8(line).map_err(|_| {
            let number = number + 1;
            format!("{shown} line {number} is not UTF-8: write its bytes as \\xNN")
        })?;
        texts.push(text.to_owned());
    }
    Ok(())
}

/// Files of expressions for tests and for [`SearchArgs::file`].
#[cfg(test)]
mod tests {
    use std::io::Write;

    use expect_test::{Expect, expect};

    use super::read_file;

    #[track_caller]
    fn check(bytes: &[u8], expected: &Expect) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut texts = vec!["first".to_owned()];
        let said = match read_file(file.path().as_os_str(), &mut texts) {
            Ok(()) => format!("{texts:?}"),
            Err(line) => line.replace(&file.path().display().to_string(), "FILE"),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn each_line_is_an_expression() {
        check(b"a b\n\nc\r\nlast", &expect![[r#"["first", "a b", "", "c\r", "last"]"#]]);
        check(b"a\n", &expect![[r#"["first", "a"]"#]]);
        check(b"\n", &expect![[r#"["first", ""]"#]]);
        check(b"", &expect![[r#"["first"]"#]]);
    }

    #[test]
    fn bytes_that_are_no_text_are_named() {
        check(b"a\n\xff\n", &expect![[r"FILE line 2 is not UTF-8: write its bytes as \xNN"]]);
    }
}
