//! Finds, checks and provisions what the pipeline needs beside cargo: llvm-profdata of the
//! compiler's own LLVM, hyperfine, disk space. Reports everything that is missing at once.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use xshell::cmd;

use crate::atomic;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::flags;
use crate::registered::{Found, HYPERFINE};
use crate::surroundings;

/// Three flavours of fat-LTO builds, inputs and raw profiles.
const DISK_NEEDED: u64 = 4 << 30;

/// The compiler's own words about itself (`rustc -vV`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Compiler {
    pub(crate) release: String,
    pub(crate) commit: String,
    pub(crate) host: String,
    pub(crate) llvm: String,
}

/// Everything found. Made by `preflight` only.
pub(crate) struct Toolchain {
    pub(crate) compiler: Compiler,
    pub(crate) cargo: String,
    pub(crate) profdata: PathBuf,
    /// Only when programs are to be compared.
    pub(crate) hyperfine: Option<Found>,
}

/// What a recipe needs beyond the compiler and its profile tools.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Looking into profiles.
    Profiles,
    /// Building programs.
    Builds,
    /// Building and comparing programs.
    Comparison,
}

/// Something that keeps the pipeline from running, and the command that mends it.
pub(crate) struct Problem {
    pub(crate) what: String,
    pub(crate) mend: String,
}

impl Compiler {
    /// Asks the compiler that cargo will use in the workspace.
    pub(crate) fn ask(ctx: &Ctx) -> Result<Self> {
        let unusable = |error: anyhow::Error| {
            let text =
                format!("{error:#}; install the toolchain with rustup, see https://rustup.rs");
            refuse(Fault::Toolchain, text)
        };
        let text = ctx.ask(Path::new("rustc"), &["-vV"]).map_err(unusable)?;
        Self::parse(&text).context("cannot understand `rustc -vV`").map_err(unusable)
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .map(str::to_owned)
        };
        Some(Self {
            release: field("release")?,
            commit: field("commit-hash")?,
            host: field("host")?,
            llvm: field("LLVM version")?,
        })
    }

    fn llvm_major(&self) -> &str {
        self.llvm.split('.').next().unwrap_or(&self.llvm)
    }
}

/// Checks everything, mends what needs no root (`mend`), and fails with the list of the rest.
pub(crate) fn preflight(ctx: &Ctx, need: Need, mend: bool) -> Result<Toolchain> {
    let mut problems = overriding_variables();
    problems.extend(surroundings::meddling(ctx)?);
    let compiler = Compiler::ask(ctx)?;
    let cargo = ctx.ask(Path::new("cargo"), &["-V"])?.trim().to_owned();
    eprintln!("   rustc {} (LLVM {}), {cargo}", compiler.release, compiler.llvm);
    if need != Need::Profiles {
        problems.extend(disk(&ctx.out_dir)?);
    }
    let profdata = keep(profdata(ctx, &compiler, mend), &mut problems)?;
    let hyperfine = match need {
        Need::Comparison => keep(hyperfine(ctx, mend), &mut problems)?,
        Need::Profiles | Need::Builds => None,
    };
    if let Some(profdata) = profdata
        && problems.is_empty()
    {
        return Ok(Toolchain { compiler, cargo, profdata, hyperfine });
    }
    let list: Vec<String> =
        problems.iter().map(|p| format!("\n  {}\n    mend: {}", p.what, p.mend)).collect();
    Err(refuse(Fault::Toolchain, format!("this machine is not ready:{}", list.concat())))
}

/// Sorts a look-up into what was found, what is a problem to report, and a real error.
fn keep<T>(found: Result<T, Trouble>, problems: &mut Vec<Problem>) -> Result<Option<T>> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(Trouble::Missing(problem)) => {
            problems.push(problem);
            Ok(None)
        }
        Err(Trouble::Error(error)) => Err(error),
    }
}

enum Trouble {
    Missing(Problem),
    Error(anyhow::Error),
}

fn missing<T>(what: String, mend: &str) -> Result<T, Trouble> {
    Err(Trouble::Missing(Problem { what, mend: mend.to_owned() }))
}

/// Makes sure that `cargo <subcommand>` works, adding the rustup component when it does not.
pub(crate) fn cargo_component(ctx: &Ctx, subcommand: &str, component: &str) -> Result<()> {
    if ctx.ask(Path::new("cargo"), &[subcommand, "--version"]).is_err() {
        ctx.run(cmd!(ctx.sh, "rustup component add {component}"), "rustup").map_err(|error| {
            let text = format!("cargo {subcommand} is missing: {error:#}");
            refuse(Fault::Toolchain, text)
        })?;
    }
    Ok(())
}

/// Installs OpenSSH's server where that is possible without asking anybody; without it the tests
/// that need one say so and do nothing.
pub(crate) fn openssh(ctx: &Ctx) -> Result<()> {
    let found = || in_path("sshd").is_some() || Path::new("/usr/sbin/sshd").is_file();
    if found() {
        return Ok(());
    }
    if rustix::process::geteuid().is_root() && in_path("apt-get").is_some() {
        let sh = &ctx.sh;
        let options = ["DEBIAN_FRONTEND=noninteractive"];
        for step in [
            cmd!(sh, "env {options...} apt-get update"),
            cmd!(
                sh,
                "env {options...} apt-get install --yes --no-install-recommends openssh-server"
            ),
        ] {
            if let Err(error) = ctx.run(step, "install-openssh") {
                eprintln!("   {error:#}");
                ctx.children.check()?;
            }
        }
    }
    if !found() {
        eprintln!(
            "   SKIPPED: no sshd, so nothing is tested against OpenSSH; mend as root: apt-get install openssh-server"
        );
    }
    Ok(())
}

fn overriding_variables() -> Vec<Problem> {
    // Set to nothing is set: cargo then uses an empty list of flags.
    let set = |name: &&str| std::env::var_os(name).is_some();
    let problem = |name: &str| Problem {
        what: format!("{name} is set: it would replace the flags of some flavours silently"),
        mend: format!("unset {name}"),
    };
    flags::OVERRIDING_VARIABLES.iter().filter(|name| set(name)).map(|name| problem(name)).collect()
}

fn disk(out_dir: &Path) -> Result<Option<Problem>> {
    std::fs::create_dir_all(out_dir)
        .with_context(|| format!("cannot make folder {}", out_dir.display()))?;
    let fs = rustix::fs::statvfs(out_dir).context("cannot ask for free disk space")?;
    let free = fs.f_bavail * fs.f_frsize;
    Ok((free < DISK_NEEDED).then(|| Problem {
        what: format!(
            "{} has {:.1} GB free, {:.1} GB are needed",
            out_dir.display(),
            free as f64 / 1e9,
            DISK_NEEDED as f64 / 1e9
        ),
        mend: "free some space, or use --out-dir on another disk".to_owned(),
    }))
}

/// `$LLVM_PROFDATA`, the toolchain's own, or a versioned one of the same LLVM; never an
/// unversioned stranger from PATH. Whatever is found must prove itself.
fn profdata(ctx: &Ctx, compiler: &Compiler, mend: bool) -> Result<PathBuf, Trouble> {
    let versioned = format!("llvm-profdata-{}", compiler.llvm_major());
    if let Some(path) = std::env::var_os("LLVM_PROFDATA").map(PathBuf::from) {
        return prove(ctx, path, "unset LLVM_PROFDATA, or point it to one of the compiler's LLVM");
    }
    let own = own_profdata(ctx, compiler).map_err(Trouble::Error)?;
    if !own.is_file() && mend {
        // A failure is reported below, together with everything else that is missing.
        let added = ctx.run(cmd!(ctx.sh, "rustup component add llvm-tools"), "rustup");
        if let Err(error) = added {
            eprintln!("   {error:#}");
            ctx.children.check().map_err(Trouble::Error)?;
        }
    }
    if own.is_file() {
        return prove(
            ctx,
            own,
            "rustup component remove llvm-tools && rustup component add llvm-tools",
        );
    }
    if let Some(path) = in_path(&versioned) {
        return prove(ctx, path, "rustup component add llvm-tools");
    }
    missing(
        format!("no llvm-profdata for LLVM {}", compiler.llvm_major()),
        &format!(
            "rustup component add llvm-tools (or as root: apt-get install llvm-{})",
            compiler.llvm_major()
        ),
    )
}

fn own_profdata(ctx: &Ctx, compiler: &Compiler) -> Result<PathBuf> {
    Ok(llvm_bin(ctx, compiler)?.join("llvm-profdata"))
}

/// The folder of the toolchain's own LLVM tools; it may not exist.
pub(crate) fn llvm_bin(ctx: &Ctx, compiler: &Compiler) -> Result<PathBuf> {
    let sysroot = ctx.ask(Path::new("rustc"), &["--print", "sysroot"])?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(&compiler.host).join("bin"))
}

/// Compiles a one-function program, runs it, and has `profdata` merge what it wrote: a wrong
/// LLVM is found in a second instead of after the long stages.
fn prove(ctx: &Ctx, profdata: PathBuf, mend: &str) -> Result<PathBuf, Trouble> {
    let proof = || -> Result<()> {
        let dir = ctx.out_dir.join("preflight");
        atomic::fresh_dir(&dir)?;
        let (source, program) = (dir.join("probe.rs"), dir.join("probe"));
        std::fs::write(&source, "fn main() {}\n")?;
        let flags = flags::probe(&dir);
        let mut rustc: Vec<&str> = flags.iter().map(String::as_str).collect();
        let paths = [program.to_string_lossy(), source.to_string_lossy()];
        rustc.extend(["-o", &paths[0], &paths[1]]);
        ctx.ask(Path::new("rustc"), &rustc)?;
        ctx.ask(&program, &[])?;
        let raw = glob::glob(&dir.join("*.profraw").to_string_lossy())?.flatten().next();
        let raw = raw.context("the instrumented probe wrote no raw profile")?;
        let merged = dir.join("probe.profdata");
        ctx.ask(&profdata, &["merge", "-o", &merged.to_string_lossy(), &raw.to_string_lossy()])?;
        let shown = ctx.ask(&profdata, &["show", &merged.to_string_lossy()])?;
        anyhow::ensure!(shown.contains("Total functions"), "unexpected answer: {shown}");
        // The compiler must also be able to read what was merged; it says so only in a warning.
        let flag = flags::probe_use(&merged);
        let build = [&flag, "-Dwarnings", "-o", &paths[0], &paths[1]];
        ctx.ask(Path::new("rustc"), &build)?;
        Ok(())
    };
    match proof() {
        Ok(()) => {
            eprintln!("   {} merges this compiler's profiles", profdata.display());
            Ok(profdata)
        }
        Err(error) => {
            let first = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
            missing(format!("{} cannot be used: {first}", profdata.display()), mend)
        }
    }
}

fn hyperfine(ctx: &Ctx, mend: bool) -> Result<Found, Trouble> {
    let provided = if mend { HYPERFINE.provided(ctx).map(Some) } else { Ok(HYPERFINE.found(ctx)) };
    if let Err(error) = &provided {
        eprintln!("   {error:#}");
        ctx.children.check().map_err(Trouble::Error)?;
    }
    let Ok(Some(found)) = provided else {
        return missing(HYPERFINE.missing(), &HYPERFINE.install(ctx).to_string());
    };
    eprintln!("   hyperfine {} ({})", found.version, found.path.display());
    Ok(found)
}

/// The first two numbers of `1.20.0`.
pub(crate) fn version_number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// BOLT of the compiler's LLVM.
pub(crate) struct Bolt {
    pub(crate) optimiser: PathBuf,
    pub(crate) merger: PathBuf,
    pub(crate) version: String,
}

/// Finds BOLT: `$LLVM_BOLT`, a versioned one in PATH, Debian's folder, an unversioned one in PATH.
/// Its major version must be the compiler's. The error says what is missing.
pub(crate) fn bolt(ctx: &Ctx, compiler: &Compiler) -> Result<Bolt, String> {
    let major = compiler.llvm_major();
    let mend = format!("as root: apt-get install bolt-{major}, or set LLVM_BOLT");
    let set = std::env::var_os("LLVM_BOLT").map(PathBuf::from);
    let debian = PathBuf::from(format!("/usr/lib/llvm-{major}/bin/llvm-bolt"));
    let found = set
        .or_else(|| in_path(&format!("llvm-bolt-{major}")))
        .or_else(|| Some(debian).filter(|path| path.is_file()))
        .or_else(|| in_path("llvm-bolt"));
    let Some(optimiser) = found else {
        return Err(format!("no llvm-bolt of LLVM {major} ({mend})"));
    };
    let told = ctx.ask(&optimiser, &["--version"]).map_err(|error| format!("{error:#}"))?;
    let version =
        told.split("LLVM version ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let version = version.unwrap_or("unknown").to_owned();
    if version.split('.').next() != Some(major) {
        let path = optimiser.display();
        return Err(format!("{path} is of LLVM {version}, the compiler of {major} ({mend})"));
    }
    let name = optimiser.file_name().unwrap_or_default().to_string_lossy();
    let merger = optimiser.with_file_name(name.replace("llvm-bolt", "merge-fdata"));
    if !merger.is_file() {
        return Err(format!("no {} beside llvm-bolt ({mend})", merger.display()));
    }
    Ok(Bolt { optimiser, merger, version })
}

/// The first file of that name in the folders of PATH.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustc_facts_are_read_from_its_verbose_version() {
        let text = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\ncommit-hash: 5980\n\
                    commit-date: 2026-04-14\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n\
                    LLVM version: 22.1.2\n";
        let compiler = Compiler::parse(text).unwrap();
        assert_eq!(compiler.llvm_major(), "22");
        assert_eq!(compiler.host, "x86_64-unknown-linux-gnu");
        assert!(Compiler::parse("rustc 1.95.0").is_none());
    }
}
