//! Private keys as files: the host key of a server and new key pairs for users. Never uses a key.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, decode_secret_key};

use crate::{PublicKey, files};

/// The largest private key file that is read. RSA with 16384 bits takes 13 kB.
pub(crate) const KEY_FILE_LIMIT: u64 = 64 << 10;

/// Why a key file cannot be used or written. One line with the path and what mends it.
#[derive(Debug)]
pub struct KeyFileError {
    path: PathBuf,
    text: String,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.text)
    }
}

impl std::error::Error for KeyFileError {}

/// The private key by which a server proves who it is.
#[derive(Clone)]
pub struct HostKey(PrivateKey);

/// Shows the public half only.
impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostKey").field(&self.public_key().describe()).finish()
    }
}

impl HostKey {
    /// Reads the key at `path`; makes a new ed25519 key there (mode 0600, its directory 0700) if
    /// the file is missing. The flag says whether it was made.
    pub fn load_or_generate(path: &Path) -> Result<(HostKey, bool), KeyFileError> {
        let failed = |text: String| KeyFileError { path: path.to_owned(), text };
        match files::read(path, KEY_FILE_LIMIT) {
            Ok((bytes, metadata)) => {
                if !files::is_private(&metadata) {
                    return Err(failed(format!(
                        "others may read this private key: chmod 600 {}",
                        path.display()
                    )));
                }
                let key = parse(&bytes).map_err(failed)?;
                Ok((HostKey(key), false))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = generate("dserver").map_err(failed)?;
                files::make_parent(path).map_err(|error| failed(not_written(&error)))?;
                write_private(path, &key)?;
                Ok((HostKey(key), true))
            }
            Err(error) => Err(failed(not_read(&error))),
        }
    }

    /// The public half, as clients see it.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_data(self.0.public_key().key_data().clone())
            .expect("only keys of supported types are loaded")
    }

    pub(crate) fn into_inner(self) -> PrivateKey {
        self.0
    }
}

/// Writes a new ed25519 key pair: `path` (mode 0600) and `path.pub`. Never overwrites either.
pub fn generate_key_pair(path: &Path, comment: &str) -> Result<(), KeyFileError> {
    let key = generate(comment).map_err(|text| KeyFileError { path: path.to_owned(), text })?;
    let mut public = path.as_os_str().to_owned();
    public.push(".pub");
    let public = PathBuf::from(public);
    if public.exists() {
        return Err(KeyFileError { path: public, text: TAKEN.to_owned() });
    }
    write_private(path, &key)?;
    let line = key.public_key().to_openssh().map_err(|error| error.to_string());
    line.and_then(|line| {
        files::create(&public, format!("{line}\n").as_bytes(), 0o644)
            .map_err(|error| not_written(&error))
    })
    .map_err(|text| KeyFileError { path: public, text })
}

const TAKEN: &str = "there is a file already: choose another name or remove it";

fn generate(comment: &str) -> Result<PrivateKey, String> {
    let mut key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)
        .map_err(|error| error.to_string())?;
    key.set_comment(comment);
    Ok(key)
}

fn write_private(path: &Path, key: &PrivateKey) -> Result<(), KeyFileError> {
    let failed = |text: String| KeyFileError { path: path.to_owned(), text };
    let text = key.to_openssh(LineEnding::LF).map_err(|error| failed(error.to_string()))?;
    files::create(path, text.as_bytes(), 0o600).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => failed(TAKEN.to_owned()),
        _ => failed(not_written(&error)),
    })
}

fn not_read(error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "make the file, and the way to it, belong to the user who runs this (chown)"
        }
        _ => "remove it to have a new key made, or name another file",
    };
    format!("cannot be read: {error}: {remedy}")
}

fn not_written(error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "let the user who runs this write to its directory, or name another file"
        }
        io::ErrorKind::NotFound => "make its directory first",
        _ => "see to that, or name another file",
    };
    format!("cannot be written: {error}: {remedy}")
}

fn parse(bytes: &[u8]) -> Result<PrivateKey, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| NOT_A_KEY.to_owned())?;
    let key = match decode_secret_key(text, None) {
        Ok(key) if key.is_encrypted() => return Err(ENCRYPTED.to_owned()),
        Ok(key) => key,
        Err(russh::keys::Error::KeyIsEncrypted) => return Err(ENCRYPTED.to_owned()),
        Err(_) => return Err(NOT_A_KEY.to_owned()),
    };
    let public = PublicKey::from_data(key.public_key().key_data().clone());
    if public.map_err(|error| error.to_string())?.is_security_key() {
        return Err("a key in a security token cannot be a host key".to_owned());
    }
    Ok(key)
}

const NOT_A_KEY: &str = "this is not a private key: remove the file to have a new key made";
const ENCRYPTED: &str =
    "the host key is encrypted: remove its passphrase (ssh-keygen -p) or the file";

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use expect_test::expect;

    use super::*;

    /// Made with `ssh-keygen -m PEM`; used nowhere else.
    const RSA_PEM: &str = include_str!("host_key/rsa.pem");

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_missing_host_key_is_made_once_and_for_its_owner_only() {
        let house = tempfile::tempdir().unwrap();
        let path = house.path().join("etc").join("host_key");
        let (made, is_new) = HostKey::load_or_generate(&path).unwrap();
        assert!(is_new);
        assert_eq!(made.public_key().algorithm(), "ssh-ed25519");
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let (loaded, is_new) = HostKey::load_or_generate(&path).unwrap();
        assert!(!is_new);
        assert_eq!(loaded.public_key(), made.public_key());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "a file is left");
    }

    #[test]
    fn files_that_are_no_private_host_key_are_refused() {
        let house = tempfile::tempdir().unwrap();
        let path = house.path().join("host_key");
        let mut told = String::new();
        let mut look = |what: &str, content: &str, mode: u32| {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let verdict = match HostKey::load_or_generate(&path) {
                Ok((key, _)) => key.public_key().algorithm(),
                Err(error) => error.to_string(),
            };
            let verdict = verdict.replace(&house.path().display().to_string(), "HOUSE");
            told.push_str(&format!("{what}: {verdict}\n"));
        };
        look("old RSA", RSA_PEM, 0o600);
        look("read by the group", RSA_PEM, 0o640);
        look("empty", "", 0o600);
        look("cut", &RSA_PEM[..RSA_PEM.len() / 2], 0o600);
        look("large", &"x".repeat(100_000), 0o600);
        expect![[r#"
            old RSA: ssh-rsa
            read by the group: HOUSE/host_key: others may read this private key: chmod 600 HOUSE/host_key
            empty: HOUSE/host_key: this is not a private key: remove the file to have a new key made
            cut: HOUSE/host_key: this is not a private key: remove the file to have a new key made
            large: HOUSE/host_key: cannot be read: longer than 65536 bytes: remove it to have a new key made, or name another file
        "#]].assert_eq(&told);
    }

    #[test]
    fn a_key_pair_is_written_and_never_overwritten() {
        let house = tempfile::tempdir().unwrap();
        let path = house.path().join("id");
        generate_key_pair(&path, "me here").unwrap();
        assert_eq!(mode(&path), 0o600);
        let public = fs::read_to_string(house.path().join("id.pub")).unwrap();
        assert!(public.starts_with("ssh-ed25519 ") && public.ends_with(" me here\n"), "{public}");
        let private = fs::read(&path).unwrap();
        let error = generate_key_pair(&path, "").unwrap_err().to_string();
        assert!(error.ends_with("there is a file already: choose another name or remove it"));
        fs::remove_file(house.path().join("id.pub")).unwrap();
        generate_key_pair(&path, "").unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), private);
        assert_eq!(fs::read_dir(house.path()).unwrap().count(), 1, "a file is left");
    }
}
