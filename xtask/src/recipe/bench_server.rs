//! `bench server`: the figures of the distributed half, side by side in one sitting, each with the
//! bar it has to clear.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::bench::answers::{self, Order};
use crate::bench::contest::{Contest, against};
use crate::bench::figure::{Figure, Unit};
use crate::bench::sshd::{self, Sshd};
use crate::bench::stage::{Data, Host, Stage, ended_well};
use crate::bench::told::{Setting, tell};
use crate::bench::{crowd, faults, process};
use crate::cli;
use crate::compare::hyperfine::Arm;
use crate::ctx::Ctx;
use crate::lock::Lock;
use crate::recipe::bench_build::programs;
use crate::recipe::plan::own_root;
use crate::report;
use crate::toolchain::{self, Need};
use crate::{atomic, workload};

/// What the figures are made with.
const PROGRAMS: [&str; 5] = ["dcat", "dgrep", "dmap", "dtail", "dserver"];
/// What dmap is asked, and what a peer has to answer for the same log.
const QUERY: &str = "from STATS select count($line),avg(currentConnections),max(lifetimeConnections),hostname group by hostname order by count($line)";
/// The same for duckdb, told the columns so that it need not look for them; FILE is the log's path.
const DUCKDB: &str = "import duckdb; print(duckdb.sql(\"select h[10:], count(*), avg(cast(n[20:] as int)), max(cast(t[21:] as bigint)) from read_csv('FILE', delim='|', header=false, quote='', escape='', auto_detect=false, columns={'a': 'VARCHAR', 'b': 'VARCHAR', 'c': 'VARCHAR', 'd': 'VARCHAR', 'e': 'VARCHAR', 'f': 'VARCHAR', 'g': 'VARCHAR', 'i': 'VARCHAR', 'j': 'VARCHAR', 'k': 'VARCHAR', 'h': 'VARCHAR', 'n': 'VARCHAR', 't': 'VARCHAR'}) where k = 'MAPREDUCE:STATS' group by 1 order by 2 desc\").fetchall())";

/// Measures everything and fails when a bar was missed.
pub(crate) fn bench_server(options: &cli::BenchServer) -> Result<()> {
    let ctx = Ctx::new(own_root(), Path::new("target/pgo"), options.verbose, None)?;
    let _lock = Lock::take(&ctx.out_dir)?;
    let result = measure(&ctx, options);
    report::print_stages(&ctx);
    result
}

fn measure(ctx: &Ctx, options: &cli::BenchServer) -> Result<()> {
    let toolchain = ctx.stage("preflight", || toolchain::preflight(ctx, Need::Comparison, true))?;
    let hyperfine = toolchain.hyperfine.as_ref().context("preflight found no hyperfine")?;
    let (profile, folder) = (&options.cargo_profile, options.bin_dir.as_deref());
    let companions =
        ctx.stage("build", || programs(ctx, &toolchain.compiler, &PROGRAMS, profile, folder))?;
    let servers = workload::load(&ctx.root, &[], false)?.servers;
    let open = process::raise_file_limit()?;
    eprintln!("   {open} files may be open");
    let stage = Stage {
        ctx,
        hyperfine,
        companions: &companions,
        servers: &servers,
        folder: ctx.out_dir.join("bench"),
        rounds: options.rounds,
        only: &[],
    };
    atomic::fresh_dir(&stage.folder)?;
    let data = ctx.stage("data", || stage.data())?;
    let mut figures = ctx.stage("sessions", || sessions(&stage, &data, options))?;
    if faults::possible() {
        figures.extend(ctx.stage("crowd", || crowd::figures(&stage, &data))?);
        figures.extend(ctx.stage("stalled client", || faults::stalled(&stage, &data))?);
        figures.extend(ctx.stage("killed server", || faults::killed(&stage, &data))?);
    } else {
        figures.push(Figure::skipped("crowd, stalled client, killed server", "there is no /proc"));
    }
    let setting = Setting {
        bench: "server",
        cargo_profile: options.bin_dir.is_none().then(|| options.cargo_profile.clone()),
        hyperfine: Some(hyperfine.version.clone()),
        rounds: options.rounds,
        log_bytes: data.service.bytes,
    };
    tell(ctx, setting, figures, options.json.as_deref())
}

/// The figures of single sessions, ours and through OpenSSH.
fn sessions(stage: &Stage<'_>, data: &Data, options: &cli::BenchServer) -> Result<Vec<Figure>> {
    let served = stage.serve("sessions", |host| {
        let peers = sshd::beside(stage, |sshd| with_peers(stage, host, data, options, sshd))?;
        peers.or_else(|why| {
            eprintln!("   SKIPPED: {why}");
            let mut figures = vec![smallest(stage, host, data)?];
            for name in ["100 MB dcat", "grep", "group-by"] {
                figures.push(Figure::skipped(name, why.clone()));
            }
            Ok(figures)
        })
    })?;
    ended_well(served)
}

fn with_peers(
    stage: &Stage<'_>,
    host: &Host<'_>,
    data: &Data,
    options: &cli::BenchServer,
    sshd: &Sshd,
) -> Result<Vec<Figure>> {
    let (service, mapreduce) = (shown(&data.service.path), shown(&data.mapreduce.path));
    let mut figures = vec![smallest(stage, host, data)?];

    let mut cat = vec![
        ours(stage, host, "dcat", &["--plain", &service])?,
        Arm { name: "ssh cat".to_owned(), words: sshd.words(&["cat", &service]) },
    ];
    same_output(stage, host, &cat)?;
    if let Some(command) = &options.dtail_cat {
        let command = command.replace("{file}", &service);
        cat.push(Arm { name: "DTail's dcat".to_owned(), words: words_of_shell(&command) });
    }
    let outcomes = Contest::new("cat", cat).compare(stage, host.home, "100 MB dcat", 1.0)?;
    figures.extend(outcomes);

    let pattern = "user777";
    match sshd::first_installed(&["rg", "grep"]) {
        Some((name, program)) => {
            let program = shown(&program);
            let options = if name == "rg" { ["--no-config", "-N"] } else { ["-E", "-a"] };
            let remote = [&program, options[0], options[1], pattern, &service];
            let arms = vec![
                ours(stage, host, "dgrep", &["--plain", "--regex", pattern, &service])?,
                Arm { name: format!("ssh {name}"), words: sshd.words(&remote) },
            ];
            same_output(stage, host, &arms)?;
            figures.extend(Contest::new("grep", arms).compare(stage, host.home, "grep", 1.0)?);
        }
        None => figures.push(Figure::skipped("grep", "no rg and no grep here")),
    }
    match group_by_peer(stage, options, &mapreduce) {
        Some((name, peer)) => {
            let peer: Vec<&str> = peer.iter().map(String::as_str).collect();
            let arms = vec![
                ours(stage, host, "dmap", &["--query", QUERY, "--files", &mapreduce])?,
                Arm { name: name.to_owned(), words: sshd.words(&peer) },
            ];
            let contest = Contest::new("group-by", arms);
            figures.extend(contest.compare(stage, host.home, "group-by", 1.0)?);
        }
        None => figures.push(Figure::skipped(
            "group-by",
            "python3 has no duckdb: pip install duckdb, or give --group-by-peer COMMAND",
        )),
    }
    Ok(figures)
}

/// Connect, read a few lines, exit.
fn smallest(stage: &Stage<'_>, host: &Host<'_>, data: &Data) -> Result<Figure> {
    let arm = ours(stage, host, "dcat", &["--plain", &shown(&data.small.path)])?;
    let outcomes = Contest::new("smallest session", vec![arm]).run(stage, host.home)?;
    let time = outcomes.time(Unit::Milliseconds, 40.0);
    Ok(Figure::new("smallest session", time, "dcat of 100 lines, start to exit"))
}

/// The command that answers the same query on the host, and its name.
fn group_by_peer(
    stage: &Stage<'_>,
    options: &cli::BenchServer,
    log: &str,
) -> Option<(&'static str, Vec<String>)> {
    if let Some(command) = &options.group_by_peer {
        return Some(("ssh, the given peer", words_of_shell(&command.replace("{file}", log))));
    }
    let (_, python) = sshd::first_installed(&["python3"])?;
    sshd::python_has(stage, &python, "duckdb").then(|| {
        let script = DUCKDB.replace("FILE", log);
        ("ssh duckdb", vec![shown(&python), "-c".to_owned(), script])
    })
}

impl Contest {
    /// Runs the contest and tells its ratios. DTail's own arm has to be three times slower.
    fn compare(
        &self,
        stage: &Stage<'_>,
        home: &Path,
        figure: &str,
        limit: f64,
    ) -> Result<Vec<Figure>> {
        let outcomes = self.run(stage, home)?;
        let limit_of = |arm: &Arm| if arm.name.starts_with("DTail") { limit / 3.0 } else { limit };
        Ok(against(figure, &self.arms, &outcomes, &limit_of))
    }
}

/// Our arm: a client of the live server.
fn ours(stage: &Stage<'_>, host: &Host<'_>, tool: &'static str, own: &[&str]) -> Result<Arm> {
    let program = std::iter::once(stage.program(tool)?);
    Ok(Arm {
        name: tool.to_owned(),
        words: program.chain(host.args(&host.address(), own)).collect(),
    })
}

/// Arms that print other things than ours do other work: no contest.
fn same_output(stage: &Stage<'_>, host: &Host<'_>, arms: &[Arm]) -> Result<()> {
    let contest = Contest::new(&arms[0].name, arms.to_vec());
    answers::same(stage, host.home, &contest, Order::Fixed).map(|_bytes| ())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A command of the user's, for a shell.
fn words_of_shell(command: &str) -> Vec<String> {
    ["sh", "-c", command].map(str::to_owned).to_vec()
}
