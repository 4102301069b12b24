//! Flags: what is understood, what is refused and how; configuration and log file.

use dtail_testkit::{Program, Scratch};
use expect_test::{Expect, expect};

use crate::dcat;

#[track_caller]
fn check(arguments: &[&str], expected: &Expect) {
    let finished = dcat(&Scratch::new(), arguments).run();
    expected.assert_eq(&finished.exits(2).prints("").stderr_text());
}

#[test]
fn bad_usage_is_one_line_and_exit_code_2() {
    check(
        &["--nope", "x"],
        &expect![[r#"
        error: unexpected argument '--nope' found (see dcat --help)
    "#]],
    );
    check(
        &["-regex", "x"],
        &expect![[r#"
        error: unexpected argument '--regex' found (see dcat --help)
    "#]],
    );
    check(
        &["-logLevel", "loud", "x"],
        &expect![[r#"
        error: invalid value 'loud' for '--logLevel <LEVEL>': use one of none fatal error warn info default verbose debug devel trace all (see dcat --help)
    "#]],
    );
    check(
        &["-cfg", "missing.json", "x"],
        &expect![[r#"
        error: cannot read config file missing.json: No such file or directory (os error 2)
    "#]],
    );
    check(
        &["-port", "x", "x"],
        &expect![[r#"
        error: invalid value 'x' for '--port <PORT>': invalid digit found in string (see dcat --help)
    "#]],
    );
}

#[test]
fn bad_servers_are_one_line_and_exit_code_2() {
    check(
        &["-servers", "a,b:x", "x"],
        &expect![[r#"
        error: bad server "b:x": the port must be a number from 1 to 65535
    "#]],
    );
    check(
        &["-servers", "/web/", "x"],
        &expect![[r#"
        error: a regular expression chooses servers from a list, use --discovery too
    "#]],
    );
    check(
        &["-servers", "127.0.0.1:9"],
        &expect![[r#"
        error: no files given: name files of the hosts (see dcat --help)
    "#]],
    );
    check(
        &["--discovery=dns", "x"],
        &expect![[r#"
        error: unknown discovery module "dns": use comma, file or command:PROGRAM
    "#]],
    );
    check(
        &["--discovery=file:missing", "x"],
        &expect![[r#"
        error: cannot read server list missing: No such file or directory (os error 2)
    "#]],
    );
    check(
        &["--servers=a", "--transport=ssh", "--ssh-command=' ", "x"],
        &expect![[r#"
        error: --ssh-command names no program, or a quote is not closed
    "#]],
    );
    check(
        &["--servers=a", "--transport=carrier-pigeon", "x"],
        &expect![[r#"
        error: invalid value 'carrier-pigeon' for '--transport <NAME>'; [possible values: native, ssh] (see dcat --help)
    "#]],
    );
    check(
        &["--servers=127.0.0.1:9", "x"],
        &expect![[r#"
        error: no private key found: start an ssh-agent, make one with ssh-keygen, or name one with --auth-key-path
    "#]],
    );
    check(
        &["--servers=a", "--auth-key-path=missing", "x"],
        &expect![[r#"
        error: missing: No such file or directory (os error 2)
    "#]],
    );
    check(
        &["--interactive-query", "--control-tty=missing", "x"],
        &expect![[r#"
        error: cannot open control terminal missing: No such file or directory (os error 2)
    "#]],
    );
}

#[test]
fn flags_for_servers_do_no_harm() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    let flags = [
        "-plain",
        "-servers",
        "SERVERLESS",
        "-discovery=",
        "-port",
        "22",
        "-user=x",
        "-cpc=3",
        "-trustAllHosts",
        "-key=k",
        "-auth-key-path=k",
        "-authKeyPath=k",
        "-no-auth-key",
        "-agentKeyIndex",
        "-1",
        "-control-tty=t",
        "-profile=false",
        "-pprof=",
        "-quiet",
        "a.log",
    ];
    dcat(&scratch, &flags).run().exits(0).prints("a\n").says("");
}

#[test]
fn version_and_help_are_printed() {
    let scratch = Scratch::new();
    let version = format!("DTail {} Protocol 4.1 Have a lot of fun!\n", env!("CARGO_PKG_VERSION"));
    dcat(&scratch, &["-version"]).run().exits(0).prints(version).says("");
    let help = dcat(&scratch, &["-help"]).run();
    for part in ["Usage: dcat", "Examples:", "Exit codes:", "--logDir", "Output:"] {
        help.exits(0).must(help.stdout_text().contains(part), part);
    }
}

#[test]
fn a_terminal_without_files_is_no_input() {
    let scratch = Scratch::new();
    let script = r#"script -qec "$0" /dev/null </dev/null"#;
    let shell = Program::new("/bin/sh", &scratch).args(["-c", script, env!("CARGO_BIN_EXE_dcat")]);
    let finished = shell.run();
    if finished.code() == Some(127) {
        eprintln!("SKIPPED: no script(1) to make a terminal");
        return;
    }
    finished.exits(2).must(finished.stdout_text().contains("error: no files given"), "a hint");
}

#[test]
fn an_empty_input_is_no_error() {
    dcat(&Scratch::new(), &[]).run().exits(0).prints("").says("");
}

#[test]
fn diagnostics_go_where_the_logger_says() {
    let text = "cannot open nope: No such file or directory";
    // Without a terminal among the loggers the cause of the exit code is told all the same.
    for (flags, said, recorded) in [
        (&[][..], true, true),
        (&["-logger=fout"], true, true),
        (&["-logger=stdout"], true, false),
        (&["-logger=File"], true, true),
        (&["-logger=none"], true, false),
        (&["-logLevel=fatal"], false, false),
    ] {
        let scratch = Scratch::new();
        let finished = dcat(&scratch, flags).args(["-logDir=~/logs", "nope"]).run();
        let expected = if said { format!("dcat: {text}\n") } else { String::new() };
        finished.exits(2).prints("").says(&expected);
        let records: Vec<String> = std::fs::read_dir(scratch.path().join("logs"))
            .into_iter()
            .flatten()
            .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        match &records[..] {
            [] => assert!(!recorded, "{flags:?}"),
            [record] => {
                assert!(recorded && record.starts_with("ERROR|20"), "{flags:?} {record}");
                assert!(record.ends_with(&format!("|{text}\n")), "{flags:?} {record}");
            }
            more => panic!("{more:?}"),
        }
    }
}

#[test]
fn without_a_logger_there_is_one_line_at_most() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    let run = |files: &[&str]| dcat(&scratch, &["-plain", "-logger=none"]).args(files).run();
    run(&["a.log"]).exits(0).says("");
    run(&["nope", "a.log", "neither", "nowhere"])
        .exits(3)
        .prints("a\n")
        .says("dcat: cannot open nope: No such file or directory (and 2 more, see --logger)\n");
}

#[test]
fn printed_lines_are_logged_on_request() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\nb\n");
    scratch.write("c.json", r#"{"Common": {"LogRotation": "signal", "Logger": "file"}}"#);
    let flags = ["-cfg=c.json", "-logDir=logs", "-log-payload", "--color=always", "a.log"];
    dcat(&scratch, &flags).run().exits(0).says("");
    let logged = scratch.read("logs/dcat.log");
    assert_eq!(
        String::from_utf8_lossy(&logged),
        "REMOTE|testhost|100|1|a.log|a\nREMOTE|testhost|100|2|a.log|b\n"
    );
}

#[test]
fn a_closer_look_is_given_on_request() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    let finished = dcat(&scratch, &["-logLevel=info", "-logger=stdout", "a.log"]).run();
    finished.exits(0).says("dcat: info: files=1|failedFiles=0|bytes=2|lines=1|matches=1\n");
}
