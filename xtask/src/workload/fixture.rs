//! A live server beside a case: prepares its folder, starts it, waits until it takes connections,
//! and ends it with SIGTERM. Knows no server by name; `server` holds what the files say.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::atomic;
use crate::cargo::Bins;
use crate::child::{Children, Finished, Group, piped};
use crate::fault::{Fault, refuse};
use crate::workload::server::{Server, Step};

/// The server's folder inside a case's scratch folder: a folder is no effect of the case.
const FOLDER: &str = "fixture";
/// A step of the preparation that takes longer never ends.
const STEP_LIMIT: Duration = Duration::from_secs(60);

/// The baseline programs that run beside the one a case is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Companions(BTreeMap<String, PathBuf>);

impl Companions {
    /// Those of a baseline build.
    pub(crate) fn of(baseline: &Bins) -> Self {
        Self(baseline.bins.iter().map(|bin| (bin.tool.clone(), bin.path.clone())).collect())
    }

    /// Those that lie in `folder` under their names.
    pub(crate) fn in_folder<'a>(folder: &Path, names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(|name| (name.to_owned(), folder.join(name))).collect())
    }

    /// The program of `tool`.
    pub(crate) fn program(&self, tool: &str) -> Result<&Path> {
        let found = self.0.get(tool).filter(|path| path.is_file());
        found.map(PathBuf::as_path).ok_or_else(|| {
            let expected = self.0.get(tool).map_or("the baseline build".into(), |p| p.display().to_string());
            let text = format!(
                "no program {tool} to run beside the case (looked for {expected}); build it, or name the folder it is in (run-case: --companions, bench: --bin-dir)"
            );
            refuse(Fault::Usage, text)
        })
    }
}

/// A server's prepared folder.
pub(crate) struct Fixture<'a> {
    server: &'a Server,
    folder: PathBuf,
    children: &'a Children,
}

/// A server that takes connections.
pub(crate) struct Live {
    pub(crate) address: String,
    /// Its process number.
    pub(crate) process: u32,
    pub(crate) group: Group,
}

/// How a server ended, and what was done while it ran; nothing when it was never ready.
pub(crate) struct Served<T> {
    pub(crate) result: Option<T>,
    pub(crate) finished: Finished,
}

impl<T> Served<T> {
    /// What is wrong with the server, if it ran beside the program in question.
    pub(crate) fn fault(&self, tool: &str) -> Option<String> {
        let last = self.finished.stderr.lines().last().unwrap_or_default();
        if self.finished.timed_out {
            return Some(format!("its server {tool} did not end ({last})"));
        }
        let code = self.finished.code;
        (code != 0).then(|| format!("its server {tool} exited with {code} ({last})"))
    }
}

/// The folder of the server of the case that runs in `scratch`.
pub(crate) fn folder(scratch: &Path) -> PathBuf {
    scratch.join(FOLDER)
}

impl<'a> Fixture<'a> {
    /// Writes the server's files and runs its preparation. `fill` puts values for placeholders.
    pub(crate) fn prepare(
        server: &'a Server,
        scratch: &Path,
        children: &'a Children,
        companions: &Companions,
        fill: &dyn Fn(&str) -> Result<String>,
    ) -> Result<Self> {
        let fixture = Self { server, folder: folder(scratch), children };
        atomic::fresh_dir(&fixture.folder)?;
        for (name, content) in &server.files {
            atomic::write(&fixture.folder.join(name), fill(content)?.as_bytes())?;
        }
        // Keys lie in these folders: whatever the umask is, others must not write there.
        for entry in walkdir::WalkDir::new(&fixture.folder) {
            let entry = entry.context("cannot walk a server's folder")?;
            if entry.file_type().is_dir() {
                std::fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(0o755))?;
            }
        }
        for step in &server.prepare {
            fixture.step(step, companions, fill)?;
        }
        Ok(fixture)
    }

    fn step(
        &self,
        step: &Step,
        companions: &Companions,
        fill: &dyn Fn(&str) -> Result<String>,
    ) -> Result<()> {
        let name = step.tool.as_deref().or(step.program.as_deref()).unwrap_or_default();
        let program = match step.tool {
            Some(_) => companions.program(name)?,
            None => Path::new(name),
        };
        let mut command = Command::new(program);
        for arg in &step.args {
            command.arg(fill(arg)?);
        }
        piped(command.current_dir(&self.folder)).stdout(Stdio::null());
        let finished = self.children.spawn(&mut command)?.finish(Some(STEP_LIMIT), |_| {})?;
        if finished.code != 0 {
            let last = finished.stderr.lines().last().unwrap_or_default();
            let text = format!("preparing a server: {name} exited with {} ({last})", finished.code);
            return Err(refuse(Fault::Training, text));
        }
        Ok(())
    }

    /// Starts the server, does `work` with its address, and ends the server by SIGTERM.
    pub(crate) fn serve<T>(
        &self,
        command: &mut Command,
        limit: Duration,
        work: impl FnOnce(&Live) -> Result<T>,
    ) -> Result<Served<T>> {
        command.envs(&self.server.env).current_dir(&self.folder);
        let running = self.children.spawn(piped(command).stdout(Stdio::null()))?;
        let (process, group) = (running.id(), running.group());
        let (say, said) = sync_channel::<String>(1);
        let ready = self.server.ready.as_str();
        std::thread::scope(|scope| {
            let server = scope.spawn(move || {
                running.finish(Some(limit), move |line| {
                    if let Some(address) = line.strip_prefix(ready) {
                        // A server with several listeners says it for each; the first will do.
                        let _later = say.try_send(address.trim().to_owned());
                    }
                })
            });
            // The channel closes when the server ends without having been ready.
            let live = said.recv().ok().map(|address| Live { address, process, group });
            let result = live.map(|live| work(&live)).transpose();
            group.signal(Signal::TERM);
            let finished = server.join().ok().context("a server's watcher failed")?;
            Ok(Served { result: result?, finished: finished? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctx::Ctx;
    use crate::workload::case::{Job, Outcome, Scene};
    use crate::workload::inputs::Inputs;

    /// Says where it listens, and leaves with `$1` when it is told to.
    const SERVER: &str = "trap 'exit $1' TERM\necho 'waking up' >&2\n\
                          echo 'ready at host:7' >&2\nsleep 600 & wait";

    /// Runs one case of tool `t` beside stand-ins for its companions, with the program `body`.
    fn run(server_args: &str, case: &str, body: &str) -> Result<Outcome> {
        let dir = tempfile::tempdir().unwrap();
        let script = |name: &str, body: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        script("serve", SERVER);
        script("ask", "echo \"asked $*\"; test \"$NAME\" = value");
        let program = script("t", body);
        let server = format!(
            "tool = \"serve\"\nargs = [{server_args}]\nready = \"ready at \"\n\
             files = {{ \"a/key\" = \"kept in {{fixture}}\" }}\nclient_env = {{ NAME = \"value\" }}\n\
             client_args = [\"--to\", \"{{server}}\"]\n\
             prepare = [{{ program = \"cp\", args = [\"a/key\", \"{{fixture}}/copy\"] }}]\n"
        );
        let servers = BTreeMap::from([("s".to_owned(), toml::from_str(&server).unwrap())]);
        let case = format!("name = \"c\"\nkind = \"train\"\ntimeout_s = 5\nserver = \"s\"\n{case}");
        let case = toml::from_str(&case).unwrap();
        let ctx = Ctx::new(dir.path(), Path::new("out"), false, None).unwrap();
        let companions = Companions::in_folder(dir.path(), ["serve", "ask"]);
        let inputs = Inputs(BTreeMap::new());
        let scene = Scene { inputs: &inputs, servers: &servers, companions: &companions };
        let job = Job { ctx: &ctx, tool: "t", case: &case, scene };
        let outcome = job.run(&program, None)?;
        assert_eq!(outcome.effect.files, BTreeMap::new(), "the fixture is no effect");
        Ok(Outcome { stderr: outcome.fault(&case).unwrap_or_default(), ..outcome })
    }

    #[track_caller]
    fn check(server_args: &str, case: &str, body: &str, fault: &str) -> Outcome {
        let outcome = run(server_args, case, body).unwrap();
        assert_eq!(outcome.stderr, fault);
        outcome
    }

    #[test]
    fn a_client_gets_the_address_and_the_environment() {
        let body = "test \"$1 $2 $3 $NAME\" = '--to host:7 x value' || exit 9; cat fixture/copy";
        let outcome = check("\"0\"", "args = [\"x\"]", body, "");
        assert!(outcome.effect.stdout_bytes > "kept in /".len() as u64);
    }

    #[test]
    fn a_server_beside_that_fails_is_a_fault_of_the_run() {
        check(
            "\"3\"",
            "",
            "exit 0",
            "did not run well: its server serve exited with 3 (ready at host:7)",
        );
        check(
            "\"3\"",
            "exit = [1]",
            "echo bad >&2; exit 2",
            "exited with 2, allowed: [1] (bad); its server serve exited with 3 (ready at host:7)",
        );
    }

    #[test]
    fn clients_drive_a_server_and_their_order_does_not_matter() {
        let clients = "args = [\"0\"]\nclients = [\n\
                       { tool = \"ask\", args = [\"one\"], count = 3, repeat = 2 },\n\
                       { tool = \"ask\", args = [\"two\"] },\n]";
        let first = check("", clients, SERVER, "");
        let second = check("", clients, SERVER, "");
        assert_eq!(first.effect, second.effect);
        assert_eq!(first.effect.stdout_bytes, 7 * "asked --to host:7 one\n".len() as u64);
    }

    #[test]
    fn a_client_that_fails_is_a_fault_of_the_run() {
        let clients = "args = [\"0\"]\n\
                       clients = [{ tool = \"ask\", args = [], exit = [4] }]";
        let fault = "did not run well: client ask 1 exited with 0, allowed: [4] ()";
        check("", clients, SERVER, fault);
        let clients = "clients = [{ tool = \"ask\", args = [] }]";
        check("", clients, "exit 0", "did not run well: it never took connections");
        check(
            "",
            clients,
            "echo no >&2; exit 5",
            "exited with 5, allowed: [0] (no); it never took connections",
        );
    }
}
