//! The way out of a session: what a request puts out waits in a bounded queue until the client
//! takes it; answers of the session itself overtake it. Never makes a frame.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::shared::Shared;
use crate::wire::Writer;

/// Frames of a request under way. With blocks of 256 KiB this is what a stalled client costs.
const QUEUE_LENGTH: usize = 4;
/// Answers of the session itself under way, and last words.
const MOST_ANSWERS: usize = 16;
/// How often a full queue looks whether the request was cancelled.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);
/// After a cancel, how long what was already put out may wait for credit.
const GRACE: Duration = Duration::from_secs(2);

/// How long an answer may wait for room. Whoever asks and never listens would else hold up the
/// whole connection, in which then even its end goes unnoticed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Encoded bytes on their way.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) bytes: Bytes,
    /// Credit that it costs.
    pub(crate) charge: u64,
    /// The request it belongs to.
    pub(crate) generation: u32,
}

/// One session's way out; shared by whoever puts out and by [`Outbox::write`].
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Sender<Outgoing>,
    queued: Receiver<Outgoing>,
    state: Mutex<State>,
    /// Something has changed that the writer should look at.
    changed: Notify,
    /// There is room for an answer or for last words.
    room: Notify,
    /// There was no room for `patience`.
    stalled: Notify,
    patience: Duration,
}

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Bytes>,
    /// What comes after everything that was queued.
    last_words: VecDeque<Bytes>,
    /// What the client still takes. Below 0 after a frame larger than what was left.
    credit: i64,
    /// Output of older requests is dropped.
    generation: u32,
    /// From then on output that lacks credit is dropped.
    impatient_from: Option<Instant>,
    closing: bool,
}

/// What the writer does next.
enum Next {
    Send(Bytes),
    /// Waits for a change, not longer than until then.
    Wait(Option<Instant>),
    Finish,
}

impl Outbox {
    pub(crate) fn new() -> Arc<Outbox> {
        let (queue, queued) = bounded(QUEUE_LENGTH);
        Arc::new(Outbox {
            queue,
            queued,
            state: Mutex::default(),
            changed: Notify::new(),
            room: Notify::new(),
            stalled: Notify::new(),
            patience: PATIENCE,
        })
    }

    /// Queues output of a request from its thread. Waits for room, but not beyond a cancel.
    pub(crate) fn put(&self, outgoing: Outgoing, cancel: &AtomicBool) -> ControlFlow<()> {
        let mut outgoing = outgoing;
        loop {
            outgoing = match self.queue.send_timeout(outgoing, CANCEL_INTERVAL) {
                Ok(()) => {
                    self.changed.notify_one();
                    return ControlFlow::Continue(());
                }
                Err(SendTimeoutError::Disconnected(_)) => return ControlFlow::Break(()),
                Err(SendTimeoutError::Timeout(outgoing)) => outgoing,
            };
            let waits_in_vain = cancel.load(Ordering::Relaxed) && self.is_past_grace();
            if waits_in_vain {
                return ControlFlow::Break(());
            }
        }
    }

    /// Sends something before all output. Waits while too much of the kind is under way.
    pub(crate) async fn answer(&self, bytes: Vec<u8>) {
        self.queue_words(bytes.into(), |state| &mut state.answers).await;
    }

    /// Sends something after all output that was queued until now. Waits as [`Outbox::answer`].
    pub(crate) async fn say_last(&self, bytes: Vec<u8>) {
        self.queue_words(bytes.into(), |state| &mut state.last_words).await;
    }

    async fn queue_words(&self, bytes: Bytes, queue: fn(&mut State) -> &mut VecDeque<Bytes>) {
        loop {
            {
                let mut state = self.lock();
                let queue = queue(&mut state);
                if queue.len() < MOST_ANSWERS {
                    queue.push_back(bytes);
                    break;
                }
            }
            if tokio::time::timeout(self.patience, self.room.notified()).await.is_err() {
                self.stalled.notify_one();
            }
        }
        self.changed.notify_one();
    }

    /// The client takes so many bytes more.
    pub(crate) fn grant(&self, bytes: u64) {
        let mut state = self.lock();
        state.credit = state.credit.saturating_add_unsigned(bytes);
        drop(state);
        self.changed.notify_one();
    }

    /// Output of requests before this one is dropped.
    pub(crate) fn begin(&self, generation: u32) {
        let mut state = self.lock();
        state.generation = generation;
        state.impatient_from = None;
        state.last_words.clear();
        drop(state);
        self.changed.notify_one();
    }

    /// Output may wait for credit only a little longer; if `at_once`, not at all.
    pub(crate) fn hurry(&self, at_once: bool) {
        let mut state = self.lock();
        let until = Instant::now() + if at_once { Duration::ZERO } else { GRACE };
        state.impatient_from = Some(state.impatient_from.map_or(until, |from| from.min(until)));
        drop(state);
        self.changed.notify_one();
    }

    /// The stream ends when everything has been sent.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_one();
    }

    /// Sends what is put out until [`Outbox::close`]; whenever nothing was sent for `heartbeat.0`,
    /// sends `heartbeat.1`. An error means that the client is gone, or might as well be.
    pub(crate) async fn write(
        &self,
        mut writer: Writer,
        heartbeat: Option<(Duration, Bytes)>,
        shared: &Shared,
    ) -> io::Result<()> {
        let mut pending = None;
        let mut last_sent = Instant::now();
        loop {
            let wait = match self.next(&mut pending) {
                Next::Send(bytes) => {
                    shared.stats.bytes_sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    self.send(&mut writer, bytes).await?;
                    last_sent = Instant::now();
                    continue;
                }
                Next::Finish => return writer.finish(0).await,
                Next::Wait(until) => until,
            };
            let beat = heartbeat.as_ref().map(|(interval, _)| last_sent + *interval);
            let until = wait.into_iter().chain(beat).min();
            tokio::select! {
                () = self.changed.notified() => {}
                () = until_then(until) => {}
            }
            if let Some((interval, bytes)) = &heartbeat
                && last_sent.elapsed() >= *interval
            {
                self.send(&mut writer, bytes.clone()).await?;
                last_sent = Instant::now();
            }
        }
    }

    async fn send(&self, writer: &mut Writer, bytes: Bytes) -> io::Result<()> {
        tokio::select! {
            sent = writer.send(bytes) => sent,
            () = self.stalled.notified() => {
                Err(io::Error::other("it asks and does not listen to the answers"))
            }
        }
    }

    fn next(&self, pending: &mut Option<Outgoing>) -> Next {
        let mut state = self.lock();
        if let Some(answer) = state.answers.pop_front() {
            self.room.notify_one();
            return Next::Send(answer);
        }
        while let Some(outgoing) = pending.take().or_else(|| self.queued.try_recv().ok()) {
            let is_free = outgoing.charge == 0;
            if outgoing.generation < state.generation {
                continue;
            }
            if is_free || state.credit > 0 {
                state.credit = state.credit.saturating_sub_unsigned(outgoing.charge);
                return Next::Send(outgoing.bytes);
            }
            match state.impatient_from {
                Some(from) if from <= Instant::now() => continue,
                until => {
                    *pending = Some(outgoing);
                    return Next::Wait(until);
                }
            }
        }
        match state.last_words.pop_front() {
            Some(bytes) => {
                self.room.notify_one();
                Next::Send(bytes)
            }
            None if state.closing => Next::Finish,
            None => Next::Wait(None),
        }
    }

    fn is_past_grace(&self) -> bool {
        self.lock().impatient_from.is_some_and(|from| from <= Instant::now())
    }

    /// No code that holds the lock can panic half way, so what a poisoned one guards is sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn until_then(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use std::sync::Arc;
    use std::time::Duration;

    use dtail_process::config::Config;
    use dtail_process::log::Level;
    use tokio::sync::mpsc;

    use super::{MOST_ANSWERS, Outbox};
    use crate::log::Log;
    use crate::rules::Rules;
    use crate::shared::Shared;
    use crate::wire::Writer;

    fn is_ready(future: impl Future<Output = ()>) -> bool {
        pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[tokio::test]
    async fn nothing_is_held_without_limit_for_a_client_that_does_not_listen() {
        let outbox = Outbox::new();
        let most = 2 * MOST_ANSWERS;
        let said = (0..most).filter(|_| is_ready(outbox.say_last(vec![0]))).count();
        let answered = (0..most).filter(|_| is_ready(outbox.answer(vec![0]))).count();
        assert_eq!((said, answered), (MOST_ANSWERS, MOST_ANSWERS));
    }

    #[tokio::test]
    async fn who_asks_and_never_listens_is_given_up() {
        let mut outbox = Arc::into_inner(Outbox::new()).unwrap();
        outbox.patience = Duration::ZERO;
        let shared = Shared::new(
            Log::new(Level::None, None, None),
            Rules::new(&Config::default(), None).unwrap(),
        );
        let (writer, _never_read) = mpsc::channel(1);
        let asks = async {
            loop {
                outbox.answer(vec![0]).await;
            }
        };
        let written = tokio::select! {
            written = outbox.write(Writer::Thread(writer), None, &shared) => written,
            () = asks => Ok(()),
        };
        let said = written.unwrap_err().to_string();
        assert_eq!(said, "it asks and does not listen to the answers");
    }
}
