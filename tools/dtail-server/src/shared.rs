//! What all parts of one server share. Never does anything itself.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use dtail_process::host::HostName;
use tokio::sync::watch;

use crate::auth_keys::AuthKeys;
use crate::failures::Failures;
use crate::log::Log;
use crate::rules::Rules;
use crate::stats::Stats;
use crate::users::User;

/// The state of a server.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) log: Log,
    pub(crate) stats: Stats,
    pub(crate) host: HostName,
    pub(crate) auth_keys: AuthKeys,
    pub(crate) failures: Failures,
    /// True once the server has been told to stop.
    pub(crate) stop: watch::Sender<bool>,
    rules: RwLock<Arc<Rules>>,
}

impl Shared {
    pub(crate) fn new(log: Log, rules: Rules) -> Shared {
        Shared {
            log,
            stats: Stats::new(),
            host: HostName::current(),
            auth_keys: AuthKeys::default(),
            failures: Failures::default(),
            stop: watch::Sender::new(false),
            rules: RwLock::new(Arc::new(rules)),
        }
    }

    /// From now on the server stops.
    pub(crate) fn stop_all(&self) {
        self.stop.send_replace(true);
    }

    /// The rules in force.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace_rules(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }
}

/// Returns once the server has been told to stop.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The sender lives as long as the server; without one there is nothing to go on for.
    let _told = stop.wait_for(|stop| *stop).await.is_ok();
}

/// Whose session it is.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) user: User,
    /// For the log: `ann@10.0.0.1:4711`.
    pub(crate) shown: String,
    /// Where the client is; `None`: known to somebody else, who has let it in.
    pub(crate) address: Option<IpAddr>,
    /// The client may register a key: it has logged in with one that an operator has allowed.
    pub(crate) may_register: bool,
}
