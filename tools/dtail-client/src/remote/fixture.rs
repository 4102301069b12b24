//! What tests of conversations need: a host's task as it sees itself, and the other end of its
//! stream.

use std::sync::Arc;
use std::time::Duration;

use dtail_protocol::frame::{
    CLIENT_FRAME_LIMIT, ClientFrame, ClientHello, Incoming, PREAMBLE, ServerFrame, ServerHello,
    Start, VERSION,
};
use dtail_protocol::{LineBlock, LineNumbers, Mode, Request, SourceSummary};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::Counts;
use super::shared::{Active, Item, Order, Shared, SharedParts, Site, Way};

/// For whatever a test waits for.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// One host's task, and the ends of its channels.
pub(crate) struct Bench {
    pub(crate) site: Site,
    pub(crate) items: mpsc::Receiver<Item>,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) shared: Arc<Shared>,
}

/// What a test can choose.
pub(crate) struct Choice {
    pub(crate) request: Request,
    pub(crate) hosts: usize,
    pub(crate) interactive: bool,
    pub(crate) register_key: Option<Vec<u8>>,
    pub(crate) logged_in_with: Option<Vec<u8>>,
    /// Length of the queue to the merging thread.
    pub(crate) queue: usize,
}

impl Default for Choice {
    fn default() -> Choice {
        Choice {
            request: request(Mode::Grep, None),
            hosts: 1,
            interactive: false,
            register_key: None,
            logged_in_with: None,
            queue: 16,
        }
    }
}

pub(crate) fn request(mode: Mode, query: Option<&str>) -> Request {
    Request { query: query.map(str::to_owned), ..Request::of(mode, vec!["/a.log".into()]) }
}

pub(crate) fn bench(choice: Choice) -> Bench {
    let active = Arc::new(Active::new(choice.request).unwrap());
    let parts = SharedParts {
        way: Way::Ssh(Vec::new()),
        counts: Counts::new(choice.hosts),
        connecting: 1,
        credit: 1000,
        strict: false,
        reconnect: false,
        interactive: choice.interactive,
        register_key: choice.register_key,
    };
    let shared = Arc::new(Shared::new(parts, active));
    let (sender, items) = mpsc::channel(choice.queue);
    let (orders, received) = mpsc::channel(2);
    let stop = watch::Sender::new(false);
    let site = Site {
        name: "web1".parse().unwrap(),
        shared: Arc::clone(&shared),
        items: sender,
        orders: received,
        is_connected: watch::Sender::new(false),
        stop: stop.subscribe(),
        logged_in_with: choice.logged_in_with,
    };
    Bench { site, items, orders, stop, shared }
}

/// Lines of the source `f`, numbered from 1.
pub(crate) fn block(text: &str) -> LineBlock {
    LineBlock {
        source: "f".into(),
        bytes: text.into(),
        numbers: LineNumbers::From(1),
        offsets: Vec::new(),
    }
}

/// Shows what a host's task hands over.
pub(crate) fn shown(item: &Item) -> String {
    match item {
        Item::Lines { host, block, .. } => {
            let LineBlock { source, bytes, numbers, .. } = block;
            let text = String::from_utf8_lossy(bytes);
            format!("{host} {source} {numbers:?} {text:?}")
        }
        Item::Source { host, summary, .. } => {
            let SourceSummary { source, matches, .. } = summary;
            format!("{host} {source} done, {matches} matches")
        }
        Item::Groups { groups, .. } => format!("{} groups", groups.len()),
        Item::Diagnostic(diagnostic) => {
            let host = diagnostic.host.as_deref().unwrap_or("-");
            let diagnostic = &diagnostic.diagnostic;
            format!("{host} {:?}: {}", diagnostic.severity, diagnostic.text)
        }
        Item::Replaced(_) => "replaced".to_owned(),
    }
}

/// A server that says what a test wants.
pub(crate) struct FakeServer {
    pub(crate) stream: DuplexStream,
    incoming: Incoming<ClientFrame>,
}

/// Both ends of a stream.
pub(crate) fn connected() -> (DuplexStream, FakeServer) {
    let (ours, theirs) = duplex(64 << 10);
    let incoming = Incoming::<ClientFrame>::new(CLIENT_FRAME_LIMIT);
    (ours, FakeServer { stream: theirs, incoming })
}

impl FakeServer {
    /// What the client says next; `None`: it has left.
    pub(crate) async fn next(&mut self) -> Option<ClientFrame> {
        loop {
            if let Some(frame) = self.incoming.next().unwrap() {
                return Some(frame);
            }
            let read = timeout(LIMIT, self.stream.read(self.incoming.space()));
            match read.await.expect("the client says something") {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.incoming.commit(length),
            }
        }
    }

    pub(crate) async fn say(&mut self, frames: &[ServerFrame]) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut bytes));
        self.say_bytes(&bytes).await;
    }

    pub(crate) async fn say_bytes(&mut self, bytes: &[u8]) {
        timeout(LIMIT, self.stream.write_all(bytes)).await.unwrap().unwrap();
    }

    /// Takes the first frames, greets, and begins the request.
    pub(crate) async fn greet(&mut self, capabilities: &[&str]) -> (ClientHello, Start) {
        let Some(ClientFrame::Hello(hello)) = self.next().await else { panic!("no hello") };
        let Some(ClientFrame::Start(start)) = self.next().await else { panic!("no start") };
        self.say_bytes(&PREAMBLE).await;
        let capabilities = capabilities.iter().map(ToString::to_string).collect();
        let (hostname, software) = ("web".to_owned(), "fake".to_owned());
        let greeting = ServerHello { version: VERSION, capabilities, hostname, software };
        self.say(&[ServerFrame::Hello(greeting), ServerFrame::Started { generation: 1 }]).await;
        (hello, start)
    }
}
