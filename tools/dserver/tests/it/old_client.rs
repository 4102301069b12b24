//! OpenSSH's client with commands of DTail's protocol 4.1 on its standard input: a client that we
//! have not written. `None` and a line on standard error where there is no `ssh`.

use std::path::Path;

use dtail_testkit::{Program, Scratch, Server, Stdin};

const SSH: &str = "/usr/bin/ssh";

/// `ssh` with arguments by which it logs in to the server as `user`, asking nobody anything. The
/// host and what comes after it are left to the caller.
pub(crate) fn ssh(server: &Server, scratch: &Scratch, user: &str) -> Option<Program> {
    ssh_with_key(server, scratch, user, server.key())
}

/// As [`ssh`], with another private key.
pub(crate) fn ssh_with_key(
    server: &Server,
    scratch: &Scratch,
    user: &str,
    key: &Path,
) -> Option<Program> {
    if !Path::new(SSH).exists() {
        eprintln!("SKIPPED: no {SSH}; install openssh-client to test with it");
        return None;
    }
    let known_hosts = scratch.write("known_hosts", server.known_hosts());
    let port = server.address().port().to_string();
    let known_hosts = format!("-oUserKnownHostsFile={}", known_hosts.display());
    let program = Program::new(SSH, scratch)
        .args(["-F", "none", "-T", "-oStrictHostKeyChecking=yes", "-oIdentitiesOnly=yes"])
        .args(["-oLogLevel=ERROR", &known_hosts])
        // Nobody is asked: there is no terminal, unless a test says otherwise.
        .env("SSH_ASKPASS_REQUIRE", "never")
        .args(["-p", &port, "-l", user, "-i"])
        .arg(key);
    Some(program)
}

/// What the server answers to these commands of protocol 4.1. Ends of messages are shown as `¬`.
/// The client says all at once and then nothing more.
#[track_caller]
pub(crate) fn converse(server: &Server, user: &str, commands: &[&str]) -> Option<String> {
    let scratch = Scratch::new();
    let words: String = commands.iter().map(|command| frame(command)).collect();
    let ssh = ssh(server, &scratch, user)?.arg(server.address().ip().to_string());
    let finished = ssh.stdin(Stdin::Bytes(words.into_bytes())).run();
    Some(shown(&finished.stdout))
}

/// A command as DTail's clients send it.
pub(crate) fn frame(command: &str) -> String {
    format!("protocol 4.1 base64 {};", base64(command.as_bytes()))
}

pub(crate) fn shown(messages: &[u8]) -> String {
    let parts: Vec<String> = messages
        .split(|byte| *byte == 0xAC)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect();
    parts.join("¬")
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for index in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * index)) as usize & 63];
            text.push(if index <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
