//! Profiles as files: `<profile-dir>/<target>/<tool>.profdata` with its manifest. Publishing is
//! atomic per file; taking a profile out refuses whatever could silently build a plain program.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::profile::manifest::{Identity, Manifest, Provenance};
use crate::profile::merge::{Profile, Profiles, describe};
use crate::profile::profdata;
use crate::toolchain::Toolchain;
use crate::{atomic, digest};

/// The command that makes stored profiles anew.
const REDO: &str = "cargo xtask pgo-generate";

/// A stored profile and its manifest.
pub(crate) struct Stored {
    pub(crate) profile: Profile,
    pub(crate) manifest: Manifest,
}

/// Where a tool's profile and its manifest are kept.
pub(crate) fn paths(profile_dir: &Path, target: &str, tool: &str) -> (PathBuf, PathBuf) {
    let folder = profile_dir.join(target);
    (folder.join(format!("{tool}.profdata")), folder.join(format!("{tool}.manifest.json")))
}

/// Writes all profiles and manifests. The manifest comes second: without it a profile is refused,
/// so an interruption between the two leaves nothing that could be used by mistake.
pub(crate) fn publish(
    profile_dir: &Path,
    profiles: &Profiles,
    provenance: &Provenance<'_>,
) -> Result<()> {
    for profile in &profiles.0 {
        let target = &provenance.identity.target;
        let (path, manifest_path) = paths(profile_dir, target, &profile.tool);
        let bytes = std::fs::read(&profile.path)
            .with_context(|| format!("cannot read {}", profile.path.display()))?;
        atomic::write(&path, &bytes)?;
        atomic::write_json(&manifest_path, &Manifest::new(profile, provenance))?;
        eprintln!("   {} ({} bytes)", path.display(), bytes.len());
    }
    Ok(())
}

/// Takes `tool`'s profile out for a build of `identity`, or refuses it.
pub(crate) fn take(
    ctx: &Ctx,
    toolchain: &Toolchain,
    profile_dir: &Path,
    identity: &Identity,
    tool: &str,
) -> Result<Stored> {
    let (path, manifest_path) = paths(profile_dir, &identity.target, tool);
    if !path.is_file() {
        let text = format!("no profile {}; make it with: {REDO} {tool}", path.display());
        return Err(refuse(Fault::Stale, text));
    }
    let bad =
        |text: String| refuse(Fault::Quality, format!("{text}; make it anew with: {REDO} {tool}"));
    let bytes = std::fs::read(&manifest_path)
        .map_err(|error| bad(format!("{}: {error}", manifest_path.display())))?;
    let manifest = Manifest::parse(&bytes)
        .map_err(|error| bad(format!("{}: {error}", manifest_path.display())))?;
    let stored = profdata::facts(ctx, toolchain, Fault::Quality, &path)
        .and_then(|facts| describe(tool, path.clone(), &facts, manifest.cases.clone()))
        .map_err(|error| bad(format!("{error:#}")))?;
    if manifest.tool != tool || manifest.profile_sha256 != digest::of_file(&path)? {
        return Err(bad(format!("{} is not what its manifest describes", path.display())));
    }
    if let Some(difference) = manifest.identity.difference(identity) {
        return Err(refuse(
            Fault::Stale,
            format!("{}: {difference}; make it anew with: {REDO} {tool}", path.display()),
        ));
    }
    Ok(Stored { profile: stored, manifest })
}
