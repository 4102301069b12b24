//! `pgo`, `pgo-quick`, `pgo-generate`, `pgo-inputs`: one pipeline that goes more or less far.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::cargo::{self, Bin, Bins, Selection, Sources};
use crate::compare::counts::{self, Counts};
use crate::compare::rounds::{self, Comparison, Setup};
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::flags::Flavour;
use crate::lock::Lock;
use crate::profile::collect::{self, Training};
use crate::profile::decline;
use crate::profile::manifest::{Identity, Provenance, SourceState};
use crate::profile::merge::{self, Profiles};
use crate::profile::store;
use crate::progress::Progress;
use crate::recipe::build::{self, Built};
use crate::recipe::plan::{Goal, Plan, selection, with_companions};
use crate::recipe::{bolt, calibrate, dry_run, matrix, repro, sampled};
use crate::report::bolt::BoltReport;
use crate::report::machine::Machine;
use crate::report::{self, ProfileRow, Report};
use crate::toolchain::{self, Compiler, Toolchain};
use crate::workload::case::{Job, Scene};
use crate::workload::fixture::Companions;
use crate::workload::inputs;
use crate::workload::{Kind, Workload, Workloads};
use crate::{atomic, digest};

/// Runs the pipeline and prints the stage table, also when a stage failed.
pub(crate) fn pgo(plan: &Plan) -> Result<()> {
    let ctx = plan.ctx()?;
    if plan.common.dry_run {
        return dry_run::print(&ctx, plan);
    }
    let _lock = Lock::take(&ctx.out_dir)?;
    let result = pipeline(&ctx, plan);
    report::print_stages(&ctx);
    result
}

/// What the stages up to merging give.
pub(crate) struct Trained {
    pub(crate) baseline: Bins,
    pub(crate) training: Training,
    pub(crate) profiles: Profiles,
}

/// What the optimised programs turned out to be.
struct Proven {
    /// What is to be installed: BOLT's programs where they were kept.
    programs: Bins,
    rows: Vec<ProfileRow>,
    comparison: Comparison,
    counts: Option<Counts>,
    bolt: Option<BoltReport>,
}

fn pipeline(ctx: &Ctx, plan: &Plan) -> Result<()> {
    let workloads = plan.workloads(ctx)?;
    let compiler = Compiler::ask(ctx)?;
    let selection = selection(ctx, &plan.common, &workloads, &compiler)?;
    let sources = Sources::read(ctx, &selection)?;
    let source = SourceState::now(ctx, &sources)?;
    let identity = Identity::now(&compiler, &selection, &sources);
    plan.remember(ctx, &identity, &source, &workloads)?;
    let data = &plan.data;

    let toolchain = ctx.stage("preflight", || toolchain::preflight(ctx, plan.need(), true))?;
    let inputs = ctx.artefact("inputs", || {
        inputs::make(ctx, &workloads, data.data_size, data.corpus.as_deref())
    })?;
    if plan.goal == Goal::Inputs {
        return Ok(());
    }
    let provenance = Provenance {
        toolchain: &toolchain,
        identity,
        source,
        workloads: &workloads,
        inputs: &inputs,
        data_size: data.data_size,
        iterations: data.iterations,
    };
    let trained = train(ctx, plan, &selection, &provenance)?;
    if plan.goal == Goal::Matrix {
        return matrix::matrix(ctx, plan, &selection, &provenance, &trained);
    }
    if plan.proof.repro {
        return repro::repro(ctx, plan, &selection, &provenance, &trained);
    }
    compare_with_published(ctx, plan, &trained.profiles, &provenance)?;
    let proven = match plan.goal {
        Goal::Full | Goal::Quick => Some(prove(ctx, plan, &selection, &provenance, &trained)?),
        Goal::Generate | Goal::Matrix | Goal::Inputs => None,
    };
    if plan.goal != Goal::Quick {
        ctx.stage("publish", || {
            if !provenance.source.same_bytes(&SourceState::now(ctx, &sources)?) {
                let text = "the sources changed during the run, so its profiles fit neither state; run again";
                return Err(refuse(Fault::Stale, text));
            }
            let profile_dir = ctx.root.join(&plan.common.profile_dir);
            store::publish(ctx, &profile_dir, &trained.profiles, &provenance)
        })?;
    }
    let Some(proven) = proven else { return Ok(()) };
    let built = match plan.goal {
        Goal::Full => proofs(ctx, plan, &provenance, &trained.profiles, &proven)?,
        _ => Vec::new(),
    };
    ctx.stage("report", || write_report(ctx, plan, &provenance, proven))?;
    // What did not pass its gates is not left for `install-pgo`.
    if built.is_empty() { Ok(()) } else { build::record(ctx, &workloads, built) }
}

/// Builds what is compared and what is trained, trains it and merges what it counted.
fn train(
    ctx: &Ctx,
    plan: &Plan,
    selection: &Selection,
    provenance: &Provenance<'_>,
) -> Result<Trained> {
    let Provenance { toolchain, workloads, inputs, iterations, .. } = *provenance;
    let baseline = ctx.artefact("build-baseline", || {
        cargo::build(ctx, &with_companions(selection, workloads), &Flavour::Baseline)
    })?;
    let instrumented = ctx.artefact("build-instrumented", || {
        sampled::instrumented(ctx, selection, workloads, plan.data.sampled)
    })?;
    let key = collect::key(workloads, inputs, &baseline, &instrumented, plan.data.iterations);
    let training = ctx.artefact_unless(
        "train",
        |old: &Training| old.key == key,
        || collect::train(ctx, toolchain, workloads, inputs, &baseline, &instrumented, iterations),
    )?;
    let companions = Companions::of(&baseline);
    let scene = Scene { inputs, servers: &workloads.servers, companions: &companions };
    sampled::cost(ctx, plan, selection, workloads, scene, &baseline, &instrumented)?;
    let training =
        calibrate::weighted(ctx, plan, toolchain, workloads, scene, &baseline, training)?;
    let profiles = ctx.artefact("merge", || merge::merge(ctx, toolchain, workloads, &training))?;
    Ok(Trained { baseline, training, profiles })
}

/// Refuses profiles that fell far behind those they would replace, before anything long is done
/// with them.
fn compare_with_published(
    ctx: &Ctx,
    plan: &Plan,
    profiles: &Profiles,
    provenance: &Provenance<'_>,
) -> Result<()> {
    if plan.goal == Goal::Quick {
        return Ok(());
    }
    let profile_dir = ctx.root.join(&plan.common.profile_dir);
    ctx.stage("compare-profiles", || {
        decline::check(ctx, &profile_dir, profiles, provenance, plan.accept_drop)
    })
}

/// Builds with the profiles, and shows that the result does the same, and how fast.
fn prove(
    ctx: &Ctx,
    plan: &Plan,
    selection: &Selection,
    provenance: &Provenance<'_>,
    trained: &Trained,
) -> Result<Proven> {
    let Provenance { toolchain, workloads, inputs, .. } = provenance;
    let Trained { baseline, profiles, .. } = trained;
    let pgo = ctx.artefact("build-optimised", || {
        build_optimised(ctx, toolchain, selection, profiles, plan.common.per_tool)
    })?;
    let companions = Companions::of(baseline);
    let scene = Scene { inputs, servers: &workloads.servers, companions: &companions };
    ctx.stage("verify", || verify(ctx, workloads, scene, baseline, &pgo))?;
    let setup = Setup {
        ctx,
        hyperfine: toolchain.hyperfine.as_ref().context("preflight found no hyperfine")?,
        workloads,
        scene,
        rounds: plan.rounds,
        max_rounds: plan.max_rounds,
        names: ("baseline", "pgo"),
        times: "hyperfine",
    };
    let comparison = ctx.stage("compare", || rounds::compare(&setup, baseline, &pgo))?;
    let counts = plan.proof.counts.then(|| {
        let corpus = plan.data.corpus.as_deref();
        ctx.stage("counts", || counts::count(&setup, plan.data.data_size, corpus, baseline, &pgo))
    });
    let rows = report::profile_rows(profiles, baseline, &pgo)?;
    let (programs, bolt) = match plan.proof.bolt {
        true => {
            let (programs, bolt) = bolt::bolt(plan, &setup, selection, toolchain, profiles, pgo)?;
            (programs, Some(bolt))
        }
        false => (pgo, None),
    };
    Ok(Proven { programs, rows, comparison, counts: counts.transpose()?, bolt })
}

/// The programs that this run proved, with the manifests that `install-pgo` puts into them: those
/// that were just published, and how the program was built.
fn proofs(
    ctx: &Ctx,
    plan: &Plan,
    provenance: &Provenance<'_>,
    profiles: &Profiles,
    proven: &Proven,
) -> Result<Vec<Built>> {
    let family = match plan.common.per_tool {
        true => None,
        false => Some(digest::of_file(&merge::family_path(ctx))?),
    };
    let mut built = Vec::new();
    for profile in &profiles.0 {
        let tool = &profile.tool;
        let manifest = ctx.out_dir.join("built").join(format!("{tool}.manifest.json"));
        let (_, mut proof) = store::described(ctx, profile, provenance)?;
        proof.built_with = Some(family.clone().unwrap_or_else(|| profile.sha256.clone()));
        proof.bolt = proven.bolt.as_ref().and_then(|bolt| bolt.note(tool));
        atomic::write_json(&manifest, &proof)?;
        built.push(Built { bin: proven.programs.of(tool)?.clone(), manifest });
    }
    Ok(built)
}

fn write_report(ctx: &Ctx, plan: &Plan, provenance: &Provenance<'_>, proven: Proven) -> Result<()> {
    let report = Report {
        schema: Report::SCHEMA,
        command: plan.command_line(),
        commit: provenance.source.commit.clone(),
        machine: Machine::now(),
        compiler: provenance.toolchain.compiler.clone(),
        data_size: plan.data.data_size,
        iterations: plan.data.iterations,
        corpus: plan.data.corpus.is_some(),
        cargo_profile: provenance.identity.cargo_profile.clone(),
        profile_use: if plan.common.per_tool { "per tool" } else { "family" }.to_owned(),
        profiles: proven.rows,
        comparison: proven.comparison,
        counts: proven.counts,
        bolt: proven.bolt,
        stages: ctx.stage_times(),
    };
    report::publish(ctx, &report)?;
    gate(plan.gate, plan.proof.require_clear, &report.comparison)
}

/// The verdicts that the user asked to fail on.
fn gate(percent: Option<f64>, require_clear: bool, comparison: &Comparison) -> Result<()> {
    if let Some(percent) = percent {
        let slower = comparison.regressions(percent);
        if !slower.is_empty() {
            let text = format!("slower by more than {percent} %: {}", slower.join(", "));
            return Err(refuse(Fault::Regression, text));
        }
        eprintln!("   nothing became slower by more than {percent} %, beyond doubt");
    }
    let unclear = comparison.unclear();
    if require_clear && !unclear.is_empty() {
        let text = format!(
            "inconclusive: {}; give the cases more rounds with --max-rounds, or a quieter machine",
            unclear.join(", ")
        );
        return Err(refuse(Fault::Inconclusive, text));
    }
    Ok(())
}

/// One build with the family's profile, or one build per tool with its own.
pub(crate) fn build_optimised(
    ctx: &Ctx,
    toolchain: &Toolchain,
    selection: &Selection,
    profiles: &Profiles,
    per_tool: bool,
) -> Result<Bins> {
    build_with(ctx, toolchain, selection, profiles, per_tool, Flavour::Optimised)
}

/// The same in the flavour that `flavour` makes of a profile.
pub(crate) fn build_with(
    ctx: &Ctx,
    toolchain: &Toolchain,
    selection: &Selection,
    profiles: &Profiles,
    per_tool: bool,
    flavour: fn(PathBuf) -> Flavour,
) -> Result<Bins> {
    if !per_tool {
        let chosen: Vec<_> = profiles.0.iter().collect();
        let family = merge::family(ctx, toolchain, &chosen)?;
        return cargo::build(ctx, selection, &flavour(family));
    }
    let mut all = Bins { rustflags: Vec::new(), bins: Vec::new() };
    for profile in &profiles.0 {
        let one = Selection { bins: vec![profile.tool.clone()], ..selection.clone() };
        let built = cargo::build(ctx, &one, &flavour(profile.path.clone()))?;
        all.rustflags = built.rustflags;
        all.bins.extend(built.bins);
    }
    Ok(all)
}

/// The optimised programs must be other programs that do exactly the same.
pub(crate) fn verify(
    ctx: &Ctx,
    workloads: &Workloads,
    scene: Scene<'_>,
    baseline: &Bins,
    pgo: &Bins,
) -> Result<()> {
    let count = workloads.tools.iter().map(|tool| tool.cases.len() as u64).sum();
    let mut progress = Progress::new("verify", count);
    for workload in &workloads.tools {
        let tool = &workload.tool;
        let (plain, optimised) = (baseline.of(tool)?, pgo.of(tool)?);
        if plain.sha256 == optimised.sha256 {
            return Err(refuse(
                Fault::Quality,
                format!(
                    "{tool}: the optimised program is the baseline, byte for byte: the profile did not apply"
                ),
            ));
        }
        if let Some(fault) = difference(ctx, workload, scene, plain, optimised, &mut progress)? {
            return Err(refuse(Fault::Regression, fault));
        }
    }
    Ok(())
}

/// What a program does otherwise than the one it was made from, over all cases of its tool.
pub(crate) fn difference(
    ctx: &Ctx,
    workload: &Workload,
    scene: Scene<'_>,
    plain: &Bin,
    optimised: &Bin,
    progress: &mut Progress,
) -> Result<Option<String>> {
    let tool = &workload.tool;
    for case in [Kind::Train, Kind::Eval].into_iter().flat_map(|kind| workload.cases(kind)) {
        progress.say(&format!("{tool} {}", case.name));
        let job = Job { ctx, tool, case, scene };
        let expected = job.run(&plain.path, None)?;
        let outcome = job.run(&optimised.path, None)?;
        let fault = expected
            .fault(case)
            .map(|fault| format!("the baseline program {fault}"))
            .or_else(|| Some(format!("the optimised program {}", outcome.fault(case)?)))
            .or_else(|| {
                let difference = outcome.effect.difference(&expected.effect)?;
                Some(format!("the optimised program: {difference}"))
            });
        if let Some(fault) = fault {
            return Ok(Some(format!("{tool}, case {}: {fault}", case.name)));
        }
        progress.step();
    }
    Ok(None)
}

/// What `run-case` needs to find the inputs of this run.
pub(crate) fn case_options(ctx: &Ctx, plan: &Plan) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    let mut options = vec![
        format!("--data-size={}", plan.data.data_size),
        format!("--out-dir={}", path(&ctx.out_dir)),
        format!("--workspace={}", path(&ctx.root)),
    ];
    options.extend(plan.data.corpus.as_ref().map(|corpus| format!("--corpus={corpus}")));
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::rounds::Mean;
    use crate::compare::statistics::Estimate;
    use crate::fault::exit_code;

    /// The exit code of a comparison whose only mean has this interval, in log-ratios.
    fn code(gate_percent: Option<f64>, require_clear: bool, (low, high): (f64, f64)) -> Option<u8> {
        let estimate = |low, high| Estimate { median: f64::midpoint(low, high), low, high };
        let mean = Mean {
            name: "dgrep".to_owned(),
            candidate: estimate(low, high),
            placebo: estimate(-0.002, 0.002),
        };
        let comparison = Comparison {
            seed: 1,
            rounds: 20,
            max_rounds: 20,
            hyperfine: "1".to_owned(),
            cases: Vec::new(),
            means: vec![mean],
        };
        gate(gate_percent, require_clear, &comparison).err().map(|error| exit_code(&error))
    }

    #[test]
    fn a_proven_loss_fails_the_gate_and_an_open_verdict_only_when_asked() {
        let (slower, open, faster) = ((0.04, 0.06), (-0.03, 0.04), (-0.2, -0.1));
        assert_eq!(code(Some(2.0), false, slower), Some(Fault::Regression.code()));
        assert_eq!(code(Some(10.0), false, slower), None);
        assert_eq!(code(None, true, slower), None);
        assert_eq!(code(Some(2.0), false, open), None);
        assert_eq!(code(Some(2.0), true, open), Some(Fault::Inconclusive.code()));
        assert_eq!(code(Some(2.0), true, faster), None);
    }
}
