//! From the process's arguments to clap types, in Go's spellings or anybody's; complaints of the
//! parser on one line. Never decides what the flags mean.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Parser, error::ErrorKind};

use crate::argv::{self, Flag};

/// Why there are no typed arguments.
#[derive(Debug, PartialEq)]
pub enum NotParsed {
    /// `--help` or `--version` was asked for; this is it.
    Help(String),
    /// One line.
    Error(String),
}

/// Parses `words`, the first being the program's name.
pub fn parse<Arguments: Parser>(words: Vec<OsString>) -> Result<Arguments, NotParsed> {
    // As in Go, of a repeated flag the last counts.
    let command = Arguments::command().args_override_self(true);
    // Most have a flag of their own for it.
    let versionless = command.get_version().is_none();
    let mut command = command.disable_version_flag(versionless);
    command.build();
    // Those of subcommands too: a flag of one name means the same in all of them.
    let arguments = command.get_subcommands().flat_map(clap::Command::get_arguments);
    let flags: Vec<Flag> = command.get_arguments().chain(arguments).filter_map(flag).collect();
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
    let mut names = vec![name.to_owned()];
    for name in std::iter::once(name).chain(arg.get_all_aliases().unwrap_or_default()) {
        names.extend([name.to_owned(), kebab_case(name), camel_case(name)]);
    }
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let fewest_values = arg.get_num_args().map_or(1, |range| range.min_values());
    let value_is_optional = takes_value && fewest_values == 0;
    Some(Flag { names, short: arg.get_short(), takes_value, value_is_optional })
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
    if matches!(err.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return NotParsed::Help(err.to_string());
    }
    let said = err.to_string();
    let lines = said
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        // The other tips are good; this one names a spelling nobody typed.
        .filter(|line| !line.is_empty() && !line.starts_with("tip: to pass"));
    let line = lines.collect::<Vec<_>>().join("; ").replace(":; ", ": ");
    NotParsed::Error(line.strip_prefix("error: ").unwrap_or(&line).to_owned())
}
