//! `--dry-run`: the commands of every stage, from the same builders that the stages use, in a
//! form that can be pasted into a shell. What is done in Rust is a comment line.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::cmd;

use crate::cargo::{self, Place, Selection};
use crate::compare::rounds::{self, Setup};
use crate::ctx::Ctx;
use crate::flags::{self, Flavour};
use crate::profile::{collect, merge, profdata, store};
use crate::recipe::pgo::case_options;
use crate::recipe::plan::{Goal, Plan, selection, with_companions};
use crate::recipe::{bolt, matrix, repro, sampled};
use crate::registered::Found;
use crate::toolchain::{Compiler, llvm_bin};
use crate::words;
use crate::workload::case::{Job, Scene};
use crate::workload::fixture::Companions;
use crate::workload::inputs::{Input, Inputs};
use crate::workload::{Kind, Workloads};

/// Prints what `plan` would run.
pub(crate) fn print(ctx: &Ctx, plan: &Plan) -> Result<()> {
    let workloads = plan.workloads(ctx)?;
    let compiler = Compiler::ask(ctx)?;
    let selection = selection(ctx, &plan.common, &workloads, &compiler)?;
    let inputs = assumed_inputs(ctx, &workloads, plan.data.data_size)?;
    let profdata = llvm_bin(ctx, &compiler)?.join("llvm-profdata");
    println!(
        "# inputs\ncargo xtask pgo-inputs --data-size {} --out-dir {}",
        plan.data.data_size,
        ctx.out_dir.display()
    );
    for (name, input) in &inputs.0 {
        println!("# {name}: {}", input.path.display());
    }
    if plan.goal == Goal::Inputs {
        return Ok(());
    }
    build(ctx, &with_companions(&selection, &workloads), &Flavour::Baseline)?;
    build(ctx, &selection, &sampled::flavour(plan.data.sampled))?;
    let windowed = sampled::windowed_tools(&workloads);
    if !windowed.is_empty() {
        build(ctx, &Selection { bins: windowed, ..selection.clone() }, &Flavour::Windowed)?;
    }
    let profiles = train_and_merge(ctx, plan, &workloads, &inputs, &selection, &profdata)?;
    if plan.goal == Goal::Generate {
        return Ok(());
    }
    if plan.goal == Goal::Matrix {
        return rows(ctx, &selection, &profdata, &profiles);
    }
    if plan.common.per_tool {
        for (tool, path) in &profiles {
            let one = Selection { bins: vec![tool.clone()], ..selection.clone() };
            build(ctx, &one, &Flavour::Optimised(path.clone()))?;
        }
    } else {
        let family = merge::family_path(ctx);
        let paths: Vec<_> = profiles.iter().map(|(_, path)| path.clone()).collect();
        merge_weighted(ctx, &profdata, &paths, &family);
        build(ctx, &selection, &Flavour::Optimised(family))?;
    }
    if plan.proof.repro {
        let copy = repro::copy(ctx);
        println!("# copy the sources to {}, merge and build there, compare bytes", copy.display());
        return Ok(());
    }
    println!("# verify: every case with both programs; compare: {} rounds of", plan.rounds);
    let hyperfine = Found { path: "hyperfine".into(), version: String::new() };
    let (companions, servers) = (Companions::default(), &workloads.servers);
    let scene = Scene { inputs: &inputs, servers, companions: &companions };
    let (rounds, max_rounds, workloads) = (plan.rounds, plan.max_rounds, &workloads);
    let names = ("baseline", "pgo");
    let (hyperfine, times) = (&hyperfine, "hyperfine");
    let setup = Setup { ctx, hyperfine, workloads, scene, rounds, max_rounds, names, times };
    let run_case = |job: &Job<'_>, program: &Path| run_case(ctx, plan, &selection, job, program);
    for line in rounds::first_round(&setup, &run_case)? {
        println!("{line}");
    }
    if plan.proof.counts {
        println!("# the same cases under valgrind --tool=callgrind");
    }
    if plan.proof.bolt { bolt::print(ctx, &selection, merge::family_path(ctx)) } else { Ok(()) }
}

/// The builds of the transfer matrix.
fn rows(
    ctx: &Ctx,
    selection: &Selection,
    profdata: &Path,
    profiles: &[(String, PathBuf)],
) -> Result<()> {
    let family = merge::family_path(ctx);
    let paths: Vec<_> = profiles.iter().map(|(_, path)| path.clone()).collect();
    merge_weighted(ctx, profdata, &paths, &family);
    let tried = matrix::tried(ctx);
    for (name, profile) in profiles.iter().chain([&("family".to_owned(), family)]) {
        println!("# row {name}\ncp {} {}", profile.display(), tried.display());
        build(ctx, selection, &Flavour::Trial(tried.clone()))?;
    }
    println!("# rounds with all of these programs, the baseline and its copy");
    Ok(())
}

/// The command that runs a case by itself, with what runs beside it.
fn run_case(
    ctx: &Ctx,
    plan: &Plan,
    selection: &Selection,
    job: &Job<'_>,
    program: &Path,
) -> String {
    let baseline = Place::of(ctx, &Flavour::Baseline);
    let companions = programs(&baseline, selection).display().to_string();
    let program = program.display().to_string();
    let head = ["cargo", "xtask", "run-case", job.tool, &job.case.name, "--bin", &program];
    let tail = ["--companions", &companions];
    let words = head.into_iter().chain(tail).map(str::to_owned);
    words::join(words.chain(case_options(ctx, plan)))
}

/// Where the programs of one flavour are.
pub(crate) fn programs(place: &Place, selection: &Selection) -> PathBuf {
    place.target_dir().join(&selection.target).join(&selection.cargo_profile)
}

/// Prints one build with the file that holds its flags.
pub(crate) fn build(ctx: &Ctx, selection: &Selection, flavour: &Flavour) -> Result<()> {
    let place = Place::of(ctx, flavour);
    println!("# build-{}, with this in {}:", flavour.name(), place.config().display());
    for line in place.config_text(ctx, selection)?.lines() {
        println!("#   {line}");
    }
    println!("{}", words::of(&cargo::command(ctx, selection, &place).into()));
    let folder = programs(&place, selection);
    for tool in &selection.bins {
        let program = selection.program(tool);
        if program != tool {
            let (program, copy) = (folder.join(program), folder.join(tool));
            println!("{}", words::of(&cmd!(ctx.sh, "cp {program} {copy}").into()));
        }
    }
    Ok(())
}

/// Prints training and merging; tells each tool's profile.
fn train_and_merge(
    ctx: &Ctx,
    plan: &Plan,
    workloads: &Workloads,
    inputs: &Inputs,
    selection: &Selection,
    profdata: &Path,
) -> Result<Vec<(String, PathBuf)>> {
    let place = Place::of(ctx, &sampled::flavour(plan.data.sampled));
    let programs = programs(&place, selection);
    let raw_dir = collect::raw_dir(ctx);
    let (companions, servers) = (Companions::default(), &workloads.servers);
    let scene = Scene { inputs, servers, companions: &companions };
    let folder = ctx.out_dir.join("profiles");
    let mut profiles = Vec::new();
    for workload in &workloads.tools {
        let tool = &workload.tool;
        println!("# train and merge {tool} ({} iterations of)", plan.data.iterations);
        let mut merged = Vec::new();
        for case in workload.cases(Kind::Train) {
            let job = Job { ctx, tool, case, scene };
            let name = format!("{tool}.{}.1", case.name);
            let pattern = flags::raw_profile_pattern(&raw_dir, &name);
            let stdin = job.stdin()?.map(|path| format!(" < {}", path.display()));
            let program = programs.join(tool);
            if case.has_company() {
                let variable = flags::PROFILE_FILE_VARIABLE;
                let pattern = words::join([format!("{variable}={}", pattern.display())]);
                println!("env {pattern} {}", run_case(ctx, plan, selection, &job, &program));
            } else {
                let command = job.command(&program, Some(&pattern), None)?;
                println!("{}{}", words::of(&command.into()), stdin.unwrap_or_default());
            }
            let raw = raw_dir.join(format!("{name}.*.profraw"));
            let output = folder.join("cases").join(format!("{tool}.{}.profdata", case.name));
            let merge = profdata::merge_command(ctx, profdata, &[], &output);
            // The pattern stays unquoted: the shell finds the files.
            println!("{} {}", words::of(&merge.into()), raw.display());
            merged.push(output);
        }
        let path = folder.join(format!("{tool}.profdata"));
        merge_weighted(ctx, profdata, &merged, &path);
        let profile_dir = ctx.root.join(&plan.common.profile_dir);
        let (published, _) = store::paths(&profile_dir, &selection.target, tool);
        if [Goal::Full, Goal::Generate].contains(&plan.goal) {
            let text = profdata::text_command(ctx, profdata, &path);
            println!("{} | xz > {}", words::of(&text.into()), published.display());
        }
        profiles.push((tool.clone(), path));
    }
    Ok(profiles)
}

/// Prints how profiles are weighed and merged.
fn merge_weighted(ctx: &Ctx, profdata: &Path, inputs: &[PathBuf], output: &Path) {
    println!("# merge (weights are computed from the counts)");
    for path in inputs {
        let scale = profdata::scale_command(ctx, profdata, 1, path, &profdata::scaled(path));
        println!("{}", words::of(&scale.into()));
    }
    let copies: Vec<_> = inputs.iter().map(|path| profdata::scaled(path)).collect();
    let merge = profdata::merge_command(ctx, profdata, &copies, output);
    println!("{}", words::of(&merge.into()));
}

/// Where the inputs will be; a dry run makes none, and a corpus is not read.
fn assumed_inputs(ctx: &Ctx, workloads: &Workloads, data_size: u64) -> Result<Inputs> {
    let folder = ctx.out_dir.join("inputs");
    let names = workloads.tools.iter().flat_map(|tool| &tool.cases).flat_map(|case| case.inputs());
    let input = |name: &str| -> Result<(String, Input)> {
        let path = match workloads.inputs.get(name) {
            Some(recipe) => recipe.path(&folder, name, data_size)?,
            None => folder.join(format!("{name}.log")),
        };
        Ok((name.to_owned(), Input { path, sha256: String::new(), bytes: 0, seed: None }))
    };
    Ok(Inputs(names.map(input).collect::<Result<_>>()?))
}
