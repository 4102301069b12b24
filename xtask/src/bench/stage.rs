//! Where the figures are made: the programs, the data, the folder, and a live server with the
//! settings of `workloads/servers.toml`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::atomic;
use crate::ctx::Ctx;
use crate::registered::Found;
use crate::workload::fixture::{self, Companions, Fixture, Live, Served};
use crate::workload::generate::Generator;
use crate::workload::inputs::{Input, Recipe, make_one};
use crate::workload::placeholders;
use crate::workload::server::Server;

/// The entry of `workloads/servers.toml` with limits for a thousand sessions.
const SERVER: &str = "crowded-dserver";
/// Lines of about 100 MB of each generator.
const SERVICE_LINES: u64 = 1_050_000;
const MAPREDUCE_LINES: u64 = 740_000;
/// How long a server may live: longer than all that is done with one.
const LIFE: Duration = Duration::from_secs(1800);

/// What every figure needs.
pub(crate) struct Stage<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) hyperfine: &'a Found,
    pub(crate) companions: &'a Companions,
    pub(crate) servers: &'a BTreeMap<String, Server>,
    /// Everything that is made goes here.
    pub(crate) folder: PathBuf,
    pub(crate) rounds: u32,
    /// Contests are left out unless their names contain one of these; nothing: none is left out.
    pub(crate) only: &'a [String],
}

/// The logs that are read.
pub(crate) struct Data {
    pub(crate) service: Input,
    pub(crate) mapreduce: Input,
    /// A few lines.
    pub(crate) small: Input,
    /// The service log ten times over.
    pub(crate) gigabyte: PathBuf,
}

impl Stage<'_> {
    /// Whether a contest of that name is asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }

    /// Makes the logs; they are kept for the next time.
    pub(crate) fn data(&self) -> Result<Data> {
        let folder = self.ctx.out_dir.join("inputs");
        let make = |name: &str, generator, seed, lines| {
            let recipe = Recipe { generator, seed, scale: 1.0, compress: None, files: None };
            make_one(&folder, name, &recipe, lines)
        };
        let service = make("bench-service", Generator::Service, 901, SERVICE_LINES)?;
        let gigabyte = service.path.with_extension("x10.log");
        if std::fs::metadata(&gigabyte).map(|meta| meta.len()).ok() != Some(service.bytes * 10) {
            atomic::replace(&gigabyte, |temporary| {
                let bytes = std::fs::read(&service.path)?;
                let mut file = std::fs::File::create(temporary)?;
                (0..10).try_for_each(|_| file.write_all(&bytes))?;
                Ok(())
            })?;
        }
        Ok(Data {
            mapreduce: make("bench-mapreduce", Generator::Mapreduce, 902, MAPREDUCE_LINES)?,
            small: make("bench-small", Generator::Service, 903, 100)?,
            service,
            gigabyte,
        })
    }

    /// The program of `tool`, as a word of a command line.
    pub(crate) fn program(&self, tool: &str) -> Result<String> {
        Ok(self.companions.program(tool)?.display().to_string())
    }

    /// Starts a server named `name`, does `work`, and ends it.
    pub(crate) fn serve<T>(
        &self,
        name: &str,
        work: impl FnOnce(&Host<'_>) -> Result<T>,
    ) -> Result<Served<T>> {
        let server =
            self.servers.get(SERVER).with_context(|| format!("no server named {SERVER}"))?;
        let scratch = self.folder.join(name);
        let folder = fixture::folder(&scratch);
        let fill = |text: &str| Ok(text.replace("{fixture}", &folder.display().to_string()));
        let children = &self.ctx.children;
        let fixture = Fixture::prepare(server, &scratch, children, self.companions, &fill)?;
        let mut command = Command::new(self.companions.program(&server.tool)?);
        for arg in &server.args {
            command.arg(fill(arg)?);
        }
        fixture.serve(&mut command, LIFE, |live| {
            let port = live.address.rsplit_once(':').map_or("", |(_, port)| port);
            let port = port.parse().with_context(|| format!("no port in {}", live.address))?;
            work(&Host { server, live, port, home: &folder })
        })
    }
}

/// A live server as its clients see it.
pub(crate) struct Host<'a> {
    server: &'a Server,
    pub(crate) live: &'a Live,
    pub(crate) port: u16,
    /// The clients' home.
    pub(crate) home: &'a Path,
}

impl Host<'_> {
    /// The arguments of a client of `servers` (addresses, or a file of them), then its own.
    pub(crate) fn args(&self, servers: &str, own: &[&str]) -> Vec<String> {
        let fill = |arg: &String| match placeholders(arg).next() {
            Some("server") => servers.to_owned(),
            _ => arg.clone(),
        };
        let own = own.iter().map(|arg| (*arg).to_owned());
        self.server.client_args.iter().map(fill).chain(own).collect()
    }

    /// The address on 127.0.0.1, whatever the server listens on.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A client's command with its environment.
    pub(crate) fn client(&self, program: &str, servers: &str, own: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(self.args(servers, own)).env("HOME", self.home).env("SSH_AUTH_SOCK", "");
        command
    }
}

/// What is wrong with how a server ended, as an error.
pub(crate) fn ended_well<T>(served: Served<T>) -> Result<T> {
    let fault = served.fault("dserver");
    match (served.result, fault) {
        (Some(result), None) => Ok(result),
        (_, Some(fault)) => anyhow::bail!("{fault}"),
        (None, None) => anyhow::bail!("the server never took connections"),
    }
}
