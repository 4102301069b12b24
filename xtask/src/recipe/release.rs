//! The ends of a release: the gate before it, and what goes out of it. What goes out is done on
//! GitHub only; anywhere else the commands are printed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::cli;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::profile::store;
use crate::recipe::own_root;
use crate::ship::targets::{Job, Target, Targets, Tools};
use crate::toolchain::Compiler;
use crate::{atomic, words, workload};

/// Set by GitHub for every step.
const ON_GITHUB: &str = "GITHUB_ACTIONS";
const REF_NAME: &str = "GITHUB_REF_NAME";
/// Where pgo-refresh puts what its jobs made.
const PROFILES: &str = "target/ci/profiles";
const SERVER: &str = "dserver";

fn ctx() -> Result<Ctx> {
    Ctx::new(own_root(), Path::new("target/ci"), false, None)
}

/// The version of the workspace.
pub(crate) fn version(root: &Path) -> Result<String> {
    let manifest: toml::Table = std::fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    let package = manifest.get("workspace").and_then(|table| table.get("package"));
    let version = package.and_then(|table| table.get("version")).and_then(toml::Value::as_str);
    Ok(version.context("Cargo.toml names no version in [workspace.package]")?.to_owned())
}

/// Refuses a release that cannot become one, with everything that is wrong at once.
pub(crate) fn gate(options: &cli::Gate) -> Result<()> {
    let ctx = ctx()?;
    let version = version(&ctx.root)?;
    let tag = tag(&ctx, options.tag.as_deref())?;
    if tag != format!("v{version}") {
        let text = format!(
            "the tag is {tag}, but Cargo.toml says {version}; mend: git tag --delete {tag} && git tag v{version}"
        );
        return Err(refuse(Fault::Usage, text));
    }
    clean_tree(&ctx)?;
    let compiler = Compiler::ask(&ctx)?;
    let targets = Targets::read(&ctx.root)?;
    let mut faults = Vec::new();
    for target in targets.for_job(Job::Release) {
        for tool in &tools(&ctx.root, target)? {
            let profile_dir = ctx.root.join(&options.profile_dir);
            faults.extend(profile_fault(&profile_dir, target, tool, &compiler));
        }
    }
    if !faults.is_empty() {
        let text = format!("no release without profiles that fit:\n{}", faults.join("\n"));
        return Err(refuse(Fault::Stale, text));
    }
    println!("{tag}: version, tree and profiles are in order");
    Ok(())
}

/// The programs that a target gets: those with a workload and those that come with them.
pub(crate) fn programs(root: &Path, target: &Target) -> Result<Vec<String>> {
    let all = workload::load(root, &[], false)?;
    let mut programs = tools(root, target)?;
    programs.extend(all.tools.iter().flat_map(|tool| all.namesakes(&tool.tool)).cloned());
    Ok(programs)
}

/// The tools that a target gets profiles for, without the server where it cannot be.
pub(crate) fn tools(root: &Path, target: &Target) -> Result<Vec<String>> {
    let all = workload::load(root, &[], false)?;
    let names = all.tools.into_iter().map(|tool| tool.tool);
    Ok(names.filter(|name| target.tools == Tools::All || name != SERVER).collect())
}

fn profile_fault(dir: &Path, target: &Target, tool: &str, compiler: &Compiler) -> Option<String> {
    let source = target.from.as_deref().unwrap_or(&target.triple);
    let made_by = match store::read(dir, source, tool) {
        Ok((_facts, manifest)) => manifest.identity.compiler,
        Err(error) => return Some(format!("{error:#} --target {source}")),
    };
    (made_by.release != compiler.release || made_by.commit != compiler.commit).then(|| {
        format!(
            "{tool} for {source} was trained with rustc {}, this is {}; make it anew with: cargo xtask pgo-generate {tool} --target {source}",
            made_by.release, compiler.release
        )
    })
}

/// Refuses a tree in which tracked files differ from the commit: nobody could build it again.
pub(crate) fn clean_tree(ctx: &Ctx) -> Result<()> {
    let status = ctx.ask(Path::new("git"), &["status", "--porcelain", "--untracked-files=no"])?;
    let changed: Vec<&str> = status.lines().filter_map(|line| line.get(3..)).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let text = format!(
        "{} files differ from the commit ({}); mend: git commit or git stash",
        changed.len(),
        words::short(&changed[..changed.len().min(5)])
    );
    Err(refuse(Fault::Usage, text))
}

fn tag(ctx: &Ctx, given: Option<&str>) -> Result<String> {
    let set = || std::env::var(REF_NAME).ok().filter(|name| !name.is_empty());
    if let Some(tag) = given.map(str::to_owned).or_else(set) {
        return Ok(tag);
    }
    let described = ctx.ask(Path::new("git"), &["describe", "--tags", "--exact-match"]);
    described
        .map(|text| text.trim().to_owned())
        .map_err(|_| refuse(Fault::Usage, "this commit has no tag; give one with --tag v<version>"))
}

/// Takes in what the training jobs made, commits it on a branch and opens a pull request.
pub(crate) fn propose(dry_run: bool) -> Result<()> {
    let ctx = ctx()?;
    let outward = Outward::new(&ctx, dry_run);
    let taken = take_in(&ctx, &outward)?;
    let commit = ctx.ask(Path::new("git"), &["rev-parse", "--short", "HEAD"])?;
    let branch = format!("pgo-refresh/{}", commit.trim());
    let title = format!("pgo-profiles: {}", taken.join(", "));
    let body =
        "Trained, proven and written by the workflow `pgo-refresh`; its run has the reports.";
    outward.run(&["git", "switch", "--create", &branch])?;
    outward.run(&["git", "add", "pgo-profiles"])?;
    let author = ["-c", "user.name=pgo-refresh", "-c", "user.email=pgo-refresh@localhost"];
    outward.run(&[&["git"], &author[..], &["commit", "--message", &title]].concat())?;
    outward.run(&["gh", "auth", "setup-git"])?;
    outward.run(&["git", "push", "origin", &branch])?;
    outward.run(&["gh", "pr", "create", "--head", &branch, "--title", &title, "--body", body])
}

/// Copies `profiles-<target>` folders to where profiles are kept; tells the targets.
fn take_in(ctx: &Ctx, outward: &Outward<'_>) -> Result<Vec<String>> {
    let pattern = ctx.root.join(PROFILES).join("profiles-*/*");
    let mut targets = Vec::new();
    for file in glob::glob(&pattern.to_string_lossy())? {
        let file = file?;
        let folder = file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let target = folder.trim_start_matches("profiles-").to_owned();
        let to =
            ctx.root.join("pgo-profiles").join(&target).join(file.file_name().unwrap_or_default());
        if outward.real {
            atomic::write(&to, &std::fs::read(&file)?)?;
        } else {
            println!("cp {} {}", file.display(), to.display());
        }
        targets.push(target);
    }
    targets.dedup();
    if targets.is_empty() && outward.real {
        return Err(refuse(Fault::Usage, format!("no profiles in {PROFILES}; nothing to propose")));
    }
    Ok(targets)
}

/// Puts what `dist` made on the release's page, with the change log's words about it.
pub(crate) fn publish(dry_run: bool) -> Result<()> {
    let ctx = ctx()?;
    let outward = Outward::new(&ctx, dry_run);
    let version = version(&ctx.root)?;
    let notes = ctx.out_dir.join("notes.md");
    let changes = std::fs::read_to_string(ctx.root.join("CHANGELOG.md"))?;
    atomic::write(&notes, changes_of(&changes, &version).as_bytes())?;
    let mut files: Vec<PathBuf> =
        glob::glob(&ctx.root.join("target/dist/*").to_string_lossy())?.collect::<Result<_, _>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    if files.is_empty() && outward.real {
        return Err(refuse(Fault::Usage, "nothing in target/dist; make it with: cargo xtask dist"));
    }
    let (tag, notes) = (format!("v{version}"), notes.display().to_string());
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let head =
        ["gh", "release", "create", &tag, "--verify-tag", "--title", &tag, "--notes-file", &notes];
    let words: Vec<&str> = head.into_iter().chain(files.iter().map(String::as_str)).collect();
    outward.run(&words)
}

/// The part of a change log below the heading with `version`.
fn changes_of(text: &str, version: &str) -> String {
    let is_heading = |line: &str| line.starts_with("## ");
    let lines = text.lines().skip_while(|line| !(is_heading(line) && line.contains(version)));
    let part: Vec<&str> = lines.skip(1).take_while(|line| !is_heading(line)).collect();
    format!("{}\n", part.join("\n").trim())
}

/// Runs commands that others see, or prints them.
struct Outward<'a> {
    ctx: &'a Ctx,
    real: bool,
}

impl<'a> Outward<'a> {
    fn new(ctx: &'a Ctx, dry_run: bool) -> Self {
        let on_github = std::env::var(ON_GITHUB).is_ok_and(|value| value == "true");
        if !on_github && !dry_run {
            eprintln!("   not on GitHub: these commands are only printed");
        }
        Self { ctx, real: on_github && !dry_run }
    }

    fn run(&self, words: &[&str]) -> Result<()> {
        if !self.real {
            println!("{}", words::join(words));
            return Ok(());
        }
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(&self.ctx.root);
        eprintln!("   $ {}", words::of(&command));
        let finished = self.ctx.children.spawn(&mut command)?.finish(None, |_line| {})?;
        anyhow::ensure!(
            finished.code == 0,
            "`{}` exited with {}",
            words::join(words),
            finished.code
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_says_what_changed_since_the_last() {
        let log = "# Changes\n\n## 0.2.0\n\n* new\n\n## 0.1.0, 2026\n\n* first\n";
        assert_eq!(changes_of(log, "0.2.0"), "* new\n");
        assert_eq!(changes_of(log, "0.1.0"), "* first\n");
        assert_eq!(changes_of(log, "0.3.0"), "\n");
    }

    #[test]
    fn a_tag_that_is_not_the_version_is_refused() {
        let options = cli::Gate { tag: Some("v99.0.0".to_owned()), profile_dir: "none".into() };
        let error = gate(&options).unwrap_err();
        assert_eq!(crate::fault::exit_code(&error), Fault::Usage.code());
        assert!(error.to_string().contains("git tag --delete v99.0.0"), "{error}");
    }

    #[test]
    fn a_missing_profile_is_named_with_its_command() {
        let dir = tempfile::tempdir().unwrap();
        let targets = Targets::read(own_root()).unwrap();
        let target = targets.of("x86_64-unknown-linux-gnu").unwrap();
        let compiler = Compiler {
            release: "1".to_owned(),
            commit: "c".to_owned(),
            host: "h".to_owned(),
            llvm: "1".to_owned(),
        };
        let fault = profile_fault(dir.path(), target, "dcat", &compiler).unwrap();
        let mend = "cargo xtask pgo-generate dcat --target x86_64-unknown-linux-gnu";
        assert!(fault.contains("no profile") && fault.ends_with(mend), "{fault}");
        let (profile, manifest) = store::paths(dir.path(), &target.triple, "dcat");
        atomic::write(&profile, b"x").unwrap();
        atomic::write(&manifest, b"{}").unwrap();
        let fault = profile_fault(dir.path(), target, "dcat", &compiler).unwrap();
        assert!(fault.contains("dcat.manifest.json: missing field"), "{fault}");
    }

    #[test]
    fn a_target_without_a_server_gets_the_local_tools() {
        let targets = Targets::read(own_root()).unwrap();
        let local = tools(own_root(), targets.of("aarch64-apple-darwin").unwrap()).unwrap();
        let all = tools(own_root(), targets.of("x86_64-unknown-linux-gnu").unwrap()).unwrap();
        assert!(!local.contains(&SERVER.to_owned()) && all.contains(&SERVER.to_owned()));
        assert_eq!(local.len() + 1, all.len());
    }
}
