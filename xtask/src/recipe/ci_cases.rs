//! The CI step `cases`: every case of `workloads/`, with its servers and clients, by the tools as the
//! tests have built them. So it is seen early that a case no longer fits its tool.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::progress::Progress;
use crate::workload::case::{Job, Scene};
use crate::workload::fixture::Companions;
use crate::workload::{self, Workloads, inputs};
use crate::{atomic, cargo};

/// Lines of an input of scale 1: programs without optimisation take their time.
const LINES: u64 = 2_000;

/// Runs them all, and names every case that does not end as its file says.
pub(crate) fn run(ctx: &Ctx) -> Result<()> {
    let workloads = workload::load(&ctx.root, &[], false)?;
    let folder = ctx.out_dir.join("programs");
    build(ctx, &workloads, &folder)?;
    let inputs = inputs::make(ctx, &workloads, LINES, None)?;
    let companions = Companions::in_folder(&folder, workloads.companions());
    let scene = Scene { inputs: &inputs, servers: &workloads.servers, companions: &companions };
    let count = workloads.tools.iter().map(|workload| workload.cases.len() as u64).sum();
    let mut progress = Progress::new("cases", count);
    let mut faults = Vec::new();
    for workload in &workloads.tools {
        let tool = workload.tool.as_str();
        for case in &workload.cases {
            progress.say(&format!("{tool} {}", case.name));
            let outcome = Job { ctx, tool, case, scene }.run(&folder.join(tool), None)?;
            let fault = outcome.fault(case);
            faults.extend(fault.map(|fault| format!("{tool}, case {}: it {fault}", case.name)));
            progress.step();
        }
    }
    if faults.is_empty() {
        eprintln!("   {count} cases do what their files say");
        return Ok(());
    }
    Err(refuse(Fault::Training, faults.join("\n")))
}

/// Puts every tool into `folder` by its name. With the words of the step `test`, so that features
/// are the same and nothing is compiled again.
fn build(ctx: &Ctx, workloads: &Workloads, folder: &Path) -> Result<()> {
    let build = cmd!(
        ctx.sh,
        "cargo test --workspace --locked --no-run --message-format json-render-diagnostics"
    );
    let executables = cargo::executables(&ctx.run(build, "build-cases")?);
    let multicall = workloads.multicall();
    let tools = workloads.tools.iter().map(|workload| workload.tool.as_str());
    let names: BTreeSet<&str> = tools.chain(workloads.companions()).collect();
    atomic::fresh_dir(folder)?;
    for name in names {
        let program = multicall.get(name).map_or(name, String::as_str);
        let built = executables.get(program);
        let built = built.with_context(|| format!("cargo built no program named {program}"))?;
        let copied = std::fs::copy(built, folder.join(name));
        copied.with_context(|| format!("cannot copy {}", built.display()))?;
    }
    Ok(())
}
