//! Files in every state and an agent that is played by a thread.

use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use expect_test::expect;
use tempfile::TempDir;

use super::*;
use crate::agent::put_string;
use crate::generate_key_pair;

struct House {
    directory: TempDir,
    asked: Vec<String>,
}

/// Made with ssh-keygen: passphrase `secret`, few rounds.
const ENCRYPTED: &str = include_str!("encrypted");
const ENCRYPTED_PUBLIC: &str = include_str!("encrypted.pub");

impl House {
    fn new() -> House {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(".ssh")).unwrap();
        House { directory, asked: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn pair(&self, name: &str) -> PublicKey {
        generate_key_pair(&self.path(name), name).unwrap();
        let line = fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap();
        PublicKey::from_openssh(&line).unwrap()
    }

    fn write(&self, name: &str, content: &str, mode: u32) {
        fs::write(self.path(name), content).unwrap();
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    /// Collects with the default files; each passphrase is used once.
    fn collect(
        &mut self,
        key_file: Option<&str>,
        agent: Agent,
        socket: Option<AgentSocket>,
        passphrases: &[&str],
    ) -> Result<Vec<PublicKey>, String> {
        let mut passphrases = passphrases.iter();
        let home = self.directory.path().to_owned();
        let asked = &mut self.asked;
        let options = IdentityOptions {
            key_file: key_file.map(|name| home.join(name)),
            default_files: true,
            home: Some(home.clone()),
            agent,
            passphrase: &mut |file| {
                asked.push(file.strip_prefix(&home).unwrap().display().to_string());
                passphrases.next().map(|text| (*text).to_owned())
            },
        };
        let result = collect(options, socket)
            .map_err(|text| text.replace(&home.display().to_string(), "HOME"));
        result.map(|found| found.0.into_iter().map(|identity| identity.key).collect())
    }

    /// An agent that answers every request with `answer`.
    fn agent(&self, answer: Vec<u8>) -> AgentSocket {
        let path = self.path("agent");
        let listener = UnixListener::bind(&path).unwrap();
        drop(std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut request = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut request).unwrap();
                stream.write_all(&answer).unwrap();
            }
        }));
        AgentSocket::new(&path)
    }
}

fn listing(keys: &[&PublicKey]) -> Vec<u8> {
    let mut body = vec![12];
    body.extend_from_slice(&u32::try_from(keys.len()).unwrap().to_be_bytes());
    for key in keys {
        put_string(&mut body, &key.blob());
        put_string(&mut body, b"comment");
    }
    let mut answer = Vec::new();
    put_string(&mut answer, &body);
    answer
}

fn encrypted_key() -> PublicKey {
    PublicKey::from_openssh(ENCRYPTED_PUBLIC).unwrap()
}

#[test]
fn the_key_file_comes_first_then_the_agent_then_the_default_files() {
    let mut house = House::new();
    let (mine, held) = (house.pair("mine"), House::new().pair("held"));
    let (ed25519, ecdsa) = (house.pair(".ssh/id_ed25519"), house.pair(".ssh/id_ecdsa"));
    let agent = house.agent(listing(&[&ecdsa, &held, &held]));
    let found = house.collect(Some("mine"), Agent::All, Some(agent.clone()), &[]).unwrap();
    assert_eq!(found, [mine, ecdsa.clone(), held.clone(), ed25519.clone()]);
    let found = house.collect(None, Agent::Index(1), Some(agent.clone()), &[]).unwrap();
    assert_eq!(found, [held, ed25519.clone(), ecdsa.clone()]);
    let found = house.collect(None, Agent::None, Some(agent.clone()), &[]).unwrap();
    assert_eq!(found, [ed25519, ecdsa]);
    let error = house.collect(None, Agent::Index(3), Some(agent), &[]).unwrap_err();
    expect!["the SSH agent has no key 3: it holds 3 (see ssh-add -l)"].assert_eq(&error);
    let error = house.collect(None, Agent::Index(0), None, &[]).unwrap_err();
    expect!["there is no SSH agent: start one and add a key, or leave the index out"]
        .assert_eq(&error);
}

#[test]
fn an_agent_that_answers_nonsense_holds_nothing() {
    let long = [vec![0x00, 0xff, 0xff, 0xff], vec![12; 100]].concat();
    let many = [vec![0, 0, 0, 5, 12], vec![0xff; 4]].concat();
    let cut = [vec![0, 0, 0, 13, 12, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff], vec![1; 4]].concat();
    for answer in [Vec::new(), vec![0; 4], long, many, cut, vec![0, 0, 0, 1, 5]] {
        let mut house = House::new();
        let agent = house.agent(answer.clone());
        let found = house.collect(None, Agent::All, Some(agent.clone()), &[]);
        assert_eq!(found, Ok(Vec::new()), "{answer:?}");
        house.collect(None, Agent::Index(0), Some(agent), &[]).unwrap_err();
    }
    let mut house = House::new();
    let gone = AgentSocket::new(&house.path("gone"));
    assert_eq!(house.collect(None, Agent::All, Some(gone), &[]), Ok(Vec::new()));
}

#[test]
fn a_passphrase_is_asked_for_when_it_is_needed() {
    let mut house = House::new();
    house.write("mine", ENCRYPTED, 0o600);
    let found = house.collect(Some("mine"), Agent::None, None, &["wrong", "secret"]).unwrap();
    assert_eq!(found, [encrypted_key()]);
    let error = house.collect(Some("mine"), Agent::None, None, &["a", "b", "c", "secret"]);
    expect!["HOME/mine: the passphrase is wrong"].assert_eq(&error.unwrap_err());
    let error = house.collect(Some("mine"), Agent::None, None, &[]).unwrap_err();
    expect!["HOME/mine: the key is encrypted and no passphrase was given: set DTAIL_KEY_PASSPHRASE or add it to an agent"].assert_eq(&error);
    assert_eq!(house.asked, ["mine"; 6]);

    // The agent holds it.
    house.asked.clear();
    let agent = house.agent(listing(&[&encrypted_key()]));
    let found = house.collect(Some("mine"), Agent::All, Some(agent), &[]).unwrap();
    assert_eq!(found, [encrypted_key()]);
    assert!(house.asked.is_empty());

    // A default file is needed only if there is nothing else.
    house.write(".ssh/id_rsa", ENCRYPTED, 0o600);
    let found = house.collect(None, Agent::None, None, &["secret"]).unwrap();
    assert_eq!(found, [encrypted_key()]);
    assert_eq!(house.asked, [".ssh/id_rsa"]);
    let other = house.pair(".ssh/id_ecdsa");
    assert_eq!(house.collect(None, Agent::None, None, &["secret"]).unwrap(), [other]);
    assert_eq!(house.asked.len(), 1);
}

#[test]
fn files_that_cannot_be_used_are_an_error_only_if_they_were_asked_for() {
    let mut house = House::new();
    let mut told = String::new();
    for (name, content, mode) in
        [("open", ENCRYPTED, 0o644), ("nonsense", "hello", 0o600), ("binary", "\u{0}", 0o600)]
    {
        house.write(name, content, mode);
        house.write(".ssh/id_ed25519", content, mode);
        assert_eq!(house.collect(None, Agent::None, None, &[]), Ok(Vec::new()), "{name}");
        let error = house.collect(Some(name), Agent::None, None, &[]).unwrap_err();
        told.push_str(&format!("{error}\n"));
    }
    let error = house.collect(Some("missing"), Agent::None, None, &[]).unwrap_err();
    told.push_str(&format!("{error}\n"));
    expect![[r#"
        HOME/open: others may read this private key: chmod 600 HOME/open
        HOME/nonsense: this is not a private key that can be used: ssh-keygen -t ed25519 makes one
        HOME/binary: this is not a private key that can be used: ssh-keygen -t ed25519 makes one
        HOME/missing: No such file or directory (os error 2)
    "#]]
    .assert_eq(&told);
}
