//! The dtailhealth program's front: DTail's texts and exit codes for monitoring systems. Never
//! connects itself.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser};
use dtail_client::{HEALTH_USER, ServerName, check_health};
use dtail_process::config::Config;
use dtail_process::log::{Level, Logger};
use dtail_process::panics;
use dtail_process::profiling::ProfilingArgs;

use crate::hosts;
use dtail_process::command_line::{self, NotParsed};

/// Exit codes of monitoring plugins.
const OK: u8 = 0;
const WARNING: u8 = 1;
const CRITICAL: u8 = 2;
/// DTail has no code of its own for bad usage.
const BAD_USAGE: u8 = 2;

const SERVERLESS: &str = "WARNING: All seems fine but the check only run in serverless mode, \
                          please specify a remote server via --server hostname:port";

/// What dtailhealth is told.
#[derive(Debug, Clone, Args)]
pub struct HealthArgs {
    /// Server to ask, as host[:port]; without, only this program itself is checked
    #[arg(long, value_name = "SERVER")]
    server: Option<String>,
    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Where the reason of a failure goes: none, or stdout (standard error) [default: none]
    #[arg(long, value_name = "NAME")]
    logger: Option<Logger>,
    /// For compatibility: reasons are told from `error` on [default: none]
    #[arg(long = "logLevel", value_name = "LEVEL")]
    log_level: Option<Level>,
    /// For compatibility: keys are never registered
    #[arg(long = "no-auth-key")]
    no_auth_key: bool,
    /// Configuration file; `none` ignores all
    #[arg(long, value_name = "FILE")]
    cfg: Option<PathBuf>,
    /// Print the version
    #[arg(long)]
    version: bool,

    #[command(flatten)]
    profiling: ProfilingArgs,
}

/// Runs dtailhealth, whose flags are `Arguments`.
pub fn health_main<Arguments: Parser>(args: impl FnOnce(Arguments) -> HealthArgs) -> ExitCode {
    panics::guard(|| {
        let words: Vec<OsString> = std::env::args_os().collect();
        let code = match command_line::parse(words) {
            Ok(arguments) => {
                let args = args(arguments);
                let recording = args.profiling.start("dtailhealth", None);
                let code = run(&args);
                recording.finish();
                code
            }
            Err(NotParsed::Help(help)) => print(OK, help.trim_end()),
            Err(NotParsed::Error(line)) => {
                tell(&format!("error: {line} (see dtailhealth --help)"));
                BAD_USAGE
            }
        };
        code.into()
    })
}

fn run(args: &HealthArgs) -> u8 {
    if args.version {
        let version = env!("CARGO_PKG_VERSION");
        return print(OK, &format!("DTail {version} Protocol 4.1 Have a lot of fun!"));
    }
    let Some(server) = args.server.as_deref().filter(|server| !server.is_empty()) else {
        return print(WARNING, SERVERLESS);
    };
    match ask(server, args) {
        Ok(address) => print(OK, &format!("OK: All fine at {address} :-)")),
        Err((address, reason)) => {
            let has_voice = args.logger.is_some_and(Logger::has_terminal)
                || args.log_level.is_some_and(|level| level >= Level::Error);
            if has_voice {
                tell(&format!("dtailhealth: {reason}"));
            }
            let text = format!("CRITICAL: DTail server not operating properly at {address}!");
            print(CRITICAL, &text)
        }
    }
}

fn print(code: u8, line: &str) -> u8 {
    // Whoever closed the pipe looks at the exit code.
    let _printed = io::stdout().write_all(format!("{line}\n").as_bytes()).is_ok();
    code
}

/// The server's address; with the reason if it is not well.
fn ask(server: &str, args: &HealthArgs) -> Result<String, (String, String)> {
    let here = |reason: String| (server.to_owned(), reason);
    let config = Config::load(args.cfg.as_deref()).map_err(|err| here(err.to_string()))?;
    let name: ServerName = server.parse().map_err(|err| here(format!("{err}")))?;
    let port = config.ssh_port.filter(|port| *port > 0).unwrap_or(hosts::PORT);
    let endpoint = name.endpoint(HEALTH_USER, port);
    let name = ServerName { user: None, host: name.host, port: Some(endpoint.port) };
    match check_health(&endpoint, Duration::from_secs(args.timeout)) {
        Ok(()) => Ok(name.to_string()),
        Err(err) => Err((name.to_string(), err.to_string())),
    }
}

fn tell(line: &str) {
    // With standard error closed nobody is left to tell.
    let _told = io::stderr().write_all(format!("{line}\n").as_bytes()).is_ok();
}
