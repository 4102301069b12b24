//! What a program did, and failing with all of it when it is not what was expected.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// Longest part of an output shown in a failure, in bytes.
const SHOWN: usize = 4000;

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    pub(crate) command: String,
    pub(crate) dir: PathBuf,
    pub(crate) status: Option<ExitStatus>,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it said to standard error.
    pub stderr: Vec<u8>,
    /// How long it ran.
    pub took: Duration,
}

impl Finished {
    /// The exit code; `None` when a signal killed it.
    pub fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    /// Fails unless this was the exit code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Finished {
        self.must(self.code() == Some(code), &format!("expected exit code {code}"))
    }

    /// Fails unless exactly this was printed.
    #[track_caller]
    pub fn prints(&self, expected: impl AsRef<[u8]>) -> &Finished {
        let expected = expected.as_ref();
        let common = self.stdout.iter().zip(expected).take_while(|(left, right)| left == right);
        let complaint = format!(
            "expected other output, it differs from byte {} on; expected\n{}",
            common.count(),
            shown(expected)
        );
        self.must(self.stdout == expected, &complaint)
    }

    /// Fails unless exactly this was said to standard error.
    #[track_caller]
    pub fn says(&self, expected: &str) -> &Finished {
        let complaint = format!("expected on standard error\n{expected}");
        self.must(self.stderr == expected.as_bytes(), &complaint)
    }

    /// Standard output as text.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text, with the path of the scratch folder as `DIR`.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).replace(&self.dir.display().to_string(), "DIR")
    }

    /// Fails with the whole story unless the condition holds.
    #[track_caller]
    pub fn must(&self, holds: bool, complaint: &str) -> &Finished {
        assert!(holds, "{complaint}\n{}", self.report());
        self
    }

    /// Everything there is to tell about it.
    pub fn report(&self) -> String {
        let status = match self.status {
            Some(status) => match status.signal() {
                Some(signal) => format!("killed by signal {signal}"),
                None => format!("exit code {}", status.code().unwrap_or(-1)),
            },
            None => "did not end".to_owned(),
        };
        format!(
            "--- command\n{}\n--- in {}\n{}--- {status} after {:?}\n--- stdout, {} bytes\n{}\n\
             --- stderr, {} bytes\n{}\n---",
            self.command,
            self.dir.display(),
            listing(&self.dir),
            self.took,
            self.stdout.len(),
            shown(&self.stdout),
            self.stderr.len(),
            shown(&self.stderr)
        )
    }
}

/// Escapes and control characters become visible.
fn shown(bytes: &[u8]) -> String {
    let part = &bytes[..bytes.len().min(SHOWN)];
    let mut text: String = String::from_utf8_lossy(part)
        .chars()
        .map(|c| match c {
            '\n' => "\n".to_owned(),
            c if c.is_control() => c.escape_default().to_string(),
            c => c.to_string(),
        })
        .collect();
    if part.len() < bytes.len() {
        text.push_str(&format!("… and {} bytes more", bytes.len() - part.len()));
    }
    text
}

fn listing(dir: &Path) -> String {
    let mut names: Vec<(PathBuf, u64)> = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        names.push((entry.path(), entry.metadata().map(|it| it.len()).unwrap_or(0)));
    }
    names.sort();
    let line = |(path, size): &(PathBuf, u64)| {
        format!("{size:>12} {}\n", path.file_name().unwrap_or_default().display())
    };
    names.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::panic;

    use crate::{Program, Scratch, Stdin};

    #[test]
    fn a_failed_expectation_tells_the_whole_story() {
        let scratch = Scratch::new();
        scratch.write("input.txt", "12345");
        let shell = Program::new("/bin/sh", &scratch);
        let script = "cat; printf '\\033[1mbold'; echo wrong >&2; exit 7";
        let finished = shell.args(["-c", script]).stdin(Stdin::Bytes(b"in ".to_vec())).run();
        finished.exits(7).prints(b"in \x1b[1mbold").says("wrong\n");

        let failure = panic::catch_unwind(|| finished.exits(0).code()).unwrap_err();
        let story = failure.downcast::<String>().unwrap();
        for part in
            ["exit code 0", "/bin/sh -c 'cat; ", "5 input.txt", "exit code 7", "bold", "wrong"]
        {
            assert!(story.contains(part), "{part} is missing in {story}");
        }
    }
}
