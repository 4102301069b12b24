//! What a client of protocol 4.1 says: `protocol 4.1 base64 …;`. Never carries anything out.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::folding::{escaped, folded};
use super::splitter::Splitter;
use super::{LegacyError, VERSION};
use crate::{Mode, Pattern};

/// DTail's limit of a timeout, in seconds: a day.
const LONGEST_TIMEOUT: u64 = 86_400;

/// How much of what cannot be understood is quoted, in bytes.
const QUOTED: usize = 60;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Read a file or glob. After [`Command::Map`], into that query.
    Read {
        /// Cat, grep or tail.
        mode: Mode,
        /// DTail uses those of a session's first command only.
        options: Options,
        /// A path, glob, or `journal:UNIT`.
        file: String,
        /// The lines wanted; `None`: every line.
        pattern: Option<Pattern>,
    },
    /// The query that the lines of the following reads go into.
    Map {
        /// DTail uses those of a session's first command only.
        options: Options,
        /// As typed.
        query: String,
    },
    /// A read that ends after a while, for queries.
    Timeout {
        /// After this long; at most a day.
        seconds: u64,
        /// Cat, grep or tail.
        mode: Mode,
        /// A path, glob, or `journal:UNIT`.
        file: String,
        /// The lines wanted; `None`: every line.
        pattern: Option<Pattern>,
    },
    /// Is the server all right?
    Health,
    /// The client has seen that the server wants to close.
    AckClose,
    /// A public key for fast log-ins: an SSH public key blob.
    AuthKey(Vec<u8>),
    /// A public key that cannot be read; answer [`auth_key_err`](super::auth_key_err) with this.
    BadAuthKey(&'static str),
    /// `SESSION START` or `SESSION UPDATE`, which we do not offer; answer
    /// [`session_err`](super::session_err) with this.
    Session(&'static str),
    /// Another version; answer this with [`server_text`](super::server_text) and close.
    BadVersion {
        /// The text to answer.
        text: String,
    },
    /// Something we do not know or cannot parse; answer this with
    /// [`server_text`](super::server_text).
    Unknown(String),
}

/// Options of a read or query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Lines wanted before a selected one.
    pub before: usize,
    /// Lines wanted after a selected one.
    pub after: usize,
    /// Stop after this many selected lines; 0: no limit.
    pub max: u64,
    /// Only the lines, without `REMOTE|…`.
    pub plain: bool,
    /// No messages for the user.
    pub quiet: bool,
    /// Client and server are one process; never so over a network.
    pub serverless: bool,
}

/// Received bytes in, commands out.
#[derive(Debug)]
pub struct CommandDecoder {
    splitter: Splitter,
}

impl CommandDecoder {
    /// `limit`: the longest frame in bytes, [`super::COMMAND_LIMIT`] unless configured.
    pub fn new(limit: usize) -> CommandDecoder {
        CommandDecoder { splitter: Splitter::new(b';', limit) }
    }

    /// Takes in received bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.splitter.feed(bytes);
    }

    /// The next command, if all of it has come. Call it until it gives none, then feed again.
    #[expect(clippy::should_implement_trait, reason = "it is no iterator: it goes on after none")]
    pub fn next(&mut self) -> Result<Option<Command>, LegacyError> {
        match self.splitter.next()? {
            None => Ok(None),
            Some(frame) => parse_frame(frame.trim_ascii_start()).map(Some),
        }
    }
}

/// `protocol VERSION base64 …`
fn parse_frame(frame: &[u8]) -> Result<Command, LegacyError> {
    let foreign = || LegacyError::Foreign(quoted(frame));
    let mut words = frame.splitn(3, |byte| *byte == b' ');
    let (Some(b"protocol"), Some(version), Some(rest)) = (words.next(), words.next(), words.next())
    else {
        return Err(foreign());
    };
    if version != VERSION.as_bytes() {
        return Ok(Command::BadVersion { text: version_text(version) });
    }
    let encoded = rest.strip_prefix(b"base64 ").ok_or_else(foreign)?;
    let command = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(command) = command else {
        return Ok(Command::Unknown(
            "Unable to parse command: it is no base64 of UTF-8".to_owned(),
        ));
    };
    Ok(parse(&command).unwrap_or_else(|why| {
        let command = quoted(command.as_bytes());
        Command::Unknown(format!("Unable to parse command {command:?}: {why}"))
    }))
}

/// DTail sends those to update whose major version is not above the server's.
fn version_text(version: &[u8]) -> String {
    let version = quoted(version);
    let major: Option<u64> = version.split('.').next().and_then(|major| major.parse().ok());
    let side = if major.is_some_and(|major| major > 4) { "server" } else { "client" };
    format!(
        "the DTail server speaks protocol version {VERSION}, the client {version:?}; update the \
         DTail {side}"
    )
}

fn parse(command: &str) -> Result<Command, &'static str> {
    let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
    let (name, options) = word.split_once(':').unwrap_or((word, ""));
    match name {
        "map" if rest.is_empty() => Err("there is no query"),
        "map" => Ok(Command::Map { options: parse_options(options)?, query: rest.to_owned() }),
        "timeout" => parse_timeout(rest),
        "health" => Ok(Command::Health),
        ".ack" if rest == "close connection" => Ok(Command::AckClose),
        "AUTHKEY" | "authkey" => Ok(match STANDARD.decode(rest.trim()) {
            _ if rest.trim().is_empty() => Command::BadAuthKey("missing public key"),
            Ok(blob) => Command::AuthKey(blob),
            Err(_) => Command::BadAuthKey("invalid base64"),
        }),
        "SESSION" => Ok(Command::Session("unsupported: query-update-v1 is not offered")),
        _ => {
            let mode = read_mode(name).ok_or("it is unknown here")?;
            let options = parse_options(options)?;
            let (file, pattern) = parse_read(rest)?;
            Ok(Command::Read { mode, options, file, pattern })
        }
    }
}

fn read_mode(name: &str) -> Option<Mode> {
    match name {
        "cat" => Some(Mode::Cat),
        "grep" => Some(Mode::Grep),
        "tail" => Some(Mode::Tail),
        _ => None,
    }
}

/// `SECONDS cat FILE REGEX`
fn parse_timeout(rest: &str) -> Result<Command, &'static str> {
    let mut words = rest.splitn(3, ' ');
    let seconds = words.next().and_then(|word| word.parse().ok()).ok_or("no seconds")?;
    if seconds > LONGEST_TIMEOUT {
        return Err("a timeout is at most 86400 seconds");
    }
    let name = words.next().unwrap_or("");
    let mode = read_mode(name.split(':').next().unwrap_or(name)).ok_or("no cat, grep or tail")?;
    let (file, pattern) = parse_read(words.next().unwrap_or(""))?;
    Ok(Command::Timeout { seconds, mode, file, pattern })
}

/// `FILE regex:FLAGS PATTERN`. DTail's files have no blanks; here they may.
fn parse_read(rest: &str) -> Result<(String, Option<Pattern>), &'static str> {
    let (file, regex) = rest.split_once(" regex:").ok_or("no file and regex")?;
    if file.is_empty() {
        return Err("no file");
    }
    let (flags, text) = regex.split_once(' ').unwrap_or((regex, ""));
    let mut flags = flags.split(',');
    let invert = match flags.next() {
        Some("noop") => return Ok((file.to_owned(), None)),
        Some("default") => false,
        Some("invert") => true,
        _ => return Err("unknown flag of the regex"),
    };
    // Said only of patterns without special characters; who says it of others shall be believed.
    let is_literal = flags.any(|flag| flag == "literal");
    let text = if is_literal { escaped(text) } else { text.to_owned() };
    Ok((file.to_owned(), Some(Pattern { invert, ..Pattern::of(&text) })))
}

/// `key=value:key=value`
fn parse_options(text: &str) -> Result<Options, &'static str> {
    const NO_NUMBER: &str = "an option is no number";
    let mut options = Options::default();
    for pair in text.split(':').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or("an option has no value")?;
        let value = match value.strip_prefix("base64%") {
            None => value.to_owned(),
            Some(encoded) => STANDARD
                .decode(encoded)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or("an option is no base64 of UTF-8")?,
        };
        match key {
            "before" => options.before = value.parse().map_err(|_| NO_NUMBER)?,
            "after" => options.after = value.parse().map_err(|_| NO_NUMBER)?,
            "max" => options.max = value.parse().map_err(|_| NO_NUMBER)?,
            "plain" => options.plain = value == "true",
            "quiet" => options.quiet = value == "true",
            "serverless" => options.serverless = value == "true",
            // What newer clients may send is not known to matter.
            _ => {}
        }
    }
    Ok(options)
}

fn quoted(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(QUOTED)]).into_owned()
}

/// Appends a command as a client sends it, a pattern as one expression. An error if it cannot be said
/// in protocol 4.1.
pub fn encode_command(command: &Command, out: &mut Vec<u8>) -> Result<(), LegacyError> {
    let text = match command {
        Command::Read { mode, options, file, pattern } => {
            let name = read_name(*mode);
            format!("{name}:{} {}", write_options(options), write_read(file, pattern.as_ref())?)
        }
        Command::Map { options, query } => format!("map:{} {query}", write_options(options)),
        Command::Timeout { seconds, mode, file, pattern } => {
            let name = read_name(*mode);
            format!("timeout {seconds} {name} {}", write_read(file, pattern.as_ref())?)
        }
        Command::Health => "health".to_owned(),
        Command::AckClose => ".ack close connection".to_owned(),
        Command::AuthKey(blob) => format!("AUTHKEY {}", STANDARD.encode(blob)),
        Command::BadAuthKey(why) | Command::Session(why) => {
            return Err(LegacyError::Unsendable(format!("which has no such command ({why})")));
        }
        Command::BadVersion { text } | Command::Unknown(text) => {
            return Err(LegacyError::Unsendable(format!("which has no such command ({text})")));
        }
    };
    out.extend_from_slice(b"protocol ");
    out.extend_from_slice(VERSION.as_bytes());
    out.extend_from_slice(b" base64 ");
    out.extend_from_slice(STANDARD.encode(text).as_bytes());
    out.push(b';');
    Ok(())
}

fn read_name(mode: Mode) -> &'static str {
    match mode {
        // A query reads whole files as cat does.
        Mode::Cat | Mode::Map => "cat",
        Mode::Grep => "grep",
        Mode::Tail => "tail",
    }
}

fn write_read(file: &str, pattern: Option<&Pattern>) -> Result<String, LegacyError> {
    if file.is_empty() || file.contains(' ') {
        return Err(LegacyError::Unsendable(format!("which cannot name the file {file:?}")));
    }
    Ok(match pattern {
        None => format!("{file} regex:noop "),
        Some(pattern) => {
            let flag = if pattern.invert { "invert" } else { "default" };
            format!("{file} regex:{flag} {}", folded(pattern))
        }
    })
}

/// In the order of the keys, as DTail does; what is not asked for is not said.
fn write_options(options: &Options) -> String {
    let Options { before, after, max, plain, quiet, serverless } = *options;
    let numbers = [("after", after as u64), ("before", before as u64), ("max", max)];
    let flags = [("plain", plain), ("quiet", quiet), ("serverless", serverless)];
    let mut text = String::new();
    for (key, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
        write!(text, "{key}={number}:").expect("a String takes every write");
    }
    for (key, _) in flags.into_iter().filter(|(_, flag)| *flag) {
        write!(text, "{key}=true:").expect("a String takes every write");
    }
    text.pop();
    text
}
