//! Which hosts are asked and how they are reached, from typed arguments, configuration and
//! environment. Never connects.

use std::collections::HashSet;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dtail_client::{
    ClientOptions, KEEPALIVE, KnownHosts, Native, Remote, SOFTWARE, ServerName, Transport,
    UnknownHosts, discover, split_words,
};
use dtail_process::accounts::Account;
use dtail_process::config::Config;
use dtail_process::environment;
use dtail_query::Query;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::arguments::{RemoteArgs, TransportChoice};
use crate::program::Tool;
use crate::{login, prompt};

/// DTail's port.
pub(crate) const PORT: u16 = 2222;
/// DTail's time for a TCP connection.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(2000);
/// Time from there to the login.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Open files that a host needs, at most.
const FILES_PER_HOST: u64 = 4;
/// Open files besides those.
const FILES: u64 = 64;
/// The most that merged groups may take: what a handful of servers may send at their own limit.
const MAX_QUERY_MEMORY: usize = 1 << 30;

/// Whether hosts are asked instead of reading local files.
pub(crate) fn is_remote(args: &RemoteArgs) -> bool {
    let says = |value: &Option<String>| {
        value.as_ref().is_some_and(|it| !it.is_empty() && !it.eq_ignore_ascii_case("serverless"))
    };
    says(&args.servers) || args.discovery.as_ref().is_some_and(|it| !it.is_empty())
}

/// The hosts and the way to them. The error is one line.
pub(crate) fn remote(
    tool: Tool,
    args: &RemoteArgs,
    config: &Config,
    query: Option<&Query>,
    strict: bool,
) -> Result<Remote, String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let servers = match text(&args.servers) {
        servers if servers.eq_ignore_ascii_case("serverless") => String::new(),
        servers => servers,
    };
    let servers = discover(&servers, &text(&args.discovery)).map_err(|err| err.to_string())?;
    raise_file_limit(servers.len() as u64);
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let (transport, servers) = match args.transport {
        TransportChoice::Native => {
            let native = native(args, config)?;
            let servers = distinct(servers, |it| it.endpoint(&native.user, native.port));
            (Transport::Native(Box::new(native)), servers)
        }
        // What was not typed is left to ssh's own configuration.
        TransportChoice::Ssh => {
            let servers = servers.into_iter().map(|it| with_typed(it, args)).collect();
            let command = ssh_command(&args.ssh_command)?;
            (Transport::Ssh { command }, distinct(servers, ServerName::clone))
        }
    };
    Ok(Remote {
        transport,
        servers,
        connecting: args.cpc.max(1).saturating_mul(processors),
        strict,
        reconnect: tool == Tool::Dtail && query.is_none_or(|query| query.outfile().is_none()),
        interactive: args.interactive_query,
        register_key: login::key_to_register(args, config)?,
        max_query_memory: config.server.max_query_memory.unwrap_or(MAX_QUERY_MEMORY),
    })
}

/// Each server once, however it was spelled: one that answers twice makes every count wrong.
fn distinct<K: Hash + Eq>(
    servers: Vec<ServerName>,
    place: impl Fn(&ServerName) -> K,
) -> Vec<ServerName> {
    let mut known = HashSet::new();
    servers.into_iter().filter(|server| known.insert(place(server))).collect()
}

fn with_typed(mut server: ServerName, args: &RemoteArgs) -> ServerName {
    server.port = server.port.or(args.port);
    server.user = server.user.or_else(|| args.user.clone().filter(|user| !user.is_empty()));
    server
}

fn ssh_command(line: &str) -> Result<Vec<String>, String> {
    let words = split_words(line).filter(|words| !words.is_empty());
    words.ok_or_else(|| "--ssh-command names no program, or a quote is not closed".to_owned())
}

fn native(args: &RemoteArgs, config: &Config) -> Result<Native, String> {
    let path = known_hosts_path()?;
    let known_hosts = KnownHosts::load(&path)
        .map_err(|err| format!("cannot read known hosts {}: {err}", path.display()))?;
    let options = ClientOptions {
        connect_timeout: config.ssh_connect_timeout.unwrap_or(CONNECT_TIMEOUT),
        handshake_timeout: HANDSHAKE_TIMEOUT,
        keepalive: KEEPALIVE,
        identities: Arc::new(login::identities(args, config)?),
        known_hosts: Arc::new(known_hosts),
        software: SOFTWARE.to_owned(),
        password: None,
    };
    let unknown_hosts = match prompt::question() {
        _ if args.trust_all_hosts => UnknownHosts::Accept,
        Some(question) => UnknownHosts::Ask(question),
        None => UnknownHosts::Refuse(
            "use --trustAllHosts to accept it, or connect once from a terminal".to_owned(),
        ),
    };
    let user = args.user.clone().filter(|user| !user.is_empty());
    Ok(Native {
        user: user.map_or_else(own_user, Ok)?,
        port: args.port.or(config.ssh_port.filter(|port| *port > 0)).unwrap_or(PORT),
        options,
        unknown_hosts,
    })
}

/// Each host takes a socket, or the pipes to an ssh program. Where the system permits no more, the
/// hosts beyond it fail and say so.
fn raise_file_limit(hosts: u64) {
    let limits = getrlimit(Resource::Nofile);
    let wanted = hosts.saturating_mul(FILES_PER_HOST).saturating_add(FILES);
    if limits.current.is_some_and(|current| current < wanted) {
        let current = limits.maximum.map_or(wanted, |maximum| wanted.min(maximum));
        let raised = Rlimit { current: Some(current), maximum: limits.maximum };
        let _is_raised = setrlimit(Resource::Nofile, raised).is_ok();
    }
}

/// The name of the user who runs the program.
pub(crate) fn own_user() -> Result<String, String> {
    match Account::current() {
        Ok(Some(account)) => Ok(account.name),
        Ok(None) => Err("your user has no name on this machine: use --user".to_owned()),
        Err(err) => Err(format!("cannot find out your user name: {err}, use --user")),
    }
}

fn known_hosts_path() -> Result<PathBuf, String> {
    if environment::is_test_mode() {
        return Ok(Path::new("known_hosts").to_owned());
    }
    let home = environment::home().ok_or("HOME is not set, so there is no ~/.ssh/known_hosts")?;
    Ok(home.join(".ssh/known_hosts"))
}
