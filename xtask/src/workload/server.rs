//! Servers as data: how `workloads/servers.toml` says that a server is prepared and started, and
//! how its clients reach it. Starts nothing; `fixture` does.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::workload::window::Window;
use crate::workload::{Case, Workload, once};

/// A server and everything around it. Texts may hold `{fixture}`, the server's own folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    /// The tool that serves.
    pub(crate) tool: String,
    pub(crate) args: Vec<String>,
    /// A line on the server's standard error that begins so says that it takes connections; the
    /// rest of that line is what `{server}` stands for.
    pub(crate) ready: String,
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// File name in `{fixture}` → content, written before anything runs.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    /// Commands that run before the server starts, one after the other.
    #[serde(default)]
    pub(crate) prepare: Vec<Step>,
    /// What every client of this server gets before its own arguments.
    #[serde(default)]
    pub(crate) client_args: Vec<String>,
    #[serde(default)]
    pub(crate) client_env: BTreeMap<String, String>,
}

/// One command of the preparation: a tool of the workspace or a program from PATH.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) tool: Option<String>,
    pub(crate) program: Option<String>,
    pub(crate) args: Vec<String>,
}

/// Clients that drive a server that is trained or measured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Clients {
    pub(crate) tool: String,
    pub(crate) args: Vec<String>,
    /// The input that standard input is read from.
    pub(crate) stdin: Option<String>,
    /// How many of them run at the same time, and at the same time as all others of the case.
    #[serde(default = "once")]
    pub(crate) count: u32,
    /// How often each of them runs, one after the other.
    #[serde(default = "once")]
    pub(crate) repeat: u32,
    #[serde(default = "super::exit_zero")]
    pub(crate) exit: Vec<i32>,
}

impl Clients {
    /// Whether they follow the growing file.
    pub(crate) fn follow(&self) -> bool {
        self.args.iter().any(|arg| arg.contains("{growing}"))
    }
}

impl Server {
    fn check(&self) -> Result<(), String> {
        if self.ready.is_empty() {
            return Err("ready must not be empty".to_owned());
        }
        for step in &self.prepare {
            if step.tool.is_some() == step.program.is_some() {
                return Err("a step of prepare names either a tool or a program".to_owned());
            }
        }
        for name in self.files.keys() {
            let inside = name.split('/').all(|part| !["", ".", ".."].contains(&part));
            if !inside {
                return Err(format!("file {name} is not inside the server's folder"));
            }
        }
        Ok(())
    }
}

/// Checks what a case says about its server.
pub(super) fn check(
    tool: &Workload,
    case: &Case,
    servers: &BTreeMap<String, Server>,
) -> Result<(), String> {
    let args = || case.args.iter().chain(case.clients.iter().flat_map(|clients| &clients.args));
    let uses = |name: &str| args().any(|arg| arg.contains(name));
    let runs_once = case.clients.iter().all(|it| it.repeat == 1 && !it.follow());
    if case.window == Window::Steady && (case.clients.is_empty() || !runs_once) {
        return Err(
            "a steady window is one of a server with clients that each run once and follow nothing"
                .to_owned(),
        );
    }
    let Some(name) = &case.server else {
        if !case.clients.is_empty() || uses("{server}") || uses("{fixture}") {
            return Err("clients, {server} and {fixture} need `server = …`".to_owned());
        }
        return Ok(());
    };
    let Some(server) = servers.get(name) else {
        return Err(format!("no server named {name} in {}", super::SERVERS_FILE));
    };
    server.check().map_err(|text| format!("server {name}: {text}"))?;
    if case.clients.is_empty() {
        return Ok(());
    }
    if server.tool != tool.tool {
        return Err(format!("clients drive {}, but server {name} is {}", tool.tool, server.tool));
    }
    if case.stdin.is_some() || uses_growing(&case.args) {
        return Err("a server reads no standard input and follows no file of its own".to_owned());
    }
    if case.clients.iter().any(|clients| clients.count == 0 || clients.repeat == 0) {
        return Err("count and repeat of clients must be above 0".to_owned());
    }
    let followers = case.clients.iter().filter(|clients| clients.follow());
    let followers: Vec<_> = followers.map(|clients| clients.count * clients.repeat).collect();
    if followers.len() > 1 || followers.iter().any(|runs| *runs != 1) {
        return Err("one client run follows {growing}, because it sets the pace".to_owned());
    }
    Ok(())
}

fn uses_growing(args: &[String]) -> bool {
    args.iter().any(|arg| arg.contains("{growing}"))
}

/// The tools that run beside the program of `case`, and therefore are needed in the baseline
/// flavour.
pub(super) fn companions<'a>(
    case: &'a Case,
    servers: &'a BTreeMap<String, Server>,
) -> BTreeSet<&'a str> {
    let server = case.server.as_ref().and_then(|name| servers.get(name));
    let serving = server.map(|server| server.tool.as_str());
    let preparing = server.into_iter().flat_map(|server| &server.prepare);
    let preparing = preparing.filter_map(|step| step.tool.as_deref());
    let asking = case.clients.iter().map(|clients| clients.tool.as_str());
    serving.into_iter().chain(preparing).chain(asking).collect()
}
