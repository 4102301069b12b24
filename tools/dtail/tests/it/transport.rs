//! The user's own ssh program as the way to hosts. What stands for it here runs the server's end
//! itself, except where a real sshd is there.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use dtail_testkit::{Program, Scratch, Sshd, sibling};
use expect_test::{Expect, expect};

/// A client whose ssh is a shell script, which finds dserver in `$DSERVER`.
fn client(scratch: &Scratch, script: &str, arguments: &[&str]) -> Program {
    client_of("dcat", scratch, script, arguments)
}

fn client_of(program: &str, scratch: &Scratch, script: &str, arguments: &[&str]) -> Program {
    let path = scratch.write("ssh.sh", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("a file of our own");
    let command = format!("'{}' -F config", path.display());
    Program::new(sibling(program), scratch)
        .env("DSERVER", sibling("dserver"))
        .env("DTAIL_INTEGRATION_TEST_RUN_MODE", "no")
        .args(["--transport", "ssh", "--ssh-command", &command])
        .args(arguments)
}

#[test]
fn ssh_is_told_what_was_typed_and_nothing_else() {
    let scratch = Scratch::new();
    scratch.write("a.log", "one\n");
    let file = scratch.path().join("a.log").display().to_string();
    let script = r#"echo "$*" >> called; exec "$DSERVER" --stdio --cfg none --logDir log"#;
    let run = |arguments: &[&str]| {
        client(&scratch, script, arguments).args(["--plain", &file]).run().exits(0).prints("one\n");
    };
    run(&["--servers", "web1"]);
    run(&["--servers", "me@web1:23"]);
    run(&["--servers", "[::1]:23", "--user", "you"]);
    run(&["--servers", "web1", "--user", "you", "--port", "24"]);
    expect![[r#"
        -F config -s web1 dtail
        -F config -p 23 -l me -s web1 dtail
        -F config -p 23 -l you -s ::1 dtail
        -F config -p 24 -l you -s web1 dtail
    "#]]
    .assert_eq(&String::from_utf8(scratch.read("called")).unwrap());
}

#[track_caller]
fn check_failure(script: &str, expected: &Expect) {
    let scratch = Scratch::new();
    let finished = client(&scratch, script, &["--servers", "web1", "/a.log"]).run();
    let said = finished.exits(2).prints("").stderr_text();
    expected.assert_eq(&said.replace(&scratch.path().display().to_string(), "DIR"));
}

#[test]
fn what_ssh_complains_about_is_why_the_host_failed() {
    check_failure(
        "echo 'debug1: hello' >&2; echo 'ssh: no route to host' >&2; exit 255",
        &expect![[r#"
            dcat: web1: ssh: no route to host
        "#]],
    );
    check_failure(
        "exit 7",
        &expect![[r#"
        dcat: web1: DIR/ssh.sh: exit status: 7
    "#]],
    );
    check_failure(
        "echo 'Welcome to web1!'; cat > /dev/null",
        &expect![[r#"
        dcat: web1: the other side does not speak DTail's protocol 5 but sent "Welcome to web1!\n"; if its log-in shell prints this, make it silent without a terminal
    "#]],
    );
}

#[test]
fn a_signal_that_ends_ssh_too_is_no_failure() {
    let scratch = Scratch::new();
    let script = r#"kill -INT "$PPID"; exit 255"#;
    client_of("dtail", &scratch, script, &["--servers", "web1", "/a.log"]).run().exits(0).says("");
}

#[test]
fn a_missing_ssh_is_named() {
    let scratch = Scratch::new();
    let finished = Program::new(sibling("dcat"), &scratch)
        .args(["--transport=ssh", "--ssh-command=/not/there/ssh", "--servers=web1", "/a.log"])
        .run();
    finished.exits(2).says(
        "dcat: web1: cannot run /not/there/ssh: No such file or directory (os error 2), see \
         --ssh-command\n",
    );
}

#[test]
fn an_sshd_with_the_subsystem_answers_both_transports() {
    let Some(sshd) = Sshd::start(&["--cfg", "none"]) else { return };
    let file = sshd.scratch().write("a.log", "one\ntwo\n").display().to_string();
    let config = sshd.ssh_config();
    let command = format!("ssh -F '{}'", config.display());
    let by_ssh = ["--transport=ssh", "--ssh-command", &command, "--servers=testhost"];
    let run = |scratch: &Scratch, arguments: &[&str]| {
        let program = Program::new(sibling("dgrep"), scratch).args(arguments);
        let finished = program.args(["--regex", "two", &file]).run();
        finished.exits(0).prints("REMOTE|testhost|100|2|a.log|two\n").says("");
    };
    run(&Scratch::new(), &by_ssh);

    let key = sshd.scratch().path().join("id_ed25519").display().to_string();
    let address = sshd.address().to_string();
    let known = String::from_utf8(sshd.scratch().read("known_hosts")).unwrap();
    let scratch = Scratch::new();
    scratch.write(".ssh/known_hosts", known);
    run(&scratch, &["--servers", &address, "--auth-key-path", &key, "--no-auth-key"]);
}

#[test]
fn an_sshd_without_the_subsystem_is_told_what_it_lacks() {
    let Some(sshd) = Sshd::start(&["--no-such-flag"]) else { return };
    let key = sshd.scratch().path().join("id_ed25519").display().to_string();
    let address = sshd.address().to_string();
    let scratch = Scratch::new();
    scratch.write(".ssh/known_hosts", sshd.scratch().read("known_hosts"));
    let finished = Program::new(sibling("dcat"), &scratch)
        .args(["--servers", &address, "--auth-key-path", &key, "/a.log"])
        .run();
    finished.exits(2).must(finished.stderr_text().contains("sshd_config"), "what mends it");
}
