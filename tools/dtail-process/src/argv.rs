//! Turns arguments as Go's `flag` package reads them into the form option parsers of today read.
//! It never checks that a flag is known and never converts a value.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A flag of the program, as far as reading the command line needs to know it.
#[derive(Debug, Clone)]
pub struct Flag {
    /// Every long spelling, without dashes. The first is what the others are rewritten to.
    pub names: Vec<String>,
    /// Its one-letter spelling.
    pub short: Option<char>,
    /// Whether a value follows. A flag without is a switch: it takes a value only after `=`.
    pub takes_value: bool,
}

/// Rewrites `-name`, `-name value`, `-name=value` to `--name`, `--name=value`.
///
/// A value is joined to its flag, so that one beginning with a dash stays a value. Switches lose
/// their value: `-plain=1` becomes `--plain`, and `-plain=false` vanishes together with every
/// earlier `-plain`, the last one said being the one that counts. A long name wins over a cluster
/// of one-letter flags. Everything after `--` stays as it is, as does everything unknown.
pub fn normalise(arguments: impl IntoIterator<Item = OsString>, flags: &[Flag]) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    // Each with the flag it is, so that a switch can be taken back.
    let mut normal: Vec<(Option<usize>, OsString)> = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            normal.push((None, argument));
            normal.extend(arguments.map(|argument| (None, argument)));
            break;
        }
        let Some((name, value)) = split(&argument) else {
            normal.push((None, argument));
            continue;
        };
        let Some(index) = flags.iter().position(|flag| flag.names.contains(&name)) else {
            normal.push((None, unknown(&argument, &name, flags)));
            continue;
        };
        let value = match value {
            Some(value) if !flags[index].takes_value => match truth(&value) {
                Some(true) => None,
                Some(false) => {
                    normal.retain(|(flag, _)| *flag != Some(index));
                    continue;
                }
                None => Some(value),
            },
            None if flags[index].takes_value => arguments.next(),
            value => value,
        };
        normal.push((Some(index), joined(&flags[index].names[0], value.as_deref())));
    }
    normal.into_iter().map(|(_, argument)| argument).collect()
}

/// The name and the value after `=` of an argument that looks like a flag.
fn split(argument: &OsStr) -> Option<(String, Option<OsString>)> {
    let bytes = argument.as_bytes();
    let bytes = bytes.strip_prefix(b"--").or_else(|| bytes.strip_prefix(b"-"))?;
    if bytes.is_empty() {
        return None;
    }
    let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => (&bytes[..at], Some(OsString::from_vec(bytes[at + 1..].to_vec()))),
        None => (bytes, None),
    };
    Some((String::from_utf8(name.to_vec()).ok()?, value))
}

/// A lone dash before a name nobody knows becomes two, so that the complaint names it whole,
/// unless it is a cluster of one-letter flags.
fn unknown(argument: &OsStr, name: &str, flags: &[Flag]) -> OsString {
    if argument.as_bytes().starts_with(b"--") || is_cluster(name, flags) {
        return argument.to_owned();
    }
    let mut long = OsString::from("-");
    long.push(argument);
    long
}

/// One-letter flags up to the first that takes the rest as its value.
fn is_cluster(name: &str, flags: &[Flag]) -> bool {
    for letter in name.chars() {
        let Some(flag) = flags.iter().find(|flag| flag.short == Some(letter)) else {
            return false;
        };
        if flag.takes_value {
            break;
        }
    }
    true
}

fn joined(name: &str, value: Option<&OsStr>) -> OsString {
    let mut argument = OsString::from("--");
    argument.push(name);
    if let Some(value) = value {
        argument.push("=");
        argument.push(value);
    }
    argument
}

/// Go's spellings of a boolean.
fn truth(value: &OsStr) -> Option<bool> {
    match value.as_bytes() {
        b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True" => Some(true),
        b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{Flag, normalise};

    #[track_caller]
    fn check(arguments: &[&str], expected: &Expect) {
        let flag = |names: &[&str], short, takes_value| Flag {
            names: names.iter().map(ToString::to_string).collect(),
            short,
            takes_value,
        };
        let flags = [
            flag(&["plain"], None, false),
            flag(&["regex"], None, true),
            flag(&["logDir", "log-dir"], None, true),
            flag(&["help"], Some('h'), false),
            flag(&["lines"], Some('n'), true),
        ];
        let normal = normalise(arguments.iter().map(Into::into), &flags);
        let shown: Vec<String> =
            normal.iter().map(|it| it.to_string_lossy().into_owned()).collect();
        expected.assert_eq(&shown.join(" ¦ "));
    }

    #[test]
    fn one_dash_and_two_are_the_same() {
        check(
            &["-plain", "--plain", "-logDir", "d", "--log-dir=e"],
            &expect!["--plain ¦ --plain ¦ --logDir=d ¦ --logDir=e"],
        );
    }

    #[test]
    fn a_value_may_look_like_a_flag_or_be_empty() {
        check(
            &["-regex", "-plain", "-regex=", "-regex", "a=b", "f"],
            &expect!["--regex=-plain ¦ --regex= ¦ --regex=a=b ¦ f"],
        );
    }

    #[test]
    fn of_a_switch_the_last_word_counts() {
        check(&["-plain=T", "f", "-plain", "false"], &expect!["--plain ¦ f ¦ --plain ¦ false"]);
        check(&["-plain", "f", "-plain=0"], &expect!["f"]);
        check(&["-plain=0", "-plain=1"], &expect!["--plain"]);
        check(&["-plain=maybe"], &expect!["--plain=maybe"]);
    }

    #[test]
    fn clusters_survive_and_unknown_names_get_two_dashes() {
        check(
            &["-h", "-hn5", "-help", "-home=3", "-é"],
            &expect!["-h ¦ -hn5 ¦ --help ¦ --home=3 ¦ --é"],
        );
        check(&["-unknown", "x"], &expect!["--unknown ¦ x"]);
    }

    #[test]
    fn standard_input_and_everything_after_two_dashes_stay() {
        check(&["-", "--", "-plain", "-regex"], &expect!["- ¦ -- ¦ -plain ¦ -regex"]);
    }

    #[test]
    fn a_missing_value_is_left_to_the_parser() {
        check(&["-regex"], &expect!["--regex"]);
    }
}
