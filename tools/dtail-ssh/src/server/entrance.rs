//! The door of one connection: attempts to log in, put before the judge. Never decides by itself,
//! but for SHA-1.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::{Algorithm, ssh_key};
use russh::server::{Auth, PublicKeyOffer};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::{Attempt, Credential, Judge};
use crate::{Certificate, PublicKey};

/// Refusals that are told in the log; a client may make more.
const TOLD_REFUSALS: usize = 8;

/// Who came in, and by what.
#[derive(Debug)]
pub(super) struct LoggedIn {
    pub(super) user: String,
    pub(super) credential: String,
}

/// What was refused so far: `alice: ED25519 SHA256:…`.
#[derive(Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<Vec<String>>>);

impl Refusals {
    fn add(&self, user: &str, credential: &str) {
        let text = format!("{:?} with {credential}", user.chars().take(64).collect::<String>());
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() < TOLD_REFUSALS && !refusals.contains(&text) {
            refusals.push(text);
        }
    }

    /// One line about all refusals; `None` if nothing was refused.
    pub(super) fn summary(&self) -> Option<String> {
        let refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!refusals.is_empty()).then(|| format!("refused: {}", refusals.join(", ")))
    }
}

/// A credential that can wait for the judge on another thread.
#[derive(Clone)]
pub(super) enum Shown {
    None,
    Password(String),
    Key(PublicKey),
    Certified(PublicKey),
    Certificate(Certificate),
}

impl Shown {
    fn credential(&self) -> Credential<'_> {
        match self {
            Shown::None => Credential::None,
            Shown::Password(password) => Credential::Password(password),
            Shown::Key(key) => Credential::Key(key),
            Shown::Certified(key) => Credential::Certified(key),
            Shown::Certificate(certificate) => Credential::Certificate(certificate),
        }
    }

    /// For the log: never the password.
    fn describe(&self) -> String {
        match self {
            Shown::None => "none".to_owned(),
            Shown::Password(_) => "password".to_owned(),
            Shown::Key(key) | Shown::Certified(key) => key.describe(),
            Shown::Certificate(certificate) => certificate.describe(),
        }
    }
}

pub(super) struct Entrance {
    pub(super) peer: SocketAddr,
    pub(super) judge: Judge,
    pub(super) refusals: Refusals,
    pub(super) accepted: Option<LoggedIn>,
    pub(super) login: Option<oneshot::Sender<LoggedIn>>,
}

impl Entrance {
    /// An attempt that lets in when the judge says so.
    pub(super) async fn attempt(&mut self, user: &str, shown: Shown) -> Auth {
        let credential = shown.describe();
        let is_none = matches!(shown, Shown::None);
        if self.ask(user, shown).await {
            self.accepted = Some(LoggedIn { user: user.to_owned(), credential });
            return Auth::Accept;
        }
        // Most clients begin with `none` to learn the methods: that is no failure.
        if !is_none {
            self.refusals.add(user, &credential);
        }
        Auth::reject()
    }

    /// A key without its signature: whether it is worth signing.
    pub(super) async fn probe(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Auth {
        let Some(key) = usable(offer.public_key, offer.algorithm) else {
            self.refusals.add(user, &format!("{} (not supported)", offer.algorithm));
            return Auth::reject();
        };
        // Without the signature russh does not tell a certificate from its key.
        if self.ask(user, Shown::Key(key.clone())).await
            || self.ask(user, Shown::Certified(key.clone())).await
        {
            return Auth::Accept;
        }
        self.refusals.add(user, &key.describe());
        Auth::reject()
    }

    /// The login is complete: tells who waits for it.
    pub(super) fn complete(&mut self) -> Result<(), russh::Error> {
        match (self.login.take(), self.accepted.take()) {
            (Some(login), Some(accepted)) => {
                login.send(accepted).map_err(|_| russh::Error::Disconnect)
            }
            _ => Err(russh::Error::Inconsistent),
        }
    }

    async fn ask(&self, user: &str, shown: Shown) -> bool {
        let (judge, peer, user) = (Arc::clone(&self.judge), self.peer, user.to_owned());
        // The judge reads files. A judge that panics has not said yes.
        spawn_blocking(move || {
            judge(&Attempt { user: &user, peer, credential: shown.credential() })
        })
        .await
        .unwrap_or(false)
    }
}

/// The key, unless its signatures prove nothing: RSA with SHA-1, or a type that we cannot verify.
pub(super) fn usable(key: &ssh_key::PublicKey, algorithm: &Algorithm) -> Option<PublicKey> {
    match algorithm {
        Algorithm::Rsa { hash: None } => None,
        _ => PublicKey::from_data(key.key_data().clone()).ok(),
    }
}
