//! The login: every identity in order, then the password. Never explains failures, only collects
//! them.

use std::io;
use std::time::Duration;

use russh::client::{AuthResult, Handle};
use russh::keys::HashAlg;
use russh::keys::agent::AgentIdentity;
use russh::{MethodKind, MethodSet, SendError, Signer};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::ClientOptions;
use super::handler::Receiver;
use crate::agent::put_string;
use crate::identities::Identity;
use crate::{Endpoint, PublicKey};

/// How long the server's list of signature algorithms is waited for. Servers that send it at all
/// send it with the end of the key exchange.
const EXTENSION_TIME: Duration = Duration::from_millis(200);

/// Why an attempt did not become a login.
pub(super) enum Refused {
    /// The connection failed.
    Ssh(russh::Error),
    /// It took longer than this.
    Slow(Duration),
    /// All of these were refused, or the server had enough of them.
    Login { tried: Vec<String> },
}

impl From<russh::Error> for Refused {
    fn from(error: russh::Error) -> Refused {
        Refused::Ssh(error)
    }
}

/// What a login was made with.
pub(super) struct LoggedIn {
    /// For people.
    pub(super) shown: String,
    /// The bare key, if it was one.
    pub(super) key: Option<PublicKey>,
}

impl LoggedIn {
    fn with(shown: &str) -> LoggedIn {
        LoggedIn { shown: shown.to_owned(), key: None }
    }
}

/// Logs in; says with what.
pub(super) async fn login(
    handle: &mut Handle<Receiver>,
    endpoint: &Endpoint,
    options: &ClientOptions,
) -> Result<LoggedIn, Refused> {
    let user = endpoint.user.as_str();
    let mut methods = None;
    let mut tried = Vec::new();
    if options.identities.is_empty() {
        match handle.authenticate_none(user).await? {
            AuthResult::Success => return Ok(LoggedIn::with("none")),
            AuthResult::Failure { remaining_methods, .. } => methods = Some(remaining_methods),
        }
    }
    for identity in options.identities.iter() {
        if handle.is_closed() || !allows(methods.as_ref(), MethodKind::PublicKey) {
            break;
        }
        match offer(handle, user, identity).await {
            Ok(AuthResult::Success) => {
                let is_bare = identity.certificate.is_none();
                let key = is_bare.then(|| identity.key.clone());
                return Ok(LoggedIn { shown: identity.describe(), key });
            }
            // This is also how russh tells that the connection has ended.
            Ok(AuthResult::Failure { .. }) | Err(Unsigned::Gone) if handle.is_closed() => break,
            Ok(AuthResult::Failure { remaining_methods, .. }) => {
                methods = Some(remaining_methods);
                tried.push(identity.describe());
            }
            Err(Unsigned::Failed(error)) => {
                tried.push(format!("{} ({error})", identity.describe()));
            }
            Err(Unsigned::Gone) => break,
        }
    }
    if let Some(password) = &options.password
        && !handle.is_closed()
        && allows(methods.as_ref(), MethodKind::Password)
    {
        if handle.authenticate_password(user, password).await?.success() {
            return Ok(LoggedIn::with("password"));
        }
        if !handle.is_closed() {
            tried.push("password".to_owned());
        }
    }
    if tried.is_empty() && handle.is_closed() {
        return Err(Refused::Ssh(russh::Error::Disconnect));
    }
    Err(Refused::Login { tried })
}

fn allows(methods: Option<&MethodSet>, method: MethodKind) -> bool {
    methods.is_none_or(|methods| methods.contains(&method))
}

async fn offer(
    handle: &mut Handle<Receiver>,
    user: &str,
    identity: &Identity,
) -> Result<AuthResult, Unsigned> {
    let key = identity.key.inner().clone();
    let hash = if key.algorithm().is_rsa() { Some(rsa_hash(handle).await) } else { None };
    let mut signer = IdentitySigner(identity.clone());
    match &identity.certificate {
        Some(certificate) => {
            let certificate = certificate.inner().clone();
            handle.authenticate_certificate_with(user, certificate, hash, &mut signer).await
        }
        None => handle.authenticate_publickey_with(user, key, hash, &mut signer).await,
    }
}

/// The better hash that the server takes. Never SHA-1: a server that knows nothing else is refused.
async fn rsa_hash(handle: &Handle<Receiver>) -> HashAlg {
    match timeout(EXTENSION_TIME, handle.best_supported_rsa_hash()).await {
        Ok(Ok(Some(Some(hash)))) => hash,
        _ => HashAlg::Sha512,
    }
}

/// Signs on a thread that may block.
struct IdentitySigner(Identity);

enum Unsigned {
    /// The connection has ended.
    Gone,
    /// The agent did not sign.
    Failed(io::Error),
}

impl From<SendError> for Unsigned {
    fn from(_: SendError) -> Unsigned {
        Unsigned::Gone
    }
}

impl Signer for IdentitySigner {
    type Error = Unsigned;

    async fn auth_sign(
        &mut self,
        _key: &AgentIdentity,
        hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        let identity = self.0.clone();
        let signed = spawn_blocking(move || {
            let signature = identity.sign(&to_sign, hash)?;
            // What was to be signed is also the message that is sent, with the signature behind it.
            let mut message = to_sign;
            put_string(&mut message, &signature);
            Ok(message)
        });
        signed.await.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(Unsigned::Failed)
    }
}
