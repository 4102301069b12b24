//! OpenSSH's programs at the other end. Where they are not installed the tests say so and pass.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

use dtail_ssh::authorized_keys::{self, Judgement, Offered};
use dtail_ssh::{
    Agent, ChannelError, ClientOptions, ConnectError, ConnectErrorKind, Connection, Credential,
    Endpoint, Identities, IdentityOptions, Judge, KnownHosts, PublicKey, connect,
};
use expect_test::expect;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::house::{
    client_options, converse, directory, echo, judge, listen, server_options, trust, within,
};

fn program(names: &[&str]) -> Option<PathBuf> {
    let found = names.iter().map(Path::new).find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED: none of {names:?} is installed");
    }
    found.map(Path::to_owned)
}

fn ssh() -> Option<PathBuf> {
    program(&["/usr/bin/ssh", "/usr/local/bin/ssh"])
}

fn sshd() -> Option<PathBuf> {
    program(&["/usr/sbin/sshd", "/usr/local/sbin/sshd"])
}

fn run(command: &mut Command) -> (bool, String, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn keygen(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new("ssh-keygen");
    let (success, _, errors) = run(command.arg("-q").args(arguments).current_dir(directory));
    assert!(success, "ssh-keygen {arguments:?}: {errors}");
}

/// A judge that does what an `authorized_keys` file says.
fn judge_by(file: &str) -> Judge {
    let keys = authorized_keys::parse(file.as_bytes());
    judge(move |attempt| {
        let offered = match attempt.credential {
            Credential::Key(key) => Offered::Key(key),
            Credential::Certificate(certificate) => Offered::Certificate(certificate),
            Credential::Certified(_) => return keys.has_authority(),
            Credential::None | Credential::Password(_) => return false,
        };
        let verdict = keys.judge(attempt.user, offered, attempt.peer.ip(), SystemTime::now());
        matches!(verdict, Judgement::Accepted { .. })
    })
}

/// Our server with an `authorized_keys` file of this content; channels echo.
async fn serve(house: &Path, keys: &str) -> SocketAddr {
    let (address, mut logins) = listen(server_options(house), judge_by(keys)).await;
    drop(tokio::spawn(async move {
        while let Some(login) = logins.recv().await {
            if let Ok(login) = login {
                drop(tokio::spawn(echo(login)));
            }
        }
    }));
    address
}

/// Runs ssh as `alice` with one key and `words`, saying `input`; gives status, output and errors.
async fn run_ssh(
    address: SocketAddr,
    key: &Path,
    words: &[&str],
    input: &str,
) -> (Option<i32>, String, String) {
    let mut command = tokio::process::Command::new(ssh().unwrap());
    command
        .args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"])
        .args(["-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes"])
        .args(["-o", "BatchMode=yes", "-o", "IdentityAgent=none"])
        .arg("-i")
        .arg(key)
        .args(["-p", &address.port().to_string(), "alice@127.0.0.1"])
        .args(words)
        .envs([("LC_ALL", "C"), ("LC_A", "1"), ("LC_B", "2")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A client that was refused reads nothing.
    stdin.write_all(input.as_bytes()).await.unwrap_or_default();
    drop(stdin);
    let output = within(child.wait_with_output()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_logs_in_to_our_server_with_every_type_of_key() {
    if ssh().is_none() {
        return;
    }
    let house = directory();
    keygen(house.path(), &["-t", "ed25519", "-N", "", "-f", "ed25519"]);
    keygen(house.path(), &["-t", "ecdsa", "-b", "384", "-N", "", "-f", "ecdsa"]);
    keygen(house.path(), &["-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa"]);
    let names = ["ed25519", "ecdsa", "rsa"];
    let keys = names.map(|name| read(&house.path().join(format!("{name}.pub"))));
    let address = serve(house.path(), &keys.concat()).await;
    for name in names {
        let key = house.path().join(name);
        let (status, output, errors) = run_ssh(address, &key, &["-s", "dtail"], "hello").await;
        assert_eq!((status, output.as_str()), (Some(0), "Subsystem(\"dtail\")\nhello"), "{errors}");
    }
    let key = house.path().join("rsa");
    let sha1 = ["-o", "PubkeyAcceptedAlgorithms=ssh-rsa", "-s", "dtail"];
    let (status, ..) = run_ssh(address, &key, &sha1, "hello").await;
    assert_eq!(status, Some(255), "a SHA-1 signature let a client in");
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_is_refused_politely_what_our_server_does_not_offer() {
    if ssh().is_none() {
        return;
    }
    let house = directory();
    keygen(house.path(), &["-t", "ed25519", "-N", "", "-f", "id"]);
    let address = serve(house.path(), &read(&house.path().join("id.pub"))).await;
    let key = house.path().join("id");
    let mut told = String::new();
    for words in [
        &["-T"][..],
        &["-tt"],
        &["-T", "-o", "SendEnv=*"],
        &["-T", "-A"],
        &["-T", "-R", "0:127.0.0.1:1"],
        &["-T", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"],
        &["-W", "127.0.0.1:1"],
        &["true"],
    ] {
        let (status, output, errors) = run_ssh(address, &key, words, "hello").await;
        told.push_str(&format!("{words:?}: {status:?} {output:?} {errors:?}\n"));
    }
    expect![[r#"
        ["-T"]: Some(0) "Shell\nhello" ""
        ["-tt"]: Some(255) "" "PTY allocation request failed on channel 0\r\n"
        ["-T", "-o", "SendEnv=*"]: Some(0) "Shell\nhello" ""
        ["-T", "-A"]: Some(0) "Shell\nhello" ""
        ["-T", "-R", "0:127.0.0.1:1"]: Some(0) "Shell\nhello" ""
        ["-T", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"]: Some(255) "" "Error: remote port forwarding failed for listen port 0\r\n"
        ["-W", "127.0.0.1:1"]: Some(255) "" "stdio forwarding failed\r\n"
        ["true"]: Some(255) "" "exec request failed on channel 0\r\n"
    "#]].assert_eq(&told);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_let_in_and_key_options_count() {
    if ssh().is_none() {
        return;
    }
    let house = directory();
    let path = house.path();
    keygen(path, &["-t", "ed25519", "-N", "", "-f", "ca"]);
    for (name, kind) in [("id", "ed25519"), ("rsa", "rsa")] {
        keygen(path, &["-t", kind, "-N", "", "-f", name]);
        let public = format!("{name}.pub");
        keygen(path, &["-s", "ca", "-I", "test", "-n", "alice", "-V", "-1m:+1h", &public]);
    }
    let authority = read(&path.join("ca.pub"));
    let bare = read(&path.join("id.pub"));
    let mut told = String::new();
    for (file, what) in [
        (format!("cert-authority {authority}"), "cert-authority"),
        (format!("cert-authority,from=\"10.0.0.1\" {authority}"), "cert-authority,from=elsewhere"),
        (format!("cert-authority,principals=\"bob\" {authority}"), "cert-authority,principals=bob"),
        (authority.clone(), "the authority without the option"),
        (format!("command=\"ls\" {bare}"), "command=ls"),
        (format!("from=\"127.0.0.0/8\",restrict {bare}"), "from=here,restrict"),
    ] {
        let address = serve(path, &file).await;
        for name in ["id", "rsa"] {
            let (status, ..) = run_ssh(address, &path.join(name), &["-s", "dtail"], "hello").await;
            let ours = match connect_as("alice", address, &path.join(name)).await {
                Ok(connection) => connection.identity().split(' ').next().unwrap().to_owned(),
                Err(error) => format!("{:?}", error.kind),
            };
            told.push_str(&format!("{what}: {name}: ssh {status:?}, ours {ours}\n"));
        }
    }
    expect![[r#"
        cert-authority: id: ssh Some(0), ours ED25519-CERT
        cert-authority: rsa: ssh Some(0), ours RSA-CERT
        cert-authority,from=elsewhere: id: ssh Some(255), ours LoginRefused
        cert-authority,from=elsewhere: rsa: ssh Some(255), ours LoginRefused
        cert-authority,principals=bob: id: ssh Some(255), ours LoginRefused
        cert-authority,principals=bob: rsa: ssh Some(255), ours LoginRefused
        the authority without the option: id: ssh Some(255), ours LoginRefused
        the authority without the option: rsa: ssh Some(255), ours LoginRefused
        command=ls: id: ssh Some(255), ours LoginRefused
        command=ls: rsa: ssh Some(255), ours LoginRefused
        from=here,restrict: id: ssh Some(0), ours ED25519
        from=here,restrict: rsa: ssh Some(255), ours LoginRefused
    "#]]
    .assert_eq(&told);
}

/// A real sshd for each connection (as inetd would run it), which lets the user of this process in.
struct Sshd {
    address: SocketAddr,
    user: String,
}

impl Sshd {
    async fn start(program: &Path, house: &Path, keys: &str, subsystem: &str) -> Sshd {
        if !house.join("sshd_key").exists() {
            keygen(house, &["-t", "ed25519", "-N", "", "-f", "sshd_key"]);
        }
        std::fs::write(house.join("sshd_keys"), keys).unwrap();
        let config = house.join("sshd_config");
        let lines = [
            format!("HostKey {}", house.join("sshd_key").display()),
            format!("AuthorizedKeysFile {}", house.join("sshd_keys").display()),
            format!("Subsystem dtail {subsystem}"),
            "StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nBanner none\n"
                .to_owned(),
        ];
        std::fs::write(&config, lines.join("\n")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let program = program.to_owned();
        drop(tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let tcp = tcp.into_std().unwrap();
                tcp.set_nonblocking(false).unwrap();
                let log = std::fs::File::create(config.with_extension("log")).unwrap();
                let input = std::os::fd::OwnedFd::from(tcp.try_clone().unwrap());
                let output = std::os::fd::OwnedFd::from(tcp);
                let mut command = tokio::process::Command::new(&program);
                command.arg("-i").arg("-e").arg("-f").arg(&config);
                command.stdin(Stdio::from(input)).stdout(Stdio::from(output)).stderr(log);
                let mut child = command.kill_on_drop(true).spawn().unwrap();
                drop(tokio::spawn(async move { child.wait().await }));
            }
        }));
        let (_, user, _) = run(Command::new("id").arg("-un"));
        Sshd { address, user: user.trim().to_owned() }
    }
}

fn options_with(
    key_file: Option<&Path>,
    agent: Option<&Path>,
    passphrase: Option<&str>,
) -> ClientOptions {
    let identities = Identities::collect_from(
        IdentityOptions {
            key_file: key_file.map(Path::to_owned),
            default_files: false,
            home: None,
            agent: if agent.is_some() { Agent::All } else { Agent::None },
            passphrase: &mut |_| passphrase.map(str::to_owned),
        },
        agent,
    );
    client_options(identities.unwrap())
}

async fn connect_as(
    user: &str,
    address: SocketAddr,
    key: &Path,
) -> Result<Connection, ConnectError> {
    let options = options_with(Some(key), None, Some("secret"));
    let host = address.ip().to_string();
    let endpoint = Endpoint { host, port: address.port(), user: user.to_owned() };
    within(connect(&endpoint, &options, trust(true))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_logs_in_to_sshd_with_every_type_of_key() {
    let Some(sshd) = sshd() else { return };
    let house = directory();
    let path = house.path();
    keygen(path, &["-t", "ed25519", "-N", "", "-f", "ed25519"]);
    keygen(path, &["-t", "ecdsa", "-b", "521", "-N", "", "-f", "ecdsa"]);
    keygen(path, &["-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa"]);
    keygen(path, &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", "pem"]);
    keygen(path, &["-t", "ecdsa", "-m", "PKCS8", "-N", "", "-f", "pkcs8"]);
    keygen(path, &["-t", "ed25519", "-a", "1", "-N", "secret", "-f", "encrypted"]);
    let names = ["ed25519", "ecdsa", "rsa", "pem", "pkcs8", "encrypted"];
    let keys = names.map(|name| read(&path.join(format!("{name}.pub"))));
    let sshd = Sshd::start(&sshd, path, &keys.concat(), "/bin/cat").await;
    for name in names {
        let connection = connect_as(&sshd.user, sshd.address, &path.join(name)).await.unwrap();
        assert!(connection.remote_software().starts_with("OpenSSH"));
        let stream = within(connection.subsystem("dtail")).await.unwrap();
        assert_eq!(within(converse(stream, "hello")).await, "hello", "{name}");
        within(connection.close()).await;
    }
    keygen(path, &["-t", "ed25519", "-N", "", "-f", "stranger"]);
    let error = connect_as(&sshd.user, sshd.address, &path.join("stranger")).await.unwrap_err();
    assert_eq!(error.kind, ConnectErrorKind::LoginRefused, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_logs_in_with_the_keys_of_an_agent() {
    let Some(sshd) = sshd() else { return };
    let house = directory();
    let path = house.path();
    let socket = path.join("agent");
    let mut agent = Command::new("ssh-agent");
    let mut agent = agent.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    within(async {
        while !socket.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    keygen(path, &["-t", "ed25519", "-N", "", "-f", "ca"]);
    for kind in ["rsa", "ecdsa", "ed25519"] {
        keygen(path, &["-t", kind, "-N", "", "-f", kind]);
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(path.join(kind)).env("SSH_AUTH_SOCK", &socket);
        let (success, _, errors) = run(&mut add);
        assert!(success, "ssh-add: {errors}");
        let public = read(&path.join(format!("{kind}.pub")));
        let sshd = Sshd::start(&sshd, path, &public, "/bin/cat").await;
        let options = options_with(None, Some(&socket), None);
        let host = sshd.address.ip().to_string();
        let endpoint = Endpoint { host, port: sshd.address.port(), user: sshd.user.clone() };
        let connection = within(connect(&endpoint, &options, trust(true))).await;
        let identity = connection.map(|connection| connection.identity());
        assert_eq!(identity.unwrap(), PublicKey::from_openssh(&public).unwrap().describe());
    }
    agent.kill().unwrap();
    agent.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_logs_in_to_sshd_with_a_certificate() {
    let Some(sshd) = sshd() else { return };
    let house = directory();
    let path = house.path();
    let (_, user, _) = run(Command::new("id").arg("-un"));
    keygen(path, &["-t", "ed25519", "-N", "", "-f", "ca"]);
    let keys = format!("cert-authority {}", read(&path.join("ca.pub")));
    let sshd = Sshd::start(&sshd, path, &keys, "/bin/cat").await;
    for kind in ["rsa", "ecdsa", "ed25519"] {
        keygen(path, &["-t", kind, "-N", "", "-f", kind]);
        let public = format!("{kind}.pub");
        keygen(path, &["-s", "ca", "-I", "me", "-n", user.trim(), "-V", "-1m:+1h", &public]);
        let connection = connect_as(&sshd.user, sshd.address, &path.join(kind)).await.unwrap();
        assert!(connection.identity().contains("-CERT "), "{}", connection.identity());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subsystem_that_sshd_does_not_have_or_that_fails_is_told() {
    let Some(sshd) = sshd() else { return };
    let house = directory();
    let path = house.path();
    keygen(path, &["-t", "ed25519", "-N", "", "-f", "id"]);
    let keys = read(&path.join("id.pub"));
    let sshd = Sshd::start(&sshd, path, &keys, "exit 3").await;
    let connection = connect_as(&sshd.user, sshd.address, &path.join("id")).await.unwrap();
    let refused = within(connection.subsystem("other")).await.map(drop);
    assert_eq!(refused, Err(ChannelError::Refused));
    let (mut reader, _writer) = within(connection.subsystem("dtail")).await.unwrap().split();
    assert_eq!(within(reader.next_bytes()).await, None);
    within(reader.closed()).await;
    assert_eq!(reader.exit_status(), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_ssh_keyscan_hashed_is_known() {
    let Some(sshd) = sshd() else { return };
    let house = directory();
    let path = house.path();
    keygen(path, &["-t", "ed25519", "-N", "", "-f", "id"]);
    let sshd = Sshd::start(&sshd, path, &read(&path.join("id.pub")), "/bin/cat").await;
    let host_key = read(&path.join("sshd_key.pub"));
    let line = format!("[127.0.0.1]:{} {host_key}", sshd.address.port());
    std::fs::write(path.join("known_hosts"), line).unwrap();
    keygen(path, &["-H", "-f", "known_hosts"]);
    assert!(read(&path.join("known_hosts")).starts_with("|1|"));
    let mut options = options_with(Some(&path.join("id")), None, None);
    options.known_hosts = Arc::new(KnownHosts::load(&path.join("known_hosts")).unwrap());
    let host = sshd.address.ip().to_string();
    let endpoint = Endpoint { host, port: sshd.address.port(), user: sshd.user };
    within(connect(&endpoint, &options, trust(false))).await.unwrap();
}
