//! Options of the pipeline about what a run proves beyond its usual verdict.

use clap::Args;

/// What a run proves beyond its usual verdict.
#[derive(Args, Clone, Default)]
pub(crate) struct Proof {
    /// Build the optimised programs in two folders, compare every byte, and stop there; 9 if they
    /// differ
    #[arg(long)]
    pub(crate) repro: bool,
    /// Count instructions with valgrind, too: tells that something changed, not that it gained
    #[arg(long)]
    pub(crate) counts: bool,
    /// Rearrange the optimised programs with BOLT, and keep that where it gains beyond doubt
    #[arg(long, conflicts_with = "repro")]
    pub(crate) bolt: bool,
    /// How much larger BOLT may make an installed program, in percent
    #[arg(long, value_name = "PERCENT", default_value = "25%", requires = "bolt", value_parser = super::percent)]
    pub(crate) bolt_growth: f64,
    /// Fail (8) if the verdict on a tool is inconclusive
    #[arg(long, conflicts_with = "repro")]
    pub(crate) require_clear: bool,
}
