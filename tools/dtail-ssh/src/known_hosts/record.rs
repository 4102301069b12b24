//! One line of a `known_hosts` file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). Never decides about
//! trust.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::PublicKey;
use crate::wildcard::matches;

/// The longest line that is read.
const LINE_LIMIT: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// A host's own key.
    Host,
    /// A key that must not be used any more.
    Revoked,
    /// A key that signs hosts' certificates.
    Authority,
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) line: usize,
    pub(super) marker: Marker,
    pub(super) key: PublicKey,
    names: Names,
}

#[derive(Debug)]
enum Names {
    /// Patterns with `*`, `?` and `!`.
    Patterns(Vec<String>),
    /// HMAC-SHA1 of the name with the salt as its key.
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

/// All lines that can be used; the others (comments, unsupported key types) are left out.
pub(super) fn parse(content: &[u8]) -> Vec<Record> {
    let lines = content.split(|&byte| byte == b'\n').zip(1..);
    lines.filter_map(|(text, line)| parse_line(text, line)).collect()
}

fn parse_line(text: &[u8], line: usize) -> Option<Record> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= LINE_LIMIT)?;
    let text = text.trim();
    if text.starts_with('#') {
        return None;
    }
    let (marker, rest) = match text.split_once([' ', '\t']) {
        Some(("@revoked", rest)) => (Marker::Revoked, rest.trim_start()),
        Some(("@cert-authority", rest)) => (Marker::Authority, rest.trim_start()),
        // A marker of a later OpenSSH: better not understood than misunderstood.
        Some((word, _)) if word.starts_with('@') => return None,
        _ => (Marker::Host, text),
    };
    let (names, key) = rest.split_once([' ', '\t'])?;
    let key = PublicKey::from_openssh(key).ok()?;
    Some(Record { line, marker, key, names: parse_names(names)? })
}

fn parse_names(names: &str) -> Option<Names> {
    let Some(hashed) = names.strip_prefix("|1|") else {
        let patterns = names.split(',').map(str::to_ascii_lowercase).collect();
        return Some(Names::Patterns(patterns));
    };
    let (salt, hash) = hashed.split_once('|')?;
    let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
    Some(Names::Hashed { salt, hash })
}

impl Record {
    /// Whether this is a record of the host `name`, as [`host_pattern`](super::host_pattern) writes
    /// it.
    pub(super) fn is_host(&self, name: &str) -> bool {
        self.marker == Marker::Host && self.names(name)
    }

    /// Whether the names include `name`.
    pub(super) fn names(&self, name: &str) -> bool {
        match &self.names {
            Names::Patterns(patterns) => {
                let is_excluded = |pattern: &String| {
                    pattern.strip_prefix('!').is_some_and(|pattern| matches(pattern, name))
                };
                !patterns.iter().any(is_excluded)
                    && patterns.iter().any(|pattern| matches(pattern, name))
            }
            Names::Hashed { salt, hash } => {
                let Ok(mac) = Hmac::<Sha1>::new_from_slice(salt) else { return false };
                mac.chain_update(name.as_bytes()).verify_slice(hash).is_ok()
            }
        }
    }
}
