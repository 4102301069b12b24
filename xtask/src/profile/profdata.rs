//! Calls of llvm-profdata, each as one function from files to a checked result.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use xshell::{Cmd, cmd};

use crate::atomic;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::profile::facts::Facts;
use crate::toolchain::Toolchain;
use crate::words;

/// The merge of equally weighted raw profiles. `--failure-mode=any` refuses the lot when one of
/// them is bad: the other modes exit 0 and ship what is left.
pub(crate) fn merge_command<'a>(
    ctx: &'a Ctx,
    profdata: &Path,
    inputs: &[PathBuf],
    output: &Path,
) -> Cmd<'a> {
    cmd!(ctx.sh, "{profdata} merge --failure-mode=any -o {output} {inputs...}")
}

/// The merge of profiles with whole-number weights.
pub(crate) fn weighted_command<'a>(
    ctx: &'a Ctx,
    profdata: &Path,
    inputs: &[(u64, PathBuf)],
    output: &Path,
) -> Cmd<'a> {
    let weighted: Vec<String> = inputs
        .iter()
        .map(|(weight, path)| format!("--weighted-input={weight},{}", path.display()))
        .collect();
    cmd!(ctx.sh, "{profdata} merge --failure-mode=any -o {output} {weighted...}")
}

/// Runs a merge into `output`, whole or not at all.
pub(crate) fn run<'a>(
    ctx: &'a Ctx,
    fault: Fault,
    output: &Path,
    command: impl FnOnce(&Path) -> Cmd<'a>,
) -> Result<()> {
    atomic::replace(output, |temporary| {
        let command = Command::from(command(temporary));
        if ctx.verbose {
            eprintln!("   $ {}", words::of(&command));
        }
        let (finished, _stdout) = ctx.run_any(command, "merge")?;
        if finished.code == 0 {
            // An equal profile keeps its old time stamp, so that cargo need not build again.
            if std::fs::read(output).ok() == Some(std::fs::read(temporary)?) {
                let modified = std::fs::metadata(output)?.modified()?;
                std::fs::File::options().write(true).open(temporary)?.set_modified(modified)?;
            }
            return Ok(());
        }
        Err(refuse(fault, format!("llvm-profdata refused a profile: {}", cause(&finished.stderr))))
    })
}

/// What is inside the raw or merged profile at `path`. A file that llvm-profdata cannot read is
/// refused with `fault`.
pub(crate) fn facts(ctx: &Ctx, toolchain: &Toolchain, fault: Fault, path: &Path) -> Result<Facts> {
    let text = text(ctx, toolchain, fault, path)?;
    Facts::parse(&text).map_err(|text| refuse(fault, format!("{}: {text}", path.display())))
}

/// The same in LLVM's text form.
pub(crate) fn text(ctx: &Ctx, toolchain: &Toolchain, fault: Fault, path: &Path) -> Result<String> {
    let bad = |text: &str| refuse(fault, format!("{}: {text}", path.display()));
    let bytes = std::fs::metadata(path).map_err(|error| bad(&error.to_string()))?.len();
    if bytes == 0 {
        // llvm-profdata merges an empty file with exit code 0.
        return Err(bad(
            "the profile is empty (0 bytes): the program was killed before it could write",
        ));
    }
    let output = path.display().to_string();
    let answer = ctx.ask(&toolchain.profdata, &["merge", "--text", "-o", "-", &output]);
    answer.map_err(|error| {
        bad(&format!("llvm-profdata cannot read it ({})", cause(&error.to_string())))
    })
}

/// What llvm-profdata complains about: its warnings name the file and the reason, its error often
/// says only that nothing is left.
fn cause(stderr: &str) -> &str {
    let with = |word: &str| {
        let line = stderr.lines().find(|line| line.contains(word))?;
        Some(line.split_once(word)?.1.trim())
    };
    with("warning:").or_else(|| with("error:")).unwrap_or_else(|| stderr.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_first_warning_or_else_the_error() {
        let both = "warning: a.profraw: truncated profile data\nerror: no profile can be merged\n";
        assert_eq!(cause(both), "a.profraw: truncated profile data");
        assert_eq!(cause("error: b: No such file\n"), "b: No such file");
        assert_eq!(cause(" killed \n"), "killed");
    }
}
