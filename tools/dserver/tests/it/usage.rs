//! Flags, configuration and rights of dserver, before it serves anybody.

use std::time::Duration;

use dtail_testkit::{Program, Scratch, Signal, sibling};
use expect_test::{Expect, expect};

const LIMIT: Duration = Duration::from_secs(30);

fn dserver(scratch: &Scratch, arguments: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_dserver"), scratch).args(arguments)
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    let scratch = Scratch::new();
    std::fs::metadata(scratch.path()).expect("it was made").uid() == 0
}

/// Bad usage: exit code 2 and one line.
#[track_caller]
fn check(arguments: &[&str], expected: &Expect) {
    let scratch = Scratch::new();
    scratch.write("bad.json", r#"{"Server": {"MaxConnections": "many"}}"#);
    scratch.write("rule.json", r#"{"Server": {"Permissions": {"Default": ["("]}}}"#);
    let job = r#"{"Server": {"Schedule": [{"Name": "j", "Enable": true, "Files": "/a",
        "Query": "select count(*)"}]}}"#;
    scratch.write("job.json", job);
    let finished = dserver(&scratch, arguments).run();
    finished.exits(2).prints("");
    expected.assert_eq(&finished.stderr_text());
}

#[test]
fn the_version_and_the_help_are_printed() {
    let scratch = Scratch::new();
    let version = format!("DTail {} Protocol 4.1 Have a lot of fun!\n", env!("CARGO_PKG_VERSION"));
    dserver(&scratch, &["-version"]).run().exits(0).prints(version);
    let help = dserver(&scratch, &["-help"]).run();
    help.exits(0).must(help.stdout_text().contains("--shutdownAfter"), "expected all flags");
}

#[test]
fn bad_usage_is_one_line() {
    check(
        &["-nope"],
        &expect![[r#"
        error: unexpected argument '--nope' found (see dserver --help)
    "#]],
    );
    check(
        &["file"],
        &expect![[r#"
        error: unexpected argument 'file' found (see dserver --help)
    "#]],
    );
    check(
        &["--cfg", "missing.json"],
        &expect![[r#"
        error: cannot read config file missing.json: No such file or directory (os error 2)
    "#]],
    );
    check(
        &["--cfg", "bad.json"],
        &expect![[r#"
        error: config file bad.json: Server.MaxConnections: must be a whole number
    "#]],
    );
    check(
        &["--check-config", "--cfg", "rule.json"],
        &expect![[r#"
        error: config file rule.json: Server.Permissions.Default: permission rule "(": bad regular expression "(": unclosed group
    "#]],
    );
    check(
        &["--check-config", "--cfg", "job.json"],
        &expect![[r#"
        error: config file job.json: Server.Schedule: job j: no Outfile, nobody would see its results
    "#]],
    );
}

#[test]
fn unknown_algorithms_are_named() {
    let scratch = Scratch::new();
    scratch.write("cipher.json", r#"{"Server": {"Ciphers": ["rot13"], "HostKeyFile": "key"}}"#);
    let check = || dserver(&scratch, &["--check-config", "--cfg", "cipher.json"]).run();
    let without_key = check().exits(2).stderr_text();
    assert!(!scratch.path().join("key").exists(), "a check makes nothing");
    dserver(&scratch, &["--generate-key", "key"]).run().exits(0);
    let finished = check();
    finished.exits(2).says(&without_key);
    expect![[r#"
        error: unknown cipher "rot13": use one of aes128-gcm@openssh.com, aes256-gcm@openssh.com, chacha20-poly1305@openssh.com, aes128-ctr, aes192-ctr, aes256-ctr
    "#]].assert_eq(&finished.stderr_text());
}

#[test]
fn a_good_configuration_is_called_so() {
    let scratch = Scratch::new();
    dserver(&scratch, &["--check-config", "--cfg", "none"])
        .run()
        .exits(0)
        .prints("the configuration is fine\n");
}

#[test]
fn root_has_to_become_somebody_else() {
    if is_root() {
        check(
            &["--port", "0"],
            &expect![[r#"
            error: refusing to run with root's rights: use --run-as USER, or start it as an ordinary user
        "#]],
        );
        check(
            &["--port", "0", "--run-as", "root"],
            &expect![[r#"
            error: cannot run as root: it has root's rights too, name an ordinary account
        "#]],
        );
        check(
            &["--port", "0", "--run-as", "no-such-user"],
            &expect![[r#"
            error: --run-as no-such-user: there is no such user
        "#]],
        );
    } else {
        let scratch = Scratch::new();
        let finished = dserver(&scratch, &["--port", "0", "--run-as", "root"]).run();
        finished.exits(2).says("error: --run-as root: only root can change to another user\n");
    }
}

/// For DTail's integration tests, and for whoever has only root to test with.
#[test]
fn in_test_mode_root_may_serve_and_one_key_lets_everybody_in() {
    let scratch = Scratch::new();
    dserver(&scratch, &["--generate-key", "id_rsa"]).run().exits(0);
    dserver(&scratch, &["--generate-key", "ssh_host_key"]).run().exits(0);
    let server = dserver(&scratch, &["--port", "0", "--cfg", "none"]).test_mode().spawn();
    let mut address = String::new();
    server.wait_for_stderr("it listens", LIMIT, |said| {
        let said = String::from_utf8_lossy(said).into_owned();
        let line = said.strip_suffix('\n').and_then(|line| line.split_once("listening on "));
        address = line.map(|(_, address)| address.to_owned()).unwrap_or_default();
        !address.is_empty()
    });
    let path = scratch.write("a.log", "one\n");
    Program::new(sibling("dcat"), &scratch)
        .args(["--servers", &address, "--trustAllHosts", "--auth-key-path", "id_rsa"])
        .args(["--user", "anybody"])
        .arg(path)
        .run()
        .exits(0)
        .prints("REMOTE|integrationtest|100|1|a.log|one\n");
    server.signal(Signal::TERM);
    server.wait(LIMIT).exits(0);
}

#[test]
fn a_key_pair_is_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    dserver(&scratch, &["--generate-key", "id"]).run().exits(0).prints("").says("");
    let mode = |name: &str| {
        std::fs::metadata(scratch.path().join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("id"), mode("id.pub")), (0o600, 0o644));
    let before = scratch.read("id");
    dserver(&scratch, &["--generate-key", "id"]).run().exits(2);
    assert_eq!(scratch.read("id"), before);
}
