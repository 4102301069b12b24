//! What a client can log in with: key files and the keys of an agent, in the order they are tried.
//! Never speaks to a server.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::ssh_encoding::Encode as _;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::ssh_key::{self, PrivateKey};
use russh::keys::{HashAlg, decode_secret_key, signature::Signer as _};

use crate::agent::AgentSocket;
use crate::host_key::KEY_FILE_LIMIT;
use crate::{Certificate, PublicKey, files};

/// How often the passphrase of one file is asked for.
const PASSPHRASE_ATTEMPTS: usize = 3;

/// Names in `~/.ssh` that are tried, in this order.
const DEFAULT_FILES: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// Which keys of the agent at `SSH_AUTH_SOCK` are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// All of them; none if there is no agent.
    All,
    /// Only the one with this number, from 0; an error if it is not there.
    Index(usize),
    /// None: the agent is not asked.
    None,
}

/// Where to look for identities.
pub struct IdentityOptions<'a> {
    /// Private key file that is tried first; it must be usable.
    pub key_file: Option<PathBuf>,
    /// Also `id_ed25519`, `id_ecdsa` and `id_rsa` in `home`/.ssh, where they exist. One that cannot
    /// be used is left out.
    pub default_files: bool,
    /// Home directory of the user.
    pub home: Option<PathBuf>,
    /// Keys of the agent.
    pub agent: Agent,
    /// Asked for the passphrase of an encrypted file, at most three times per file; `None` gives
    /// up. Asked for `key_file` unless the agent holds that key, and for a default file only if
    /// nothing else was found.
    pub passphrase: &'a mut dyn FnMut(&Path) -> Option<String>,
}

/// Keys in the order in which they are tried, each once: the key file, the agent's, the default
/// files.
#[derive(Debug, Default)]
pub struct Identities(Vec<Identity>);

/// One key, or a certificate for it.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) key: PublicKey,
    pub(crate) certificate: Option<Certificate>,
    holder: Holder,
}

#[derive(Clone, Debug)]
enum Holder {
    File(Arc<PrivateKey>),
    Agent(AgentSocket),
}

impl Identity {
    /// For people: `ED25519 SHA256:…`.
    pub(crate) fn describe(&self) -> String {
        match &self.certificate {
            Some(certificate) => certificate.describe(),
            None => self.key.describe(),
        }
    }

    /// A signature in SSH's encoding. Blocks: an agent may ask its user.
    pub(crate) fn sign(&self, data: &[u8], hash: Option<HashAlg>) -> io::Result<Vec<u8>> {
        match &self.holder {
            Holder::File(key) => sign(key, data, hash),
            Holder::Agent(socket) => {
                let blob = match &self.certificate {
                    Some(certificate) => certificate.blob(),
                    None => self.key.blob(),
                };
                socket.sign(&blob, data, hash)
            }
        }
    }
}

fn sign(key: &PrivateKey, data: &[u8], hash: Option<HashAlg>) -> io::Result<Vec<u8>> {
    let signature = match key.key_data() {
        KeypairData::Rsa(pair) => (pair, hash).try_sign(data),
        other => other.try_sign(data),
    };
    let mut encoded = Vec::new();
    let signature: ssh_key::Signature = signature.map_err(io::Error::other)?;
    signature.encode(&mut encoded).map_err(io::Error::other)?;
    Ok(encoded)
}

impl Identities {
    /// Looks for identities. Having found none is no error: [`Identities::is_empty`].
    pub fn collect(options: IdentityOptions<'_>) -> Result<Identities, String> {
        let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty());
        Identities::collect_from(options, socket.as_ref().map(Path::new))
    }

    /// The same with the agent that listens at `socket`.
    pub fn collect_from(
        options: IdentityOptions<'_>,
        socket: Option<&Path>,
    ) -> Result<Identities, String> {
        collect(options, socket.map(AgentSocket::new))
    }

    /// No key at all, for logins without one.
    pub fn none() -> Identities {
        Identities::default()
    }

    /// Whether there is no key to try.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys in the order in which they are tried, for people: `ED25519 SHA256:…`.
    pub fn describe(&self) -> Vec<String> {
        self.0.iter().map(Identity::describe).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Identity> {
        self.0.iter()
    }

    /// With a certificate a key is an identity of its own, and tried before the bare key.
    fn add(&mut self, identity: Identity) {
        let is_known = |known: &Identity| {
            known.key == identity.key && known.certificate == identity.certificate
        };
        if !self.0.iter().any(is_known) {
            self.0.push(identity);
        }
    }

    fn add_file(&mut self, file: &Path, key: PrivateKey) -> Result<(), String> {
        let public = public_half(&key).map_err(|text| format!("{}: {text}", file.display()))?;
        let holder = Holder::File(Arc::new(key));
        if let Some(certificate) = certificate_beside(file, &public) {
            self.add(Identity {
                key: public.clone(),
                certificate: Some(certificate),
                holder: holder.clone(),
            });
        }
        self.add(Identity { key: public, certificate: None, holder });
        Ok(())
    }
}

fn collect(
    options: IdentityOptions<'_>,
    socket: Option<AgentSocket>,
) -> Result<Identities, String> {
    let IdentityOptions { key_file, default_files, home, agent, passphrase } = options;
    let held = agent_identities(agent, socket)?;
    let is_held = |key: &PublicKey| held.iter().any(|identity| identity.key == *key);
    let mut identities = Identities::default();
    if let Some(file) = &key_file {
        match KeyFile::read(file).map_err(|text| format!("{}: {text}", file.display()))? {
            KeyFile::Plain(key) => identities.add_file(file, *key)?,
            KeyFile::Encrypted { public: Some(public), .. } if is_held(&public) => {
                let held = held.iter().filter(|identity| identity.key == public);
                held.for_each(|identity| identities.add(identity.clone()));
            }
            KeyFile::Encrypted { text, .. } => {
                let key = decrypt(file, &text, passphrase)?;
                identities.add_file(file, key)?;
            }
        }
    }
    held.into_iter().for_each(|identity| identities.add(identity));
    if default_files && let Some(home) = home {
        add_default_files(&mut identities, &home, passphrase);
    }
    Ok(identities)
}

fn add_default_files(
    identities: &mut Identities,
    home: &Path,
    passphrase: &mut dyn FnMut(&Path) -> Option<String>,
) {
    let mut encrypted = Vec::new();
    for name in DEFAULT_FILES {
        let file = home.join(".ssh").join(name);
        match KeyFile::read(&file) {
            Ok(KeyFile::Plain(key)) => identities.add_file(&file, *key).unwrap_or_default(),
            Ok(KeyFile::Encrypted { text, .. }) => encrypted.push((file, text)),
            // Missing, of an unsupported type, or readable by others: the user did not ask for it.
            Err(_) => {}
        }
    }
    for (file, text) in encrypted {
        if identities.is_empty()
            && let Ok(key) = decrypt(&file, &text, passphrase)
        {
            identities.add_file(&file, key).unwrap_or_default();
        }
    }
}

fn agent_identities(agent: Agent, socket: Option<AgentSocket>) -> Result<Vec<Identity>, String> {
    let listed = match (agent, &socket) {
        (Agent::None, _) | (Agent::All, None) => return Ok(Vec::new()),
        (Agent::Index(_), None) => {
            return Err(
                "there is no SSH agent: start one and add a key, or leave the index out".into()
            );
        }
        // A socket that is left from an agent that has ended is as good as no agent.
        (Agent::All, Some(socket)) => socket.list().unwrap_or_default(),
        (Agent::Index(_), Some(socket)) => {
            socket.list().map_err(|error| format!("the SSH agent does not answer: {error}"))?
        }
    };
    let Some(socket) = socket else { return Ok(Vec::new()) };
    let identity = |blob: &Vec<u8>| held_identity(blob, &socket);
    match agent {
        Agent::Index(index) => match listed.get(index).map(identity) {
            Some(Some(identity)) => Ok(vec![identity]),
            Some(None) => Err(format!("key {index} of the SSH agent is of an unsupported type")),
            None => Err(format!(
                "the SSH agent has no key {index}: it holds {} (see ssh-add -l)",
                listed.len()
            )),
        },
        _ => Ok(listed.iter().filter_map(identity).collect()),
    }
}

fn held_identity(blob: &[u8], socket: &AgentSocket) -> Option<Identity> {
    let holder = Holder::Agent(socket.clone());
    if let Ok(certificate) = Certificate::from_blob(blob) {
        let key = certificate.public_key().ok()?;
        return Some(Identity { key, certificate: Some(certificate), holder });
    }
    let key = PublicKey::from_blob(blob).ok()?;
    Some(Identity { key, certificate: None, holder })
}

enum KeyFile {
    Plain(Box<PrivateKey>),
    Encrypted { text: String, public: Option<PublicKey> },
}

impl KeyFile {
    fn read(file: &Path) -> Result<KeyFile, String> {
        let (bytes, metadata) =
            files::read(file, KEY_FILE_LIMIT).map_err(|error| error.to_string())?;
        if !files::is_private(&metadata) {
            return Err(format!("others may read this private key: chmod 600 {}", file.display()));
        }
        let text = String::from_utf8(bytes).map_err(|_| NOT_A_KEY.to_owned())?;
        match decode_secret_key(&text, None) {
            Ok(key) => Ok(KeyFile::Plain(Box::new(key))),
            Err(russh::keys::Error::KeyIsEncrypted) => {
                // OpenSSH's format leaves the public half in the clear.
                let public = PrivateKey::from_openssh(&text).ok();
                let public = public.and_then(|key| public_half(&key).ok());
                Ok(KeyFile::Encrypted { text, public })
            }
            Err(_) if text.contains("ENCRYPTED") => Ok(KeyFile::Encrypted { text, public: None }),
            Err(_) => Err(NOT_A_KEY.to_owned()),
        }
    }
}

const NOT_A_KEY: &str =
    "this is not a private key that can be used: ssh-keygen -t ed25519 makes one";

fn decrypt(
    file: &Path,
    text: &str,
    passphrase: &mut dyn FnMut(&Path) -> Option<String>,
) -> Result<PrivateKey, String> {
    let mut problem = "the key is encrypted and no passphrase was given: set \
                       DTAIL_KEY_PASSPHRASE or add it to an agent";
    for _ in 0..PASSPHRASE_ATTEMPTS {
        let Some(passphrase) = passphrase(file) else { break };
        match decode_secret_key(text, Some(&passphrase)) {
            Ok(key) => return Ok(key),
            Err(_) => problem = "the passphrase is wrong",
        }
    }
    Err(format!("{}: {problem}", file.display()))
}

fn public_half(key: &PrivateKey) -> Result<PublicKey, String> {
    let public = PublicKey::from_data(key.public_key().key_data().clone());
    let public = public.map_err(|error| error.to_string())?;
    if public.is_security_key() {
        return Err("a key in a security token works only through an agent: ssh-add it".to_owned());
    }
    Ok(public)
}

/// `FILE-cert.pub`, if it is for this key.
fn certificate_beside(file: &Path, key: &PublicKey) -> Option<Certificate> {
    let mut name = file.file_name()?.to_owned();
    name.push("-cert.pub");
    let path = file.with_file_name(name);
    // Most keys have none: no need to open what is not there.
    fs::metadata(&path).ok()?;
    let (bytes, _) = files::read(&path, KEY_FILE_LIMIT).ok()?;
    let certificate = Certificate::from_openssh(std::str::from_utf8(&bytes).ok()?).ok()?;
    (certificate.public_key().ok()? == *key).then_some(certificate)
}

#[cfg(test)]
mod tests;
