//! `run-case`: one workload case with a program of the user's choice, for people who look into
//! a case.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::cli;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::recipe::plan::own_root;
use crate::workload::case::{Job, Scene};
use crate::workload::fixture::Companions;
use crate::workload::{self, inputs};

#[derive(Serialize)]
struct Told {
    exit: i32,
    wall_s: f64,
    user_s: f64,
    system_s: f64,
    stdout_bytes: u64,
    stdout_sha256: String,
    stderr: String,
}

/// Runs the case and prints what it did as JSON; fails when the case's own rules are broken.
pub(crate) fn run_case(options: &cli::RunCase) -> Result<()> {
    let root = options.inputs.workspace.as_deref().unwrap_or_else(|| own_root());
    let ctx = Ctx::new(root, &options.inputs.out_dir, false, None)?;
    let corpus = options.inputs.corpus.as_deref();
    let wanted = [options.tool.clone()];
    let mut workloads = workload::load(&ctx.root, &wanted, corpus.is_some())?;
    let case = workloads.tools[0].case(&options.case)?.clone();
    workloads.tools[0].cases = vec![case.clone()];
    let inputs = inputs::make(&ctx, &workloads, options.inputs.data_size, corpus)?;
    let program = std::path::absolute(&options.bin)?;
    let folder = match &options.companions {
        Some(folder) => std::path::absolute(folder)?,
        None => program.parent().unwrap_or(Path::new("/")).to_owned(),
    };
    let companions = Companions::in_folder(&folder, workloads.companions());
    let scene = Scene { inputs: &inputs, servers: &workloads.servers, companions: &companions };
    let job = Job { ctx: &ctx, tool: &options.tool, case: &case, scene };
    let outcome = job.run(&program, None)?;
    let told = Told {
        exit: outcome.effect.code,
        wall_s: outcome.wall.as_secs_f64(),
        user_s: outcome.cpu.user,
        system_s: outcome.cpu.system,
        stdout_bytes: outcome.effect.stdout_bytes,
        stdout_sha256: outcome.effect.stdout_sha256.clone(),
        stderr: outcome.stderr.clone(),
    };
    println!("{}", serde_json::to_string_pretty(&told)?);
    match outcome.fault(&case) {
        Some(fault) => Err(refuse(
            Fault::Training,
            format!("{}, case {}: the program {fault}", options.tool, options.case),
        )),
        None => Ok(()),
    }
}
