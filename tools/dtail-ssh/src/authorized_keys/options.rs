//! The options before a key. Never looks at keys.

use std::net::IpAddr;
use std::time::SystemTime;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::patterns::AddressPatterns;

/// What the options of one line say, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) is_authority: bool,
    pub(super) needs_no_touch: bool,
    pub(super) principals: Option<Vec<String>>,
    pub(super) restrictions: Vec<String>,
    from: Option<AddressPatterns>,
    expiry: Vec<Expiry>,
    has_command: bool,
}

/// Local time unless it ends with `Z`.
#[derive(Clone, Copy, Debug)]
struct Expiry {
    time: DateTime,
    is_utc: bool,
}

/// Forbid what a session here never gets: nothing to do, but told to the caller.
const RESTRICTIONS: [&str; 6] = [
    "restrict",
    "no-pty",
    "no-port-forwarding",
    "no-agent-forwarding",
    "no-x11-forwarding",
    "no-user-rc",
];

/// Permit, or shape, what a session here never gets.
const WITHOUT_EFFECT: [&str; 9] = [
    "pty",
    "port-forwarding",
    "agent-forwarding",
    "x11-forwarding",
    "user-rc",
    "permitopen",
    "permitlisten",
    "tunnel",
    "environment",
];

/// Where the options end: at the first blank outside of quotes. `None` if nothing follows.
pub(super) fn end(text: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b' ' | b'\t' if !is_quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// `name,name="value",…`. The error says why the line lets nobody in.
pub(super) fn parse(text: &str) -> Result<Options, String> {
    let mut options = Options::default();
    let mut rest = text;
    while !rest.is_empty() {
        let name_end = rest.find(['=', ',']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let (value, after) = match after.strip_prefix('=') {
            Some(quoted) => {
                let (value, after) = unquote(quoted)
                    .ok_or_else(|| format!("the option {name:?} needs a value in quotes"))?;
                (Some(value), after)
            }
            None => (None, after),
        };
        options.set(name, value)?;
        rest = match after.strip_prefix(',') {
            Some("") => return Err("there is a comma behind the last option".to_owned()),
            Some(rest) => rest,
            None if after.is_empty() => after,
            None => return Err(format!("there is no comma behind the option {name:?}")),
        };
    }
    if options.principals.is_some() && !options.is_authority {
        return Err("principals= is only for lines with cert-authority".to_owned());
    }
    Ok(options)
}

/// The value in front and what follows its closing quote. Only `\"` is an escape, as in OpenSSH.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut value = String::new();
    loop {
        let at = rest.find(['"', '\\'])?;
        value.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix('"') {
            return Some((value, after));
        }
        rest = match rest.strip_prefix("\\\"") {
            Some(after) => {
                value.push('"');
                after
            }
            None => {
                value.push('\\');
                &rest[1..]
            }
        };
    }
}

impl Options {
    fn set(&mut self, name: &str, value: Option<String>) -> Result<(), String> {
        let lower = name.to_ascii_lowercase();
        match (lower.as_str(), value) {
            ("cert-authority", None) => self.is_authority = true,
            ("no-touch-required", None) => self.needs_no_touch = true,
            ("from", Some(list)) if self.from.is_none() => {
                self.from = Some(AddressPatterns::parse(&list)?);
            }
            ("principals", Some(list)) if self.principals.is_none() => {
                self.principals = Some(list.split(',').map(str::to_owned).collect());
            }
            ("expiry-time", Some(time)) => self.expiry.push(Expiry::parse(&time)?),
            ("command", Some(command)) if !self.has_command => {
                if !is_dserver(&command) {
                    return Err(format!(
                        "the key is for the command {command:?} only, which is not run here"
                    ));
                }
                self.has_command = true;
            }
            ("from" | "principals" | "command", Some(_)) => {
                return Err(format!("the option {name:?} is there twice"));
            }
            (restriction, None) if RESTRICTIONS.contains(&restriction) => {
                self.restrictions.push(name.to_owned());
            }
            (option, _) if WITHOUT_EFFECT.contains(&option) => {}
            _ => return Err(format!("the option {name:?} is not understood here")),
        }
        Ok(())
    }

    /// When the line lets nobody in any more; `None`: never.
    pub(super) fn expires(&self) -> Option<SystemTime> {
        self.expiry.iter().map(|expiry| expiry.moment()).min()
    }

    /// Conditions on where and when.
    pub(super) fn check(&self, peer: IpAddr, now: SystemTime) -> Result<(), String> {
        if let Some(from) = &self.from
            && !from.contain(peer)
        {
            return Err(format!("from= does not list {peer}"));
        }
        if self.expires().is_some_and(|moment| moment <= now) {
            return Err("expiry-time= has passed".to_owned());
        }
        Ok(())
    }
}

/// A key that may only run `dserver --stdio` may have what that gives: a session here.
fn is_dserver(command: &str) -> bool {
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    let is_program = |word: &str| word == "dserver" || word.ends_with("/dserver");
    matches!(words.as_slice(), [program, "--stdio" | "-stdio"] if is_program(program))
}

impl Expiry {
    /// `YYYYMMDD[HHMM[SS]][Z]`.
    fn parse(text: &str) -> Result<Expiry, String> {
        let wrong = || format!("expiry-time={text:?} is not of the form YYYYMMDD[HHMM[SS]][Z]");
        let (digits, is_utc) = match text.strip_suffix(['Z', 'z']) {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) || ![8, 12, 14].contains(&digits.len())
        {
            return Err(wrong());
        }
        let number = |from: usize, to: usize| {
            digits.get(from..to).map_or(0, |digits| {
                digits.bytes().fold(0_i16, |number, digit| number * 10 + i16::from(digit - b'0'))
            })
        };
        let small = |from: usize| i8::try_from(number(from, from + 2)).map_err(|_| wrong());
        let (month, day, hour) = (small(4)?, small(6)?, small(8)?);
        let (minute, second) = (small(10)?, small(12)?);
        let time = DateTime::new(number(0, 4), month, day, hour, minute, second, 0);
        Ok(Expiry { time: time.map_err(|_| wrong())?, is_utc })
    }

    /// A time that cannot be told is one that has passed.
    fn moment(self) -> SystemTime {
        let zone = if self.is_utc { TimeZone::UTC } else { TimeZone::system() };
        self.time.to_zoned(zone).map_or(SystemTime::UNIX_EPOCH, SystemTime::from)
    }
}
