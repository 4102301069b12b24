//! `bench dgrep`, `bench dcat` and `bench dmap`: one program beside its peers on this machine, each figure with
//! the bar it has to clear; or how its cost grows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::atomic;
use crate::bench::figure::Figure;
use crate::bench::peers::{Kind, Peers};
use crate::bench::stage::Stage;
use crate::bench::told::{Setting, tell};
use crate::bench::{aggregating, growth, printing, searching};
use crate::cli;
use crate::ctx::Ctx;
use crate::lock::Lock;
use crate::recipe::bench_build::programs;
use crate::recipe::plan::own_root;
use crate::report;
use crate::toolchain::{self, Need};

/// What differs between them.
struct Subject {
    tool: &'static str,
    peers: &'static [Kind],
    figures: fn(&Stage<'_>, &Peers, u64) -> Result<Vec<Figure>>,
    growth: fn(&Stage<'_>, &Peers, u64) -> Result<Vec<PathBuf>>,
}

/// Measures dgrep and fails when a bar was missed.
pub(crate) fn bench_dgrep(options: &cli::BenchLocal) -> Result<()> {
    bench(
        options,
        &Subject {
            tool: "dgrep",
            peers: &searching::PEERS,
            figures: searching::figures,
            growth: growth::of_dgrep,
        },
    )
}

/// Measures dcat and fails when a bar was missed.
pub(crate) fn bench_dcat(options: &cli::BenchLocal) -> Result<()> {
    bench(
        options,
        &Subject {
            tool: "dcat",
            peers: &printing::PEERS,
            figures: printing::figures,
            growth: growth::of_dcat,
        },
    )
}

/// Measures dmap and fails when a bar was missed.
pub(crate) fn bench_dmap(options: &cli::BenchLocal) -> Result<()> {
    bench(
        options,
        &Subject {
            tool: "dmap",
            peers: &aggregating::PEERS,
            figures: aggregating::figures,
            growth: growth::of_dmap,
        },
    )
}

fn bench(options: &cli::BenchLocal, subject: &Subject) -> Result<()> {
    let common = &options.common;
    let ctx = Ctx::new(own_root(), &common.out_dir, common.verbose, None)?;
    let _lock = Lock::take(&ctx.out_dir)?;
    let result = measure(&ctx, options, subject);
    report::print_stages(&ctx);
    result
}

fn measure(ctx: &Ctx, options: &cli::BenchLocal, subject: &Subject) -> Result<()> {
    let common = &options.common;
    let toolchain = ctx.stage("preflight", || toolchain::preflight(ctx, Need::Comparison, true))?;
    let hyperfine = toolchain.hyperfine.as_ref().context("preflight found no hyperfine")?;
    let (profile, folder) = (&common.cargo_profile, common.bin_dir.as_deref());
    let companions = ctx
        .stage("build", || programs(ctx, &toolchain.compiler, &[subject.tool], profile, folder))?;
    let (rounds, data_size) = sizes(options);
    let servers = BTreeMap::new();
    let stage = Stage {
        ctx,
        hyperfine,
        companions: &companions,
        servers: &servers,
        folder: ctx.out_dir.join("bench").join(subject.tool),
        rounds,
        only: &options.only,
    };
    atomic::fresh_dir(&stage.folder)?;
    let peers = Peers::find(subject.peers, &options.peer);
    if options.growth {
        let files = ctx.stage("growth", || (subject.growth)(&stage, &peers, data_size))?;
        if options.docs {
            growth::publish(&files, &ctx.root.join("docs/bench"))?;
        }
        files.iter().for_each(|file| eprintln!("   {}", file.display()));
        return Ok(());
    }
    let figures = ctx.stage("contests", || (subject.figures)(&stage, &peers, data_size))?;
    let setting = Setting {
        bench: subject.tool,
        cargo_profile: folder.is_none().then(|| profile.clone()),
        hyperfine: Some(hyperfine.version.clone()),
        rounds,
        log_bytes: data_size,
    };
    tell(ctx, setting, figures, common.json.as_deref())
}

/// Rounds, and bytes of the large log.
fn sizes(options: &cli::BenchLocal) -> (u32, u64) {
    let (rounds, bytes) = if options.quick { (5, 100_000_000) } else { (12, 1_000_000_000) };
    (options.rounds.unwrap_or(rounds), options.data_size.unwrap_or(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[track_caller]
    fn check(words: &[&str], expected: (u32, u64)) {
        let all = ["xtask", "bench", "dgrep"].iter().chain(words);
        let cli::Command::Bench(cli::Bench::Dgrep(options)) = cli::Cli::parse_from(all).command
        else {
            panic!("another command")
        };
        assert_eq!(sizes(&options), expected);
    }

    #[test]
    fn quick_is_small_unless_a_size_is_given() {
        check(&[], (12, 1_000_000_000));
        check(&["--quick"], (5, 100_000_000));
        check(&["--quick", "--rounds", "9", "--data-size", "2000000"], (9, 2_000_000));
    }
}
