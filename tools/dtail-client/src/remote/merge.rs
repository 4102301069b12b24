//! The thread that merges what all hosts answer and feeds the printer's queue. Never talks to a host
//! itself.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;
use dtail_protocol::{Diagnostic, Mode, Severity, Summary};
use dtail_query::{Groups, Query};
use dtail_ssh::KnownHosts;
use tokio::select;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};

use super::gathering::{self, Asked, Gathering};
use super::host::{self, Ended};
use super::reload::{self, Desk};
use super::shared::{Active, Failure, Item, Native, Order, Shared, SharedParts, Site, Way};
use super::{Counts, Question, Remote, Transport, UnknownHosts, credit};
use crate::controls::{Reload, ReloadError};
use crate::reports::{ReportPolicy, Reports};
use crate::run::send;
use crate::{
    Event, FailedHost, HostCounts, HostDiagnostic, HostLines, HostSource, Outcome, ServerName,
};

/// Items under way from the hosts' tasks. What lies behind them is bounded by credit.
const QUEUE_LENGTH: usize = 32;
/// How often the flag that ends a run is looked at.
const CANCEL_INTERVAL: Duration = Duration::from_millis(50);
/// How often the number of connected hosts is told, if it has changed; as in DTail.
const COUNTS_INTERVAL: Duration = Duration::from_secs(3);
/// How long after its interval a report waits for the hosts' increments, at most.
const LATENESS: Duration = Duration::from_secs(1);
/// Time to write down known hosts at the end.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// Everything the merging thread works with.
pub(crate) struct Merge {
    shared: Arc<Shared>,
    servers: Vec<ServerName>,
    gathering: Option<Gatherer>,
    reports: Option<Reports>,
    policy: ReportPolicy,
    max_query_memory: usize,
    cancel: Arc<AtomicBool>,
    sender: Sender<Event>,
    stop: watch::Sender<bool>,
    outcome: Outcome,
    told: HostCounts,
    /// Nobody takes events any more.
    is_closed: bool,
}

/// What decides about unknown hosts, before it runs.
type Gatherer = (mpsc::Receiver<Asked>, Option<Box<Question>>, Arc<KnownHosts>);

impl Merge {
    pub(crate) fn new(
        active: Active,
        remote: Remote,
        policy: ReportPolicy,
        cancel: Arc<AtomicBool>,
        sender: Sender<Event>,
    ) -> Merge {
        let total = remote.servers.len();
        let (way, gathering) = way(remote.transport);
        let parts = SharedParts {
            way,
            counts: Counts::new(total),
            connecting: remote.connecting,
            credit: credit::share(total),
            strict: remote.strict,
            reconnect: remote.reconnect,
            interactive: remote.interactive,
            register_key: remote.register_key,
        };
        let reports = reports(&active, policy, remote.strict);
        Merge {
            shared: Arc::new(Shared::new(parts, Arc::new(active))),
            servers: remote.servers,
            gathering,
            reports,
            policy,
            max_query_memory: remote.max_query_memory,
            cancel,
            sender,
            stop: watch::Sender::new(false),
            outcome: Outcome { hosts: total, ..Outcome::default() },
            told: HostCounts { total, ..HostCounts::default() },
            is_closed: false,
        }
    }

    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.shared.counts)
    }

    /// Runs until all hosts have ended.
    pub(crate) async fn run(mut self, mut reloads: mpsc::Receiver<Reload>) -> Outcome {
        let (items, mut received) = mpsc::channel(QUEUE_LENGTH);
        let mut hosts = JoinSet::new();
        let desks: Arc<[Desk]> = self.start_hosts(&items, &mut hosts).into();
        tokio::spawn(watch_cancel(Arc::clone(&self.cancel), self.stop.clone()));
        // From now on only hosts hold on to the queue, so that it closes behind the last of them.
        let weak = items.downgrade();
        drop(items);
        let deciding = self.gathering.take().map(|(asked, question, known)| {
            tokio::spawn(gathering::decide(asked, question, known, weak.clone()))
        });
        let mut counts = interval(COUNTS_INTERVAL);
        loop {
            let due = self.reports.as_ref().map_or_else(far_away, |reports| reports.due().into());
            select! {
                item = received.recv() => match item {
                    Some(item) => self.take(item),
                    None => break,
                },
                Some(ended) = hosts.join_next() => self.end(ended),
                Some(reload) = reloads.recv() => self.reload(reload, &weak, &desks),
                () = sleep_until(due) => self.report(),
                _ = counts.tick() => self.tell_counts(),
            }
        }
        while let Some(ended) = hosts.join_next().await {
            self.end(ended);
        }
        if let Some(report) = self.reports.take().and_then(Reports::finish) {
            self.hand_over(Event::Report(report));
        }
        let Merge { outcome, shared, .. } = self;
        drop(shared);
        if let Some(deciding) = deciding {
            let _in_time = tokio::time::timeout(LAST_WRITES, deciding).await.is_ok();
        }
        outcome
    }

    fn start_hosts(
        &mut self,
        items: &mpsc::Sender<Item>,
        hosts: &mut JoinSet<(String, Ended)>,
    ) -> Vec<Desk> {
        let mut desks = Vec::with_capacity(self.servers.len());
        for name in std::mem::take(&mut self.servers) {
            let (orders, received) = mpsc::channel::<Order>(2);
            let is_connected = watch::Sender::new(false);
            let shown = name.to_string();
            desks.push(Desk {
                name: shown.clone(),
                orders,
                is_connected: is_connected.subscribe(),
            });
            let site = Site {
                name,
                shared: Arc::clone(&self.shared),
                items: items.clone(),
                orders: received,
                is_connected,
                stop: self.stop.subscribe(),
                logged_in_with: None,
            };
            hosts.spawn(async move { (shown, host::serve(site).await) });
        }
        desks
    }

    /// Passes an item on. Its charge is given back when the printer's queue has taken it.
    fn take(&mut self, item: Item) {
        match item {
            Item::Lines { host, block, charge } => {
                self.hand_over(Event::Lines(HostLines { host: Some(host), block }));
                drop(charge);
            }
            Item::Source { host, summary, charge } => {
                self.hand_over(Event::Source(HostSource { host: Some(host), summary }));
                drop(charge);
            }
            Item::Groups { groups, charge } => {
                self.merge(groups);
                drop(charge);
            }
            Item::Diagnostic(diagnostic) => self.hand_over(Event::Diagnostic(diagnostic)),
            Item::Replaced(active) => {
                self.reports = reports(&active, self.policy, self.shared.strict);
                self.hand_over(Event::Replaced(Box::new(active.request.clone())));
            }
        }
    }

    fn merge(&mut self, groups: Groups) {
        let Some(reports) = &mut self.reports else { return };
        reports.merge(groups);
        let limit = self.max_query_memory;
        if limit > 0 && reports.memory() > limit && !self.outcome.summary.aborted {
            self.outcome.summary.aborted = true;
            let text = format!(
                "the merged groups take more than {limit} bytes: group by something with fewer \
                 values, ask fewer hosts, or raise Server.MaxQueryMemory in the configuration"
            );
            let diagnostic = Diagnostic { severity: Severity::Error, text };
            self.hand_over(Event::Diagnostic(HostDiagnostic { host: None, diagnostic }));
            self.stop.send_replace(true);
        }
        if self.outcome.summary.aborted {
            // Nothing useful comes of part of a result.
            self.reports = None;
        }
    }

    fn report(&mut self) {
        if let Some(report) = self.reports.as_mut().and_then(Reports::report_interval) {
            self.hand_over(Event::Report(report));
        }
    }

    fn tell_counts(&mut self) {
        let now = self.shared.counts.now();
        if now != self.told {
            self.told = now;
            self.hand_over(Event::Hosts(now));
        }
    }

    fn hand_over(&mut self, event: Event) {
        if !self.is_closed && send(&self.sender, event, &self.cancel) == ControlFlow::Break(()) {
            self.is_closed = true;
            self.stop.send_replace(true);
        }
    }

    fn end(&mut self, ended: Result<(String, Ended), tokio::task::JoinError>) {
        let (host, ended) = match ended {
            Ok(ended) => ended,
            // A panic has been reported where it happened.
            Err(err) => ("a host".to_owned(), Err(Failure::lasting(err.to_string()))),
        };
        let text = match ended {
            Ok(summary) => {
                self.outcome.summary = sum(self.outcome.summary, summary);
                match summary.aborted {
                    true => "the request was given up".to_owned(),
                    false => return,
                }
            }
            Err(failure) => failure.text,
        };
        self.shared.counts.failed.fetch_add(1, Ordering::Relaxed);
        self.outcome.failed_hosts.push(FailedHost { host, text });
    }

    fn reload(&self, reload: Reload, items: &mpsc::WeakSender<Item>, desks: &Arc<[Desk]>) {
        let (shared, desks) = (Arc::clone(&self.shared), Arc::clone(desks));
        let items = items.upgrade();
        // The hosts' answers come while this thread goes on taking what they send.
        tokio::spawn(async move {
            let Reload { request, answer } = reload;
            let result = match (Active::new(request), items) {
                (Err(err), _) => Err(ReloadError(err.to_string())),
                (Ok(_), None) => Err(ReloadError("the session is over".to_owned())),
                (Ok(active), Some(items)) => {
                    reload::carry_out(Arc::new(active), &shared, &desks, &items).await
                }
            };
            let _is_heard = answer.send(result).is_ok();
        });
    }
}

/// The way to hosts, and what decides about unknown ones.
fn way(transport: Transport) -> (Way, Option<Gatherer>) {
    match transport {
        Transport::Ssh { command } => (Way::Ssh(command), None),
        Transport::Native(native) => {
            let crate::Native { user, port, options, unknown_hosts } = *native;
            let known = Arc::clone(&options.known_hosts);
            let (gatherer, asked) = mpsc::channel(QUEUE_LENGTH);
            let asking = Gathering::Asking(gatherer);
            let (gathering, question) = match unknown_hosts {
                UnknownHosts::Refuse(advice) => (Gathering::Refusing(advice), None),
                UnknownHosts::Accept => (asking, None),
                UnknownHosts::Ask(question) => (asking, Some(question)),
            };
            let native = Native { user, port, options, gathering };
            (Way::Native(Box::new(native)), Some((asked, question, known)))
        }
    }
}

fn reports(active: &Active, policy: ReportPolicy, strict: bool) -> Option<Reports> {
    let query = Query::parse(active.query.as_ref()?.text()).ok()?;
    let lateness = LATENESS.min(query.interval() / 2);
    let first = match active.request.mode {
        Mode::Tail => query.interval(),
        Mode::Cat | Mode::Grep | Mode::Map => query.interval() / 2,
    };
    let mut reports = Reports::new(query, active.request.mode, policy, strict);
    reports.expect_first_after(first + lateness);
    Some(reports)
}

fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(1 << 30)
}

/// Turns the flag into something tasks can wait for.
async fn watch_cancel(cancel: Arc<AtomicBool>, stop: watch::Sender<bool>) {
    let mut looks = interval(CANCEL_INTERVAL);
    while !cancel.load(Ordering::Relaxed) && !stop.is_closed() {
        looks.tick().await;
    }
    stop.send_replace(true);
}

fn sum(left: Summary, right: Summary) -> Summary {
    let lines_read = match (left.lines_read, right.lines_read) {
        (Some(left), Some(right)) => Some(left.saturating_add(right)),
        (left, right) => left.or(right),
    };
    Summary {
        lines_read,
        bytes_read: left.bytes_read.saturating_add(right.bytes_read),
        matches: left.matches.saturating_add(right.matches),
        files: left.files.saturating_add(right.files),
        failed_files: left.failed_files.saturating_add(right.failed_files),
        aborted: left.aborted,
    }
}
