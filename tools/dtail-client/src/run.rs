//! A session on its own thread and the channel to it, and how a run ends. Never looks into what it
//! hands over, except to merge aggregates.

use std::any::Any;
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};
use dtail_protocol::{Request, Summary};
use dtail_query::Query;
use dtail_session::{Output, RequestError, Session, Settings};

use crate::reports::{ReportPolicy, Reports};
use crate::{Controls, Event, HostDiagnostic, HostLines, HostSource};

/// Events under way. With blocks of 256 KiB this bounds a run's memory.
const QUEUE_LENGTH: usize = 16;
/// How often a full queue looks whether the run was cancelled.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);
/// Looks at a full queue after cancel before its receiver is taken for stalled.
const PATIENCE: u32 = 5;

/// Why a run did not start. One line.
#[derive(Debug)]
pub enum StartError {
    /// Pattern or query are bad.
    Request(RequestError),
    /// The system gave no thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Request(err) => err.fmt(f),
            StartError::Thread(err) => write!(f, "cannot start a session thread: {err}"),
        }
    }
}

impl std::error::Error for StartError {}

/// The session thread panicked; the text is its message.
#[derive(Debug)]
pub struct SessionPanicked(pub String);

impl fmt::Display for SessionPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "internal error, please report it: {}", self.0)
    }
}

impl std::error::Error for SessionPanicked {}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What was done, on all hosts together.
    pub summary: Summary,
    /// Hosts that were asked; 0 for a local run.
    pub hosts: usize,
    /// Those of them whose answer is missing or incomplete.
    pub failed_hosts: Vec<FailedHost>,
}

/// A host whose answer is missing or incomplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedHost {
    /// Its name as in [`crate::Remote::servers`].
    pub host: String,
    /// One line: why, and what mends it.
    pub text: String,
}

/// A request that is known to be good.
pub(crate) struct Prepared {
    session: Session,
    reports: Option<Reports>,
}

/// A running request.
#[derive(Debug)]
pub struct Run {
    events: Receiver<Event>,
    session: JoinHandle<Outcome>,
    controls: Option<Controls>,
}

impl Prepared {
    pub(crate) fn new(
        request: Request,
        settings: Settings,
        policy: ReportPolicy,
    ) -> Result<Prepared, RequestError> {
        let (mode, strict) = (request.mode, settings.strict);
        let query = request.query.as_deref().map(Query::parse).transpose();
        let query = query.map_err(RequestError::Query)?;
        let reports = query.map(|query| Reports::new(query, mode, policy, strict));
        let settings = Settings { final_only: policy != ReportPolicy::Interim, ..settings };
        Ok(Prepared { session: Session::new(request, settings)?, reports })
    }
}

/// Starts an in-process session on its own thread. It ends early when `cancel` is set or when the
/// receiver of its events is dropped.
pub fn start_local(
    request: Request,
    settings: Settings,
    policy: ReportPolicy,
    cancel: Arc<AtomicBool>,
) -> Result<Run, StartError> {
    let prepared = Prepared::new(request, settings, policy).map_err(StartError::Request)?;
    start(cancel, move |cancel, sender| {
        let summary = run_session(prepared, cancel, sender);
        Outcome { summary, ..Outcome::default() }
    })
}

fn start(
    cancel: Arc<AtomicBool>,
    work: impl FnOnce(&AtomicBool, &Sender<Event>) -> Outcome + Send + 'static,
) -> Result<Run, StartError> {
    let (sender, events) = queue();
    let session = thread::Builder::new()
        .name("session".to_owned())
        .spawn(move || work(&cancel, &sender))
        .map_err(StartError::Thread)?;
    Ok(Run::new(events, session, None))
}

/// Between a session and whoever prints.
pub(crate) fn queue() -> (Sender<Event>, Receiver<Event>) {
    bounded(QUEUE_LENGTH)
}

impl Run {
    pub(crate) fn new(
        events: Receiver<Event>,
        session: JoinHandle<Outcome>,
        controls: Option<Controls>,
    ) -> Run {
        Run { events, session, controls }
    }

    /// For whoever wants to change the run while it lasts, if it can be changed.
    pub fn controls(&self) -> Option<&Controls> {
        self.controls.as_ref()
    }

    /// Events in order; the channel closes when the session has ended.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Waits for the session to end, normally when the channel is closed. Events that are still
    /// in the channel are dropped, unless a clone of the receiver takes them.
    pub fn finish(self) -> Result<Outcome, SessionPanicked> {
        drop(self.events);
        self.session.join().map_err(|panic| SessionPanicked(panic_message(&*panic)))
    }
}

pub(crate) fn run_session(
    Prepared { session, mut reports }: Prepared,
    cancel: &AtomicBool,
    sender: &Sender<Event>,
) -> Summary {
    let summary = session.run(cancel, &mut |output| {
        let event = match output {
            Output::Lines(block) => Some(Event::Lines(HostLines { host: None, block })),
            Output::Diagnostic(diagnostic) => {
                Some(Event::Diagnostic(HostDiagnostic { host: None, diagnostic }))
            }
            Output::Source(summary) => Some(Event::Source(HostSource { host: None, summary })),
            Output::File(range) => Some(Event::File(range)),
            Output::Aggregate(increment) => {
                let report = reports.as_mut().and_then(|reports| reports.take(increment));
                report.map(Event::Report)
            }
        };
        event.map_or(ControlFlow::Continue(()), |event| send(sender, event, cancel))
    });
    if let Some(report) = reports.and_then(Reports::finish) {
        // Whether anybody still listens no longer matters.
        let _ = send(sender, Event::Report(report), cancel);
    }
    summary
}

/// Waits for room in the queue. After cancel not for long: the receiver may be stuck.
pub(crate) fn send(sender: &Sender<Event>, event: Event, cancel: &AtomicBool) -> ControlFlow<()> {
    let mut event = event;
    let mut looks_after_cancel = 0;
    loop {
        event = match sender.send_timeout(event, CANCEL_INTERVAL) {
            Ok(()) => return ControlFlow::Continue(()),
            Err(SendTimeoutError::Disconnected(_)) => return ControlFlow::Break(()),
            Err(SendTimeoutError::Timeout(event)) => event,
        };
        looks_after_cancel += u32::from(cancel.load(Ordering::Relaxed));
        if looks_after_cancel == PATIENCE {
            return ControlFlow::Break(());
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("panic without a message").lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
