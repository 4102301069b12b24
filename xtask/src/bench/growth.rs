//! How cost grows with the size of a log and with the number of patterns: ours and its peers, as a
//! table and as plots. There are no bars here, only figures to look at.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::atomic;
use crate::bench::aggregating::dmap;
use crate::bench::answers::{self, Order};
use crate::bench::contest::{Contest, Outcomes};
use crate::bench::engines::{Engines, Work};
use crate::bench::logs;
use crate::bench::peers::{Kind, Peers, Wanted, dgrep};
use crate::bench::plot::{self, Line};
use crate::bench::printing::dcat;
use crate::bench::stage::Stage;
use crate::compare::hyperfine::Arm;
use crate::report::table::Table;
use crate::workload::generate::Generator;

/// The numbers of patterns that are searched for at once.
const PATTERNS: [usize; 4] = [1, 10, 100, 1000];
/// Fewer rounds than for a bar: lines over decades do not need more.
const ROUNDS: u32 = 5;

const SECONDS: &str = "s";

/// What grows, and the median seconds of each arm at each step.
struct Series {
    /// What is measured: `s` or `MB`.
    unit: &'static str,
    /// `size` or `patterns`: part of the file names.
    key: &'static str,
    title: String,
    across: &'static str,
    arms: Vec<String>,
    /// The step with one time for each arm.
    steps: Vec<(f64, Vec<f64>)>,
}

/// Measures how dgrep's cost grows; `data_size` is the size of the usual log in bytes. Returns
/// the files that were written.
pub(crate) fn of_dgrep(stage: &Stage<'_>, peers: &Peers, data_size: u64) -> Result<Vec<PathBuf>> {
    let program = stage.program("dgrep")?;
    let arms = |wanted: &Wanted<'_>, log: &str| -> Vec<Arm> {
        let files = [log.to_owned()];
        let ours = std::iter::once(dgrep(&program, wanted, &files));
        let kinds = [Kind::Ripgrep, Kind::Grep];
        ours.chain(peers.of(&kinds).map(|peer| peer.search(wanted, &files))).collect()
    };
    let by_size = by_size(stage, "dgrep user777", data_size, &|log| {
        arms(&Wanted::Expression("user777"), log)
    })?;
    let log = logs::service(stage, data_size)?.display().to_string();
    let mut by_patterns = Series {
        unit: SECONDS,
        key: "patterns",
        title: format!("dgrep, plain texts in {}", size(data_size as f64)),
        across: "patterns",
        arms: Vec::new(),
        steps: Vec::new(),
    };
    for count in PATTERNS {
        let words = logs::words(stage, count)?.display().to_string();
        by_patterns.step(stage, count as f64, arms(&Wanted::Texts(&words), &log))?;
    }
    write(stage, "dgrep", &[by_size, by_patterns])
}

/// Measures how dcat's cost grows with the size of a log.
pub(crate) fn of_dcat(stage: &Stage<'_>, peers: &Peers, data_size: u64) -> Result<Vec<PathBuf>> {
    let program = stage.program("dcat")?;
    let plain = by_size(stage, "dcat --plain", data_size, &|log| {
        let files = [log.to_owned()];
        let ours = std::iter::once(dcat(&program, &["--plain"], &files));
        ours.chain(peers.of(&[Kind::Cat]).map(|peer| peer.print(&files))).collect()
    })?;
    write(stage, "dcat", &[plain])
}

/// Measures how dmap's time and memory grow with the size of a log of DTail's lines.
pub(crate) fn of_dmap(stage: &Stage<'_>, _: &Peers, data_size: u64) -> Result<Vec<PathBuf>> {
    let program = stage.program("dmap")?;
    let engines = Engines::find(stage)?;
    let series = |unit, key, title: &str| Series {
        unit,
        key,
        title: title.to_owned(),
        across: "bytes",
        arms: Vec::new(),
        steps: Vec::new(),
    };
    let mut time = series(SECONDS, "size", "dmap, count, avg and max by host");
    let mut memory = series("MB", "memory", "dmap, memory");
    let mut groups = series("MB", "groups", "dmap, as many groups as lines, memory");
    let mut groups_time = series(SECONDS, "groups-time", "dmap, as many groups as lines");
    for bytes in &sizes(data_size)[1..] {
        let log = logs::of(stage, Generator::Mapreduce, *bytes)?;
        let work = [(Work::Stats, &mut time, Some(&mut memory))];
        // Five times as many groups would fill the memory of the machine.
        let many =
            (*bytes <= data_size).then_some((Work::Groups, &mut groups_time, Some(&mut groups)));
        for (work, time, memory) in work.into_iter().chain(many) {
            let ours = std::iter::once(dmap(&program, work.query(), &log));
            let arms = ours.chain(engines.arms(work, &log)).collect();
            let outcomes = time.step_in(stage, *bytes as f64, arms, Order::Free)?;
            let most: Option<Vec<f64>> =
                (0..time.arms.len()).map(|arm| outcomes.memory_of(arm)).collect();
            if let (Some(memory), Some(most)) = (memory, most) {
                memory.arms.clone_from(&time.arms);
                memory.steps.push((*bytes as f64, most));
            }
        }
        if *bytes > data_size {
            forget(&log)?;
        }
    }
    let all = [time, memory, groups_time, groups];
    write(stage, "dmap", &all.into_iter().filter(|one| !one.steps.is_empty()).collect::<Vec<_>>())
}

/// The largest log is of no use to anything else.
fn forget(log: &Path) -> Result<()> {
    std::fs::remove_file(log).context("cannot remove the largest log")?;
    Ok(std::fs::remove_file(log.with_added_extension("sha256"))?)
}

/// A hundredth, a tenth, the usual size and five times as much: 10 MB to 5 GB.
fn sizes(data_size: u64) -> [u64; 4] {
    [data_size / 100, data_size / 10, data_size, data_size * 5]
}

fn by_size(
    stage: &Stage<'_>,
    title: &str,
    data_size: u64,
    arms: &dyn Fn(&str) -> Vec<Arm>,
) -> Result<Series> {
    let mut series = Series {
        unit: SECONDS,
        key: "size",
        title: title.to_owned(),
        across: "bytes",
        arms: Vec::new(),
        steps: Vec::new(),
    };
    for bytes in sizes(data_size) {
        let log = logs::service(stage, bytes)?;
        series.step(stage, bytes as f64, arms(&log.display().to_string()))?;
        if bytes > data_size {
            forget(&log)?;
        }
    }
    Ok(series)
}

impl Series {
    /// Measures one step and adds it.
    fn step(&mut self, stage: &Stage<'_>, at: f64, arms: Vec<Arm>) -> Result<()> {
        self.step_in(stage, at, arms, Order::Fixed).map(drop)
    }

    /// The same for answers whose lines have an order, or none.
    fn step_in(
        &mut self,
        stage: &Stage<'_>,
        at: f64,
        arms: Vec<Arm>,
        order: Order,
    ) -> Result<Outcomes> {
        stage.ctx.children.check()?;
        self.arms = arms.iter().map(|arm| arm.name.clone()).collect();
        let name = format!("growth of {}, {at}", self.title);
        let contest = Contest { codes: &[0, 1], ..Contest::new(&name, arms) };
        answers::same(stage, &stage.folder, &contest, order)?;
        eprintln!("   {name}");
        let stage =
            Stage { rounds: ROUNDS.min(stage.rounds), folder: stage.folder.clone(), ..*stage };
        let outcomes = contest.run(&stage, &stage.folder)?;
        self.steps.push((at, outcomes.medians()));
        Ok(outcomes)
    }

    fn table(&self) -> Table {
        let mut titles = vec![self.across.to_owned()];
        titles.extend(self.arms.iter().map(|arm| format!("{arm}, {}", self.unit)));
        let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
        let mut table = Table::new(&titles);
        for (at, times) in &self.steps {
            let at = if self.across == "bytes" { size(*at) } else { format!("{at}") };
            let times = times.iter().map(|time| format!("{time:.4}"));
            table.cells(std::iter::once(at).chain(times).collect());
        }
        table
    }

    fn svg(&self) -> String {
        let line = |(number, name): (usize, &String)| {
            let points = self.steps.iter().map(|(at, times)| (*at, times[number])).collect();
            Line { name: name.clone(), points }
        };
        let lines: Vec<Line> = self.arms.iter().enumerate().map(line).collect();
        let up = if self.unit == SECONDS { "seconds, median" } else { "megabytes at most" };
        plot::svg(&self.title, self.across, up, &lines)
    }
}

/// Writes `growth-<tool>.md` and a plot for each series; the table names the plots beside it.
fn write(stage: &Stage<'_>, tool: &str, series: &[Series]) -> Result<Vec<PathBuf>> {
    let machine = crate::report::machine::Machine::now();
    let mut text = format!(
        "# How the cost of {tool} grows\n\nMedians of {} interleaved rounds, page cache warm, output to a pipe; {}, {} cores.\n",
        ROUNDS.min(stage.rounds),
        machine.cpu,
        machine.cores
    );
    let mut written = Vec::new();
    for one in series {
        let name = format!("growth-{tool}-{}.svg", one.key);
        let path = stage.folder.join(&name);
        atomic::write(&path, one.svg().as_bytes())?;
        written.push(path);
        println!("{}\n{}", one.title, one.table().text());
        text.push_str(&format!(
            "\n## {}\n\n{}\n![{}]({name})\n",
            one.title,
            one.table().markdown(),
            one.title
        ));
    }
    let path = stage.folder.join(format!("growth-{tool}.md"));
    atomic::write(&path, text.as_bytes())?;
    written.push(path);
    Ok(written)
}

/// Copies what was written to where the documentation shows it.
pub(crate) fn publish(files: &[PathBuf], folder: &Path) -> Result<()> {
    for file in files {
        let name = file.file_name().context("a file has a name")?;
        atomic::write(&folder.join(name), &std::fs::read(file)?)?;
    }
    Ok(())
}

fn size(bytes: f64) -> String {
    match bytes {
        b if b >= 1e9 => format!("{} GB", b / 1e9),
        b if b >= 1e6 => format!("{} MB", b / 1e6),
        b => format!("{} KB", b / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn sizes_span_what_was_asked_for() {
        let shown = sizes(1_000_000_000).map(|bytes| size(bytes as f64));
        assert_eq!(shown, ["10 MB", "100 MB", "1 GB", "5 GB"]);
    }

    #[test]
    fn a_series_is_a_table_and_a_plot() {
        let series = Series {
            unit: SECONDS,
            key: "size",
            title: "dgrep".to_owned(),
            across: "bytes",
            arms: vec!["dgrep".to_owned(), "rg".to_owned()],
            steps: vec![(1e7, vec![0.01, 0.02]), (1e9, vec![0.1, 0.2])],
        };
        expect![[r#"
            bytes  dgrep, s  rg, s
            -----------------------
            10 MB  0.0100    0.0200
            1 GB   0.1000    0.2000
        "#]]
        .assert_eq(&series.table().text());
        assert_eq!(series.svg().matches("<circle").count(), 4);
    }

    #[test]
    fn files_are_copied_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("growth-dgrep.md");
        std::fs::write(&file, "# x\n").unwrap();
        publish(&[file], &dir.path().join("docs/bench")).unwrap();
        let copied = std::fs::read(dir.path().join("docs/bench/growth-dgrep.md")).unwrap();
        assert_eq!(copied, b"# x\n");
    }
}
