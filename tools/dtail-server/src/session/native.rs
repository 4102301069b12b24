//! A session in our own protocol: does what the state machine of the protocol says. Never decides
//! which frame may come when.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use dtail_protocol::conversation::{Conversation, Step};
use dtail_protocol::frame::{
    CLIENT_FRAME_LIMIT, ClientFrame, FrameError, Incoming, PREAMBLE, Refusal, RefusalKind,
    ServerFrame, ServerHello, Start,
};
use dtail_protocol::{Diagnostic, Request, Severity};
use dtail_session::Output;
use dtail_ssh::PublicKey;
use tokio::io::AsyncReadExt;

use super::outbox::{Outbox, Outgoing};
use super::worker::{self, Ended, Outlet, Running};
use super::{FAREWELL, costs, shown, told};
use crate::auth_keys::{Moment, NewKey};
use crate::gate::Pass;
use crate::shared::{Shared, Who, stopped};
use crate::users::UserKind;
use crate::wire::{Reader, Writer};

/// Silence after which the client is told that we are still here.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Size of the pieces in which groups are sent, in bytes.
const GROUPS_PIECE: usize = 256 * 1024;
const STOPPING: &str = "the server is shutting down, this is not all";

/// Why the client is no longer listened to.
enum End {
    /// It has said goodbye, or what there was to tell has been put out.
    Done,
    /// It went away, or broke off.
    Gone(String),
}

struct Talk<'a> {
    shared: &'a Arc<Shared>,
    who: &'a Who,
    outbox: Arc<Outbox>,
    conversation: Conversation,
    running: Option<Running>,
    /// Of the last request.
    generation: u32,
    /// The server has been told to stop.
    stopping: bool,
}

/// Serves one stream.
pub(super) async fn serve(shared: &Arc<Shared>, who: &Who, reader: Reader, writer: Writer) {
    let outbox = Outbox::new();
    let mut talk = Talk {
        shared,
        who,
        outbox: Arc::clone(&outbox),
        conversation: Conversation::new(capabilities(shared)),
        running: None,
        generation: 0,
        stopping: false,
    };
    outbox.answer(PREAMBLE.to_vec()).await;
    let heartbeat = Bytes::from(encoded(&ServerFrame::Heartbeat));
    let mut writing = std::pin::pin!(outbox.write(writer, Some((HEARTBEAT, heartbeat)), shared));
    let end = tokio::select! {
        biased;
        written = &mut writing => End::Gone(match written {
            Err(err) => format!("the client is gone: {err}"),
            Ok(()) => "closed".to_owned(),
        }),
        end = talk.listen(reader) => {
            if matches!(end, End::Gone(_)) {
                outbox.hurry(true);
            }
            drop(talk.running.take());
            outbox.close();
            // The client may have stopped reading for good.
            let _sent = tokio::time::timeout(FAREWELL, &mut writing).await;
            end
        }
    };
    drop(talk.running.take());
    match end {
        End::Done => who.log.info("session ended"),
        End::Gone(how) => who.log.info(format_args!("session ended: {how}")),
    }
}

fn capabilities(shared: &Shared) -> Vec<String> {
    let auth_key = shared.rules().auth_keys.map(|_| "auth-key");
    let always = ["interactive", "journal"];
    always.into_iter().chain(auth_key).map(str::to_owned).collect()
}

impl Talk<'_> {
    async fn listen(&mut self, mut reader: Reader) -> End {
        let mut incoming = Incoming::<ClientFrame>::new(CLIENT_FRAME_LIMIT);
        let mut stop = self.shared.stop.subscribe();
        loop {
            loop {
                let frame = match incoming.next() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(err) => {
                        let kind = match err {
                            FrameError::TooMuch(_) => RefusalKind::BadRequest,
                            _ => RefusalKind::Protocol,
                        };
                        return self.refuse(0, kind, err.to_string()).await;
                    }
                };
                match self.conversation.on_frame(frame) {
                    Ok(step) => {
                        if let ControlFlow::Break(end) = self.take(step).await {
                            return end;
                        }
                    }
                    Err(refusal) => {
                        return self.refuse(0, refusal.kind, refusal.text).await;
                    }
                }
            }
            let running = self.running.as_mut();
            tokio::select! {
                read = reader.read(incoming.space()) => match read {
                    Ok(0) if incoming.is_between_frames() => {
                        return End::Gone("the client has closed it".to_owned());
                    }
                    Ok(0) => return End::Gone("broken off within a frame".to_owned()),
                    Ok(count) => incoming.commit(count),
                    Err(err) => return End::Gone(err.to_string()),
                },
                ended = ended(running) => {
                    self.finish(ended).await;
                    if self.stopping {
                        return End::Done;
                    }
                }
                () = stopped(&mut stop), if !self.stopping => {
                    self.stopping = true;
                    match &self.running {
                        Some(running) => running.cancel(),
                        None => return End::Done,
                    }
                }
            }
        }
    }

    async fn take(&mut self, step: Step) -> ControlFlow<End> {
        match step {
            Step::Greet(greeting) => {
                self.outbox.grant(greeting.credit);
                let hello = ServerHello {
                    version: greeting.version,
                    capabilities: greeting.capabilities,
                    hostname: self.shared.host.short.clone(),
                    software: concat!("dserver ", env!("CARGO_PKG_VERSION")).to_owned(),
                };
                self.answer(&ServerFrame::Hello(hello)).await;
            }
            Step::Start(start) => self.start(start).await,
            Step::Replace(start) => {
                if let Some(mut running) = self.running.take() {
                    // Its output is of no use any more.
                    self.outbox.begin(start.generation);
                    running.cancel();
                    let ended = running.ended().await;
                    self.log_end(&running, &ended);
                }
                self.start(start).await;
            }
            Step::Cancel => {
                if let Some(running) = &self.running {
                    running.cancel();
                }
            }
            Step::Grant(bytes) => self.outbox.grant(bytes),
            Step::RegisterKey(blob) => self.register(&blob).await,
            Step::CheckHealth => self.answer(&ServerFrame::Healthy).await,
            Step::Nothing => {}
            Step::Leave => return ControlFlow::Break(End::Done),
        }
        ControlFlow::Continue(())
    }

    async fn start(&mut self, start: Start) {
        let Start { generation, request, strict } = start;
        self.generation = generation;
        self.outbox.begin(generation);
        let refusal = match self.refusal(&request) {
            Some(refusal) => refusal,
            None => match worker::settings(self.shared, self.who, request.mode, strict) {
                None => (RefusalKind::NotPermitted, "you may not read anything here".to_owned()),
                Some(settings) => {
                    let text = format!("request {generation}: {}", shown(&request));
                    self.who.log.info(text);
                    self.shared.stats.requests.fetch_add(1, Ordering::Relaxed);
                    let outbox = &self.outbox;
                    let work = putter;
                    match worker::start(self.shared, request, settings, outbox, generation, work) {
                        Ok(running) => {
                            self.running = Some(running);
                            return;
                        }
                        Err(err) => {
                            (RefusalKind::Limit, format!("the server has no thread left: {err}"))
                        }
                    }
                }
            },
        };
        self.conversation.finished(generation);
        self.decline(generation, refusal.0, refusal.1).await;
    }

    fn refusal(&self, request: &Request) -> Option<(RefusalKind, String)> {
        if self.who.user.kind() == UserKind::Health {
            let text = "this user is for health checks only, log in as yourself".to_owned();
            return Some((RefusalKind::NotPermitted, text));
        }
        if self.stopping {
            return Some((RefusalKind::Limit, "the server is shutting down".to_owned()));
        }
        let nothing = "no file named, say what to read".to_owned();
        let text = request.files.is_empty().then_some(nothing).or_else(|| costs::refusal(request));
        text.map(|text| (RefusalKind::BadRequest, text))
    }

    /// The running request has ended by itself.
    async fn finish(&mut self, ended: Ended) {
        let Some(running) = self.running.take() else { return };
        let generation = running.generation;
        self.log_end(&running, &ended);
        self.conversation.finished(generation);
        let mut last = Vec::new();
        match ended {
            // Unlike a request that was given up, it may be asked again when we are back.
            Ended::Done(_) if self.stopping => {
                let text = STOPPING.to_owned();
                let refusal = Refusal { generation, kind: RefusalKind::Limit, text };
                ServerFrame::Refused(refusal).encode(&mut last);
            }
            Ended::Done(summary) => {
                ServerFrame::Finished { generation, summary }.encode(&mut last);
            }
            Ended::Refused(text) => {
                let refusal = Refusal { generation, kind: RefusalKind::BadRequest, text };
                ServerFrame::Refused(refusal).encode(&mut last);
            }
            Ended::Panicked(text) => {
                let text = format!("internal error of the server, please report it: {text}");
                let refusal = Refusal { generation, kind: RefusalKind::Internal, text };
                ServerFrame::Refused(refusal).encode(&mut last);
            }
        }
        self.outbox.say_last(last).await;
    }

    fn log_end(&self, running: &Running, ended: &Ended) {
        let (log, generation) = (&self.who.log, running.generation);
        match ended {
            Ended::Done(summary) => {
                let told = told(summary, running.started);
                log.info(format_args!("request {generation} ended: {told}"));
            }
            Ended::Refused(text) => {
                log.warn(format_args!("request {generation} refused: {text}"));
            }
            Ended::Panicked(text) => {
                log.error(format_args!("request {generation} failed: {text}"));
            }
        }
    }

    async fn register(&mut self, blob: &[u8]) {
        let rules = self.shared.rules();
        let refusal = match (rules.auth_keys, self.who.address, PublicKey::from_blob(blob)) {
            (None, _, _) => "Server.AuthKeyEnabled is false".to_owned(),
            (_, None, _) => "here sshd decides who may log in".to_owned(),
            (_, _, Err(err)) => format!("this is no public key: {err}"),
            (Some(limits), Some(address), Ok(_)) => {
                let (keys, user, now) =
                    (&self.shared.auth_keys, self.who.user.name(), Moment::now());
                // A key that lets itself in for another day would never expire.
                let done = match self.who.pass {
                    Pass::Authorized { expires } => {
                        let key = NewKey { user, blob, from: address, expires };
                        keys.register(key, limits, now)
                    }
                    Pass::Other => keys.contains(user, blob, address, now),
                };
                if done {
                    self.who.log.info("key registered");
                    return self.answer(&ServerFrame::KeyRegistered).await;
                }
                "log in with an authorized key to register another".to_owned()
            }
        };
        // The session goes on without.
        self.who.log.warn(format_args!("key not registered: {refusal}"));
        let text = format!("key not registered: {refusal}");
        let diagnostic = Diagnostic { severity: Severity::Warn, text };
        let generation = self.generation;
        self.answer(&ServerFrame::Diagnostic { generation, diagnostic }).await;
    }

    /// Refuses a single thing.
    async fn decline(&self, generation: u32, kind: RefusalKind, text: String) {
        self.who.log.warn(format_args!("refused: {text}"));
        self.answer(&ServerFrame::Refused(Refusal { generation, kind, text })).await;
    }

    /// Refuses the session.
    async fn refuse(&self, generation: u32, kind: RefusalKind, text: String) -> End {
        self.decline(generation, kind, text).await;
        self.outbox.hurry(true);
        End::Done
    }

    async fn answer(&self, frame: &ServerFrame) {
        self.outbox.answer(encoded(frame)).await;
    }
}

/// The end of what is running; if nothing is, never.
async fn ended(running: Option<&mut Running>) -> Ended {
    match running {
        Some(running) => running.ended().await,
        None => std::future::pending().await,
    }
}

fn encoded(frame: &ServerFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

/// On the thread of a request: frames from its output.
fn putter(outlet: Outlet) -> impl FnMut(Output) -> ControlFlow<()> {
    let generation = outlet.generation;
    let put = move |frame: &ServerFrame, size: usize| {
        let mut bytes = Vec::with_capacity(size);
        frame.encode(&mut bytes);
        let outgoing = Outgoing { bytes: bytes.into(), charge: frame.charge(), generation };
        outlet.outbox.put(outgoing, &outlet.cancel)
    };
    // Should nobody listen, the first output will tell.
    let _told = put(&ServerFrame::Started { generation }, 16);
    move |output| match output {
        Output::Lines(block) => {
            // Room for the bytes, a number per line of modest length, and the rest.
            let size = block.bytes.len() + block.bytes.len() / 16 + 256;
            put(&ServerFrame::Lines { generation, block }, size)
        }
        Output::Source(summary) => put(&ServerFrame::Source { generation, summary }, 256),
        Output::File(_) => unreachable!("{}", super::NO_FILES),
        Output::Diagnostic(diagnostic) => {
            put(&ServerFrame::Diagnostic { generation, diagnostic }, 256)
        }
        Output::Aggregate(groups) => groups.encode(GROUPS_PIECE, &mut |groups| {
            let size = groups.len() + 32;
            put(&ServerFrame::Aggregate { generation, groups }, size)
        }),
    }
}
