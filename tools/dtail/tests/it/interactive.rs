//! Commands from a terminal while a run lasts.

use dtail_testkit::{Program, Scratch, Server, Signal, Terminal, sibling};

use crate::{LIMIT, dtail};

/// Types a line and waits until `answer` is on the screen.
#[track_caller]
fn say(terminal: &mut Terminal, line: &str, answer: &str) {
    terminal.clear();
    terminal.types(&format!("{line}\n"));
    terminal.shows(answer, LIMIT);
}

fn arguments(terminal: &Terminal) -> [String; 3] {
    let path = terminal.path().display().to_string();
    ["--interactive-query".to_owned(), "--control-tty".to_owned(), path]
}

/// The same story for a run anywhere.
#[track_caller]
fn check(program: Program, capable: &str) {
    let mut terminal = Terminal::new();
    let running = program.args(arguments(&terminal)).args(["--plain", "--regex", "one"]).spawn();
    let prints = |expected: &str| {
        running.wait_for_stdout(&format!("{expected:?} is printed"), LIMIT, |printed| {
            printed == expected.as_bytes()
        });
    };
    terminal.shows("interactive session", LIMIT);
    prints("one\n");
    say(
        &mut terminal,
        ":show",
        &format!(
            "regex=one options=plain=true,quiet=false,invert=false,before=0,after=0,max=0 timeout=0 capable={capable}"
        ),
    );
    say(&mut terminal, ":reload --query x", "interactive query error: --query is no flag");
    say(&mut terminal, ":reload --regex [", "reload failed: ");
    prints("one\n");
    say(&mut terminal, ":reload --regex two", "reload applied successfully");
    prints("one\ntwo\n");
    say(&mut terminal, ":reload --invert --plain=false", "reload applied successfully");
    prints("one\ntwo\nREMOTE|testhost|100|1|a.log|one\n");
    say(&mut terminal, ":nonsense", "unsupported command");
    say(&mut terminal, ":quit", "quitting interactive session");
    running.wait(LIMIT).exits(0);
}

#[test]
fn a_local_session_can_be_asked_something_else() {
    let scratch = Scratch::new();
    let file = scratch.write("a.log", "one\ntwo\n").display().to_string();
    check(Program::new(sibling("dgrep"), &scratch).args([file]), "1/1");
}

#[test]
fn a_session_on_a_server_can_be_asked_something_else() {
    let server = Server::start("{}");
    let file = server.scratch().write("a.log", "one\ntwo\n").display().to_string();
    let scratch = Scratch::new();
    check(server.client("dgrep", &scratch).args([file]), "1/1");
}

#[test]
fn a_signal_ends_it_all_the_same() {
    let terminal = Terminal::new();
    let scratch = Scratch::new();
    scratch.write("a.log", "");
    let running = dtail(&scratch, &["a.log"]).args(arguments(&terminal)).spawn();
    terminal.shows("interactive session", LIMIT);
    running.signal(Signal::TERM);
    running.wait(LIMIT).exits(0);
}
