//! A local run whose request can be replaced while it lasts. Never prints.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::Sender;
use dtail_protocol::{Request, Summary};
use dtail_session::Settings;

use crate::controls::ReloadError;
use crate::reports::ReportPolicy;
use crate::run::{Prepared, StartError, queue, run_session, send};
use crate::{Controls, Event, Outcome, Run};

/// How often a finished session looks whether the run was cancelled.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// Where the next request is put.
pub(crate) struct Desk {
    settings: Settings,
    policy: ReportPolicy,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: Option<(Prepared, Request)>,
    quits: bool,
}

/// Starts an in-process session that stays when it has finished, until [`Controls::quit`].
pub fn start_local_interactive(
    request: Request,
    settings: Settings,
    policy: ReportPolicy,
    cancel: Arc<AtomicBool>,
) -> Result<Run, StartError> {
    let first = Prepared::new(request, settings.clone(), policy).map_err(StartError::Request)?;
    let state = Mutex::default();
    let desk = Arc::new(Desk { settings, policy, state, changed: Condvar::new() });
    let controls = Controls::local(Arc::clone(&desk), Arc::clone(&cancel));
    let (sender, events) = queue();
    let session = thread::Builder::new()
        .name("session".to_owned())
        .spawn(move || {
            let summary = serve(first, &desk, &cancel, &sender);
            Outcome { summary, ..Outcome::default() }
        })
        .map_err(StartError::Thread)?;
    Ok(Run::new(events, session, Some(controls)))
}

fn serve(first: Prepared, desk: &Desk, cancel: &AtomicBool, sender: &Sender<Event>) -> Summary {
    let mut current = first;
    loop {
        let summary = run_session(current, cancel, sender);
        let Some((next, request)) = desk.next(cancel) else { return summary };
        if send(sender, Event::Replaced(Box::new(request)), cancel).is_break() {
            return summary;
        }
        current = next;
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for another request; `None` when there will be none.
    fn next(&self, cancel: &AtomicBool) -> Option<(Prepared, Request)> {
        let mut state = self.state();
        loop {
            if state.quits {
                return None;
            }
            if let Some(next) = state.next.take() {
                // It was set to end the session before.
                cancel.store(false, Ordering::SeqCst);
                return Some(next);
            }
            if cancel.load(Ordering::SeqCst) {
                return None;
            }
            let waited = self.changed.wait_timeout(state, CANCEL_INTERVAL);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends the running session, which the new request follows.
    pub(crate) fn reload(&self, request: Request, cancel: &AtomicBool) -> Result<(), ReloadError> {
        let prepared = Prepared::new(request.clone(), self.settings.clone(), self.policy);
        let prepared = prepared.map_err(|err| ReloadError(err.to_string()))?;
        let mut state = self.state();
        state.next = Some((prepared, request));
        cancel.store(true, Ordering::SeqCst);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    pub(crate) fn quit(&self) {
        self.state().quits = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use dtail_protocol::{Mode, Pattern, Request};
    use dtail_session::Settings;

    use super::start_local_interactive;
    use crate::{Event, ReportPolicy, Run};

    const LIMIT: Duration = Duration::from_secs(10);

    fn lines(run: &Run) -> Vec<u8> {
        match run.events().recv_timeout(LIMIT).unwrap() {
            Event::Lines(lines) => lines.block.bytes,
            other => panic!("lines, got {other:?}"),
        }
    }

    #[test]
    fn another_request_follows_the_one_before_until_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "1\n2\n").unwrap();
        let pattern = |text: &str| Some(Pattern::of(text));
        let request =
            Request { pattern: pattern("1"), ..Request::of(Mode::Grep, vec![path.into()]).plain() };
        let cancel = Arc::new(AtomicBool::new(false));
        let (settings, policy) = (Settings::default(), ReportPolicy::FinalOnly);
        let run = start_local_interactive(request.clone(), settings, policy, cancel).unwrap();
        assert_eq!(lines(&run), b"1\n");
        let controls = run.controls().unwrap().clone();
        let bad = controls.reload(Request { pattern: pattern("["), ..request.clone() });
        assert!(bad.unwrap_err().to_string().contains("bad regular expression"));
        controls.reload(Request { pattern: pattern("2"), ..request }).unwrap();
        assert!(matches!(run.events().recv_timeout(LIMIT).unwrap(), Event::Replaced(_)));
        assert_eq!(lines(&run), b"2\n");
        controls.quit();
        assert!(run.events().recv_timeout(LIMIT).is_err());
        assert_eq!(run.finish().unwrap().summary.matches, 1);
    }
}
