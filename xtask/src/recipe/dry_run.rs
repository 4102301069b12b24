//! `--dry-run`: the commands of every stage, from the same builders that the stages use, in a
//! form that can be pasted into a shell. What is done in Rust is a comment line.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cargo::{self, Place, Selection};
use crate::compare::rounds::{self, Setup};
use crate::ctx::Ctx;
use crate::flags::{self, Flavour};
use crate::profile::{collect, merge, profdata, store};
use crate::recipe::pgo::case_options;
use crate::recipe::plan::{Goal, Plan, selection};
use crate::toolchain::{Compiler, Hyperfine, llvm_bin};
use crate::words;
use crate::workload::case::Job;
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
    for flavour in [Flavour::Baseline, Flavour::Instrumented] {
        build(ctx, &selection, &flavour);
    }
    let profiles = train_and_merge(ctx, plan, &workloads, &inputs, &selection, &profdata)?;
    if plan.goal == Goal::Generate {
        return Ok(());
    }
    if plan.common.per_tool {
        for (tool, path) in &profiles {
            let one = Selection { bins: vec![tool.clone()], ..selection.clone() };
            build(ctx, &one, &Flavour::Optimised(path.clone()));
        }
    } else {
        let family = merge::family_path(ctx);
        let weighted: Vec<_> = profiles.iter().map(|(_, path)| (1, path.clone())).collect();
        println!("# merge (weights are computed from the counts)");
        let merge = profdata::weighted_command(ctx, &profdata, &weighted, &family);
        println!("{}", words::of(&merge.into()));
        build(ctx, &selection, &Flavour::Optimised(family));
    }
    println!("# verify: every case with both programs; compare: {} rounds of", plan.rounds);
    let hyperfine = Hyperfine { path: "hyperfine".into(), version: String::new() };
    let case_options = case_options(ctx, plan);
    let (rounds, workloads, inputs) = (plan.rounds, &workloads, &inputs);
    let setup = Setup { ctx, hyperfine: &hyperfine, workloads, inputs, rounds, case_options };
    for line in rounds::first_round(&setup)? {
        println!("{line}");
    }
    Ok(())
}

/// Prints one build with the file that holds its flags.
pub(crate) fn build(ctx: &Ctx, selection: &Selection, flavour: &Flavour) {
    let place = Place::of(ctx, flavour);
    println!("# build-{}, with this in {}:", flavour.name(), place.config().display());
    for line in flags::config_file(&flavour.rustflags(place.stray()), place.build_dir()).lines() {
        println!("#   {line}");
    }
    println!("{}", words::of(&cargo::command(ctx, selection, &place).into()));
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
    let place = Place::of(ctx, &Flavour::Instrumented);
    let programs = place.target_dir().join(&selection.target).join(&selection.cargo_profile);
    let raw_dir = collect::raw_dir(ctx);
    let folder = ctx.out_dir.join("profiles");
    let mut profiles = Vec::new();
    for workload in &workloads.tools {
        let tool = &workload.tool;
        println!("# train and merge {tool} ({} iterations of)", plan.data.iterations);
        let mut merged = Vec::new();
        for case in workload.cases(Kind::Train) {
            let job = Job { ctx, tool, case, inputs };
            let name = format!("{tool}.{}.1", case.name);
            let pattern = flags::raw_profile_pattern(&raw_dir, &name);
            let stdin = job.stdin()?.map(|path| format!(" < {}", path.display()));
            let command = job.command(&programs.join(tool), Some(&pattern))?;
            println!("{}{}", words::of(&command.into()), stdin.unwrap_or_default());
            let raw = raw_dir.join(format!("{name}.*.profraw"));
            let output = folder.join("cases").join(format!("{tool}.{}.profdata", case.name));
            let merge = profdata::merge_command(ctx, profdata, &[], &output);
            // The pattern stays unquoted: the shell finds the files.
            println!("{} {}", words::of(&merge.into()), raw.display());
            merged.push((1, output));
        }
        let path = folder.join(format!("{tool}.profdata"));
        println!("# (weights are computed from the counts)");
        let merge = profdata::weighted_command(ctx, profdata, &merged, &path);
        println!("{}", words::of(&merge.into()));
        let profile_dir = ctx.root.join(&plan.common.profile_dir);
        let (published, _) = store::paths(&profile_dir, &selection.target, tool);
        if [Goal::Full, Goal::Generate].contains(&plan.goal) {
            println!("cp {} {}", path.display(), published.display());
        }
        profiles.push((tool.clone(), path));
    }
    Ok(profiles)
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
