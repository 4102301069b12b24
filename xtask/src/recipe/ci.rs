//! `ci`: the list of what CI runs. Workflows and `.ci/run` call it and nothing else.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use xshell::cmd;

use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::recipe::{ci_cases, ci_gates, ci_jobs, ci_portability, ci_workspace, codegen, own_root};
use crate::toolchain::{self, Need};
use crate::{report, tidy, words};

const STEPS: [&str; 7] = ["fmt", "clippy", "test", "cases", "tidy", "workflows", "pgo"];
/// Steps that run only when they are named: what they need is not always there.
const NAMED_STEPS: [&str; 2] = ["portability", "workspace"];

/// Runs the named steps, or all of them.
pub(crate) fn ci(steps: &[String]) -> Result<()> {
    let known = [&STEPS[..], &NAMED_STEPS].concat();
    if let Some(unknown) = steps.iter().find(|step| !known.contains(&step.as_str())) {
        let text = format!("no CI step {unknown}; the steps are {}", known.join(", "));
        return Err(refuse(Fault::Usage, text));
    }
    let ctx = Ctx::new(own_root(), Path::new("target/ci"), true, None)?;
    let wanted = |step: &str| match steps.is_empty() {
        true => STEPS.contains(&step),
        false => steps.iter().any(|wanted| wanted == step),
    };
    let result = known
        .iter()
        .filter(|step| wanted(step))
        .try_for_each(|step| ctx.stage(step, || run(&ctx, step)));
    report::print_stages(&ctx);
    result
}

fn run(ctx: &Ctx, step: &str) -> Result<()> {
    let sh = &ctx.sh;
    let command = match step {
        "fmt" => {
            toolchain::cargo_component(ctx, "fmt", "rustfmt")?;
            cmd!(sh, "cargo fmt --all --check")
        }
        "clippy" => {
            toolchain::cargo_component(ctx, "clippy", "clippy")?;
            cmd!(sh, "cargo clippy --workspace --all-targets --locked -- --deny warnings")
        }
        "test" => {
            toolchain::openssh(ctx)?;
            // Without a hyperfine some tests say so and do half of what they could.
            toolchain::preflight(ctx, Need::Comparison, true)?;
            // Tests wait for servers and children half of their time.
            let threads = (2 * std::thread::available_parallelism()?.get()).to_string();
            cmd!(sh, "cargo test --workspace --locked --no-fail-fast -- --test-threads {threads}")
        }
        "cases" => return ci_cases::run(ctx),
        "tidy" => return tidy::tidy().and_then(|()| codegen::generate(ctx, true)),
        "portability" => return ci_portability::run(ctx),
        "workspace" => return ci_workspace::run(ctx),
        "workflows" => return ci_jobs::check_workflows(ctx),
        _ => return ci_gates::run(ctx),
    };
    let command = Command::from(command);
    let line = words::of(&command);
    eprintln!("   $ {line}");
    let (finished, stdout) = ctx.run_any(command, step)?;
    // Which tests failed stands in the output, so it is printed whatever the exit code.
    print!("{stdout}");
    anyhow::ensure!(finished.code == 0, "`{line}` exited with {}", finished.code);
    Ok(())
}
