//! `install-pgo`: puts what `build-pgo` made where programs live, stripped, with the profile's
//! manifest inside as proof. Never needs root; replaces programs atomically.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::{Cmd, cmd};

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
    for same in same_programs(&built) {
        let install = Installing { ctx: &ctx, prefix: &prefix, objcopy: &objcopy, built: same };
        match common.dry_run {
            true => install.print(),
            false => install.install(&mut installed)?,
        }
    }
    Ok(())
}

/// What was built, in groups of the same bytes: tools of one program with one profile for all.
fn same_programs(built: &[Built]) -> Vec<Vec<&Built>> {
    let mut groups: Vec<Vec<&Built>> = Vec::new();
    for one in built {
        match groups.iter_mut().find(|group| group[0].bin.sha256 == one.bin.sha256) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

/// Tools that are one program: one file on the disk, by the name of each.
struct Installing<'a> {
    ctx: &'a Ctx,
    prefix: &'a Path,
    objcopy: &'a Path,
    /// At least one.
    built: Vec<&'a Built>,
}

impl Installing<'_> {
    fn program(&self, built: &Built) -> PathBuf {
        self.prefix.join("bin").join(&built.bin.tool)
    }

    fn debug(&self, built: &Built) -> PathBuf {
        self.prefix.join("lib/debug/bin").join(format!("{}.debug", built.bin.tool))
    }

    /// The manifests of all tools of the program, as they get into it.
    fn manifests(&self) -> PathBuf {
        self.ctx.out_dir.join("installed").join(format!("{}.json", self.built[0].bin.tool))
    }

    fn keep_debug(&self, output: &Path) -> Cmd<'_> {
        let (objcopy, from) = (self.objcopy, &self.built[0].bin.path);
        cmd!(self.ctx.sh, "{objcopy} --only-keep-debug {from} {output}")
    }

    fn strip(&self, output: &Path) -> Cmd<'_> {
        let (objcopy, from) = (self.objcopy, &self.built[0].bin.path);
        let section = format!("{SECTION}={}", self.manifests().display());
        let link = format!("--add-gnu-debuglink={}", self.debug(self.built[0]).display());
        let options = ["--strip-all", "--add-section", &section, &link];
        cmd!(self.ctx.sh, "{objcopy} {options...} {from} {output}")
    }

    fn print(&self) {
        let (first, others) = (self.built[0], &self.built[1..]);
        println!("{}", words::of(&self.keep_debug(&self.debug(first)).into()));
        println!("{}", words::of(&self.strip(&self.program(first)).into()));
        for other in others {
            let sh = &self.ctx.sh;
            for (from, to) in
                [(self.debug(first), self.debug(other)), (self.program(first), self.program(other))]
            {
                println!("{}", words::of(&cmd!(sh, "ln -f {from} {to}").into()));
            }
        }
    }

    fn install(&self, installed: &mut Installed) -> Result<()> {
        let ctx = self.ctx;
        let mut manifests: Vec<serde_json::Value> = Vec::new();
        for built in &self.built {
            let manifest = serde_json::from_slice(&std::fs::read(&built.manifest)?)?;
            if !manifests.contains(&manifest) {
                manifests.push(manifest);
            }
        }
        atomic::write_json(&self.manifests(), &manifests)?;
        let (debug, program) = (self.debug(self.built[0]), self.program(self.built[0]));
        atomic::replace(&debug, |temporary| {
            ctx.run(self.keep_debug(temporary), "install").map(|_stdout| ())
        })?;
        atomic::replace(&program, |temporary| {
            ctx.run(self.strip(temporary), "install")?;
            prove(ctx, temporary, self.objcopy, &self.manifests())
        })?;
        for built in &self.built {
            let to = self.program(built);
            if to != program {
                link(&debug, &self.debug(built))?;
                link(&program, &to)?;
            }
            let pages = pages(ctx, self.prefix, &built.bin.tool, &to)?;
            for path in [&self.debug(built), &to].into_iter().chain(&pages) {
                installed.add(path)?;
            }
            // After each program: an interruption then leaves nothing that nobody knows of.
            installed.write()?;
            let also = if to == program { "" } else { ", the same file" };
            let kibibytes = std::fs::metadata(&to)?.len() / 1024;
            eprintln!("   installed {} ({kibibytes} KiB{also})", to.display());
        }
        Ok(())
    }
}

/// Gives a file a second name: a copy where the file system knows no links.
fn link(file: &Path, name: &Path) -> Result<()> {
    atomic::replace(name, |temporary| {
        if std::fs::hard_link(file, temporary).is_ok() {
            return Ok(());
        }
        let copied = std::fs::copy(file, temporary).map(|_bytes| ());
        copied.with_context(|| format!("cannot copy {} to {}", file.display(), name.display()))
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    use crate::cargo::Bin;

    fn built(tool: &str, sha256: &str) -> Built {
        let bin =
            Bin { tool: tool.to_owned(), path: "x".into(), sha256: sha256.to_owned(), bytes: 1 };
        Built { bin, manifest: "m".into() }
    }

    #[test]
    fn programs_of_the_same_bytes_are_installed_as_one() {
        let all = [built("dcat", "1"), built("dgrep", "2"), built("dmap", "1")];
        let groups = same_programs(&all).into_iter().map(|group| {
            group.into_iter().map(|built| built.bin.tool.as_str()).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(groups.collect::<Vec<_>>(), ["dcat dmap", "dgrep"]);
    }

    #[test]
    fn a_second_name_takes_the_place_of_what_had_it() {
        let dir = tempfile::tempdir().unwrap();
        let (file, name) = (dir.path().join("dcat"), dir.path().join("dgrep"));
        atomic::write(&file, b"new").unwrap();
        atomic::write(&name, b"old").unwrap();
        link(&file, &name).unwrap();
        assert_eq!(std::fs::read(&name).unwrap(), b"new");
        let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
        assert_eq!(inode(&file), inode(&name));
        // The same once more: nothing of it stays behind.
        link(&file, &name).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
