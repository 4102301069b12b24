//! Whole sessions: what the server has to do about each frame, or why it ends there.

use expect_test::{Expect, expect};

use super::*;
use crate::{Mode, Request};

fn hello(lowest: u16, highest: u16, capabilities: &[&str]) -> ClientFrame {
    let capabilities = capabilities.iter().copied().map(str::to_owned).collect();
    let software = "dtail 0.1.0".to_owned();
    ClientFrame::Hello(ClientHello { lowest, highest, capabilities, credit: 1000, software })
}

fn start(generation: u32) -> Start {
    let request = Request::of(Mode::Cat, Vec::new()).plain();
    Start { generation, request, strict: false }
}

/// One line for each frame. A number says that the request of this generation ends there.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check(offered: &[&str], frames: Vec<Result<ClientFrame, u32>>, expected: Expect) {
    let offered = offered.iter().copied().map(str::to_owned).collect();
    let mut conversation = Conversation::new(offered);
    let mut actual = String::new();
    for frame in frames {
        match frame.map(|frame| conversation.on_frame(frame)) {
            Err(generation) => conversation.finished(generation),
            Ok(Ok(Step::Start(start))) => actual.push_str(&format!("Start {}\n", start.generation)),
            Ok(Ok(Step::Replace(start))) => {
                actual.push_str(&format!("Replace {}\n", start.generation));
            }
            Ok(Ok(step)) => actual.push_str(&format!("{step:?}\n")),
            Ok(Err(refusal)) => {
                actual.push_str(&format!("{:?}: {}\n", refusal.kind, refusal.text));
                assert_eq!(refusal.generation, 0);
            }
        }
    }
    expected.assert_eq(&actual);
}

#[test]
fn a_session_is_a_hello_a_request_and_a_farewell() {
    check(
        &["journal"],
        vec![
            Ok(hello(3, 6, &["journal", "interactive"])),
            Ok(ClientFrame::Start(start(1))),
            Ok(ClientFrame::Credit(5)),
            Ok(ClientFrame::Heartbeat),
            Ok(ClientFrame::Cancel),
            Err(1),
            Ok(ClientFrame::Cancel),
            Ok(ClientFrame::Bye),
            Ok(ClientFrame::Heartbeat),
        ],
        expect![[r#"
            Greet(Greeting { version: 6, capabilities: ["journal"], credit: 1000 })
            Start 1
            Grant(5)
            Nothing
            Cancel
            Nothing
            Leave
            Protocol: the session is over already
        "#]],
    );
}

#[test]
fn a_request_may_be_replaced_whether_it_runs_or_not() {
    check(
        &["interactive"],
        vec![
            Ok(hello(VERSION, VERSION, &[])),
            Ok(ClientFrame::Start(start(1))),
            Ok(ClientFrame::Update(start(2))),
            // The end of the first says nothing of the second.
            Err(1),
            Ok(ClientFrame::Cancel),
            Err(2),
            Ok(ClientFrame::Update(start(3))),
            Ok(ClientFrame::Update(start(3))),
            Ok(ClientFrame::Update(start(4))),
        ],
        expect![[r#"
            Greet(Greeting { version: 6, capabilities: [], credit: 1000 })
            Start 1
            Replace 2
            Cancel
            Replace 3
            Protocol: the next request has generation 4, not 3
            Protocol: the session is over already
        "#]],
    );
}

#[test]
fn keys_and_health_need_no_request() {
    check(
        &["auth-key"],
        vec![
            Ok(hello(VERSION, VERSION, &["auth-key"])),
            Ok(ClientFrame::RegisterKey(vec![1])),
            Ok(ClientFrame::Health),
            Ok(ClientFrame::Start(start(1))),
        ],
        expect![[r#"
            Greet(Greeting { version: 6, capabilities: ["auth-key"], credit: 1000 })
            RegisterKey([1])
            CheckHealth
            Start 1
        "#]],
    );
}

/// The last answer to a hello and these frames.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check_refusal(frames: &[ClientFrame], expected: Expect) {
    let mut conversation = Conversation::new(Vec::new());
    conversation.on_frame(hello(VERSION, VERSION, &[])).unwrap();
    let (last, others) = frames.split_last().unwrap();
    for frame in others {
        conversation.on_frame(frame.clone()).unwrap();
    }
    let refusal = conversation.on_frame(last.clone()).unwrap_err();
    expected.assert_eq(&format!("{:?}: {}", refusal.kind, refusal.text));
}

#[test]
fn frames_out_of_turn_are_refused() {
    check_refusal(&[hello(VERSION, VERSION, &[])], expect!["Protocol: only one hello is allowed"]);
    check_refusal(
        &[ClientFrame::Start(start(2))],
        expect!["Protocol: the next request has generation 1, not 2"],
    );
    check_refusal(
        &[ClientFrame::Start(start(1)), ClientFrame::Start(start(2))],
        expect!["Protocol: a session starts only one request; further ones are updates"],
    );
    check_refusal(
        &[ClientFrame::Start(start(1)), ClientFrame::Update(start(2))],
        expect!["NotPermitted: replacing a request is not enabled here"],
    );
    check_refusal(
        &[ClientFrame::RegisterKey(Vec::new())],
        expect!["NotPermitted: registering keys is not enabled here"],
    );
    check_refusal(
        &[ClientFrame::Credit(5), ClientFrame::Credit(u64::MAX - 1004)],
        expect!["Protocol: more credit than can be counted"],
    );
    check(
        &["interactive"],
        vec![Ok(ClientFrame::Start(start(1)))],
        expect![[r#"
            Protocol: a session begins with a hello
        "#]],
    );
    check(
        &["interactive"],
        vec![Ok(hello(VERSION, VERSION, &[])), Ok(ClientFrame::Update(start(1)))],
        expect![[r#"
            Greet(Greeting { version: 6, capabilities: [], credit: 1000 })
            Protocol: there is no request yet that could be updated
        "#]],
    );
}

#[test]
fn a_client_without_a_common_version_is_told_which_side_to_update() {
    check(
        &[],
        vec![Ok(hello(1, 4, &[]))],
        expect![[r#"
            Version: the server speaks version 6 of the protocol, the client 1 to 4 (dtail 0.1.0); update the client
        "#]],
    );
    check(
        &[],
        vec![Ok(hello(6, 7, &[]))],
        expect![[r#"
            Greet(Greeting { version: 6, capabilities: [], credit: 1000 })
        "#]],
    );
    check(
        &[],
        vec![Ok(hello(6, 4, &[]))],
        expect![[r#"
            Version: the client speaks no version of the protocol (6 to 4)
        "#]],
    );
}
