//! `ci prove`: every case of the workloads with the programs that `build-pgo` made, beside plain ones
//! of the same sources: they must do the same. A release has this behind it.

use anyhow::Result;

use crate::cargo::{self, Bins};
use crate::cli;
use crate::flags::Flavour;
use crate::lock::Lock;
use crate::recipe::plan::{selection, with_companions};
use crate::recipe::{install, pgo};
use crate::report;
use crate::toolchain::Compiler;
use crate::workload::case::Scene;
use crate::workload::fixture::Companions;
use crate::workload::{self, inputs};

/// Lines of an input of scale 1: this is about what programs do, not about time.
const LINES: u64 = 20_000;

/// Compares what the programs do; a difference is exit code 7.
pub(crate) fn prove(common: &cli::Common) -> Result<()> {
    let ctx = common.ctx()?;
    let _lock = Lock::take(&ctx.out_dir)?;
    let built = install::recorded(&ctx, &common.tools)?;
    let bins = built.into_iter().map(|built| built.bin);
    let optimised = Bins { rustflags: Vec::new(), bins: bins.collect() };
    let mut workloads = workload::load(&ctx.root, &[], false)?;
    workloads.tools.retain(|tool| optimised.of(&tool.tool).is_ok());
    let selection = selection(&ctx, common, &workloads, &Compiler::ask(&ctx)?)?;
    let result = (|| {
        let inputs = ctx.stage("inputs", || inputs::make(&ctx, &workloads, LINES, None))?;
        let baseline = ctx.stage("build-baseline", || {
            cargo::build(&ctx, &with_companions(&selection, &workloads), &Flavour::Baseline)
        })?;
        let companions = Companions::of(&baseline);
        let scene = Scene { inputs: &inputs, servers: &workloads.servers, companions: &companions };
        ctx.stage("verify", || pgo::verify(&ctx, &workloads, scene, &baseline, &optimised))
    })();
    report::print_stages(&ctx);
    result
}
