//! What all parts of one server share. Never does anything itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use dtail_process::host::HostName;
use tokio::sync::watch;

use crate::auth_keys::AuthKeys;
use crate::failures::{Failures, network};
use crate::gate::Pass;
use crate::log::Log;
use crate::rules::Rules;
use crate::stats::Stats;
use crate::user_log::{Quotas, UserLog};
use crate::users::User;

/// The state of a server.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) log: Log,
    pub(crate) stats: Stats,
    pub(crate) host: HostName,
    pub(crate) auth_keys: AuthKeys,
    pub(crate) failures: Failures,
    quotas: Quotas,
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
            quotas: Quotas::default(),
            stop: watch::Sender::new(false),
            rules: RwLock::new(Arc::new(rules)),
        }
    }

    /// Where records about a user's doings go.
    pub(crate) fn log_of(&self, user: &User, shown: String) -> UserLog {
        UserLog::new(&self.log, &self.quotas, user.name(), shown)
    }

    /// Where records about somebody go who has not logged in.
    pub(crate) fn log_of_stranger(&self, peer: SocketAddr) -> UserLog {
        // No user has a name like this.
        let name = format!("[{}]", network(peer.ip()));
        UserLog::new(&self.log, &self.quotas, &name, peer.to_string())
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
    /// Shows them as `ann@10.0.0.1:4711`.
    pub(crate) log: UserLog,
    /// Where the client is; `None`: known to somebody else, who has let it in.
    pub(crate) address: Option<IpAddr>,
    pub(crate) pass: Pass,
}
