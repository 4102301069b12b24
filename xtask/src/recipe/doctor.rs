//! `doctor`: the preflight alone, and what else about this machine is worth knowing.

use std::path::Path;

use anyhow::Result;

use crate::ctx::Ctx;
use crate::recipe::plan::own_root;
use crate::report::machine::Machine;
use crate::toolchain::{self, Need};

/// Checks the machine; with `mend`, installs what can be installed without root.
pub(crate) fn doctor(mend: bool) -> Result<()> {
    let ctx = Ctx::new(own_root(), Path::new("target/pgo"), false, None)?;
    let Machine { cpu, cores, memory_gib, system } = Machine::now();
    eprintln!("   {cores} × {cpu}, {memory_gib} GiB, {system}");
    toolchain::preflight(&ctx, Need::Comparison, mend)?;
    eprintln!("   ready: cargo xtask pgo-quick");
    Ok(())
}
