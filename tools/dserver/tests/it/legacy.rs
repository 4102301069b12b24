//! Protocol 4.1, to a client that speaks only that.

use std::time::Duration;

use dtail_testkit::{Scratch, Server, Signal};
use expect_test::{Expect, expect};

use crate::old_client::{converse, frame, shown, ssh};

/// Compares what the server answers to commands, in which `DIR` is the folder with its files.
#[track_caller]
fn check(commands: &[&str], expected: &Expect) {
    let server = Server::start("{}");
    let dir = server.scratch().path().to_string_lossy().into_owned();
    server.scratch().write("a.log", "one\ntwo €\n\nthree");
    server.scratch().write("b.log", "four\n");
    let stats = "INFO|1002-071143|1|stats.go:56|8|13|7|0.21|471h0m21s|MAPREDUCE:STATS|n=";
    server.scratch().write("stats.log", format!("{stats}1\n{stats}2\nother\n"));
    let commands: Vec<String> = commands.iter().map(|it| it.replace("DIR", &dir)).collect();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let Some(said) = converse(&server, server.user(), &commands) else { return };
    let said = said.replace(&dir, "DIR");
    // Times and ports differ from run to run.
    let said: Vec<String> = said.split('¬').map(without_time).collect();
    expected.assert_eq(&said.join("¬"));
    server.stop();
}

fn without_time(message: &str) -> String {
    let mut fields: Vec<&str> = message.split('|').collect();
    if let [kind, _, _, time, who, ..] = &mut fields[..]
        && kind.ends_with("SERVER")
    {
        (*time, *who) = ("TIME", "WHO");
    }
    fields.join("|")
}

#[test]
fn a_file_is_printed_with_fields() {
    check(
        &["cat: DIR/a.log regex:noop "],
        &expect![[r#"
            .syn capabilities journal-v1¬REMOTE|testhost|100|1|a.log|one
            ¬REMOTE|testhost|100|2|a.log|two �¬
            ¬REMOTE|testhost|100|3|a.log|
            ¬REMOTE|testhost|100|4|a.log|three
            ¬.syn close connection¬"#]],
    );
}

#[test]
fn plain_lines_are_nothing_but_lines() {
    check(
        &["cat:plain=true DIR/a.log regex:noop "],
        &expect![[r#"
            .syn capabilities journal-v1¬one
            ¬two �¬
            ¬
            ¬three
            ¬.syn close connection¬"#]],
    );
}

#[test]
fn several_files_are_several_commands() {
    check(
        &["grep:max=1 DIR/a.log regex:default t", "grep: DIR/b.log regex:default,literal four"],
        &expect![[r#"
            .syn capabilities journal-v1¬REMOTE|testhost|100|2|a.log|two �¬
            ¬REMOTE|testhost|100|1|b.log|four
            ¬.syn close connection¬"#]],
    );
}

#[test]
fn a_query_gives_aggregates() {
    check(
        &[
            "map: from STATS select count($line),sum(n) group by $hostname",
            r"cat: DIR/stats.log regex:default \|MAPREDUCE:STATS\|",
        ],
        &expect![
            ".syn capabilities journal-v1¬AGGREGATE|testhost|testhost∥2∥count($line)≔2∥sum(n)≔3∥¬.syn close connection¬"
        ],
    );
}

#[test]
fn a_query_with_a_time_limit_ends() {
    check(
        &[
            "map: from STATS select count($line) group by $hostname",
            r"timeout 1 cat DIR/stats.log regex:default \|MAPREDUCE:STATS\|",
        ],
        &expect![
            ".syn capabilities journal-v1¬AGGREGATE|testhost|testhost∥2∥count($line)≔2∥¬.syn close connection¬"
        ],
    );
}

#[test]
fn what_cannot_be_done_is_told() {
    check(
        &["cat: DIR/missing.log regex:noop "],
        &expect![[r#"
            .syn capabilities journal-v1¬SERVER|testhost|ERROR|TIME|WHO|DIR/missing.log cannot be read: missing or not permitted
            ¬.syn close connection¬"#]],
    );
    check(
        &["grep: DIR/a.log regex:default ("],
        &expect![[r#"
            .syn capabilities journal-v1¬SERVER|testhost|ERROR|TIME|WHO|bad regular expression "(": unclosed group
            ¬.syn close connection¬"#]],
    );
    check(
        &["dance: DIR/a.log regex:noop "],
        &expect![[r#"
        .syn capabilities journal-v1¬SERVER|testhost|ERROR|TIME|WHO|Unable to parse command "dance: DIR/a.log regex:noop ": it is unknown here
        ¬.syn close connection¬"#]],
    );
    check(
        &["map: selct", "cat: DIR/a.log regex:noop "],
        &expect![[r#"
            .syn capabilities journal-v1¬SERVER|testhost|ERROR|TIME|WHO|cannot parse query: unexpected word "selct" at column 1 (expected a clause such as select, from, where); did you mean select?
            ¬.syn close connection¬"#]],
    );
    check(
        &["SESSION START e30="],
        &expect![
            ".syn capabilities journal-v1¬.syn session err unsupported: query-update-v1 is not offered¬"
        ],
    );
    check(
        &["AUTHKEY bm8ga2V5"],
        &expect![".syn capabilities journal-v1¬SERVER|testhost|AUTHKEY ERR invalid public key¬"],
    );
}

#[test]
fn another_version_is_told_who_is_too_old() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let Some(ssh) = ssh(&server, &scratch, server.user()) else { return };
    let words = frame("cat: /x regex:noop ").replace("4.1", "3.0");
    let said = ssh.arg("127.0.0.1").stdin(dtail_testkit::Stdin::Bytes(words.into_bytes())).run();
    expect![[r#"
        .syn capabilities journal-v1¬SERVER|testhost|the DTail server speaks protocol version 4.1, the client "3.0"; update the DTail client
        ¬"#]].assert_eq(&shown(&said.stdout));
    server.stop();
}

#[test]
fn health_is_good() {
    let server = Server::start("{}");
    let said = converse(&server, "DTAIL-HEALTH", &["health"]);
    if let Some(said) = said {
        let host = "testhost";
        assert_eq!(
            said,
            format!(".syn capabilities journal-v1¬SERVER|{host}|OK¬.syn close connection¬")
        );
    }
    server.stop();
}

#[test]
fn a_follow_goes_on_until_the_client_leaves() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let path = server.scratch().write("a.log", "old\n");
    let Some(ssh) = ssh(&server, &scratch, server.user()) else { return };
    let command = frame(&format!("tail: {} regex:noop ", path.display()));
    let ssh = ssh.arg("127.0.0.1").stdin(dtail_testkit::Stdin::Held(command.into_bytes()));
    let client = ssh.spawn();
    server.wait_for_log("tail");
    let limit = Duration::from_secs(20);
    let mut number = 0;
    client.wait_for_stdout("a new line arrives", limit, |said| {
        number += 1;
        server.scratch().append("a.log", format!("new {number}\n"));
        String::from_utf8_lossy(said).contains("|new ")
    });
    client.signal(Signal::TERM);
    server.wait_for_log("session ended (protocol 4.1)");
    server.stop();
}
