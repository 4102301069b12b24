//! `dserver --stdio` as a subsystem of OpenSSH's server, and over plain pipes.

use std::time::Duration;

use dtail_testkit::{Program, Scratch, Signal, Sshd, Stdin, sibling};
use expect_test::expect;

const LIMIT: Duration = Duration::from_secs(30);
pub(crate) const ARGUMENTS: [&str; 4] = ["--cfg", "none", "--logger", "none"];

/// A client that reaches `testhost` through the user's own ssh.
pub(crate) fn client(sshd: &Sshd, scratch: &Scratch, program: &str) -> Program {
    let command = format!("ssh -F {}", sshd.ssh_config().display());
    Program::new(sibling(program), scratch).args([
        "--transport",
        "ssh",
        "--ssh-command",
        &command,
        "--servers",
        "testhost",
    ])
}

#[test]
fn the_clients_work_through_sshd() {
    let Some(sshd) = Sshd::start(&ARGUMENTS) else { return };
    let scratch = Scratch::new();
    let bytes = [&b"one\ntwo \xe2\x82\xac\n"[..], &b"x".repeat(1_000_000), b"\n"].concat();
    let path = scratch.write("a.log", &bytes);
    client(&sshd, &scratch, "dcat").arg("--plain").arg(&path).run().exits(0).prints(&bytes);
    let grep = client(&sshd, &scratch, "dgrep").args(["--regex", "^o"]).arg(&path).run();
    grep.exits(0);
    expect![[r#"
        REMOTE|testhost|100|1|a.log|one
    "#]]
    .assert_eq(&grep.stdout_text());
    let query = "select count($line) group by $hostname";
    let map = client(&sshd, &scratch, "dmap").args(["--query", query]).arg(&path).run();
    map.exits(0);
    expect![[r#"
        select count($line) group by $hostname
         count($line) 
        --------------
                    3 

    "#]]
    .assert_eq(&map.stdout_text());
}

#[test]
fn a_follow_through_sshd_leaves_no_process_behind() {
    let Some(sshd) = Sshd::start(&ARGUMENTS) else { return };
    let scratch = Scratch::new();
    let path = scratch.write("a.log", "old\n");
    let tail = client(&sshd, &scratch, "dtail").arg("--plain").arg(&path).spawn();
    let mut number = 0;
    tail.wait_for_stdout("a new line arrives", LIMIT, |said| {
        number += 1;
        scratch.append("a.log", format!("new {number}\n"));
        !said.is_empty()
    });
    tail.signal(Signal::TERM);
    tail.wait(LIMIT).exits(0);
    // The process of the session belongs to sshd; what is left of it would still read the file.
    dtail_testkit::wait_until("nobody has the file open", LIMIT, || !is_open(&path));
}

/// Whether any process of ours has the file open.
fn is_open(path: &std::path::Path) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.into_iter().any(|process| {
        let files = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        files.into_iter().any(|file| std::fs::read_link(file.path()).is_ok_and(|it| it == path))
    })
}

#[test]
fn garbage_on_standard_input_is_answered_and_ends_it() {
    let scratch = Scratch::new();
    let finished = Program::new(env!("CARGO_BIN_EXE_dserver"), &scratch)
        .args(["--stdio"])
        .args(ARGUMENTS)
        .stdin(Stdin::Bytes(b"hello\n".to_vec()))
        .run();
    finished.exits(0).says("");
    let said = String::from_utf8_lossy(&finished.stdout).into_owned();
    assert!(said.starts_with("DTAIL5\r\n"), "{said:?}");
}

#[test]
fn a_signal_ends_it_well() {
    let scratch = Scratch::new();
    let running = Program::new(env!("CARGO_BIN_EXE_dserver"), &scratch)
        .args(["--stdio"])
        .args(ARGUMENTS)
        .stdin(Stdin::Silent)
        .spawn();
    running.wait_for_stdout("it greets", LIMIT, |said| said == b"DTAIL5\r\n");
    running.signal(Signal::TERM);
    running.wait(LIMIT).exits(0).says("");
}
