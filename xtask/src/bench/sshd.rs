//! This machine's OpenSSH as a peer: an sshd of our own on a loopback port with its own keys, and
//! the words of an `ssh` command that reaches it and nothing else.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::bench::stage::Stage;
use crate::child::piped;
use crate::toolchain::in_path;
use crate::words;
use crate::workload::fixture::{self, Companions, Fixture, Served};
use crate::workload::server::Server;

/// Longer than everything that is measured against it.
const LIFE: Duration = Duration::from_secs(1800);

/// A running sshd as an `ssh` command sees it.
pub(crate) struct Sshd {
    folder: PathBuf,
    port: u16,
}

/// Runs `work` beside an sshd, or says why there is none.
pub(crate) fn beside<T>(
    stage: &Stage<'_>,
    work: impl FnOnce(&Sshd) -> Result<T>,
) -> Result<Result<T, String>> {
    let program = in_path("sshd").or_else(|| Some(PathBuf::from("/usr/sbin/sshd")));
    let Some(program) = program.filter(|path| path.is_file() && in_path("ssh").is_some()) else {
        return Ok(Err("no ssh and sshd here: apt-get install openssh-server".to_owned()));
    };
    let scratch = stage.folder.join("sshd");
    let port = free_port()?;
    let server: Server = toml::from_str(&definition(port)).context("sshd's definition")?;
    let folder = fixture::folder(&scratch);
    let fill = |text: &str| Ok(text.replace("{fixture}", &folder.display().to_string()));
    let (children, none) = (&stage.ctx.children, Companions::default());
    let fixture = Fixture::prepare(&server, &scratch, children, &none, &fill)?;
    if rustix::process::geteuid().is_root() {
        // sshd as root wants an empty folder for its unprivileged half; Debian makes it at boot.
        std::fs::create_dir_all("/run/sshd").context("cannot make /run/sshd")?;
    }
    let mut command = Command::new(&program);
    command.args(["-D", "-e", "-f"]).arg(folder.join("sshd_config"));
    let served = fixture.serve(&mut command, LIFE, |_live| {
        let sshd = Sshd { folder: folder.clone(), port };
        match sshd.probe(stage)? {
            Some(why) => Ok(Err(format!("sshd refuses us: {why}"))),
            None => work(&sshd).map(Ok),
        }
    })?;
    let Served { result, finished } = served;
    let last = finished.stderr.lines().last().unwrap_or_default();
    Ok(result.unwrap_or_else(|| Err(format!("{} does not start: {last}", program.display()))))
}

impl Sshd {
    /// The words of `ssh` up to the command that the host shall run.
    pub(crate) fn words(&self, command: &[&str]) -> Vec<String> {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let mut words = vec!["ssh".to_owned(), "-F".to_owned(), "none".to_owned()];
        words.extend(["-c".to_owned(), "aes128-gcm@openssh.com".to_owned()]);
        words.extend(["-p".to_owned(), self.port.to_string(), "-i".to_owned(), file("key")]);
        for option in [
            "BatchMode=yes".to_owned(),
            "ControlPath=none".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "StrictHostKeyChecking=accept-new".to_owned(),
            format!("UserKnownHostsFile={}", file("known_hosts")),
        ] {
            words.extend(["-o".to_owned(), option]);
        }
        words.push("127.0.0.1".to_owned());
        // ssh joins its words with blanks and has the host's shell split them again.
        words.push(words::join(command));
        words
    }

    /// Why a login fails, if it does.
    fn probe(&self, stage: &Stage<'_>) -> Result<Option<String>> {
        let words = self.words(&["true"]);
        let mut command = Command::new(&words[0]);
        piped(command.args(&words[1..])).stdout(std::process::Stdio::null());
        let limit = Some(Duration::from_secs(30));
        let finished = stage.ctx.children.spawn(&mut command)?.finish(limit, |_| {})?;
        let last = finished.stderr.lines().last().unwrap_or("it said nothing").to_owned();
        Ok((finished.code != 0).then_some(last))
    }
}

/// sshd cannot choose a port by itself, so one that is free now is chosen for it.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

fn definition(port: u16) -> String {
    let key = |name: &str| {
        format!(
            "{{ program = \"ssh-keygen\", args = [\"-q\", \"-t\", \"ed25519\", \"-N\", \"\", \"-f\", \"{{fixture}}/{name}\"] }}"
        )
    };
    format!(
        "tool = \"sshd\"\nargs = []\nready = \"Server listening on \"\n\
         prepare = [{}, {}]\n[files]\nsshd_config = '''\n\
         Port {port}\nListenAddress 127.0.0.1\nHostKey {{fixture}}/host_key\n\
         AuthorizedKeysFile {{fixture}}/key.pub\nStrictModes no\nUsePAM no\nPidFile none\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\n'''\n",
        key("host_key"),
        key("key")
    )
}

/// Names the first of `programs` that is installed.
pub(crate) fn first_installed<'a>(programs: &[&'a str]) -> Option<(&'a str, PathBuf)> {
    programs.iter().find_map(|name| Some((*name, in_path(name)?)))
}

/// Whether python can import `module`.
pub(crate) fn python_has(stage: &Stage<'_>, python: &Path, module: &str) -> bool {
    stage.ctx.ask(python, &["-c", &format!("import {module}")]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_a_server_and_ssh_reaches_only_it() {
        let server: Server = toml::from_str(&definition(4022)).unwrap();
        assert_eq!(server.prepare.len(), 2);
        assert!(server.files["sshd_config"].starts_with("Port 4022\nListenAddress 127.0.0.1\n"));
        let words = Sshd { folder: "/f".into(), port: 4022 }.words(&["cat", "x"]);
        assert_eq!(words[..3], ["ssh", "-F", "none"]);
        assert_eq!(words[words.len() - 2..], ["127.0.0.1", "cat x"]);
        assert!(words.contains(&"UserKnownHostsFile=/f/known_hosts".to_owned()));
    }
}
