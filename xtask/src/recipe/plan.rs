//! From what was typed to what a pipeline needs: presets, folders, the selection of packages.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::cargo::Selection;
use crate::cli::proof::Proof;
use crate::cli::{Common, Pipeline};
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::profile::manifest::{Identity, SourceState};
use crate::recipe::calibrate;
use crate::toolchain::{Compiler, Need};
use crate::workload::{self, Workloads};
use crate::{atomic, digest};

/// How far the pipeline goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Full,
    Quick,
    Generate,
    Matrix,
    Inputs,
}

/// A pipeline run, every choice made.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) goal: Goal,
    pub(crate) common: Common,
    pub(crate) root: PathBuf,
    pub(crate) out_dir: PathBuf,
    pub(crate) rounds: u32,
    pub(crate) max_rounds: u32,
    pub(crate) gate: Option<f64>,
    pub(crate) accept_drop: bool,
    pub(crate) data: Data,
    pub(crate) from: Option<String>,
    pub(crate) proof: Proof,
    /// A CPU profile of production that the training is weighted by.
    pub(crate) from_pprof: Option<String>,
}

/// The choices that decide what the stages make. `--from` needs them unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Data {
    tools: Vec<String>,
    target: Option<String>,
    cargo_profile: Option<String>,
    per_tool: bool,
    pub(crate) iterations: u32,
    pub(crate) data_size: u64,
    pub(crate) corpus: Option<String>,
    /// Programs that count in bursts are trained with.
    #[serde(default)]
    pub(crate) sampled: bool,
    /// The digest of sources, compiler, settings and workloads; filled in by `remember`.
    #[serde(default)]
    fingerprint: String,
}

/// The folder of the workspace this xtask belongs to.
pub(crate) fn own_root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

impl Common {
    /// The folder of the workspace to work on.
    pub(crate) fn root(&self) -> PathBuf {
        self.workspace.clone().unwrap_or_else(|| own_root().to_owned())
    }

    /// The handles of a command whose outputs go to the usual folder.
    pub(crate) fn ctx(&self) -> Result<Ctx> {
        let out_dir = self.out_dir.clone().unwrap_or_else(|| "target/pgo".into());
        Ctx::new(&self.root(), &out_dir, self.verbose, None)
    }
}

impl Plan {
    /// Fills in the presets of `goal` where nothing was typed.
    pub(crate) fn new(options: &Pipeline, goal: Goal) -> Result<Self> {
        let quick = goal == Goal::Quick;
        let mut common = options.common.clone();
        if quick && common.cargo_profile.is_none() {
            common.cargo_profile = Some("dist-quick".to_owned());
        }
        if common.per_tool && goal == Goal::Generate {
            let text =
                "pgo-generate always keeps one profile per tool; --per-tool belongs to builds";
            return Err(refuse(Fault::Usage, text));
        }
        if common.per_tool && goal == Goal::Matrix {
            let text = "pgo-matrix tries the family's profile and those of all tools; leave --per-tool out";
            return Err(refuse(Fault::Usage, text));
        }
        let proves = options.proof.repro || options.proof.bolt || options.proof.counts;
        if proves && ![Goal::Full, Goal::Quick].contains(&goal) {
            let text = "--repro, --counts and --bolt belong to pgo and pgo-quick";
            return Err(refuse(Fault::Usage, text));
        }
        let default_dir = if quick { "target/pgo-quick" } else { "target/pgo" };
        let mut tools = common.tools.clone();
        tools.sort();
        tools.dedup();
        let rounds = options.rounds.unwrap_or(if quick { 8 } else { 20 });
        Ok(Self {
            goal,
            root: common.root(),
            out_dir: common.out_dir.clone().unwrap_or_else(|| default_dir.into()),
            rounds,
            max_rounds: options.max_rounds.unwrap_or(rounds).max(rounds),
            gate: options.gate,
            accept_drop: options.accept_drop,
            data: Data {
                tools,
                target: common.target.clone(),
                cargo_profile: common.cargo_profile.clone(),
                per_tool: common.per_tool,
                iterations: options.iterations.unwrap_or(if quick { 1 } else { 3 }),
                data_size: options.data_size.unwrap_or(if quick { 100_000 } else { 300_000 }),
                corpus: options.corpus.as_deref().map(absolute_pattern).transpose()?,
                sampled: options.sampled,
                fingerprint: String::new(),
            },
            from: options.from.clone(),
            proof: options.proof.clone(),
            from_pprof: options.from_pprof.clone(),
            common,
        })
    }

    /// What the goal needs of the machine.
    pub(crate) fn need(&self) -> Need {
        match self.goal {
            Goal::Full | Goal::Quick if self.proof.repro => Need::Builds,
            Goal::Full | Goal::Quick | Goal::Matrix => Need::Comparison,
            Goal::Generate | Goal::Inputs => Need::Builds,
        }
    }

    /// The context of this run.
    pub(crate) fn ctx(&self) -> Result<Ctx> {
        Ctx::new(&self.root, &self.out_dir, self.common.verbose, self.from.as_deref())
    }

    /// The workloads of the chosen tools.
    pub(crate) fn workloads(&self, ctx: &Ctx) -> Result<Workloads> {
        let all = workload::load(&ctx.root, &self.data.tools, self.data.corpus.is_some())?;
        if self.from_pprof.is_some() {
            calibrate::subject(&all)?;
        }
        Ok(all)
    }

    /// Records the choices of this run and what it works on, or, when it resumes another, refuses
    /// whatever is different: a profile must not get the provenance of other sources.
    pub(crate) fn remember(
        &self,
        ctx: &Ctx,
        identity: &Identity,
        source: &SourceState,
        workloads: &Workloads,
    ) -> Result<()> {
        let parts = (identity, &source.sources_sha256, &source.lock_sha256, &workloads.digest);
        let fingerprint = digest::of_bytes(&serde_json::to_vec(&parts)?);
        let data = Data { fingerprint, ..self.data.clone() };
        let record = ctx.out_dir.join("stages/options.json");
        if self.from.is_none() {
            ctx.forget_records("train")?;
        } else {
            let earlier = std::fs::read(&record).ok();
            let earlier: Option<Data> =
                earlier.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            if earlier.as_ref() != Some(&data) {
                return Err(refuse(
                    Fault::Usage,
                    "--from takes up a run with the same options, sources, compiler and workloads, and the last one had others; run without --from",
                ));
            }
        }
        atomic::write_json(&record, &data)
    }

    /// The command line that this plan amounts to, for the report.
    pub(crate) fn command_line(&self) -> String {
        let verb = match self.goal {
            Goal::Full => "pgo",
            Goal::Quick => "pgo-quick",
            Goal::Generate => "pgo-generate",
            Goal::Matrix => "pgo-matrix",
            Goal::Inputs => "pgo-inputs",
        };
        let mut words = vec!["cargo xtask".to_owned(), verb.to_owned()];
        words.extend(self.data.tools.iter().cloned());
        words.push(format!("--data-size {}", self.data.data_size));
        words.push(format!("--iterations {} --rounds {}", self.data.iterations, self.rounds));
        if self.max_rounds > self.rounds {
            words.push(format!("--max-rounds {}", self.max_rounds));
        }
        if self.data.per_tool {
            words.push("--per-tool".to_owned());
        }
        if self.data.sampled {
            words.push("--sampled".to_owned());
        }
        if self.from_pprof.is_some() {
            words.push("--from-pprof …".to_owned());
        }
        if self.data.corpus.is_some() {
            words.push("--corpus …".to_owned());
        }
        if self.proof.counts {
            words.push("--counts".to_owned());
        }
        if self.proof.bolt {
            words.push("--bolt".to_owned());
        }
        words.join(" ")
    }
}

/// The pattern as it is meant from here: cases run in folders of their own.
fn absolute_pattern(pattern: &str) -> Result<String> {
    Ok(std::path::absolute(pattern)?.display().to_string())
}

/// What is built for `tools`: the packages of *all* tools, so that features do not depend on the
/// choice, and the programs of the chosen ones.
pub(crate) fn selection(
    ctx: &Ctx,
    common: &Common,
    workloads: &Workloads,
    compiler: &Compiler,
) -> Result<Selection> {
    let all = workload::load(&ctx.root, &[], false)?;
    // A program that only runs beside others has no workload; its package has its name.
    let is_tool = |name: &str| all.tools.iter().any(|tool| tool.tool == name);
    let beside = all.companions().into_iter().filter(|name| !is_tool(name));
    Ok(Selection {
        packages: all.packages().into_iter().chain(beside.map(str::to_owned)).collect(),
        multicall: all.multicall(),
        bins: workloads.tools.iter().map(|tool| tool.tool.clone()).collect(),
        target: common.target.clone().unwrap_or_else(|| compiler.host.clone()),
        cargo_profile: common.cargo_profile.clone().unwrap_or_else(|| "dist".to_owned()),
    })
}

/// The same with the programs that run beside others: what the baseline build makes.
pub(crate) fn with_companions(selection: &Selection, workloads: &Workloads) -> Selection {
    let mut bins = selection.bins.clone();
    let companions = workloads.companions().into_iter().map(str::to_owned);
    bins.extend(companions.filter(|name| !selection.bins.contains(name)));
    Selection { bins, ..selection.clone() }
}
