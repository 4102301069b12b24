//! What every recipe needs: the shell, the workspace, the folders, the children and the stages.

use std::cell::RefCell;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xshell::{Cmd, Shell};

use crate::atomic;
use crate::child::{Children, Finished, piped};
use crate::fault::{Fault, refuse};
use crate::flags;
use crate::progress::Progress;
use crate::recipe::own_root;
use crate::words;

/// The stages of the pipeline in their order; `--from` takes one of these names.
pub(crate) const STAGES: [&str; 10] = [
    "preflight",
    "inputs",
    "build-baseline",
    "build-instrumented",
    "train",
    "merge",
    "build-optimised",
    "verify",
    "compare",
    "report",
];

/// What rustup gives to everything that it starts. It would force our toolchain on another
/// workspace, which has its own.
pub(crate) const TOOLCHAIN_VARIABLE: &str = "RUSTUP_TOOLCHAIN";

/// A question that is not answered by then never will be; `cargo metadata` may download.
const QUESTION_LIMIT: Duration = Duration::from_secs(300);

/// A stage's result that can be written down and taken up again by `--from`.
pub(crate) trait Artefact: Serialize + DeserializeOwned {
    /// Fails when what the record speaks of is gone or has changed since.
    fn verify(&self) -> Result<()>;
}

/// One row of the stage table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StageTime {
    pub(crate) name: String,
    pub(crate) seconds: f64,
    /// "ok", "FAILED", "resumed" or "unchanged".
    pub(crate) outcome: String,
}

/// The facts and handles that every recipe passes down. Never changed after it is made.
pub(crate) struct Ctx {
    pub(crate) sh: Shell,
    /// The workspace that is built: the folder of its `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// That workspace is not the one this program belongs to.
    pub(crate) foreign: bool,
    /// Everything the pipeline makes.
    pub(crate) out_dir: PathBuf,
    pub(crate) children: Children,
    pub(crate) verbose: bool,
    /// Index into `STAGES`: earlier stages are taken from their records.
    from: usize,
    times: RefCell<Vec<StageTime>>,
}

impl Ctx {
    /// `from` must be a name out of `STAGES`, or nothing to start at the beginning.
    pub(crate) fn new(
        root: &Path,
        out_dir: &Path,
        verbose: bool,
        from: Option<&str>,
    ) -> Result<Self> {
        let root = root.canonicalize().map_err(|error| {
            refuse(Fault::Usage, format!("--workspace {}: {error}", root.display()))
        })?;
        let own = own_root().canonicalize().unwrap_or_else(|_| own_root().to_owned());
        let out_dir = root.join(out_dir);
        if root.starts_with(&out_dir) {
            let text = format!("--out-dir {} holds the workspace itself", out_dir.display());
            return Err(refuse(Fault::Usage, text));
        }
        let sh = Shell::new().context("cannot find the current folder")?;
        sh.change_dir(&root);
        let from = match from {
            None => 0,
            Some(name) => STAGES.iter().position(|stage| *stage == name).ok_or_else(|| {
                refuse(
                    Fault::Usage,
                    format!("no stage named {name}; the stages are {}", STAGES.join(", ")),
                )
            })?,
        };
        Ok(Self {
            out_dir,
            foreign: root != own,
            root,
            sh,
            children: Children::watch()?,
            verbose,
            from,
            times: RefCell::default(),
        })
    }

    /// Runs one stage: announces it, times it, and names it in the error.
    pub(crate) fn stage<T>(&self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.children.check()?;
        eprintln!("== {name}");
        let started = Instant::now();
        // Whatever an interrupted stage says, the interruption is the reason.
        let result = work();
        let result = self.children.check().and(result);
        self.note(name, started.elapsed(), if result.is_ok() { "ok" } else { "FAILED" });
        result.with_context(|| format!("stage {name}"))
    }

    /// Like `stage`, but its result is recorded, and `--from` a later stage takes the record.
    pub(crate) fn artefact<T: Artefact>(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let record = self.record(name);
        if STAGES.iter().position(|stage| *stage == name).is_some_and(|i| i < self.from) {
            let started = Instant::now();
            let value = resume(name, &record)?;
            eprintln!("== {name}: taken from {}", record.display());
            self.note(name, started.elapsed(), "resumed");
            return Ok(value);
        }
        self.stage(name, || {
            let value: T = work()?;
            atomic::write_json(&record, &value)?;
            Ok(value)
        })
    }

    /// Prints the command so that it can be pasted, runs it, keeps its error output in a log and
    /// fails with the last lines of it. Standard output is returned.
    pub(crate) fn run(&self, cmd: Cmd<'_>, log: &str) -> Result<String> {
        let command = Command::from(cmd);
        let line = words::of(&command);
        eprintln!("   $ {line}");
        let (finished, stdout) = self.run_any(command, log)?;
        if finished.code == 0 {
            return Ok(stdout);
        }
        let tail = last_lines(&finished.stderr, if self.verbose { 0 } else { 25 });
        anyhow::bail!("`{line}` exited with {}{tail}", finished.code)
    }

    /// Like `run`, but unannounced, and any exit code is the caller's to judge.
    pub(crate) fn run_any(&self, mut command: Command, log: &str) -> Result<(Finished, String)> {
        piped(&mut command);
        let mut running = self.children.spawn(&mut command)?;
        let stdout = running.take_stdout();
        let mut progress = Progress::new(log, 0);
        let verbose = self.verbose;
        let reader =
            std::thread::spawn(move || stdout.map_or(Ok(String::new()), std::io::read_to_string));
        let finished = running.finish(None, |line| {
            if verbose {
                eprintln!("   {line}");
            }
            progress.say(line);
        })?;
        let path = self.out_dir.join("logs").join(format!("{log}.log"));
        atomic::write(&path, finished.stderr.as_bytes())?;
        let stdout = reader.join().unwrap_or_else(|_| Ok(String::new()))?;
        Ok((finished, stdout))
    }

    /// Like `artefact`, but an earlier run's record is also taken when it is whole and `fits`;
    /// `--from` this stage makes it anew all the same.
    pub(crate) fn artefact_unless<T: Artefact>(
        &self,
        name: &str,
        fits: impl FnOnce(&T) -> bool,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let place = STAGES.iter().position(|stage| *stage == name);
        let earlier = resume::<T>(name, &self.record(name));
        if place.is_some_and(|place| place < self.from) {
            if !fits(&earlier?) {
                let text = format!(
                    "what {name} depends on has changed; run again with --from {name} or without --from"
                );
                return Err(refuse(Fault::Usage, text));
            }
        } else if self.from == 0
            && let Ok(value) = earlier
            && fits(&value)
        {
            eprintln!("== {name}: nothing it depends on has changed since the last run");
            self.note(name, Duration::ZERO, "unchanged");
            return Ok(value);
        }
        self.artefact(name, work)
    }

    /// Forgets the records of an earlier run; `kept` is one that proves by itself whether it fits.
    pub(crate) fn forget_records(&self, kept: &str) -> Result<()> {
        for stage in STAGES.iter().filter(|stage| **stage != kept) {
            match std::fs::remove_file(self.record(stage)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).context("cannot remove an old record");
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn record(&self, name: &str) -> PathBuf {
        self.out_dir.join("stages").join(format!("{name}.json"))
    }

    /// Runs a quick question such as `rustc -vV` without announcing it.
    pub(crate) fn ask(&self, program: &Path, args: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        piped(command.args(args).current_dir(&self.root));
        // An instrumented program must not write to where the user's own profiles go.
        command.env_remove(flags::PROFILE_FILE_VARIABLE);
        if self.foreign {
            command.env_remove(TOOLCHAIN_VARIABLE);
        }
        let mut running = self.children.spawn(&mut command)?;
        let mut stdout = running.take_stdout().context("standard output was not piped")?;
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).map(|_count| bytes)
        });
        let finished = running.finish(Some(QUESTION_LIMIT), |_line| {})?;
        let bytes = reader.join().unwrap_or_else(|_| Ok(Vec::new()))?;
        anyhow::ensure!(
            finished.code == 0,
            "{} {}: {}",
            program.display(),
            args.join(" "),
            finished.stderr.trim()
        );
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The stages so far with their times.
    pub(crate) fn stage_times(&self) -> Vec<StageTime> {
        self.times.borrow().clone()
    }

    fn note(&self, name: &str, took: Duration, outcome: &str) {
        let seconds = took.as_secs_f64();
        self.times.borrow_mut().push(StageTime {
            name: name.to_owned(),
            seconds,
            outcome: outcome.to_owned(),
        });
    }
}

fn resume<T: Artefact>(name: &str, record: &Path) -> Result<T> {
    let read = || -> Result<T> {
        let value: T = serde_json::from_slice(&std::fs::read(record)?)?;
        value.verify()?;
        Ok(value)
    };
    read().map_err(|error| {
        refuse(
            Fault::Usage,
            format!("cannot resume after {name}: {error:#}; run again with --from {name} or without --from"),
        )
    })
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let tail = &lines[lines.len().saturating_sub(count)..];
    if tail.is_empty() { String::new() } else { format!("\n{}", tail.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, serde::Deserialize)]
    struct Number(u32);

    impl Artefact for Number {
        fn verify(&self) -> Result<()> {
            anyhow::ensure!(self.0 != 13, "13 is not what it was");
            Ok(())
        }
    }

    fn ctx(dir: &Path, from: Option<&str>) -> Ctx {
        Ctx::new(dir, &dir.join("out"), false, from).unwrap()
    }

    #[test]
    fn another_workspace_is_asked_without_our_toolchain() {
        let dir = tempfile::tempdir().unwrap();
        let other = ctx(dir.path(), None);
        let own = Ctx::new(own_root(), &dir.path().join("out"), false, None).unwrap();
        assert!(other.foreign && !own.foreign);
        let print = ["-c", "echo ${RUSTUP_TOOLCHAIN-none}"];
        assert_eq!(other.ask(Path::new("sh"), &print).unwrap(), "none\n");
    }

    #[test]
    fn a_stage_before_from_is_taken_from_its_record() {
        let dir = tempfile::tempdir().unwrap();
        let made = ctx(dir.path(), None).artefact("train", || Ok(Number(7))).unwrap();
        assert_eq!(made.0, 7);
        let resumed = ctx(dir.path(), Some("merge"));
        let taken = resumed.artefact::<Number>("train", || anyhow::bail!("must not run")).unwrap();
        assert_eq!(taken.0, 7);
        assert_eq!(resumed.stage_times()[0].outcome, "resumed");
    }

    #[test]
    fn a_changed_or_missing_record_is_refused_with_the_mending_option() {
        let dir = tempfile::tempdir().unwrap();
        ctx(dir.path(), None).artefact("train", || Ok(Number(13))).map(|_| ()).unwrap();
        let resumed = ctx(dir.path(), Some("merge"));
        let error = resumed.artefact::<Number>("train", || Ok(Number(1))).err().unwrap();
        assert!(error.to_string().contains("run again with --from train"), "{error}");
        assert_eq!(crate::fault::exit_code(&error), 2);
    }

    #[test]
    fn a_failed_stage_is_in_the_table_and_in_the_error() {
        let dir = tempfile::tempdir().unwrap();
        let ctx = ctx(dir.path(), None);
        let failed = ctx.stage("merge", || anyhow::bail!("no")) as Result<()>;
        assert_eq!(format!("{:#}", failed.unwrap_err()), "stage merge: no");
        assert_eq!(ctx.stage_times()[0].outcome, "FAILED");
    }
}
