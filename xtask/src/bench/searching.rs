//! dgrep beside the greps: the contests of `bench dgrep`, their data and their bars.

use anyhow::Result;

use crate::bench::answers::{self, Order};
use crate::bench::contest::{Contest, Outcomes, Sink, against};
use crate::bench::figure::{Figure, Unit};
use crate::bench::logs;
use crate::bench::peers::{Kind, Peer, Peers, Wanted, dgrep};
use crate::bench::stage::Stage;
use crate::compare::hyperfine::Arm;
use crate::workload::inputs::Compression;

/// Everything dgrep is measured beside.
pub(crate) const PEERS: [Kind; 5] =
    [Kind::Ripgrep, Kind::Grep, Kind::Ugrep, Kind::Zgrep, Kind::Zstdgrep];
const GREPS: [Kind; 3] = [Kind::Ripgrep, Kind::Grep, Kind::Ugrep];
/// A search without a match exits with 1.
const CODES: &[i32] = &[0, 1];
/// Whatever the file, in megabytes.
const MEMORY_LIMIT: f64 = 64.0;
/// Starts take milliseconds, so many are cheap.
const START_ROUNDS: u32 = 5;

/// A search of the large log and the most that its time may be of each peer's.
const SEARCHES: [(&str, Wanted<'_>, f64); 7] = [
    ("literal 0.001 %", Wanted::Expression("zzneedle"), 0.75),
    ("literal 1 %", Wanted::Expression("user777"), 0.75),
    ("literal 50 %", Wanted::Expression("INFO"), 0.75),
    ("alternation with .*", Wanted::Expression("(login|logout|backup) action .*failure"), 0.7),
    ("class", Wanted::Expression("duration: 4[0-9]{3}ms"), 0.7),
    ("case-insensitive", Wanted::IgnoringCase("USER777"), 0.7),
    ("three literals", Wanted::Expression("user777|zzneedle|failure"), 0.7),
];

/// What a bench of one program collects: its figures, and the most memory it ever had.
pub(crate) struct Collected {
    pub(crate) figures: Vec<Figure>,
    /// Megabytes, and in which contest.
    pub(crate) memory: Option<(f64, String)>,
}

/// The figures of all searches; `data_size` is the large log's, in bytes.
pub(crate) fn figures(stage: &Stage<'_>, peers: &Peers, data_size: u64) -> Result<Vec<Figure>> {
    let program = stage.program("dgrep")?;
    let mut all = Collected { figures: peers.missing(), memory: None };
    let log = logs::service(stage, data_size)?.display().to_string();
    for (name, wanted, limit) in &SEARCHES {
        // Only where much is printed does it matter who reads it.
        let reader = (*name == "literal 50 %").then_some(Sink::Reader);
        for sink in [Sink::Pipe, Sink::File].into_iter().chain(reader) {
            let files = std::slice::from_ref(&log);
            let name = format!("{name}, {}", sink.name());
            let arms = arms(&program, peers.of(&GREPS), wanted, files);
            let contest = Contest { sink, codes: CODES, ..Contest::new(&name, arms) };
            all.hold(stage, &contest, Order::Fixed, &|_| *limit)?;
        }
    }
    many_files(stage, peers, &program, &mut all)?;
    compressed(stage, peers, &program, data_size / 10, &mut all)?;
    start(stage, peers, &program, &mut all)?;
    all.finish(MEMORY_LIMIT)
}

fn arms<'a>(
    program: &str,
    peers: impl Iterator<Item = &'a Peer>,
    wanted: &Wanted<'_>,
    files: &[String],
) -> Vec<Arm> {
    let ours = std::iter::once(dgrep(program, wanted, files));
    ours.chain(peers.map(|peer| peer.search(wanted, files))).collect()
}

fn many_files(stage: &Stage<'_>, peers: &Peers, program: &str, all: &mut Collected) -> Result<()> {
    let (folder, names) = logs::small_files(stage)?;
    let wanted = Wanted::Expression("user777");
    let contest = Contest {
        folder: Some(folder),
        codes: CODES,
        ..Contest::new("10,000 small files", arms(program, peers.of(&GREPS), &wanted, &names))
    };
    // Those that search files in parallel print them in the order they finish.
    all.hold(stage, &contest, Order::Free, &|_| 1.0)
}

fn compressed(
    stage: &Stage<'_>,
    peers: &Peers,
    program: &str,
    bytes: u64,
    all: &mut Collected,
) -> Result<()> {
    for (name, how, script) in
        [("gzip", Compression::Gzip, Kind::Zgrep), ("zstd", Compression::Zstd, Kind::Zstdgrep)]
    {
        let file = logs::packed(stage, how, bytes)?.display().to_string();
        let (files, wanted) = ([file], Wanted::Expression("user777"));
        let kinds = [script, Kind::Ripgrep, Kind::Ugrep];
        let ours = std::iter::once(dgrep(program, &wanted, &files));
        let theirs = peers.of(&kinds).map(|peer| peer.search_compressed(&wanted, &files));
        let contest = Contest::new(name, ours.chain(theirs).collect());
        all.hold(stage, &contest, Order::Fixed, &|_| 0.9)?;
    }
    Ok(())
}

/// Start to exit: an empty file holds nothing to search.
fn start(stage: &Stage<'_>, peers: &Peers, program: &str, all: &mut Collected) -> Result<()> {
    let file = stage.folder.join("empty.log");
    crate::atomic::write(&file, b"")?;
    let files = [file.display().to_string()];
    let arms = arms(program, peers.of(&[Kind::Ripgrep]), &Wanted::Expression("user777"), &files);
    let contest = Contest { codes: CODES, ..Contest::new("start to exit, empty file", arms) };
    let stage =
        Stage { rounds: stage.rounds * START_ROUNDS, folder: stage.folder.clone(), ..*stage };
    all.hold(&stage, &contest, Order::Fixed, &|_| 1.2)
}

impl Collected {
    /// Checks that all arms answer alike, runs the contest and adds its ratios.
    pub(crate) fn hold(
        &mut self,
        stage: &Stage<'_>,
        contest: &Contest,
        order: Order,
        limit: &dyn Fn(&Arm) -> f64,
    ) -> Result<()> {
        self.hold_and_keep(stage, contest, order, limit).map(drop)
    }

    /// The same, for those who want more of what was measured; nothing if it was left out.
    pub(crate) fn hold_and_keep(
        &mut self,
        stage: &Stage<'_>,
        contest: &Contest,
        order: Order,
        limit: &dyn Fn(&Arm) -> f64,
    ) -> Result<Option<Outcomes>> {
        if !stage.wants(&contest.name) {
            return Ok(None);
        }
        stage.ctx.children.check()?;
        let home = &stage.folder;
        let bytes = answers::same(stage, home, contest, order)?;
        let names: Vec<&str> = contest.arms.iter().map(|arm| arm.name.as_str()).collect();
        eprintln!("   {}: {} ({bytes} bytes each)", contest.name, names.join(", "));
        let outcomes = contest.run(stage, home)?;
        self.note_memory(contest, &outcomes);
        if contest.arms.len() == 1 {
            let time = outcomes.time(Unit::Seconds, f64::INFINITY);
            self.figures.push(Figure::new(&contest.name, time, "no peer here"));
        }
        self.figures.extend(against(&contest.name, &contest.arms, &outcomes, limit));
        Ok(Some(outcomes))
    }

    /// Remembers the contest that needed the most memory.
    pub(crate) fn note_memory(&mut self, contest: &Contest, outcomes: &Outcomes) {
        if let Some(megabytes) = outcomes.memory()
            && self.memory.as_ref().is_none_or(|(most, _)| *most < megabytes)
        {
            self.memory = Some((megabytes, contest.name.clone()));
        }
    }

    /// All figures, with that of the memory.
    pub(crate) fn finish(mut self, limit: f64) -> Result<Vec<Figure>> {
        let name = "peak memory";
        self.figures.push(match self.memory {
            Some((most, contest)) => {
                let note = format!("largest in: {contest}");
                Figure::single(name, most, limit, Unit::Megabytes, &note)
            }
            None => Figure::skipped(name, "needs hyperfine 1.20 or newer"),
        });
        Ok(self.figures)
    }
}
