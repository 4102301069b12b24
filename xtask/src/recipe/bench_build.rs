//! The programs that a bench measures: out of the folder the user gave, or built here.

use std::path::Path;

use anyhow::Result;

use crate::cargo::{self, Bins, Selection};
use crate::ctx::Ctx;
use crate::flags::Flavour;
use crate::toolchain::Compiler;
use crate::workload;
use crate::workload::fixture::Companions;

/// The programs of `tools`, without profile flags.
pub(crate) fn programs(
    ctx: &Ctx,
    compiler: &Compiler,
    tools: &[&str],
    cargo_profile: &str,
    folder: Option<&Path>,
) -> Result<Companions> {
    if let Some(folder) = folder {
        return Ok(Companions::in_folder(&std::path::absolute(folder)?, tools.iter().copied()));
    }
    let names: Vec<String> = tools.iter().map(|tool| (*tool).to_owned()).collect();
    let all = workload::load(&ctx.root, &names, false)?;
    let selection = Selection {
        packages: all.packages().into_iter().collect(),
        multicall: all.multicall(),
        bins: names,
        target: compiler.host.clone(),
        cargo_profile: cargo_profile.to_owned(),
    };
    let bins: Bins = cargo::build(ctx, &selection, &Flavour::Baseline)?;
    Ok(Companions::of(&bins))
}
