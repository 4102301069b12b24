//! `profile`: runs cases of the tools while they record themselves, shows the largest functions
//! with dprofile, and says how to look further. It never trains and never measures time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::cargo::{self, Bins, Selection};
use crate::cli::{Common, Profile, ProfileRun, ProfileView};
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::flags::Flavour;
use crate::lock::Lock;
use crate::recipe::plan::{self, own_root, with_companions};
use crate::report;
use crate::toolchain::{self, Compiler, Need};
use crate::workload::case::{Job, Scene};
use crate::workload::fixture::Companions;
use crate::workload::{self, Case, Kind, Workloads, inputs};

/// The program that reads profiles.
const READER: &str = "dprofile";
/// Functions shown of each profile.
const SHOWN: &str = "5";
/// Lines of an input of scale 1.
const SMALL: u64 = 300_000;
const LARGE: u64 = 3_000_000;

/// Which cases run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// The first evaluation case of each tool.
    First,
    /// All of them.
    All,
}

/// Runs the command.
pub(crate) fn profile(command: &Profile) -> Result<()> {
    match command {
        Profile::Quick(run) => record(run, &["dcat", "dgrep", "dmap"], Choice::First, SMALL),
        Profile::Full(run) => record(run, &[], Choice::All, LARGE),
        Profile::Auto(run) => record(run, &[], Choice::First, SMALL),
        Profile::Dcat(run) => record(run, &["dcat"], Choice::All, SMALL),
        Profile::Dgrep(run) => record(run, &["dgrep"], Choice::All, SMALL),
        Profile::Dmap(run) => record(run, &["dmap"], Choice::All, SMALL),
        Profile::Dtail(run) => record(run, &["dtail"], Choice::All, SMALL),
        Profile::Dserver(run) => record(run, &["dserver"], Choice::All, SMALL),
        Profile::List { dir } => {
            look(&["ls".as_ref(), own_root().join(dir).as_os_str()], &ProfileView::default())
        }
        Profile::Analyze { file, view } => {
            look(
                &["top".as_ref(), "-n".as_ref(), "10".as_ref(), absolute(file)?.as_os_str()],
                view,
            )?;
            further(&absolute(file)?);
            Ok(())
        }
        Profile::Web { file, view } => look(&["web".as_ref(), absolute(file)?.as_os_str()], view),
        Profile::Clean { dir } => clean(&own_root().join(dir)),
    }
}

fn absolute(file: &Path) -> Result<PathBuf> {
    std::path::absolute(file).with_context(|| format!("cannot find {}", file.display()))
}

fn record(run: &ProfileRun, tools: &[&str], choice: Choice, data_size: u64) -> Result<()> {
    let ctx = Ctx::new(own_root(), &run.out_dir, run.verbose, None)?;
    let _lock = Lock::take(&ctx.out_dir)?;
    let result = record_all(&ctx, run, tools, choice, run.data_size.unwrap_or(data_size));
    report::print_stages(&ctx);
    let (reader, files) = result?;
    show(&ctx, &reader, &files)
}

/// The reader, and the profiles that were written.
fn record_all(
    ctx: &Ctx,
    run: &ProfileRun,
    tools: &[&str],
    choice: Choice,
    data_size: u64,
) -> Result<(PathBuf, Vec<PathBuf>)> {
    let wanted: Vec<String> = tools.iter().map(|tool| (*tool).to_owned()).collect();
    let mut all = workload::load(&ctx.root, &wanted, false)?;
    choose(&mut all, choice, run.case.as_deref())?;
    let toolchain = ctx.stage("preflight", || toolchain::preflight(ctx, Need::Builds, false))?;
    let selection = selection(ctx, &all, &toolchain.compiler, &run.cargo_profile)?;
    let bins = ctx.stage("build", || cargo::build(ctx, &selection, &Flavour::Baseline))?;
    let inputs = ctx.stage("inputs", || inputs::make(ctx, &all, data_size, None))?;
    let companions = Companions::of(&bins);
    let scene = Scene { inputs: &inputs, servers: &all.servers, companions: &companions };
    let folder = ctx.root.join(&run.dir);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let before = profiles(&folder)?;
    ctx.stage("record", || {
        for workload in &all.tools {
            for case in &workload.cases {
                let case = recording(case, &folder);
                one(&Job { ctx, tool: &workload.tool, case: &case, scene }, &bins)?;
            }
        }
        Ok(())
    })?;
    let new: Vec<PathBuf> = profiles(&folder)?.difference(&before).cloned().collect();
    if new.is_empty() {
        let text = format!("no program wrote a profile to {}", folder.display());
        return Err(refuse(Fault::Training, text));
    }
    Ok((bins.of(READER)?.path.clone(), new))
}

/// Leaves the cases that are to run: what is measured, not what is trained on.
fn choose(all: &mut Workloads, choice: Choice, named: Option<&str>) -> Result<()> {
    for workload in &mut all.tools {
        workload.cases.retain(|case| match named {
            Some(name) => case.name == name,
            None => case.kind == Kind::Eval,
        });
        if choice == Choice::First {
            workload.cases.truncate(1);
        }
    }
    if let Some(name) = named
        && all.tools.iter().all(|workload| workload.cases.is_empty())
    {
        return Err(refuse(Fault::Usage, format!("no case {name}; workloads/ has the names")));
    }
    Ok(())
}

/// The tools, what runs beside them, and the reader of what they record.
fn selection(
    ctx: &Ctx,
    all: &Workloads,
    compiler: &Compiler,
    cargo_profile: &str,
) -> Result<Selection> {
    let common = Common { cargo_profile: Some(cargo_profile.to_owned()), ..Common::default() };
    let mut selection = with_companions(&plan::selection(ctx, &common, all, compiler)?, all);
    selection.packages.push(READER.to_owned());
    selection.bins.push(READER.to_owned());
    Ok(selection)
}

/// The same case with the flags that make a tool record itself; before its own arguments, where
/// no `--` is yet.
fn recording(case: &Case, folder: &Path) -> Case {
    let mut case = case.clone();
    let folder = folder.display().to_string();
    case.args.splice(0..0, ["--profile".to_owned(), "--profiledir".to_owned(), folder]);
    case
}

fn one(job: &Job<'_>, bins: &Bins) -> Result<()> {
    eprintln!("   {} {}", job.tool, job.case.name);
    let outcome = job.run(&bins.of(job.tool)?.path, None)?;
    match outcome.fault(job.case) {
        Some(fault) => {
            let text = format!("{}, case {}: the program {fault}", job.tool, job.case.name);
            Err(refuse(Fault::Training, text))
        }
        None => Ok(()),
    }
}

fn profiles(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let entries = std::fs::read_dir(folder);
    for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "prof") {
            found.insert(path);
        }
    }
    Ok(found)
}

/// Prints the largest functions of the newest profile of each tool and kind.
fn show(ctx: &Ctx, reader: &Path, files: &[PathBuf]) -> Result<()> {
    let sh = &ctx.sh;
    let newest = newest(files);
    for (kind, file) in &newest {
        // What is still in use when a program ends is little; what it allocated tells more.
        let sample: &[&str] =
            if kind.ends_with("_alloc") { &["--sample", "alloc_space"] } else { &[] };
        let text = cmd!(sh, "{reader} top -n {SHOWN} {sample...} {file}").quiet().read()?;
        println!("{text}\n");
    }
    println!("{} profiles were written. To look further:", files.len());
    if let Some((_, file)) = newest.first() {
        further(file);
    }
    Ok(())
}

fn further(file: &Path) {
    let file = file.display();
    println!("  cargo xtask profile web {file}");
    println!("  dprofile top --cum -n 40 {file}");
    println!("  dprofile list REGEX {file}");
    println!("  dprofile peek REGEX {file}");
    println!("  dprofile flame {file} -o flame.svg");
    println!("  dprofile diff BEFORE {file}");
}

/// The newest file of each tool and kind, such as `dgrep_cpu`.
fn newest(files: &[PathBuf]) -> Vec<(String, &PathBuf)> {
    let mut dated: Vec<_> = files.iter().map(|file| (modified(file), file)).collect();
    dated.sort();
    let mut newest: Vec<(String, &PathBuf)> = Vec::new();
    for (_, file) in dated.into_iter().rev() {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let kind: Vec<&str> = name.split('_').take(2).collect();
        let kind = kind.join("_");
        if !newest.iter().any(|(known, _)| *known == kind) {
            newest.push((kind, file));
        }
    }
    newest.sort();
    newest
}

fn modified(file: &Path) -> SystemTime {
    let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified());
    modified.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Builds dprofile and runs it with this terminal.
fn look(arguments: &[&std::ffi::OsStr], view: &ProfileView) -> Result<()> {
    let ctx = Ctx::new(own_root(), &view.out_dir, false, None)?;
    let reader = {
        let _lock = Lock::take(&ctx.out_dir)?;
        let toolchain = toolchain::preflight(&ctx, Need::Builds, false)?;
        let selection = Selection {
            packages: vec![READER.to_owned()],
            bins: vec![READER.to_owned()],
            multicall: BTreeMap::new(),
            target: toolchain.compiler.host.clone(),
            cargo_profile: view.cargo_profile.clone(),
        };
        cargo::build(&ctx, &selection, &Flavour::Baseline)?.of(READER)?.path.clone()
    };
    let sh = &ctx.sh;
    cmd!(sh, "{reader} {arguments...}").quiet().run().context("dprofile failed")
}

/// Removes the profiles of a folder, and the folder when nothing else is in it.
fn clean(folder: &Path) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let files = profiles(folder)?;
    for file in &files {
        std::fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    // It stays when somebody keeps something else there.
    let _gone = std::fs::remove_dir(folder).is_ok();
    eprintln!("   removed {} profiles of {}", files.len(), folder.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn a_case_records_itself_and_stays_what_it_is() {
        let all = workload::load(own_root(), &["dgrep".to_owned()], false).unwrap();
        let case = &all.tools[0].cases[0];
        let recorded = recording(case, Path::new("/p"));
        assert_eq!(recorded.args[..3], ["--profile", "--profiledir", "/p"]);
        assert_eq!(recorded.args[3..], case.args);
    }

    #[test]
    fn what_is_measured_is_recorded() {
        let tools = ["dcat".to_owned(), "dmap".to_owned()];
        let mut all = workload::load(own_root(), &tools, false).unwrap();
        choose(&mut all, Choice::First, None).unwrap();
        assert!(all.tools.iter().all(|it| it.cases.len() == 1 && it.cases[0].kind == Kind::Eval));
        let refusal = choose(&mut all, Choice::All, Some("nope")).unwrap_err();
        assert_eq!(refusal.to_string(), "no case nope; workloads/ has the names");
    }

    #[test]
    fn only_profiles_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["dcat_cpu_1.prof", "dcat_cpu_2.prof", "dcat_mem_1.prof"] {
            std::fs::write(path(name), "").unwrap();
        }
        let files: Vec<PathBuf> = profiles(folder.path()).unwrap().into_iter().collect();
        let kinds: Vec<String> = newest(&files).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["dcat_cpu", "dcat_mem"]);
        std::fs::write(path("notes.txt"), "").unwrap();
        clean(folder.path()).unwrap();
        assert!(path("notes.txt").exists() && !path("dcat_cpu_1.prof").exists());
        std::fs::remove_file(path("notes.txt")).unwrap();
        clean(folder.path()).unwrap();
        assert!(!folder.path().exists());
    }
}
