//! `pgo`, `pgo-quick`, `pgo-generate`, `pgo-inputs`: one pipeline that goes more or less far.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::cargo::{self, Bins, Selection, Sources};
use crate::compare::rounds::{self, Comparison, Setup};
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::flags::Flavour;
use crate::lock::Lock;
use crate::profile::collect::{self, Training};
use crate::profile::manifest::{Identity, Provenance, SourceState};
use crate::profile::merge::{self, Profiles};
use crate::profile::store;
use crate::progress::Progress;
use crate::recipe::plan::{Goal, Plan, selection, with_companions};
use crate::recipe::{calibrate, dry_run, sampled};
use crate::report::machine::Machine;
use crate::report::{self, ProfileRow, Report};
use crate::toolchain::{self, Compiler, Toolchain};
use crate::workload::case::{Job, Scene};
use crate::workload::fixture::Companions;
use crate::workload::inputs;
use crate::workload::{Kind, Workloads};

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
    let baseline = ctx.artefact("build-baseline", || {
        cargo::build(ctx, &with_companions(&selection, &workloads), &Flavour::Baseline)
    })?;
    let instrumented = ctx.artefact("build-instrumented", || {
        sampled::instrumented(ctx, &selection, &workloads, data.sampled)
    })?;
    let key = collect::key(&workloads, &inputs, &baseline, &instrumented, data.iterations);
    let is_same = |old: &Training| old.key == key;
    let training = ctx.artefact_unless("train", is_same, || {
        let iterations = data.iterations;
        collect::train(ctx, &toolchain, &workloads, &inputs, &baseline, &instrumented, iterations)
    })?;
    let companions = Companions::of(&baseline);
    let scene = Scene { inputs: &inputs, servers: &workloads.servers, companions: &companions };
    sampled::cost(ctx, plan, &selection, &workloads, scene, &baseline, &instrumented)?;
    let training =
        calibrate::weighted(ctx, plan, &toolchain, &workloads, scene, &baseline, training)?;
    let profiles =
        ctx.artefact("merge", || merge::merge(ctx, &toolchain, &workloads, &training))?;
    let provenance = Provenance {
        toolchain: &toolchain,
        identity,
        source,
        workloads: &workloads,
        inputs: &inputs,
        data_size: data.data_size,
        iterations: data.iterations,
    };
    let proven = match plan.goal {
        Goal::Generate | Goal::Inputs => None,
        Goal::Full | Goal::Quick => {
            Some(prove(ctx, plan, &selection, &provenance, &baseline, &profiles)?)
        }
    };
    if plan.goal != Goal::Quick {
        ctx.stage("publish", || {
            if !provenance.source.same_bytes(&SourceState::now(ctx, &sources)?) {
                let text = "the sources changed during the run, so its profiles fit neither state; run again";
                return Err(refuse(Fault::Stale, text));
            }
            store::publish(&ctx.root.join(&plan.common.profile_dir), &profiles, &provenance)
        })?;
    }
    let Some((comparison, rows)) = proven else { return Ok(()) };
    ctx.stage("report", || write_report(ctx, plan, &provenance, rows, comparison))
}

/// Builds with the profiles, and shows that the result does the same, and how fast.
fn prove(
    ctx: &Ctx,
    plan: &Plan,
    selection: &Selection,
    provenance: &Provenance<'_>,
    baseline: &Bins,
    profiles: &Profiles,
) -> Result<(Comparison, Vec<ProfileRow>)> {
    let Provenance { toolchain, workloads, inputs, .. } = provenance;
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
    };
    let comparison = ctx.stage("compare", || rounds::compare(&setup, baseline, &pgo))?;
    Ok((comparison, report::profile_rows(profiles, baseline, &pgo)?))
}

fn write_report(
    ctx: &Ctx,
    plan: &Plan,
    provenance: &Provenance<'_>,
    profiles: Vec<ProfileRow>,
    comparison: Comparison,
) -> Result<()> {
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
        profile_use: if plan.common.per_tool { "per tool" } else { "family" },
        profiles,
        comparison,
        stages: ctx.stage_times(),
    };
    report::publish(ctx, &report)?;
    let Some(percent) = plan.gate else { return Ok(()) };
    let slower = report.comparison.regressions(percent);
    if slower.is_empty() {
        eprintln!("   nothing became slower by more than {percent} %, beyond doubt");
        return Ok(());
    }
    let text = format!("slower by more than {percent} %: {}", slower.join(", "));
    Err(refuse(Fault::Regression, text))
}

/// One build with the family's profile, or one build per tool with its own.
pub(crate) fn build_optimised(
    ctx: &Ctx,
    toolchain: &Toolchain,
    selection: &Selection,
    profiles: &Profiles,
    per_tool: bool,
) -> Result<Bins> {
    if !per_tool {
        let chosen: Vec<_> = profiles.0.iter().collect();
        let family = merge::family(ctx, toolchain, &chosen)?;
        return cargo::build(ctx, selection, &Flavour::Optimised(family));
    }
    let mut all = Bins { rustflags: Vec::new(), bins: Vec::new() };
    for profile in &profiles.0 {
        let one = Selection { bins: vec![profile.tool.clone()], ..selection.clone() };
        let built = cargo::build(ctx, &one, &Flavour::Optimised(profile.path.clone()))?;
        all.rustflags = built.rustflags;
        all.bins.extend(built.bins);
    }
    Ok(all)
}

/// The optimised programs must be other programs that do exactly the same.
fn verify(
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
                let text = format!("{tool}, case {}: {fault}", case.name);
                return Err(refuse(Fault::Regression, text));
            }
            progress.step();
        }
    }
    Ok(())
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
