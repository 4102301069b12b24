//! Commands and messages as DTail's programs send them, and what is made of others.

use expect_test::{Expect, expect};
use fastrand::Rng;

use super::*;
use crate::{LineBlock, LineNumbers, Mode, Pattern, fuzzed};

const HOST: &str = "vm";

fn framed(command: &str) -> String {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(command);
    format!("protocol 4.1 base64 {encoded};")
}

/// What a server makes of a client's bytes, one line for each command.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check_commands(bytes: &str, expected: Expect) {
    let mut decoder = CommandDecoder::new(300);
    decoder.feed(bytes.as_bytes());
    let mut actual = String::new();
    loop {
        match decoder.next() {
            Ok(Some(command)) => actual.push_str(&format!("{command:?}\n")),
            Ok(None) => break,
            Err(err) => {
                actual.push_str(&format!("error: {err}\n"));
                break;
            }
        }
    }
    expected.assert_eq(&actual);
}

#[test]
fn commands_of_dtail_are_understood() {
    let commands = [
        "cat: /var/log/a.log regex:noop ",
        "grep:after=2:before=1:max=3:plain=true:quiet=true /var/log/*.log regex:invert a b|c",
        "tail:plain=base64%dHJ1ZQ==:new=1 journal:sshd regex:default,literal ERROR",
        "map:quiet=true from STATS select count($line) group by $hostname",
        "timeout 30 cat /var/log/a.log regex:default .",
        "health",
        ".ack close connection",
        "AUTHKEY AAAA",
        "authkey !",
        "AUTHKEY",
        "SESSION START e30=",
    ];
    check_commands(
        &commands.map(framed).concat(),
        expect![[r#"
            Read { mode: Cat, options: Options { before: 0, after: 0, max: 0, plain: false, quiet: false, serverless: false }, file: "/var/log/a.log", pattern: None }
            Read { mode: Grep, options: Options { before: 1, after: 2, max: 3, plain: true, quiet: true, serverless: false }, file: "/var/log/*.log", pattern: Some(Pattern { texts: ["a b|c"], invert: true, fixed: false, ignore_case: false, whole: Nothing }) }
            Read { mode: Tail, options: Options { before: 0, after: 0, max: 0, plain: true, quiet: false, serverless: false }, file: "journal:sshd", pattern: Some(Pattern { texts: ["ERROR"], invert: false, fixed: false, ignore_case: false, whole: Nothing }) }
            Map { options: Options { before: 0, after: 0, max: 0, plain: false, quiet: true, serverless: false }, query: "from STATS select count($line) group by $hostname" }
            Timeout { seconds: 30, mode: Cat, file: "/var/log/a.log", pattern: Some(Pattern { texts: ["."], invert: false, fixed: false, ignore_case: false, whole: Nothing }) }
            Health
            AckClose
            AuthKey([0, 0, 0])
            BadAuthKey("invalid base64")
            BadAuthKey("missing public key")
            Session("unsupported: query-update-v1 is not offered")
        "#]],
    );
}

/// DTail's programs cannot do these.
#[test]
fn a_file_name_may_have_blanks_and_a_literal_special_characters() {
    check_commands(
        &framed("cat: /var/log/my file.log regex:default,literal 1+1"),
        expect![[r#"
            Read { mode: Cat, options: Options { before: 0, after: 0, max: 0, plain: false, quiet: false, serverless: false }, file: "/var/log/my file.log", pattern: Some(Pattern { texts: ["1\\+1"], invert: false, fixed: false, ignore_case: false, whole: Nothing }) }
        "#]],
    );
}

#[test]
fn what_is_no_command_is_answered() {
    let commands = [
        "cat /var/log/a.log",
        "cat: regex:noop ",
        "cat: a regex:other b",
        "cat:max=many a regex:noop ",
        "cat:max a regex:noop ",
        "map: ",
        "timeout 86401 cat a regex:noop ",
        "timeout 5 map a regex:noop ",
        "sed: a b",
        "",
    ];
    check_commands(
        &(commands.map(framed).concat() + "protocol 4.1 base64 ///;"),
        expect![[r#"
            Unknown("Unable to parse command \"cat /var/log/a.log\": no file and regex")
            Unknown("Unable to parse command \"cat: regex:noop \": no file and regex")
            Unknown("Unable to parse command \"cat: a regex:other b\": unknown flag of the regex")
            Unknown("Unable to parse command \"cat:max=many a regex:noop \": an option is no number")
            Unknown("Unable to parse command \"cat:max a regex:noop \": an option has no value")
            Unknown("Unable to parse command \"map: \": there is no query")
            Unknown("Unable to parse command \"timeout 86401 cat a regex:noop \": a timeout is at most 86400 seconds")
            Unknown("Unable to parse command \"timeout 5 map a regex:noop \": no cat, grep or tail")
            Unknown("Unable to parse command \"sed: a b\": it is unknown here")
            Unknown("Unable to parse command \"\": it is unknown here")
            Unknown("Unable to parse command: it is no base64 of UTF-8")
        "#]],
    );
}

#[test]
fn other_versions_are_told_which_side_to_update() {
    check_commands(
        "protocol 3 base64 AAAA;protocol 4.2 base64 AAAA;protocol 5.0 base64 AAAA;",
        expect![[r#"
            BadVersion { text: "the DTail server speaks protocol version 4.1, the client \"3\"; update the DTail client" }
            BadVersion { text: "the DTail server speaks protocol version 4.1, the client \"4.2\"; update the DTail client" }
            BadVersion { text: "the DTail server speaks protocol version 4.1, the client \"5.0\"; update the DTail server" }
        "#]],
    );
}

#[test]
fn what_is_not_the_protocol_ends_the_session() {
    check_commands(
        "GET / HTTP/1.1;",
        expect![[r#"
            error: "GET / HTTP/1.1" is no command of protocol 4.1; use a client of DTail 4 or newer
        "#]],
    );
    check_commands(
        &(framed("health") + &"x".repeat(301)),
        expect![[r#"
            Health
            error: the other side sent more than 300 bytes without an end; it speaks no protocol 4.1, or its limits are higher
        "#]],
    );
}

/// Also for one who does not look at what has come.
#[test]
fn bytes_without_an_end_take_no_memory() {
    let mut decoder = CommandDecoder::new(1000);
    for _ in 0..10_000 {
        decoder.feed(&[b'x'; 1000]);
    }
    assert!(format!("{decoder:?}").len() < 100_000);
    assert_eq!(decoder.next(), Err(LegacyError::TooLong(1000)));
}

#[test]
fn what_our_client_asks_is_what_our_server_hears() {
    let options = Options { before: 1, max: 9, quiet: true, ..Options::default() };
    let file = "/var/log/*.log".to_owned();
    let pattern = Some(Pattern { invert: true, ..Pattern::of("a b|ä;") });
    for command in [
        Command::Read { mode: Mode::Grep, options, file: file.clone(), pattern: pattern.clone() },
        Command::Map { options, query: "select count(*)".to_owned() },
        Command::Timeout { seconds: 5, mode: Mode::Tail, file, pattern },
        Command::Health,
        Command::AckClose,
        Command::AuthKey(vec![0, 255, 7]),
    ] {
        let mut sent = Vec::new();
        encode_command(&command, &mut sent).unwrap();
        let mut decoder = CommandDecoder::new(COMMAND_LIMIT);
        decoder.feed(&sent);
        assert_eq!(decoder.next(), Ok(Some(command)));
    }
}

#[test]
fn a_file_that_an_old_server_cannot_find_is_not_asked_for() {
    let file = "my file".to_owned();
    let options = Options::default();
    let command = Command::Read { mode: Mode::Cat, options, file, pattern: None };
    let err = encode_command(&command, &mut Vec::new()).unwrap_err();
    expect![[
        r#"the server speaks protocol 4.1 only, which cannot name the file "my file"; update the server"#
    ]]
    .assert_eq(&err.to_string());
}

/// What a client makes of a server's bytes, however they are cut up. `¬` stands for the delimiter.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check_messages(text: &str, expected: Expect) {
    let bytes: Vec<u8> = text
        .chars()
        .flat_map(|it| match it {
            '¬' => vec![END],
            it => it.to_string().into_bytes(),
        })
        .collect();
    for chunk in [1, 7, 1000] {
        let mut decoder = MessageDecoder::new(200);
        let mut actual = String::new();
        let mut show = |message| match message {
            Message::Line { host, number, source, bytes } => {
                let line = String::from_utf8_lossy(&bytes);
                actual.push_str(&format!("{host} {number} {source} {line:?}\n"));
            }
            Message::Aggregate { host, data } => {
                let data = String::from_utf8_lossy(&data);
                actual.push_str(&format!("{host} {data:?}\n"));
            }
            Message::Other(bytes) => {
                actual.push_str(&format!("other {:?}\n", String::from_utf8_lossy(&bytes)));
            }
            other => actual.push_str(&format!("{other:?}\n")),
        };
        for bytes in bytes.chunks(chunk) {
            decoder.feed(bytes);
            while let Some(message) = decoder.next().unwrap() {
                show(message);
            }
        }
        if let Some(message) = decoder.flush() {
            show(message);
        }
        expected.assert_eq(&actual);
    }
}

/// Recorded from DTail's fork (first line) and as its protocol is described.
#[test]
fn messages_of_dtail_are_understood() {
    check_messages(
        ".syn capabilities query-update-v1 journal-v1¬.output wake\n¬REMOTE|vm|100|1|a.txt|2 empty lines:\n¬\
         REMOTE|vm| 99|2|a.txt|\n¬REMOTE|vm|100|3|a.txt|x|y\n¬SERVER|vm|WARN|1002-071949|x\n¬\
         SERVER|vm|¬SERVER|vm|AUTHKEY OK¬SERVER|vm|INFO|AUTHKEY ERR feature disabled\n¬\
         AGGREGATE|vm|k∥1∥count(x)≔1∥¬OK¬SERVER|¬REMOTE|vm|100|x|a|b\n¬.syn close connection¬",
        expect![[r#"
            Hidden(".syn capabilities query-update-v1 journal-v1")
            Hidden(".output wake")
            vm 1 a.txt "2 empty lines:\n"
            vm 2 a.txt "\n"
            vm 3 a.txt "x|y\n"
            Server { host: "vm", text: "WARN|1002-071949|x" }
            Server { host: "vm", text: "" }
            AuthKey("AUTHKEY OK")
            AuthKey("AUTHKEY ERR feature disabled")
            vm "k∥1∥count(x)≔1∥"
            other "OK"
            other "SERVER|"
            other "REMOTE|vm|100|x|a|b\n"
            Hidden(".syn close connection")
        "#]],
    );
}

/// The byte that ends messages is the last of `€`; it is also the last of the delimiter of groups
/// nowhere.
#[test]
fn a_line_with_the_delimiter_in_it_is_put_together_again() {
    let euro = "€ and €.syn, ¬\n";
    check_bytes(
        &[b"REMOTE|vm|100|1|a|", euro.as_bytes(), &[END], b"REMOTE|vm|100|2|a|b\n", &[END]]
            .concat(),
        &[(1, euro.as_bytes()), (2, b"b\n")],
    );
    check_bytes(
        b"REMOTE|vm|100|1|a|\xAC\xAC\xAC\n\xACREMOTE|vm|100|2|a|last\xACREMOTE|vm|100|1|b|\n\xAC",
        &[(1, b"\xAC\xAC\xAC\n"), (2, b"last\n"), (1, b"\n")],
    );
}

#[track_caller]
fn check_bytes(bytes: &[u8], expected: &[(u64, &[u8])]) {
    let mut decoder = MessageDecoder::new(MESSAGE_LIMIT);
    decoder.feed(bytes);
    let mut actual = Vec::new();
    while let Some(Message::Line { number, bytes, .. }) = decoder.next().unwrap() {
        actual.push((number, bytes));
    }
    let expected: Vec<(u64, Vec<u8>)> =
        expected.iter().map(|(number, bytes)| (*number, bytes.to_vec())).collect();
    assert_eq!(actual, expected);
}

#[test]
fn a_last_line_without_an_end_does_not_wait_for_ever() {
    check_messages(
        "REMOTE|vm|100|1|a|no end¬.syn close connection¬REMOTE|vm|100|1|b|nor this¬",
        expect![[r#"
            vm 1 a "no end\n"
            Hidden(".syn close connection")
            vm 1 b "nor this\n"
        "#]],
    );
}

#[test]
fn a_message_that_is_too_long_ends_the_session() {
    let mut decoder = MessageDecoder::new(1000);
    decoder.feed(&[b'x'; 1001]);
    assert_eq!(decoder.next(), Err(LegacyError::TooLong(1000)));
    // Nor can a line be continued for ever.
    let mut decoder = MessageDecoder::new(1000);
    decoder.feed(b"REMOTE|vm|100|1|a|");
    let end = (0..2000).find(|_| {
        decoder.feed(&[b'x', END]);
        decoder.next() != Ok(None)
    });
    assert!((490..500).contains(&end.unwrap()), "{end:?}");
}

fn block(numbers: LineNumbers) -> LineBlock {
    let bytes = b".a\n\n.b\n.c\nd|\xAC\n".to_vec();
    LineBlock { source: "a.log".into(), bytes, numbers, offsets: Vec::new() }
}

#[test]
fn what_a_server_says_is_what_our_client_hears() {
    let mut bytes = Vec::new();
    capabilities(&mut bytes, &["journal-v1"]);
    write_block(&mut bytes, HOST, &block(LineNumbers::Each(vec![1, 2, 3, 5, 8])), false);
    write_line(&mut bytes, HOST, "a.log", 13, b"e", false);
    server_text(&mut bytes, HOST, "ERROR|x");
    aggregate(&mut bytes, HOST, "k∥1∥".as_bytes());
    auth_key_ok(&mut bytes, HOST);
    auth_key_err(&mut bytes, HOST, "invalid base64");
    session_err(&mut bytes, "unsupported");
    health_ok(&mut bytes, HOST);
    close_connection(&mut bytes);
    let text: String = bytes
        .utf8_chunks()
        .map(|it| it.valid().to_owned() + it.invalid().first().map_or("", |_| "¬"))
        .collect();
    check_messages(
        &text,
        expect![[r#"
            Hidden(".syn capabilities journal-v1")
            vm 1 a.log ".a\n"
            vm 2 a.log "\n"
            vm 3 a.log ".b\n"
            vm 5 a.log ".c\n"
            vm 8 a.log "d|�\n"
            vm 13 a.log "e\n"
            Server { host: "vm", text: "ERROR|x" }
            vm "k∥1∥"
            AuthKey("AUTHKEY OK")
            AuthKey("AUTHKEY ERR invalid base64")
            Hidden(".syn session err unsupported")
            Server { host: "vm", text: "OK" }
            Hidden(".syn close connection")
        "#]],
    );
}

/// A client hides messages that begin with a dot, so that as few as can be do.
#[test]
fn plain_lines_with_a_dot_follow_others_in_one_message() {
    let mut bytes = Vec::new();
    write_block(&mut bytes, HOST, &block(LineNumbers::From(1)), true);
    write_line(&mut bytes, HOST, "a.log", 6, b"e\n", true);
    assert_eq!(bytes, b".a\n\xAC\n.b\n.c\n\xACd|\xAC\n\xACe\n\xAC");
}

#[test]
fn foreign_bytes_break_no_promise() {
    let mut rng = Rng::with_seed(1);
    let pieces = [
        "protocol 4.1 base64 ",
        ";",
        "Y2F0OiBhIHJlZ2V4Om5vb3Ag",
        "REMOTE|vm|100|1|a|",
        "¬",
        "\n",
        "SERVER|vm|",
        "AGGREGATE|vm|k∥1∥",
        ".syn ",
        "AUTHKEY OK",
        "|",
        "x",
    ];
    for _ in 0..3_000 {
        let mut bytes = vec![rng.u8(0..40)];
        for _ in 0..rng.usize(0..40) {
            match rng.u8(0..12) {
                0 => bytes.resize(bytes.len() + rng.usize(0..600), b'y'),
                1 => bytes.push(rng.u8(..)),
                2 => bytes.push(END),
                3 => {
                    let command =
                        ["cat:", "regex:invert b", "timeout", "5", "map:max=1", "AUTHKEY"];
                    let words: Vec<&str> = (0..4).map(|_| command[rng.usize(0..6)]).collect();
                    bytes.extend(framed(&words.join(" ")).into_bytes());
                }
                _ => bytes.extend_from_slice(pieces[rng.usize(0..pieces.len())].as_bytes()),
            }
        }
        fuzzed::legacy(&bytes);
    }
}
