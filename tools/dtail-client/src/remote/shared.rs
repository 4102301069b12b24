//! What the tasks of all hosts share, and what they hand to the merging thread. Never talks to a
//! host.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dtail_protocol::{LineBlock, Request, SourceSummary};
use dtail_query::{Groups, Query};
use dtail_session::{RequestError, Session, Settings};
use dtail_ssh::ClientOptions;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::Counts;
use super::credit::Charge;
use super::gathering::Gathering;
use crate::{HostDiagnostic, ServerName};

/// The program and version that peers see.
pub const SOFTWARE: &str = concat!("DTail_", env!("CARGO_PKG_VERSION"));

/// A request that is carried out.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) request: Request,
    pub(crate) query: Option<Query>,
}

impl Active {
    /// Finds out whether pattern and query can be understood, before any host is bothered. Log
    /// formats are the hosts' own affair: they may know more of them.
    pub(crate) fn new(request: Request) -> Result<Active, RequestError> {
        drop(Session::new(request.clone(), Settings { strict: true, ..Settings::default() })?);
        let query = request.query.as_deref().map(Query::parse).transpose();
        Ok(Active { query: query.map_err(RequestError::Query)?, request })
    }
}

/// The way to hosts.
pub(crate) enum Way {
    Native(Box<Native>),
    Ssh(Vec<String>),
}

/// Our own SSH; as [`crate::Native`], but unknown hosts are asked about elsewhere.
pub(crate) struct Native {
    pub(crate) user: String,
    pub(crate) port: u16,
    pub(crate) options: ClientOptions,
    pub(crate) gathering: Gathering,
}

/// What the tasks of all hosts share.
pub(crate) struct Shared {
    pub(crate) way: Way,
    pub(crate) counts: Arc<Counts>,
    /// Connections being made at once.
    pub(crate) connecting: Arc<Semaphore>,
    /// Bytes a host may send ahead.
    pub(crate) credit: u64,
    pub(crate) strict: bool,
    pub(crate) reconnect: bool,
    pub(crate) interactive: bool,
    /// Several hosts answer, so that blocks must end with a line.
    pub(crate) several: bool,
    pub(crate) register_key: Option<Vec<u8>>,
    /// When the request's own time is over.
    pub(crate) deadline: Option<Instant>,
    active: Mutex<Arc<Active>>,
}

/// What [`Shared`] is made of, besides the request.
pub(crate) struct SharedParts {
    pub(crate) way: Way,
    pub(crate) counts: Arc<Counts>,
    pub(crate) connecting: usize,
    pub(crate) credit: u64,
    pub(crate) strict: bool,
    pub(crate) reconnect: bool,
    pub(crate) interactive: bool,
    pub(crate) register_key: Option<Vec<u8>>,
}

impl Shared {
    pub(crate) fn new(parts: SharedParts, active: Arc<Active>) -> Shared {
        let timeout = active.request.timeout;
        Shared {
            connecting: Arc::new(Semaphore::new(parts.connecting.clamp(1, Semaphore::MAX_PERMITS))),
            credit: parts.credit,
            strict: parts.strict,
            reconnect: parts.reconnect,
            interactive: parts.interactive,
            several: parts.counts.total > 1,
            register_key: parts.register_key,
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            way: parts.way,
            counts: parts.counts,
            active: Mutex::new(active),
        }
    }

    /// The request in force.
    pub(crate) fn active(&self) -> Arc<Active> {
        Arc::clone(&self.active.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hosts that connect from now on get this one.
    pub(crate) fn activate(&self, active: Arc<Active>) {
        *self.active.lock().unwrap_or_else(PoisonError::into_inner) = active;
    }

    /// The time that is left for the request; `None`: any.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}

/// What the task of one host works with.
pub(crate) struct Site {
    pub(crate) name: ServerName,
    pub(crate) shared: Arc<Shared>,
    pub(crate) items: mpsc::Sender<Item>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) is_connected: watch::Sender<bool>,
    pub(crate) stop: watch::Receiver<bool>,
    /// The key that has let us in, in SSH wire format, if it was a bare one of our own.
    pub(crate) logged_in_with: Option<Vec<u8>>,
}

impl Site {
    /// What to register: the key that was named, if it is good for anything here. Another that has
    /// let us in must not vouch for it.
    pub(crate) fn key_to_register(&self) -> Option<Vec<u8>> {
        let named = self.shared.register_key.as_ref();
        named.filter(|named| self.logged_in_with.as_ref() == Some(named)).cloned()
    }
}

/// From a host's task to the merging thread.
#[derive(Debug)]
pub(crate) enum Item {
    Lines { host: Arc<str>, block: LineBlock, charge: Option<Charge> },
    Source { host: Arc<str>, summary: SourceSummary, charge: Charge },
    Groups { groups: Groups, charge: Option<Charge> },
    Diagnostic(HostDiagnostic),
    Replaced(Arc<Active>),
}

/// To the task of a connected host.
#[derive(Debug)]
pub(crate) enum Order {
    /// Ask this instead, say how it went, and then wait for [`Order::Resume`].
    Replace { active: Arc<Active>, answer: oneshot::Sender<Result<(), String>> },
    /// Go on.
    Resume,
}

/// Why a host gave no complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One line.
    pub(crate) text: String,
    /// It may go away by itself.
    pub(crate) is_passing: bool,
    /// The peer left before it introduced itself: it may speak an older protocol.
    pub(crate) is_before_greeting: bool,
}

impl Failure {
    /// One that stays.
    pub(crate) fn lasting(text: impl Into<String>) -> Failure {
        Failure { text: text.into(), is_passing: false, is_before_greeting: false }
    }

    /// One that may go away by itself.
    pub(crate) fn passing(text: impl Into<String>) -> Failure {
        Failure { is_passing: true, ..Failure::lasting(text) }
    }
}
