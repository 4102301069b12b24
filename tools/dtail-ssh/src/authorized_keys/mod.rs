//! The `authorized_keys` format of OpenSSH (sshd(8)): which key or certificate lets which user in,
//! under which conditions. What is not understood lets nobody in. Never opens a connection, never
//! resolves names.

mod certificate;
mod file;
mod fuzzed;
mod options;
mod patterns;

use std::net::IpAddr;
use std::time::SystemTime;

use crate::keys::BLOB_LIMIT;
use crate::{Certificate, PublicKey};
pub use file::{AuthorizedKeysError, load};
pub use fuzzed::fuzzed;
use options::Options;

/// The largest file that is read; what is beyond grants nothing.
const FILE_LIMIT: usize = 1 << 20;

/// The longest line that is read.
const LINE_LIMIT: usize = 2 * BLOB_LIMIT;

/// One line with a key.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Line in the file, from 1.
    pub line: usize,
    key: PublicKey,
    /// Or why the line lets nobody in.
    options: Result<Options, String>,
}

/// The content of one file.
#[derive(Clone, Debug, Default)]
pub struct AuthorizedKeys {
    /// Lines with keys, in file order.
    pub entries: Vec<Entry>,
    /// Lines (from 1) that grant nothing, and why.
    pub problems: Vec<(usize, String)>,
}

/// What a client offers.
#[derive(Clone, Copy, Debug)]
pub enum Offered<'a> {
    /// A plain public key.
    Key(&'a PublicKey),
    /// A certificate.
    Certificate(&'a Certificate),
}

/// What the file says about an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Let in by this line.
    Accepted {
        /// Line in the file, from 1.
        line: usize,
        /// Options of the line that restrict what the session may do, as written: `restrict`,
        /// `no-pty` … A server that offers none of what they forbid has nothing to do.
        restrictions: Vec<String>,
        /// When the line lets nobody in any more (`expiry-time=`); `None`: never.
        expires: Option<SystemTime>,
    },
    /// Not let in; the text is for the server's log, not for the client.
    Refused(String),
}

/// Reads the bytes of a file. Never fails: a bad line becomes a problem. Memory stays within a
/// small multiple of `data`. (fuzzed)
pub fn parse(data: &[u8]) -> AuthorizedKeys {
    let mut keys = AuthorizedKeys::default();
    let (data, is_whole) = match data.get(..FILE_LIMIT) {
        Some(beginning) if data.len() > FILE_LIMIT => (beginning, false),
        _ => (data, true),
    };
    let mut last = 0;
    for (text, line) in data.split(|&byte| byte == b'\n').zip(1..) {
        last = line;
        let text = text.trim_ascii();
        if text.is_empty() || text.starts_with(b"#") {
            continue;
        }
        match parse_line(text, line) {
            Ok(entry) => {
                if let Err(reason) = &entry.options {
                    keys.problems.push((line, reason.clone()));
                }
                keys.entries.push(entry);
            }
            Err(problem) => keys.problems.push((line, problem)),
        }
    }
    if !is_whole {
        // The last line is cut: it must not grant what the whole line would not.
        keys.entries.retain(|entry| entry.line != last);
        keys.problems.retain(|(line, _)| *line != last);
        keys.problems.push((last, format!("only the first {FILE_LIMIT} bytes are read")));
    }
    keys
}

fn parse_line(text: &[u8], line: usize) -> Result<Entry, String> {
    if text.len() > LINE_LIMIT {
        return Err(format!("the line is longer than {LINE_LIMIT} bytes"));
    }
    let text = std::str::from_utf8(text).map_err(|_| "the line is not UTF-8".to_owned())?;
    let (options, key) = if starts_with_key_type(text) {
        ("", text)
    } else {
        let end = options::end(text).ok_or("there is no key behind the options")?;
        (&text[..end], text[end..].trim_start())
    };
    let key = PublicKey::from_openssh(key).map_err(|bad| bad.to_string())?;
    Ok(Entry { line, key, options: options::parse(options) })
}

fn starts_with_key_type(text: &str) -> bool {
    let word = text.split([' ', '\t']).next().unwrap_or_default();
    ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| word.starts_with(prefix))
}

impl AuthorizedKeys {
    /// Whether `offered` lets `user` in from `peer` at the time `now`. Whether the client holds the
    /// private key is not asked here.
    pub fn judge(
        &self,
        user: &str,
        offered: Offered<'_>,
        peer: IpAddr,
        now: SystemTime,
    ) -> Judgement {
        let peer = peer.to_canonical();
        let mut reason = None;
        for entry in &self.entries {
            let verdict = match offered {
                Offered::Key(key) if *key == entry.key => entry.judge_key(peer, now),
                Offered::Certificate(certificate) if certificate.is_signed_by(&entry.key) => {
                    entry.judge_certificate(certificate, user, peer, now)
                }
                _ => continue,
            };
            match verdict {
                Ok(options) => {
                    return Judgement::Accepted {
                        line: entry.line,
                        restrictions: options.restrictions.clone(),
                        expires: options.expires(),
                    };
                }
                Err(text) => {
                    reason.get_or_insert_with(|| format!("line {}: {text}", entry.line));
                }
            }
        }
        Judgement::Refused(reason.unwrap_or_else(|| match offered {
            Offered::Key(key) => format!("{} is not listed", key.describe()),
            Offered::Certificate(certificate) => {
                format!("{}: its authority is not listed", certificate.describe())
            }
        }))
    }

    /// Whether some line lets users in by certificate.
    pub fn has_authority(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.options.as_ref().is_ok_and(|options| options.is_authority))
    }
}

impl Entry {
    fn judge_key(&self, peer: IpAddr, now: SystemTime) -> Result<&Options, String> {
        let options = self.options.as_ref().map_err(Clone::clone)?;
        if options.is_authority {
            return Err("the key signs certificates (cert-authority), it does not log in".into());
        }
        if self.key.is_security_key() && !options.needs_no_touch {
            return Err(NO_TOUCH.to_owned());
        }
        options.check(peer, now)?;
        Ok(options)
    }

    fn judge_certificate(
        &self,
        certificate: &Certificate,
        user: &str,
        peer: IpAddr,
        now: SystemTime,
    ) -> Result<&Options, String> {
        let options = self.options.as_ref().map_err(Clone::clone)?;
        if !options.is_authority {
            return Err("the key is listed without cert-authority".to_owned());
        }
        options.check(peer, now)?;
        let names = options.principals.as_deref();
        certificate.check(user, names, options.needs_no_touch, peer, now)?;
        Ok(options)
    }
}

/// Our SSH library verifies the signature of a security key but does not tell whether it was
/// touched.
const NO_TOUCH: &str =
    "whether a security key was touched is not checked here: add no-touch-required to accept it";

#[cfg(test)]
mod tests;
