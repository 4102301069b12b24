//! Flags that are understood but not served by this build: one clear line each. Never a panic,
//! never silence.

use crate::arguments::{CommonArgs, ProfilingArgs, RemoteArgs};

/// Why the program does not start, if a flag asks for something this build does not have.
pub(crate) fn refusal(common: &CommonArgs) -> Option<String> {
    remote(&common.remote).or_else(|| profiling(&common.profiling))
}

fn remote(args: &RemoteArgs) -> Option<String> {
    let asks = |value: &Option<String>| {
        value.as_ref().is_some_and(|it| !it.is_empty() && !it.eq_ignore_ascii_case("serverless"))
    };
    if asks(&args.servers) || asks(&args.discovery) {
        let flag = if asks(&args.servers) { "--servers" } else { "--discovery" };
        return Some(format!("{flag}: this build reads local files only, leave it out"));
    }
    args.interactive_query.then(|| {
        "--interactive-query: this build has no interactive sessions, leave it out".to_owned()
    })
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
