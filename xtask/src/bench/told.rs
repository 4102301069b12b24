//! What a bench tells: its figures as a table and as JSON, and the exit code that follows.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::atomic;
use crate::bench::figure::{self, Figure, Outcome};
use crate::ctx::{Ctx, StageTime};
use crate::fault::{Fault, refuse};
use crate::report::machine::Machine;

/// All that one run of a bench found out.
#[derive(Serialize)]
pub(crate) struct Told {
    schema: u32,
    /// `bench server`, `bench dgrep` and so on.
    bench: String,
    commit: Option<String>,
    machine: Machine,
    /// The cargo profile the programs were built with; none for those of --bin-dir.
    cargo_profile: Option<String>,
    /// The version; none when nothing was timed with it.
    hyperfine: Option<String>,
    rounds: u32,
    /// The size of the log that most figures are about.
    log_bytes: u64,
    figures: Vec<Figure>,
    stages: Vec<StageTime>,
}

/// How a bench was run.
pub(crate) struct Setting {
    /// `server`, `dgrep` and so on.
    pub(crate) bench: &'static str,
    pub(crate) cargo_profile: Option<String>,
    pub(crate) hyperfine: Option<String>,
    pub(crate) rounds: u32,
    pub(crate) log_bytes: u64,
}

/// Prints the figures, writes them to `json` or to the output folder, and fails when a bar was
/// missed.
pub(crate) fn tell(
    ctx: &Ctx,
    setting: Setting,
    figures: Vec<Figure>,
    json: Option<&Path>,
) -> Result<()> {
    let git = ctx.ask(Path::new("git"), &["rev-parse", "HEAD"]).ok();
    let told = Told {
        schema: 1,
        bench: format!("bench {}", setting.bench),
        commit: git.map(|text| text.trim().to_owned()),
        machine: Machine::now(),
        cargo_profile: setting.cargo_profile,
        hyperfine: setting.hyperfine,
        rounds: setting.rounds,
        log_bytes: setting.log_bytes,
        figures,
        stages: ctx.stage_times(),
    };
    let usual = ctx.out_dir.join(format!("bench-{}.json", setting.bench));
    let path = json.unwrap_or(&usual);
    atomic::write_json(&std::path::absolute(path)?, &told)?;
    println!("{}", figure::table(&told.figures).text());
    eprintln!(
        "figures: {}; raw times: {}",
        path.display(),
        ctx.out_dir.join("bench/hyperfine").display()
    );
    verdict(&told.figures)
}

fn verdict(figures: &[Figure]) -> Result<()> {
    let unclear = figure::with_outcome(figures, Outcome::Inconclusive);
    if !unclear.is_empty() {
        eprintln!("inconclusive, use more --rounds: {}", unclear.join(", "));
    }
    let missed = figure::with_outcome(figures, Outcome::Missed);
    if missed.is_empty() {
        return Ok(());
    }
    let (count, all) = (missed.len(), figures.len());
    let text = format!("{count} of {all} bars were missed: {}", missed.join(", "));
    Err(refuse(Fault::Regression, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figure::{Measured, Unit};

    #[test]
    fn only_a_missed_bar_is_an_error() {
        let number = |value: f64| Measured::Number {
            value,
            low: value - 0.1,
            high: value + 0.1,
            limit: 1.0,
            unit: Unit::Ratio,
        };
        let figure = |name, value| Figure::new(name, number(value), "");
        assert!(verdict(&[figure("fast", 0.5), figure("unclear", 1.05)]).is_ok());
        let error = verdict(&[figure("fast", 0.5), figure("slow", 1.2)]).unwrap_err();
        assert_eq!(error.to_string(), "1 of 2 bars were missed: slow");
        assert_eq!(crate::fault::exit_code(&error), Fault::Regression.code());
    }
}
