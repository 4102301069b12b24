//! The CI step `workspace`: the pipeline on a program of somebody else, as the registry has it, with
//! nothing but `workloads/` added. Not a default step: it needs the registry, and three builds.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::atomic;
use crate::cargo::Metadata;
use crate::child::{itself, piped};
use crate::ctx::Ctx;
use crate::recipe::own_root;
use crate::recipe::repro::copy_sources;

/// A small program that everybody can build, exactly this release.
const TOOL: &str = "hexyl";
const VERSION: &str = "0.17.0";
const INPUTS: &str = "[train]\ngenerator = \"service\"\nseed = 1\n\n\
    [eval]\ngenerator = \"mapreduce\"\nseed = 2\n";
const WORKLOAD: &str = r#"schema = 1
tool = "hexyl"

[[case]]
name = "colour"
kind = "train"
args = ["--color", "always", "{train}"]

[[case]]
name = "plain"
kind = "train"
args = ["--plain", "--length", "100000", "{train}"]

[[case]]
name = "octal"
kind = "eval"
args = ["--color", "always", "--base", "octal", "--length", "1000000", "{eval}"]

[[case]]
name = "many-panels"
kind = "eval"
args = ["--color", "never", "--panels", "4", "--length", "1000000", "{eval}"]
"#;

/// Fetches the program, trains it, and checks that the run left a report with a verdict.
pub(crate) fn run(ctx: &Ctx) -> Result<()> {
    // Outside our workspace, or cargo would think that it belongs to it.
    let folder = std::env::temp_dir().join(format!("xtask-workspace-{}", std::process::id()));
    let result = show(ctx, &folder);
    std::fs::remove_dir_all(&folder).ok();
    result
}

fn show(ctx: &Ctx, folder: &Path) -> Result<()> {
    let Some(sources) = fetch(ctx, &folder.join("fetch"))? else { return Ok(()) };
    let root = folder.join(TOOL);
    copy_sources(&sources, &root, Path::new(""))?;
    let to = root.display().to_string();
    atomic::write(&root.join("workloads/inputs.toml"), INPUTS.as_bytes())?;
    atomic::write(&root.join("workloads/hexyl.toml"), WORKLOAD.as_bytes())?;
    // The compiler of this workspace, whatever this machine's usual one is: it has llvm-tools.
    let channel = own_root().join("rust-toolchain.toml");
    std::fs::copy(channel, folder.join("rust-toolchain.toml"))?;
    let words = ["pgo", "--workspace", &to, "--rounds=5", "--data-size=20000", "--iterations=1"];
    let mut command = itself()?;
    piped(command.args(words).arg("--cargo-profile=dist-quick"))
        .stdout(std::process::Stdio::null());
    let running = ctx.children.spawn(&mut command)?;
    let finished = running.finish(None, |line| eprintln!("   {line}"))?;
    anyhow::ensure!(finished.code == 0, "the pipeline exited with {}", finished.code);
    let report = std::fs::read(root.join("target/pgo/report.json")).context("no report")?;
    let report: serde_json::Value = serde_json::from_slice(&report)?;
    let mean = &report["comparison"]["means"][0];
    anyhow::ensure!(mean["name"] == TOOL, "the report has no verdict on {TOOL}");
    let added = root.join("pgo-profiles");
    anyhow::ensure!(added.is_dir(), "no profiles were published");
    eprintln!("   {TOOL} {VERSION}: trained, proven and published with nothing but workloads/");
    Ok(())
}

/// Has cargo download the program as a dependency of nothing: its sources; none when the registry
/// does not answer.
fn fetch(ctx: &Ctx, folder: &Path) -> Result<Option<PathBuf>> {
    let manifest = format!(
        "[package]\nname = \"fetch\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{TOOL} = \"={VERSION}\"\n"
    );
    let path = folder.join("Cargo.toml");
    atomic::write(&path, manifest.as_bytes())?;
    atomic::write(&folder.join("src/lib.rs"), b"")?;
    let path = path.display().to_string();
    let asked = ctx
        .ask(Path::new("cargo"), &["metadata", "--format-version", "1", "--manifest-path", &path]);
    let text = match asked {
        Ok(text) => text,
        Err(error) => {
            ctx.children.check()?;
            eprintln!("   SKIPPED: the registry does not give {TOOL} {VERSION}: {error:#}");
            return Ok(None);
        }
    };
    let package = Metadata::parse(&text)?.packages.into_iter().find(|package| package.name == TOOL);
    let manifest = package.map(|package| package.manifest_path);
    let folder = manifest.as_deref().and_then(Path::parent).map(Path::to_owned);
    folder.map(Some).context("cargo fetched another package")
}
