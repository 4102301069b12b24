//! What a server needs: refusals that tell nothing, a log that tells all, rations and limits.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dtail_protocol::{Context, Mode, Request, Summary};
use expect_test::{Expect, expect};

use super::tests::{Scene, grep, request};
use crate::{Access, Output, Permits, Session, Settings};

/// Settings of a server that lets somebody read what is below `open`, and its log.
fn server(scene: &Scene) -> (Settings, Arc<Mutex<String>>) {
    let open = scene.path("open").canonicalize().expect("a folder");
    let folder = scene.path("").canonicalize().expect("a folder");
    let log = Arc::new(Mutex::new(String::new()));
    let settings = Settings {
        max_glob_targets: 5,
        access: Access::when(move |path| {
            path.starts_with(&open) || path.to_str() == Some("journal:web")
        }),
        remote: true,
        log: Some(Arc::new({
            let log = log.clone();
            let folder = folder.display().to_string();
            move |line: &str| {
                let line = line.replace(&folder, "DIR");
                log.lock().expect("no panic").push_str(&format!("LOG {line}\n"));
            }
        })),
        ..Settings::default()
    };
    (settings, log)
}

fn scene() -> Scene {
    let scene = Scene::new(&[]);
    for folder in ["open", "shut"] {
        fs::create_dir(scene.path(folder)).expect("a folder");
        fs::write(scene.path(folder).join("a"), "x\n").expect("written");
    }
    symlink("../shut/a", scene.path("open/b")).expect("a link");
    scene
}

#[track_caller]
fn check(request: Request, names: &[&str], expected: &Expect) {
    let mut scene = scene();
    let (settings, log) = server(&scene);
    scene.run(scene.in_folder(request, names), settings);
    let log = log.lock().expect("no panic");
    expected.assert_eq(&format!("{}{log}", scene.shown));
}

#[test]
fn refused_and_missing_files_look_alike_and_the_log_knows() {
    check(
        request(Mode::Cat),
        &["open/a", "open/b", "open/none", "shut/a", "shut/none"],
        &expect![[r#"
            a:1:x\n
            ERROR DIR/open/b cannot be read: missing or not permitted
            ERROR DIR/open/none cannot be read: missing or not permitted
            ERROR DIR/shut/a cannot be read: missing or not permitted
            ERROR DIR/shut/none cannot be read: missing or not permitted
            1 lines, 2 bytes, 1 matches, 1 files, 4 failed
            LOG refused to read DIR/open/b: it leads to DIR/shut/a, which no rule permits
            LOG refused to read DIR/open/none: No such file or directory
            LOG refused to read DIR/shut/a: no rule permits it
            LOG refused to read DIR/shut/none: No such file or directory
        "#]],
    );
}

#[test]
fn a_glob_leaves_out_what_is_not_permitted() {
    check(
        request(Mode::Cat),
        &["*/*", "shut/*", "none*", "open/["],
        &expect![[r#"
        open/a:1:x\n
        ERROR DIR/shut/* cannot be read: missing or not permitted
        ERROR DIR/none* cannot be read: missing or not permitted
        ERROR malformed glob "DIR/open/["
        1 lines, 2 bytes, 1 matches, 1 files, 3 failed
        LOG 2 of 3 matches of DIR/*/* left out, first: refused to read DIR/open/b: it leads to DIR/shut/a, which no rule permits
        LOG refused to read DIR/shut/*: 1 of 1 matches of DIR/shut/* left out, first: refused to read DIR/shut/a: no rule permits it
        LOG refused to read DIR/none*: no file matches
    "#]],
    );
}

#[test]
fn somebody_far_away_has_no_standard_input_here() {
    let mut scene = scene();
    for access in [Access::everything(), Access::when(|_| true)] {
        let settings = Settings { remote: true, access, ..Settings::default() };
        let files = vec!["-".into()];
        scene.run(Request { files: files.clone(), ..request(Mode::Cat) }, settings.clone());
        scene.run(Request { files, ..request(Mode::Tail) }, settings);
    }
    let settings = Settings { remote: true, ..Settings::default() };
    scene.run(Request { files: vec!["/dev/stdin".into()], ..request(Mode::Cat) }, settings);
    expect![[r#"
        ERROR - means standard input, which is not yours here: name files
        uncounted lines, 0 bytes, 0 matches, 0 files, 1 failed
        ERROR - means standard input, which is not yours here: name files
        uncounted lines, 0 bytes, 0 matches, 0 files, 1 failed
        ERROR - means standard input, which is not yours here: name files
        uncounted lines, 0 bytes, 0 matches, 0 files, 1 failed
        ERROR - means standard input, which is not yours here: name files
        uncounted lines, 0 bytes, 0 matches, 0 files, 1 failed
        ERROR - means standard input, which is not yours here: name files
        uncounted lines, 0 bytes, 0 matches, 0 files, 1 failed
    "#]]
    .assert_eq(&scene.shown);
}

#[test]
fn more_files_than_allowed_are_refused() {
    let scene = scene();
    let (settings, _) = server(&scene);
    let asked = scene.in_folder(request(Mode::Cat), &["a", "b", "c", "d", "e", "f"]);
    let refused = Session::new(asked.clone(), settings.clone()).err().expect("refused");
    expect!["6 files are named, more than the 5 of Server.MaxGlobTargets: name fewer"]
        .assert_eq(&refused.to_string());
    let local = Settings { remote: false, ..settings };
    assert!(Session::new(asked, local).is_ok());
}

/// Runs a session; after each output `act` may do something and says whether that was enough.
fn run_until(
    scene: &mut Scene,
    request: Request,
    settings: Settings,
    mut act: impl FnMut(&Scene) -> bool,
) -> Summary {
    let timeout = Some(Duration::from_secs(20));
    let session = Session::new(Request { timeout, ..request }, settings).expect("good");
    let cancel = AtomicBool::new(false);
    let start = Instant::now();
    let summary = session.run(&cancel, &mut |output| {
        scene.show(output);
        cancel.store(act(scene), Ordering::Relaxed);
        ControlFlow::Continue(())
    });
    assert!(start.elapsed() < Duration::from_secs(15), "ended in time: {}", scene.shown);
    summary
}

fn append(path: PathBuf, text: &str) {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
}

#[test]
fn a_follow_does_not_go_where_it_may_not() {
    let mut scene = scene();
    let (settings, log) = server(&scene);
    let asked = scene.in_folder(grep("x"), &["open/a", "open/b", "open/late", "shut/*", "s*"]);
    let asked = Request { mode: Mode::Tail, ..asked };
    let mut step = 0;
    let mut said = String::new();
    run_until(&mut scene, asked, settings, |scene| {
        step += 1;
        match step {
            // All complaints are made.
            4 => append(scene.path("open/a"), "x1\n"),
            5 => {
                // A file that was followed becomes a way out.
                said.clone_from(&scene.shown);
                fs::remove_file(scene.path("open/a")).expect("removed");
                symlink("../shut/a", scene.path("open/a")).expect("a link");
                append(scene.path("shut/a"), "x secret\n");
            }
            _ => {}
        }
        // Lines of the other file make the session go on until it has looked.
        let is_known = || log.lock().expect("no panic").contains("open/a: it leads to");
        step >= 5 && {
            append(scene.path("open/late"), "x2\n");
            is_known()
        }
    });
    let log = log.lock().expect("no panic");
    expect![[r#"
        WARN DIR/shut/* cannot be read: missing or not permitted, waiting for it
        WARN DIR/s* cannot be read: missing or not permitted, waiting for it
        WARN DIR/open/b cannot be read: missing or not permitted, waiting for it
        WARN DIR/open/late cannot be read: missing or not permitted, waiting for it
        a:1:x1\n
        LOG refused to read DIR/shut/*: 1 of 1 matches of DIR/shut/* left out, first: refused to read DIR/shut/a: no rule permits it
        LOG refused to read DIR/s*: 1 of 1 matches of DIR/s* left out, first: refused to read DIR/shut: no rule permits it
        LOG refused to read DIR/open/b: it leads to DIR/shut/a, which no rule permits
        LOG refused to read DIR/open/late: No such file or directory
        LOG refused to read DIR/open/a: it leads to DIR/shut/a, which no rule permits
    "#]].assert_eq(&format!("{said}{log}"));
    assert!(!scene.shown.contains("secret"), "{}", scene.shown);
}

#[test]
fn a_glob_follows_no_more_files_than_allowed() {
    let mut scene = scene();
    let settings = Settings { max_glob_targets: 3, ..server(&scene).0 };
    for name in ["open/c", "open/d", "open/e"] {
        append(scene.path(name), "");
    }
    let asked = scene.in_folder(request(Mode::Tail), &["open/[acd]", "open/[de]"]);
    run_until(&mut scene, asked, settings, |_| true);
    expect![[r#"
        WARN too many files match DIR/open/[de], leaving out 1
    "#]]
    .assert_eq(&scene.shown);
}

/// A shell script in the place of `journalctl`.
fn journalctl(scene: &Scene, script: &str) -> PathBuf {
    let path = scene.path("journalctl");
    // Written by another process, see the tests of journals in dtail-lines.
    let write = r#"printf '#!/bin/sh\n%s\n' "$1" >"$2" && chmod +x "$2""#;
    let mut writer = Command::new("sh");
    let status = writer.args(["-c", write, "sh", script]).arg(&path).status();
    assert!(status.expect("there is a shell").success(), "written");
    path
}

#[test]
fn a_journal_is_read_like_a_file() {
    let mut scene = scene();
    let (settings, _) = server(&scene);
    let journalctl = journalctl(&scene, "echo \"$*\"; echo no x; echo; echo gone >&2; exit 1");
    let settings = Settings { journalctl, ..settings };
    let files = vec!["journal:web".into(), "journal:mail".into(), "journal:web*".into()];
    scene.run(Request { files, ..request(Mode::Cat) }, settings.clone());
    let files = vec!["journal:web".into()];
    let missing = Settings { journalctl: "no-such-program".into(), ..settings };
    scene.run(Request { files, ..grep("x") }, missing);
    expect![[r#"
        journal:web:1:--no-pager -o short -u web\n
        journal:web:2:no x\n
        journal:web:3:\n
        ERROR cannot read journal:web: gone
        ERROR journal:mail cannot be read: missing or not permitted
        ERROR "journal:web*" names no journal: patterns of units are not permitted, write journal:UNIT
        3 lines, 33 bytes, 3 matches, 0 files, 3 failed
        ERROR cannot read journal:web: there is no program no-such-program, it needs systemd
        uncounted lines, 0 bytes, 0 matches, 0 files, 1 failed
    "#]].assert_eq(&scene.shown);
}

#[test]
fn a_followed_journal_is_begun_again_when_it_ends() {
    let mut scene = scene();
    let (settings, _) = server(&scene);
    let journalctl = journalctl(&scene, "echo \"$*\"; echo oops >&2; exit 1");
    let settings = Settings { journalctl, ..settings };
    let asked = Request { files: vec!["journal:web".into()], ..request(Mode::Tail) };
    let mut step = 0;
    run_until(&mut scene, asked, settings, |_| {
        step += 1;
        step == 3
    });
    expect![[r#"
        journal:web:1:--no-pager -o short -u web -f -n 0\n
        WARN cannot read journal:web: oops, waiting for it
        journal:web:2:--no-pager -o short -u web -f -n 0\n
    "#]]
    .assert_eq(&scene.shown);
}

#[test]
fn files_are_read_one_at_a_time_when_rationed() {
    let permits = Arc::new(Permits::new(1));
    let settings = Settings { file_permits: Some(permits.clone()), ..Settings::default() };
    let mut waiting = scene();
    let held = permits.acquire(|| false).expect("free");
    let mut held = Some(held);
    let asked = waiting.in_folder(request(Mode::Cat), &["open/a", "shut/a"]);
    run_until(&mut waiting, asked, settings.clone(), |_| {
        // The first output is that it waits.
        held = None;
        false
    });
    expect![[r#"
        WARN waiting until others are done (Server.MaxConcurrentCats)
        a:1:x\n
        a:1:x\n
    "#]]
    .assert_eq(&waiting.shown);

    let mut cancelled = scene();
    let _held = permits.acquire(|| false).expect("free");
    let asked = cancelled.in_folder(request(Mode::Tail), &["open/a"]);
    run_until(&mut cancelled, asked, settings, |_| true);
    expect![[r#"
        WARN waiting until others are done (Server.MaxConcurrentTails)
    "#]]
    .assert_eq(&cancelled.shown);
}

#[test]
fn a_query_with_too_many_groups_is_given_up() {
    let mut scene = scene();
    let many: String = (0..200_000).map(|number| format!("n={number}\n")).collect();
    fs::write(scene.path("open/many"), many).expect("written");
    let (settings, _) = server(&scene);
    let query = |group: &str| {
        // An interval that a slow machine cannot reach: there is one increment, at the end.
        let text =
            format!("select count($line) group by {group} interval 3600 logformat generickv");
        let asked = Request { query: Some(text), ..request(Mode::Map) };
        scene.in_folder(asked, &["open/many", "open/a"])
    };
    let (unique, single) = (query("n"), query("$hostname"));
    let settings = Settings { max_query_memory: 2 << 20, ..settings };
    let aborted = run_until(&mut scene, unique, settings.clone(), |_| false);
    assert!(aborted.aborted && aborted.bytes_read < 1 << 20, "{aborted:?}");
    let done = run_until(&mut scene, single, settings, |_| false);
    assert!(!done.aborted && done.matches == 200_001, "{done:?}");
    expect![[r#"
        ERROR the groups of this query need more than the 2 MiB of memory of Server.MaxQueryMemory: group by fewer different values or select fewer lines
        1 groups
    "#]].assert_eq(&scene.shown);
}

#[test]
fn leading_context_is_bounded_for_those_far_away() {
    let scene = scene();
    let lines = format!("{}\n", "y".repeat(1023)).repeat(17 << 10);
    fs::write(scene.path("open/many"), format!("{lines}x\n")).expect("written");
    let (settings, _) = server(&scene);
    let context = Context { before: usize::MAX, ..Context::default() };
    let asked = scene.in_folder(Request { context, ..grep("x") }, &["open/many"]);
    let mut received = 0;
    let mut warnings = String::new();
    let session = Session::new(asked, settings).expect("good");
    session.run(&AtomicBool::new(false), &mut |output| {
        match output {
            Output::Lines(lines) => received += lines.bytes.len(),
            Output::Diagnostic(diagnostic) => warnings.push_str(&diagnostic.text),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    assert!((16 << 20..17 << 20).contains(&received), "{received}");
    expect!["lines before a match are cut to 16 MiB: many"].assert_eq(&warnings);
}
