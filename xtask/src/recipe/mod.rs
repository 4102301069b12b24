//! The recipes: what each `cargo xtask` command does, as functions read from top to bottom.

mod bench_build;
mod bench_dtail;
mod bench_history;
mod bench_local;
mod bench_profile;
mod bench_server;
mod bolt;
mod build;
mod calibrate;
mod check;
mod ci;
mod ci_cases;
mod ci_gates;
mod ci_jobs;
mod ci_portability;
mod ci_workspace;
mod clean;
mod codegen;
mod dist;
mod doctor;
mod dry_run;
mod fuzz;
mod install;
mod matrix;
mod pgo;
mod plan;
mod profile;
mod prove;
mod rebase;
mod release;
mod repro;
mod run_case;
mod sample;
mod sampled;
mod ship_gates;
mod show;
#[cfg(test)]
mod toy;
mod uninstall;

use anyhow::Result;

use crate::cli::{Bench, Command};
use crate::recipe::plan::{Goal, Plan};
use crate::tidy;

pub(crate) use crate::recipe::build::LOST_AT_MOST;
pub(crate) use crate::recipe::plan::own_root;

/// Runs the recipe of a command.
pub(crate) fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Pgo(options) => pgo::pgo(&Plan::new(&options, Goal::Full)?),
        Command::PgoQuick(options) => pgo::pgo(&Plan::new(&options, Goal::Quick)?),
        Command::PgoGenerate(options) => pgo::pgo(&Plan::new(&options, Goal::Generate)?),
        Command::PgoMatrix(options) => pgo::pgo(&Plan::new(&options, Goal::Matrix)?),
        Command::PgoInputs(options) => pgo::pgo(&Plan::new(&options, Goal::Inputs)?),
        Command::BuildPgo(options) => build::build_pgo(&options),
        Command::InstallPgo(options) => install::install_pgo(&options),
        Command::PgoCheck(options) => check::pgo_check(&options),
        Command::PgoRebase(options) => rebase::pgo_rebase(&options),
        Command::PgoShow(options) => show::show(&options),
        Command::PgoClean(options) => clean::clean(options.out_dir.as_deref()),
        Command::Doctor(options) => doctor::doctor(!options.no_mend),
        Command::RunCase(options) => run_case::run_case(&options),
        Command::Tidy => tidy::tidy(),
        Command::Codegen(options) => codegen::codegen(options.check),
        Command::Bench(Bench::Run(cases)) => {
            bench_history::cases(&cases, &bench_history::Goal::Run)
        }
        Command::Bench(Bench::Save { tag, cases }) => {
            bench_history::cases(&cases, &bench_history::Goal::Save(&tag))
        }
        Command::Bench(Bench::Compare { tag, cases }) => {
            bench_history::cases(&cases, &bench_history::Goal::Compare(&tag))
        }
        Command::Bench(Bench::List { out_dir }) => bench_history::list(&out_dir),
        Command::Bench(Bench::Clean(options)) => bench_history::clean(&options),
        Command::Bench(Bench::Server(options)) => bench_server::bench_server(&options),
        Command::Bench(Bench::Dgrep(options)) => bench_local::bench_dgrep(&options),
        Command::Bench(Bench::Dcat(options)) => bench_local::bench_dcat(&options),
        Command::Bench(Bench::Dmap(options)) => bench_local::bench_dmap(&options),
        Command::Bench(Bench::Dtail(options)) => bench_dtail::bench_dtail(&options),
        Command::Bench(Bench::Profile(options)) => bench_profile::bench_profile(&options),
        Command::Bench(Bench::Writer(options)) => bench_dtail::write(&options),
        Command::Profile(command) => profile::profile(&command),
        Command::Fuzz(options) => fuzz::fuzz(&options),
        Command::PgoReport(options) => {
            println!("{}", crate::report::write_page(&options.file)?.display());
            Ok(())
        }
        Command::Dist(options) => dist::dist(&options),
        Command::UninstallPgo(options) => uninstall::uninstall(&options),
        Command::Ci(options) => match options.command {
            None => ci::ci(&options.steps),
            Some(command) => ci_jobs::run(&command),
        },
    }
}
