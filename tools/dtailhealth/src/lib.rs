//! The dtailhealth program: asks a server whether it is well. It has flags and no logic.

use std::process::ExitCode;

use clap::Parser;
use dtail_cli::HealthArgs;

const AFTER_HELP: &str = "\
Examples:
  dtailhealth --server web1:2222
  dtailhealth --server web1:2222 --timeout 3 --logger stdout   and say why if not

Exit codes, as monitoring systems expect them:
  0  OK
  1  WARNING: no server given, so nothing but this program was checked
  2  CRITICAL: the server does not answer as it should; also bad usage";

/// Ask a DTail server whether it is well
#[derive(Debug, Parser)]
#[command(name = "dtailhealth", after_help = AFTER_HELP)]
struct DtailHealth {
    #[command(flatten)]
    health: HealthArgs,
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    dtail_cli::health_main(|args: DtailHealth| args.health)
}
