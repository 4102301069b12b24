//! What is logged in with: which private keys, and their passphrases. Never connects.

use std::collections::HashMap;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use dtail_client::{Agent, Identities, IdentityOptions, PublicKey, generate_key_pair};
use dtail_process::config::Config;
use dtail_process::environment;

use crate::arguments::RemoteArgs;

/// How long a signal may be on its way.
const PATIENCE: Duration = Duration::from_secs(2);

/// The private key file that was asked for, by flag, by environment or by configuration.
fn key_file(args: &RemoteArgs, config: &Config) -> Option<PathBuf> {
    let typed = args.auth_key_path.clone().or_else(|| args.key.clone());
    typed
        .filter(|path| !path.as_os_str().is_empty())
        .or_else(environment::auth_key_path)
        .or_else(|| config.auth_key_path.clone())
        .map(|path| environment::expand_home(&path))
}

/// The keys to log in with, in the order they are tried. The error is one line.
pub(crate) fn identities(args: &RemoteArgs, config: &Config) -> Result<Identities, String> {
    let agent = match usize::try_from(args.agent_key_index) {
        Ok(index) => Agent::Index(index),
        Err(_) if args.agent_key_index == -1 => Agent::All,
        Err(_) => return Err("--agentKeyIndex: use the number of a key, or -1 for all".to_owned()),
    };
    let mut passphrases = Passphrases::default();
    let identities = Identities::collect(IdentityOptions {
        key_file: key_file(args, config).map_or_else(test_key, |path| Ok(Some(path)))?,
        default_files: true,
        home: environment::home(),
        agent,
        passphrase: &mut |path| passphrases.next(path),
    })?;
    if identities.is_empty() {
        return Err("no private key found: start an ssh-agent, make one with ssh-keygen, or name \
                    one with --auth-key-path"
            .to_owned());
    }
    Ok(identities)
}

/// In DTail's test mode there is always a key.
fn test_key() -> Result<Option<PathBuf>, String> {
    if !environment::is_test_mode() {
        return Ok(None);
    }
    let path = Path::new("id_rsa");
    if !path.exists() {
        generate_key_pair(path, "integration test").map_err(|err| err.to_string())?;
    }
    Ok(Some(path.to_owned()))
}

/// The public half of a key that was asked for by name, unless the user does not want it registered
/// or it does not lie beside the private half. SSH wire format.
pub(crate) fn key_to_register(
    args: &RemoteArgs,
    config: &Config,
) -> Result<Option<Vec<u8>>, String> {
    if args.no_auth_key || config.auth_key_disable == Some(true) {
        return Ok(None);
    }
    let Some(path) = key_file(args, config) else { return Ok(None) };
    let mut public = path.into_os_string();
    public.push(".pub");
    let Ok(text) = fs::read_to_string(&public) else { return Ok(None) };
    let key = PublicKey::from_openssh(text.trim());
    let key = key.map_err(|err| format!("{}: {err}", Path::new(&public).display()))?;
    Ok(Some(key.blob()))
}

/// Passphrases: first the one from the environment, then what a person types.
#[derive(Default)]
struct Passphrases {
    asked: HashMap<PathBuf, usize>,
}

impl Passphrases {
    fn next(&mut self, path: &Path) -> Option<String> {
        let asked = self.asked.entry(path.to_owned()).or_default();
        *asked += 1;
        let from_environment = environment::key_passphrase();
        if *asked == 1 && from_environment.is_some() {
            return from_environment;
        }
        if !io::stderr().is_terminal() {
            return None;
        }
        let prompt = format!("Passphrase for {}: ", path.display());
        let answer = rpassword::prompt_password(prompt);
        if answer.as_ref().is_err_and(|err| err.kind() == io::ErrorKind::Interrupted) {
            // Ctrl-C has become a signal, which is just about to end the program elsewhere.
            thread::park_timeout(PATIENCE);
        }
        answer.ok()
    }
}
