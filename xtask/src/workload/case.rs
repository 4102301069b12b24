//! Runs one case with one program and tells everything it did: exit code, digests of its output
//! and of the files it wrote, error output, time.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::{Cmd, cmd};

use crate::ctx::Ctx;
use crate::flags;
use crate::workload::inputs::Inputs;
use crate::workload::{Case, follow, placeholders};
use crate::{atomic, digest};

/// A case with everything that is needed to run it with any program.
pub(crate) struct Job<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) tool: &'a str,
    pub(crate) case: &'a Case,
    pub(crate) inputs: &'a Inputs,
}

/// What a run did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) timed_out: bool,
    pub(crate) stderr: String,
    pub(crate) wall: Duration,
    pub(crate) effect: Effect,
}

/// What a run left for others to see; equal between flavours or something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) code: i32,
    pub(crate) stdout_sha256: String,
    pub(crate) stdout_bytes: u64,
    /// File name → digest, for the files written to `{out}`.
    pub(crate) files: BTreeMap<String, String>,
}

impl Job<'_> {
    /// The folder in which the case runs and writes; the same for every program, because paths
    /// may be part of the output.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.ctx.out_dir.join("scratch").join(format!("{}.{}", self.tool, self.case.name))
    }

    /// The arguments with every placeholder filled in.
    pub(crate) fn args(&self) -> Result<Vec<String>> {
        let fill = |arg: &String| -> Result<String> {
            let mut filled = arg.clone();
            for name in placeholders(arg) {
                let value = match name {
                    "out" => self.scratch().display().to_string(),
                    "growing" => follow::path(&self.scratch()).display().to_string(),
                    input => self.inputs.of(input)?.path.display().to_string(),
                };
                filled = filled.replace(&format!("{{{name}}}"), &value);
            }
            Ok(filled)
        };
        self.case.args.iter().map(fill).collect()
    }

    /// The command of the case; raw profiles go to `raw` when the program writes any. Pure:
    /// `--dry-run` prints it.
    pub(crate) fn command(&self, program: &Path, raw: Option<&Path>) -> Result<Cmd<'_>> {
        let args = self.args()?;
        let sh = &self.ctx.sh;
        Ok(match raw {
            Some(pattern) => {
                let variable = flags::PROFILE_FILE_VARIABLE;
                cmd!(sh, "env {variable}={pattern} {program} {args...}")
            }
            None => cmd!(sh, "{program} {args...}"),
        })
    }

    /// The file that standard input is read from.
    pub(crate) fn stdin(&self) -> Result<Option<&Path>> {
        let of = |name: &String| self.inputs.of(name).map(|input| input.path.as_path());
        self.case.stdin.as_ref().map(of).transpose()
    }

    /// Runs the case once, in an empty scratch folder.
    pub(crate) fn run(&self, program: &Path, raw: Option<&Path>) -> Result<Outcome> {
        let scratch = self.scratch();
        atomic::fresh_dir(&scratch)?;
        let mut command = Command::from(self.command(program, raw)?);
        command.current_dir(&scratch).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(match self.stdin()? {
            Some(path) => {
                File::open(path).with_context(|| format!("cannot open {}", path.display()))?.into()
            }
            None => Stdio::null(),
        });
        let limit = Duration::from_secs(self.case.timeout_s);
        let mut running = self.ctx.children.spawn(&mut command)?;
        let (digest, finished) = match &self.case.growing {
            Some(growing) => {
                let source = &self.inputs.of(&growing.input)?.path;
                follow::drive(growing, source, &scratch, running, limit)?
            }
            None => {
                let stdout = running.take_stdout().context("standard output was not piped")?;
                let reader = std::thread::spawn(move || digest_all(stdout));
                let finished = running.finish(Some(limit), |_| {})?;
                let digest = reader.join().unwrap_or_else(|_| Err(std::io::Error::other("reader")));
                (digest.context("cannot read the program's output")?, finished)
            }
        };
        let stdout_bytes = digest.bytes();
        let files = files(&scratch, self.case.growing.is_some())?;
        let code = finished.code;
        let effect = Effect { code, stdout_sha256: digest.finish(), stdout_bytes, files };
        Ok(Outcome {
            timed_out: finished.timed_out,
            stderr: finished.stderr,
            wall: finished.wall,
            effect,
        })
    }
}

impl Outcome {
    /// What is wrong with the run as such, before anybody looks at its effect.
    pub(crate) fn fault(&self, case: &Case) -> Option<String> {
        let last = self.stderr.lines().last().unwrap_or_default();
        let said = if last.is_empty() { String::new() } else { format!(" ({last})") };
        if self.timed_out {
            return Some(format!("ran longer than {} s{said}", case.timeout_s));
        }
        if !case.exit.contains(&self.effect.code) {
            let code = self.effect.code;
            return Some(format!("exited with {code}, allowed: {:?}{said}", case.exit));
        }
        let complaint = self.stderr.lines().find(|line| line.contains(flags::PROFILE_ERROR));
        complaint.map(|line| format!("could not write its profile: {line}"))
    }
}

impl Effect {
    /// One line that says how `self` differs from `expected`.
    pub(crate) fn difference(&self, expected: &Self) -> Option<String> {
        if self == expected {
            return None;
        }
        if self.code != expected.code {
            return Some(format!(
                "it exited with {}, the baseline with {}",
                self.code, expected.code
            ));
        }
        if self.stdout_sha256 != expected.stdout_sha256 {
            return Some(format!(
                "its output differs from the baseline's ({} bytes, baseline {})",
                self.stdout_bytes, expected.stdout_bytes
            ));
        }
        let changed = expected
            .files
            .keys()
            .chain(self.files.keys())
            .find(|name| self.files.get(*name) != expected.files.get(*name));
        Some(format!("file {} differs from the baseline's", changed.map_or("?", String::as_str)))
    }
}

fn digest_all(mut stream: impl std::io::Read) -> std::io::Result<digest::Digest> {
    let mut digest = digest::Digest::default();
    digest.update_from(&mut stream)?;
    Ok(digest)
}

/// The growing file and its rotated siblings are input, not effect.
fn files(scratch: &Path, follows: bool) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(scratch)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() && !(follows && follow::owns(&name)) {
            files.insert(name, digest::of_file(&path)?);
        }
    }
    Ok(files)
}
