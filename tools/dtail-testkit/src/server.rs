//! A real dserver on a free port of the loopback address, with a user who may log in. It always
//! ends with the test.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Signal, geteuid};

use crate::{Finished, Program, Running, Scratch, sibling};

/// No server needs longer to start or to stop.
const LIMIT: Duration = Duration::from_secs(30);
/// The user with a key.
const USER: &str = "ann";
/// Whom a server started by root becomes: user and group.
const NOBODY: (&str, u32) = ("nobody", 65534);
/// Where the server runs, in the scratch folder.
const FOLDER: &str = "server";

/// A running dserver.
///
/// It runs in the folder `server` of its scratch folder, with its keys in `server/cache` and its
/// log in `server/log`. A server started by root becomes `nobody`, to whom the files of the
/// scratch folder are readable.
#[derive(Debug)]
pub struct Server {
    scratch: Scratch,
    running: Option<Running>,
    addresses: Vec<SocketAddr>,
    key: PathBuf,
}

impl Server {
    /// Starts a server with this configuration, JSON text.
    #[track_caller]
    pub fn start(config: &str) -> Server {
        Server::start_with(config, &[])
    }

    /// Starts a server with this configuration and further arguments.
    #[track_caller]
    pub fn start_with(config: &str, arguments: &[&str]) -> Server {
        let scratch = Scratch::new();
        open_to_all(scratch.path());
        scratch.write(&format!("{FOLDER}/dtail.json"), config);
        let key = scratch.path().join("id_ed25519");
        let cache = scratch.path().join(FOLDER).join("cache");
        fs::create_dir(&cache).expect("a folder for keys");
        make_key(&key, &scratch);
        make_key(&cache.join("ssh_host_key"), &scratch);
        let mut server = Server { scratch, running: None, addresses: Vec::new(), key };
        server.authorize(USER, &server.public_key());
        server.run(arguments);
        server
    }

    #[track_caller]
    fn run(&mut self, arguments: &[&str]) {
        let folder = self.scratch.path().join(FOLDER);
        let mut command = Program::new(sibling("dserver"), &self.scratch).dir(&folder).args([
            "--port",
            "0",
            "--cfg",
            "dtail.json",
            "--logDir",
            "log",
        ]);
        if geteuid().is_root() {
            command = command.args(["--run-as", NOBODY.0]);
            give_to_nobody(&folder);
        }
        let running = command.args(arguments).spawn();
        let mut addresses = Vec::new();
        let expected = arguments.iter().find_map(|it| it.strip_prefix("--bindAddress="));
        let expected = expected.map_or(1, |list| list.split(',').count());
        running.wait_for_stderr("the server listens", LIMIT, |said| {
            addresses = listening(said);
            addresses.len() >= expected
        });
        (self.running, self.addresses) = (Some(running), addresses);
    }

    /// Where the server listens: the first address, if there are several.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Every address on which the server listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The user who may log in.
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The private key of that user.
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// The public key of that user, as a line of an `authorized_keys` file.
    #[track_caller]
    pub fn public_key(&self) -> String {
        fs::read_to_string(self.key.with_extension("pub")).expect("the key has just been made")
    }

    /// The folder with the server's files; the server may read what is written there.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Lets a user in with these `authorized_keys` lines.
    #[track_caller]
    pub fn authorize(&self, user: &str, lines: &str) {
        let path = self.scratch.write(&format!("{FOLDER}/cache/{user}.authorized_keys"), lines);
        if self.running.is_some() && geteuid().is_root() {
            give_to_nobody(&path);
        }
    }

    /// Another configuration, for the next SIGHUP.
    #[track_caller]
    pub fn configure(&self, config: &str) {
        self.scratch.write(&format!("{FOLDER}/dtail.json"), config);
    }

    /// A client program in a scratch folder of its own, with arguments and files with which it
    /// logs in to this server.
    #[track_caller]
    pub fn client(&self, program: &str, scratch: &Scratch) -> Program {
        scratch.write(".ssh/known_hosts", self.known_hosts());
        let servers: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        Program::new(sibling(program), scratch)
            .args(["--servers", &servers.join(","), "--user", USER, "--auth-key-path"])
            .arg(&self.key)
    }

    /// What a client's known_hosts file says about this server.
    #[track_caller]
    pub fn known_hosts(&self) -> String {
        let path = self.scratch.path().join(FOLDER).join("cache/ssh_host_key.pub");
        let key = fs::read_to_string(path).expect("the host key has just been made");
        let line = |address: &SocketAddr| format!("[{}]:{} {key}", address.ip(), address.port());
        self.addresses.iter().map(line).collect()
    }

    /// Everything the server has logged so far.
    pub fn log(&self) -> String {
        let folder = self.scratch.path().join(FOLDER).join("log");
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path()).collect();
        files.sort();
        let text = |path: &PathBuf| fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&files.iter().flat_map(text).collect::<Vec<u8>>()).into_owned()
    }

    /// Waits until the server has logged a line that contains `text`.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        let holds = crate::wait::holds_within(LIMIT, &mut || self.log().contains(text));
        assert!(holds, "waited {LIMIT:?} in vain for {text:?} in the log\n{}", self.log());
    }

    /// The server's process.
    #[track_caller]
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs until it is stopped")
    }

    /// Waits for a server that was told to stop, or that stops by itself.
    #[track_caller]
    pub fn stopped(mut self) -> Finished {
        self.running.take().expect("a server is stopped once").wait(LIMIT)
    }

    /// Stops the server by SIGTERM, which must end it well.
    #[track_caller]
    pub fn stop(mut self) -> Finished {
        let running = self.running.take().expect("a server is stopped once");
        running.signal(Signal::TERM);
        let finished = running.wait(LIMIT);
        finished.must(finished.code() == Some(0), &format!("expected a good end\n{}", self.log()));
        finished
    }
}

/// Makes a key pair.
#[track_caller]
pub(crate) fn make_key(path: &Path, scratch: &Scratch) {
    Program::new(sibling("dserver"), scratch).arg("--generate-key").arg(path).run().exits(0);
}

/// The addresses in `dserver: listening on …`.
fn listening(said: &[u8]) -> Vec<SocketAddr> {
    let said = String::from_utf8_lossy(said);
    let address = |line: &str| line.split_once("listening on ")?.1.parse().ok();
    said.split_inclusive('\n')
        .filter(|it| it.ends_with('\n'))
        .filter_map(|it| address(it.trim()))
        .collect()
}

/// Temporary folders are private; the server is somebody else.
fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("a folder of our own");
}

/// With everything in it.
fn give_to_nobody(path: &Path) {
    chown(path, Some(NOBODY.1), Some(NOBODY.1)).expect("root may give files away");
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        give_to_nobody(&entry.path());
    }
}
