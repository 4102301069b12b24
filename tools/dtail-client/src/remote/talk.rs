//! Protocol 5 with one host over any stream of bytes: the request out, the answer in, credit and
//! signs of life meanwhile. Never connects.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use dtail_protocol::frame::{
    CLIENT_FRAME_LIMIT, ClientFrame, ClientHello, Incoming, PREAMBLE, Refusal, RefusalKind,
    SERVER_FRAME_LIMIT, ServerFrame, ServerHello, Start, VERSION,
};
use dtail_protocol::{Extras, LineBlock, Mode, Request, SourceSummary, Summary};
use dtail_query::Groups;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::select;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::counts::Counted;
use super::credit::{Charge, Ledger};
use super::joining::Joining;
use super::link::Permit;
use super::shared::{Active, Failure, Item, Order, SOFTWARE, Site};
use crate::HostDiagnostic;

/// Without other traffic each side says this often that it is still there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A host that says nothing for so long is lost.
const SILENCE: Duration = Duration::from_secs(45);
/// Who wakes up so late was stopped, or the machine was, and could not have heard anybody.
const LATE: Duration = Duration::from_secs(5);
/// After the end was ordered: time for the host to say what it still has.
const LAST_WORDS: Duration = Duration::from_millis(400);

/// What is told of a host that left before anything was known of it.
pub(super) const CLOSED_BEFORE_GREETING: &str =
    "the connection was closed before the server introduced itself";
/// Lets a request be replaced while it runs.
pub(crate) const INTERACTIVE: &str = "interactive";
/// Takes keys for later logins.
const AUTH_KEY: &str = "auth-key";

/// One session with one host.
pub(crate) struct Talk<'a, S> {
    site: &'a mut Site,
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    incoming: Incoming<ServerFrame>,
    ledger: Arc<Ledger>,
    permit: Permit,
    active: Arc<Active>,
    generation: u32,
    /// A newer request was sent and not answered yet.
    pending: Option<Pending>,
    /// The newer request runs, but whether it stays is not decided yet, so nothing is read.
    is_held: bool,
    joining: Option<Joining>,
    host: Option<Arc<str>>,
    counted: Vec<Counted>,
    finished: Option<Summary>,
    /// When the host was heard the last time, or we were last too busy to listen.
    heard: Instant,
    said: Instant,
    /// The peer takes nothing any more; it may have said why.
    is_deaf: bool,
    last_words: Option<Instant>,
}

/// A request that the host has not answered yet, and where the answer goes.
struct Pending {
    generation: u32,
    active: Arc<Active>,
    answer: oneshot::Sender<Result<(), String>>,
}

/// What woke the session.
enum Woken {
    Read(io::Result<usize>),
    Returned(u64),
    Ordered(Option<Order>),
    Stopped,
    /// It was planned for this time.
    Timer(Instant),
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Talk<'a, S> {
    /// Nothing is sent yet. `permit` is given up when the host has introduced itself.
    pub(crate) fn new(stream: S, site: &'a mut Site, permit: Permit) -> Talk<'a, S> {
        let (reader, writer) = split(stream);
        let now = Instant::now();
        let active = site.shared.active();
        Talk {
            joining: joining(site, &active.request),
            active,
            site,
            reader,
            writer,
            incoming: Incoming::<ServerFrame>::new(SERVER_FRAME_LIMIT),
            ledger: Arc::default(),
            permit,
            generation: 1,
            pending: None,
            is_held: false,
            host: None,
            counted: Vec::new(),
            finished: None,
            heard: now,
            said: now,
            is_deaf: false,
            last_words: None,
        }
    }

    /// Runs to the end of the answer.
    pub(crate) async fn run(mut self) -> Result<Summary, Failure> {
        let ended = self.converse().await;
        self.pass_rest().await?;
        ended
    }

    /// What had not ended with a line ends now.
    async fn pass_rest(&mut self) -> Result<(), Failure> {
        match self.joining.as_mut().and_then(Joining::take_rest) {
            Some(rest) => self.pass_lines(rest, None).await,
            None => Ok(()),
        }
    }

    async fn converse(&mut self) -> Result<Summary, Failure> {
        let first = self.start(1, &self.active)?;
        let hello = ClientFrame::Hello(ClientHello {
            lowest: VERSION,
            highest: VERSION,
            capabilities: vec![INTERACTIVE.to_owned(), AUTH_KEY.to_owned()],
            credit: self.site.shared.credit,
            software: SOFTWARE.to_owned(),
        });
        let mut bytes = PREAMBLE.to_vec();
        hello.encode(&mut bytes);
        bytes.extend_from_slice(&first);
        self.send(&bytes).await;
        loop {
            if self.obey_frames().await? {
                return Ok(self.leave().await);
            }
            match self.wait().await {
                Woken::Read(Ok(0)) => return self.end_of_stream(),
                Woken::Read(Ok(length)) => {
                    self.heard = Instant::now();
                    self.incoming.commit(length);
                }
                Woken::Read(Err(err)) => return Err(self.fail(format!("connection lost: {err}"))),
                Woken::Returned(bytes) => self.say(&ClientFrame::Credit(bytes)).await,
                Woken::Ordered(order) => self.obey(order).await,
                Woken::Stopped => {
                    self.last_words = Some(Instant::now() + LAST_WORDS);
                    if self.finished.is_some() || self.host.is_none() {
                        return Ok(self.leave().await);
                    }
                    self.is_held = false;
                    self.say(&ClientFrame::Cancel).await;
                }
                Woken::Timer(due) => {
                    let now = Instant::now();
                    if now >= due + LATE {
                        self.heard = now;
                    }
                    if self.last_words.is_some_and(|end| now >= end) {
                        return Ok(self.leave().await);
                    }
                    if !self.is_held && now >= self.heard + SILENCE {
                        let seconds = SILENCE.as_secs();
                        return Err(self.fail(format!("lost: no sign of life for {seconds} s")));
                    }
                    if now >= self.said + HEARTBEAT {
                        self.say(&ClientFrame::Heartbeat).await;
                    }
                }
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let mut wake = self.said + HEARTBEAT;
        if !self.is_held {
            wake = wake.min(self.heard + SILENCE);
        }
        wake = self.last_words.map_or(wake, |end| wake.min(end));
        let is_stopping = self.last_words.is_some();
        let Talk { site, reader, incoming, ledger, .. } = self;
        let Site { orders, stop, .. } = &mut **site;
        select! {
            biased;
            _ = stop.wait_for(|stop| *stop), if !is_stopping => Woken::Stopped,
            order = orders.recv(), if !is_stopping => Woken::Ordered(order),
            bytes = ledger.returned() => Woken::Returned(bytes),
            read = reader.read(incoming.space()), if !self.is_held => Woken::Read(read),
            () = sleep_until(wake) => Woken::Timer(wake),
        }
    }

    /// Deals with the frames that have come; whether the session is over. While it is not decided
    /// whether a new request stays, what belongs to it is left where it is.
    async fn obey_frames(&mut self) -> Result<bool, Failure> {
        while !self.is_held {
            let next = self.incoming.next().map_err(|err| Failure::passing(err.to_string()))?;
            let Some(frame) = next else { break };
            if self.obey_frame(frame).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn end_of_stream(&mut self) -> Result<Summary, Failure> {
        if self.last_words.is_some() {
            return Ok(self.finished.unwrap_or_default());
        }
        match self.finished {
            Some(summary) => Ok(summary),
            None if self.host.is_none() => Err(self.fail(CLOSED_BEFORE_GREETING)),
            None if self.incoming.is_between_frames() => {
                Err(self.fail("the connection was closed before the answer was complete"))
            }
            None => Err(self.fail("the connection was cut in the middle of the answer")),
        }
    }

    /// Deals with a frame; whether the session is over.
    async fn obey_frame(&mut self, frame: ServerFrame) -> Result<bool, Failure> {
        let charge = self.ledger.charge(frame.charge());
        match frame {
            ServerFrame::Hello(hello) if self.host.is_none() => self.greet(hello).await?,
            ServerFrame::Hello(_) => return Err(self.fail("broke the protocol: a second hello")),
            ServerFrame::Refused(refusal) => self.refused(refusal)?,
            ServerFrame::KeyRegistered | ServerFrame::Healthy | ServerFrame::Heartbeat => {}
            _ if self.host.is_none() => {
                return Err(self.fail("broke the protocol: an answer before its hello"));
            }
            ServerFrame::Started { generation } => self.started(generation),
            ServerFrame::Lines { generation, block } => {
                if generation == self.generation {
                    let whole = match &mut self.joining {
                        Some(joining) => joining.add(block),
                        None => Some(block),
                    };
                    if let Some(block) = whole {
                        self.pass_lines(block, Some(charge)).await?;
                    }
                }
            }
            ServerFrame::Source { generation, summary } => {
                if generation == self.generation {
                    self.pass_source(summary, charge).await?;
                }
            }
            ServerFrame::Aggregate { generation, groups } => {
                if generation == self.generation {
                    let groups = self.decode(&groups)?;
                    self.pass(Item::Groups { groups, charge: Some(charge) }).await?;
                }
            }
            ServerFrame::Diagnostic { generation, diagnostic } => {
                if generation == self.generation {
                    let host = self.host.clone();
                    self.pass(Item::Diagnostic(HostDiagnostic { host, diagnostic })).await?;
                }
            }
            ServerFrame::Finished { generation, summary } => {
                if generation == self.generation {
                    self.finished = Some(summary);
                    let waits = self.site.shared.interactive && self.last_words.is_none();
                    return Ok(!waits);
                }
            }
        }
        Ok(false)
    }

    async fn greet(&mut self, hello: ServerHello) -> Result<(), Failure> {
        if hello.version != VERSION {
            let theirs = hello.version;
            return Err(self.fail(format!(
                "speaks protocol version {theirs}, we speak {VERSION}: update the older side"
            )));
        }
        self.host = Some(Arc::from(hello.hostname));
        self.permit.give_up();
        let counts = &self.site.shared.counts;
        self.counted.push(counts.count(|counts| &counts.connected));
        let knows = |name: &str| hello.capabilities.iter().any(|known| known == name);
        if knows(INTERACTIVE) {
            self.counted.push(counts.count(|counts| &counts.interactive));
        }
        self.site.is_connected.send_replace(true);
        if let Some(blob) = self.site.key_to_register().filter(|_| knows(AUTH_KEY)) {
            self.say(&ClientFrame::RegisterKey(blob)).await;
        }
        let current = self.site.shared.active();
        if !Arc::ptr_eq(&current, &self.active) {
            // It was replaced while we connected.
            let (answer, _) = oneshot::channel();
            self.replace(current, answer).await;
        }
        Ok(())
    }

    fn started(&mut self, generation: u32) {
        let pending = self.pending.take_if(|it| it.generation == generation);
        if let Some(Pending { active, answer, .. }) = pending {
            self.generation = generation;
            self.joining = joining(self.site, &active.request);
            self.active = active;
            self.finished = None;
            // Without anybody who waits for the answer there is nothing to wait for either.
            self.is_held = answer.send(Ok(())).is_ok();
        }
    }

    fn refused(&mut self, refusal: Refusal) -> Result<(), Failure> {
        let Refusal { generation, kind, text } = refusal;
        let pending = self.pending.take_if(|it| it.generation == generation);
        if let Some(Pending { answer, .. }) = pending {
            // The number is used up, and nothing is running.
            self.generation = generation;
            self.finished = Some(Summary::default());
            let _is_heard = answer.send(Err(text)).is_ok();
            return Ok(());
        }
        let is_passing = matches!(kind, RefusalKind::Limit | RefusalKind::Internal);
        Err(Failure { text, is_passing, is_before_greeting: false })
    }

    async fn obey(&mut self, order: Option<Order>) {
        match order {
            Some(Order::Replace { active, answer }) => self.replace(active, answer).await,
            // Without anybody who gives orders nothing will be decided any more.
            Some(Order::Resume) | None => {
                self.is_held = false;
                self.heard = Instant::now();
            }
        }
    }

    async fn replace(&mut self, active: Arc<Active>, answer: oneshot::Sender<Result<(), String>>) {
        let generation =
            self.generation.max(self.pending.as_ref().map_or(0, |it| it.generation)) + 1;
        match self.start(generation, &active) {
            Ok(bytes) => {
                if self.is_held {
                    // What was held back belongs to a request that is taken back.
                    self.generation = generation;
                }
                self.pending = Some(Pending { generation, active, answer });
                self.is_held = false;
                self.send(&bytes).await;
            }
            Err(failure) => {
                let _is_heard = answer.send(Err(failure.text)).is_ok();
            }
        }
    }

    /// The frame that begins a request.
    fn start(&self, generation: u32, active: &Active) -> Result<Vec<u8>, Failure> {
        let mut request = active.request.clone();
        if let (Some(timeout), Some(left)) = (request.timeout, self.site.shared.time_left()) {
            // After a reconnection only the rest of the time is left.
            request.timeout = Some(timeout.min(left.max(Duration::from_millis(1))));
        }
        let start = Start { generation, request, strict: self.site.shared.strict };
        if let Some(text) = start.excess() {
            return Err(Failure::lasting(text));
        }
        let mut bytes = Vec::new();
        match generation {
            1 => ClientFrame::Start(start).encode(&mut bytes),
            _ => ClientFrame::Update(start).encode(&mut bytes),
        }
        if bytes.len() > CLIENT_FRAME_LIMIT {
            let text = format!(
                "the request is longer than {CLIENT_FRAME_LIMIT} bytes: ask for less at once"
            );
            return Err(Failure::lasting(text));
        }
        Ok(bytes)
    }

    fn decode(&self, groups: &[u8]) -> Result<Groups, Failure> {
        let Some(query) = &self.active.query else {
            return Err(self.fail("broke the protocol: a result without a query"));
        };
        Groups::decode(groups, query, self.site.shared.strict)
            .map_err(|err| self.fail(format!("broke the protocol: {err}")))
    }

    async fn pass_lines(
        &mut self,
        block: LineBlock,
        charge: Option<Charge>,
    ) -> Result<(), Failure> {
        let Some(host) = self.host.clone() else { return Ok(()) };
        self.pass(Item::Lines { host, block, charge }).await
    }

    /// Nothing of the source follows.
    async fn pass_source(&mut self, summary: SourceSummary, charge: Charge) -> Result<(), Failure> {
        self.pass_rest().await?;
        let Some(host) = self.host.clone() else { return Ok(()) };
        self.pass(Item::Source { host, summary, charge }).await
    }

    /// Hands over, however long that takes; the host is told meanwhile that we are still there.
    async fn pass(&mut self, item: Item) -> Result<(), Failure> {
        loop {
            select! {
                place = self.site.items.reserve() => {
                    return match place {
                        Ok(place) => {
                            place.send(item);
                            self.heard = Instant::now();
                            Ok(())
                        }
                        Err(_) => Err(self.fail("nobody takes the answer")),
                    };
                }
                () = sleep_until(self.said + HEARTBEAT) => {}
            }
            self.say(&ClientFrame::Heartbeat).await;
        }
    }

    async fn say(&mut self, frame: &ClientFrame) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.send(&bytes).await;
    }

    /// Whether anybody takes it is seen when reading: the peer may have said why it does not.
    async fn send(&mut self, bytes: &[u8]) {
        self.said = Instant::now();
        if self.is_deaf {
            return;
        }
        let Talk { writer, .. } = self;
        let sent = timeout(SILENCE, async {
            writer.write_all(bytes).await?;
            writer.flush().await
        });
        self.is_deaf = !matches!(sent.await, Ok(Ok(())));
    }

    async fn leave(&mut self) -> Summary {
        self.say(&ClientFrame::Bye).await;
        self.finished.unwrap_or_default()
    }

    fn fail(&self, text: impl Into<String>) -> Failure {
        Failure { is_before_greeting: self.host.is_none(), ..Failure::passing(text) }
    }
}

/// Several hosts that copy whole files must not break into each other's lines.
fn joining(site: &Site, request: &Request) -> Option<Joining> {
    let Extras { numbers, offsets, .. } = request.extras;
    let copies = request.mode == Mode::Cat && request.pattern.is_none() && !numbers && !offsets;
    (copies && site.shared.several).then(|| Joining::new(site.shared.credit))
}

#[cfg(test)]
mod tests;
