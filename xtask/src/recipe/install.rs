//! `install-pgo`: puts what `build-pgo` made where programs live, stripped, with the profile's
//! manifest inside as proof. Never needs root; replaces programs atomically.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::cli;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::lock::Lock;
use crate::recipe::build::{Built, RECORD};
use crate::ship::help::Help;
use crate::ship::installed::Installed;
use crate::ship::pages::{self, Page};
use crate::surroundings::cargo_home;
use crate::toolchain::{Compiler, llvm_bin};
use crate::{atomic, digest, words};

/// The section of an installed program that holds its profile's manifest.
pub(crate) const SECTION: &str = ".pgo_manifest";

/// Installs every program that `build-pgo` recorded, or the named ones.
pub(crate) fn install_pgo(options: &cli::Install) -> Result<()> {
    let common = &options.common;
    let ctx = common.ctx()?;
    let _lock = Lock::take(&ctx.out_dir)?;
    let built = recorded(&ctx, &common.tools)?;
    let prefix = prefix(options.prefix.as_deref())?;
    let objcopy = objcopy(&ctx)?;
    let mut installed = Installed::read(&prefix)?;
    for Built { bin, manifest } in &built {
        let to = prefix.join("bin").join(&bin.tool);
        let debug = prefix.join("lib/debug/bin").join(format!("{}.debug", bin.tool));
        let from = &bin.path;
        let section = format!("{SECTION}={}", manifest.display());
        let link = format!("--add-gnu-debuglink={}", debug.display());
        let keep_debug =
            |output: &Path| cmd!(ctx.sh, "{objcopy} --only-keep-debug {from} {output}");
        let strip = |output: &Path| {
            let options = ["--strip-all", "--add-section", &section, &link];
            cmd!(ctx.sh, "{objcopy} {options...} {from} {output}")
        };
        if common.dry_run {
            println!("{}", words::of(&keep_debug(&debug).into()));
            println!("{}", words::of(&strip(&to).into()));
            continue;
        }
        atomic::replace(&debug, |temporary| {
            ctx.run(keep_debug(temporary), "install").map(|_stdout| ())
        })?;
        atomic::replace(&to, |temporary| {
            ctx.run(strip(temporary), "install")?;
            prove(&ctx, temporary, &objcopy, manifest)
        })?;
        for path in [&debug, &to].into_iter().chain(&pages(&ctx, &prefix, &bin.tool, &to)?) {
            installed.add(path)?;
        }
        // After each program: an interruption then leaves nothing that nobody knows of.
        installed.write()?;
        eprintln!("   installed {} ({} KiB)", to.display(), std::fs::metadata(&to)?.len() / 1024);
    }
    Ok(())
}

/// Writes the man page and the completions of a program, made of its help; tells their paths.
/// Another workspace's program may have help of another form: then it gets none.
fn pages(ctx: &Ctx, prefix: &Path, tool: &str, program: &Path) -> Result<Vec<PathBuf>> {
    let help = ctx.ask(program, &["--help"]).ok();
    let Some(help) = help.as_deref().and_then(Help::parse) else {
        eprintln!("   no man page and no completions for {tool}: its --help is of another form");
        return Ok(Vec::new());
    };
    let version = ctx.ask(program, &["--version"]).unwrap_or_default();
    let version =
        version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let write = |page: Page| {
        let path = prefix.join(&page.path);
        atomic::write(&path, page.text.as_bytes()).map(|()| path)
    };
    pages::of(tool, version.unwrap_or(""), &help).into_iter().map(write).collect()
}

/// The stripped program still starts, and its manifest can be read back.
fn prove(ctx: &Ctx, program: &Path, objcopy: &Path, manifest: &Path) -> Result<()> {
    ctx.ask(program, &["--version"]).context("the stripped program does not start")?;
    let read = read_manifest(ctx, objcopy, program)?;
    anyhow::ensure!(
        read == std::fs::read(manifest)?,
        "the manifest inside {} is not the profile's",
        program.display()
    );
    Ok(())
}

/// The manifest inside an installed program; empty when it has none.
pub(crate) fn read_manifest(ctx: &Ctx, objcopy: &Path, program: &Path) -> Result<Vec<u8>> {
    let dump = ctx.out_dir.join("manifest.dump");
    atomic::write(&dump, b"")?;
    let argument = format!("{SECTION}={}", dump.display());
    let program = program.display().to_string();
    // A missing section is llvm-objcopy's error and our empty answer.
    let dumped = ctx.ask(objcopy, &["--dump-section", &argument, &program, "/dev/null"]);
    let bytes = if dumped.is_ok() { std::fs::read(&dump)? } else { Vec::new() };
    std::fs::remove_file(&dump)?;
    Ok(bytes)
}

/// llvm-objcopy of the compiler's own LLVM; binutils' strip breaks what LLVM tools wrote.
pub(crate) fn objcopy(ctx: &Ctx) -> Result<PathBuf> {
    let path = llvm_bin(ctx, &Compiler::ask(ctx)?)?.join("llvm-objcopy");
    if path.is_file() {
        return Ok(path);
    }
    let text = format!("no {}; get it with: rustup component add llvm-tools", path.display());
    Err(refuse(Fault::Toolchain, text))
}

/// What `build-pgo` made, if it still is what it made: all of it, or the `wanted` tools.
pub(crate) fn recorded(ctx: &Ctx, wanted: &[String]) -> Result<Vec<Built>> {
    let redo = "build it with: cargo xtask build-pgo";
    let record = ctx.out_dir.join(RECORD);
    let read = || -> Result<Vec<Built>> { Ok(serde_json::from_slice(&std::fs::read(&record)?)?) };
    let mut built = read().map_err(|_| {
        refuse(Fault::Usage, format!("nothing to install in {}; {redo}", ctx.out_dir.display()))
    })?;
    if let Some(unknown) = wanted.iter().find(|tool| !built.iter().any(|b| b.bin.tool == **tool)) {
        return Err(refuse(
            Fault::Usage,
            format!("{unknown} was not built with a profile; {redo} {unknown}"),
        ));
    }
    built.retain(|built| wanted.is_empty() || wanted.contains(&built.bin.tool));
    for Built { bin, .. } in &built {
        if digest::of_file(&bin.path).ok().as_deref() != Some(bin.sha256.as_str()) {
            let text = format!("{} is not what build-pgo made; {redo}", bin.path.display());
            return Err(refuse(Fault::Stale, text));
        }
    }
    Ok(built)
}

/// The folder to install below: the one that was asked for, else that of `cargo install`.
pub(crate) fn prefix(asked: Option<&Path>) -> Result<PathBuf> {
    match asked {
        Some(prefix) => Ok(std::path::absolute(prefix)?),
        None => cargo_home().ok_or_else(|| {
            refuse(Fault::Usage, "neither CARGO_HOME nor HOME is set; give --prefix DIR")
        }),
    }
}
