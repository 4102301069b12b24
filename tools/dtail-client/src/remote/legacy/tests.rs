//! One session with one old DTail server, which is whatever a test wants it to be.

use std::time::Duration;

use dtail_protocol::legacy::{self, Command, CommandDecoder};
use dtail_protocol::{FollowFrom, Mode, Parts, Pattern, Request, Whole};
use expect_test::{Expect, expect};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use super::super::fixture::{Bench, Choice, LIMIT, bench, request, shown};
use super::super::link::Permit;

struct OldServer {
    stream: DuplexStream,
    commands: CommandDecoder,
}

impl OldServer {
    /// What the client says next; `None`: it has left.
    async fn next(&mut self) -> Option<Command> {
        loop {
            if let Some(command) = self.commands.next().unwrap() {
                return Some(command);
            }
            let mut buffer = [0; 1024];
            match timeout(LIMIT, self.stream.read(&mut buffer)).await.expect("it speaks") {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.commands.feed(&buffer[..length]),
            }
        }
    }
}

/// Shows what the client says to begin with and after the server's messages, what it hands over and
/// how it ends.
#[track_caller]
fn check(request: Request, messages: impl Fn(&mut Vec<u8>), expected: &Expect) {
    expected.assert_eq(&said(request, messages));
}

fn said(request: Request, messages: impl Fn(&mut Vec<u8>)) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let key = || Some(vec![7]);
        let (register_key, logged_in_with) = (key(), key());
        let choice = Choice { request, register_key, logged_in_with, ..Choice::default() };
        let Bench { mut site, mut items, stop: _stop, .. } = bench(choice);
        let (stream, theirs) = duplex(1 << 16);
        let mut server = OldServer { stream: theirs, commands: CommandDecoder::new(1 << 20) };
        let ended =
            tokio::spawn(async move { super::talk(stream, &mut site, Permit::of_test()).await });
        let mut bytes = Vec::new();
        messages(&mut bytes);
        server.stream.write_all(&bytes).await.unwrap();
        server.stream.shutdown().await.unwrap();
        let mut said = Vec::new();
        while let Some(item) = items.recv().await {
            said.push(shown(&item));
        }
        match ended.await.unwrap() {
            Ok(summary) => said.push(format!(
                "{} lines, {} files, {} failed",
                summary.matches, summary.files, summary.failed_files
            )),
            Err(failure) => said.push(failure.text),
        }
        while let Some(command) = server.next().await {
            said.push(format!("{command:?}"));
        }
        said.join("\n")
    })
}

#[test]
fn lines_become_blocks_and_the_end_is_acknowledged() {
    let messages = |bytes: &mut Vec<u8>| {
        legacy::write_line(bytes, "web", "f", 1, b"one\n", false);
        legacy::write_line(bytes, "web", "f", 2, b"price 3 \xe2\x82\xac\n", false);
        legacy::write_line(bytes, "web", "g", 9, b"no end", false);
        legacy::server_text(bytes, "web", "WARN|1002-071143|me|odd");
        legacy::server_text(bytes, "web", "INFO|1002-071143|me|boring");
        legacy::close_connection(bytes);
    };
    check(
        request(Mode::Grep, None),
        messages,
        &expect![[r#"
        web f Each([1, 2]) "one\nprice 3 €\n"
        web g Each([9]) "no end\n"
        web Warn: WARN|1002-071143|me|odd
        3 lines, 1 files, 0 failed
        Read { mode: Grep, options: Options { before: 0, after: 0, max: 0, plain: false, quiet: false, serverless: false }, file: "/a.log", pattern: None }
        AckClose"#]],
    );
}

#[test]
fn errors_of_the_server_are_failed_files() {
    let messages = |bytes: &mut Vec<u8>| {
        legacy::server_text(bytes, "web", "ERROR|1002-071143|me|Unable to read file(s)");
        legacy::close_connection(bytes);
    };
    check(
        request(Mode::Cat, None),
        messages,
        &expect![[r#"
        web Error: ERROR|1002-071143|me|Unable to read file(s)
        0 lines, 0 files, 1 failed
        Read { mode: Cat, options: Options { before: 0, after: 0, max: 0, plain: false, quiet: false, serverless: false }, file: "/a.log", pattern: None }
        AckClose"#]],
    );
}

#[test]
fn a_query_is_asked_first_and_its_groups_are_merged() {
    let messages = |bytes: &mut Vec<u8>| {
        legacy::aggregate(bytes, "web", "a∥3∥count($line)≔3∥".as_bytes());
        legacy::aggregate(bytes, "web", "b∥1∥count($line)≔1∥".as_bytes());
        legacy::aggregate(bytes, "web", "a∥3∥count($line)≔3∥".as_bytes());
        legacy::close_connection(bytes);
    };
    let query = "from STATS select count($line) group by $hostname";
    let timeout = Some(Duration::from_secs(7));
    check(
        Request { timeout, ..request(Mode::Map, Some(query)) },
        messages,
        &expect![[r#"
            2 groups
            0 lines, 1 files, 0 failed
            Map { options: Options { before: 0, after: 0, max: 0, plain: false, quiet: false, serverless: false }, query: "from STATS select count($line) group by $hostname" }
            Timeout { seconds: 7, mode: Cat, file: "/a.log", pattern: Some(Pattern { texts: ["\\|MAPREDUCE:STATS\\|"], invert: false, fixed: false, ignore_case: false, whole: Nothing }) }
            AckClose"#]],
    );
}

#[test]
fn keys_are_registered_only_where_that_is_known() {
    let messages = |bytes: &mut Vec<u8>| {
        legacy::capabilities(bytes, &["query-update-v1", "journal-v1"]);
        legacy::auth_key_ok(bytes, "web");
        legacy::close_connection(bytes);
    };
    check(
        request(Mode::Cat, None),
        messages,
        &expect![[r#"
        0 lines, 1 files, 0 failed
        Read { mode: Cat, options: Options { before: 0, after: 0, max: 0, plain: false, quiet: false, serverless: false }, file: "/a.log", pattern: None }
        AuthKey([7])
        AckClose"#]],
    );
}

/// What an old server is told of a pattern, or why it is told nothing.
#[track_caller]
fn check_pattern(change: impl FnOnce(&mut Request), expected: &Expect) {
    let mut request = Request { pattern: Some(Pattern::of("a.b")), ..request(Mode::Grep, None) };
    change(&mut request);
    let said = said(request, legacy::close_connection);
    let read = said.split_once("pattern: Some(").map(|(_, pattern)| pattern);
    let read = read.and_then(|pattern| pattern.split_once(", fixed")).map(|(texts, _)| texts);
    expected.assert_eq(read.unwrap_or(&said));
}

#[test]
fn todays_patterns_are_said_as_expressions() {
    let pattern = |request: &mut Request, pattern| request.pattern = Some(pattern);
    check_pattern(|_| {}, &expect![[r#"Pattern { texts: ["a.b"], invert: false"#]]);
    check_pattern(
        |it| pattern(it, Pattern { ignore_case: true, invert: true, ..Pattern::of("a") }),
        &expect![[r#"Pattern { texts: ["(?i:a)"], invert: true"#]],
    );
    check_pattern(
        |it| pattern(it, Pattern { fixed: true, ..Pattern::of("a.b") }),
        &expect![[r#"Pattern { texts: ["a\\.b"], invert: false"#]],
    );
    check_pattern(
        |it| pattern(it, Pattern { whole: Whole::Words, ..Pattern::of("a|b") }),
        &expect![[r#"Pattern { texts: ["(?:^|\\W)(?:a|b)(?:\\W|$)"], invert: false"#]],
    );
    check_pattern(
        |it| pattern(it, Pattern { whole: Whole::Line, ..Pattern::of("a|b") }),
        &expect![[r#"Pattern { texts: ["^(?:a|b)\\n?$"], invert: false"#]],
    );
    let texts = vec!["a".to_owned(), "b c".to_owned()];
    check_pattern(
        |it| pattern(it, Pattern { texts, ..Pattern::default() }),
        &expect![[r#"Pattern { texts: ["(?:a)|(?:b c)"], invert: false"#]],
    );
}

#[test]
fn what_an_old_server_cannot_be_told_fails_there() {
    check_pattern(
        |it| it.parts = Parts::Matches,
        &expect![
            "the server speaks protocol 4.1 only, which sends whole lines and not only what matches; update the server"
        ],
    );
    check_pattern(
        |it| {
            it.parts = Parts::Nothing;
            it.extras.summaries = true;
        },
        &expect![
            "the server speaks protocol 4.1 only, which sends lines and does not count them for each file; update the server"
        ],
    );
    check_pattern(
        |it| it.extras.summaries = true,
        &expect![
            "the server speaks protocol 4.1 only, which does not say what became of each file; update the server"
        ],
    );
    check_pattern(
        |it| it.extras.offsets = true,
        &expect![
            "the server speaks protocol 4.1 only, which does not say where in its file a line begins; update the server"
        ],
    );
    check_pattern(
        |it| {
            it.mode = Mode::Tail;
            it.follow_from = FollowFrom::Lines(10);
        },
        &expect![
            "the server speaks protocol 4.1 only, which follows files from their ends only; update the server"
        ],
    );
    // Names may differ, lines do not.
    check_pattern(
        |it| it.extras.paths = true,
        &expect![[r#"Pattern { texts: ["a.b"], invert: false"#]],
    );
}

#[test]
fn a_server_that_leaves_early_has_failed() {
    check(
        request(Mode::Cat, None),
        |_| {},
        &expect![[r#"
        the connection was closed before the answer was complete
        Read { mode: Cat, options: Options { before: 0, after: 0, max: 0, plain: false, quiet: false, serverless: false }, file: "/a.log", pattern: None }"#]],
    );
}

#[test]
fn what_cannot_be_said_is_an_error() {
    let files = vec!["a b.log".into(), "c.log".into()];
    check(
        Request { files, ..request(Mode::Cat, None) },
        legacy::close_connection,
        &expect![[r#"
            web1 Error: the server speaks protocol 4.1 only, which cannot name the file "a b.log"; update the server
            0 lines, 1 files, 1 failed
            Read { mode: Cat, options: Options { before: 0, after: 0, max: 0, plain: false, quiet: false, serverless: false }, file: "c.log", pattern: None }
            AckClose"#]],
    );
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_for_anything_is_left() {
    let files = vec!["a b.log".into()];
    let query = "select count($line) group by $hostname";
    for (mode, query) in [(Mode::Cat, None), (Mode::Map, Some(query))] {
        let request = Request { files: files.clone(), ..request(mode, query) };
        let Bench { mut site, items, .. } = bench(Choice { request, ..Choice::default() });
        // It says nothing, and stays.
        let (stream, _server) = duplex(1 << 16);
        let talk = super::talk(stream, &mut site, Permit::of_test());
        let summary = timeout(LIMIT, talk).await.expect("an end").unwrap();
        assert_eq!((summary.files, summary.failed_files, items.len()), (0, 1, 1));
    }
}
