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
use crate::profile::manifest::{Identity, Manifest, SourceState};
use crate::profile::merge::{self, Profiles};
use crate::profile::store::{self, Stored};
use crate::profile::{collect, profdata};
use crate::recipe::pgo::build_optimised;
use crate::recipe::plan::{own_root, selection};
use crate::recipe::{dry_run, install};
use crate::toolchain::{self, Compiler, Need, Toolchain};
use crate::{atomic, digest, report, workload};

/// A profile that lost more of its counts than this no longer describes the program.
const LOST_AT_MOST: f64 = 0.10;
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
    let root = common.workspace.clone().unwrap_or_else(|| own_root().to_owned());
    let out_dir = common.out_dir.clone().unwrap_or_else(|| "target/pgo".into());
    let ctx = Ctx::new(&root, &out_dir, common.verbose, None)?;
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
    ctx.stage("check-sources", || {
        check_sources(ctx, &toolchain, &selection, &SourceState::now(ctx, &sources)?, &stored)
    })?;
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
        eprintln!(
            "   {}: profile {:.12}, {} of {} functions run, trained on {:.9}",
            bin.path.display(),
            profile.sha256,
            profile.counted,
            profile.functions,
            stored.manifest.source.commit.as_deref().unwrap_or("an unknown commit"),
        );
        // A copy: the stored manifest may be another by the time the program is installed.
        let used = if common.per_tool { profile.sha256.clone() } else { family.clone() };
        let manifest = ctx.out_dir.join("built").join(format!("{}.manifest.json", bin.tool));
        let built_with = Some(used);
        atomic::write_json(&manifest, &Manifest { built_with, ..stored.manifest.clone() })?;
        built.push(Built { bin, manifest });
    }
    atomic::write_json(&ctx.out_dir.join(RECORD), &built)
}

/// When the sources changed since training, an instrumented build tells how many counts still
/// find their function; compiler warnings would not.
fn check_sources(
    ctx: &Ctx,
    toolchain: &Toolchain,
    selection: &Selection,
    today: &SourceState,
    stored: &[Stored],
) -> Result<()> {
    let changed = |stored: &&Stored| !stored.manifest.source.same_bytes(today);
    let changed: Vec<_> = stored.iter().filter(changed).collect();
    if changed.is_empty() {
        eprintln!("   the profiles were trained on exactly these sources");
        return Ok(());
    }
    let tools: Vec<_> = changed.iter().map(|stored| stored.profile.tool.clone()).collect();
    eprintln!(
        "   the sources changed since training; counting what is lost for {}",
        tools.join(", ")
    );
    let instrumented = Selection { bins: tools, ..selection.clone() };
    let bins = cargo::build(ctx, &instrumented, &Flavour::Instrumented)?;
    for stored in changed {
        let tool = &stored.profile.tool;
        let probe = collect::probe(ctx, bins.of(tool)?)?;
        let keys = profdata::facts(ctx, toolchain, Fault::Training, &probe)?.keys();
        let facts = profdata::facts(ctx, toolchain, Fault::Quality, &stored.profile.path)?;
        let lost = 1.0 - facts.usable_share(&keys);
        eprintln!("   {tool}: {:.1} % of the counts are lost", lost * 100.0);
        if lost > LOST_AT_MOST {
            return Err(refuse(
                Fault::Stale,
                format!(
                    "{tool}: the profile lost {:.1} % of its counts to changed sources (limit {:.0} %); make it anew with: cargo xtask pgo-generate {tool}",
                    lost * 100.0,
                    LOST_AT_MOST * 100.0
                ),
            ));
        }
    }
    Ok(())
}
