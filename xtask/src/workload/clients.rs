//! Clients that drive a server: all of a case at the same time, each one's output digested by
//! itself, so that the sum of them does not depend on who came first.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::child::{Children, Finished};
use crate::digest::Digest;
use crate::workload::case::{Heard, execute};
use crate::workload::follow::Growing;
use crate::workload::window::Watch;

/// One client's runs, one after the other.
pub(crate) struct Call {
    /// How a message names it.
    pub(crate) name: String,
    pub(crate) commands: Vec<Command>,
    pub(crate) stdin: Option<std::path::PathBuf>,
    /// Exit codes that are right.
    pub(crate) exit: Vec<i32>,
    pub(crate) follows: bool,
}

/// What all clients of a case did.
#[derive(Default)]
pub(crate) struct Told {
    /// Over exit code and output digest of each run, in the order of the case file.
    pub(crate) digest: Digest,
    /// What the clients printed, in bytes.
    pub(crate) bytes: u64,
    /// The first thing that went wrong.
    pub(crate) fault: Option<String>,
}

/// What a follower among the clients follows: how the file grows, its source, its folder.
pub(crate) type Following<'a> = Option<(&'a Growing, &'a Path, &'a Path)>;

type Runs = Vec<(Digest, Finished)>;

/// Runs all calls at the same time.
pub(crate) fn drive(
    children: &Children,
    calls: Vec<Call>,
    following: Following<'_>,
    watch: Option<&Arc<Watch>>,
    limit: Duration,
) -> Result<Told> {
    let described: Vec<_> = calls.iter().map(|c| (c.name.clone(), c.exit.clone())).collect();
    let results: Vec<Result<Runs>> = std::thread::scope(|scope| {
        let started: Vec<_> = calls
            .into_iter()
            .map(|call| scope.spawn(move || one(children, call, following, watch, limit)))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Runs>>| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a client's watcher failed")))
        };
        started.into_iter().map(join).collect()
    });
    let mut told = Told::default();
    for ((name, exit), runs) in described.iter().zip(results) {
        for (digest, finished) in runs? {
            told.bytes += digest.bytes();
            let code = finished.code;
            told.digest.update(format!("{name} {code} {}\n", digest.finish()).as_bytes());
            if told.fault.is_none() {
                told.fault = fault(name, exit, &finished);
            }
        }
    }
    Ok(told)
}

fn one(
    children: &Children,
    call: Call,
    following: Following<'_>,
    watch: Option<&Arc<Watch>>,
    limit: Duration,
) -> Result<Runs> {
    let following = following.filter(|_| call.follows);
    let stdin = call.stdin.as_deref();
    let mut runs = Vec::new();
    for mut command in call.commands {
        let ran = execute(
            children,
            &mut command,
            stdin,
            following,
            Heard { changing: None, watch },
            limit,
        );
        runs.push(ran.with_context(|| format!("client {}", call.name))?);
    }
    Ok(runs)
}

fn fault(name: &str, exit: &[i32], finished: &Finished) -> Option<String> {
    let last = finished.stderr.lines().last().unwrap_or_default();
    if finished.timed_out {
        return Some(format!("client {name} did not end ({last})"));
    }
    let code = finished.code;
    let wrong = !exit.contains(&code);
    wrong.then(|| format!("client {name} exited with {code}, allowed: {exit:?} ({last})"))
}
