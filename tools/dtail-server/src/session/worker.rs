//! A request on its thread. Never knows how what it puts out travels.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Instant;

use dtail_process::host::LocalZone;
use dtail_protocol::{Mode, Request, Summary};
use dtail_query::HostFacts;
use dtail_session::{Access, Output, Session, Settings};
use tokio::sync::oneshot;

use super::outbox::Outbox;
use crate::shared::{Shared, Who};
use crate::stats::counted;

/// Address space of a request's thread; memory is what it touches of it. Regular expressions are
/// compiled by recursion of limited depth.
const STACK: usize = 1 << 20;

/// How a request ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It was carried out, as far as the summary says.
    Done(Summary),
    /// It means nothing; one line.
    Refused(String),
    /// A fault of ours; one line.
    Panicked(String),
}

/// A request that is being carried out. Dropping it gives it up.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) generation: u32,
    pub(crate) started: Instant,
    /// It ends only when it is told to.
    pub(crate) follows: bool,
    outbox: Arc<Outbox>,
    cancel: Arc<AtomicBool>,
    ended: oneshot::Receiver<Ended>,
    has_ended: bool,
}

/// What a thread needs to know of where its output goes.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) generation: u32,
    pub(crate) cancel: Arc<AtomicBool>,
}

impl Running {
    /// Waits for the end. May be given up and called again until it has told the end, once.
    pub(crate) async fn ended(&mut self) -> Ended {
        poll_fn(|context| self.poll_ended(context)).await
    }

    /// As [`Running::ended`].
    pub(crate) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<Ended> {
        let ended = Pin::new(&mut self.ended).poll(context);
        self.has_ended |= ended.is_ready();
        let lost = |_| Ended::Panicked("the session thread is gone".to_owned());
        ended.map(|ended| ended.unwrap_or_else(lost))
    }

    /// Lets the request end early; what it has put out is still sent for a while.
    pub(crate) fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
        self.outbox.hurry(false);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
        if !self.has_ended {
            self.outbox.hurry(true);
        }
    }
}

/// Carries a request out on a thread of its own. There, `work` makes the way out from an
/// [`Outlet`], once the request is known to make sense.
pub(crate) fn start<Put>(
    shared: &Arc<Shared>,
    request: Request,
    settings: Settings,
    outbox: &Arc<Outbox>,
    generation: u32,
    work: impl FnOnce(Outlet) -> Put + Send + 'static,
) -> io::Result<Running>
where
    Put: FnMut(Output) -> ControlFlow<()>,
{
    let cancel = Arc::new(AtomicBool::new(false));
    let outlet = Outlet { outbox: Arc::clone(outbox), generation, cancel: Arc::clone(&cancel) };
    let (tell, ended) = oneshot::channel();
    let shared = Arc::clone(shared);
    let follows = request.mode == Mode::Tail;
    thread::Builder::new().name("session".to_owned()).stack_size(STACK).spawn(move || {
        let _counted = counted(&shared.stats.running);
        let carry_out = || match Session::new(request, settings) {
            Err(err) => Ended::Refused(err.to_string()),
            Ok(session) => {
                let cancel = Arc::clone(&outlet.cancel);
                let mut put = work(outlet);
                Ended::Done(session.run(&cancel, &mut put))
            }
        };
        let ended = panic::catch_unwind(AssertUnwindSafe(carry_out));
        let ended = ended.unwrap_or_else(|panic| Ended::Panicked(message(&*panic)));
        // If nobody waits, the client is gone.
        let _told = tell.send(ended).is_ok();
    })?;
    let outbox = Arc::clone(outbox);
    Ok(Running {
        generation,
        started: Instant::now(),
        follows,
        outbox,
        cancel,
        ended,
        has_ended: false,
    })
}

/// What the server's configuration says about a request of this user. `None`: they may not read
/// anything.
pub(crate) fn settings(shared: &Shared, who: &Who, mode: Mode, strict: bool) -> Option<Settings> {
    let rules = shared.rules();
    let access: Access = rules.access(&who.user)?.clone();
    let zone = LocalZone::current();
    let permits = if mode == Mode::Tail { &rules.tails } else { &rules.cats };
    let log = who.log.clone();
    Some(Settings {
        host: HostFacts {
            hostname: shared.host.full.clone(),
            timezone: zone.abbreviation,
            timeoffset: zone.offset,
        },
        max_line_length: rules.limits.max_line_length,
        default_log_format: rules.log_format.clone(),
        user_formats: rules.user_formats.clone(),
        max_glob_targets: rules.limits.max_glob_targets,
        strict,
        access,
        max_query_memory: rules.limits.max_query_memory,
        file_permits: Some(Arc::clone(permits)),
        remote: true,
        log: Some(Arc::new(move |text: &str| log.warn(text))),
        threads: threads(),
        ..Settings::default()
    })
}

/// For one request: so many that no user can have all processors for as long as they like.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).max(1))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("panic without a message").lines().next().unwrap_or_default().to_owned()
}
