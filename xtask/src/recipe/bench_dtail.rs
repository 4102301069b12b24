//! `bench dtail`: following a log that grows fast and is rotated, and the time from write to
//! print.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum as _;

use crate::bench::figure::Figure;
use crate::bench::rotation;
use crate::bench::told::{Setting, tell};
use crate::bench::writer::{Mode, Plan};
use crate::bench::{faults, latency};
use crate::cli;
use crate::ctx::Ctx;
use crate::lock::Lock;
use crate::recipe::bench_build::programs;
use crate::recipe::plan::own_root;
use crate::report;
use crate::toolchain::{self, Need};

/// How much is written, and for how long.
struct Effort {
    rate: u64,
    time: Duration,
    rotate: Duration,
    probes: u32,
}

/// Measures dtail and fails when a bar was missed.
pub(crate) fn bench_dtail(options: &cli::BenchDtail) -> Result<()> {
    let common = &options.common;
    let ctx = Ctx::new(own_root(), &common.out_dir, common.verbose, None)?;
    let _lock = Lock::take(&ctx.out_dir)?;
    let result = measure(&ctx, options);
    report::print_stages(&ctx);
    result
}

/// What the writer's process does.
pub(crate) fn write(options: &cli::BenchWriter) -> Result<()> {
    let plan = Plan {
        rate: options.rate,
        time: Duration::from_secs(options.seconds),
        rotate: Duration::from_millis(options.rotate),
        mode: options.mode,
    };
    rotation::write(&options.log, plan)
}

fn measure(ctx: &Ctx, options: &cli::BenchDtail) -> Result<()> {
    let common = &options.common;
    let toolchain = ctx.stage("preflight", || toolchain::preflight(ctx, Need::Builds, true))?;
    let (profile, folder) = (&common.cargo_profile, common.bin_dir.as_deref());
    let companions =
        ctx.stage("build", || programs(ctx, &toolchain.compiler, &["dtail"], profile, folder))?;
    let dtail = companions.program("dtail")?;
    let effort = effort(options);
    let mut figures = Vec::new();
    if faults::possible() {
        let all = Mode::value_variants();
        for mode in if options.mode.is_empty() { all } else { &options.mode } {
            let Effort { rate, time, rotate, .. } = effort;
            let plan = Plan { rate, time, rotate, mode: *mode };
            let name = format!("rotation by {}", mode.name());
            let folder = rotation::folder(&ctx.out_dir);
            figures.extend(
                ctx.stage(&name, || rotation::figures(&ctx.children, dtail, &folder, plan))?,
            );
        }
    } else {
        figures.push(Figure::skipped("rotation", "there is no /proc"));
    }
    let folder = ctx.out_dir.join("bench/latency");
    figures.extend(ctx.stage("write to print", || {
        latency::figures(&ctx.children, dtail, &folder, effort.probes)
    })?);
    let setting = Setting {
        bench: "dtail",
        cargo_profile: common.bin_dir.is_none().then(|| profile.clone()),
        hyperfine: None,
        rounds: 1,
        log_bytes: effort.rate * effort.time.as_secs(),
    };
    tell(ctx, setting, figures, common.json.as_deref())
}

fn effort(options: &cli::BenchDtail) -> Effort {
    let quick = options.quick;
    let either =
        |given: Option<u64>, usual, short| given.unwrap_or(if quick { short } else { usual });
    Effort {
        rate: either(options.rate, 200, 50) * 1_000_000,
        time: Duration::from_secs(either(options.seconds, 60, 6)),
        rotate: Duration::from_millis(either(options.rotate, 5000, 1000)),
        probes: options.probes.unwrap_or(if quick { 60 } else { 300 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[track_caller]
    fn check(words: &[&str], rate: u64, seconds: u64, rotate: u64, probes: u32) {
        let all = ["xtask", "bench", "dtail"].iter().chain(words);
        let cli::Command::Bench(cli::Bench::Dtail(options)) = cli::Cli::parse_from(all).command
        else {
            panic!("another command")
        };
        let effort = effort(&options);
        assert_eq!(
            (effort.rate, effort.time, effort.rotate, effort.probes),
            (rate, Duration::from_secs(seconds), Duration::from_millis(rotate), probes)
        );
    }

    #[test]
    fn quick_is_short_unless_told_otherwise() {
        check(&[], 200_000_000, 60, 5000, 300);
        check(&["--quick", "--rate", "10"], 10_000_000, 6, 1000, 60);
        check(&["--seconds", "3", "--rotate", "20", "--probes", "10"], 200_000_000, 3, 20, 10);
    }
}
