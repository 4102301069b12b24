//! `bench profile`: what recording costs dcat, dgrep and dmap, each figure with its bar.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::atomic;
use crate::bench::recording::{self, BenchProfile};
use crate::bench::stage::Stage;
use crate::bench::told::{Setting, tell};
use crate::ctx::Ctx;
use crate::lock::Lock;
use crate::recipe::bench_build::programs;
use crate::recipe::plan::own_root;
use crate::report;
use crate::toolchain::{self, Need};

/// Measures, and fails when a bar was missed.
pub(crate) fn bench_profile(options: &BenchProfile) -> Result<()> {
    let common = &options.common;
    let ctx = Ctx::new(own_root(), &common.out_dir, common.verbose, None)?;
    let _lock = Lock::take(&ctx.out_dir)?;
    let result = measure(&ctx, options);
    report::print_stages(&ctx);
    result
}

fn measure(ctx: &Ctx, options: &BenchProfile) -> Result<()> {
    let common = &options.common;
    let toolchain = ctx.stage("preflight", || toolchain::preflight(ctx, Need::Comparison, true))?;
    let hyperfine = toolchain.hyperfine.as_ref().context("preflight found no hyperfine")?;
    let (profile, folder) = (&common.cargo_profile, common.bin_dir.as_deref());
    let tools = &recording::TOOLS;
    let companions =
        ctx.stage("build", || programs(ctx, &toolchain.compiler, tools, profile, folder))?;
    let (rounds, log_bytes) = options.sizes();
    let servers = BTreeMap::new();
    let stage = Stage {
        ctx,
        hyperfine,
        companions: &companions,
        servers: &servers,
        folder: ctx.out_dir.join("bench/profile"),
        rounds,
        only: &options.only,
    };
    atomic::fresh_dir(&stage.folder)?;
    let figures = ctx.stage("contests", || recording::figures(&stage, options))?;
    let setting = Setting {
        bench: "profile",
        cargo_profile: folder.is_none().then(|| profile.clone()),
        hyperfine: Some(hyperfine.version.clone()),
        rounds,
        log_bytes,
    };
    tell(ctx, setting, figures, common.json.as_deref())
}
