//! `pgo-show`: what is inside a stored profile, any profile file, or an installed program.

use std::path::Path;

use anyhow::Result;

use crate::cli;
use crate::ctx::Ctx;
use crate::digest;
use crate::fault::{Fault, refuse};
use crate::profile::facts::{Facts, demangle};
use crate::profile::manifest::{Manifest, SourceState};
use crate::profile::{profdata, store};
use crate::recipe::install;
use crate::recipe::plan::own_root;
use crate::report::table::Table;
use crate::toolchain::{self, Compiler, Need};

/// Shows `what`; a profile that must not be used is refused with its exit code.
pub(crate) fn show(options: &cli::Show) -> Result<()> {
    let ctx = Ctx::new(own_root(), Path::new("target/pgo"), false, None)?;
    let here = std::path::absolute(&options.what)?;
    // A tool's name is no path; a file is meant as it is seen from the user's folder.
    let what = if here.is_file() { &here } else { &options.what };
    if digest::starts_with(what, b"\x7fELF") {
        let bytes = install::read_manifest(&ctx, &install::objcopy(&ctx)?, what)?;
        if bytes.is_empty() {
            let text = format!(
                "{} carries no profile manifest: install-pgo did not install it",
                what.display()
            );
            return Err(refuse(Fault::Quality, text));
        }
        return show_program(&bytes, what, options.top);
    }
    if what.is_file() {
        return show_file(&ctx, what, options.top);
    }
    let target = match &options.target {
        Some(target) => target.clone(),
        None => Compiler::ask(&ctx)?.host,
    };
    let tool = what.to_string_lossy();
    let (path, manifest) = store::paths(&ctx.root.join(&options.profile_dir), &target, &tool);
    if !path.is_file() {
        return Err(refuse(
            Fault::Usage,
            format!(
                "{tool} is neither a file nor a tool with a profile ({}); make one with: cargo xtask pgo-generate {tool}",
                path.display()
            ),
        ));
    }
    let bytes = std::fs::read(&manifest)
        .map_err(|error| refuse(Fault::Quality, format!("{}: {error}", manifest.display())))?;
    show_manifest(&bytes, &manifest, options.top)
}

/// The profile of the tool that the program is called: it may be several. A tool without a profile
/// of its own was built with those of the others.
fn show_program(bytes: &[u8], program: &Path, top: usize) -> Result<()> {
    let all: Vec<serde_json::Value> = serde_json::from_slice(bytes)
        .map_err(|error| refuse(Fault::Quality, format!("{}: {error}", program.display())))?;
    let name = program.file_stem().unwrap_or_default().to_string_lossy();
    let own = all.iter().position(|manifest| manifest["tool"] == *name);
    println!("{} was built with this profile:", program.display());
    for manifest in own.map_or(&all[..], |at| &all[at..=at]) {
        show_manifest(manifest.to_string().as_bytes(), program, top)?;
    }
    Ok(())
}

fn show_manifest(bytes: &[u8], path: &Path, top: usize) -> Result<()> {
    let manifest = Manifest::parse(bytes)
        .map_err(|text| refuse(Fault::Quality, format!("{}: {text}", path.display())))?;
    let Manifest { identity, source, .. } = &manifest;
    println!("tool       {}", manifest.tool);
    println!("profile    {}", manifest.profile_sha256);
    if let Some(used) = &manifest.built_with {
        println!("built with {used}");
    }
    if let Some(bolt) = &manifest.bolt {
        let (kept, version) = (bolt.kept, bolt.version.as_deref().unwrap_or("absent"));
        println!("BOLT       {}: {} ({version})", if kept { "yes" } else { "no" }, bolt.why);
    }
    println!(
        "compiler   rustc {}, LLVM {}, {}",
        identity.compiler.release, identity.compiler.llvm, identity.target
    );
    let sources = |source: &SourceState| {
        let dirty = if source.dirty { " with local changes" } else { "" };
        format!("{}{dirty}", source.commit.as_deref().unwrap_or("sources outside git"))
    };
    let day = manifest.trained.as_deref().map(|day| format!(", {day}")).unwrap_or_default();
    match &manifest.rebased_from {
        None => println!("trained on {}{day}", sources(source)),
        Some(from) => {
            println!("trained on {}{day}", sources(&from.source));
            println!("renamed to {}", sources(source));
            let (kept, lost) = (from.kept * 100.0, from.lost_functions);
            println!("kept       {kept:.2} % of the counts, {lost} functions lost");
        }
    }
    println!("functions  {} of {} ran", manifest.counted, manifest.functions);
    println!("counts     {}\n", manifest.total);
    let mut cases =
        Table::new(&["case", "runs", "wall s", "slowdown", "functions", "counts", "weight"]);
    for case in &manifest.cases {
        let training = &case.training;
        cases.row([
            training.name.clone(),
            training.runs.to_string(),
            format!("{:.2}", training.wall_s),
            format!("{:.1} ×", training.slowdown),
            case.counted.to_string(),
            case.total.to_string(),
            case.merge_weight.to_string(),
        ]);
    }
    println!("{}", cases.text());
    let mut hot = Table::new(&["share", "function"]);
    for function in manifest.hot.iter().take(top) {
        hot.row([format!("{:.2} %", function.share * 100.0), function.function.clone()]);
    }
    println!("{}", hot.text());
    Ok(())
}

fn show_file(ctx: &Ctx, path: &Path, top: usize) -> Result<()> {
    let facts = if path.extension().is_some_and(|extension| extension == "xz") {
        store::read_packed(path)?
    } else {
        let toolchain = toolchain::preflight(ctx, Need::Profiles, true)?;
        profdata::facts(ctx, &toolchain, Fault::Quality, path)?
    };
    if let Some(fault) = facts.fault() {
        return Err(refuse(Fault::Quality, format!("{}: {fault}", path.display())));
    }
    println!("functions  {} of {} ran", facts.counted(), facts.functions.len());
    println!("counts     {}\n", facts.total());
    println!("{}", hot_table(&facts, top).text());
    Ok(())
}

fn hot_table(facts: &Facts, top: usize) -> Table {
    let total = facts.total() as f64;
    let mut table = Table::new(&["share", "function"]);
    for function in facts.hot(1.0).into_iter().take(top) {
        let share = function.count as f64 / total * 100.0;
        table.row([format!("{share:.2} %"), demangle(&function.name)]);
    }
    table
}
