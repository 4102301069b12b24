//! One tiny `pgo` run over a real tool, and then the gates of the pipeline asserted from outside:
//! every kind of bad profile must be refused with its own exit code, and nothing may be lost.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::atomic;
use crate::child::{itself, piped};
use crate::ctx::Ctx;
use crate::digest;
use crate::fault::Fault;
use crate::flags;
use crate::profile::{packed, store};
use crate::recipe::{sample, ship_gates};
use crate::toolchain::{Compiler, llvm_bin};

/// The program of the sample workspace whose profiles are damaged.
const TOOL: &str = "wordcount";
/// A share that the program's own work cannot stay below.
const NO_SHARE: &str =
    "max_share = [{ name = \"words\", functions = [\"words\"], share = 0.0001 }]\n";
/// What of our workspace `dist` needs in another.
const PAPERS: [&str; 5] =
    ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "ci/targets.toml"];
/// Inputs in lines, and so many that training takes seconds and can be interrupted.
const FEW: u64 = 20_000;
const MANY: u64 = 1_000_000;

/// The folders of the tiny run.
struct Gates<'a> {
    ctx: &'a Ctx,
    /// The workspace that is trained.
    root: PathBuf,
    out_dir: PathBuf,
    profile_dir: PathBuf,
    target: String,
    profdata: PathBuf,
}

/// Runs the pipeline once on the sample workspace, whose builds take seconds, and breaks it in every
/// way that has a gate. What our own tools do in training is the step `cases`.
pub(crate) fn run(ctx: &Ctx) -> Result<()> {
    let compiler = Compiler::ask(ctx)?;
    let root = ctx.out_dir.join("sample");
    let gates = Gates {
        ctx,
        out_dir: root.join("target/pgo"),
        profile_dir: root.join("pgo-profiles"),
        profdata: llvm_bin(ctx, &compiler)?.join("llvm-profdata"),
        target: compiler.host,
        root,
    };
    atomic::fresh_dir(&gates.root)?;
    sample::write(&gates.root)?;
    for paper in PAPERS {
        atomic::write(&gates.root.join(paper), &std::fs::read(ctx.root.join(paper))?)?;
    }
    gates.expect("a tiny run", 0, &["pgo"], &[])?;
    for file in ["report.json", "report.md", "report.html"] {
        anyhow::ensure!(gates.out_dir.join(file).is_file(), "the run left no {file}");
    }
    gates.refuse_bad_raw_profiles()?;
    gates.refuse_bad_stored_profiles()?;
    gates.refuse_a_decline()?;
    gates.refuse_a_share()?;
    ship_gates::run(ctx, &gates.root, TOOL)?;
    gates.interrupt_training()?;
    gates.fail_a_case()?;
    gates.expect("an unknown stage", Fault::Usage.code(), &["pgo", "--from", "nowhere"], &[])?;
    let variable = flags::OVERRIDING_VARIABLES[0];
    for flags in ["-O", ""] {
        gates.expect("foreign flags", Fault::Toolchain.code(), &["pgo"], &[(variable, flags)])?;
    }
    eprintln!("   every gate held");
    Ok(())
}

impl Gates<'_> {
    /// Damages one raw profile after the other; merging must refuse each.
    fn refuse_bad_raw_profiles(&self) -> Result<()> {
        let raw = first_file(&self.out_dir.join("raw"), "profraw")?;
        let good = std::fs::read(&raw)?;
        let foreign = std::fs::read(first_file(&self.out_dir.join("preflight"), "profraw")?)?;
        let untrained = std::fs::read(self.untrained(&raw)?)?;
        let truncated = &good[..good.len() / 2];
        for (what, bytes) in [
            ("a 0-byte raw profile", &[][..]),
            ("a truncated raw profile", truncated),
            ("another program's raw profile", &foreign),
            ("an untrained raw profile", &untrained),
        ] {
            // Other runs of the case would hide an untrained one, so every file of it is replaced.
            let case = case_of(&raw);
            let siblings = files(&self.out_dir.join("raw"), "profraw")?;
            let siblings: Vec<_> = siblings.into_iter().filter(|f| case_of(f) == case).collect();
            let kept: Vec<Vec<u8>> =
                siblings.iter().map(std::fs::read).collect::<std::io::Result<_>>()?;
            for path in &siblings {
                std::fs::write(path, bytes)?;
            }
            self.expect(what, Fault::Training.code(), &["pgo", "--from", "merge"], &[])?;
            for (path, bytes) in siblings.iter().zip(kept) {
                std::fs::write(path, bytes)?;
            }
        }
        self.expect("the good raw profiles again", 0, &["pgo-generate", "--from", "merge"], &[])
    }

    /// Damages the stored profile in every way; building with it must be refused each time.
    fn refuse_bad_stored_profiles(&self) -> Result<()> {
        let (profile, manifest) = store::paths(&self.profile_dir, &self.target, TOOL);
        let (good, good_manifest) = (std::fs::read(&profile)?, std::fs::read_to_string(&manifest)?);
        let folder = self.root.display().to_string();
        anyhow::ensure!(!good_manifest.contains(&folder), "the manifest names {folder}");
        let good_text = packed::unpack(&good)?;
        for (what, bytes) in
            [("a 0-byte profile", &[][..]), ("a truncated profile", &good[..good.len() / 2])]
        {
            std::fs::write(&profile, bytes)?;
            self.expect(what, Fault::Quality.code(), &["build-pgo"], &[])?;
        }
        for (what, text) in [
            ("another program's profile", self.foreign()?),
            ("an untrained profile", zero_counters(&good_text)),
        ] {
            std::fs::write(&profile, packed::pack(text.as_bytes())?)?;
            // With its own digest in the manifest only the profile itself can be the reason.
            std::fs::write(&manifest, Self::naming(&good_manifest, &good_text, &text)?)?;
            self.expect(what, Fault::Quality.code(), &["build-pgo"], &[])?;
        }
        std::fs::write(&manifest, &good_manifest)?;
        std::fs::write(&profile, packed::pack(self.doubled(&good_text)?.as_bytes())?)?;
        let what = "a profile that its manifest does not describe";
        self.expect(what, Fault::Quality.code(), &["build-pgo"], &[])?;
        std::fs::write(&profile, &good)?;
        let other_compiler = good_manifest.replacen("\"commit\": \"", "\"commit\": \"0", 1);
        anyhow::ensure!(other_compiler != good_manifest, "the manifest names no compiler");
        std::fs::write(&manifest, other_compiler)?;
        let what = "a profile of another compiler";
        self.expect(what, Fault::Stale.code(), &["build-pgo"], &[])?;
        self.expect(what, Fault::Toolchain.code(), &["pgo-check"], &[])?;
        self.expect(what, Fault::Toolchain.code(), &["pgo-rebase"], &[])?;
        std::fs::remove_file(&manifest)?;
        self.expect("a profile without manifest", Fault::Quality.code(), &["build-pgo"], &[])?;
        std::fs::write(&manifest, &good_manifest)?;
        std::fs::remove_file(&profile)?;
        self.expect("a missing profile", Fault::Stale.code(), &["build-pgo"], &[])?;
        std::fs::write(&profile, &good)?;
        self.expect("a profile that fits", 0, &["pgo-check"], &[])?;
        self.expect("a profile that needs no new names", 0, &["pgo-rebase"], &[])?;
        self.install()
    }

    /// A profile that counts a tenth of what the published one counted is published only on
    /// purpose.
    fn refuse_a_decline(&self) -> Result<()> {
        let (_, path) = store::paths(&self.profile_dir, &self.target, TOOL);
        let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        for case in manifest["cases"].as_array_mut().context("the manifest has no cases")? {
            let total = case["total"].as_u64().context("a case without counts")?;
            case["total"] = total.saturating_mul(10).into();
        }
        atomic::write_json(&path, &manifest)?;
        let merge = ["pgo-generate", "--from", "merge", "--accept-drop"];
        let what = "a profile with a tenth of the counts";
        self.expect(what, Fault::Quality.code(), &merge[..3], &[])?;
        self.expect("the same on purpose", 0, &merge, &[])
    }

    /// A profile that is mostly what its workload forbids is refused: the rule that keeps a server
    /// from being built for handshakes.
    fn refuse_a_share(&self) -> Result<()> {
        let path = self.root.join(format!("workloads/{TOOL}.toml"));
        let kept = std::fs::read(&path)?;
        atomic::write(&path, sample::workload(TOOL, NO_SHARE).as_bytes())?;
        self.expect("too large a share", Fault::Quality.code(), &["pgo-generate"], &[])?;
        atomic::write(&path, &kept)
    }

    /// The good profile builds, installs into a folder of ours, and proves itself there.
    fn install(&self) -> Result<()> {
        let prefix = self.ctx.out_dir.join("installed");
        atomic::fresh_dir(&prefix)?;
        let prefix_option = prefix.display().to_string();
        let build = ["build-pgo", "--install", "--prefix", &prefix_option];
        self.expect("a good profile", 0, &build, &[])?;
        let program = prefix.join("bin").join(TOOL);
        let shown = self.xtask(&["pgo-show", &program.display().to_string()], &[])?;
        anyhow::ensure!(
            shown.0 == 0,
            "the installed program cannot prove its profile: {}",
            shown.1
        );
        Ok(())
    }

    /// SIGINT in the middle of training: children end, the stored profile stays as it is.
    fn interrupt_training(&self) -> Result<()> {
        let before = self.stored_bytes()?;
        let mut command = itself()?;
        piped(command.args(self.words(MANY, &["pgo-generate"])))
            .stdout(std::process::Stdio::null());
        let running = self.ctx.children.spawn(&mut command)?;
        let group = running.group();
        let finished = running.finish(None, |line| {
            if line.starts_with("== train") {
                group.signal(Signal::INT);
            }
        })?;
        anyhow::ensure!(
            finished.code == i32::from(Fault::Interrupted.code()),
            "an interrupted pipeline exited with {}: {}",
            finished.code,
            finished.stderr
        );
        let after = self.stored_bytes()?;
        anyhow::ensure!(before == after, "the interruption changed the stored profiles");
        eprintln!("   an interrupted training run: exit {}", finished.code);
        Ok(())
    }

    /// Every file beside the stored profiles with its content.
    fn stored_bytes(&self) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let files = files(&self.profile_dir.join(&self.target), "")?;
        files.into_iter().map(|path| Ok((path.clone(), std::fs::read(path)?))).collect()
    }

    /// A program that does not do what its case says stops the pipeline with the training code.
    fn fail_a_case(&self) -> Result<()> {
        let workspace = self.root.display().to_string();
        let case = ["run-case", TOOL, "train", "--bin", "/bin/false", "--workspace", &workspace];
        let (got, stderr) = self.xtask(&case, &[])?;
        anyhow::ensure!(
            got == i32::from(Fault::Training.code()),
            "a failing case exited with {got}: {stderr}"
        );
        eprintln!("   a failing case: exit {got}");
        Ok(())
    }

    /// The whole command line of one command of the tiny pipeline.
    fn words(&self, lines: u64, words: &[&str]) -> Vec<String> {
        let mut all = vec![words[0].to_owned(), TOOL.to_owned()];
        all.push(format!("--workspace={}", self.root.display()));
        all.push("--cargo-profile=dist-quick".to_owned());
        if ["pgo", "pgo-generate"].contains(&words[0]) {
            all.extend([format!("--data-size={lines}"), "--iterations=2".to_owned()]);
        }
        if words[0] == "pgo" {
            all.push("--rounds=3".to_owned());
        }
        all.extend(words[1..].iter().map(|word| (*word).to_owned()));
        all
    }

    /// Runs one command of the tiny pipeline and compares its exit code.
    fn expect(&self, what: &str, code: u8, words: &[&str], env: &[(&str, &str)]) -> Result<()> {
        let began = Instant::now();
        let all = self.words(FEW, words);
        let (got, stderr) = self.xtask(&all, env)?;
        anyhow::ensure!(
            got == i32::from(code),
            "{what}: `cargo xtask {}` exited with {got}, not {code}:\n{stderr}",
            all.join(" ")
        );
        let said = stderr.lines().rev().find(|line| line.starts_with("error: ")).unwrap_or("ok");
        eprintln!("   {what}: exit {got}, {said}, {:.1} s", began.elapsed().as_secs_f64());
        Ok(())
    }

    fn xtask(
        &self,
        words: &[impl AsRef<std::ffi::OsStr>],
        env: &[(&str, &str)],
    ) -> Result<(i32, String)> {
        let mut command = itself()?;
        piped(command.args(words).current_dir(&self.ctx.root)).stdout(std::process::Stdio::null());
        command.envs(env.iter().copied());
        let finished = self.ctx.children.spawn(&mut command)?.finish(None, |_| {})?;
        Ok((finished.code, finished.stderr))
    }

    /// The profile at `path` with every counter set to zero.
    fn untrained(&self, path: &Path) -> Result<PathBuf> {
        let dir = self.ctx.out_dir.join("bad");
        std::fs::create_dir_all(&dir)?;
        let path = path.display().to_string();
        let text = self.ctx.ask(&self.profdata, &["merge", "--text", "-o", "-", &path])?;
        let zeroed = dir.join("untrained.proftext");
        std::fs::write(&zeroed, zero_counters(&text))?;
        let output = zeroed.with_extension("profdata");
        let (input, shown) = (zeroed.display().to_string(), output.display().to_string());
        self.ctx.ask(&self.profdata, &["merge", "-o", &shown, &input])?;
        Ok(output)
    }

    /// The manifest of the profile `good` as that of `other`.
    fn naming(manifest: &str, good: &str, other: &str) -> Result<String> {
        let digest = |text: &str| digest::of_bytes(text.as_bytes());
        let named = manifest.replace(&digest(good), &digest(other));
        anyhow::ensure!(named != manifest, "the manifest does not name its profile");
        Ok(named)
    }

    /// The good profile with every count doubled: trained, ours, and another file.
    fn doubled(&self, good: &str) -> Result<String> {
        let path = self.ctx.out_dir.join("bad/good.proftext");
        atomic::write(&path, good.as_bytes())?;
        let weighted = format!("--weighted-input=2,{}", path.display());
        self.ctx.ask(&self.profdata, &["merge", "--text", "-o", "-", &weighted])
    }

    /// The profile of a program that is not ours.
    fn foreign(&self) -> Result<String> {
        let raw = first_file(&self.out_dir.join("preflight"), "profraw")?;
        self.ctx.ask(&self.profdata, &["merge", "--text", "-o", "-", &raw.display().to_string()])
    }
}

/// Sets every counter of a profile in text form to zero.
fn zero_counters(text: &str) -> String {
    let mut in_counters = false;
    let zeroed = text.lines().map(|line| {
        if line.is_empty() || line.starts_with('#') {
            in_counters = line == "# Counter Values:";
        }
        if in_counters && line.bytes().all(|byte| byte.is_ascii_digit()) && !line.is_empty() {
            "0"
        } else {
            line
        }
    });
    zeroed.map(|line| format!("{line}\n")).collect()
}

/// `dgrep.literal` of `dgrep.literal.2.77.88.profraw`.
fn case_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// The files with this extension, or all files, in name order.
fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if extension.is_empty() || path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn first_file(dir: &Path, extension: &str) -> Result<PathBuf> {
    let first = files(dir, extension)?.into_iter().next();
    first.with_context(|| format!("no .{extension} file in {}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counters_become_zero() {
        let text =
            "# IR\n:ir\nf\n# Func Hash:\n77\n# Num Counters:\n2\n# Counter Values:\n5\n6\n\n";
        let expected =
            "# IR\n:ir\nf\n# Func Hash:\n77\n# Num Counters:\n2\n# Counter Values:\n0\n0\n\n";
        assert_eq!(zero_counters(text), expected);
    }
}
