//! The options of the commands that keep profiles: `pgo-check` and `pgo-rebase`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Common;
use crate::recipe::LOST_AT_MOST;

/// Exit codes: 0 the profiles fit · 3 made by another compiler · 5 damaged or another program's ·
/// 6 missing, or more is lost than --max-lost.
#[derive(Args, Clone)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Where the figures go, by tool, crate and function
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The share of the counts that may be lost
    #[arg(long, value_name = "PERCENT", value_parser = share, default_value_t = Share(LOST_AT_MOST))]
    pub(crate) max_lost: Share,
}

/// Exit codes: 0 done · 3 made by another compiler · 5 damaged or another program's ·
/// 6 missing, of another `panic` or `codegen-units`, or more is lost than --max-lost.
#[derive(Args, Clone)]
pub(crate) struct Rebase {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Start from the profiles of this target, and keep the result for --target
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) from_target: Option<String>,
    /// The share of the counts that may be lost
    #[arg(long, value_name = "PERCENT", value_parser = share, default_value_t = Share(LOST_AT_MOST))]
    pub(crate) max_lost: Share,
}

/// Of all counts, 0 to 1; typed and shown as a percentage.
#[derive(Clone, Copy)]
pub(crate) struct Share(pub(crate) f64);

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}%", self.0 * 100.0)
    }
}

fn share(text: &str) -> Result<Share, String> {
    super::percent(text).map(|percent| Share(percent / 100.0))
}
