//! Which servers are meant: a list, a file, or whatever a command prints, filtered by a regular
//! expression. Never connects.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use dtail_search::{Pattern, PatternError};

use crate::servers::{BadServerName, ServerName};
use crate::words::split_words;

/// Longest list of servers in bytes: room for some hundred thousand names.
const LONGEST_LIST: u64 = 16 << 20;

/// Why there are no servers. One line.
#[derive(Debug)]
pub enum DiscoveryError {
    /// `--discovery` names a module that does not exist.
    UnknownModule(String),
    /// A regular expression chooses from a list, and there is none.
    NothingToFilter,
    /// The regular expression is bad.
    Filter(PatternError),
    /// The list names something that is no server.
    Server(BadServerName),
    /// The file cannot be read.
    File(String, io::Error),
    /// The command cannot be run, or failed.
    Command(String, String),
    /// The list is longer than anybody's.
    TooLong(String),
    /// The list is empty.
    Empty(String),
}

impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiscoveryError::UnknownModule(name) => {
                write!(f, "unknown discovery module \"{}\": ", name.escape_debug())?;
                f.write_str("use comma, file or command:PROGRAM")
            }
            DiscoveryError::NothingToFilter => {
                f.write_str("a regular expression chooses servers from a list, use --discovery too")
            }
            DiscoveryError::Filter(err) => err.fmt(f),
            DiscoveryError::Server(err) => err.fmt(f),
            DiscoveryError::File(path, err) => write!(f, "cannot read server list {path}: {err}"),
            DiscoveryError::Command(command, reason) => {
                write!(f, "discovery command \"{}\": {reason}", command.escape_debug())
            }
            DiscoveryError::TooLong(source) => {
                write!(f, "{source} gives more than {LONGEST_LIST} bytes of servers")
            }
            DiscoveryError::Empty(source) => write!(f, "{source} names no server"),
        }
    }
}

impl std::error::Error for DiscoveryError {}

/// The servers that `--servers` and `--discovery` mean, in the order given, each once.
///
/// `servers` is a list separated by commas, the path of a file with a server per line, or
/// `/regex/`, which chooses among those that `discovery` finds. `discovery` is empty or names a
/// module of DTail, `comma` or `file`, or ours, `command:PROGRAM ARGUMENTS`, which prints a server
/// per line.
pub fn discover(servers: &str, discovery: &str) -> Result<Vec<ServerName>, DiscoveryError> {
    let filter = filter(servers)?;
    let listed = if filter.is_some() { "" } else { servers };
    let (module, options) = discovery.split_once(':').unwrap_or((discovery, ""));
    let options = if options.is_empty() { listed } else { options };
    let list = match module.to_ascii_lowercase().as_str() {
        "" if filter.is_some() => return Err(DiscoveryError::NothingToFilter),
        "" if Path::new(listed).is_file() => read_file(listed)?,
        "" | "comma" => options.replace(',', "\n"),
        "file" => read_file(options)?,
        "command" => run_command(options)?,
        _ => return Err(DiscoveryError::UnknownModule(module.to_owned())),
    };
    let source = if discovery.is_empty() { "--servers" } else { "--discovery" };
    let mut known = HashSet::new();
    let mut found = Vec::new();
    for line in list.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() || filter.as_ref().is_some_and(|filter| !selects(filter, line)) {
            continue;
        }
        let server: ServerName = line.parse().map_err(DiscoveryError::Server)?;
        if known.insert(server.clone()) {
            found.push(server);
        }
    }
    if found.is_empty() { Err(DiscoveryError::Empty(source.to_owned())) } else { Ok(found) }
}

fn filter(servers: &str) -> Result<Option<Pattern>, DiscoveryError> {
    let inner = servers.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let pattern = inner.map(Pattern::expression).transpose();
    pattern.map_err(DiscoveryError::Filter)
}

fn selects(filter: &Pattern, server: &str) -> bool {
    filter.over(server.as_bytes()).next_run(0).is_some()
}

fn read_file(path: &str) -> Result<String, DiscoveryError> {
    let opened = File::open(path).and_then(|file| read_list(file, path));
    opened.map_err(|err| DiscoveryError::File(path.to_owned(), err))?
}

/// All that comes, unless it is too much; invalid UTF-8 is no part of any name.
fn read_list(from: impl Read, source: &str) -> io::Result<Result<String, DiscoveryError>> {
    let mut bytes = Vec::new();
    let length = from.take(LONGEST_LIST + 1).read_to_end(&mut bytes)?;
    if length as u64 > LONGEST_LIST {
        return Ok(Err(DiscoveryError::TooLong(source.to_owned())));
    }
    Ok(Ok(String::from_utf8_lossy(&bytes).into_owned()))
}

/// What a command prints. Its complaints go where ours go.
fn run_command(line: &str) -> Result<String, DiscoveryError> {
    let fail = |reason: String| DiscoveryError::Command(line.to_owned(), reason);
    let words = split_words(line).ok_or_else(|| fail("a quote is not closed".to_owned()))?;
    let [program, arguments @ ..] = words.as_slice() else {
        return Err(fail("no program given, use command:PROGRAM ARGUMENTS".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|err| fail(format!("cannot be run: {err}")))?;
    let printed = match child.stdout.take() {
        Some(stdout) => read_list(stdout, "the discovery command"),
        None => Ok(Ok(String::new())),
    };
    match printed {
        Ok(Ok(list)) => {
            let status = child.wait().map_err(|err| fail(err.to_string()))?;
            if status.success() { Ok(list) } else { Err(fail(status.to_string())) }
        }
        Ok(Err(err)) => {
            end(&mut child);
            Err(err)
        }
        Err(err) => {
            end(&mut child);
            Err(fail(err.to_string()))
        }
    }
}

/// A command that prints without end is stopped.
fn end(child: &mut Child) {
    // It may have ended by itself.
    drop(child.kill());
    drop(child.wait());
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::discover;

    #[track_caller]
    fn check(servers: &str, discovery: &str, expected: &Expect) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list").display().to_string();
        std::fs::write(&path, "# ours\nweb1\n me@web2:22 # old\n\ndb1\nweb1\n").unwrap();
        let said =
            match discover(&servers.replace("FILE", &path), &discovery.replace("FILE", &path)) {
                Ok(found) => found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
                Err(err) => err.to_string().replace(&path, "FILE"),
            };
        expected.assert_eq(&said);
    }

    #[test]
    fn a_list_is_in_the_argument_or_in_a_file() {
        check("b,a,, b ,[::1]:22", "", &expect!["b a [::1]:22"]);
        check("FILE", "", &expect!["web1 me@web2:22 db1"]);
        check("FILE", "File", &expect!["web1 me@web2:22 db1"]);
        check("", "file:FILE", &expect!["web1 me@web2:22 db1"]);
        check("a,b", "comma", &expect!["a b"]);
        check("", "COMMA:a,b", &expect!["a b"]);
    }

    #[test]
    fn a_command_prints_a_server_per_line() {
        check("", "command:printf '%s\\\\n' a b:23", &expect!["a b:23"]);
        check("", "command:cat FILE", &expect!["web1 me@web2:22 db1"]);
        check("", "command:false", &expect![[r#"discovery command "false": exit status: 1"#]]);
        check(
            "",
            "command:",
            &expect![[r#"discovery command "": no program given, use command:PROGRAM ARGUMENTS"#]],
        );
        check(
            "",
            "command:/not/there x",
            &expect![[
                r#"discovery command "/not/there x": cannot be run: No such file or directory (os error 2)"#
            ]],
        );
        check(
            "",
            "command:cat /dev/zero",
            &expect!["the discovery command gives more than 16777216 bytes of servers"],
        );
    }

    #[test]
    fn an_expression_chooses_from_what_was_found() {
        check("/^web|@web/", "file:FILE", &expect!["web1 me@web2:22"]);
        check("/db/", "comma:db1,web1", &expect!["db1"]);
        check("/mail/", "file:FILE", &expect!["--discovery names no server"]);
        check(
            "/web/",
            "",
            &expect!["a regular expression chooses servers from a list, use --discovery too"],
        );
        check(
            "/[/",
            "file:FILE",
            &expect![[r#"bad regular expression "[": unclosed character class"#]],
        );
    }

    #[test]
    fn what_names_no_server_is_an_error() {
        check("", "", &expect!["--servers names no server"]);
        check(
            "a,b:x",
            "",
            &expect![[r#"bad server "b:x": the port must be a number from 1 to 65535"#]],
        );
        check(
            "a",
            "dns",
            &expect![[r#"unknown discovery module "dns": use comma, file or command:PROGRAM"#]],
        );
        check(
            "",
            "file:/not/there",
            &expect!["cannot read server list /not/there: No such file or directory (os error 2)"],
        );
    }
}
