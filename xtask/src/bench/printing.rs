//! dcat beside cat: the contests of `bench dcat`, their data and their bars.

use anyhow::Result;

use crate::bench::answers::Order;
use crate::bench::contest::{Contest, Sink};
use crate::bench::figure::{Figure, Unit};
use crate::bench::logs;
use crate::bench::peers::{Kind, Peers, Wanted};
use crate::bench::searching::Collected;
use crate::bench::stage::Stage;
use crate::compare::hyperfine::Arm;

/// Everything dcat is measured beside.
pub(crate) const PEERS: [Kind; 2] = [Kind::Cat, Kind::Ripgrep];
/// Whatever the file, in megabytes.
const MEMORY_LIMIT: f64 = 64.0;
/// Most that plain copying may take of cat's time.
const COPY_LIMIT: f64 = 1.05;
/// Starts take milliseconds, so many are cheap.
const START_ROUNDS: u32 = 5;

/// Our dcat over `files`.
pub(crate) fn dcat(program: &str, options: &[&str], files: &[String]) -> Arm {
    let words = [program, "--cfg", "none"].into_iter().chain(options.iter().copied());
    let words = words.map(str::to_owned);
    Arm { name: "dcat".to_owned(), words: words.chain(files.iter().cloned()).collect() }
}

/// The figures of all copies; `data_size` is the log's, in bytes.
pub(crate) fn figures(stage: &Stage<'_>, peers: &Peers, data_size: u64) -> Result<Vec<Figure>> {
    let program = stage.program("dcat")?;
    let mut all = Collected { figures: peers.missing(), memory: None };
    let files = [logs::service(stage, data_size)?.display().to_string()];
    let cats = || peers.of(&[Kind::Cat]).map(|peer| peer.print(&files));
    for sink in [Sink::Pipe, Sink::Reader, Sink::File, Sink::Null] {
        let arms = std::iter::once(dcat(&program, &["--plain"], &files)).chain(cats()).collect();
        let name = format!("plain, {}", sink.name());
        let contest = Contest { sink, ..Contest::new(&name, arms) };
        all.hold(stage, &contest, Order::Fixed, &|_| COPY_LIMIT)?;
    }
    decorated(stage, &program, &files, &cats, &mut all)?;
    start(stage, peers, &program, &mut all)?;
    all.finish(MEMORY_LIMIT)
}

/// With prefixes, and with prefixes and colours: more bytes than cat prints, so there is no bar
/// against it; what the bar is against, DTail's fork, is not run here.
fn decorated<I: Iterator<Item = Arm>>(
    stage: &Stage<'_>,
    program: &str,
    files: &[String],
    cats: &dyn Fn() -> I,
    all: &mut Collected,
) -> Result<()> {
    for (name, colour) in [("prefixes", "never"), ("prefixes and colours", "always")] {
        let ours = dcat(program, &["--color", colour], files);
        let arms = std::iter::once(ours).chain(cats()).collect();
        let contest = Contest::new(name, arms);
        if !stage.wants(name) {
            continue;
        }
        let outcomes = contest.run(stage, &stage.folder)?;
        all.note_memory(&contest, &outcomes);
        let note = "to a pipe; DTail's fork is not measured side by side: run it on the same log";
        let time = outcomes.time(Unit::Seconds, f64::INFINITY);
        all.figures.push(Figure::new(name, time, note));
        let told = |_: &Arm| f64::INFINITY;
        all.figures.extend(super::contest::against(name, &contest.arms, &outcomes, &told));
    }
    Ok(())
}

/// Start to exit: an empty file holds nothing to print.
fn start(stage: &Stage<'_>, peers: &Peers, program: &str, all: &mut Collected) -> Result<()> {
    let file = stage.folder.join("empty.log");
    crate::atomic::write(&file, b"")?;
    let files = [file.display().to_string()];
    let search = Wanted::Expression("user777");
    let ours = std::iter::once(dcat(program, &["--plain"], &files));
    let theirs = peers.of(&[Kind::Ripgrep]).map(|peer| peer.search(&search, &files));
    let name = "start to exit, empty file";
    // ripgrep says with 1 that it found nothing.
    let contest = Contest { codes: &[0, 1], ..Contest::new(name, ours.chain(theirs).collect()) };
    let stage =
        Stage { rounds: stage.rounds * START_ROUNDS, folder: stage.folder.clone(), ..*stage };
    all.hold(&stage, &contest, Order::Fixed, &|_| 1.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_arm_takes_no_configuration() {
        let arm = dcat("dcat", &["--plain"], &["f".to_owned()]);
        assert_eq!(arm.words, ["dcat", "--cfg", "none", "--plain", "f"]);
    }
}
