//! dtailhealth as monitoring systems run it. It never looks inside.

use std::net::TcpListener;

use dtail_testkit::{Finished, Program, Scratch, Server};
use expect_test::expect;

fn dtailhealth(arguments: &[&str]) -> Finished {
    Program::new(env!("CARGO_BIN_EXE_dtailhealth"), &Scratch::new()).args(arguments).run()
}

#[test]
fn a_server_that_is_well_is_ok() {
    let server = Server::start("{}");
    let address = server.address().to_string();
    let finished = dtailhealth(&["--server", &address]);
    finished.exits(0).prints(format!("OK: All fine at {address} :-)\n").as_str()).says("");
}

#[test]
fn a_server_that_is_not_there_is_critical() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let critical = format!("CRITICAL: DTail server not operating properly at {address}!\n");
    dtailhealth(&["-server", &address]).exits(2).prints(critical.as_str()).says("");
    let finished = dtailhealth(&["-server", &address, "-logger", "stdout"]);
    finished.exits(2).prints(critical.as_str());
    finished.must(finished.stderr_text().starts_with("dtailhealth: nothing listens on"), "why");
}

#[test]
fn a_server_that_says_nothing_is_critical_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let finished = dtailhealth(&["--server", &address, "--timeout", "1", "--logger", "stdout"]);
    finished.exits(2).must(finished.stderr_text().contains("within 1"), "why");
}

#[test]
fn without_a_server_only_a_warning_is_left() {
    dtailhealth(&[]).exits(1).prints(
        "WARNING: All seems fine but the check only run in serverless mode, please specify a \
         remote server via --server hostname:port\n",
    );
}

#[test]
fn bad_usage_is_one_line() {
    let finished = dtailhealth(&["--server", "web1:x", "--logger", "stdout"]);
    expect![[r#"
        dtailhealth: bad server "web1:x": the port must be a number from 1 to 65535
    "#]]
    .assert_eq(&finished.exits(2).stderr_text());
    let finished = dtailhealth(&["--nope"]);
    expect![[r#"
        error: unexpected argument '--nope' found (see dtailhealth --help)
    "#]]
    .assert_eq(&finished.exits(2).prints("").stderr_text());
    dtailhealth(&["-no-auth-key", "-version"])
        .exits(0)
        .prints("DTail 0.1.0 Protocol 4.1 Have a lot of fun!\n");
}
