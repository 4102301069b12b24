//! Journals through a program that stands in for `journalctl`.

use std::process::Command;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};

use super::{Journal, unit};
use crate::access::Access;
use crate::site::Site;

const LIMIT: Duration = Duration::from_secs(20);

/// A site where `journalctl` is this shell script.
fn site(script: &str) -> (tempfile::TempDir, Site) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journalctl = folder.path().join("journalctl");
    // Written by another process: while a descriptor of ours is open for writing, a program that
    // another test starts at that moment inherits it, and then ours is too busy to be started.
    let write = r#"printf '#!/bin/sh\n%s\n' "$1" >"$2" && chmod +x "$2""#;
    let mut writer = Command::new("sh");
    let status = writer.args(["-c", write, "sh", script]).arg(&journalctl).status();
    assert!(status.expect("there is a shell").success(), "written");
    (folder, Site { journalctl, ..Site::default() })
}

/// Reads a journal to its end; an error is appended as `!text`.
#[track_caller]
fn check(script: &str, expected: &Expect) {
    let (_folder, site) = site(script);
    let mut journal = Journal::start("a.service", &site, false).expect("starts");
    let start = Instant::now();
    let mut bytes = Vec::new();
    loop {
        assert!(start.elapsed() < LIMIT, "it ends");
        bytes.reserve(4096);
        match journal.read(&mut bytes, Duration::from_millis(10)) {
            Ok(Some(0)) => break,
            Ok(_) => {}
            Err(err) => {
                bytes.extend_from_slice(format!("!{err}").as_bytes());
                break;
            }
        }
    }
    expected.assert_eq(&String::from_utf8_lossy(&bytes));
}

#[test]
fn the_output_is_passed_on() {
    check(
        r#"echo "$*"; echo complaint >&2; echo two"#,
        &expect![[r#"
            --no-pager -o short -u a.service
            two
        "#]],
    );
}

#[test]
fn a_failure_is_told_in_the_programs_last_words() {
    check(
        "echo one; echo first >&2; echo 'No journal files were opened.' >&2; echo >&2; exit 1",
        &expect![[r#"
            one
            !No journal files were opened."#]],
    );
    check("exit 3", &expect!["!journalctl ended with exit status: 3"]);
}

#[test]
fn neither_long_complaints_nor_a_late_end_block() {
    check(
        "head -c 300000 /dev/zero | tr '\\0' x >&2; echo done",
        &expect![[r#"
            done
        "#]],
    );
    check("exec >&-; exec sleep 600", &expect!["!journalctl ended with signal: 9 (SIGKILL)"]);
}

#[test]
fn the_program_is_killed_when_nobody_reads_any_more() {
    let (_folder, site) = site("echo $$; exec sleep 600");
    let mut journal = Journal::start("a", &site, true).expect("starts");
    let mut bytes = Vec::with_capacity(100);
    while !bytes.ends_with(b"\n") {
        journal.read(&mut bytes, LIMIT).expect("it says its number");
    }
    let process = String::from_utf8_lossy(&bytes).trim().parse().expect("a number");
    drop(journal);
    let process = rustix::process::Pid::from_raw(process).expect("not 0");
    let gone = rustix::process::test_kill_process(process);
    assert_eq!(gone, Err(rustix::io::Errno::SRCH), "killed and waited for");
}

#[track_caller]
fn check_start(argument: &[u8], access: Access, expected: &Expect) {
    let site = Site { access, journalctl: "no-such-journalctl".into(), ..Site::default() };
    let said = match unit(argument, &site) {
        None => "no journal".to_owned(),
        Some(unit) => match unit.and_then(|unit| Journal::start(&unit, &site, false)) {
            Ok(_) => "started".to_owned(),
            Err(err) => err.to_string(),
        },
    };
    expected.assert_eq(&said);
}

#[test]
fn units_are_checked_before_anything_is_started() {
    let check = |argument: &[u8], expected| check_start(argument, Access::everything(), expected);
    check(b"journal", &expect!["no journal"]);
    check(b"./journal:a", &expect!["no journal"]);
    check(
        b"journal:a@b.service",
        &expect![
            "cannot read journal:a@b.service: there is no program no-such-journalctl, it needs systemd"
        ],
    );
    check(
        b"journal:",
        &expect![[r#""journal:" names no journal: the unit is missing, write journal:UNIT"#]],
    );
    check(
        b"journal:-f",
        &expect![[
            r#""journal:-f" names no journal: the unit's name begins with a dash, write journal:UNIT"#
        ]],
    );
    check(
        b"journal:a b",
        &expect![[
            r#""journal:a b" names no journal: no unit has such a name, write journal:UNIT"#
        ]],
    );
    check(
        b"journal:\xff\n",
        &expect![[
            r#""journal:�\n" names no journal: no unit has such a name, write journal:UNIT"#
        ]],
    );
}

#[test]
fn rules_are_asked_about_the_whole_specification() {
    let access = || Access::when(|path| path.to_str() == Some("journal:a"));
    check_start(
        b"journal:a",
        access(),
        &expect!["cannot read journal:a: there is no program no-such-journalctl, it needs systemd"],
    );
    check_start(
        b"journal:b",
        access(),
        &expect!["journal:b cannot be read: missing or not permitted"],
    );
    check_start(
        b"journal:a*",
        access(),
        &expect![[
            r#""journal:a*" names no journal: patterns of units are not permitted, write journal:UNIT"#
        ]],
    );
}
