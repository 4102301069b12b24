//! In which form lines are printed, and what of them must be asked for. Combinations of flags that
//! make no sense are found here. Never prints.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStringExt;

use dtail_protocol::{Context, Extras, Mode, Parts, Request};

use crate::arguments::{BinaryChoice, GrepArgs, SearchArgs};
use crate::hosts;
use crate::program::{Tool, Typed};

/// What is printed, whatever the request is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) kind: Kind,
    /// Only with plain lines: numbers, and the names of files, in front.
    pub(crate) numbers: bool,
    pub(crate) names: bool,
    /// Names of files in front of counts even of a single file, or never.
    pub(crate) named_counts: Option<bool>,
    /// A line between groups of lines.
    pub(crate) separator: Option<Vec<u8>>,
    pub(crate) binary: Option<BinaryChoice>,
    pub(crate) is_remote: bool,
}

/// What is printed of the lines that are selected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The lines.
    #[default]
    Lines,
    /// The parts that match.
    Matches,
    /// How many they are in each file.
    Counts,
    /// The names of files that have some.
    FilesWith,
    /// The names of files that have none.
    FilesWithout,
    /// ripgrep's messages.
    Json,
}

impl Kind {
    /// The flag that asks for it, for complaints.
    fn flag(self) -> &'static str {
        match self {
            Kind::Lines => "",
            Kind::Matches => "--only-matching",
            Kind::Counts => "--count",
            Kind::FilesWith => "--files-with-matches",
            Kind::FilesWithout => "--files-without-match",
            Kind::Json => "--json",
        }
    }

    /// Whether only [`Extras::summaries`] are of interest.
    pub(crate) fn is_summary(self) -> bool {
        matches!(self, Kind::Counts | Kind::FilesWith | Kind::FilesWithout)
    }
}

impl Form {
    /// The form that was typed. The error is one line.
    pub(crate) fn new(typed: &Typed, has_query: bool) -> Result<Form, String> {
        let kind = kind(typed)?;
        if let Some(search) = &typed.search {
            refuse_nonsense(kind, search, has_query)?;
        }
        let is_remote = hosts::is_remote(&typed.common.remote);
        let Some(grep) = &typed.grep else {
            let numbers = typed.number.as_ref().is_some_and(|args| args.number);
            return Ok(Form { kind, numbers, is_remote, ..Form::default() });
        };
        let separator = grep.context_separator.clone().map(OsString::into_vec);
        Ok(Form {
            kind,
            numbers: grep.line_number,
            names: grep.with_filename,
            named_counts: match (grep.with_filename, grep.no_filename) {
                (true, true) => return Err("--with-filename or --no-filename, not both".to_owned()),
                (true, false) => Some(true),
                (false, true) => Some(false),
                (false, false) => None,
            },
            separator,
            binary: binary(grep, kind, typed)?,
            is_remote,
        })
    }

    /// The request with everything asked for that printing it needs.
    pub(crate) fn ask(&self, mut request: Request) -> Request {
        let plain = request.plain;
        let (copies, json) = (request.mode == Mode::Cat, self.kind == Kind::Json);
        let prefixes = plain && !copies;
        let marks_groups = self.separator.is_some() && request.context != Context::default();
        request.parts = match self.kind {
            Kind::Lines | Kind::Json => Parts::Lines,
            Kind::Matches => Parts::Matches,
            Kind::Counts | Kind::FilesWith | Kind::FilesWithout => Parts::Nothing,
        };
        let replaces_lines = self.binary.is_some_and(|binary| binary != BinaryChoice::Text);
        request.extras = match self.kind.is_summary() {
            true => Extras { summaries: true, paths: true, ..Extras::default() },
            false => Extras {
                // Copied lines are counted where they are printed, through all files.
                numbers: !plain || json || marks_groups || (prefixes && self.numbers),
                offsets: json,
                // Not of hosts: old ones have none and would fail.
                summaries: json || (replaces_lines && !self.is_remote),
                paths: json || (prefixes && (self.names || replaces_lines)),
            },
        };
        if matches!(self.kind, Kind::FilesWith | Kind::FilesWithout) {
            request.context = Context { max: 1, ..Context::default() };
        }
        request
    }
}

fn kind(typed: &Typed) -> Result<Kind, String> {
    let grep = typed.grep.as_ref();
    let says = |flag: fn(&GrepArgs) -> bool| grep.is_some_and(flag);
    let asked_for = [
        (Kind::Matches, typed.search.as_ref().is_some_and(|args| args.only_matching)),
        (Kind::Counts, says(|args| args.count)),
        (Kind::FilesWith, says(|args| args.files_with_matches)),
        (Kind::FilesWithout, says(|args| args.files_without_match)),
        (Kind::Json, says(|args| args.json)),
    ];
    let mut kinds = asked_for.into_iter().filter(|(_, asked)| *asked).map(|(kind, _)| kind);
    match (kinds.next(), kinds.next()) {
        (Some(one), Some(other)) => {
            let (one, other) = (one.flag(), other.flag());
            Err(format!("{one} and {other} print different things: leave one out"))
        }
        (kind, _) => Ok(kind.unwrap_or_default()),
    }
}

fn refuse_nonsense(kind: Kind, args: &SearchArgs, has_query: bool) -> Result<(), String> {
    let flag = kind.flag();
    let surrounds =
        args.before.unwrap_or(args.context) > 0 || args.after.unwrap_or(args.context) > 0;
    let context = "--before, --after and --context";
    if has_query && kind != Kind::Lines {
        return Err(format!("{flag} prints lines, a query prints a table: leave one out"));
    }
    if has_query && surrounds {
        return Err(format!("{context} print lines, a query prints a table: leave one out"));
    }
    if kind == Kind::Matches && args.invert {
        return Err(format!("{flag} has nothing to print with --invert: leave one out"));
    }
    if surrounds && !matches!(kind, Kind::Lines | Kind::Json) {
        return Err(format!("{flag} prints no lines around matches: leave out {context}"));
    }
    Ok(())
}

/// What is done with binary files; `None`: nothing special.
fn binary(args: &GrepArgs, kind: Kind, typed: &Typed) -> Result<Option<BinaryChoice>, String> {
    let typed_choice = match (args.text, args.skip_binary, args.binary) {
        (false, false, choice) => choice,
        (true, false, None | Some(BinaryChoice::Text)) => Some(BinaryChoice::Text),
        (false, true, None | Some(BinaryChoice::Skip)) => Some(BinaryChoice::Skip),
        _ => return Err("--binary, --text and --skip-binary contradict: leave one out".to_owned()),
    };
    if let Some(choice) = typed_choice {
        if choice != BinaryChoice::Text && !matches!(kind, Kind::Lines | Kind::Matches) {
            let flag = kind.flag();
            return Err(format!("{flag} looks at every file: leave out --binary"));
        }
        return Ok(Some(choice));
    }
    let strict = typed.common.strict_dtail || dtail_process::environment::is_test_mode();
    let protects_terminal =
        !strict && matches!(kind, Kind::Lines | Kind::Matches) && io::stdout().is_terminal();
    Ok((typed.tool == Tool::Dgrep && protects_terminal).then_some(BinaryChoice::Summary))
}
