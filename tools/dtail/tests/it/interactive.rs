//! Commands from a terminal while a run lasts.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use dtail_testkit::{Program, Scratch, Server, Signal, sibling, wait_until};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::{LIMIT, dtail};

/// A terminal with somebody at it.
struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    path: PathBuf,
    /// Keeps the terminal there before the program opens it.
    _open: File,
}

impl Terminal {
    fn new() -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("a terminal");
        unlockpt(&master).expect("a terminal");
        let name = ptsname(&master, Vec::new()).expect("a terminal");
        let path = PathBuf::from(name.into_string().expect("a terminal"));
        let open = OpenOptions::new().read(true).write(true).open(&path).expect("a terminal");
        let keyboard = File::from(master);
        let mut reader = keyboard.try_clone().expect("a terminal");
        let screen = Arc::new(Mutex::new(Vec::new()));
        let shown = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                shown.lock().expect("nobody panics with it").extend_from_slice(&buffer[..length]);
            }
        });
        Terminal { keyboard, screen, path, _open: open }
    }

    /// Types a line and waits until `answer` is on the screen.
    #[track_caller]
    fn say(&mut self, line: &str, answer: &str) {
        self.screen.lock().expect("nobody panics with it").clear();
        self.keyboard.write_all(format!("{line}\n").as_bytes()).expect("a terminal");
        self.shows(answer);
    }

    #[track_caller]
    fn shows(&self, answer: &str) {
        let shown = || {
            String::from_utf8_lossy(&self.screen.lock().expect("nobody panics with it"))
                .into_owned()
        };
        wait_until(&format!("the terminal shows {answer:?}"), LIMIT, || shown().contains(answer));
    }

    fn arguments(&self) -> [String; 3] {
        let path = self.path.display().to_string();
        ["--interactive-query".to_owned(), "--control-tty".to_owned(), path]
    }
}

/// The same story for a run anywhere.
#[track_caller]
fn check(program: Program, capable: &str) {
    let mut terminal = Terminal::new();
    let running = program.args(terminal.arguments()).args(["--plain", "--regex", "one"]).spawn();
    let prints = |expected: &str| {
        running.wait_for_stdout(&format!("{expected:?} is printed"), LIMIT, |printed| {
            printed == expected.as_bytes()
        });
    };
    terminal.shows("interactive session");
    prints("one\n");
    terminal.say(":show", &format!("regex=one options=plain=true,quiet=false,invert=false,before=0,after=0,max=0 timeout=0 capable={capable}"));
    terminal.say(":reload --query x", "interactive query error: --query is no flag");
    terminal.say(":reload --regex [", "reload failed: ");
    prints("one\n");
    terminal.say(":reload --regex two", "reload applied successfully");
    prints("one\ntwo\n");
    terminal.say(":reload --invert --plain=false", "reload applied successfully");
    prints("one\ntwo\nREMOTE|testhost|100|1|a.log|one\n");
    terminal.say(":nonsense", "unsupported command");
    terminal.say(":quit", "quitting interactive session");
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
    let running = dtail(&scratch, &["a.log"]).args(terminal.arguments()).spawn();
    terminal.shows("interactive session");
    running.signal(Signal::TERM);
    running.wait(LIMIT).exits(0);
}
