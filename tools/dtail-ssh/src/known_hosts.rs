//! The `known_hosts` file: which key a host had before. Never asks anybody.

mod record;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Endpoint, PublicKey, files};
use record::{Marker, Record};

/// The largest file that is read: about 100,000 hosts.
const FILE_LIMIT: u64 = 64 << 20;

/// What the file knows of a host's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostTrust {
    /// The same key as before.
    Known,
    /// Nothing is known of this host.
    Unknown,
    /// Another key is on record, and not this one. A key of another type counts as changed too:
    /// otherwise whoever stands between could offer one and be unknown instead.
    Changed {
        /// Line of the first such record, from 1.
        line: usize,
    },
    /// The key is marked `@revoked`.
    Revoked,
}

/// The records of one file, and what was added since. Lines with `@cert-authority` are kept but not
/// used.
#[derive(Debug, Default)]
pub struct KnownHosts {
    path: Option<PathBuf>,
    records: Mutex<Vec<Record>>,
}

impl KnownHosts {
    /// Reads `path`; a missing file is an empty one.
    pub fn load(path: &Path) -> io::Result<KnownHosts> {
        let records = Mutex::new(record::parse(&read(path)?));
        Ok(KnownHosts { path: Some(path.to_owned()), records })
    }

    /// Knows no host and keeps nothing on disk.
    pub fn empty() -> KnownHosts {
        KnownHosts::default()
    }

    /// The file it was read from.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What is known of `key` at the host of `endpoint`, which has the address `ip`. Only the name
    /// as it was typed counts; the address (hosts share and change them) matters for revoked keys
    /// alone.
    pub fn check(&self, endpoint: &Endpoint, ip: IpAddr, key: &PublicKey) -> HostTrust {
        check(&self.records(), endpoint, ip, key)
    }

    /// Adds records and writes the file anew (mode 0600, by rename); what others wrote meanwhile
    /// stays. From now on the hosts are known here, also if the file cannot be written.
    pub fn remember(&self, hosts: &[(Endpoint, IpAddr, PublicKey)]) -> io::Result<()> {
        // Held while writing: two writers would lose each other's lines.
        let mut records = self.records();
        let Some(path) = &self.path else {
            let added = new_lines(hosts, &records);
            records.extend(record::parse(added.as_bytes()));
            return Ok(());
        };
        // A link stays a link.
        let path = path.canonicalize().unwrap_or_else(|_| path.clone());
        let read = read(&path);
        let mut content = read.as_deref().unwrap_or_default().to_vec();
        if content.last().is_some_and(|&byte| byte != b'\n') {
            content.push(b'\n');
        }
        let added = new_lines(hosts, &record::parse(&content));
        content.extend_from_slice(added.as_bytes());
        match read {
            Ok(_) => *records = record::parse(&content),
            Err(error) => {
                // What cannot be read is not overwritten.
                records.extend(record::parse(added.as_bytes()));
                return Err(error);
            }
        }
        if added.is_empty() {
            return Ok(());
        }
        files::make_parent(&path)?;
        files::replace(&path, &content, 0o600)
    }

    /// Names of the algorithms of the keys that are on record for the host.
    pub(crate) fn key_types(&self, endpoint: &Endpoint) -> Vec<String> {
        let name = host_pattern(&endpoint.host, endpoint.port);
        let records = self.records();
        let records = records.iter().filter(|record| record.is_host(&name));
        records.map(|record| record.key.algorithm()).collect()
    }

    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        // A list of values, never left half changed.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    match files::read(path, FILE_LIMIT) {
        Ok((bytes, _)) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn check(records: &[Record], endpoint: &Endpoint, ip: IpAddr, key: &PublicKey) -> HostTrust {
    let name = host_pattern(&endpoint.host, endpoint.port);
    let address = host_pattern(&ip.to_string(), endpoint.port);
    let is_revoked = |record: &Record| {
        record.marker == Marker::Revoked
            && record.key == *key
            && (record.names(&name) || record.names(&address))
    };
    if records.iter().any(is_revoked) {
        return HostTrust::Revoked;
    }
    let mut changed = None;
    for record in records.iter().filter(|record| record.is_host(&name)) {
        if record.key == *key {
            return HostTrust::Known;
        }
        changed.get_or_insert(record.line);
    }
    changed.map_or(HostTrust::Unknown, |line| HostTrust::Changed { line })
}

/// One line for each host that is not on record: `name,address type key`.
fn new_lines(hosts: &[(Endpoint, IpAddr, PublicKey)], records: &[Record]) -> String {
    let mut lines = Vec::new();
    for (endpoint, ip, key) in hosts {
        if check(records, endpoint, *ip, key) == HostTrust::Known {
            continue;
        }
        let mut names = host_pattern(&endpoint.host, endpoint.port);
        let address = host_pattern(&ip.to_string(), endpoint.port);
        // An address may have belonged to another host; what is on record of it is not ours to
        // change.
        if address != names && !records.iter().any(|record| record.is_host(&address)) {
            names = format!("{names},{address}");
        }
        let line = format!("{names} {}\n", key.to_openssh());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.concat()
}

/// How the file names a host: `host`, or `[host]:port` if the port is not 22; in lower case.
pub(crate) fn host_pattern(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

#[cfg(test)]
mod tests;
