//! `--bolt`: rearranges the optimised programs after linking and keeps the result only where it is
//! surely faster, not much larger, and does the same. Whatever goes wrong with BOLT is told, and
//! the program without it stays; nothing here fails a run.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::{Cmd, cmd};

use crate::cargo::{Bin, Bins, Place, Selection};
use crate::compare::rounds::{self, Comparison, Setup};
use crate::compare::statistics::Verdict;
use crate::ctx::Ctx;
use crate::flags::Flavour;
use crate::profile::merge::Profiles;
use crate::progress::Progress;
use crate::recipe::pgo::{build_with, difference};
use crate::recipe::plan::Plan;
use crate::recipe::{dry_run, install};
use crate::report::bolt::{BoltReport, BoltTool};
use crate::toolchain::{self, Bolt, Toolchain};
use crate::workload::case::Job;
use crate::workload::{Kind, Workload, Workloads};
use crate::{atomic, digest, words};

/// How the code is laid out anew. The old text's place is used again and pages stay small:
/// otherwise a program of two megabytes grows to six.
const LAYOUT: [&str; 9] = [
    "-reorder-blocks=ext-tsp",
    "-reorder-functions=cdsort",
    "-split-functions",
    "-split-all-cold",
    "-split-eh",
    "-icf=safe",
    "-update-debug-sections",
    "--use-old-text",
    "--no-huge-pages",
];
/// What llvm-bolt says of a program that it can move functions in.
const CAN_MOVE: &str = "enabling relocation mode";

/// Tries BOLT on every program: tells what came of it, and the programs to use.
pub(crate) fn bolt(
    plan: &Plan,
    setup: &Setup<'_>,
    selection: &Selection,
    toolchain: &Toolchain,
    profiles: &Profiles,
    pgo: Bins,
) -> Result<(Bins, BoltReport)> {
    let ctx = setup.ctx;
    let bolt = match toolchain::bolt(ctx, &toolchain.compiler) {
        Ok(bolt) if !selection.target.contains("musl") => bolt,
        Ok(_) => {
            let why = "BOLT's run time does not work in a static musl program";
            return Ok((pgo, BoltReport::without(&selection.bins, why)));
        }
        Err(why) => {
            eprintln!("   BOLT is left out: {why}");
            return Ok((pgo, BoltReport::without(&selection.bins, &why)));
        }
    };
    let linked = ctx.stage("build-relocatable", || {
        let per_tool = plan.common.per_tool;
        build_with(ctx, toolchain, selection, profiles, per_tool, Flavour::Relocatable)
    });
    let linked = match linked {
        Ok(linked) => linked,
        Err(error) => {
            ctx.children.check()?;
            let why = format!("the program cannot be linked with its relocations: {error:#}");
            return Ok((pgo, BoltReport::without(&selection.bins, &why)));
        }
    };
    let mut made = ctx.stage("bolt", || rearrange_all(setup, &bolt, &linked, &pgo))?;
    weigh(ctx, &mut made, &pgo, plan.proof.bolt_growth)?;
    let comparison = compare(setup, &pgo, &made)?;
    let mut programs = pgo;
    for Made { bin, report } in &mut made {
        let (Some(bin), Some(comparison)) = (bin, &comparison) else { continue };
        decide(report, comparison);
        if report.kept {
            programs.bins.retain(|other| other.tool != bin.tool);
            programs.bins.push(bin.clone());
        }
    }
    let report = BoltReport {
        version: Some(bolt.version),
        options: LAYOUT.map(str::to_owned).to_vec(),
        tools: made.into_iter().map(|made| made.report).collect(),
        comparison,
    };
    Ok((programs, report))
}

/// A tool's rearranged program, if there is one to be measured, and what is to be said.
struct Made {
    bin: Option<Bin>,
    report: BoltTool,
}

fn rearrange_all(setup: &Setup<'_>, bolt: &Bolt, linked: &Bins, pgo: &Bins) -> Result<Vec<Made>> {
    let cases = setup.workloads.tools.iter().map(|tool| 2 * tool.cases.len() as u64).sum();
    let mut progress = Progress::new("bolt", cases);
    let mut all = Vec::new();
    for workload in &setup.workloads.tools {
        let tool = &workload.tool;
        let (linked, plain) = (linked.of(tool)?, pgo.of(tool)?);
        let made = match rearrange(setup, bolt, workload, linked, plain, &mut progress) {
            Ok(Ok(bin)) => {
                let report = BoltTool::refused(tool, "not measured");
                Made { bin: Some(bin), report }
            }
            Ok(Err(why)) => Made { bin: None, report: BoltTool::refused(tool, &why) },
            Err(error) => {
                setup.ctx.children.check()?;
                Made { bin: None, report: BoltTool::refused(tool, &format!("{error:#}")) }
            }
        };
        all.push(made);
    }
    Ok(all)
}

/// Instruments one program, trains it, lays it out anew, and shows that it still does the same; or
/// says what is wrong with it.
fn rearrange(
    setup: &Setup<'_>,
    bolt: &Bolt,
    workload: &Workload,
    linked: &Bin,
    plain: &Bin,
    progress: &mut Progress,
) -> Result<Result<Bin, String>> {
    let (ctx, tool) = (setup.ctx, &workload.tool);
    let dir = ctx.out_dir.join("bolt").join(tool);
    let raw = dir.join("raw");
    atomic::fresh_dir(&raw)?;
    let counting = dir.join(counting_name(tool));
    let told = ctx.run(instrument_command(ctx, bolt, &linked.path, &raw, &counting), "bolt")?;
    if !told.contains(CAN_MOVE) {
        return Ok(Err("it was linked without relocations, so BOLT cannot move code".to_owned()));
    }
    for case in workload.cases(Kind::Train) {
        progress.say(&format!("{tool} {}", case.name));
        let job = Job { ctx, tool, case, scene: setup.scene };
        let expected = job.run(&plain.path, None)?;
        let before = count_of(&raw)?;
        let outcome = job.run(&counting, None)?;
        let silent = || (count_of(&raw).ok() <= Some(before)).then(|| "wrote no counts".to_owned());
        let fault = outcome.fault(case);
        let fault = fault.or_else(|| outcome.effect.difference(&expected.effect)).or_else(silent);
        if let Some(fault) = fault {
            return Ok(Err(format!(
                "training case {}: BOLT's counting program {fault}",
                case.name
            )));
        }
        progress.step();
    }
    let merged = dir.join(format!("{tool}.fdata"));
    atomic::replace(&merged, |output| {
        let files = raw_files(&raw)?;
        let merger = &bolt.merger;
        ctx.run(cmd!(ctx.sh, "{merger} {files...} -o {output}"), "bolt").map(|_stdout| ())
    })?;
    let path = dir.join(tool);
    ctx.run(layout_command(ctx, bolt, &linked.path, &merged, &path), "bolt")?;
    let (sha256, bytes) = (digest::of_file(&path)?, std::fs::metadata(&path)?.len());
    let bin = Bin { tool: tool.clone(), path, sha256, bytes };
    Ok(difference(ctx, workload, setup.scene, plain, &bin, progress)?.map_or(Ok(bin), Err))
}

/// Prints the commands, for `--dry-run`.
pub(crate) fn print(ctx: &Ctx, selection: &Selection, profile: PathBuf) -> Result<()> {
    let flavour = Flavour::Relocatable(profile);
    dry_run::build(ctx, selection, &flavour)?;
    let programs = dry_run::programs(&Place::of(ctx, &flavour), selection);
    let (optimiser, merger) = ("llvm-bolt".into(), "merge-fdata".into());
    let bolt = Bolt { optimiser, merger, version: String::new() };
    for tool in &selection.bins {
        let (program, dir) = (programs.join(tool), ctx.out_dir.join("bolt").join(tool));
        let (raw, counts) = (dir.join("raw"), dir.join(format!("{tool}.fdata")));
        println!("# bolt {tool}");
        let counting =
            instrument_command(ctx, &bolt, &program, &raw, &dir.join(counting_name(tool)));
        println!("{}", words::of(&counting.into()));
        println!("# every training case with {}", dir.join(counting_name(tool)).display());
        println!("merge-fdata {}/* -o {}", raw.display(), counts.display());
        let layout = layout_command(ctx, &bolt, &program, &counts, &dir.join(tool));
        println!("{}", words::of(&layout.into()));
    }
    println!("# verify, and rounds of pgo, its copy and bolt");
    Ok(())
}

fn instrument_command<'a>(
    ctx: &'a Ctx,
    bolt: &Bolt,
    program: &Path,
    raw: &Path,
    output: &Path,
) -> Cmd<'a> {
    let (optimiser, file) = (&bolt.optimiser, raw.join("counts"));
    cmd!(
        ctx.sh,
        "{optimiser} {program} -instrument --instrumentation-file={file}
         --instrumentation-file-append-pid -o {output}"
    )
}

fn layout_command<'a>(
    ctx: &'a Ctx,
    bolt: &Bolt,
    program: &Path,
    counts: &Path,
    output: &Path,
) -> Cmd<'a> {
    let optimiser = &bolt.optimiser;
    cmd!(ctx.sh, "{optimiser} {program} -data={counts} {LAYOUT...} -o {output}")
}

/// The counting program's file, whose name must still say which tool it is.
fn counting_name(tool: &str) -> String {
    format!("{tool}.counting")
}

fn raw_files(raw: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(raw)?.collect::<std::io::Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0));
    files.sort();
    Ok(files)
}

fn count_of(raw: &Path) -> Result<usize> {
    Ok(raw_files(raw)?.len())
}

/// Compares the sizes that would be installed; what grew beyond the limit need not be measured.
fn weigh(ctx: &Ctx, made: &mut [Made], pgo: &Bins, limit: f64) -> Result<()> {
    let objcopy = install::objcopy(ctx)?;
    let stripped = |bin: &Bin| -> Result<u64> {
        let (from, to) = (&bin.path, ctx.out_dir.join("bolt/stripped"));
        ctx.run(cmd!(ctx.sh, "{objcopy} --strip-all {from} {to}"), "bolt")?;
        Ok(std::fs::metadata(&to).context("llvm-objcopy wrote nothing")?.len())
    };
    for Made { bin, report } in made {
        let Some(rearranged) = bin.as_ref() else { continue };
        let (before, after) = (stripped(pgo.of(&report.tool)?)?, stripped(rearranged)?);
        report.pgo_bytes = Some(before);
        report.bolt_bytes = Some(after);
        let growth = (after as f64 / before as f64 - 1.0) * 100.0;
        if growth > limit {
            report.why = format!("it grew by {growth:.1} %, {limit} % are allowed");
            *bin = None;
        }
    }
    Ok(())
}

/// Rounds with what is left: the PGO program, its copy, and BOLT's.
fn compare(setup: &Setup<'_>, pgo: &Bins, made: &[Made]) -> Result<Option<Comparison>> {
    let bins: Vec<Bin> = made.iter().filter_map(|made| made.bin.clone()).collect();
    if bins.is_empty() {
        return Ok(None);
    }
    let is_made = |tool: &str| bins.iter().any(|bin| bin.tool == tool);
    let tools = setup.workloads.tools.iter().filter(|workload| is_made(&workload.tool));
    let workloads = Workloads {
        tools: tools.cloned().collect(),
        inputs: setup.workloads.inputs.clone(),
        servers: setup.workloads.servers.clone(),
        digest: setup.workloads.digest.clone(),
    };
    let names = ("pgo", "bolt");
    let setup = Setup { workloads: &workloads, names, times: "hyperfine-bolt", ..*setup };
    let candidate = Bins { rustflags: Vec::new(), bins };
    let work = || rounds::compare(&setup, pgo, &candidate);
    setup.ctx.stage("compare-bolt", work).map(Some)
}

/// Keeps BOLT's program when the tool's interval is outside the margin and what the copy shows,
/// and none of its cases became slower.
fn decide(report: &mut BoltTool, comparison: &Comparison) {
    let Some(mean) = comparison.means.iter().find(|mean| mean.name == report.tool) else { return };
    report.beyond_pgo = Some(mean.candidate);
    let slower = comparison
        .cases
        .iter()
        .find(|case| case.tool == report.tool && case.verdict == Verdict::Slower);
    let (gain, low, high) = mean.candidate.gains();
    let figures = format!("{gain:+.1} % [{low:+.1}, {high:+.1}] beyond PGO");
    (report.kept, report.why) = match (Verdict::of(&mean.candidate, &mean.placebo), slower) {
        (Verdict::Faster, None) => (true, figures),
        (Verdict::Faster, Some(case)) => (false, format!("{figures}, but {} is slower", case.case)),
        (verdict, _) => (false, format!("{figures}: {}", verdict.name())),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::rounds::Mean;
    use crate::compare::statistics::Estimate;

    #[track_caller]
    fn check(low: f64, high: f64, noise: f64, kept: bool, why: &str) {
        let median = f64::midpoint(low, high);
        let candidate = Estimate { median, low, high };
        let placebo = Estimate { median: 0.0, low: -noise, high: noise };
        let mean = Mean { name: "t".to_owned(), candidate, placebo };
        let comparison = Comparison {
            seed: 1,
            rounds: 3,
            max_rounds: 3,
            hyperfine: String::new(),
            cases: Vec::new(),
            means: vec![mean],
        };
        let mut report = BoltTool::refused("t", "");
        decide(&mut report, &comparison);
        assert_eq!((report.kept, report.why.as_str()), (kept, why));
    }

    #[test]
    fn a_program_is_kept_when_its_interval_clears_the_margin() {
        check(-0.06, -0.04, 0.005, true, "+4.9 % [+3.9, +5.8] beyond PGO");
        check(-0.06, -0.04, 0.05, false, "+4.9 % [+3.9, +5.8] beyond PGO: inconclusive");
        check(-0.03, 0.001, 0.005, false, "+1.4 % [-0.1, +3.0] beyond PGO: inconclusive");
        check(-0.003, 0.001, 0.005, false, "+0.1 % [-0.1, +0.3] beyond PGO: equivalent");
        check(0.02, 0.04, 0.005, false, "-3.0 % [-4.1, -2.0] beyond PGO: slower");
    }
}
