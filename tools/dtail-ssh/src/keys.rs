//! Public keys and OpenSSH certificates as values. Never touches a private key or a file.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::key::parse_public_key;
use russh::keys::ssh_key::{self, Algorithm, HashAlg, public::KeyData};

/// The longest key or certificate that is looked at. OpenSSH's largest real ones have a few
/// kilobytes.
pub(crate) const BLOB_LIMIT: usize = 16 << 10;

/// A public key of an algorithm that this build can verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(ssh_key::PublicKey);

/// An OpenSSH certificate: a public key that an authority has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(Box<ssh_key::Certificate>);

/// Why bytes or text are no usable public key or certificate. One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadKey(String);

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadKey {}

impl PublicKey {
    /// From the SSH wire format (RFC 4253 section 6.6).
    pub fn from_blob(blob: &[u8]) -> Result<PublicKey, BadKey> {
        match decode(blob)? {
            KeyData::Certificate(_) => {
                Err(BadKey("this is a certificate where a plain public key is needed".to_owned()))
            }
            data => PublicKey::from_data(data),
        }
    }

    /// The SSH wire format.
    pub fn blob(&self) -> Vec<u8> {
        self.0.to_bytes().expect("a key that was decoded can be encoded")
    }

    /// From a line `ssh-ed25519 AAAA… [comment]`, as in a `.pub` file.
    pub fn from_openssh(text: &str) -> Result<PublicKey, BadKey> {
        let key = PublicKey::from_blob(&blob_of_text(text)?)?;
        let name = text.split_ascii_whitespace().next().unwrap_or_default();
        if name == key.algorithm() {
            Ok(key)
        } else {
            Err(BadKey(format!("the key says {name} but is {}", key.algorithm())))
        }
    }

    /// `ssh-ed25519 AAAA…`, without comment and newline.
    pub fn to_openssh(&self) -> String {
        format!("{} {}", self.algorithm(), STANDARD.encode(self.blob()))
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Name of the algorithm, such as `ssh-ed25519`.
    pub fn algorithm(&self) -> String {
        self.0.algorithm().to_string()
    }

    /// `ED25519 SHA256:…`, for people.
    pub fn describe(&self) -> String {
        format!("{} {}", family(&self.0.algorithm()), self.fingerprint())
    }

    /// Whether the key lives in a security token (FIDO), whose signatures may have been made
    /// without a touch.
    pub(crate) fn is_security_key(&self) -> bool {
        matches!(self.0.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256)
    }

    pub(crate) fn from_data(data: KeyData) -> Result<PublicKey, BadKey> {
        match data.algorithm() {
            Algorithm::Dsa | Algorithm::Other(_) => {
                Err(BadKey(format!("keys of type {} are not supported", data.algorithm())))
            }
            _ => Ok(PublicKey(ssh_key::PublicKey::new(data, ""))),
        }
    }

    pub(crate) fn data(&self) -> &KeyData {
        self.0.key_data()
    }

    pub(crate) fn inner(&self) -> &ssh_key::PublicKey {
        &self.0
    }
}

impl Certificate {
    /// From the SSH wire format (PROTOCOL.certkeys).
    pub fn from_blob(blob: &[u8]) -> Result<Certificate, BadKey> {
        match decode(blob)?.into_certificate() {
            Some(certificate) => Ok(Certificate(Box::new(certificate))),
            None => Err(BadKey("this is a plain public key where a certificate is needed".into())),
        }
    }

    /// From a line `ssh-ed25519-cert-v01@openssh.com AAAA… [comment]`.
    pub fn from_openssh(text: &str) -> Result<Certificate, BadKey> {
        Certificate::from_blob(&blob_of_text(text)?)
    }

    /// What the authority called it: for logs.
    pub fn key_id(&self) -> &str {
        self.0.key_id()
    }

    /// The key that the certificate is for.
    pub fn public_key(&self) -> Result<PublicKey, BadKey> {
        PublicKey::from_data(self.0.public_key().clone())
    }

    /// `ED25519-CERT SHA256:… ID "name" CA SHA256:…`, for people.
    pub fn describe(&self) -> String {
        format!(
            "{}-CERT {} ID {:?} CA {}",
            family(&self.0.algorithm()),
            self.0.public_key().fingerprint(HashAlg::Sha256),
            self.0.key_id(),
            self.0.signature_key().fingerprint(HashAlg::Sha256),
        )
    }

    /// The SSH wire format.
    pub fn blob(&self) -> Vec<u8> {
        self.0.to_bytes().expect("a certificate that was decoded can be encoded")
    }

    pub(crate) fn from_inner(certificate: ssh_key::Certificate) -> Certificate {
        Certificate(Box::new(certificate))
    }

    pub(crate) fn inner(&self) -> &ssh_key::Certificate {
        &self.0
    }
}

fn decode(blob: &[u8]) -> Result<KeyData, BadKey> {
    if blob.len() > BLOB_LIMIT {
        return Err(BadKey(format!("the key is longer than {BLOB_LIMIT} bytes")));
    }
    // russh's own decoder, because it refuses certificates nested in certificates, which would
    // overflow the stack.
    let key = parse_public_key(blob).map_err(|_| BadKey("this is not a public key".to_owned()))?;
    Ok(key.key_data().clone())
}

/// The bytes of the second word of `algorithm BASE64 [comment]`.
fn blob_of_text(text: &str) -> Result<Vec<u8>, BadKey> {
    let mut words = text.split_ascii_whitespace();
    let encoded = words.nth(1).ok_or_else(|| {
        BadKey(
            "a public key looks like `ssh-ed25519 AAAA…`: here the second word is missing".into(),
        )
    })?;
    decode_base64(encoded)
}

pub(crate) fn decode_base64(encoded: &str) -> Result<Vec<u8>, BadKey> {
    if encoded.len() > BLOB_LIMIT * 4 / 3 + 4 {
        return Err(BadKey(format!("the key is longer than {BLOB_LIMIT} bytes")));
    }
    STANDARD.decode(encoded).map_err(|_| BadKey("the key is not valid base64".to_owned()))
}

fn family(algorithm: &Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Dsa => "DSA",
        Algorithm::Ecdsa { .. } => "ECDSA",
        Algorithm::Ed25519 => "ED25519",
        Algorithm::Rsa { .. } => "RSA",
        Algorithm::SkEcdsaSha2NistP256 => "ECDSA-SK",
        Algorithm::SkEd25519 => "ED25519-SK",
        _ => "UNKNOWN",
    }
}
