//! Another request on all connected hosts, or on none. Never prints.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::shared::{Active, Item, Order, Shared};
use super::talk;
use crate::controls::ReloadError;

/// Time for the answers of all hosts.
const LIMIT: Duration = Duration::from_secs(10);

/// The way to one host's task.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) name: String,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) is_connected: watch::Receiver<bool>,
}

/// Carries one reload out: every connected host takes the new request, or all go back to the old
/// one, which thereby begins anew.
pub(crate) async fn carry_out(
    active: Arc<Active>,
    shared: &Shared,
    desks: &[Desk],
    items: &mpsc::Sender<Item>,
) -> Result<(), ReloadError> {
    let connected: Vec<&Desk> = desks.iter().filter(|desk| *desk.is_connected.borrow()).collect();
    let counts = shared.counts.now();
    if connected.is_empty() {
        return Err(ReloadError("no host is connected".to_owned()));
    }
    if counts.interactive < counts.connected {
        let missing = counts.connected - counts.interactive;
        let capability = talk::INTERACTIVE;
        return Err(ReloadError(format!(
            "{missing} of {} connected hosts cannot ({capability} is not among their capabilities)",
            counts.connected
        )));
    }
    let old = shared.active();
    shared.activate(Arc::clone(&active));
    let refusals = replace(&connected, &active).await;
    let result = match refusals.first() {
        None => {
            // What hosts send from now on comes after this.
            let told = items.send(Item::Replaced(active)).await;
            told.map_err(|_| ReloadError("the session is over".to_owned()))
        }
        Some(first) => {
            shared.activate(Arc::clone(&old));
            // A host that does not go back fails by itself.
            let _stuck = replace(&connected, &old).await;
            let others = refusals.len() - 1;
            let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
            Err(ReloadError(format!("{first}{more}")))
        }
    };
    for desk in connected {
        // A host that is gone need not go on.
        let _is_there = desk.orders.send(Order::Resume).await.is_ok();
    }
    result
}

/// Orders the request everywhere; the refusals. A host that leaves meanwhile refuses nothing.
async fn replace(desks: &[&Desk], active: &Arc<Active>) -> Vec<String> {
    let mut waiting = Vec::with_capacity(desks.len());
    for desk in desks {
        let (answer, answered) = oneshot::channel();
        let order = Order::Replace { active: Arc::clone(active), answer };
        if let Ok(Ok(())) = timeout(LIMIT, desk.orders.send(order)).await {
            waiting.push((desk, answered));
        }
    }
    let end = tokio::time::Instant::now() + LIMIT;
    let mut refusals = Vec::new();
    for (desk, answered) in waiting {
        match tokio::time::timeout_at(end, answered).await {
            Ok(Ok(Ok(())) | Err(_)) => {}
            Ok(Ok(Err(text))) => refusals.push(format!("{}: {text}", desk.name)),
            Err(_) => {
                let seconds = LIMIT.as_secs();
                refusals.push(format!("{}: no answer within {seconds} s", desk.name));
            }
        }
    }
    refusals
}
