//! Who may log in: DTail's built-in users, registered keys, `authorized_keys` files. Never speaks
//! SSH itself.

use std::fs;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use dtail_process::accounts::{self, Account};
use dtail_process::environment;
use dtail_ssh::authorized_keys::{self, AuthorizedKeys, AuthorizedKeysError, Judgement, Offered};
use dtail_ssh::{Attempt, Credential, Judge};

use crate::auth_keys::Moment;
use crate::jobs::Job;
use crate::rules::Rules;
use crate::shared::Shared;
use crate::users::{User, UserKind};

/// DTail's password for health checks is no secret.
const HEALTH_PASSWORD: &str = "DTAIL-HEALTH";
/// The one authorized key in DTail's test mode.
const TEST_MODE_KEY: &str = "id_rsa.pub";

/// What has been found out about the log-in of one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings(Arc<Mutex<Found>>);

/// What has let somebody in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pass {
    /// A key that an operator has allowed, until then if not for ever. Who has it may register a
    /// key, which is good for no longer.
    Authorized {
        /// When it is good for nothing any more.
        expires: Option<SystemTime>,
    },
    /// Anything else: a key that its owner has registered, a certificate, a password, sshd.
    #[default]
    Other,
}

#[derive(Debug, Default)]
struct Found {
    pass: Pass,
    /// Why the most telling attempt was refused, and how telling it was.
    refusal: Option<(u8, String)>,
}

impl Findings {
    pub(crate) fn pass(&self) -> Pass {
        self.lock().pass
    }

    pub(crate) fn refusal(&self) -> Option<String> {
        self.lock().refusal.as_ref().map(|(_, reason)| reason.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What decides on the attempts of one connection.
pub(crate) fn judge(shared: &Arc<Shared>, findings: &Findings) -> Judge {
    let (shared, findings) = (Arc::clone(shared), findings.clone());
    Arc::new(move |attempt| {
        let judged = decide(&shared, attempt);
        let mut found = findings.lock();
        match judged {
            Ok(pass) => {
                found.pass = pass;
                true
            }
            Err(refusal) => {
                let telling = telling(attempt);
                if found.refusal.as_ref().is_none_or(|(before, _)| *before <= telling) {
                    found.refusal = Some((telling, refusal));
                }
                false
            }
        }
    })
}

/// How much the refusal of an attempt says. Every client begins with the method `none`, many go on
/// to what the user cannot log in with.
fn telling(attempt: &Attempt<'_>) -> u8 {
    let is_person = User::named(attempt.user).is_none_or(|it| it.kind() == UserKind::Person);
    match attempt.credential {
        Credential::None => 0,
        Credential::Password(_) if !is_person => 2,
        Credential::Key(_) | Credential::Certificate(_) if is_person => 2,
        _ => 1,
    }
}

/// What lets the client in, or why it may not come in.
fn decide(shared: &Shared, attempt: &Attempt<'_>) -> Result<Pass, String> {
    let user = User::named(attempt.user).ok_or("the user name is not allowed")?;
    let rules = shared.rules();
    let address = attempt.peer.ip().to_canonical();
    if user.kind() != UserKind::Health && rules.access(&user).is_none() {
        return Err(format!("no permission rules for {user}, see Server.Permissions"));
    }
    match (user.kind(), attempt.credential) {
        (UserKind::Health, Credential::None | Credential::Password(HEALTH_PASSWORD)) => {
            Ok(Pass::Other)
        }
        (UserKind::Schedule, Credential::Password(job)) => {
            is_job(&rules.schedule, job, address).map(|()| Pass::Other)
        }
        (UserKind::Continuous, Credential::Password(job)) => {
            is_job(&rules.continuous, job, address).map(|()| Pass::Other)
        }
        (UserKind::Person, Credential::Key(key)) => {
            let blob = key.blob();
            let registered = rules.auth_keys.is_some()
                && shared.auth_keys.contains(user.name(), &blob, address, Moment::now());
            // The file goes first, so that a key in both may be registered again.
            match by_file(&rules, &user, Offered::Key(key), address) {
                Ok(expires) => Ok(Pass::Authorized { expires }),
                Err(_) if registered => Ok(Pass::Other),
                Err(refusal) => Err(refusal),
            }
        }
        (UserKind::Person, Credential::Certificate(certificate)) => {
            // What it registered would be good for longer than the certificate is.
            by_file(&rules, &user, Offered::Certificate(certificate), address).map(|_| Pass::Other)
        }
        // The certificate itself is judged when the client shows it.
        (UserKind::Person, Credential::Certified(_)) => {
            match keys_of(&rules, &user)?.has_authority() {
                true => Ok(Pass::Other),
                false => Err(format!("no cert-authority for {user}")),
            }
        }
        (UserKind::Person, Credential::None | Credential::Password(_)) => {
            Err("a key is needed".to_owned())
        }
        (_, _) => Err("not the way this user logs in".to_owned()),
    }
}

/// DTail's servers log in with the name of a job as password, from where it is allowed.
fn is_job(jobs: &[Job], password: &str, address: IpAddr) -> Result<(), String> {
    let job =
        jobs.iter().find(|job| job.name() == password).ok_or("no enabled job of this name")?;
    let is_here = |host: &String| {
        let found = (host.as_str(), 0).to_socket_addrs();
        found.is_ok_and(|mut found| found.any(|found| found.ip().to_canonical() == address))
    };
    match job.allow_from().iter().any(is_here) {
        true => Ok(()),
        false => Err(format!("{address} is not in AllowFrom of job {}", job.name())),
    }
}

/// Until when the user's file lets the client in.
fn by_file(
    rules: &Rules,
    user: &User,
    offered: Offered<'_>,
    address: IpAddr,
) -> Result<Option<SystemTime>, String> {
    match keys_of(rules, user)?.judge(user.name(), offered, address, SystemTime::now()) {
        Judgement::Accepted { expires, .. } => Ok(expires),
        Judgement::Refused(reason) => Err(reason),
    }
}

/// The operator's file for the user if there is one, else the user's own.
fn keys_of(rules: &Rules, user: &User) -> Result<AuthorizedKeys, String> {
    if environment::is_test_mode()
        && let Ok(key) = fs::read(TEST_MODE_KEY)
    {
        return Ok(authorized_keys::parse(&key));
    }
    let cached = rules.cached_keys_of(user);
    if let Some(keys) = load(&cached, &[0, accounts::user_id()])? {
        return Ok(keys);
    }
    let account = Account::named(user.name()).map_err(|err| format!("account {user}: {err}"))?;
    let missing = || format!("no authorized_keys file, neither {} nor", cached.display());
    let Some(account) = account else {
        return Err(format!("{} in a home directory, as there is no account {user}", missing()));
    };
    let own = account.home.join(".ssh/authorized_keys");
    load(&own, &[0, account.uid])?.ok_or_else(|| format!("{} {}", missing(), own.display()))
}

fn load(path: &Path, owners: &[u32]) -> Result<Option<AuthorizedKeys>, String> {
    match authorized_keys::load(path, owners) {
        Ok(keys) => Ok(Some(keys)),
        Err(AuthorizedKeysError::Missing) => Ok(None),
        Err(refusal @ AuthorizedKeysError::Refused(_)) => Err(refusal.to_string()),
    }
}
