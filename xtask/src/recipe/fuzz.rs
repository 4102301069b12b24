//! `fuzz`: runs the targets of `tools/fuzz`, which are a workspace of their own, with cargo-fuzz.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use xshell::cmd;

use crate::cli;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::recipe::plan::own_root;
use crate::registered::CARGO_FUZZ;
use crate::{report, words};

const FOLDER: &str = "tools/fuzz";
const OUTPUT: &str = "target/fuzz";

/// Runs each target for the given time; the first input that breaks one fails the recipe.
pub(crate) fn fuzz(options: &cli::Fuzz) -> Result<()> {
    let ctx = Ctx::new(own_root(), Path::new(OUTPUT), true, None)?;
    let result = run(&ctx, options);
    report::print_stages(&ctx);
    result
}

fn run(ctx: &Ctx, options: &cli::Fuzz) -> Result<()> {
    let known = targets(&ctx.root.join(FOLDER))?;
    if let Some(unknown) = options.targets.iter().find(|target| !known.contains(target)) {
        let text = format!("no fuzz target {unknown}; {FOLDER} has {}", known.join(", "));
        return Err(refuse(Fault::Usage, text));
    }
    let program = ctx.stage("cargo-fuzz", || CARGO_FUZZ.provided(ctx))?.path;
    let chosen = if options.targets.is_empty() { &known } else { &options.targets };
    for target in chosen {
        ctx.stage(target, || one(ctx, &program, target, options.seconds))?;
    }
    Ok(())
}

/// The targets are the files of one folder, as cargo-fuzz lays them out.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let place = folder.join("fuzz_targets");
    let missing = |error: std::io::Error| {
        refuse(Fault::Usage, format!("no fuzz targets in {}: {error}", place.display()))
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&place).map_err(missing)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(stem) = path.file_stem()
        {
            names.push(stem.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Runs one target. libFuzzer needs the compiler's unstable sanitizer flags, which the pinned
/// toolchain gives to whoever says so.
fn one(ctx: &Ctx, program: &Path, target: &str, seconds: u64) -> Result<()> {
    let output = ctx.root.join(OUTPUT);
    let corpus = output.join("corpus").join(target);
    let artifacts = output.join("artifacts").join(target);
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&artifacts)?;
    // libFuzzer wants the slash.
    let prefix = format!("-artifact_prefix={}/", artifacts.display());
    let limit = format!("-max_total_time={seconds}");
    let seeds = ctx.root.join(FOLDER).join("corpus").join(target);
    let seeds: Vec<_> = seeds.is_dir().then_some(seeds).into_iter().collect();
    let folder = ctx.root.join(FOLDER);
    let command = cmd!(
        ctx.sh,
        "env RUSTC_BOOTSTRAP=1 {program} run --fuzz-dir {folder} --target-dir {output} {target} {corpus} {seeds...} -- {limit} {prefix} -timeout=10 -rss_limit_mb=2048"
    );
    let command = Command::from(command);
    eprintln!("   $ {}", words::of(&command));
    let (finished, _stdout) = ctx.run_any(command, &format!("fuzz-{target}"))?;
    if finished.code == 0 {
        return Ok(());
    }
    let found = std::fs::read_dir(&artifacts)?.flatten().next();
    Err(match found {
        Some(found) => anyhow::anyhow!(
            "{target} broke on {}; the whole story is in target/fuzz/logs/fuzz-{target}.log",
            found.path().display()
        ),
        None => refuse(
            Fault::Toolchain,
            format!("{target} could not run; see target/fuzz/logs/fuzz-{target}.log"),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_files_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let error = targets(dir.path()).unwrap_err();
        assert_eq!(crate::fault::exit_code(&error), 2);
        std::fs::create_dir(dir.path().join("fuzz_targets")).unwrap();
        for name in ["legacy.rs", "frame.rs", "notes.md"] {
            std::fs::write(dir.path().join("fuzz_targets").join(name), "").unwrap();
        }
        assert_eq!(targets(dir.path()).unwrap(), ["frame", "legacy"]);
    }
}
