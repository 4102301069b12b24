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

/// The merge of equally weighted profiles. `--failure-mode=any` refuses the lot when one of
/// them is bad: the other modes exit 0 and ship what is left.
pub(crate) fn merge_command<'a>(
    ctx: &'a Ctx,
    profdata: &Path,
    inputs: &[PathBuf],
    output: &Path,
) -> Cmd<'a> {
    // How many threads merge decides the order in the file, and a profile's bytes are its name.
    cmd!(ctx.sh, "{profdata} merge --failure-mode=any --num-threads=1 -o {output} {inputs...}")
}

/// The profile at `input` with all its counts multiplied.
pub(crate) fn scale_command<'a>(
    ctx: &'a Ctx,
    profdata: &Path,
    weight: u64,
    input: &Path,
    output: &Path,
) -> Cmd<'a> {
    let weighted = format!("{weight},{}", input.display());
    cmd!(ctx.sh, "{profdata} merge --failure-mode=any --weighted-input={weighted} -o {output}")
}

/// Where the multiplied copy of a profile goes.
pub(crate) fn scaled(path: &Path) -> PathBuf {
    path.with_extension("scaled.profdata")
}

/// Merges profiles with whole-number weights into `output`.
///
/// Each is multiplied by itself first. In a merge of several, llvm-profdata (LLVM 22) multiplies the
/// counters, but of the recorded values (targets of indirect calls, lengths of copies) only those
/// that an earlier input has too: the others keep their plain counts beside counters many times as
/// large, and the compiler takes hot indirect calls for cold ones.
pub(crate) fn merge_weighted(
    ctx: &Ctx,
    toolchain: &Toolchain,
    fault: Fault,
    inputs: &[(u64, PathBuf)],
    output: &Path,
) -> Result<()> {
    let profdata = &toolchain.profdata;
    let mut copies = Vec::new();
    for (weight, path) in inputs {
        let copy = scaled(path);
        run(ctx, fault, &copy, |to| scale_command(ctx, profdata, *weight, path, to))?;
        copies.push(copy);
    }
    run(ctx, fault, output, |to| merge_command(ctx, profdata, &copies, to))?;
    copies.iter().try_for_each(std::fs::remove_file)?;
    Ok(())
}

/// The text form of a profile, to standard output.
pub(crate) fn text_command<'a>(ctx: &'a Ctx, profdata: &Path, path: &Path) -> Cmd<'a> {
    cmd!(ctx.sh, "{profdata} merge --text -o - {path}")
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

/// The text form of the raw or merged profile at `path`.
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

/// Makes the merged profile `output` from a text form.
pub(crate) fn encode(
    ctx: &Ctx,
    toolchain: &Toolchain,
    fault: Fault,
    text: &str,
    output: &Path,
) -> Result<()> {
    let input = output.with_extension("proftext");
    atomic::write(&input, text.as_bytes())?;
    let inputs = [input];
    run(ctx, fault, output, |output| merge_command(ctx, &toolchain.profdata, &inputs, output))
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
    use crate::toolchain::Need;

    /// A profile of one function that called another one through a pointer.
    fn calls(target: &str, count: u64) -> String {
        format!(
            "# IR level Instrumentation Flag\n:ir\ncaller\n# Func Hash:\n7\n# Num Counters:\n1\n\
             # Counter Values:\n{count}\n# Num Value Kinds:\n1\n# ValueKind:\n0\n\
             # NumValueSites:\n1\n1\n{target}:{count}\n\n\
             {target}\n# Func Hash:\n8\n# Num Counters:\n1\n# Counter Values:\n{count}\n"
        )
    }

    #[test]
    fn a_weight_is_that_of_counters_and_of_recorded_values() {
        let dir = tempfile::tempdir().unwrap();
        let ctx = Ctx::new(crate::recipe::own_root(), dir.path(), false, None).unwrap();
        let Ok(toolchain) = crate::toolchain::preflight(&ctx, Need::Profiles, true) else {
            eprintln!("SKIPPED: no llvm-profdata, so no profiles are merged");
            return;
        };
        let encoded = |name: &str, text: String| {
            let path = dir.path().join(name);
            encode(&ctx, &toolchain, Fault::Quality, &text, &path).unwrap();
            path
        };
        let one = encoded("one.profdata", calls("first", 10));
        let two = encoded("two.profdata", calls("second", 100));
        let both = dir.path().join("both.profdata");
        merge_weighted(&ctx, &toolchain, Fault::Quality, &[(7, one), (3, two)], &both).unwrap();
        let text = text(&ctx, &toolchain, Fault::Quality, &both).unwrap();
        for expected in ["\n370\n", "\nfirst:70\n", "\nsecond:300\n"] {
            assert!(text.contains(expected), "no {expected:?} in {text}");
        }
        assert!(!scaled(&both.with_file_name("one.profdata")).exists());
    }

    #[test]
    fn the_reason_is_the_first_warning_or_else_the_error() {
        let both = "warning: a.profraw: truncated profile data\nerror: no profile can be merged\n";
        assert_eq!(cause(both), "a.profraw: truncated profile data");
        assert_eq!(cause("error: b: No such file\n"), "b: No such file");
        assert_eq!(cause(" killed \n"), "killed");
    }
}
