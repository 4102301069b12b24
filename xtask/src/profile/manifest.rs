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
    /// The digest of the profile's text form: what is stored, unpacked.
    pub(crate) profile_sha256: String,
    /// The day of the training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trained: Option<String>,
    /// What it was before it was given today's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rebased_from: Option<Rebased>,
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

/// Where a profile that was not trained on these sources comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rebased {
    pub(crate) profile_sha256: String,
    /// The target that it was trained on, when that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    pub(crate) source: SourceState,
    /// The cargo profile and its settings that it was trained with.
    pub(crate) cargo_profile: String,
    pub(crate) settings: toml::Table,
    /// The share of the counts that is left, 0 to 1, and how many functions were lost.
    pub(crate) kept: f64,
    pub(crate) lost_functions: usize,
}

/// How a build differs from the one that a profile was trained with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Difference {
    /// Nothing of the profile is of any use.
    Compiler(String),
    /// Control flow is another: the profile must be made anew.
    Deep(String),
    /// Only names are others, as far as the settings tell.
    Names(String),
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

    /// What differs from `today`, the worst first.
    pub(crate) fn difference(&self, today: &Self) -> Option<Difference> {
        let (old, new) = (&self.compiler, &today.compiler);
        if old != new {
            return Some(Difference::Compiler(format!(
                "it was made by rustc {} ({:.9}), this is {} ({:.9})",
                old.release, old.commit, new.release, new.commit
            )));
        }
        let another = |part: &str| format!("it was made with another {part}");
        if self.target != today.target {
            return Some(Difference::Deep(another("target")));
        }
        for key in ["panic", "codegen-units"] {
            let (old, new) = (self.all_settings(key), today.all_settings(key));
            if old != new {
                let text = format!("{key} ({}, now {})", old.join(", "), new.join(", "));
                return Some(Difference::Deep(another(&text)));
            }
        }
        let parts = [
            ("cargo profile", self.cargo_profile == today.cargo_profile),
            ("cargo profile's settings", self.settings == today.settings),
            ("compiler flags", self.rustflags == today.rustflags),
            ("package selection", self.packages == today.packages),
        ];
        let part = parts.iter().find(|(_, same)| !same)?.0;
        Some(Difference::Names(another(part)))
    }

    /// The value of `key` in the cargo profile, then those of single packages, for comparison.
    fn all_settings(&self, key: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut of_packages = BTreeMap::new();
        let mut next = Some(self.cargo_profile.as_str());
        while let Some(profile) = next.and_then(|name| self.settings.get(name)) {
            all.extend(profile.get(key).map(ToString::to_string));
            let packages = profile.get("package").and_then(toml::Value::as_table);
            for (package, settings) in packages.into_iter().flatten() {
                if let Some(value) = settings.get(key) {
                    of_packages.entry(package).or_insert_with(|| format!("{package} {value}"));
                }
            }
            next = profile.get("inherits").and_then(toml::Value::as_str);
        }
        // The nearest one counts.
        all.truncate(1);
        if all.is_empty() {
            all.push("the default".to_owned());
        }
        all.extend(of_packages.into_values());
        all
    }
}

impl Difference {
    /// The difference in words.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Compiler(text) | Self::Deep(text) | Self::Names(text) => text,
        }
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
    /// The manifest of a freshly merged profile whose text form has the digest `text_sha256`.
    pub(crate) fn new(profile: &Profile, text_sha256: String, provenance: &Provenance<'_>) -> Self {
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
            profile_sha256: text_sha256,
            trained: Some(today()),
            rebased_from: None,
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

    /// Names the files of training as seen from the output folder: other machines have others.
    pub(crate) fn seen_from(mut self, out_dir: &Path) -> Self {
        let folder = format!("{}/", out_dir.display());
        for arg in self.cases.iter_mut().flat_map(|case| &mut case.training.args) {
            *arg = arg.replace(&folder, "");
        }
        self
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

/// The day in UTC, as `2026-11-21`.
fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(settings: &str) -> Identity {
        let compiler = Compiler {
            release: "1".into(),
            commit: "c".into(),
            host: "h".into(),
            llvm: "2".into(),
        };
        Identity {
            compiler,
            target: "t".into(),
            cargo_profile: "dist".into(),
            settings: settings.parse().unwrap(),
            rustflags: vec![],
            packages: vec![],
        }
    }

    const DIST: &str = "[dist]\ninherits = \"release\"\ncodegen-units = 1\nlto = true\n";

    #[track_caller]
    fn check(before: &str, now: &str, expected: Option<&Difference>) {
        assert_eq!(identity(before).difference(&identity(now)).as_ref(), expected);
    }

    #[test]
    fn settings_that_change_control_flow_differ_deeply_and_others_in_names() {
        check(DIST, DIST, None);
        let off = DIST.replace("true", "\"off\"");
        let names = "it was made with another cargo profile's settings";
        check(DIST, &off, Some(&Difference::Names(names.to_owned())));
        let deep = |text: &str| Difference::Deep(format!("it was made with another {text}"));
        let units = DIST.replace("units = 1", "units = 16");
        check(DIST, &units, Some(&deep("codegen-units (1, now 16)")));
        let inherited = format!("{DIST}[release]\npanic = \"abort\"\n");
        check(DIST, &inherited, Some(&deep("panic (the default, now \"abort\")")));
        let package = format!("{DIST}[dist.package.a]\ncodegen-units = 4\n");
        check(DIST, &package, Some(&deep("codegen-units (1, now 1, a 4)")));
    }

    #[test]
    fn another_compiler_is_the_worst_difference() {
        let mut other = identity(DIST);
        other.compiler.commit = "d".into();
        other.target = "u".into();
        let text = "it was made by rustc 1 (c), this is 1 (d)".to_owned();
        assert_eq!(identity(DIST).difference(&other), Some(Difference::Compiler(text)));
    }
}
