//! One session with one host, the host being whatever a test wants it to be.

use dtail_protocol::frame::{ClientFrame, PREAMBLE, Refusal, RefusalKind, ServerFrame, VERSION};
use dtail_protocol::{Diagnostic, Mode, Severity, SourceSummary, Summary};
use expect_test::{Expect, expect};
use tokio::task::JoinHandle;

use super::super::fixture::{
    Bench, Choice, FakeServer, LIMIT, bench, block, connected, request, shown,
};
use super::super::link::Permit;
use super::super::shared::{Failure, Item};
use super::{HEARTBEAT, LATE, SILENCE, Talk};

type Ended = JoinHandle<Result<Summary, Failure>>;

/// A session that runs, the other end of its stream, and what it hands over.
fn begin(choice: Choice) -> (FakeServer, Ended, Rest) {
    let Bench { mut site, items, orders, stop, .. } = bench(choice);
    let (stream, server) = connected();
    let ended =
        tokio::spawn(async move { Talk::new(stream, &mut site, Permit::of_test()).run().await });
    (server, ended, Rest { items, _orders: orders, stop })
}

struct Rest {
    items: tokio::sync::mpsc::Receiver<Item>,
    /// Only kept so that there still is somebody who gives orders.
    _orders: tokio::sync::mpsc::Sender<super::Order>,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Rest {
    /// Everything that was handed over, in order.
    async fn all(mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(item) = self.items.recv().await {
            all.push(shown(&item));
        }
        all
    }

    async fn next(&mut self) -> Item {
        tokio::time::timeout(LIMIT, self.items.recv()).await.unwrap().unwrap()
    }
}

async fn failure(ended: Ended) -> String {
    let Failure { text, is_passing, is_before_greeting } = ended.await.unwrap().unwrap_err();
    let about = match (is_passing, is_before_greeting) {
        (true, false) => "passing",
        (false, false) => "lasting",
        (_, true) => "before greeting",
    };
    format!("{about}: {text}")
}

fn finished(generation: u32, matches: u64) -> ServerFrame {
    let summary = Summary { matches, files: 1, ..Summary::default() };
    ServerFrame::Finished { generation, summary }
}

fn lines(generation: u32, text: &str) -> ServerFrame {
    ServerFrame::Lines { generation, block: block(text) }
}

#[tokio::test]
async fn an_answer_is_handed_over_in_order() {
    let (mut server, ended, rest) = begin(Choice::default());
    let (hello, start) = server.greet(&[]).await;
    assert_eq!((hello.lowest, hello.highest, hello.credit), (VERSION, VERSION, 1000));
    assert_eq!((start.generation, start.request), (1, request(Mode::Grep, None)));
    let diagnostic = Diagnostic { severity: Severity::Warn, text: "odd".to_owned() };
    server
        .say(&[
            lines(1, "a\n"),
            ServerFrame::Diagnostic { generation: 1, diagnostic },
            ServerFrame::Heartbeat,
            lines(1, "b\n"),
            finished(1, 2),
        ])
        .await;
    assert_eq!(ended.await.unwrap().unwrap().matches, 2);
    let all = rest.all().await;
    expect![[r#"["web f From(1) \"a\\n\"", "web Warn: odd", "web f From(1) \"b\\n\""]"#]]
        .assert_eq(&format!("{all:?}"));
    assert_eq!(server.next().await, Some(ClientFrame::Bye));
    assert_eq!(server.next().await, None);
}

/// What comes of a server that says this and leaves.
#[track_caller]
fn check_bytes(bytes: &[u8], expected: &Expect) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let said = runtime.block_on(async {
        let (mut server, ended, _rest) = begin(Choice::default());
        server.say_bytes(bytes).await;
        drop(server);
        failure(ended).await
    });
    expected.assert_eq(&said);
}

#[test]
fn a_server_that_leaves_early_has_failed() {
    check_bytes(
        b"",
        &expect!["before greeting: the connection was closed before the server introduced itself"],
    );
    check_bytes(
        b"Welcome to web1!\r\n",
        &expect![[
            r#"passing: the other side does not speak DTail's protocol 5 but sent "Welcome to web1!\r\n"; if its log-in shell prints this, make it silent without a terminal"#
        ]],
    );
    check_bytes(
        &PREAMBLE,
        &expect!["before greeting: the connection was closed before the server introduced itself"],
    );
    let mut bytes = PREAMBLE.to_vec();
    lines(1, "a\n").encode(&mut bytes);
    check_bytes(
        &bytes,
        &expect!["before greeting: broke the protocol: an answer before its hello"],
    );
}

#[tokio::test]
async fn a_stream_cut_within_a_frame_is_a_failure() {
    let (mut server, ended, rest) = begin(Choice::default());
    server.greet(&[]).await;
    let mut bytes = Vec::new();
    lines(1, "a\n").encode(&mut bytes);
    let whole = bytes.len();
    lines(1, "b\n").encode(&mut bytes);
    server.say_bytes(&bytes[..whole + 7]).await;
    drop(server);
    expect!["passing: the connection was cut in the middle of the answer"]
        .assert_eq(&failure(ended).await);
    assert_eq!(rest.all().await.len(), 1);
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words() {
    for (generation, kind, expected) in [
        (0, RefusalKind::Limit, expect!["passing: no"]),
        (1, RefusalKind::BadRequest, expect!["lasting: no"]),
        (1, RefusalKind::NotPermitted, expect!["lasting: no"]),
    ] {
        let (mut server, ended, _rest) = begin(Choice::default());
        server.greet(&[]).await;
        let refusal = Refusal { generation, kind, text: "no".to_owned() };
        server.say(&[ServerFrame::Refused(refusal)]).await;
        expected.assert_eq(&failure(ended).await);
    }
}

#[tokio::test]
async fn credit_is_given_back_when_lines_were_passed_on() {
    let (mut server, ended, mut rest) = begin(Choice::default());
    server.greet(&[]).await;
    let frame = lines(1, "a\n");
    server.say(std::slice::from_ref(&frame)).await;
    let item = rest.next().await;
    // Nothing is said about it while somebody still has it.
    server.say(&[ServerFrame::Heartbeat]).await;
    drop(item);
    assert_eq!(server.next().await, Some(ClientFrame::Credit(frame.charge())));
    server.say(&[finished(1, 1)]).await;
    ended.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn both_sides_say_that_they_are_still_there() {
    let (mut server, ended, _rest) = begin(Choice::default());
    server.greet(&[]).await;
    for _ in 0..10 {
        let before = tokio::time::Instant::now();
        assert_eq!(server.next().await, Some(ClientFrame::Heartbeat));
        assert_eq!(before.elapsed().as_secs(), HEARTBEAT.as_secs());
        server.say(&[ServerFrame::Heartbeat]).await;
    }
    server.say(&[finished(1, 0)]).await;
    ended.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_host_is_lost() {
    let (mut server, ended, _rest) = begin(Choice::default());
    server.greet(&[]).await;
    let before = tokio::time::Instant::now();
    expect!["passing: lost: no sign of life for 45 s"].assert_eq(&failure(ended).await);
    assert_eq!(before.elapsed().as_secs(), SILENCE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn whoever_was_stopped_listens_again_before_a_host_is_lost() {
    let (mut server, ended, _rest) = begin(Choice::default());
    server.greet(&[]).await;
    // Lets the talk begin to wait; then a minute passes at once, as for a stopped process.
    assert_eq!(server.next().await, Some(ClientFrame::Heartbeat));
    tokio::time::advance(SILENCE + LATE + LATE).await;
    tokio::task::yield_now().await;
    server.say(&[finished(1, 0)]).await;
    ended.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_print_is_not_lost_and_loses_nothing() {
    let (mut server, ended, rest) = begin(Choice { queue: 1, ..Choice::default() });
    server.greet(&[]).await;
    server.say(&[lines(1, "a\n"), lines(1, "b\n"), lines(1, "c\n"), finished(1, 3)]).await;
    for _ in 0..10 {
        // 150 s without anybody who takes lines.
        assert_eq!(server.next().await, Some(ClientFrame::Heartbeat));
    }
    assert_eq!(rest.all().await.len(), 3);
    ended.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_order_to_stop_lets_the_host_say_what_it_has() {
    let (mut server, ended, mut rest) = begin(Choice::default());
    server.greet(&[]).await;
    server.say(&[lines(1, "a\n")]).await;
    drop(rest.next().await);
    rest.stop.send_replace(true);
    loop {
        match server.next().await {
            Some(ClientFrame::Cancel) => break,
            Some(ClientFrame::Credit(_)) => {}
            other => panic!("cancel, got {other:?}"),
        }
    }
    server.say(&[lines(1, "b\n"), finished(1, 2)]).await;
    assert_eq!(ended.await.unwrap().unwrap().matches, 2);
    assert_eq!(rest.all().await.len(), 1);

    // One that says nothing more is left all the same.
    let (mut server, ended, rest) = begin(Choice::default());
    server.greet(&[]).await;
    rest.stop.send_replace(true);
    assert_eq!(ended.await.unwrap().unwrap(), Summary::default());
}

#[tokio::test]
async fn a_key_is_registered_where_that_is_possible() {
    let (named, other) = (vec![1, 2, 3], vec![4]);
    for (capabilities, logged_in_with, expected) in [
        (&["auth-key"][..], Some(&named), true),
        (&["auth-key"][..], Some(&other), false),
        (&["auth-key"][..], None, false),
        (&[][..], Some(&named), false),
    ] {
        let choice = Choice {
            register_key: Some(named.clone()),
            logged_in_with: logged_in_with.cloned(),
            ..Choice::default()
        };
        let (mut server, ended, _rest) = begin(choice);
        server.greet(capabilities).await;
        if expected {
            assert_eq!(server.next().await, Some(ClientFrame::RegisterKey(named.clone())));
        }
        server.say(&[finished(1, 0)]).await;
        assert_eq!(server.next().await, Some(ClientFrame::Bye));
        ended.await.unwrap().unwrap();
    }
}

/// And what was begun before it is ended first.
#[tokio::test]
async fn what_became_of_a_source_comes_after_its_lines() {
    let mut copy = request(Mode::Cat, None).plain();
    copy.extras.summaries = true;
    let (mut server, ended, rest) = begin(Choice { request: copy, hosts: 2, ..Choice::default() });
    server.greet(&[]).await;
    let source = |generation| ServerFrame::Source {
        generation,
        summary: SourceSummary { source: "f".into(), matches: 2, bytes_read: 3, failed: false },
    };
    let frames = [lines(1, "a\nb"), source(1), source(7), lines(1, "c\n"), finished(1, 0)];
    server.say(&frames).await;
    ended.await.unwrap().unwrap();
    let all = rest.all().await;
    expect![[r#"["web f From(1) \"a\\n\"", "web f Unnumbered \"b\\n\"", "web f done, 2 matches", "web f From(1) \"c\\n\""]"#]].assert_eq(&format!("{all:?}"));
}

#[tokio::test]
async fn several_hosts_do_not_break_into_each_others_lines() {
    let copy = request(Mode::Cat, None).plain();
    let (mut server, ended, rest) = begin(Choice { request: copy, hosts: 2, ..Choice::default() });
    server.greet(&[]).await;
    server.say(&[lines(1, "a\nb"), lines(1, "c\nd"), finished(1, 0)]).await;
    ended.await.unwrap().unwrap();
    let all = rest.all().await;
    expect![[
        r#"["web f From(1) \"a\\n\"", "web f From(1) \"bc\\n\"", "web f Unnumbered \"d\\n\""]"#
    ]]
    .assert_eq(&format!("{all:?}"));
}

mod reload {
    //! Another request on all hosts, or on none.

    use std::sync::Arc;

    use super::super::super::reload::{Desk, carry_out};
    use super::super::super::shared::Active;
    use super::*;

    /// One of two hosts, as the reload sees it.
    struct Host {
        server: FakeServer,
        ended: Ended,
        items: tokio::sync::mpsc::Receiver<Item>,
        desk: Desk,
        stop: tokio::sync::watch::Sender<bool>,
        shared: Arc<super::super::super::shared::Shared>,
    }

    async fn host(name: &str, capabilities: &[&str]) -> Host {
        let Bench { mut site, items, orders, stop, shared } =
            bench(Choice { interactive: true, ..Choice::default() });
        let is_connected = site.is_connected.subscribe();
        let desk = Desk { name: name.to_owned(), orders, is_connected };
        let (stream, mut server) = connected();
        let ended =
            tokio::spawn(
                async move { Talk::new(stream, &mut site, Permit::of_test()).run().await },
            );
        server.greet(capabilities).await;
        let mut connected = desk.is_connected.clone();
        connected.wait_for(|is| *is).await.unwrap();
        Host { server, ended, items, desk, stop, shared }
    }

    fn other() -> Arc<Active> {
        Arc::new(Active::new(request(Mode::Tail, None)).unwrap())
    }

    /// Skips what keeps a connection alive.
    async fn update(server: &mut FakeServer) -> (u32, Mode) {
        match server.next().await {
            Some(ClientFrame::Update(start)) => (start.generation, start.request.mode),
            other => panic!("an update, got {other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_hosts_change_over() {
        let mut host = host("web1", &["interactive"]).await;
        let (items, mut merged) = tokio::sync::mpsc::channel(8);
        let desks = [host.desk.clone()];
        let shared = Arc::clone(&host.shared);
        let reload = tokio::spawn(async move { carry_out(other(), &shared, &desks, &items).await });
        assert_eq!(update(&mut host.server).await, (2, Mode::Tail));
        let started = ServerFrame::Started { generation: 2 };
        host.server.say(&[lines(1, "old\n"), started, lines(1, "late\n"), lines(2, "new\n")]).await;
        reload.await.unwrap().unwrap();
        assert_eq!(shown(&merged.recv().await.unwrap()), "replaced");
        let first = shown(&host.items.recv().await.unwrap());
        let second = shown(&host.items.recv().await.unwrap());
        expect![[r#"web f From(1) "old\n", web f From(1) "new\n""#]]
            .assert_eq(&format!("{first}, {second}"));
        host.stop.send_replace(true);
        assert!(host.ended.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn one_refusal_takes_all_back() {
        let (mut willing, mut refusing) =
            (host("web1", &["interactive"]).await, host("web2", &["interactive"]).await);
        let desks = [willing.desk.clone(), refusing.desk.clone()];
        let (items, mut merged) = tokio::sync::mpsc::channel(8);
        let shared = Arc::clone(&willing.shared);
        shared.counts.connected.store(2, std::sync::atomic::Ordering::Relaxed);
        shared.counts.interactive.store(2, std::sync::atomic::Ordering::Relaxed);
        let reload = tokio::spawn(async move { carry_out(other(), &shared, &desks, &items).await });
        assert_eq!(update(&mut willing.server).await, (2, Mode::Tail));
        assert_eq!(update(&mut refusing.server).await, (2, Mode::Tail));
        let refusal =
            Refusal { generation: 2, kind: RefusalKind::Limit, text: "too many".to_owned() };
        let started = ServerFrame::Started { generation: 2 };
        willing.server.say(&[started, lines(2, "never seen\n")]).await;
        refusing.server.say(&[ServerFrame::Refused(refusal)]).await;
        for host in [&mut willing, &mut refusing] {
            assert_eq!(update(&mut host.server).await, (3, Mode::Grep));
            let started = ServerFrame::Started { generation: 3 };
            host.server.say(&[started, lines(3, "again\n")]).await;
        }
        let err = reload.await.unwrap().unwrap_err().to_string();
        expect!["web2: too many"].assert_eq(&err);
        for host in [&mut willing, &mut refusing] {
            let first = shown(&host.items.recv().await.unwrap());
            expect![[r#"web f From(1) "again\n""#]].assert_eq(&first);
        }
        assert!(merged.recv().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_that_cannot_are_named() {
        let host = host("web1", &[]).await;
        let (items, _merged) = tokio::sync::mpsc::channel(8);
        let result =
            carry_out(other(), &host.shared, std::slice::from_ref(&host.desk), &items).await;
        expect!["1 of 1 connected hosts cannot (interactive is not among their capabilities)"]
            .assert_eq(&result.unwrap_err().to_string());
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_stays_when_it_has_finished() {
        let mut host = host("web1", &["interactive"]).await;
        host.server.say(&[finished(1, 7)]).await;
        assert_eq!(host.server.next().await, Some(ClientFrame::Heartbeat));
        host.stop.send_replace(true);
        assert_eq!(host.ended.await.unwrap().unwrap().matches, 7);
    }
}
