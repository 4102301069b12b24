//! The dserver program: serves log files over SSH. It has flags and no logic.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use dtail_process::command_line;
use dtail_process::exit::Exit;
use dtail_process::log::{Level, Logger};
use dtail_process::panics;
use dtail_process::profiling::ProfilingArgs;
use dtail_server::Options;

const AFTER_HELP: &str = "\
Examples:
  dserver --cfg /etc/dserver/dtail.json                 as an ordinary user
  dserver --cfg /etc/dserver/dtail.json --run-as dtail  as root, which it gives up
  Subsystem dtail /usr/bin/dserver --stdio              in sshd_config: no daemon, no port, no keys

Signals: SIGTERM and SIGINT finish what is running and stop; SIGHUP reads the configuration again,
forgets registered keys and reopens the log; with a profiling flag SIGUSR1 writes what was recorded.

Exit codes:
  0  stopped as asked
  2  bad usage or configuration, or no socket, key or right to serve with

DTail's spellings work: -flag and --flag, camelCase and kebab-case, -flag=value and -flag value.";

/// Serve log files over SSH to dcat, dgrep, dmap and dtail
#[derive(Debug, Parser)]
#[command(name = "dserver", after_help = AFTER_HELP)]
struct Dserver {
    /// Port to listen on, 0 for any free one [default: Common.SSHPort or 2222]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Addresses to listen on, with commas [default: Server.SSHBindAddress or 127.0.0.1]
    #[arg(long = "bindAddress", value_name = "ADDRESSES")]
    bind_address: Option<String>,
    /// Configuration file; `none` for none
    #[arg(long, value_name = "FILE")]
    cfg: Option<PathBuf>,
    /// Directory of log files [default: Common.LogDir or log]
    #[arg(long = "logDir", value_name = "DIR")]
    log_dir: Option<PathBuf>,
    /// Least severity that is logged [default: Common.LogLevel or info]
    #[arg(long = "logLevel", value_name = "LEVEL")]
    log_level: Option<Level>,
    /// Where to log: none, stdout, file or fout, which is both [default: file]
    #[arg(long, value_name = "NAME")]
    logger: Option<Logger>,
    /// Accepted for DTail's sake: the log has no colours
    #[arg(long)]
    color: bool,
    /// Stop after so many seconds; 0 for never
    #[arg(long = "shutdownAfter", value_name = "SECONDS", default_value_t = 0)]
    shutdown_after: u64,
    /// Account to run as when started by root
    #[arg(long = "run-as", value_name = "USER")]
    run_as: Option<String>,
    /// Serve one session on standard input and output, as a subsystem of sshd
    #[arg(long)]
    stdio: bool,
    /// Write a new key pair to FILE and FILE.pub, and end
    #[arg(long = "generate-key", value_name = "FILE")]
    generate_key: Option<PathBuf>,
    /// Check the configuration, and end
    #[arg(long = "check-config")]
    check_config: bool,
    /// Keep CPU samples of the last MINUTES ready at --pprof, as /debug/pprof/continuous
    #[arg(long = "profile-continuous", value_name = "MINUTES", help_heading = "Profiling")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1440))]
    profile_continuous: Option<u64>,
    /// Print the version, and end
    #[arg(long)]
    version: bool,

    #[command(flatten)]
    profiling: ProfilingArgs,
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    panics::guard(|| {
        let done = match command_line::parse::<Dserver>(std::env::args_os().collect()) {
            Ok(typed) => run_recorded(typed),
            Err(command_line::NotParsed::Help(help)) => print(&help),
            Err(command_line::NotParsed::Error(line)) => {
                Err(format!("{line} (see dserver --help)"))
            }
        };
        match done {
            Ok(()) => Exit::Ok.into(),
            Err(line) => {
                tell(&format!("error: {line}"));
                Exit::Error.into()
            }
        }
    })
}

/// However serving ends, what was recorded of it is written.
fn run_recorded(typed: Dserver) -> Result<(), String> {
    let kept = typed.profile_continuous.map(Duration::from_mins);
    let recording = typed.profiling.start("dserver", kept);
    let done = run(typed);
    recording.finish();
    done
}

fn run(typed: Dserver) -> Result<(), String> {
    if typed.version {
        let version = env!("CARGO_PKG_VERSION");
        return print(&format!("DTail {version} Protocol 4.1 Have a lot of fun!\n"));
    }
    if let Some(path) = typed.generate_key {
        return dtail_server::generate_key(&path);
    }
    let options = Options {
        cfg: typed.cfg,
        port: typed.port,
        bind_address: typed.bind_address,
        log_dir: typed.log_dir,
        log_level: typed.log_level,
        logger: typed.logger,
        shutdown_after: Some(typed.shutdown_after).filter(|it| *it > 0).map(Duration::from_secs),
        run_as: typed.run_as,
    };
    if typed.check_config {
        dtail_server::check_config(&options)?;
        return print("the configuration is fine\n");
    }
    if typed.stdio {
        return dtail_server::serve_stdio(&options);
    }
    dtail_server::serve(&options, Box::new(io::stdout()), |line| tell(&format!("dserver: {line}")))
}

fn print(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {err}"))
        }
        _ => Ok(()),
    }
}

fn tell(line: &str) {
    // With standard error closed nobody is left to tell.
    let _told = io::stderr().write_all(format!("{line}\n").as_bytes());
}
