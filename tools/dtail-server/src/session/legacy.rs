//! A session in DTail's protocol 4.1: one command per file, a handshake to close. Facts of that
//! protocol are DTail's. Never parses or makes a message itself.

mod batches;
mod put;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dtail_protocol::legacy::{self, Command, CommandDecoder};
use dtail_protocol::{Mode, Request};
use dtail_query::Query;
use dtail_ssh::PublicKey;
use jiff::Zoned;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use self::batches::{Batch, Batches};
use super::outbox::Outbox;
use super::worker::{self, Ended, Running};
use super::{FAREWELL, costs, shown, told};
use crate::auth_keys::{Moment, NewKey};
use crate::gate::Pass;
use crate::shared::{Shared, Who, stopped};
use crate::users::UserKind;
use crate::wire::{Reader, Writer};

/// DTail's `MaxCommandFrameSize`.
const COMMAND_LIMIT: usize = 1 << 20;
/// Requests that follow in one session at once.
const MOST_FOLLOWING: usize = 64;
/// The commands for the files of one request come one after the other.
const GATHERING: Duration = Duration::from_millis(5);
/// Whoever never pauses is not waited for longer.
const LONGEST_GATHERING: Duration = Duration::from_millis(200);
/// How long DTail's server waits for the client to agree to close.
const CLOSING: Duration = Duration::from_secs(5);

struct Talk<'a> {
    shared: &'a Arc<Shared>,
    who: &'a Who,
    outbox: Arc<Outbox>,
    batches: Batches,
    running: VecDeque<Running>,
    started: u32,
    /// Commands that come together are carried out together.
    gathering: Option<Gathering>,
    /// The client was told that the server closes, and has until then to agree.
    closing: Option<Instant>,
    /// The client sends no more commands, and perhaps does not listen either.
    heard_all: bool,
}

/// The time in which commands come together.
#[derive(Debug, Clone, Copy)]
struct Gathering {
    /// Unless another comes.
    until: Instant,
    /// Whatever comes.
    at_last: Instant,
}

impl Gathering {
    /// Another command has come.
    fn after(before: Option<Gathering>, now: Instant) -> Gathering {
        let at_last = before.map_or(now + LONGEST_GATHERING, |before| before.at_last);
        Gathering { until: at_last.min(now + GATHERING), at_last }
    }
}

/// Whether the session goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Continue,
    Leave,
}

/// Serves one stream.
pub(super) async fn serve(shared: &Arc<Shared>, who: &Who, reader: Reader, writer: Writer) {
    let outbox = Outbox::new();
    let mut talk = Talk {
        shared,
        who,
        outbox: Arc::clone(&outbox),
        batches: Batches::default(),
        running: VecDeque::new(),
        started: 0,
        gathering: None,
        closing: None,
        heard_all: false,
    };
    talk.answer(|out| legacy::capabilities(out, &["journal-v1"])).await;
    let mut writing = std::pin::pin!(outbox.write(writer, None, shared));
    let how = tokio::select! {
        biased;
        _ = &mut writing => "the client is gone".to_owned(),
        how = talk.listen(reader) => {
            talk.running.clear();
            outbox.close();
            // The client may have stopped reading for good.
            let _sent = tokio::time::timeout(FAREWELL, &mut writing).await;
            how
        }
    };
    talk.running.clear();
    who.log.info(format_args!("session ended (protocol 4.1): {how}"));
}

impl Talk<'_> {
    /// Returns how it ended.
    async fn listen(&mut self, mut reader: Reader) -> String {
        let mut decoder = CommandDecoder::new(COMMAND_LIMIT);
        let mut stop = self.shared.stop.subscribe();
        let mut stopping = false;
        let mut buffer = vec![0; 4096];
        loop {
            let deadline = self.closing.or(self.gathering.map(|it| it.until));
            tokio::select! {
                read = reader.read(&mut buffer), if !self.heard_all => match read {
                    // What ends by itself is still told to whoever closes one direction only.
                    Ok(0) => {
                        self.heard_all = true;
                        self.running.iter().filter(|it| it.follows).for_each(Running::cancel);
                    }
                    Err(err) => return err.to_string(),
                    Ok(count) => {
                        decoder.feed(&buffer[..count]);
                        if let Some(how) = self.take_all(&mut decoder).await {
                            return how;
                        }
                    }
                },
                (index, ended) = any_ended(&mut self.running) => self.finish(index, ended).await,
                () = until(deadline) => match self.closing {
                    Some(_) => return "the client did not agree to close".to_owned(),
                    None => self.gathering = None,
                },
                () = stopped(&mut stop), if !stopping => {
                    stopping = true;
                    self.batches.clear();
                    self.say("WARN", "the server is shutting down, this is not all").await;
                    self.running.iter().for_each(Running::cancel);
                }
            }
            // Somebody who has always more to say does not let the timer come first.
            self.gathering.take_if(|it| it.until <= Instant::now());
            if self.gathering.is_none() {
                self.start_what_may().await;
                let is_done = self.running.is_empty() && self.batches.is_empty();
                if is_done {
                    self.offer_to_close(stopping).await;
                }
                if is_done && self.heard_all {
                    return "the client has closed it".to_owned();
                }
            }
        }
    }

    /// Takes in what was received. `Some`: how the session ended.
    async fn take_all(&mut self, decoder: &mut CommandDecoder) -> Option<String> {
        loop {
            match decoder.next() {
                Ok(None) => return None,
                Ok(Some(command)) => {
                    if self.take(command).await == Then::Leave {
                        return Some("agreed".to_owned());
                    }
                }
                Err(err) => {
                    self.say("ERROR", &err.to_string()).await;
                    self.who.log.warn(format_args!("refused: {err}"));
                    return Some("not protocol 4.1".to_owned());
                }
            }
        }
    }

    async fn take(&mut self, command: Command) -> Then {
        match command {
            Command::AckClose => return Then::Leave,
            Command::Health => {
                let host = self.shared.host.short.clone();
                self.answer(|out| legacy::health_ok(out, &host)).await;
                self.started += 1;
            }
            Command::AuthKey(blob) => self.register(&blob).await,
            Command::BadAuthKey(reason) => {
                let host = self.shared.host.short.clone();
                self.answer(|out| legacy::auth_key_err(out, &host, reason)).await;
            }
            Command::Session(text) => self.answer(|out| legacy::session_err(out, text)).await,
            Command::BadVersion { text } => {
                self.who.log.warn(format_args!("refused: {text}"));
                let host = self.shared.host.short.clone();
                self.answer(|out| legacy::server_text(out, &host, &text)).await;
                return Then::Leave;
            }
            Command::Unknown(text) => {
                self.who.log.warn(format_args!("refused: {text}"));
                self.say("ERROR", &text).await;
                self.started += 1;
            }
            Command::Map { .. } | Command::Read { .. } | Command::Timeout { .. }
                if self.who.user.kind() == UserKind::Health =>
            {
                self.say("ERROR", "this user is for health checks only").await;
                self.started += 1;
            }
            Command::Map { options, query } => self.batches.set_query(options, query),
            Command::Read { mode, options, file, pattern } => {
                self.batch(|batches| batches.read(mode, options, file, pattern)).await;
            }
            Command::Timeout { seconds, mode, file, pattern } => {
                let time = Duration::from_secs(seconds);
                self.batch(|batches| batches.read_for(time, mode, file, pattern)).await;
            }
        }
        Then::Continue
    }

    async fn batch(&mut self, add: impl FnOnce(&mut Batches) -> Result<(), &'static str>) {
        self.closing = None;
        match add(&mut self.batches) {
            Ok(()) => self.gathering = Some(Gathering::after(self.gathering, Instant::now())),
            Err(text) => self.say("ERROR", text).await,
        }
    }

    /// One batch after the other reads whole files; those that follow run side by side.
    async fn start_what_may(&mut self) {
        loop {
            let following = self.running.len() < MOST_FOLLOWING;
            let idle = self.running.is_empty();
            let may =
                |batch: &Batch| if batch.request.mode == Mode::Tail { following } else { idle };
            let Some(batch) = self.batches.next_if(may) else { return };
            self.start(batch).await;
            if self.heard_all {
                self.running.iter().filter(|it| it.follows).for_each(Running::cancel);
            }
        }
    }

    async fn start(&mut self, batch: Batch) {
        let Batch { request, options } = batch;
        self.started += 1;
        let generation = self.started;
        let query = match request.query.as_deref().map(Query::parse).transpose() {
            Ok(query) => query,
            Err(err) => return self.refuse(&request, &err.to_string()).await,
        };
        if let Some(what) = query.as_ref().and_then(Query::beyond_dtail) {
            let text = format!("protocol 4.1 has no {what}; use a client of this version");
            return self.refuse(&request, &text).await;
        }
        if let Some(text) = costs::refusal(&request) {
            return self.refuse(&request, &text).await;
        }
        // DTail's own results are what its client expects.
        let Some(settings) = worker::settings(self.shared, self.who, request.mode, true) else {
            return self.refuse(&request, "you may not read anything here").await;
        };
        let text = format!("request {generation} (protocol 4.1): {}", shown(&request));
        self.who.log.info(text);
        self.shared.stats.requests.fetch_add(1, Ordering::Relaxed);
        let voice = put::Voice {
            host: self.shared.host.short.clone(),
            who: self.who.log.shown().to_owned(),
            plain: options.plain,
            query,
        };
        let work = move |outlet| put::putter(outlet, voice);
        let outbox = &self.outbox;
        match worker::start(self.shared, request, settings, outbox, generation, work) {
            Ok(running) => self.running.push_back(running),
            Err(err) => self.say("ERROR", &format!("the server has no thread left: {err}")).await,
        }
    }

    async fn refuse(&self, request: &Request, text: &str) {
        self.who.log.warn(format_args!("refused: {text}: {}", shown(request)));
        self.say("ERROR", text).await;
    }

    async fn finish(&mut self, index: usize, ended: Ended) {
        let Some(running) = self.running.remove(index) else { return };
        let (log, generation) = (&self.who.log, running.generation);
        let started = running.started;
        match ended {
            Ended::Done(summary) => {
                let told = told(&summary, started);
                log.info(format_args!("request {generation} ended: {told}"));
            }
            Ended::Refused(text) => {
                log.warn(format_args!("request {generation} refused: {text}"));
                self.outbox.say_last(self.message("ERROR", &text)).await;
            }
            Ended::Panicked(text) => {
                log.error(format_args!("request {generation} failed: {text}"));
                let text = "internal error of the server";
                self.outbox.say_last(self.message("ERROR", text)).await;
            }
        }
    }

    /// Tells the client to close, if it has got what it came for.
    async fn offer_to_close(&mut self, stopping: bool) {
        if self.closing.is_some() || (self.started == 0 && !stopping) {
            return;
        }
        let mut bytes = Vec::new();
        legacy::close_connection(&mut bytes);
        self.outbox.say_last(bytes).await;
        self.closing = Some(Instant::now() + CLOSING);
    }

    async fn register(&mut self, blob: &[u8]) {
        let rules = self.shared.rules();
        let host = self.shared.host.short.clone();
        let refusal = match (rules.auth_keys, self.who.address, PublicKey::from_blob(blob)) {
            (Some(limits), Some(address), Ok(_)) if self.who.user.kind() == UserKind::Person => {
                let (keys, user) = (&self.shared.auth_keys, self.who.user.name());
                let now = Moment::now();
                let done = match self.who.pass {
                    Pass::Authorized { expires } => {
                        let key = NewKey { user, blob, from: address, expires };
                        keys.register(key, limits, now)
                    }
                    Pass::Other => keys.contains(user, blob, address, now),
                };
                (!done).then_some("feature disabled")
            }
            (_, _, Err(_)) => Some("invalid public key"),
            _ => Some("feature disabled"),
        };
        match refusal {
            None => {
                self.who.log.info("key registered");
                self.answer(|out| legacy::auth_key_ok(out, &host)).await;
            }
            Some(reason) => self.answer(|out| legacy::auth_key_err(out, &host, reason)).await,
        }
    }

    async fn answer(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        write(&mut bytes);
        self.outbox.answer(bytes).await;
    }

    async fn say(&self, level: &str, text: &str) {
        self.outbox.answer(self.message(level, text)).await;
    }

    fn message(&self, level: &str, text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let text = record(level, self.who.log.shown(), text);
        legacy::server_text(&mut bytes, &self.shared.host.short, &text);
        bytes
    }
}

/// What DTail's server tells its client is a record of its log.
fn record(level: &str, who: &str, text: &str) -> String {
    let time = Zoned::now();
    format!("{level}|{}|{who}|{text}", time.strftime("%m%d-%H%M%S"))
}

/// The first of all that ends, and which it was; if nothing runs, never.
async fn any_ended(running: &mut VecDeque<Running>) -> (usize, Ended) {
    std::future::poll_fn(|context| {
        for (index, running) in running.iter_mut().enumerate() {
            if let std::task::Poll::Ready(ended) = running.poll_ended(context) {
                return std::task::Poll::Ready((index, ended));
            }
        }
        std::task::Poll::Pending
    })
    .await
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, GATHERING, Gathering, Instant, LONGEST_GATHERING};

    #[test]
    fn a_pause_ends_the_gathering_and_so_does_time() {
        let first = Instant::now();
        let mut gathering = Gathering::after(None, first);
        assert_eq!(gathering.until, first + GATHERING);
        for millisecond in 1..=1000 {
            let now = first + Duration::from_millis(millisecond);
            if gathering.until <= now {
                assert_eq!(now, first + LONGEST_GATHERING);
                return;
            }
            gathering = Gathering::after(Some(gathering), now);
        }
        panic!("who never pauses is waited for");
    }
}
