//! The manifest beside a profile: where it came from, and what it belongs to.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::cargo::{Selection, Sources};
use crate::ctx::Ctx;
use crate::profile::merge::{CaseProfile, Hot, Profile};
use crate::toolchain::{Compiler, Toolchain};
use crate::workload::Workloads;
use crate::workload::inputs::Inputs;
use crate::{digest, flags};

/// The manifest's layout; raised when a field changes its meaning.
const SCHEMA: u32 = 1;

/// What a build must share with a profile for the profile to apply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) compiler: Compiler,
    pub(crate) target: String,
    pub(crate) cargo_profile: String,
    /// The settings of that profile, as written in Cargo.toml.
    pub(crate) settings: toml::Table,
    pub(crate) rustflags: Vec<String>,
    pub(crate) packages: Vec<String>,
}

/// The sources a profile was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SourceState {
    pub(crate) sources_sha256: String,
    pub(crate) lock_sha256: String,
    /// The commit, when the workspace is a git checkout.
    pub(crate) commit: Option<String>,
    /// Whether tracked files differed from that commit.
    pub(crate) dirty: bool,
}

/// One tool's manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) schema: u32,
    pub(crate) tool: String,
    pub(crate) profile_sha256: String,
    /// In a program: the digest of the profile it was built with, which is the family's unless
    /// it was built with `--per-tool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) built_with: Option<String>,
    /// In a program: whether BOLT has rearranged it, when that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bolt: Option<BoltNote>,
    pub(crate) identity: Identity,
    pub(crate) cargo: String,
    pub(crate) source: SourceState,
    pub(crate) workloads_sha256: String,
    pub(crate) data_size: u64,
    pub(crate) iterations: u32,
    /// Input name → seed; none for a corpus, whose content is nobody else's business.
    pub(crate) seeds: BTreeMap<String, Option<u64>>,
    pub(crate) functions: usize,
    pub(crate) counted: usize,
    pub(crate) total: u64,
    pub(crate) cases: Vec<CaseProfile>,
    pub(crate) hot: Vec<Hot>,
}

/// What BOLT did to a program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BoltNote {
    pub(crate) kept: bool,
    /// Why BOLT's program was kept or not.
    pub(crate) why: String,
    /// What llvm-bolt calls its version; none when there was no usable one.
    pub(crate) version: Option<String>,
}

/// What a manifest says beyond the profile itself.
pub(crate) struct Provenance<'a> {
    pub(crate) toolchain: &'a Toolchain,
    pub(crate) identity: Identity,
    pub(crate) source: SourceState,
    pub(crate) workloads: &'a Workloads,
    pub(crate) inputs: &'a Inputs,
    pub(crate) data_size: u64,
    pub(crate) iterations: u32,
}

impl Identity {
    /// The identity of a build that would be made now.
    pub(crate) fn now(compiler: &Compiler, selection: &Selection, sources: &Sources) -> Self {
        let mut packages = selection.packages.clone();
        packages.sort();
        Self {
            compiler: compiler.clone(),
            target: selection.target.clone(),
            cargo_profile: selection.cargo_profile.clone(),
            settings: sources.cargo_profile.clone(),
            rustflags: flags::common(),
            packages,
        }
    }

    /// What differs from `today`, in words.
    pub(crate) fn difference(&self, today: &Self) -> Option<String> {
        let (old, new) = (&self.compiler, &today.compiler);
        if old != new {
            return Some(format!(
                "it was made by rustc {} ({:.9}), this is {} ({:.9})",
                old.release, old.commit, new.release, new.commit
            ));
        }
        let parts = [
            ("target", self.target == today.target),
            ("cargo profile", self.cargo_profile == today.cargo_profile),
            ("cargo profile's settings", self.settings == today.settings),
            ("compiler flags", self.rustflags == today.rustflags),
            ("package selection", self.packages == today.packages),
        ];
        let part = parts.iter().find(|(_, same)| !same)?.0;
        Some(format!("it was made with another {part}"))
    }
}

impl SourceState {
    /// The state of the sources now.
    pub(crate) fn now(ctx: &Ctx, sources: &Sources) -> Result<Self> {
        let git = |args: &[&str]| ctx.ask(Path::new("git"), args).ok();
        let commit = git(&["rev-parse", "HEAD"]).map(|text| text.trim().to_owned());
        let status = git(&["status", "--porcelain", "--untracked-files=no"]);
        Ok(Self {
            sources_sha256: sources.digest(&ctx.root)?,
            lock_sha256: digest::of_file(&ctx.root.join("Cargo.lock"))?,
            commit,
            dirty: status.is_some_and(|text| !text.trim().is_empty()),
        })
    }

    /// Whether the programs would be built from the same bytes.
    pub(crate) fn same_bytes(&self, other: &Self) -> bool {
        self.sources_sha256 == other.sources_sha256 && self.lock_sha256 == other.lock_sha256
    }
}

impl Manifest {
    /// The manifest of a freshly merged profile.
    pub(crate) fn new(profile: &Profile, provenance: &Provenance<'_>) -> Self {
        let tool = provenance.workloads.tools.iter().find(|tool| tool.tool == profile.tool);
        let cases = tool.map(|tool| tool.cases.as_slice()).unwrap_or_default();
        let trained = profile.cases.iter().map(|case| case.training.name.as_str());
        let names: Vec<_> = trained.collect();
        let inputs =
            cases.iter().filter(|c| names.contains(&c.name.as_str())).flat_map(|c| c.inputs());
        let seed = |name: &str| provenance.inputs.0.get(name).and_then(|input| input.seed);
        let mut case_profiles = profile.cases.clone();
        for case in &mut case_profiles {
            // File names in the output folder mean nothing to a reader of the repository.
            case.training.raw.clear();
        }
        Self {
            schema: SCHEMA,
            tool: profile.tool.clone(),
            profile_sha256: profile.sha256.clone(),
            built_with: None,
            bolt: None,
            identity: provenance.identity.clone(),
            cargo: provenance.toolchain.cargo.clone(),
            source: provenance.source.clone(),
            workloads_sha256: provenance.workloads.digest.clone(),
            data_size: provenance.data_size,
            iterations: provenance.iterations,
            seeds: inputs.map(|name| (name.to_owned(), seed(name))).collect(),
            functions: profile.functions,
            counted: profile.counted,
            total: profile.total,
            cases: case_profiles,
            hot: profile.hot.clone(),
        }
    }

    /// Reads a manifest; the error says what about it is wrong.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.schema != SCHEMA {
            return Err(format!("its schema is {}, this xtask reads {SCHEMA}", manifest.schema));
        }
        Ok(manifest)
    }
}
