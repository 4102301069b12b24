//! The life of one host during a run: connected to, lost, connected to again. Never knows how a
//! connection is made.

use std::time::Duration;

use dtail_protocol::{Diagnostic, Severity, Summary};
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::link;
use super::shared::{Failure, Item, Order, Site, Way};
use crate::HostDiagnostic;

/// The first wait before a lost host is connected to again; each further is twice as long.
const SHORTEST: Duration = Duration::from_secs(2);
/// The longest.
const LONGEST: Duration = Duration::from_secs(60);

/// A terminal's Ctrl-C reaches an ssh program as well as us, and it may be the first to go: time for
/// us to notice, too.
const SHARED_SIGNAL: Duration = Duration::from_millis(200);

/// What came of a host.
pub(crate) type Ended = Result<Summary, Failure>;

/// Runs until the host has answered, has failed for good, or all is over.
pub(crate) async fn serve(mut site: Site) -> Ended {
    let mut wait = SHORTEST;
    loop {
        let mut stop = site.stop.clone();
        let connected = site.is_connected.subscribe();
        let ended = select! {
            biased;
            ended = link::attempt(&mut site) => ended,
            () = stopped_before(&mut stop, &connected) => return Ok(Summary::default()),
        };
        let was_connected = connected.has_changed().unwrap_or(false);
        site.is_connected.send_replace(false);
        let may_share_signal = ended.is_err() && matches!(site.shared.way, Way::Ssh(_));
        if may_share_signal && is_told_to_stop_soon(&mut stop).await {
            return Ok(Summary::default());
        }
        let failure = match ended {
            Err(failure) if failure.is_passing && site.shared.reconnect => failure,
            ended => return ended,
        };
        if was_connected {
            wait = SHORTEST;
        }
        let pause = jittered(wait);
        tell(&site, &failure, pause).await;
        if !pause_for(&mut site, pause).await {
            return Err(failure);
        }
        wait = (wait * 2).min(LONGEST);
    }
}

/// Waits for the order to stop, and for ever if a session has begun by then: it ends by itself.
async fn stopped_before(stop: &mut watch::Receiver<bool>, connected: &watch::Receiver<bool>) {
    let _said = stop.wait_for(|stop| *stop).await.is_ok();
    if *connected.borrow() {
        std::future::pending::<()>().await;
    }
}

async fn is_told_to_stop_soon(stop: &mut watch::Receiver<bool>) -> bool {
    timeout(SHARED_SIGNAL, stop.wait_for(|stop| *stop)).await.is_ok_and(|said| said.is_ok())
}

/// 20 % shorter or longer, so that a thousand hosts do not come back in one moment.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.8 + 0.4 * fastrand::f64())
}

async fn tell(site: &Site, failure: &Failure, pause: Duration) {
    let text = format!("{}: {}, trying again in {} s", site.name, failure.text, pause.as_secs());
    let diagnostic = Diagnostic { severity: Severity::Warn, text };
    let item = Item::Diagnostic(HostDiagnostic { host: None, diagnostic });
    // If nobody takes it the run is over anyway.
    let _is_told = site.items.send(item).await.is_ok();
}

/// Waits; `false` if the run is over before that.
async fn pause_for(site: &mut Site, pause: Duration) -> bool {
    let end = Instant::now() + pause;
    let deadline = site.shared.deadline.unwrap_or(end + pause);
    loop {
        let Site { orders, stop, .. } = &mut *site;
        select! {
            _ = stop.wait_for(|stop| *stop) => return false,
            () = sleep_until(deadline) => return false,
            () = sleep_until(end) => return true,
            // Nothing to do: what is asked now is asked when the host is back.
            order = orders.recv() => drop::<Option<Order>>(order),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, jittered};

    #[test]
    fn waits_differ_by_a_fifth() {
        let waits: Vec<Duration> = (0..100).map(|_| jittered(Duration::from_secs(10))).collect();
        let is_near = |wait: &Duration| (8..=12).contains(&wait.as_secs());
        assert!(waits.iter().all(is_near) && waits.iter().any(|wait| *wait != waits[0]));
    }
}
