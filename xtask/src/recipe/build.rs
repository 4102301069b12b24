//! `build-pgo`: builds with the stored profiles, without training. Fails closed: a profile that
//! is missing, foreign, untrained, stale or of another compiler stops the build.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::cargo::{self, Bin, Selection, Sources};
use crate::cli;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::flags::Flavour;
use crate::lock::Lock;
use crate::profile::fit::{Fit, Verdict};
use crate::profile::manifest::{Identity, Manifest, SourceState};
use crate::profile::merge::{self, Profiles};
use crate::profile::store::{self, Stored};
use crate::recipe::pgo::build_optimised;
use crate::recipe::plan::selection;
use crate::recipe::{check, dry_run, install};
use crate::toolchain::{self, Compiler, Need, Toolchain};
use crate::workload::Workloads;
use crate::{atomic, digest, report, workload};

/// A profile that lost more of its counts than this no longer describes the program.
pub(crate) const LOST_AT_MOST: f64 = 0.10;
/// What `build-pgo` leaves for `install-pgo`, in the output folder.
pub(crate) const RECORD: &str = "built.json";

/// A program built with a stored profile.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Built {
    pub(crate) bin: Bin,
    pub(crate) manifest: PathBuf,
}

/// Builds, and installs when asked to.
pub(crate) fn build_pgo(options: &cli::Build) -> Result<()> {
    let common = &options.common;
    let ctx = common.ctx()?;
    let lock = Lock::take(&ctx.out_dir)?;
    let result = build(&ctx, common);
    report::print_stages(&ctx);
    result?;
    drop(lock);
    if options.install && !common.dry_run {
        let install = cli::Install { common: common.clone(), prefix: options.prefix.clone() };
        return install::install_pgo(&install);
    }
    Ok(())
}

fn build(ctx: &Ctx, common: &cli::Common) -> Result<()> {
    let workloads = workload::load(&ctx.root, &common.tools, false)?;
    let selection = selection(ctx, common, &workloads, &Compiler::ask(ctx)?)?;
    let sources = Sources::read(ctx, &selection)?;
    if common.dry_run {
        let family = merge::family_path(ctx);
        println!(
            "# profiles of {} from {}",
            selection.bins.join(", "),
            common.profile_dir.display()
        );
        return dry_run::build(ctx, &selection, &Flavour::Optimised(family));
    }
    let toolchain = ctx.stage("preflight", || toolchain::preflight(ctx, Need::Builds, true))?;
    let identity = Identity::now(&toolchain.compiler, &selection, &sources);
    let profile_dir = ctx.root.join(&common.profile_dir);
    let stored = ctx.stage("take-profiles", || {
        let take = |tool: &String| store::take(ctx, &toolchain, &profile_dir, &identity, tool);
        selection.bins.iter().map(take).collect::<Result<Vec<_>>>()
    })?;
    let stored = ctx.stage("check-sources", || {
        let today = SourceState::now(ctx, &sources)?;
        check_sources(ctx, &toolchain, &selection, &identity, &today, stored)
    })?;
    for Checked { stored, fits } in &stored {
        eprintln!("   {}", used(&stored.manifest, *fits));
    }
    let stored: Vec<Stored> = stored.into_iter().map(|checked| checked.stored).collect();
    let profiles = Profiles(stored.iter().map(|stored| stored.profile.clone()).collect());
    let bins = ctx.stage("build-optimised", || {
        build_optimised(ctx, &toolchain, &selection, &profiles, common.per_tool)
    })?;
    let family = match common.per_tool {
        true => String::new(),
        false => digest::of_file(&merge::family_path(ctx))?,
    };
    let mut built = Vec::new();
    for (bin, stored) in bins.bins.into_iter().zip(&stored) {
        let profile = &stored.profile;
        // A copy: the stored manifest may be another by the time the program is installed.
        let used = if common.per_tool { profile.sha256.clone() } else { family.clone() };
        let manifest = ctx.out_dir.join("built").join(format!("{}.manifest.json", bin.tool));
        let built_with = Some(used);
        atomic::write_json(&manifest, &Manifest { built_with, ..stored.manifest.clone() })?;
        built.push(Built { bin, manifest });
    }
    record(ctx, &workloads, built)
}

/// Leaves what was built for `install-pgo`, also under the names that have no cases.
pub(crate) fn record(ctx: &Ctx, workloads: &Workloads, mut built: Vec<Built>) -> Result<()> {
    let mut more = Vec::new();
    for Built { bin, manifest } in &built {
        for name in workloads.namesakes(&bin.tool) {
            let manifest = manifest.clone();
            more.push(Built { bin: cargo::namesake(bin, name)?, manifest });
        }
    }
    built.append(&mut more);
    atomic::write_json(&ctx.out_dir.join(RECORD), &built)
}

/// What a build uses, in one line: who made it, when, out of how much.
fn used(manifest: &Manifest, fits: f64) -> String {
    let commit = |commit: &Option<String>| match commit {
        Some(commit) => format!("commit {commit:.9}"),
        None => "sources outside git".to_owned(),
    };
    let rebased = manifest.rebased_from.as_ref().map(|from| {
        let kept = from.kept * 100.0;
        format!(", renamed from {} with {kept:.2} % of its counts", commit(&from.source.commit))
    });
    format!(
        "{}: profile {:.12} of {}, trained {} with rustc {}{}: {} counts in {} of {} functions, {:.2} % fit",
        manifest.tool,
        manifest.profile_sha256,
        commit(&manifest.source.commit),
        manifest.trained.as_deref().unwrap_or("some day"),
        manifest.identity.compiler.release,
        rebased.unwrap_or_default(),
        manifest.total,
        manifest.counted,
        manifest.functions,
        fits * 100.0
    )
}

/// A profile that may be used.
struct Checked {
    stored: Stored,
    /// The share of its counts that finds its function, 0 to 1.
    fits: f64,
}

/// When the sources changed since training, an instrumented build tells how many counts still
/// find their function; compiler warnings would not. It is done once for the same sources.
fn check_sources(
    ctx: &Ctx,
    toolchain: &Toolchain,
    selection: &Selection,
    identity: &Identity,
    today: &SourceState,
    stored: Vec<Stored>,
) -> Result<Vec<Checked>> {
    let mut checked = Vec::new();
    let mut unknown = Vec::new();
    for stored in stored {
        if stored.manifest.source.same_bytes(today) {
            checked.push(Checked { stored, fits: 1.0 });
        } else if let Some(fit) = check::remembered(ctx, &stored, identity, today) {
            checked.push(Checked { fits: accept(&fit)?, stored });
        } else {
            unknown.push(stored);
        }
    }
    if !unknown.is_empty() {
        let tools: Vec<_> = unknown.iter().map(|stored| stored.profile.tool.as_str()).collect();
        eprintln!(
            "   the sources changed since training; counting what is lost for {}",
            tools.join(", ")
        );
        for one in check::examine(ctx, toolchain, selection, identity, unknown)? {
            check::remember(ctx, &one.stored, identity, today, &one.fit)?;
            checked.push(Checked { fits: accept(&one.fit)?, stored: one.stored });
        }
    }
    // In the order of the programs.
    let place = |tool: &str| selection.bins.iter().position(|bin| bin == tool);
    checked.sort_by_key(|checked| place(&checked.stored.profile.tool));
    Ok(checked)
}

/// The share that fits, unless too much is lost.
fn accept(fit: &Fit) -> Result<f64> {
    let (tool, lost) = (&fit.tool, fit.all.lost());
    let mend = match fit.verdict(LOST_AT_MOST) {
        Verdict::Fits => return Ok(1.0 - lost),
        Verdict::Rebase => "pgo-rebase",
        Verdict::Retrain | Verdict::Foreign => "pgo-generate",
    };
    let text = format!(
        "{tool}: the profile lost {:.1} % of its counts to changed sources (limit {:.0} %); mend: cargo xtask {mend} {tool} (cargo xtask pgo-check {tool} tells more)",
        lost * 100.0,
        LOST_AT_MOST * 100.0
    );
    Err(refuse(Fault::Stale, text))
}
