//! Runs one case with one program and tells everything it did: exit code, digests of its output
//! and of the files it wrote, error output, time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::{Cmd, cmd};

use crate::child::{Children, Cpu, Finished};
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::flags;
use crate::workload::clients::{self, Call, Following, Told};
use crate::workload::fixture::{self, Companions, Fixture};
use crate::workload::inputs::Inputs;
use crate::workload::server::Server;
use crate::workload::window::{Watch, Window};
use crate::workload::{Case, follow, placeholders};
use crate::{atomic, digest};

/// What the cases of a run find around them.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) inputs: &'a Inputs,
    pub(crate) servers: &'a BTreeMap<String, Server>,
    pub(crate) companions: &'a Companions,
}

/// A case with everything that is needed to run it with any program.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) tool: &'a str,
    pub(crate) case: &'a Case,
    pub(crate) scene: Scene<'a>,
}

/// What a run did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) timed_out: bool,
    pub(crate) stderr: String,
    pub(crate) wall: Duration,
    pub(crate) cpu: Cpu,
    pub(crate) effect: Effect,
    /// What went wrong with the programs that ran beside the one in question.
    pub(crate) beside: Option<String>,
}

/// What a run left for others to see; equal between flavours or something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) code: i32,
    /// Of a server: over what each of its clients printed, in the order of the case file.
    pub(crate) stdout_sha256: String,
    pub(crate) stdout_bytes: u64,
    /// File name → digest, for the files written to `{out}`.
    pub(crate) files: BTreeMap<String, String>,
}

impl<'a> Job<'a> {
    /// The folder in which the case runs and writes; the same for every program, because paths
    /// may be part of the output.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.ctx.out_dir.join("scratch").join(format!("{}.{}", self.tool, self.case.name))
    }

    /// The text with every placeholder filled in; `{server}` stays without an `address`.
    fn fill(&self, text: &str, address: Option<&str>) -> Result<String> {
        let mut filled = text.to_owned();
        for name in placeholders(text) {
            let value = match name {
                "out" => self.scratch().display().to_string(),
                "growing" => follow::path(&self.scratch()).display().to_string(),
                "fixture" => fixture::folder(&self.scratch()).display().to_string(),
                "server" => address.unwrap_or("{server}").to_owned(),
                input => self.scene.inputs.of(input)?.path.display().to_string(),
            };
            filled = filled.replace(&format!("{{{name}}}"), &value);
        }
        Ok(filled)
    }

    /// The arguments of the program, with what its server asks of every client.
    pub(crate) fn args(&self, address: Option<&str>) -> Result<Vec<String>> {
        let server = self.server()?;
        let beside = match self.case.clients.is_empty() {
            true => server.map(|server| &server.client_args),
            // The program is the server itself.
            false => server.map(|server| &server.args),
        };
        let args = beside.into_iter().flatten().chain(&self.case.args);
        args.map(|arg| self.fill(arg, address)).collect()
    }

    /// The server of the case.
    fn server(&self) -> Result<Option<&'a Server>> {
        let named = |name: &String| {
            self.scene.servers.get(name).with_context(|| format!("no server named {name}"))
        };
        self.case.server.as_ref().map(named).transpose()
    }

    /// The command of the case; raw profiles go to `raw` when the program writes any. Pure:
    /// `--dry-run` prints it.
    pub(crate) fn command(
        &self,
        program: &Path,
        raw: Option<&Path>,
        address: Option<&str>,
    ) -> Result<Cmd<'a>> {
        let args = self.args(address)?;
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
    pub(crate) fn stdin(&self) -> Result<Option<&'a Path>> {
        let inputs = self.scene.inputs;
        let of = |name: &String| inputs.of(name).map(|input| input.path.as_path());
        self.case.stdin.as_ref().map(of).transpose()
    }

    /// Runs the case once, in an empty scratch folder.
    pub(crate) fn run(&self, program: &Path, raw: Option<&Path>) -> Result<Outcome> {
        atomic::fresh_dir(&self.scratch())?;
        let Some(server) = self.server()? else { return self.run_program(program, raw, None) };
        let fixture = Fixture::prepare(
            server,
            &self.scratch(),
            &self.ctx.children,
            self.scene.companions,
            &|text| self.fill(text, None),
        )?;
        if self.case.clients.is_empty() {
            self.run_client(program, raw, server, &fixture)
        } else {
            self.run_server(program, raw, server, &fixture)
        }
    }

    /// The program is a client: a companion serves.
    fn run_client(
        &self,
        program: &Path,
        raw: Option<&Path>,
        server: &Server,
        fixture: &Fixture<'_>,
    ) -> Result<Outcome> {
        let mut beside = Command::new(self.scene.companions.program(&server.tool)?);
        for arg in &server.args {
            beside.arg(self.fill(arg, None)?);
        }
        let served = fixture.serve(&mut beside, 2 * self.limit(), |live| {
            self.run_program(program, raw, Some((server, &live.address)))
        })?;
        let fault = served.fault(&server.tool);
        let Some(mut outcome) = served.result else {
            let (tool, case) = (self.tool, &self.case.name);
            let fault = fault.unwrap_or_else(|| format!("{} never took connections", server.tool));
            return Err(refuse(Fault::Training, format!("{tool}, case {case}: {fault}")));
        };
        outcome.beside = fault;
        Ok(outcome)
    }

    /// The program is the server: companions are its clients.
    fn run_server(
        &self,
        program: &Path,
        raw: Option<&Path>,
        server: &Server,
        fixture: &Fixture<'_>,
    ) -> Result<Outcome> {
        let mut command = Command::from(self.command(program, raw, None)?);
        let pattern = raw.filter(|_| self.case.window == Window::Steady);
        let count = self.case.clients.iter().map(|clients| clients.count as usize).sum();
        let watch = pattern.map(|pattern| Watch::new(pattern, count)).transpose()?.map(Arc::new);
        let served = fixture.serve(&mut command, 2 * self.limit(), |live| {
            let growing = self.case.growing.as_ref();
            let source = growing.map(|growing| self.scene.inputs.of(&growing.input)).transpose()?;
            let scratch = self.scratch();
            let following = growing.zip(source);
            let following = following.map(|(how, input)| (how, &*input.path, &*scratch));
            let calls = self.calls(server, &live.address)?;
            clients::drive(&self.ctx.children, calls, following, watch.as_ref(), self.limit())
        })?;
        let told = served.result.unwrap_or_else(|| Told {
            fault: Some("it never took connections".to_owned()),
            ..Told::default()
        });
        let mut outcome = self.outcome(served.finished, told.digest)?;
        outcome.effect.stdout_bytes = told.bytes;
        outcome.beside = told.fault.or_else(|| watch?.fault());
        Ok(outcome)
    }

    /// Every client of the case with its command lines.
    fn calls(&self, server: &Server, address: &str) -> Result<Vec<Call>> {
        let mut calls = Vec::new();
        for clients in &self.case.clients {
            let program = self.scene.companions.program(&clients.tool)?;
            let args = server.client_args.iter().chain(&clients.args);
            let args: Vec<String> =
                args.map(|arg| self.fill(arg, Some(address))).collect::<Result<_>>()?;
            let of = |name: &String| anyhow::Ok(self.scene.inputs.of(name)?.path.clone());
            let stdin: Option<PathBuf> = clients.stdin.as_ref().map(of).transpose()?;
            for _ in 0..clients.count {
                let command = || -> Result<Command> {
                    let mut command = Command::new(program);
                    command.args(&args).current_dir(self.scratch());
                    self.as_client(&mut command, server, address)?;
                    Ok(command)
                };
                calls.push(Call {
                    name: format!("{} {}", clients.tool, calls.len() + 1),
                    commands: (0..clients.repeat).map(|_| command()).collect::<Result<_>>()?,
                    stdin: stdin.clone(),
                    exit: clients.exit.clone(),
                    follows: clients.follow(),
                });
            }
        }
        Ok(calls)
    }

    fn as_client(&self, command: &mut Command, server: &Server, address: &str) -> Result<()> {
        for (name, value) in &server.client_env {
            command.env(name, self.fill(value, Some(address))?);
        }
        Ok(())
    }

    fn run_program(
        &self,
        program: &Path,
        raw: Option<&Path>,
        server: Option<(&Server, &str)>,
    ) -> Result<Outcome> {
        let address = server.map(|(_, address)| address);
        let scratch = self.scratch();
        let mut command = Command::from(self.command(program, raw, address)?);
        command.current_dir(&scratch);
        if let Some((server, address)) = server {
            self.as_client(&mut command, server, address)?;
        }
        let growing = self.case.growing.as_ref();
        let source = growing.map(|growing| self.scene.inputs.of(&growing.input)).transpose()?;
        let following = growing.zip(source).map(|(how, input)| (how, &*input.path, &*scratch));
        let children = &self.ctx.children;
        let heard = Heard { changing: self.case.changing.as_deref(), watch: None };
        let (digest, finished) =
            execute(children, &mut command, self.stdin()?, following, heard, self.limit())?;
        self.outcome(finished, digest)
    }

    fn outcome(&self, finished: Finished, digest: digest::Digest) -> Result<Outcome> {
        let stdout_bytes = digest.bytes();
        let files = files(&self.scratch(), self.case.growing.is_some())?;
        let code = finished.code;
        let effect = Effect { code, stdout_sha256: digest.finish(), stdout_bytes, files };
        Ok(Outcome {
            timed_out: finished.timed_out,
            stderr: finished.stderr,
            wall: finished.wall,
            cpu: finished.cpu,
            effect,
            beside: None,
        })
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.case.timeout_s)
    }
}

/// How a command's output is listened to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Heard<'a> {
    /// Lines that hold this text are left out.
    pub(crate) changing: Option<&'a str>,
    /// Who wants to know when it begins and ends.
    pub(crate) watch: Option<&'a Arc<Watch>>,
}

/// Runs one command to its end and digests what it prints; feeds the file it follows, if any.
pub(crate) fn execute(
    children: &Children,
    command: &mut Command,
    stdin: Option<&Path>,
    following: Following<'_>,
    heard: Heard<'_>,
    limit: Duration,
) -> Result<(digest::Digest, Finished)> {
    if let Some((growing, source, scratch)) = following {
        follow::prepare(growing, source, scratch)?;
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(match stdin {
        Some(path) => {
            File::open(path).with_context(|| format!("cannot open {}", path.display()))?.into()
        }
        None => Stdio::null(),
    });
    let mut running = children.spawn(command)?;
    if let Some((growing, source, scratch)) = following {
        return follow::drive(growing, source, scratch, running, limit);
    }
    let stdout = running.take_stdout().context("standard output was not piped")?;
    let changing = heard.changing.map(str::to_owned);
    let watch = heard.watch.map(Arc::clone);
    let reader = std::thread::spawn(move || match watch {
        Some(watch) => digest_all(watch.watched(stdout), changing.as_deref()),
        None => digest_all(stdout, changing.as_deref()),
    });
    let finished = running.finish(Some(limit), |_| {})?;
    let digest = reader.join().unwrap_or_else(|_| Err(std::io::Error::other("reader")));
    Ok((digest.context("cannot read the program's output")?, finished))
}

impl Outcome {
    /// What is wrong with the run as such, before anybody looks at its effect.
    pub(crate) fn fault(&self, case: &Case) -> Option<String> {
        let last = self.stderr.lines().last().unwrap_or_default();
        let said = if last.is_empty() { String::new() } else { format!(" ({last})") };
        let beside = self.beside.as_ref().map(|text| format!("; {text}")).unwrap_or_default();
        if self.timed_out {
            return Some(format!("ran longer than {} s{said}{beside}", case.timeout_s));
        }
        if !case.exit.contains(&self.effect.code) {
            let code = self.effect.code;
            return Some(format!("exited with {code}, allowed: {:?}{said}{beside}", case.exit));
        }
        let complaint = self.stderr.lines().find(|line| line.contains(flags::PROFILE_ERROR));
        let complaint = complaint.map(|line| format!("could not write its profile: {line}"));
        complaint.or_else(|| Some(format!("did not run well: {}", self.beside.as_ref()?)))
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

fn digest_all(
    mut stream: impl std::io::Read,
    changing: Option<&str>,
) -> std::io::Result<digest::Digest> {
    let mut digest = digest::Digest::default();
    let Some(text) = changing else {
        digest.update_from(&mut stream)?;
        return Ok(digest);
    };
    let mut reader = std::io::BufReader::new(stream);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if !line.windows(text.len().max(1)).any(|window| window == text.as_bytes()) {
            digest.update(&line);
        }
        line.clear();
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_change_from_run_to_run_are_not_compared() {
        let told = |text: &str, changing| digest_all(text.as_bytes(), changing).unwrap();
        let first = told("a\nelapsed 1\nb\n", Some("elapsed"));
        assert_eq!(first.bytes(), 4);
        assert_eq!(first.finish(), told("a\nb\nelapsed 2", Some("elapsed")).finish());
        assert_eq!(told("a\nelapsed 1\n", None).bytes(), 12);
    }
}
