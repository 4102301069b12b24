//! From the process's arguments to clap types, in Go's spellings or anybody's; complaints of the
//! parser on one line. Never decides what the flags mean.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Parser, error::ErrorKind};
use dtail_process::argv::{self, Flag};

/// Why there are no typed arguments.
#[derive(Debug, PartialEq)]
pub(crate) enum NotParsed {
    /// `--help` was asked for; this is it.
    Help(String),
    /// One line.
    Error(String),
}

/// Parses `words`, the first being the program's name.
pub(crate) fn parse<Arguments: Parser>(words: Vec<OsString>) -> Result<Arguments, NotParsed> {
    // As in Go, of a repeated flag the last counts.
    let mut command = Arguments::command().args_override_self(true).disable_version_flag(true);
    command.build();
    let flags: Vec<Flag> = command.get_arguments().filter_map(flag).collect();
    let mut words = words.into_iter();
    let program = words.next().unwrap_or_default();
    let normal = argv::normalise(words, &flags);
    let mut matches = command
        .try_get_matches_from_mut(std::iter::once(program).chain(normal))
        .map_err(|err| not_parsed(&err))?;
    Arguments::from_arg_matches_mut(&mut matches).map_err(|err| not_parsed(&err))
}

/// The flag with all its spellings, of which clap knows the first.
fn flag(arg: &Arg) -> Option<Flag> {
    let name = arg.get_long()?;
    let names = vec![name.to_owned(), kebab_case(name), camel_case(name)];
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    Some(Flag { names, short: arg.get_short(), takes_value })
}

fn kebab_case(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('-');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (first, rest) = part.split_at(part.len().min(1));
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

fn not_parsed(err: &clap::Error) -> NotParsed {
    if err.kind() == ErrorKind::DisplayHelp {
        return NotParsed::Help(err.to_string());
    }
    let said = err.to_string();
    let lines = said
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        // The other tips are good; this one names a spelling nobody typed.
        .filter(|line| !line.is_empty() && !line.starts_with("tip: to pass"));
    let line = lines.collect::<Vec<_>>().join("; ");
    NotParsed::Error(line.strip_prefix("error: ").unwrap_or(&line).to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use expect_test::{Expect, expect};

    use super::{NotParsed, parse};
    use crate::{CommonArgs, FollowArgs, InputArgs, QueryArgs, SearchArgs};

    /// Has every flag there is.
    #[derive(Debug, Parser)]
    #[command(name = "dall")]
    struct All {
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        common: CommonArgs,
        #[command(flatten)]
        search: SearchArgs,
        #[command(flatten)]
        query: QueryArgs,
        #[command(flatten)]
        follow: FollowArgs,
    }

    #[track_caller]
    fn check(line: &str, expected: &Expect) {
        let words = std::iter::once("dall").chain(line.split_whitespace());
        let said = match parse::<All>(words.map(Into::into).collect()) {
            Ok(All { input, common, search, query, follow }) => format!(
                "{:?} plain={} noColor={} logDir={} regex={:?} max={} query={:?} shutdown={}",
                input.arguments,
                common.plain,
                common.no_color,
                common.log_dir.display(),
                search.regex,
                search.max,
                query.query,
                follow.shutdown_after
            ),
            Err(NotParsed::Help(help)) => help.lines().next().unwrap_or_default().to_owned(),
            Err(NotParsed::Error(line)) => line,
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn every_spelling_of_a_flag_is_known() {
        let same = expect![[
            r#"["f"] plain=true noColor=true logDir=d regex=None max=3 query=None shutdown=5"#
        ]];
        check("-plain -noColor -logDir d -max=3 -shutdownAfter 5 f", &same);
        check("--plain --no-color --log-dir=d --max 3 --shutdown-after 5 f", &same);
        check("f -shutdown-after=5 -max=3 -no-color=t -plain=1 -logDir d", &same);
    }

    #[test]
    fn the_last_of_a_repeated_flag_counts() {
        check(
            "-plain -regex a -max 1 -plain=false -max 2 -regex -b",
            &expect![[
                r#"[] plain=false noColor=false logDir=~/log regex=Some("-b") max=2 query=None shutdown=86400"#
            ]],
        );
    }

    #[test]
    fn complaints_are_one_line() {
        check("-nope", &expect!["unexpected argument '--nope' found"]);
        check(
            "-plian",
            &expect![
                "unexpected argument '--plian' found; tip: a similar argument exists: '--plain'"
            ],
        );
        check(
            "-plain=maybe",
            &expect!["unexpected value 'maybe' for '--plain' found; no more were expected"],
        );
        check(
            "-max -3",
            &expect!["invalid value '-3' for '--max <MATCHES>': invalid digit found in string"],
        );
        check(
            "-regex",
            &expect!["a value is required for '--regex <REGEX>' but none was supplied"],
        );
        check(
            "-logger loud",
            &expect![
                "invalid value 'loud' for '--logger <NAME>': use one of none stdout file fout"
            ],
        );
        check(
            "-color blue",
            &expect![
                "invalid value 'blue' for '--color <WHEN>'; [possible values: auto, always, never]"
            ],
        );
    }

    #[test]
    fn help_has_gos_spelling_too() {
        check("-help", &expect!["Has every flag there is"]);
        check("-h", &expect!["Has every flag there is"]);
    }
}
