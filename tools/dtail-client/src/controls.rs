//! Changing a run while it lasts: another request on every host, or on none; the end. Never decides
//! what is asked.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dtail_protocol::Request;
use tokio::sync::{mpsc, oneshot};

use crate::HostCounts;
use crate::local::Desk;
use crate::remote::Counts;

/// Why everything stays as it was. One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadError(pub(crate) String);

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReloadError {}

/// A new request, and where the answer goes.
pub(crate) struct Reload {
    pub(crate) request: Request,
    pub(crate) answer: oneshot::Sender<Result<(), ReloadError>>,
}

/// Handle to a run.
#[derive(Clone)]
pub struct Controls {
    cancel: Arc<AtomicBool>,
    place: Place,
}

/// Where the run goes on.
#[derive(Clone)]
enum Place {
    Here(Arc<Desk>),
    Hosts(mpsc::Sender<Reload>, Arc<Counts>),
}

impl fmt::Debug for Controls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controls").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl Controls {
    pub(crate) fn remote(
        reloads: mpsc::Sender<Reload>,
        counts: Arc<Counts>,
        cancel: Arc<AtomicBool>,
    ) -> Controls {
        Controls { cancel, place: Place::Hosts(reloads, counts) }
    }

    pub(crate) fn local(desk: Arc<Desk>, cancel: Arc<AtomicBool>) -> Controls {
        Controls { cancel, place: Place::Here(desk) }
    }

    /// Replaces the request on all connected hosts. If one of them refuses, all go on with the old
    /// one, which begins anew. Waits for the answers of the hosts.
    pub fn reload(&self, request: Request) -> Result<(), ReloadError> {
        let reloads = match &self.place {
            Place::Here(desk) => return desk.reload(request, &self.cancel),
            Place::Hosts(reloads, _) => reloads,
        };
        let over = || ReloadError("the session is over".to_owned());
        let (answer, answered) = oneshot::channel();
        reloads.blocking_send(Reload { request, answer }).map_err(|_| over())?;
        answered.blocking_recv().map_err(|_| over())?
    }

    /// What the hosts do now; a local run counts as one.
    pub fn counts(&self) -> HostCounts {
        match &self.place {
            Place::Here(_) => {
                HostCounts { total: 1, connected: 1, interactive: 1, ..HostCounts::default() }
            }
            Place::Hosts(_, counts) => counts.now(),
        }
    }

    /// Ends the run.
    pub fn quit(&self) {
        if let Place::Here(desk) = &self.place {
            desk.quit();
        }
        self.cancel.store(true, Ordering::SeqCst);
    }
}
