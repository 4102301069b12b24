//! dmap beside the engines people would use instead: the contests of `bench dmap`, their data and
//! their bars.

use std::path::Path;

use anyhow::Result;

use crate::bench::answers::Order;
use crate::bench::contest::{Contest, Sink, against};
use crate::bench::engines::{Engine, Engines, Work};
use crate::bench::figure::{Figure, Unit};
use crate::bench::logs;
use crate::bench::peers::{Kind, Peers};
use crate::bench::searching::Collected;
use crate::bench::stage::Stage;
use crate::compare::hyperfine::Arm;
use crate::toolchain::in_path;
use crate::words;
use crate::workload::generate::Generator;
use crate::workload::inputs::Compression;

/// Found by hand: most of them are modules of python.
pub(crate) const PEERS: [Kind; 0] = [];
/// Starts take milliseconds, so many are cheap.
const START_ROUNDS: u32 = 5;
/// Ten million groups take seconds.
const GROUP_ROUNDS: u32 = 3;
/// Bytes of the log for each group that is wanted: 1 GB makes ten million.
const BYTES_PER_GROUP: u64 = 100;
/// In one of a thousand lines of a service log.
const RARE: &str = "user777 performed sync";

/// A group-by over the large log and the most that its time may be of each engine's.
struct GroupBy {
    name: &'static str,
    generator: Generator,
    work: Work,
    limit: f64,
}

const GROUP_BYS: [GroupBy; 3] = [
    GroupBy { name: "MAPREDUCE", generator: Generator::Mapreduce, work: Work::Stats, limit: 0.4 },
    GroupBy { name: "CSV", generator: Generator::Csv, work: Work::Csv, limit: 0.5 },
    GroupBy { name: "JSON lines", generator: Generator::Json, work: Work::Json, limit: 0.6 },
];

/// The figures of all queries; `data_size` is that of the large logs, in bytes. `peers` are
/// programs that take DTail's flags.
pub(crate) fn figures(stage: &Stage<'_>, peers: &Peers, data_size: u64) -> Result<Vec<Figure>> {
    let program = stage.program("dmap")?;
    let engines = Engines::find(stage)?;
    let mut all = Collected { figures: engines.missing(), memory: None };
    for group_by in &GROUP_BYS {
        compare(stage, &engines, &program, data_size, group_by, &mut all)?;
    }
    of_dtail(stage, peers, &program, data_size, &mut all)?;
    rare(stage, &program, data_size, &mut all)?;
    many_groups(stage, &engines, &program, data_size, &mut all)?;
    small(stage, &program, &mut all)?;
    for how in [Compression::Gzip, Compression::Zstd] {
        compressed(stage, &program, how, data_size / 10, &mut all)?;
    }
    all.finish(f64::INFINITY)
}

/// Our dmap with a query.
pub(crate) fn dmap(program: &str, query: &str, file: &Path) -> Arm {
    let file = file.display().to_string();
    let words = [program, "--cfg", "none", "--output", "csv", "--query", query, file.as_str()];
    Arm { name: "dmap".to_owned(), words: words.map(str::to_owned).to_vec() }
}

fn compare(
    stage: &Stage<'_>,
    engines: &Engines,
    program: &str,
    data_size: u64,
    group_by: &GroupBy,
    all: &mut Collected,
) -> Result<()> {
    let GroupBy { name, generator, work, limit } = group_by;
    if !stage.wants(name) {
        return Ok(());
    }
    let log = logs::of(stage, *generator, data_size)?;
    let mut arms = vec![dmap(program, work.query(), &log)];
    arms.extend(engines.arms(*work, &log));
    if *work == Work::Stats {
        // Who does not know the order of keys has to look for them; that is what dmap does.
        arms.extend(engines.arms(Work::StatsAnyOrder, &log));
    }
    let bar = |arm: &Arm| if arm.name.ends_with("any order") { f64::INFINITY } else { *limit };
    all.hold(stage, &Contest::new(name, arms), Order::Free, &bar)
}

/// Beside programs that take DTail's flags, such as DTail's own dmap: results go to an outfile,
/// which is the only form that all have.
fn of_dtail(
    stage: &Stage<'_>,
    peers: &Peers,
    program: &str,
    data_size: u64,
    all: &mut Collected,
) -> Result<()> {
    const NAME: &str = "MAPREDUCE, DTail's flags";
    if !stage.wants(NAME) {
        return Ok(());
    }
    let named: Vec<(&str, String)> = peers
        .of(&[Kind::Ripgrep])
        .map(|peer| (peer.name.as_str(), peer.path.display().to_string()))
        .collect();
    if named.is_empty() {
        let why = "no other dmap was named: --peer fork=/path/to/dmap";
        all.figures.push(Figure::skipped(NAME, why));
        return Ok(());
    }
    let log = logs::of(stage, Generator::Mapreduce, data_size)?.display().to_string();
    let ours = std::iter::once(("dmap", program.to_owned()));
    let mut arms = Vec::new();
    for (name, path) in ours.chain(named) {
        let outfile = stage.folder.join(format!("{name}.csv"));
        let query = format!("{} outfile {}", Work::Stats.query(), outfile.display());
        let words = [&path, "--cfg", "none", "--plain", "--noColor", "--files", &log, "--query"];
        let words = words.into_iter().map(str::to_owned).chain([query]).collect();
        arms.push(Arm { name: name.to_owned(), words });
    }
    let contest = Contest::new(NAME, arms);
    let outcomes = contest.run(stage, &stage.folder)?;
    let rows = |arm: &Arm| -> Result<Vec<String>> {
        let text = std::fs::read_to_string(stage.folder.join(format!("{}.csv", arm.name)))?;
        let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
        rows.sort_unstable();
        Ok(rows)
    };
    let expected = rows(&contest.arms[0])?;
    for arm in &contest.arms[1..] {
        anyhow::ensure!(rows(arm)? == expected, "{}: another result than ours", arm.name);
    }
    all.figures.extend(against(NAME, &contest.arms, &outcomes, &|_| 1.0 / 15.0));
    Ok(())
}

/// A condition that one line of a thousand meets, beside ripgrep counting these lines.
fn rare(stage: &Stage<'_>, program: &str, data_size: u64, all: &mut Collected) -> Result<()> {
    const NAME: &str = "where, 0.1 %";
    let log = logs::service(stage, data_size)?;
    let query = format!("select count($line) where $line contains \"{RARE}\" logformat generic");
    let mut arms = vec![dmap(program, &query, &log)];
    match in_path("rg") {
        Some(ripgrep) => {
            let words = [
                &ripgrep.display().to_string(),
                "--no-config",
                "--count",
                RARE,
                &log.display().to_string(),
            ];
            // The title that dmap prints costs a shell, a thousandth of what is measured.
            let line = format!("echo 'count($line)'; {}", words::join(words.map(str::to_owned)));
            let words = vec!["sh".to_owned(), "-c".to_owned(), line];
            arms.push(Arm { name: "rg".to_owned(), words });
        }
        None => {
            let why = "no rg here: apt-get install ripgrep";
            all.figures.push(Figure::skipped(&format!("{NAME} / rg"), why));
        }
    }
    all.hold(stage, &Contest::new(NAME, arms), Order::Fixed, &|_| 1.5)
}

/// As many groups as lines: told are times and memory, and memory has a bar.
fn many_groups(
    stage: &Stage<'_>,
    engines: &Engines,
    program: &str,
    data_size: u64,
    all: &mut Collected,
) -> Result<()> {
    let groups = data_size / BYTES_PER_GROUP;
    let name = format!("{groups} groups");
    if !stage.wants(&name) {
        return Ok(());
    }
    let log = logs::lines(stage, Generator::Mapreduce, groups)?;
    let mut arms = vec![dmap(program, Work::Groups.query(), &log)];
    arms.extend(engines.arms(Work::Groups, &log));
    let contest = Contest::new(&name, arms);
    let folder = stage.folder.clone();
    let stage = &Stage { rounds: stage.rounds.min(GROUP_ROUNDS), folder, ..*stage };
    let outcomes = all.hold_and_keep(stage, &contest, Order::Fixed, &|_| f64::INFINITY)?;
    let Some(outcomes) = outcomes else { return Ok(()) };
    let Some(ours) = outcomes.memory() else { return Ok(()) };
    for (number, arm) in contest.arms.iter().enumerate() {
        let Some(theirs) = outcomes.memory_of(number) else { continue };
        let note = format!("{ours:.0} MB against {theirs:.0} MB of {}", arm.name);
        match number {
            0 => all.figures.push(Figure::single(
                &format!("{name}, memory"),
                ours,
                f64::INFINITY,
                Unit::Megabytes,
                "",
            )),
            _ => all.figures.push(Figure::single(
                &format!("{name}, memory / {}", arm.name),
                ours / theirs,
                if arm.name == Engine::DuckDb.name() { 1.2 } else { f64::INFINITY },
                Unit::Ratio,
                &note,
            )),
        }
    }
    Ok(())
}

/// From start to exit: ten kilobytes hold little to do.
fn small(stage: &Stage<'_>, program: &str, all: &mut Collected) -> Result<()> {
    const NAME: &str = "10 KB, start to exit";
    const BYTES: u64 = 10_000;
    let log = logs::of(stage, Generator::Mapreduce, BYTES)?;
    let mut arms = vec![dmap(program, Work::Stats.query(), &log)];
    match in_path("mawk") {
        Some(mawk) => {
            let script = "BEGIN{print T} $10==\"MAPREDUCE:STATS\"{h=substr($11,10);n[h]++;\
                          s[h]+=substr($12,20);v=substr($13,21)+0;if(v>m[h])m[h]=v}\
                          END{for(h in n)printf \"%d,%.6f,%.6f,%s\\n\",n[h],s[h]/n[h],m[h],h}";
            let titles = format!("T={}", Work::Stats.titles());
            let (mawk, log) = (mawk.display().to_string(), log.display().to_string());
            let words = [mawk.as_str(), "-F", "|", "-v", titles.as_str(), script, log.as_str()];
            let words = words.map(str::to_owned).to_vec();
            arms.push(Arm { name: "mawk".to_owned(), words });
        }
        None => {
            let why = "no mawk here: apt-get install mawk";
            all.figures.push(Figure::skipped(&format!("{NAME} / mawk"), why));
        }
    }
    let stage =
        Stage { rounds: stage.rounds * START_ROUNDS, folder: stage.folder.clone(), ..*stage };
    all.hold(&stage, &Contest::new(NAME, arms), Order::Free, &|_| 1.5)
}

/// Beside the usual program that does nothing but decompress, both to /dev/null.
fn compressed(
    stage: &Stage<'_>,
    program: &str,
    how: Compression,
    bytes: u64,
    all: &mut Collected,
) -> Result<()> {
    let (name, tool) = match how {
        Compression::Zstd => ("zstd", "zstd"),
        _ => ("gzip", "gzip"),
    };
    let log = logs::packed_of(stage, Generator::Mapreduce, how, bytes)?;
    let mut arms = vec![dmap(program, Work::Stats.query(), &log)];
    match in_path(tool) {
        Some(path) => {
            let words = [&path.display().to_string(), "-dc", &log.display().to_string()];
            arms.push(Arm {
                name: format!("{tool} -dc"),
                words: words.map(str::to_owned).to_vec(),
            });
        }
        None => {
            let why = format!("no {tool} here");
            all.figures.push(Figure::skipped(&format!("{name} / {tool} -dc"), why));
        }
    }
    let contest = Contest { sink: Sink::Null, ..Contest::new(name, arms) };
    all.hold(stage, &contest, Order::Fixed, &|_| 1.1)
}
