//! A request on many hosts: who they are, how they are reached, and the thread that merges what they
//! answer. Never prints and never asks a terminal itself.

mod counts;
mod credit;
#[cfg(test)]
mod fixture;
mod gathering;
mod host;
mod joining;
mod legacy;
mod link;
mod merge;
mod reload;
mod shared;
mod talk;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use dtail_protocol::Request;
use dtail_ssh::{ClientOptions, UnknownHost};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

pub(crate) use counts::Counts;
use merge::Merge;
use shared::Active;
pub use shared::SOFTWARE;

use crate::run::{StartError, queue};
use crate::{Controls, ReportPolicy, Run, ServerName};

/// More threads than this gain nothing: they only decrypt and cut frames.
const MOST_THREADS: usize = 4;

/// What [`ClientOptions::keepalive`] should be: a server of protocol 4.1 that has vanished, which says
/// nothing by itself, is then found out within a minute.
pub const KEEPALIVE: Duration = Duration::from_secs(15);

/// Which hosts, and how to reach them.
pub struct Remote {
    /// The hosts, each once. What is `None` in a name is filled in by the transport.
    pub servers: Vec<ServerName>,
    /// The way to them.
    pub transport: Transport,
    /// Connections being made at once, at least 1.
    pub connecting: usize,
    /// DTail's results byte for byte, where ours differ.
    pub strict: bool,
    /// A host that is lost is connected to again, as long as the run lasts.
    pub reconnect: bool,
    /// Hosts stay connected when they have finished, until [`Controls::quit`].
    pub interactive: bool,
    /// Public key in SSH wire format, which every server that it has let us in to is to remember
    /// for this user.
    pub register_key: Option<Vec<u8>>,
    /// Bytes that merged groups may take; 0: any.
    pub max_query_memory: usize,
}

/// How hosts are reached.
pub enum Transport {
    /// By our own SSH.
    Native(Box<Native>),
    /// By the user's ssh program, as `COMMAND… [-p PORT] [-l USER] -s HOST dtail`.
    Ssh {
        /// The program and its first arguments.
        command: Vec<String>,
    },
}

/// What our own SSH needs to know.
pub struct Native {
    /// User of servers that are named without one.
    pub user: String,
    /// Port of servers that are named without one.
    pub port: u16,
    /// How to connect and to log in.
    pub options: ClientOptions,
    /// What becomes of hosts whose key is not on record.
    pub unknown_hosts: UnknownHosts,
}

/// What becomes of hosts whose key is not on record. A changed key is an error in any case.
pub enum UnknownHosts {
    /// They are trusted and, if there is a file of known hosts, remembered.
    Accept,
    /// They fail; the text says what the user can do about it.
    Refuse(String),
    /// Somebody is asked, with many hosts at a time.
    Ask(Box<Question>),
}

/// Asks about hosts; may take as long as it takes.
pub type Question = dyn FnMut(&[UnknownHost]) -> Answer + Send;

/// What somebody says to a question about unknown hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// These are trusted.
    Yes,
    /// These and all that follow are trusted.
    All,
    /// These are not.
    No,
}

/// Starts a request on every host. It ends early when `cancel` is set or when the receiver of its
/// events is dropped. A host that fails does not keep the others from going on.
pub fn start_remote(
    request: Request,
    remote: Remote,
    policy: ReportPolicy,
    cancel: Arc<AtomicBool>,
) -> Result<Run, StartError> {
    let active = Active::new(request).map_err(StartError::Request)?;
    let runtime = runtime().map_err(StartError::Thread)?;
    let (sender, events) = queue();
    let (reloads, received) = mpsc::channel(1);
    let merge = Merge::new(active, remote, policy, Arc::clone(&cancel), sender);
    let controls = Controls::remote(reloads, merge.counts(), cancel);
    let session = thread::Builder::new()
        .name("session".to_owned())
        .spawn(move || {
            let outcome = runtime.block_on(merge.run(received));
            // A question that nobody answers must not keep us.
            runtime.shutdown_background();
            outcome
        })
        .map_err(StartError::Thread)?;
    Ok(Run::new(events, session, Some(controls)))
}

fn runtime() -> io::Result<Runtime> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(threads.min(MOST_THREADS))
        .thread_name("network")
        .enable_all()
        .build()
}

#[cfg(test)]
mod tests;
