//! `bench run`, `save`, `compare`, `list` and `clean`: what the evaluation cases cost, and whether
//! today's programs are slower than those that were saved under a tag. Times of different days are
//! never compared: the saved programs run again, beside today's.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::atomic;
use crate::bench::history::{self, History, Saved};
use crate::cargo::{self, Bin, Bins, Sources};
use crate::cli::{BenchCases, BenchClean};
use crate::compare::rounds::{self, CaseCost, Comparison, Setup};
use crate::compare::statistics::Verdict;
use crate::ctx::Ctx;
use crate::digest;
use crate::fault::{Fault, refuse};
use crate::flags::Flavour;
use crate::lock::Lock;
use crate::profile::manifest::SourceState;
use crate::recipe::plan::{own_root, selection, with_companions};
use crate::report::machine::Machine;
use crate::report::{self, cases_table, means_table};
use crate::toolchain::{self, Compiler, Need};
use crate::workload::case::{Job, Scene};
use crate::workload::fixture::Companions;
use crate::workload::inputs::{self, Inputs};
use crate::workload::{self, Kind, Workloads};

/// Lines of an input of scale 1 and rounds, in full and with --quick.
const FULL: (u64, u32) = (300_000, 12);
const QUICK: (u64, u32) = (100_000, 5);

/// What a run of the cases is about.
pub(crate) enum Goal<'a> {
    Run,
    Save(&'a str),
    Compare(&'a str),
}

/// Runs the evaluation cases for `goal`.
pub(crate) fn cases(options: &BenchCases, goal: &Goal<'_>) -> Result<()> {
    let ctx = Ctx::new(own_root(), &options.out_dir, options.verbose, None)?;
    let _lock = Lock::take(&ctx.out_dir)?;
    let result = work(&ctx, options, goal);
    report::print_stages(&ctx);
    result
}

fn work(ctx: &Ctx, options: &BenchCases, goal: &Goal<'_>) -> Result<()> {
    let history = saved_in(ctx);
    let before = match goal {
        Goal::Compare(tag) => Some(history.load(tag)?),
        Goal::Save(tag) => history.check_free(tag).map(|()| None)?,
        Goal::Run => None,
    };
    let toolchain = ctx.stage("preflight", || toolchain::preflight(ctx, Need::Comparison, true))?;
    let (lines, rounds) = if options.quick { QUICK } else { FULL };
    let lines = options.data_size.unwrap_or(lines);
    let mut workloads = workload::load(&ctx.root, &options.tools, false)?;
    let inputs = ctx.stage("inputs", || inputs::make(ctx, &workloads, lines, None))?;
    let programs =
        ctx.stage("build", || programs(ctx, options, &workloads, &toolchain.compiler))?;
    let companions = Companions::of(&programs);
    if let Some(before) = &before {
        let servers = workloads.servers.clone();
        let scene = Scene { inputs: &inputs, servers: &servers, companions: &companions };
        ctx.stage("verify", || leave_out(ctx, &mut workloads, scene, &before.programs))?;
    }
    let rounds = options.rounds.unwrap_or(rounds);
    let setup = Setup {
        ctx,
        hyperfine: toolchain.hyperfine.as_ref().context("preflight found no hyperfine")?,
        workloads: &workloads,
        scene: Scene { inputs: &inputs, servers: &workloads.servers, companions: &companions },
        rounds,
        max_rounds: rounds,
        names: ("saved", "now"),
        times: "hyperfine",
    };
    if let Some(before) = before {
        let compared =
            ctx.stage("compare", || rounds::compare(&setup, &before.programs, &programs))?;
        return tell(ctx, &before, &compared);
    }
    let costs = ctx.stage("measure", || rounds::measure(&setup, &programs))?;
    println!("{}", history::costs(&costs).text());
    if options.profile {
        ctx.stage("profile", || profile(ctx, &workloads, &inputs, &companions, &programs))?;
    }
    let Goal::Save(tag) = goal else { return Ok(()) };
    let setting = Setting { tag, options, rounds: setup.rounds, lines };
    let folder = save(ctx, &history, &setting, &toolchain.compiler, programs, costs)?;
    eprintln!("   saved as {tag} in {}", folder.display());
    eprintln!("   compare with it: cargo xtask bench compare {tag}");
    Ok(())
}

fn saved_in(ctx: &Ctx) -> History {
    History::new(ctx.out_dir.join("saved"))
}

/// The programs of --bin-dir, or those of a build without profile flags.
fn programs(
    ctx: &Ctx,
    options: &BenchCases,
    workloads: &Workloads,
    compiler: &Compiler,
) -> Result<Bins> {
    let profile = options.cargo_profile();
    let common = crate::cli::Common {
        tools: options.tools.clone(),
        cargo_profile: Some(profile.to_owned()),
        ..crate::cli::Common::default()
    };
    let selection = with_companions(&selection(ctx, &common, workloads, compiler)?, workloads);
    let Some(folder) = &options.bin_dir else {
        return cargo::build(ctx, &selection, &Flavour::Baseline);
    };
    let folder = std::path::absolute(folder)?;
    let bin = |tool: &String| -> Result<Bin> {
        let path = folder.join(tool);
        let bytes = std::fs::metadata(&path).map_err(|error| {
            refuse(Fault::Usage, format!("--bin-dir: {}: {error}", path.display()))
        })?;
        Ok(Bin { tool: tool.clone(), sha256: digest::of_file(&path)?, bytes: bytes.len(), path })
    };
    let bins = selection.bins.iter().map(bin).collect::<Result<_>>()?;
    Ok(Bins { rustflags: Vec::new(), bins })
}

/// Leaves out the cases that the saved programs cannot do, and says so.
fn leave_out(ctx: &Ctx, workloads: &mut Workloads, scene: Scene<'_>, saved: &Bins) -> Result<()> {
    for workload in &mut workloads.tools {
        let tool = workload.tool.clone();
        let program = saved.of(&tool).ok().map(|bin| bin.path.clone());
        let mut kept = Vec::new();
        for case in workload.cases.drain(..).filter(|case| case.kind == Kind::Eval) {
            let fault = match &program {
                Some(program) => {
                    Job { ctx, tool: &tool, case: &case, scene }.run(program, None)?.fault(&case)
                }
                None => Some("was not saved".to_owned()),
            };
            match fault {
                Some(fault) => eprintln!("   left out: {tool} {}: it {fault}", case.name),
                None => kept.push(case),
            }
        }
        workload.cases = kept;
    }
    workloads.tools.retain(|workload| !workload.cases.is_empty());
    if workloads.tools.is_empty() {
        return Err(refuse(Fault::Usage, "the saved programs can do none of the cases"));
    }
    Ok(())
}

/// Prints the comparison and fails when a case has become slower.
fn tell(ctx: &Ctx, before: &Saved, compared: &Comparison) -> Result<()> {
    let path = ctx.out_dir.join(format!("compare-{}.json", before.tag));
    atomic::write_json(&path, compared)?;
    println!("{}", cases_table(compared).text());
    println!("{}", means_table(compared).text());
    let commit = before.commit.as_deref().unwrap_or("an unknown commit");
    eprintln!("baseline: {} ({commit}, {})", before.tag, before.time);
    eprintln!("figures: {}", path.display());
    let slower: Vec<String> = compared
        .cases
        .iter()
        .filter(|case| case.verdict == Verdict::Slower)
        .map(|case| format!("{} {}", case.tool, case.case))
        .collect();
    if slower.is_empty() {
        return Ok(());
    }
    Err(refuse(
        Fault::Regression,
        format!("slower than {}, beyond the placebo: {}", before.tag, slower.join(", ")),
    ))
}

/// Runs every case once more with a profile of processor and memory. A case with a server beside it
/// is left out: its programs are ended by the driver.
fn profile(
    ctx: &Ctx,
    workloads: &Workloads,
    inputs: &Inputs,
    companions: &Companions,
    programs: &Bins,
) -> Result<()> {
    let all = ctx.out_dir.join("profiles");
    atomic::fresh_dir(&all)?;
    let scene = Scene { inputs, servers: &workloads.servers, companions };
    for workload in &workloads.tools {
        let tool = &workload.tool;
        for case in workload.cases(Kind::Eval).filter(|case| !case.has_company()) {
            let folder = all.join(format!("{tool}.{}", case.name));
            let mut case = case.clone();
            let flags = ["--profile", "--profiledir"].map(str::to_owned);
            case.args.extend(flags);
            case.args.push(folder.display().to_string());
            let outcome =
                Job { ctx, tool, case: &case, scene }.run(&programs.of(tool)?.path, None)?;
            if let Some(fault) = outcome.fault(&case) {
                let text = format!("{tool}, case {}, profiled: it {fault}", case.name);
                return Err(refuse(Fault::Regression, text));
            }
        }
    }
    eprintln!("   profiles: {} (dprofile ls DIR, dprofile top FILE)", all.display());
    Ok(())
}

struct Setting<'a> {
    tag: &'a str,
    options: &'a BenchCases,
    rounds: u32,
    lines: u64,
}

fn save(
    ctx: &Ctx,
    history: &History,
    setting: &Setting<'_>,
    compiler: &Compiler,
    programs: Bins,
    cases: Vec<CaseCost>,
) -> Result<std::path::PathBuf> {
    let all = workload::load(&ctx.root, &[], false)?;
    let selection = selection(ctx, &crate::cli::Common::default(), &all, compiler)?;
    let source = SourceState::now(ctx, &Sources::read(ctx, &selection)?)?;
    let time = ctx.ask(Path::new("date"), &["-u", "+%Y-%m-%dT%H:%M:%SZ"])?;
    let built = setting.options.bin_dir.is_none();
    history.save(Saved {
        schema: Saved::SCHEMA,
        tag: setting.tag.to_owned(),
        time: time.trim().to_owned(),
        commit: source.commit,
        dirty: source.dirty,
        machine: Machine::now(),
        compiler: compiler.release.clone(),
        cargo_profile: built.then(|| setting.options.cargo_profile().to_owned()),
        data_size: setting.lines,
        rounds: setting.rounds,
        programs,
        cases,
    })
}

/// Prints what is saved.
pub(crate) fn list(out_dir: &Path) -> Result<()> {
    let all = History::new(own_root().join(out_dir).join("saved")).all()?;
    if all.is_empty() {
        eprintln!("nothing is saved; save the present state with: cargo xtask bench save TAG");
        return Ok(());
    }
    println!("{}", history::list(&all).text());
    Ok(())
}

/// Removes the named tags, or all but the newest.
pub(crate) fn clean(options: &BenchClean) -> Result<()> {
    let out_dir = own_root().join(&options.out_dir);
    let history = History::new(out_dir.join("saved"));
    let mut tags = options.tags.clone();
    if tags.is_empty() {
        let all = history.all()?;
        let old = all.len().saturating_sub(options.keep);
        tags = all.into_iter().take(old).map(|saved| saved.tag).collect();
    }
    let _lock = Lock::take(&out_dir)?;
    for tag in tags {
        history.remove(&tag)?;
        eprintln!("   removed {tag}");
    }
    Ok(())
}
