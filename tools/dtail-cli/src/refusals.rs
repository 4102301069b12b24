//! Flags that are understood but not served by this build: one clear line each. Never a panic,
//! never silence.

use crate::arguments::{CommonArgs, ProfilingArgs};

/// Why the program does not start, if a flag asks for something this build does not have.
pub(crate) fn refusal(common: &CommonArgs) -> Option<String> {
    profiling(&common.profiling)
}

fn profiling(args: &ProfilingArgs) -> Option<String> {
    let asked_for = [
        ("--cpuprofile", args.cpuprofile),
        ("--memprofile", args.memprofile),
        ("--profile", args.profile),
        ("--profiledir", args.profiledir.is_some()),
        ("--pprof", args.pprof.as_ref().is_some_and(|address| !address.is_empty())),
    ];
    let (flag, _) = asked_for.into_iter().find(|(_, asked)| *asked)?;
    Some(format!("{flag}: this build has no profiler, leave it out"))
}
