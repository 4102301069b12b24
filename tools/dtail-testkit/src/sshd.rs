//! A real OpenSSH server on a free port of the loopback address, with `dserver --stdio` as its
//! subsystem. It always ends with the test.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::server::make_key;
use crate::{Program, Running, Scratch, sibling};

const SSHD: &str = "/usr/sbin/sshd";
/// sshd started by root wants this folder to exist.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";
const LIMIT: Duration = Duration::from_secs(30);
/// Somebody else may take the free port in the meantime.
const ATTEMPTS: usize = 5;

/// A running sshd, for the user who runs the test.
#[derive(Debug)]
pub struct Sshd {
    scratch: Scratch,
    running: Running,
    address: SocketAddr,
}

impl Sshd {
    /// Starts it, with these arguments after `dserver --stdio`. `None` if there is no sshd, which
    /// is told on standard error.
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Option<Sshd> {
        if !Path::new(SSHD).exists() {
            eprintln!("SKIPPED: no {SSHD}; install openssh-server to test the subsystem");
            return None;
        }
        if rustix::process::geteuid().is_root() {
            std::fs::create_dir_all(PRIVILEGE_SEPARATION).expect("root may make a folder in /run");
        }
        let scratch = Scratch::new();
        for key in ["host_key", "id_ed25519"] {
            make_key(&scratch.path().join(key), &scratch);
        }
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            let address = free_address();
            match run(&scratch, address, arguments) {
                Ok(running) => {
                    let sshd = Sshd { scratch, running, address };
                    sshd.write_client_files();
                    return Some(sshd);
                }
                Err(report) => said = report,
            }
        }
        panic!("sshd does not start\n{said}");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A file for `ssh -F`, in which the host `testhost` is this sshd.
    pub fn ssh_config(&self) -> PathBuf {
        self.scratch.path().join("ssh_config")
    }

    /// The folder with its files.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.running.stderr()).into_owned()
    }

    #[track_caller]
    fn write_client_files(&self) {
        let folder = self.scratch.path().display();
        let port = self.address.port();
        let key = String::from_utf8(self.scratch.read("host_key.pub")).expect("keys are text");
        self.scratch.write("known_hosts", format!("[127.0.0.1]:{port} {key}"));
        self.scratch.write(
            "ssh_config",
            format!(
                "Host testhost\n  HostName 127.0.0.1\n  Port {port}\n  \
                 IdentityFile {folder}/id_ed25519\n  IdentitiesOnly yes\n  \
                 UserKnownHostsFile {folder}/known_hosts\n  StrictHostKeyChecking yes\n  \
                 BatchMode yes\n"
            ),
        );
    }
}

/// The error is what it has said.
#[track_caller]
fn run(scratch: &Scratch, address: SocketAddr, arguments: &[&str]) -> Result<Running, String> {
    let folder = scratch.path().display();
    let dserver = sibling("dserver");
    let config = scratch.write(
        "sshd_config",
        format!(
            "ListenAddress {address}\nHostKey {folder}/host_key\n\
             AuthorizedKeysFile {folder}/id_ed25519.pub\nStrictModes no\nUsePAM no\n\
             PidFile none\nPermitRootLogin yes\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nSetEnv DTAIL_HOSTNAME_OVERRIDE=testhost\n\
             Subsystem dtail {} --stdio {}\n",
            dserver.display(),
            arguments.join(" ")
        ),
    );
    let running =
        Program::new(SSHD, scratch).args(["-D", "-e", "-f"]).arg(config).limit(LIMIT).spawn();
    let mut listens = false;
    let mut decided = || {
        let said = running.stderr();
        let said = String::from_utf8_lossy(&said);
        listens = said.contains("Server listening on");
        listens || said.contains("Cannot bind") || running.has_closed_stderr()
    };
    crate::wait::holds_within(LIMIT, &mut decided);
    match listens {
        true => Ok(running),
        false => Err(String::from_utf8_lossy(&running.stderr()).into_owned()),
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address has free ports");
    listener.local_addr().expect("it is bound")
}
