//! Sessions over streams in memory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use dtail_process::config::Config;
use dtail_process::log::Level;
use dtail_protocol::frame::{
    ClientFrame, ClientHello, Incoming, PREAMBLE, SERVER_FRAME_LIMIT, ServerFrame, Start,
    TEXTS_LIMIT, VERSION,
};
use dtail_protocol::{Extras, FollowFrom, Mode, Parts, Pattern, Request, SourceSummary, Whole};
use expect_test::{Expect, expect};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

use super::{Dialect, serve};
use crate::gate::Pass;
use crate::log::Log;
use crate::rules::Rules;
use crate::shared::{Shared, Who};
use crate::stats::Stats;
use crate::user_log::UserLog;
use crate::users::User;
use crate::wire::Writer;

/// No step of a test takes longer.
const LIMIT: Duration = Duration::from_secs(20);
/// More than any test sends.
const PLENTY: u64 = 1 << 30;

/// The client's side of a session.
struct Client {
    shared: Arc<Shared>,
    input: Option<DuplexStream>,
    output: mpsc::Receiver<Bytes>,
    incoming: Incoming<ServerFrame>,
}

fn shared(json: &str) -> Arc<Shared> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dtail.json");
    std::fs::write(&path, json).unwrap();
    let rules = Rules::new(&Config::load(Some(&path)).unwrap(), None).unwrap();
    Arc::new(Shared::new(Log::new(Level::None, None, None), rules))
}

impl Client {
    fn start(shared: &Arc<Shared>, user: &str, dialect: Dialect) -> Client {
        let (input, reader) = tokio::io::duplex(64 * 1024);
        let (writer, output) = mpsc::channel(1);
        let user = User::named(user).unwrap();
        let log = UserLog::unlimited(&shared.log, "ann@test".to_owned());
        let who = Who { user, log, address: None, pass: Pass::Other };
        let served = Arc::clone(shared);
        tokio::spawn(async move {
            serve(&served, &who, dialect, Box::new(reader), Writer::Thread(writer)).await;
        });
        let incoming = Incoming::<ServerFrame>::new(SERVER_FRAME_LIMIT);
        Client { shared: Arc::clone(shared), input: Some(input), output, incoming }
    }

    /// After the first words of both sides.
    async fn greeted(shared: &Arc<Shared>, user: &str, credit: u64) -> Client {
        let mut client = Client::start(shared, user, Dialect::Native);
        client.send_bytes(&PREAMBLE).await;
        client.send(&ClientFrame::Hello(hello(credit))).await;
        let greeting = client.next().await;
        assert!(matches!(greeting, Some(ServerFrame::Hello(_))), "{greeting:?}");
        client
    }

    async fn send_bytes(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).await.unwrap();
    }

    async fn send(&mut self, frame: &ClientFrame) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.send_bytes(&bytes).await;
    }

    /// The next frame; `None` at the end.
    async fn next(&mut self) -> Option<ServerFrame> {
        loop {
            if let Some(frame) = self.incoming.next().unwrap() {
                return Some(frame);
            }
            let bytes = self.receive().await?;
            let mut rest: &[u8] = &bytes;
            while !rest.is_empty() {
                let space = self.incoming.space();
                let count = rest.len().min(space.len());
                space[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                self.incoming.commit(count);
            }
        }
    }

    async fn receive(&mut self) -> Option<Bytes> {
        let received = tokio::time::timeout(LIMIT, self.output.recv()).await;
        received.expect("the server says something in time")
    }

    /// Everything up to the end of the request or session, as text.
    async fn rest(&mut self) -> String {
        let mut said = String::new();
        while let Some(frame) = self.next().await {
            said += &match &frame {
                ServerFrame::Lines { generation, block } => {
                    format!("lines {generation} {}", String::from_utf8_lossy(&block.bytes))
                }
                ServerFrame::Source { generation, summary } => {
                    let SourceSummary { source, matches, bytes_read, failed } = summary;
                    format!("source {generation} {source} {matches} {bytes_read} {failed}\n")
                }
                ServerFrame::Aggregate { generation, .. } => format!("aggregate {generation}\n"),
                ServerFrame::Diagnostic { generation, diagnostic } => {
                    format!("{:?} {generation} {}\n", diagnostic.severity, diagnostic.text)
                }
                ServerFrame::Finished { generation, summary } => format!(
                    "finished {generation} files={} failed={} aborted={}\n",
                    summary.files, summary.failed_files, summary.aborted
                ),
                ServerFrame::Refused(refusal) => format!("{refusal:?}\n"),
                other => format!("{other:?}\n"),
            };
            if matches!(frame, ServerFrame::Finished { .. } | ServerFrame::Refused(_)) {
                break;
            }
        }
        said
    }

    async fn wait_until(&self, what: &str, condition: impl Fn(&Shared) -> bool) {
        let holds = async {
            while !condition(&self.shared) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(LIMIT, holds).await.expect(what);
    }
}

fn hello(credit: u64) -> ClientHello {
    let capabilities = ["interactive", "auth-key"].map(str::to_owned).to_vec();
    ClientHello {
        lowest: VERSION,
        highest: VERSION,
        capabilities,
        credit,
        software: "test".to_owned(),
    }
}

fn request(mode: Mode, file: &Path, query: Option<&str>) -> Request {
    Request { query: query.map(str::to_owned), ..Request::of(mode, vec![file.into()]).plain() }
}

fn start(generation: u32, request: Request) -> Start {
    Start { generation, request, strict: false }
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> std::path::PathBuf {
        let path = self.0.path().canonicalize().unwrap().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// What a session says to one request.
fn answer(json: &str, user: &str, request: Request) -> String {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = Client::greeted(&shared(json), user, PLENTY).await;
        client.send(&ClientFrame::Start(start(1, request))).await;
        client.rest().await
    })
}

#[track_caller]
fn check(json: &str, user: &str, request: Request, expected: &Expect) {
    expected.assert_eq(&answer(json, user, request));
}

#[test]
fn a_request_is_carried_out() {
    let files = Files::new();
    let path = files.write("a.log", "one\ntwo\n");
    check(
        "{}",
        "ann",
        request(Mode::Cat, &path, None),
        &expect![[r#"
        Started { generation: 1 }
        lines 1 one
        two
        finished 1 files=1 failed=0 aborted=false
    "#]],
    );
    let query = "select count($line) group by $line";
    check(
        "{}",
        "ann",
        request(Mode::Map, &path, Some(query)),
        &expect![[r#"
        Started { generation: 1 }
        aggregate 1
        finished 1 files=1 failed=0 aborted=false
    "#]],
    );
}

#[test]
fn counting_sends_no_lines() {
    let files = Files::new();
    let path = files.write("a.log", "one\nTwo\nTOO\n");
    let texts = vec!["two".to_owned(), "O$".to_owned()];
    let pattern = Pattern { texts, ignore_case: true, ..Pattern::default() };
    let request = Request {
        files: vec![path.into(), "/missing/b.log".into()],
        pattern: Some(pattern),
        parts: Parts::Nothing,
        extras: Extras { summaries: true, ..Extras::default() },
        ..Request::of(Mode::Grep, Vec::new())
    };
    check(
        "{}",
        "ann",
        request,
        &expect![[r#"
            Started { generation: 1 }
            source 1 a.log 2 12 false
            Error 1 /missing/b.log cannot be read: missing or not permitted
            source 1 b.log 0 0 true
            finished 1 files=1 failed=1 aborted=false
        "#]],
    );
}

/// One user's request leaves processors to others.
#[test]
fn threads_of_one_request_are_not_all_there_are() {
    let shared = shared("{}");
    let log = UserLog::unlimited(&shared.log, "ann@test".to_owned());
    let who = Who { user: User::named("ann").unwrap(), log, address: None, pass: Pass::Other };
    let settings = super::settings(&shared, &who, Mode::Grep, false).unwrap();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    assert!((1..=processors.div_ceil(2)).contains(&settings.threads));
    assert!(!settings.passes_files);
}

#[test]
fn a_request_is_told_in_one_line_of_bounded_length() {
    let path = Path::new("/a.log");
    let told = |pattern| {
        super::shown(&Request { pattern: Some(pattern), ..request(Mode::Grep, path, None) })
    };
    expect![[r#"grep /a.log, lines matching "a\nb""#]].assert_eq(&told(Pattern::of("a\nb")));
    let texts: Vec<String> = (0..10_000).map(|number| number.to_string().repeat(100)).collect();
    let pattern =
        Pattern { texts, invert: true, fixed: true, ignore_case: true, whole: Whole::Words };
    let count = Request {
        parts: Parts::Nothing,
        files: vec!["x".repeat(100_000).into(); 20],
        query: Some("y".repeat(100_000)),
        pattern: Some(pattern.clone()),
        ..request(Mode::Grep, path, None)
    };
    assert!(super::shown(&count).len() < 4000);
    let texts = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    expect![[r#"grep /a.log, lines not matching "a" or "b" or "c" or 2 more literally in any case as words"#]].assert_eq(&told(Pattern { texts, ..pattern }));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_patterns_than_may_be_are_refused_in_one_line() {
    let mut client = Client::greeted(&shared("{}"), "ann", PLENTY).await;
    let texts = vec!["x".to_owned(); TEXTS_LIMIT + 1];
    let pattern = Some(Pattern { texts, ..Pattern::default() });
    let request = Request { pattern, ..request(Mode::Grep, Path::new("/a.log"), None) };
    client.send(&ClientFrame::Start(start(1, request))).await;
    expect![[r#"
        Refusal { generation: 0, kind: BadRequest, text: "more than 10000 patterns in one request: give fewer" }
    "#]].assert_eq(&client.rest().await);
    assert_eq!(client.next().await, None);
}

/// Compiling is what a request costs before the first byte is read, and it cannot be cancelled: it
/// is over within the time that a client waits for anything here.
#[test]
fn patterns_made_to_be_costly_cost_little() {
    let files = Files::new();
    let path = files.write("a.log", "x".repeat(60) + "499y\n");
    let many = |text: fn(usize) -> String| (0..TEXTS_LIMIT).map(text).collect::<Vec<String>>();
    let texts = [
        many(|number| format!("(?:[a-z]{{1,50}}){{1,50}}{number}")),
        many(|number| format!("\\pL{{40}}{number}")),
        many(|number| format!("(?i){}{number}", "kſ".repeat(20))),
        (0..500).map(|number| format!("\\pL{{100}}{number}")).collect(),
        vec!["(?:(?:(?:x{1,99}){1,99}){1,99}){1,99}".to_owned()],
        vec!["(".repeat(100_000) + &")".repeat(100_000)],
        vec!["a|".repeat(500_000)],
        vec!["[^x]?".repeat(200_000)],
    ];
    for (number, texts) in texts.into_iter().enumerate() {
        let pattern = Pattern { texts, ignore_case: true, ..Pattern::default() };
        let request = Request { pattern: Some(pattern), ..request(Mode::Grep, &path, None) };
        let said = answer("{}", "ann", request);
        assert!(said.contains("finished 1") || said.contains("BadRequest"), "{number}: {said}");
    }
}

#[test]
fn what_is_not_permitted_looks_like_what_is_missing() {
    let files = Files::new();
    let path = files.write("a.log", "one\n");
    let json = r#"{"Server": {"Permissions": {"Default": ["^/nothing/"], "Users": {"bob": []}}}}"#;
    let missing = files.0.path().canonicalize().unwrap().join("missing.log");
    let mut answers = Vec::new();
    for path in [&path, &missing] {
        let said = answer(json, "ann", request(Mode::Cat, path, None));
        answers.push(said.replace(&*path.to_string_lossy(), "FILE"));
    }
    assert_eq!(answers[0], answers[1]);
    expect![[r#"
        Started { generation: 1 }
        Error 1 FILE cannot be read: missing or not permitted
        finished 1 files=0 failed=1 aborted=false
    "#]]
    .assert_eq(&answers[0]);
    check(
        json,
        "bob",
        request(Mode::Cat, &path, None),
        &expect![[r#"
        Refusal { generation: 1, kind: NotPermitted, text: "you may not read anything here" }
    "#]],
    );
}

#[test]
fn bad_requests_are_refused() {
    let files = Files::new();
    let path = files.write("a.log", "one\n");
    let nothing = Request { files: Vec::new(), ..request(Mode::Cat, &path, None) };
    check(
        "{}",
        "ann",
        nothing,
        &expect![[r#"
        Refusal { generation: 1, kind: BadRequest, text: "no file named, say what to read" }
    "#]],
    );
    check(
        "{}",
        "ann",
        request(Mode::Map, &path, Some("selct")),
        &expect![[r#"
            Refusal { generation: 1, kind: BadRequest, text: "cannot parse query: unexpected word \"selct\" at column 1 (expected a clause such as select, from, where); did you mean select?" }
        "#]],
    );
    check(
        "{}",
        "DTAIL-HEALTH",
        request(Mode::Cat, &path, None),
        &expect![[r#"
        Refusal { generation: 1, kind: NotPermitted, text: "this user is for health checks only, log in as yourself" }
    "#]],
    );
}

#[test]
fn a_query_with_too_many_groups_is_given_up() {
    let files = Files::new();
    let lines: String = (0..200_000).map(|number| format!("{number}\n")).collect();
    let path = files.write("a.log", lines);
    let query = "select count($line) group by $line";
    let json = r#"{"Server": {"MaxQueryMemory": 1000000}}"#;
    check(
        json,
        "ann",
        request(Mode::Map, &path, Some(query)),
        &expect![[r#"
        Started { generation: 1 }
        Error 1 the groups of this query need more than the 1000000 bytes of memory of Server.MaxQueryMemory: group by fewer different values or select fewer lines
        finished 1 files=1 failed=0 aborted=true
    "#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credit_nothing_flows_and_little_is_held() {
    let files = Files::new();
    let path = files.write("a.log", "x".repeat(127).as_str().to_owned() + "\n");
    let line = std::fs::read(&path).unwrap();
    let path = files.write("big.log", line.repeat(200_000));
    let mut client = Client::greeted(&shared("{}"), "ann", 1).await;
    client.send(&ClientFrame::Start(start(1, request(Mode::Cat, &path, None)))).await;
    assert_eq!(client.next().await, Some(ServerFrame::Started { generation: 1 }));
    let first = client.next().await;
    let Some(ServerFrame::Lines { block, .. }) = &first else { panic!("{first:?}") };
    let mut received = block.bytes.len();
    // One byte of credit is worth one frame, and the debt has to be paid first.
    let debt = first.as_ref().unwrap().charge() - 1;
    let sent = |shared: &Shared| shared.stats.bytes_sent.load(Ordering::Relaxed);
    let before = sent(&client.shared);
    client.send(&ClientFrame::Credit(debt)).await;
    client.send(&ClientFrame::Health).await;
    assert_eq!(client.next().await, Some(ServerFrame::Healthy));
    assert!(sent(&client.shared) - before < 100);
    client.send(&ClientFrame::Credit(PLENTY)).await;
    loop {
        match client.next().await {
            Some(ServerFrame::Lines { block, .. }) => received += block.bytes.len(),
            Some(ServerFrame::Finished { .. }) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(received, 128 * 200_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_is_cancelled_replaced_and_ended() {
    let files = Files::new();
    let (first, second) = (files.write("a.log", ""), files.write("b.log", "two\n"));
    let mut client = Client::greeted(&shared("{}"), "ann", PLENTY).await;
    client.send(&ClientFrame::Start(start(1, request(Mode::Tail, &first, None)))).await;
    assert_eq!(client.next().await, Some(ServerFrame::Started { generation: 1 }));
    client.send(&ClientFrame::Update(start(2, request(Mode::Cat, &second, None)))).await;
    expect![[r#"
        Started { generation: 2 }
        lines 2 two
        finished 2 files=1 failed=0 aborted=false
    "#]]
    .assert_eq(&client.rest().await);
    let follow_from = FollowFrom::Beginning;
    let follow = Request { follow_from, ..request(Mode::Tail, &second, None) };
    client.send(&ClientFrame::Update(start(3, follow))).await;
    assert_eq!(client.next().await, Some(ServerFrame::Started { generation: 3 }));
    // Before its lines have come, it may not have opened the file.
    assert!(matches!(client.next().await, Some(ServerFrame::Lines { generation: 3, .. })));
    client.send(&ClientFrame::Cancel).await;
    expect![[r#"
        finished 3 files=1 failed=0 aborted=false
    "#]]
    .assert_eq(&client.rest().await);
    client.send(&ClientFrame::Bye).await;
    assert_eq!(client.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_tells_what_is_cut_short() {
    let files = Files::new();
    let path = files.write("a.log", "");
    let shared = shared("{}");
    let mut client = Client::greeted(&shared, "ann", PLENTY).await;
    let mut idle = Client::greeted(&shared, "ann", PLENTY).await;
    client.send(&ClientFrame::Start(start(1, request(Mode::Tail, &path, None)))).await;
    assert_eq!(client.next().await, Some(ServerFrame::Started { generation: 1 }));
    shared.stop_all();
    expect![[r#"
        Refusal { generation: 1, kind: Limit, text: "the server is shutting down, this is not all" }
    "#]]
    .assert_eq(&client.rest().await);
    assert_eq!((client.next().await, idle.next().await), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_nothing_behind() {
    let files = Files::new();
    let path = files.write("a.log", "line\n".repeat(1_000_000));
    // With credit and without.
    for credit in [PLENTY, 1] {
        let mut client = Client::greeted(&shared("{}"), "ann", credit).await;
        client.send(&ClientFrame::Start(start(1, request(Mode::Cat, &path, None)))).await;
        assert_eq!(client.next().await, Some(ServerFrame::Started { generation: 1 }));
        client.input = None;
        client.output.close();
        client
            .wait_until("session and thread end", |shared| {
                let Stats { sessions, running, .. } = &shared.stats;
                sessions.load(Ordering::Relaxed) + running.load(Ordering::Relaxed) == 0
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_and_ends_the_session() {
    let mut huge = PREAMBLE.to_vec();
    huge.extend([0xff; 16]);
    let mut frame = Vec::new();
    ClientFrame::Health.encode(&mut frame);
    let too_early = [&PREAMBLE[..], &frame].concat();
    for (bytes, expected) in [
        (
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            expect![[r#"
            Refusal { generation: 0, kind: Protocol, text: "the other side does not speak DTail's protocol 5 but sent \"GET / HTTP/1.1\\r\\n\\r\\n\"; if its log-in shell prints this, make it silent without a terminal" }
        "#]],
        ),
        (
            huge,
            expect![[r#"
            Refusal { generation: 0, kind: Protocol, text: "unknown kind of frame 0xff; bring client and server to the same version" }
        "#]],
        ),
        (
            too_early,
            expect![[r#"
            Refusal { generation: 0, kind: Protocol, text: "a session begins with a hello" }
        "#]],
        ),
    ] {
        let mut client = Client::start(&shared("{}"), "ann", Dialect::Native);
        client.send_bytes(&bytes).await;
        expected.assert_eq(&client.rest().await);
        assert_eq!(client.next().await, None);
    }
}
