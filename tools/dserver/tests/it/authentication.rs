//! Who may log in, as OpenSSH's client sees it and as the log tells it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dtail_testkit::{Program, Scratch, Server, Signal, Stdin, sibling, wait_until};

use crate::old_client::{converse, ssh, ssh_with_key};

const LIMIT: Duration = Duration::from_secs(60);
/// OpenSSH's exit code when it has no session.
const NO_SESSION: i32 = 255;

/// Logs in and says nothing.
#[track_caller]
fn log_in(server: &Server, user: &str, key: &Path) -> Option<i32> {
    let scratch = Scratch::new();
    let ssh = ssh_with_key(server, &scratch, user, key)?;
    ssh.args(["127.0.0.1", "-s", "dtail"]).run().code()
}

/// The user is not let in, and the log says why.
#[track_caller]
fn refuses(server: &Server, user: &str, key: &Path, reason: &str) {
    if let Some(code) = log_in(server, user, key) {
        assert_eq!(code, NO_SESSION, "{}", server.log());
        server.wait_for_log(reason);
    }
}

#[track_caller]
fn accepts(server: &Server, user: &str, key: &Path) {
    if let Some(code) = log_in(server, user, key) {
        assert_eq!(code, 0, "{}", server.log());
    }
}

fn new_key(scratch: &Scratch, name: &str) -> (PathBuf, String) {
    let path = scratch.path().join(name);
    Program::new(sibling("dserver"), scratch).arg("--generate-key").arg(&path).run().exits(0);
    let public = fs::read_to_string(path.with_extension("pub")).expect("the key was made");
    (path, public)
}

#[test]
fn a_key_lets_in_the_user_it_belongs_to() {
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let (other, _) = new_key(&scratch, "other");
    accepts(&server, "ann", server.key());
    refuses(&server, "ann", &other, "no log-in");
    refuses(&server, "nobody-of-this-name", server.key(), "there is no account");
    server.stop();
}

#[test]
fn a_user_name_is_never_part_of_a_path_elsewhere() {
    let server = Server::start("{}");
    // DTail lets these in.
    let line = server.public_key();
    server.scratch().write("server/evil.authorized_keys", &line);
    server.scratch().write("server/cache/deep/evil.authorized_keys", &line);
    for user in ["../evil", "deep/evil", "../../server/evil", ".", "..", "ann/../ann", "-evil"] {
        refuses(&server, user, server.key(), "the user name is not allowed");
    }
    accepts(&server, "ann", server.key());
    server.stop();
}

#[test]
fn a_key_file_that_others_may_write_is_not_used() {
    let server = Server::start("{}");
    server.authorize("bob", &server.public_key());
    accepts(&server, "bob", server.key());
    let path = server.scratch().path().join("server/cache/bob.authorized_keys");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
    refuses(&server, "bob", server.key(), "bob.authorized_keys");
    server.stop();
}

#[test]
fn options_of_a_key_are_honoured() {
    let server = Server::start("{}");
    let key = server.public_key();
    let options = [
        ("from=\"127.0.0.0/8\"", true),
        ("from=\"10.0.0.0/8\"", false),
        ("from=\"!127.0.0.1,*\"", false),
        ("restrict", true),
        ("no-pty,no-port-forwarding", true),
        ("expiry-time=\"20200101\"", false),
        ("expiry-time=\"29990101\"", true),
        ("command=\"/bin/sh\"", false),
        ("made-up-option", false),
    ];
    for (number, (option, is_let_in)) in options.into_iter().enumerate() {
        let user = format!("user{number}");
        server.authorize(&user, &format!("{option} {key}"));
        match is_let_in {
            true => accepts(&server, &user, server.key()),
            false => refuses(&server, &user, server.key(), "no log-in"),
        }
    }
    server.stop();
}

#[test]
fn a_certificate_counts_for_those_it_names() {
    let keygen = Path::new("/usr/bin/ssh-keygen");
    if !keygen.exists() {
        eprintln!("SKIPPED: no {}; install openssh-client to test certificates", keygen.display());
        return;
    }
    let server = Server::start("{}");
    let scratch = Scratch::new();
    let (authority, public) = new_key(&scratch, "authority");
    let (key, _) = new_key(&scratch, "key");
    Program::new(keygen, &scratch)
        .args(["-q", "-s"])
        .arg(&authority)
        .args(["-I", "test", "-n", "carol", "key.pub"])
        .run()
        .exits(0);
    server.authorize("carol", &format!("cert-authority {public}"));
    server.authorize("dave", &format!("cert-authority {public}"));
    server.authorize("erin", &public);
    accepts(&server, "carol", &key);
    refuses(&server, "dave", &key, "no log-in");
    refuses(&server, "erin", &key, "no log-in");
    server.stop();
}

#[test]
fn a_user_without_any_rule_does_not_come_in() {
    let server = Server::start(r#"{"Server": {"Permissions": {"Users": {"ann": []}}}}"#);
    refuses(&server, "ann", server.key(), "no permission rules for ann");
    server.stop();
}

#[test]
fn the_health_user_needs_no_key_and_reads_nothing() {
    let server = Server::start("{}");
    let path = server.scratch().write("a.log", "secret\n");
    let command = format!("cat:plain=true {} regex:noop ", path.display());
    if let Some(said) = converse(&server, "DTAIL-HEALTH", &[&command]) {
        assert!(said.contains("health checks only") && !said.contains("secret"), "{said}");
    }
    server.stop();
}

#[test]
fn a_job_of_another_server_logs_in_by_its_name_from_where_it_is_allowed() {
    let job = |name, from| {
        format!(
            r#"{{"Name": "{name}", "Enable": true, "Files": "/nothing", "TimeRange": [0, 0],
                "Query": "select count(*)", "Outfile": "/nothing/out", "AllowFrom": ["{from}"]}}"#
        )
    };
    let jobs = [job("near", "localhost"), job("far", "192.0.2.1")].join(",");
    let server = Server::start(&format!(r#"{{"Server": {{"Schedule": [{jobs}]}}}}"#));
    let passwords = [
        ("near", 0, "logged in"),
        ("far", NO_SESSION, "AllowFrom"),
        ("no", NO_SESSION, "no enabled job"),
    ];
    for (password, code, told) in passwords {
        let scratch = Scratch::new();
        let askpass = scratch.write("askpass", format!("#!/bin/sh\necho {password}\n"));
        fs::set_permissions(&askpass, fs::Permissions::from_mode(0o755)).unwrap();
        let Some(ssh) = ssh(&server, &scratch, "DTAIL-SCHEDULE") else { return };
        let finished = ssh
            .args(["-oNumberOfPasswordPrompts=1", "127.0.0.1", "-s", "dtail"])
            .env("SSH_ASKPASS", &askpass)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdin::Null)
            .run();
        assert_eq!(finished.code(), Some(code), "{}", server.log());
        server.wait_for_log(told);
    }
    server.stop();
}

#[test]
fn a_registered_key_counts_until_the_next_reload() {
    let server = Server::start("{}");
    let path = server.scratch().write("a.log", "one\n");
    let scratch = Scratch::new();
    let cat = || server.client("dcat", &scratch).arg("--plain").arg(&path).run();
    cat().exits(0).prints("one\n");
    server.wait_for_log("key registered");
    server.authorize("ann", "# nobody any more\n");
    cat().exits(0).prints("one\n");
    server.running().signal(Signal::HUP);
    server.wait_for_log("configuration reloaded");
    cat().exits(2).prints("");
    server.stop();

    let server = Server::start(r#"{"Server": {"AuthKeyEnabled": false}}"#);
    let path = server.scratch().write("a.log", "one\n");
    let cat = || server.client("dcat", &scratch).arg("--plain").arg(&path).run();
    cat().exits(0).prints("one\n");
    server.authorize("ann", "# nobody any more\n");
    cat().exits(2).prints("");
    server.stop();
}

/// Somebody names the wrong key and does not notice, because another lets them in.
#[test]
fn a_key_that_has_not_let_its_owner_in_is_not_registered() {
    let server = Server::start("{}");
    let path = server.scratch().write("a.log", "one\n");
    let scratch = Scratch::new();
    let (wrong, _) = new_key(&scratch, "wrong");
    scratch.write(".ssh/known_hosts", server.known_hosts());
    scratch.write(".ssh/id_ed25519", fs::read(server.key()).unwrap());
    let default = scratch.path().join(".ssh/id_ed25519");
    fs::set_permissions(&default, fs::Permissions::from_mode(0o600)).unwrap();
    let address = server.address().to_string();
    let cat = || {
        Program::new(sibling("dcat"), &scratch)
            .args(["--servers", &address, "--user", server.user(), "--plain", "--auth-key-path"])
            .args([&wrong, &path])
            .run()
    };
    cat().exits(0).prints("one\n");
    server.wait_for_log("connection ended");
    assert!(!server.log().contains("key registered"), "{}", server.log());
    fs::remove_file(default).unwrap();
    cat().exits(2).prints("");
    server.stop();
}

/// Its owner may log in by it for as long as by the key that vouched for it.
#[test]
fn a_registered_key_expires_with_the_key_that_registered_it() {
    let server = Server::start("{}");
    let path = server.scratch().write("a.log", "one\n");
    let scratch = Scratch::new();
    let key = server.public_key();
    let soon = Program::new("/bin/date", &scratch)
        .args(["-u", "-d", "12 seconds", "+%Y%m%d%H%M%SZ"])
        .run()
        .exits(0)
        .stdout_text();
    server.authorize("ann", &format!("expiry-time=\"{}\" {key}", soon.trim()));
    let cat = || server.client("dcat", &scratch).arg("--plain").arg(&path).run();
    cat().exits(0);
    server.wait_for_log("key registered");
    server.authorize("ann", "# nobody any more\n");
    wait_until("the key has expired", LIMIT, || cat().code() == Some(2));
    server.stop();
}
