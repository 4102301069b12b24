//! `ci matrix`, `ci run`, `ci workflows`: the workflows of `.github`, run and checked on any machine.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::Parser as _;

use crate::cli;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::recipe::{LOST_AT_MOST, own_root, prove, rebase, release};
use crate::registered::{ACTION_VALIDATOR, Registered, ZIZMOR};
use crate::report;
use crate::ship::targets::{self, Targets};
use crate::ship::workflow::{self, Action, Job, Workflow, filled};
use crate::toolchain::Compiler;
use crate::words;

/// The file to which a step on GitHub writes what later steps read.
const OUTPUT: &str = "GITHUB_OUTPUT";
/// The programs that look at workflows, and how they are asked.
const JUDGES: [(&Registered, &[&str]); 2] =
    [(&ZIZMOR, &["--offline", "--quiet", "--no-progress"]), (&ACTION_VALIDATOR, &[])];

/// Runs one of the subcommands of `ci`.
pub(crate) fn run(command: &cli::CiCommand) -> Result<()> {
    match command {
        cli::CiCommand::Matrix { job } => matrix(job.as_deref()),
        cli::CiCommand::Run(options) => run_job(options),
        cli::CiCommand::Gate(options) => release::gate(options),
        cli::CiCommand::Profiles(common) => profiles(common),
        cli::CiCommand::Prove(common) => prove::prove(common),
        cli::CiCommand::Propose(options) => release::propose(options.dry_run),
        cli::CiCommand::Publish(options) => release::publish(options.dry_run),
    }
}

/// Prints the matrix, and hands it to GitHub when a step asks for it there.
fn matrix(job: Option<&str>) -> Result<()> {
    let targets = Targets::read(own_root())?;
    let job = job.map(targets::Job::parse).transpose()?;
    let text = serde_json::to_string(&targets.matrix(job))?;
    println!("{text}");
    report::append_to(OUTPUT, &format!("matrix={text}\n"))
}

/// Makes the profiles of a target that does not train.
fn profiles(common: &cli::Common) -> Result<()> {
    let triple = match &common.target {
        Some(triple) => triple.clone(),
        None => Compiler::ask(&common.ctx()?)?.host,
    };
    let Some(from) = Targets::read(own_root())?.of(&triple)?.from.clone() else {
        println!("{triple} trains: its profiles are its own");
        return Ok(());
    };
    let (common, max_lost) = (common.clone(), cli::Share(LOST_AT_MOST));
    rebase::pgo_rebase(&cli::Rebase { common, from_target: Some(from), max_lost })
}

/// Runs what a job's steps run, in their order, on this machine.
fn run_job(options: &cli::RunJob) -> Result<()> {
    let workflows = workflow::read_all(own_root())?;
    let ctx = Ctx::new(own_root(), Path::new("target/ci"), true, None)?;
    let target = match &options.target {
        Some(target) => target.clone(),
        None => Compiler::ask(&ctx)?.host,
    };
    let targets = Targets::read(own_root())?;
    let entry = serde_json::to_value(targets.of(&target)?.entry())?;
    let result = chosen(&workflows, &options.job)?.into_iter().try_for_each(|(workflow, job)| {
        for step in &job.steps {
            let name = format!("{}/{}: {}", workflow.name, job.name, step.name);
            match &step.action {
                Action::Uses(action) => eprintln!("-- {name}: {action} is GitHub's own"),
                Action::Run(line) => {
                    let mut env = job.env.clone();
                    env.extend(step.env.clone());
                    let lookup = |name: &str| env.get(name).map(|value| filled(value, &entry));
                    let words = workflow::words(line, &lookup)
                        .map_err(|text| refuse(Fault::Usage, format!("{name}: {text}")))?;
                    if options.dry_run {
                        println!("{}", words::join(&words));
                        continue;
                    }
                    ctx.stage(&name, || run_step(&ctx, &words, &env, &entry))?;
                }
            }
        }
        Ok(())
    });
    report::print_stages(&ctx);
    result
}

fn run_step(
    ctx: &Ctx,
    words: &[String],
    env: &std::collections::BTreeMap<String, String>,
    entry: &serde_json::Value,
) -> Result<()> {
    let [program, args @ ..] = words else { anyhow::bail!("an empty command") };
    eprintln!("   $ {}", words::join(words));
    let mut command = Command::new(program);
    command.args(args).current_dir(&ctx.root);
    for (name, value) in env {
        let value = filled(value, entry);
        // An empty token would hide the user's own.
        if !value.is_empty() {
            command.env(name, value);
        }
    }
    let finished = ctx.children.spawn(&mut command)?.finish(None, |_line| {})?;
    if finished.code == 0 {
        return Ok(());
    }
    anyhow::bail!("`{}` exited with {}", words::join(words), finished.code)
}

/// The jobs that a name means: a workflow's, all of them in order, or one.
fn chosen<'a>(workflows: &'a [Workflow], name: &str) -> Result<Vec<(&'a Workflow, &'a Job)>> {
    let all = || workflows.iter().flat_map(|flow| flow.jobs.iter().map(move |job| (flow, job)));
    let (workflow, job) = name.split_once('/').unwrap_or((name, ""));
    let of_workflow: Vec<_> = all()
        .filter(|(flow, one)| flow.name == workflow && (job.is_empty() || one.name == job))
        .collect();
    if !of_workflow.is_empty() {
        return Ok(of_workflow);
    }
    let of_name: Vec<_> = all().filter(|(_, job)| job.name == name).collect();
    match of_name.len() {
        1 => Ok(of_name),
        0 => {
            let names: Vec<_> =
                all().map(|(flow, job)| format!("{}/{}", flow.name, job.name)).collect();
            Err(refuse(Fault::Usage, format!("no job {name}; there are {}", names.join(", "))))
        }
        _ => {
            let text = format!("several workflows have a job {name}; say WORKFLOW/{name}");
            Err(refuse(Fault::Usage, text))
        }
    }
}

/// Checks the workflows: our own rules, and those of the programs that are to be had.
pub(crate) fn check_workflows(ctx: &Ctx) -> Result<()> {
    let offences = offences(&workflow::read_all(&ctx.root)?);
    anyhow::ensure!(offences.is_empty(), "the workflows:\n{}", offences.join("\n"));
    let mut files: Vec<String> =
        glob::glob(&ctx.root.join(".github/workflows/*.yml").to_string_lossy())?
            .map(|file| Ok(file?.display().to_string()))
            .collect::<Result<_>>()?;
    files.sort();
    for (judge, args) in JUDGES {
        let found = match judge.provided(ctx) {
            Ok(found) => found,
            Err(error) => {
                ctx.children.check()?;
                eprintln!("   SKIPPED: {error:#}");
                continue;
            }
        };
        for file in &files {
            ctx.ask(&found.path, &[args, &[file.as_str()]].concat())?;
        }
        eprintln!("   {} {} has nothing to say", judge.name, found.version);
    }
    Ok(())
}

/// Everything about the workflows that our rules forbid.
fn offences(workflows: &[Workflow]) -> Vec<String> {
    let mut found = Vec::new();
    for workflow in workflows {
        for job in &workflow.jobs {
            if !job.writes.is_empty() && !OUTWARD.contains(&job.name.as_str()) {
                let what = job.writes.join(", ");
                found.push(format!("{}/{} may write {what}", workflow.name, job.name));
            }
            for step in &job.steps {
                let fault = match &step.action {
                    Action::Run(line) => command_fault(line),
                    Action::Uses(action) => pin_fault(action),
                };
                found.extend(fault.map(|fault| {
                    format!("{}/{}, step {}: {fault}", workflow.name, job.name, step.name)
                }));
            }
        }
    }
    found
}

/// A step is one command of ours, or rustup's.
fn command_fault(line: &str) -> Option<String> {
    let words = match workflow::words(line, &|_| Some("x86_64-unknown-linux-gnu".to_owned())) {
        Ok(words) => words,
        Err(text) => return Some(format!("`{line}`: {text}")),
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["rustup", "toolchain", "install"] | ["rustup", "target", "add", _] => None,
        ["cargo", "xtask", rest @ ..] => {
            let error = cli::Cli::try_parse_from([&["xtask"], rest].concat()).err()?;
            Some(format!("`{line}` is no command: {}", error.to_string().lines().next()?))
        }
        _ => Some(format!("`{line}` is neither `cargo xtask …` nor rustup's")),
    }
}

/// The jobs that others see something of; no other one may write.
const OUTWARD: [&str; 2] = ["propose", "publish"];

/// An action is pinned by a whole commit.
fn pin_fault(action: &str) -> Option<String> {
    let pinned = action.split_once('@').is_some_and(|(_, pin)| {
        pin.len() == 40 && pin.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    (!pinned).then(|| format!("{action} is not pinned by a commit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_a_command_that_exists() {
        let workflows = workflow::read_all(own_root()).unwrap();
        let names: Vec<_> = workflows.iter().map(|workflow| workflow.name.as_str()).collect();
        assert_eq!(names, ["ci", "pgo-check", "pgo-refresh", "release"]);
        assert_eq!(offences(&workflows), [""; 0]);
    }

    #[test]
    fn every_rule_finds_its_offence() {
        let text = "jobs:\n  a:\n    permissions: {contents: write}\n    steps: []\n";
        let workflow = workflow::parse("w", text).unwrap();
        assert_eq!(offences(&[workflow]), ["w/a may write contents"]);
        let fault = |line: &str| command_fault(line).unwrap_or_default();
        assert_eq!(fault("cargo xtask build-pgo --target \"$TARGET\""), "");
        assert!(fault("cargo xtask build-pog").contains("is no command"));
        assert!(fault("cargo xtask ci matrix --jib x").contains("is no command"));
        assert!(fault("cargo build").contains("is neither"));
        assert!(fault("cargo xtask ci | tee log").contains("needs a shell"));
        assert!(pin_fault("actions/checkout@v4").is_some());
        assert!(pin_fault("actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8").is_none());
    }

    #[test]
    fn jobs_are_found_by_either_name() {
        let workflows = workflow::read_all(own_root()).unwrap();
        let count = |name: &str| chosen(&workflows, name).map(|jobs| jobs.len()).unwrap_or(0);
        assert_eq!(
            (count("ci"), count("ci/test"), count("train"), count("release/build")),
            (2, 1, 1, 1)
        );
        assert_eq!((count("plan"), count("nothing")), (0, 0));
    }
}
