//! `pgo --repro`: merges what training counted twice, builds the optimised programs here and in a
//! copy of the sources elsewhere, and compares every byte. Keeps neither the copy nor its builds.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::atomic;
use crate::cargo::{Bins, Selection};
use crate::ctx::Ctx;
use crate::elf;
use crate::fault::{Fault, refuse};
use crate::profile::collect::Training;
use crate::profile::manifest::Provenance;
use crate::profile::merge::{self, Profiles};
use crate::recipe::pgo::{Trained, build_optimised};
use crate::recipe::plan::Plan;

/// Where the sources are copied to: of another length and depth than any usual checkout, so that
/// a path in a program moves what comes after it.
const COPY: &str = "repro/a/checkout/of/the/same/sources/in/another/folder";

/// Proves that the same sources and the same counts give the same programs, or fails with 9.
pub(crate) fn repro(
    ctx: &Ctx,
    plan: &Plan,
    selection: &Selection,
    provenance: &Provenance<'_>,
    trained: &Trained,
) -> Result<()> {
    let toolchain = provenance.toolchain;
    let per_tool = plan.common.per_tool;
    let first = ctx.artefact("build-optimised", || {
        build_optimised(ctx, toolchain, selection, &trained.profiles, per_tool)
    })?;
    atomic::fresh_dir(&ctx.out_dir.join("repro"))?;
    let root = copy(ctx);
    ctx.stage("copy-sources", || copy_sources(&ctx.root, &root, &ctx.out_dir))?;
    let mut other = Ctx::new(&root, Path::new("target/pgo"), ctx.verbose, None)?;
    // The copy is to be built with the compiler that built the original.
    other.foreign = ctx.foreign;
    let profiles = ctx.stage("merge-again", || {
        let again = reversed(&trained.training);
        let profiles = merge::merge(&other, toolchain, provenance.workloads, &again)?;
        same_profiles(&trained.profiles, &profiles).map(|()| profiles)
    })?;
    let second = ctx.stage("build-again", || {
        build_optimised(&other, toolchain, selection, &profiles, per_tool)
    })?;
    ctx.stage("compare-bytes", || same_programs(&first, &second, &root))?;
    std::fs::remove_dir_all(ctx.out_dir.join("repro")).context("cannot remove the copy")
}

/// The folder of the copied sources.
pub(crate) fn copy(ctx: &Ctx) -> PathBuf {
    ctx.out_dir.join(COPY)
}

/// The same raw profiles the other way round: merging may not depend on their order.
fn reversed(training: &Training) -> Training {
    let mut training = training.clone();
    for case in training.tools.iter_mut().flat_map(|tool| &mut tool.cases) {
        case.raw.reverse();
    }
    training
}

fn same_profiles(first: &Profiles, second: &Profiles) -> Result<()> {
    for (first, second) in first.0.iter().zip(&second.0) {
        let tool = &first.tool;
        if first.sha256 != second.sha256 {
            let text = format!("{tool}: the same counts, merged twice, gave two profiles");
            return Err(refuse(Fault::Irreproducible, text));
        }
        eprintln!("   {tool}: merged twice, profile {:.12} both times", first.sha256);
    }
    Ok(())
}

fn same_programs(first: &Bins, second: &Bins, copy: &Path) -> Result<()> {
    let mut different = Vec::new();
    for first in &first.bins {
        let (tool, second) = (&first.tool, second.of(&first.tool)?);
        if first.sha256 == second.sha256 {
            eprintln!(
                "   {tool}: built twice, {} bytes, {:.12} both times",
                first.bytes, first.sha256
            );
            continue;
        }
        let (one, two) = (std::fs::read(&first.path)?, std::fs::read(&second.path)?);
        different.push(format!("{tool} in {}", elf::first_difference(&one, &two)));
    }
    if different.is_empty() {
        return Ok(());
    }
    let text = format!(
        "not reproducible: two builds of the same sources with the same profile differ: {}; \
         look for what names a folder, a time or a random number; the copy is {}",
        different.join(", "),
        copy.display()
    );
    Err(refuse(Fault::Irreproducible, text))
}

/// Copies a workspace without its outputs and its history.
pub(crate) fn copy_sources(from: &Path, to: &Path, out_dir: &Path) -> Result<()> {
    let entries = walkdir::WalkDir::new(from).into_iter().filter_entry(|entry| {
        let skipped = ["target", ".git"].iter().any(|skip| entry.file_name() == *skip);
        !(skipped && entry.depth() == 1) && entry.path() != out_dir
    });
    for entry in entries {
        let entry = entry.context("cannot walk the sources")?;
        let path = to.join(entry.path().strip_prefix(from)?);
        let kind = entry.file_type();
        let copied = if kind.is_dir() {
            std::fs::create_dir_all(&path)
        } else if kind.is_symlink() {
            std::fs::read_link(entry.path())
                .and_then(|target| std::os::unix::fs::symlink(target, &path))
        } else {
            std::fs::copy(entry.path(), &path).map(|_bytes| ())
        };
        copied.with_context(|| format!("cannot copy to {}", path.display()))?;
    }
    Ok(())
}
