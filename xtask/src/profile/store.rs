//! Profiles as files: `<profile-dir>/<target>/<tool>.proftext.xz` with its manifest. Publishing is
//! atomic per file; taking a profile out refuses whatever could silently build a plain program.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::profile::facts::Facts;
use crate::profile::manifest::{Difference, Identity, Manifest, Provenance};
use crate::profile::merge::{Profile, Profiles, describe};
use crate::profile::{packed, profdata};
use crate::toolchain::Toolchain;
use crate::{atomic, digest};

/// The command that makes stored profiles anew.
const REDO: &str = "cargo xtask pgo-generate";

/// A stored profile and its manifest. Its `path` is the unpacked copy that a build can use.
pub(crate) struct Stored {
    pub(crate) profile: Profile,
    pub(crate) manifest: Manifest,
    /// The file that is stored.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) facts: Facts,
}

/// Where a tool's profile and its manifest are kept.
pub(crate) fn paths(profile_dir: &Path, target: &str, tool: &str) -> (PathBuf, PathBuf) {
    let folder = profile_dir.join(target);
    (folder.join(format!("{tool}.proftext.xz")), folder.join(format!("{tool}.manifest.json")))
}

/// Writes all profiles and manifests.
pub(crate) fn publish(
    ctx: &Ctx,
    profile_dir: &Path,
    profiles: &Profiles,
    provenance: &Provenance<'_>,
) -> Result<()> {
    for profile in &profiles.0 {
        let (text, manifest) = described(ctx, profile, provenance)?;
        write(profile_dir, &text, &manifest)?;
    }
    Ok(())
}

/// The text form of a freshly merged profile, and its manifest.
pub(crate) fn described(
    ctx: &Ctx,
    profile: &Profile,
    provenance: &Provenance<'_>,
) -> Result<(String, Manifest)> {
    let text = profdata::text(ctx, provenance.toolchain, Fault::Quality, &profile.path)?;
    let manifest = Manifest::new(profile, digest::of_bytes(text.as_bytes()), provenance);
    Ok((text, manifest.seen_from(&ctx.out_dir)))
}

/// Writes one profile. The manifest comes second: without it, or with another's, a profile is
/// refused, so an interruption between the two leaves nothing that could be used by mistake.
pub(crate) fn write(profile_dir: &Path, text: &str, manifest: &Manifest) -> Result<()> {
    let (path, manifest_path) = paths(profile_dir, &manifest.identity.target, &manifest.tool);
    let bytes = packed::pack(text.as_bytes())?;
    atomic::write(&path, &bytes)?;
    atomic::write_json(&manifest_path, manifest)?;
    eprintln!("   {} ({} KiB)", path.display(), bytes.len().div_ceil(1024));
    Ok(())
}

/// Opens `tool`'s profile, whatever it was built with; refuses what is damaged, untrained, another
/// program's or not what its manifest says.
pub(crate) fn open(
    ctx: &Ctx,
    toolchain: &Toolchain,
    profile_dir: &Path,
    target: &str,
    tool: &str,
) -> Result<Stored> {
    let (path, _) = paths(profile_dir, target, tool);
    let (text, facts, manifest) = read_text(profile_dir, target, tool)?;
    let unpacked = ctx.out_dir.join("stored").join(target).join(format!("{tool}.profdata"));
    profdata::encode(ctx, toolchain, Fault::Quality, &text, &unpacked)?;
    let profile = describe(tool, unpacked, &facts, manifest.cases.clone())?;
    Ok(Stored { profile, manifest, path, text, facts })
}

/// What is inside `tool`'s profile, with its manifest.
pub(crate) fn read(profile_dir: &Path, target: &str, tool: &str) -> Result<(Facts, Manifest)> {
    let (_text, facts, manifest) = read_text(profile_dir, target, tool)?;
    Ok((facts, manifest))
}

/// What is inside a packed profile somewhere else.
pub(crate) fn read_packed(path: &Path) -> Result<Facts> {
    let bad = |error: String| refuse(Fault::Quality, format!("{}: {error}", path.display()));
    let text = packed::unpack(&std::fs::read(path)?).map_err(|error| bad(format!("{error:#}")))?;
    Facts::parse(&text).map_err(bad)
}

fn read_text(profile_dir: &Path, target: &str, tool: &str) -> Result<(String, Facts, Manifest)> {
    let (path, manifest_path) = paths(profile_dir, target, tool);
    if !path.is_file() {
        let text = format!("no profile {}; make it with: {REDO} {tool}", path.display());
        return Err(refuse(Fault::Stale, text));
    }
    let bad =
        |text: String| refuse(Fault::Quality, format!("{text}; make it anew with: {REDO} {tool}"));
    let of_manifest = |error: String| bad(format!("{}: {error}", manifest_path.display()));
    let bytes = std::fs::read(&manifest_path).map_err(|error| of_manifest(error.to_string()))?;
    let manifest = Manifest::parse(&bytes).map_err(of_manifest)?;
    let of_profile = |error: String| bad(format!("{}: {error}", path.display()));
    let text =
        packed::unpack(&std::fs::read(&path)?).map_err(|error| of_profile(format!("{error:#}")))?;
    let facts = Facts::parse(&text).map_err(of_profile)?;
    if let Some(fault) = facts.trained_by(tool) {
        return Err(of_profile(fault));
    }
    if manifest.tool != tool || manifest.profile_sha256 != digest::of_bytes(text.as_bytes()) {
        return Err(bad(format!("{} is not what its manifest describes", path.display())));
    }
    Ok((text, facts, manifest))
}

/// Takes `tool`'s profile out for a build of `identity`, or refuses it.
pub(crate) fn take(
    ctx: &Ctx,
    toolchain: &Toolchain,
    profile_dir: &Path,
    identity: &Identity,
    tool: &str,
) -> Result<Stored> {
    let stored = open(ctx, toolchain, profile_dir, &identity.target, tool)?;
    let Some(difference) = stored.manifest.identity.difference(identity) else {
        return Ok(stored);
    };
    let mend = match difference {
        Difference::Compiler(_) | Difference::Deep(_) => {
            format!("make it anew with: {REDO} {tool}")
        }
        Difference::Names(_) => format!("rename what is in it with: cargo xtask pgo-rebase {tool}"),
    };
    let text = format!("{}: {}; {mend}", stored.path.display(), difference.text());
    Err(refuse(Fault::Stale, text))
}
