//! What was typed, together with the configuration file: how this server is to run. Never starts
//! anything.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use dtail_process::accounts::{self, Account};
use dtail_process::config::Config;
use dtail_process::environment;
use dtail_process::log::{Level, LogFile, Logger, Rotation};
use dtail_ssh::{HostKey, ServerOptions};

use crate::log::Log;
use crate::rules::{Rules, absolute};

/// DTail's port.
const PORT: u16 = 2222;
/// Only this machine, unless somebody says otherwise.
const ADDRESS: &str = "127.0.0.1";
/// How often a silent client is asked for a sign of life.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Keys that a client may try in one connection.
const MAX_ATTEMPTS: usize = 10;

/// What was typed; what was not is `None`.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The configuration file; `none` for none.
    pub cfg: Option<PathBuf>,
    /// The port; 0 for any.
    pub port: Option<u16>,
    /// Addresses to listen on, with commas.
    pub bind_address: Option<String>,
    /// Where log files go.
    pub log_dir: Option<PathBuf>,
    /// What is logged.
    pub log_level: Option<Level>,
    /// Where it is logged.
    pub logger: Option<Logger>,
    /// Stop after this long.
    pub shutdown_after: Option<Duration>,
    /// The account to run as when started by root.
    pub run_as: Option<String>,
}

/// Options and configuration, understood.
pub(crate) struct Plan {
    pub(crate) options: Options,
    pub(crate) config: Config,
    pub(crate) rules: Rules,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Plan {
    /// The error is one line.
    pub(crate) fn new(options: &Options) -> Result<Plan, String> {
        let (config, rules) = load(options, None)?;
        Ok(Plan { options: options.clone(), config, rules })
    }

    pub(crate) fn port(&self) -> u16 {
        self.options.port.or(self.config.ssh_port).unwrap_or(PORT)
    }

    pub(crate) fn addresses(&self) -> String {
        let typed = self.options.bind_address.clone().filter(|it| !it.is_empty());
        let configured = || self.config.server.ssh_bind_address.clone();
        typed.or_else(configured).unwrap_or_else(|| ADDRESS.to_owned())
    }

    /// `terminal` is used if the logger has one.
    pub(crate) fn log(&self, terminal: Option<Box<dyn Write + Send>>) -> Log {
        let logger = self.options.logger.or(self.config.logger).unwrap_or(Logger::File);
        let level = self.options.log_level.or(self.config.log_level).unwrap_or(Level::Info);
        let rotation = match &self.config.log_rotation {
            Some(rotation) if !rotation.eq_ignore_ascii_case("daily") => {
                Rotation::Program("dserver")
            }
            _ => Rotation::Daily,
        };
        let directory = self.options.log_dir.clone().filter(|it| !it.as_os_str().is_empty());
        let directory = directory.or_else(|| self.config.log_dir.clone());
        let directory = environment::expand_home(&directory.unwrap_or_else(|| "log".into()));
        let file = logger.has_file().then(|| LogFile::new(absolute(&directory), rotation));
        Log::new(level, file, terminal.filter(|_| logger.has_terminal()))
    }

    /// The account to change to. The error says why this process may not serve.
    pub(crate) fn account(&self) -> Result<Option<Account>, String> {
        let is_root = accounts::is_root();
        let Some(name) = &self.options.run_as else {
            return match is_root && !environment::is_test_mode() {
                true => Err("refusing to run with root's rights: use --run-as USER, or start it \
                             as an ordinary user"
                    .to_owned()),
                false => Ok(None),
            };
        };
        if !is_root {
            let current = Account::current().ok().flatten();
            return match current.is_some_and(|current| current.name == *name) {
                true => Ok(None),
                false => Err(format!("--run-as {name}: only root can change to another user")),
            };
        }
        let account = Account::named(name).map_err(|err| format!("--run-as {name}: {err}"))?;
        account.map(Some).ok_or_else(|| format!("--run-as {name}: there is no such user"))
    }
}

/// The configuration as the file says now, after `before`. The error is one line.
pub(crate) fn load(options: &Options, before: Option<&Rules>) -> Result<(Config, Rules), String> {
    let cfg = options.cfg.as_deref().filter(|path| !path.as_os_str().is_empty());
    let config = Config::load(cfg).map_err(|err| err.to_string())?;
    let rules = Rules::new(&config, before).map_err(|err| match cfg {
        Some(path) => format!("config file {}: {err}", path.display()),
        None => format!("config file: {err}"),
    })?;
    Ok((config, rules))
}

/// The SSH side as configured. Nobody can be served without a host key.
pub(crate) fn ssh(config: &Config, rules: &Rules, host_key: Option<&HostKey>) -> ServerOptions {
    ServerOptions {
        host_keys: host_key.cloned().into_iter().collect(),
        software: concat!("DTail_", env!("CARGO_PKG_VERSION")).to_owned(),
        handshake_timeout: rules.limits.handshake_timeout,
        key_exchanges: config.server.key_exchanges.clone(),
        ciphers: config.server.ciphers.clone(),
        macs: config.server.macs.clone(),
        keepalive: KEEPALIVE,
        max_attempts: MAX_ATTEMPTS,
    }
}
