//! A program to run in a scratch folder, in an environment that does not depend on who tests.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::{Finished, Running, Scratch};

/// No program under test may run longer than this, unless a test says so.
const LIMIT: Duration = Duration::from_secs(60);

/// What a program reads as its standard input.
#[derive(Debug, Clone)]
pub enum Stdin {
    /// `/dev/null`.
    Null,
    /// A pipe with these bytes, then the end.
    Bytes(Vec<u8>),
    /// A pipe with these bytes, which then stays open as long as the program runs.
    Held(Vec<u8>),
    /// A pipe that stays open and silent as long as the program runs.
    Silent,
}

/// A program with its arguments, its working directory the scratch folder.
///
/// `HOME` is the scratch folder too, the time zone is UTC, the host is called `testhost`, and no
/// variable of the tester that changes what the tools do gets through.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    /// The scratch folder.
    dir: PathBuf,
    working_dir: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    stdin: Stdin,
    limit: Duration,
}

impl Program {
    /// The program at `path`, usually `env!("CARGO_BIN_EXE_…")`, to be run in `scratch`.
    pub fn new(path: impl AsRef<Path>, scratch: &Scratch) -> Program {
        Program {
            path: path.as_ref().to_owned(),
            dir: scratch.path().to_owned(),
            working_dir: scratch.path().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            stdin: Stdin::Null,
            limit: LIMIT,
        }
    }

    /// Appends arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Program {
        self.arguments.extend(arguments.into_iter().map(|it| it.as_ref().to_owned()));
        self
    }

    /// Appends an argument.
    pub fn arg(self, argument: impl AsRef<OsStr>) -> Program {
        self.args([argument])
    }

    /// Sets the working directory.
    pub fn dir(mut self, dir: &Path) -> Program {
        self.working_dir = dir.to_owned();
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Program {
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// DTail's integration test mode: fixed host name, colours, DTail's own results.
    pub fn test_mode(self) -> Program {
        self.env("DTAIL_INTEGRATION_TEST_RUN_MODE", "yes")
    }

    /// Sets the standard input, which is [`Stdin::Null`] otherwise.
    pub fn stdin(mut self, stdin: Stdin) -> Program {
        self.stdin = stdin;
        self
    }

    /// Sets how long the program may run.
    pub fn limit(mut self, limit: Duration) -> Program {
        self.limit = limit;
        self
    }

    /// Runs the program to its end.
    #[track_caller]
    pub fn run(self) -> Finished {
        let limit = self.limit;
        self.spawn().wait(limit)
    }

    /// Starts the program and collects what it prints.
    #[track_caller]
    pub fn spawn(self) -> Running {
        self.start(Stdio::piped(), true)
    }

    /// Starts the program with a pipe as standard output that nobody reads.
    #[track_caller]
    pub fn spawn_stalled(self) -> Running {
        self.start(Stdio::piped(), false)
    }

    /// Starts the program with this standard output.
    #[track_caller]
    pub fn spawn_into(self, stdout: impl Into<Stdio>) -> Running {
        self.start(stdout.into(), true)
    }

    #[track_caller]
    fn start(self, stdout: Stdio, reads_stdout: bool) -> Running {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).current_dir(&self.working_dir);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"DTAIL_") {
                command.env_remove(name);
            }
        }
        command.env_remove("NO_COLOR").env_remove("TERM").env("LC_ALL", "C");
        command.env("HOME", &self.dir).env("TZ", "UTC").env("DTAIL_HOSTNAME_OVERRIDE", "testhost");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdout(stdout).stderr(Stdio::piped());
        command.stdin(match self.stdin {
            Stdin::Null => Stdio::null(),
            Stdin::Bytes(_) | Stdin::Held(_) | Stdin::Silent => Stdio::piped(),
        });
        let shown = self.shown();
        let mut child = command.spawn().unwrap_or_else(|err| panic!("cannot start {shown}: {err}"));
        let is_fed = matches!(self.stdin, Stdin::Bytes(_));
        let mut stdin = child.stdin.take();
        if let (Stdin::Held(bytes), Some(pipe)) = (&self.stdin, &mut stdin) {
            // No more than a pipe holds, so that this does not wait.
            drop(pipe.write_all(bytes));
        }
        if let (Stdin::Bytes(bytes), Some(mut pipe)) = (self.stdin, stdin.take_if(|_| is_fed)) {
            // The program may leave before it has read all; that is its own affair.
            thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        Running::new(child, stdin, shown, self.dir, reads_stdout)
    }

    /// The command line in a form that can be pasted.
    fn shown(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        for (name, value) in &self.environment {
            words.push(format!("{}={}", name.display(), quoted(value)));
        }
        words.push(quoted(self.path.as_os_str()));
        words.extend(self.arguments.iter().map(|it| quoted(it)));
        words.join(" ")
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let is_harmless = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_harmless) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
