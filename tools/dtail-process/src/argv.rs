//! Turns arguments as Go's `flag` package and as `getopt` read them into the form option parsers of
//! today read: long names, two dashes, values joined by `=`.
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
    /// Whether a flag with a value may be given without one, so that its value follows `=` only.
    pub value_is_optional: bool,
}

/// Arguments in their new form, each with the flag it is, so that a switch can be taken back.
type Normal = Vec<(Option<usize>, OsString)>;

/// Rewrites `-name`, `-name value`, `-name=value` to `--name`, `--name=value`, and clusters of
/// one-letter flags to their long names.
///
/// A value is joined to its flag, so that one beginning with a dash stays a value. Switches lose
/// their value: `-plain=1` becomes `--plain`, and `-plain=false` vanishes together with every
/// earlier `-plain`, the last one said being the one that counts. A long name wins over a cluster
/// of one-letter flags. Everything after `--` stays as it is, as does everything unknown.
pub fn normalise(arguments: impl IntoIterator<Item = OsString>, flags: &[Flag]) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut normal = Normal::new();
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
        match flags.iter().position(|flag| flag.names.contains(&name)) {
            Some(index) => push(index, flags, value, &mut arguments, &mut normal),
            None if is_cluster(&argument, flags) => {
                expand(&argument, flags, &mut arguments, &mut normal);
            }
            None => normal.push((None, unknown(&argument))),
        }
    }
    normal.into_iter().map(|(_, argument)| argument).collect()
}

/// Adds a flag; one that takes a value and has none takes the next argument.
fn push(
    index: usize,
    flags: &[Flag],
    value: Option<OsString>,
    arguments: &mut impl Iterator<Item = OsString>,
    normal: &mut Normal,
) {
    let flag = &flags[index];
    let value = match value {
        Some(value) if !flag.takes_value => match truth(&value) {
            Some(true) => None,
            Some(false) => {
                normal.retain(|(known, _)| *known != Some(index));
                return;
            }
            None => Some(value),
        },
        None if flag.takes_value && !flag.value_is_optional => arguments.next(),
        value => value,
    };
    normal.push((Some(index), joined(&flag.names[0], value.as_deref())));
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
    Some((String::from_utf8_lossy(name).into_owned(), value))
}

/// A lone dash before a name nobody knows becomes two, so that the complaint names it whole.
fn unknown(argument: &OsStr) -> OsString {
    if argument.as_bytes().starts_with(b"--") {
        return argument.to_owned();
    }
    let mut long = OsString::from("-");
    long.push(argument);
    long
}

/// Which flag a letter is.
fn lettered(letter: u8, flags: &[Flag]) -> Option<usize> {
    flags.iter().position(|flag| flag.short == Some(char::from(letter)))
}

/// One dash and one-letter flags up to the first that takes the rest as its value, or up to a `=`.
fn is_cluster(argument: &OsStr, flags: &[Flag]) -> bool {
    let letters = &argument.as_bytes()[1..];
    for (at, letter) in letters.iter().enumerate() {
        match lettered(*letter, flags) {
            Some(index) if flags[index].takes_value => return true,
            Some(_) => {}
            None => return *letter == b'=' && at > 0,
        }
    }
    !letters.is_empty()
}

/// Writes the flags of a cluster out.
fn expand(
    argument: &OsStr,
    flags: &[Flag],
    arguments: &mut impl Iterator<Item = OsString>,
    normal: &mut Normal,
) {
    let letters = &argument.as_bytes()[1..];
    for (at, letter) in letters.iter().enumerate() {
        let Some(index) = lettered(*letter, flags) else { return };
        let rest = &letters[at + 1..];
        let takes_rest = flags[index].takes_value || rest.first() == Some(&b'=');
        let value = rest.strip_prefix(b"=").unwrap_or(rest);
        let has_value = takes_rest && !rest.is_empty();
        let value = has_value.then(|| OsString::from_vec(value.to_vec()));
        push(index, flags, value, arguments, normal);
        if takes_rest {
            return;
        }
    }
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
            value_is_optional: false,
        };
        let mut flags = [
            flag(&["plain"], None, false),
            flag(&["regex"], None, true),
            flag(&["logDir", "log-dir"], None, true),
            flag(&["help"], Some('h'), false),
            flag(&["lines"], Some('n'), true),
            flag(&["max", "max-count"], Some('m'), true),
            flag(&["ignore-case"], Some('i'), false),
            flag(&["only-matching"], Some('o'), false),
            flag(&["regexp"], Some('e'), true),
            flag(&["invert", "invert-match"], Some('v'), false),
            flag(&["separator"], None, true),
        ];
        flags[10].value_is_optional = true;
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
    fn clusters_are_written_out() {
        check(
            &["-h", "-hn5", "-n", "-5", "-n=5", "-m3", "-max", "3"],
            &expect!["--help ¦ --help ¦ --lines=5 ¦ --lines=-5 ¦ --lines=5 ¦ --max=3 ¦ --max=3"],
        );
        check(
            &["-oi", "-ie", "-x", "-iex", "-e", "--", "-e-"],
            &expect![
                "--only-matching ¦ --ignore-case ¦ --ignore-case ¦ --regexp=-x ¦ --ignore-case ¦ --regexp=x ¦ --regexp=-- ¦ --regexp=-"
            ],
        );
        check(&["-oi=false", "-i=1"], &expect!["--only-matching ¦ --ignore-case"]);
        check(&["-e=é", "-eé", "-e"], &expect!["--regexp=é ¦ --regexp=é ¦ --regexp"]);
    }

    #[test]
    fn a_long_name_wins_over_a_cluster() {
        check(
            &["-invert", "-max-count", "2", "-in", "3", "-plain", "-n", "3"],
            &expect!["--invert ¦ --max=2 ¦ --ignore-case ¦ --lines=3 ¦ --plain ¦ --lines=3"],
        );
    }

    #[test]
    fn an_optional_value_follows_only_an_equals_sign() {
        check(
            &["-separator", "x", "--separator=--", "--separator="],
            &expect!["--separator ¦ x ¦ --separator=-- ¦ --separator="],
        );
    }

    #[test]
    fn unknown_names_get_two_dashes() {
        check(
            &["-help", "-hose=3", "-é", "-=3", "-iz"],
            &expect!["--help ¦ --hose=3 ¦ --é ¦ --=3 ¦ --iz"],
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
