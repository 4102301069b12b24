//! Gathers unknown hosts, so that somebody is asked once about many and the file of known hosts is
//! written once for many. Never connects.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dtail_protocol::{Diagnostic, Severity};
use dtail_ssh::{KnownHosts, UnknownHost};
use tokio::sync::mpsc::WeakSender;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::shared::Item;
use super::{Answer, Question};
use crate::HostDiagnostic;

/// A question is asked when no further unknown host came for this long.
const QUIET: Duration = Duration::from_millis(200);
/// The most hosts of one question; DTail's number.
const MOST: usize = 50;

/// An unknown host, and where the decision goes.
pub(crate) type Asked = (UnknownHost, oneshot::Sender<bool>);
/// What makes a host the same one again.
type Identity = (String, u16, IpAddr, Vec<u8>);

/// The way to whoever decides about unknown hosts.
#[derive(Debug, Clone)]
pub(crate) enum Gathering {
    /// None is trusted; the text says what mends it.
    Refusing(String),
    /// [`decide`] decides.
    Asking(mpsc::Sender<Asked>),
}

impl Gathering {
    /// Whether the host is trusted.
    pub(crate) async fn trusts(&self, host: UnknownHost) -> bool {
        let Gathering::Asking(gatherer) = self else { return false };
        let (answer, answered) = oneshot::channel();
        gatherer.send((host, answer)).await.is_ok() && answered.await.unwrap_or(false)
    }
}

/// Decides about hosts until nobody needs a decision any more. Without a question all are trusted.
pub(crate) async fn decide(
    mut hosts: mpsc::Receiver<Asked>,
    mut question: Option<Box<Question>>,
    known: Arc<KnownHosts>,
    items: WeakSender<Item>,
) {
    let mut trusted: HashSet<Identity> = HashSet::new();
    while let Some(first) = hosts.recv().await {
        let quiet = if question.is_some() { QUIET } else { Duration::ZERO };
        let mut batch = vec![first];
        while batch.len() < MOST {
            let Ok(Some(next)) = timeout(quiet, hosts.recv()).await else { break };
            batch.push(next);
        }
        let (old, new): (Vec<Asked>, Vec<Asked>) =
            batch.into_iter().partition(|(host, _)| trusted.contains(&identity(host)));
        answer_all(old, true);
        if new.is_empty() {
            continue;
        }
        let unknown: Vec<UnknownHost> = new.iter().map(|(host, _)| host.clone()).collect();
        if let Some(mut asker) = question.take() {
            let to_ask = unknown.clone();
            // The answer comes from a person, so it must not hold up a thread of the runtime.
            let asked = spawn_blocking(move || (asker(&to_ask), asker));
            let Ok((answer, asker)) = asked.await else { return };
            question = (answer != Answer::All).then_some(asker);
            if answer == Answer::No {
                answer_all(new, false);
                continue;
            }
        }
        trusted.extend(unknown.iter().map(identity));
        answer_all(new, true);
        if let Err(text) = remember(unknown, Arc::clone(&known)).await
            && let Some(items) = items.upgrade()
        {
            let diagnostic = Diagnostic { severity: Severity::Warn, text };
            let item = Item::Diagnostic(HostDiagnostic { host: None, diagnostic });
            // If nobody takes it the run is over.
            let _is_told = items.send(item).await.is_ok();
        }
    }
}

fn answer_all(asked: Vec<Asked>, is_trusted: bool) {
    for (_, answer) in asked {
        // Its connection may have ended in the meantime.
        let _is_heard = answer.send(is_trusted).is_ok();
    }
}

fn identity(host: &UnknownHost) -> Identity {
    (host.endpoint.host.clone(), host.endpoint.port, host.ip, host.key.blob())
}

/// Writes to the file of known hosts, if there is one. When that fails the hosts are unknown again
/// the next time, which is no reason to fail now. The error is one line.
async fn remember(hosts: Vec<UnknownHost>, known: Arc<KnownHosts>) -> Result<(), String> {
    let records: Vec<_> =
        hosts.into_iter().map(|host| (host.endpoint, host.ip, host.key)).collect();
    let written = spawn_blocking(move || {
        let Some(path) = known.path() else { return Ok(()) };
        let fail = |err| format!("cannot write known hosts to {}: {err}", path.display());
        known.remember(&records).map_err(fail)
    });
    written.await.unwrap_or(Ok(()))
}
