//! The gates of shipping, asserted from outside with what the tiny pipeline built: nothing but what
//! `build-pgo` made is packed, an archive is the same bytes each time, and nothing stays behind.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::atomic;
use crate::child::{itself, piped};
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::recipe::build::{Built, RECORD};
use crate::ship::archive;

/// Packs, refuses, installs and removes the one `tool` that `build-pgo` made in the workspace `root`.
pub(crate) fn run(ctx: &Ctx, root: &Path, tool: &str) -> Result<()> {
    let gates = Gates { ctx, root, tool };
    let out_dir = &root.join("target/pgo");
    let dist_dir = ctx.out_dir.join("dist");
    atomic::fresh_dir(&dist_dir)?;
    let empty = ctx.out_dir.join("never-built");
    atomic::fresh_dir(&empty)?;
    gates.dist("nothing was built", Fault::Usage, &empty, &dist_dir, &[])?;
    let other = ["--target=x86_64-unknown-linux-musl"];
    gates.dist("programs of another target", Fault::Stale, out_dir, &dist_dir, &other)?;
    gates.refuse_a_plain_program(out_dir, &dist_dir)?;
    anyhow::ensure!(archive::files(&dist_dir)?.is_empty(), "a refused dist left a file");
    gates.xtask("an archive", 0, &gates.dist_words(out_dir, &dist_dir))?;
    let first = archive::sums(&dist_dir)?;
    anyhow::ensure!(first.lines().count() == 3, "not three files in dist: {first}");
    gates.xtask("the archive again", 0, &gates.dist_words(out_dir, &dist_dir))?;
    anyhow::ensure!(first == archive::sums(&dist_dir)?, "the archive is not the same bytes");
    gates.leave_nothing(out_dir)
}

struct Gates<'a> {
    ctx: &'a Ctx,
    root: &'a Path,
    tool: &'a str,
}

impl Gates<'_> {
    /// A program that is not the one that `build-pgo` recorded does not get into an archive.
    fn refuse_a_plain_program(&self, out_dir: &Path, dist_dir: &Path) -> Result<()> {
        let built: Vec<Built> = serde_json::from_slice(&std::fs::read(out_dir.join(RECORD))?)?;
        let built = built.iter().find(|built| built.bin.tool == self.tool);
        let path = &built.context("the tiny pipeline built nothing")?.bin.path;
        let good = std::fs::read(path)?;
        let other = [good.as_slice(), b"\n"].concat();
        atomic::write(path, &other)?;
        let refused = self.dist("a plain program", Fault::Stale, out_dir, dist_dir, &[]);
        atomic::write(path, &good)?;
        let program = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, program)?;
        refused
    }

    /// What is installed is removed, and a second removal has nothing to remove.
    fn leave_nothing(&self, out_dir: &Path) -> Result<()> {
        let prefix = self.ctx.out_dir.join("uninstalled");
        atomic::fresh_dir(&prefix)?;
        let option = format!("--prefix={}", prefix.display());
        let from = format!("--out-dir={}", out_dir.display());
        let workspace = format!("--workspace={}", self.root.display());
        let install = ["install-pgo", self.tool, &workspace, &from, &option];
        self.xtask("an installation", 0, &install.map(str::to_owned))?;
        let page = format!("share/man/man1/{}.1", self.tool);
        anyhow::ensure!(prefix.join(&page).is_file(), "no {page} was installed");
        let uninstall = ["uninstall-pgo", &option].map(str::to_owned);
        self.xtask("its removal", 0, &uninstall)?;
        let left = std::fs::read_dir(&prefix)?.count();
        anyhow::ensure!(left == 0, "{left} entries are left in {}", prefix.display());
        self.xtask("nothing to remove", Fault::Usage.code(), &uninstall)
    }

    fn dist_words(&self, out_dir: &Path, dist_dir: &Path) -> Vec<String> {
        let dirs = [("out", out_dir), ("dist", dist_dir)];
        let dirs = dirs.map(|(name, dir)| format!("--{name}-dir={}", dir.display()));
        let mut words = vec!["dist".to_owned(), self.tool.to_owned()];
        words.extend(dirs);
        words.push(format!("--workspace={}", self.root.display()));
        words.push("--allow-dirty".to_owned());
        words
    }

    fn dist(
        &self,
        what: &str,
        fault: Fault,
        out_dir: &Path,
        dist_dir: &Path,
        more: &[&str],
    ) -> Result<()> {
        let mut words = self.dist_words(out_dir, dist_dir);
        words.extend(more.iter().map(|word| (*word).to_owned()));
        self.xtask(what, fault.code(), &words)
    }

    fn xtask(&self, what: &str, code: u8, words: &[String]) -> Result<()> {
        let mut command = itself()?;
        piped(command.args(words).current_dir(&self.ctx.root)).stdout(std::process::Stdio::null());
        let finished = self.ctx.children.spawn(&mut command)?.finish(None, |_| {})?;
        let (got, said) = (finished.code, &finished.stderr);
        anyhow::ensure!(got == i32::from(code), "{what}: exit {got}, not {code}:\n{said}");
        eprintln!("   {what}: exit {got}, {:.0} s", finished.wall.as_secs_f64());
        Ok(())
    }
}
