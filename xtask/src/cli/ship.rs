//! The part of the command tree that is about shipping: CI's jobs, archives, the report's page.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::Common;

#[derive(Args)]
pub(crate) struct ReportPage {
    /// The report that the page is made of; the page goes beside it
    #[arg(value_name = "FILE", default_value = "target/pgo/report.json")]
    pub(crate) file: PathBuf,
}

#[derive(Args)]
pub(crate) struct Codegen {
    /// Change nothing; fail (11) and name the page where a part is not what it should be
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Ci {
    /// Run only these steps (fmt, clippy, test, tidy, workflows, pgo; and portability and
    /// workspace, which run only when named)
    #[arg(value_name = "STEP")]
    pub(crate) steps: Vec<String>,
    #[command(subcommand)]
    pub(crate) command: Option<CiCommand>,
}

#[derive(Subcommand)]
pub(crate) enum CiCommand {
    /// Print the targets of ci/targets.toml as a workflow's fromJson takes them
    Matrix {
        /// Only the targets for which this job runs: ci, check, refresh or release
        #[arg(long, value_name = "JOB")]
        job: Option<String>,
    },
    /// Run the steps of a workflow's job on this machine, from the workflow file itself
    Run(RunJob),
    /// Fail unless the tag is the version, the tree is clean and each target has a profile that fits
    Gate(Gate),
    /// Give the profiles of another target to one that takes them, as ci/targets.toml says; one that
    /// trains has its own
    Profiles(Common),
    /// Show that what build-pgo made does what plain programs do, in every case of workloads/
    Prove(Common),
    /// Commit refreshed profiles on a branch and open a pull request (git, gh)
    Propose(Outward),
    /// Put what dist made on the tag's release page (gh)
    Publish(Outward),
}

#[derive(Args)]
pub(crate) struct RunJob {
    /// The job's name as in .github/workflows, or WORKFLOW/JOB
    #[arg(value_name = "JOB")]
    pub(crate) job: String,
    /// The target of the job's matrix (default: this machine's)
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,
    /// Print the steps, run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
pub(crate) struct Gate {
    /// The release's tag, such as v0.1.0 (default: $GITHUB_REF_NAME)
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// Folder of the profiles
    #[arg(long, value_name = "DIR", default_value = "pgo-profiles")]
    pub(crate) profile_dir: PathBuf,
}

#[derive(Args)]
pub(crate) struct Outward {
    /// Print the commands, run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
pub(crate) struct Dist {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Folder of the archives
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    pub(crate) dist_dir: PathBuf,
    /// Also make the packages of ci/targets.toml (.deb, .rpm); gets cargo-deb and cargo-generate-rpm
    /// below target/tools when they are missing
    #[arg(long)]
    pub(crate) packages: bool,
    /// Pack although tracked files differ from the commit
    #[arg(long)]
    pub(crate) allow_dirty: bool,
}

#[derive(Args)]
pub(crate) struct Uninstall {
    /// Where the programs were installed (default: Cargo's home, usually ~/.cargo)
    #[arg(long, value_name = "DIR")]
    pub(crate) prefix: Option<PathBuf>,
    /// Print what would be removed, remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
