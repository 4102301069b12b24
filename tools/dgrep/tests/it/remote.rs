//! The forms of output with a server: what is selected, counted and named there is printed here.

use dtail_testkit::{Program, Scratch, Server};
use serde_json::Value;

use crate::dgrep;

/// dgrep that asks a server.
fn asking(server: &Server, scratch: &Scratch) -> Program {
    scratch.write(".ssh/known_hosts", server.known_hosts());
    let address = server.address().to_string();
    let arguments = ["--servers", &address, "--user", server.user(), "--auth-key-path"];
    dgrep(scratch, &arguments).arg(server.key())
}

#[test]
fn counts_names_and_matches_come_from_servers_too() {
    let server = Server::start("{}");
    server.scratch().write("a.log", "Foo one\nbar\nfoo foo\n");
    server.scratch().write("b.log", "nothing\n");
    let folder = server.scratch().path().display().to_string();
    let (a, b) = (format!("{folder}/a.log"), format!("{folder}/b.log"));
    let check = |arguments: &[&str], expected: &str| {
        let finished = asking(&server, &Scratch::new()).args(arguments).args([&a, &b]).run();
        // The name of the host is that of the server's machine.
        let printed = finished.stdout_text().replace(&folder, "DIR");
        let printed = printed.replace("testhost", "HOST");
        finished.exits(0).must(printed == expected, expected);
    };
    check(&["--plain", "-c", "-e", "foo"], "DIR/a.log:1\nDIR/b.log:0\n");
    check(&["-c", "-i", "-e", "foo"], "HOST:DIR/a.log:2\nHOST:DIR/b.log:0\n");
    check(&["-l", "-e", "foo"], "HOST:DIR/a.log\n");
    check(&["--plain", "-L", "-e", "foo"], "DIR/b.log\n");
    check(&["--plain", "-on", "-e", "foo"], "3:foo\n3:foo\n");
    check(&["--plain", "-nH", "-w", "-e", "bar"], "DIR/a.log:2:bar\n");
    check(&["--plain", "-F", "-x", "-e", "bar", "-e", "nothing"], "bar\nnothing\n");
    check(
        &["-vi", "-e", "foo", "-m1"],
        "REMOTE|HOST|100|2|a.log|bar\nREMOTE|HOST|100|1|b.log|nothing\n",
    );
}

#[test]
fn messages_name_the_host() {
    let server = Server::start("{}");
    let file = server.scratch().write("a.log", "x\nfoo\n").display().to_string();
    let finished = asking(&server, &Scratch::new()).args(["--json", "-e", "foo", &file]).run();
    let text = finished.exits(0).stdout_text();
    let messages: Vec<Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let types: Vec<&str> = messages.iter().filter_map(|it| it["type"].as_str()).collect();
    assert_eq!(types, ["begin", "match", "end", "summary"]);
    let data = &messages[1]["data"];
    let path = data["path"]["text"].as_str().unwrap_or_default();
    assert!(path.ends_with(&format!(":{file}")), "{path}");
    assert_eq!((&data["line_number"], &data["absolute_offset"]), (&2.into(), &2.into()));
}
