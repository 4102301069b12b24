//! The CI step `portability`: what one machine can show about others. The crates below the SSH
//! library, which alone needs another target's C compiler, are checked for macOS; the local tools are
//! built against musl, must need no loader, and must print what the usual ones print. Not a default
//! step: it fetches two standard libraries and builds half the workspace twice more.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use object::read::elf::{ElfFile64, ProgramHeader as _};
use object::{Endianness, elf};
use xshell::cmd;

use crate::atomic;
use crate::ctx::Ctx;

const APPLE: &str = "aarch64-apple-darwin";
const CHECKED: [&str; 8] = [
    "dtail-lines",
    "dtail-pprof",
    "dtail-process",
    "dtail-profile",
    "dtail-protocol",
    "dtail-query",
    "dtail-search",
    "dtail-session",
];
const MUSL: &str = "x86_64-unknown-linux-musl";
/// The local tools with something that each does to a log.
const RUN: [(&str, &[&str]); 3] = [
    ("dcat", &["--plain"]),
    ("dgrep", &["--plain", "--regex", "ERROR|WARN"]),
    (
        "dmap",
        &["--output", "csv", "--query", "select count($line) group by $line logformat generic"],
    ),
];
const LOG: &str = "INFO a\nERROR b\nWARN c\nERROR b\n";

/// Checks, builds and compares.
pub(crate) fn run(ctx: &Ctx) -> Result<()> {
    let sh = &ctx.sh;
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        eprintln!("   SKIPPED: this step is for x86_64 Linux, where {MUSL} programs run");
        return Ok(());
    }
    ctx.run(cmd!(sh, "rustup target add {APPLE} {MUSL}"), "rustup")?;
    let packages = CHECKED.iter().flat_map(|name| ["--package", name]);
    ctx.run(cmd!(sh, "cargo check --locked --target {APPLE} {packages...}"), "check-apple")?;
    let packages: Vec<&str> = RUN.iter().flat_map(|(name, _)| ["--package", name]).collect();
    let native = packages.iter();
    ctx.run(cmd!(sh, "cargo build --locked {native...}"), "build-native")?;
    ctx.run(cmd!(sh, "cargo build --locked --target {MUSL} {packages...}"), "build-musl")?;
    let log = ctx.out_dir.join("portability.log");
    atomic::write(&log, LOG.as_bytes())?;
    for (tool, args) in RUN {
        let program = |folder: &str| ctx.root.join("target").join(folder).join("debug").join(tool);
        let (native, musl) = (program(""), program(MUSL));
        ensure!(!has_loader(&musl)?, "{} is not static", musl.display());
        let (expected, printed) = (ask(ctx, &native, args, &log)?, ask(ctx, &musl, args, &log)?);
        ensure!(!expected.is_empty() && expected == printed, "{tool} on musl prints {printed:?}");
        eprintln!("   {tool}: static, prints the same {} bytes", printed.len());
    }
    Ok(())
}

fn ask(ctx: &Ctx, program: &Path, args: &[&str], log: &Path) -> Result<String> {
    let log = log.display().to_string();
    ctx.ask(program, &[&["--cfg", "none"], args, &[&log]].concat())
}

/// Whether the program names a loader, as those do that want a C library of the system.
fn has_loader(program: &PathBuf) -> Result<bool> {
    let bytes = std::fs::read(program).with_context(|| program.display().to_string())?;
    let file = ElfFile64::<Endianness>::parse(&*bytes)?;
    let kinds = file.elf_program_headers().iter().map(|header| header.p_type(file.endian()));
    Ok(kinds.into_iter().any(|kind| kind == elf::PT_INTERP))
}
