//! What a run reports: one value, shown on the terminal, as Markdown, as JSON and as a page.

mod beside;
pub(crate) mod bolt;
pub(crate) mod machine;
pub(crate) mod markdown;
pub(crate) mod matrix;
pub(crate) mod page;
#[cfg(test)]
mod schema;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::cargo::Bins;
use crate::compare::counts::Counts;
use crate::compare::rounds::Comparison;
use crate::compare::statistics::Estimate;
use crate::ctx::{Ctx, StageTime};
use crate::fault::{Fault, refuse};
use crate::profile::merge::{Profile, Profiles};
use crate::report::beside::Beside;
use crate::report::bolt::BoltReport;
use crate::report::machine::Machine;
use crate::report::table::Table;
use crate::toolchain::Compiler;

/// The layout of `report.json`; raised when a field changes its meaning.
const SCHEMA: u32 = 3;
/// GitHub shows the text of the file that this variable names on the run's page.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Everything a run found out.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) schema: u32,
    pub(crate) command: String,
    pub(crate) commit: Option<String>,
    pub(crate) machine: Machine,
    pub(crate) compiler: Compiler,
    pub(crate) data_size: u64,
    pub(crate) iterations: u32,
    pub(crate) corpus: bool,
    pub(crate) cargo_profile: String,
    /// "family" or "per tool".
    pub(crate) profile_use: String,
    pub(crate) profiles: Vec<ProfileRow>,
    pub(crate) comparison: Comparison,
    /// Instructions, when they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) counts: Option<Counts>,
    /// What came of BOLT, when it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bolt: Option<BoltReport>,
    pub(crate) stages: Vec<StageTime>,
}

/// What is read of a report before the rest of it.
#[derive(Deserialize)]
struct Schema {
    schema: u32,
}

/// One tool's profile and programs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ProfileRow {
    pub(crate) tool: String,
    pub(crate) functions: usize,
    pub(crate) counted: usize,
    pub(crate) total: u64,
    pub(crate) cases: usize,
    /// Longest of the cases' slowdowns of the instrumented program, as a factor.
    pub(crate) slowdown: f64,
    pub(crate) hottest: String,
    pub(crate) baseline_bytes: u64,
    pub(crate) pgo_bytes: u64,
}

impl Report {
    /// The value for `schema`, for the caller that builds a report.
    pub(crate) const SCHEMA: u32 = SCHEMA;
}

/// The rows about profiles and sizes.
pub(crate) fn profile_rows(
    profiles: &Profiles,
    baseline: &Bins,
    pgo: &Bins,
) -> Result<Vec<ProfileRow>> {
    let row = |profile: &Profile| -> Result<ProfileRow> {
        let slowdown = profile.cases.iter().map(|case| case.training.slowdown).fold(0.0, f64::max);
        Ok(ProfileRow {
            tool: profile.tool.clone(),
            functions: profile.functions,
            counted: profile.counted,
            total: profile.total,
            cases: profile.cases.len(),
            slowdown,
            hottest: profile.hot.first().map(|hot| hot.function.clone()).unwrap_or_default(),
            baseline_bytes: baseline.of(&profile.tool)?.bytes,
            pgo_bytes: pgo.of(&profile.tool)?.bytes,
        })
    };
    profiles.0.iter().map(row).collect()
}

/// Writes `report.json`, `report.md` and `report.html`, appends the Markdown to GitHub's summary
/// when there is one, and prints the tables.
pub(crate) fn publish(ctx: &Ctx, report: &Report) -> Result<()> {
    let json = ctx.out_dir.join("report.json");
    let text = ctx.out_dir.join("report.md");
    atomic::write_json(&json, report)?;
    let page = write_page(&json)?;
    let markdown = markdown::render(report);
    atomic::write(&text, markdown.as_bytes())?;
    summarise(&markdown)?;
    eprintln!("\n{}", profiles_table(report).text());
    eprintln!("{}", cases_table(&report.comparison).text());
    eprintln!("{}", means_table(&report.comparison).text());
    for (title, table) in proof_tables(report) {
        eprintln!("{title}\n{}", table.text());
    }
    if let Some(text) = too_few_rounds(&report.comparison) {
        eprintln!("{text}");
    }
    eprintln!("report: {}, {} and {}", page.display(), text.display(), json.display());
    Ok(())
}

/// Appends Markdown to GitHub's summary of the step, when there is one.
pub(crate) fn summarise(markdown: &str) -> Result<()> {
    append_to(STEP_SUMMARY, markdown)
}

/// Appends to the file that the variable names, when there is one: so GitHub is told.
pub(crate) fn append_to(variable: &str, text: &str) -> Result<()> {
    let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let file = std::fs::File::options().append(true).create(true).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}, which {variable} names", path.display()))
}

/// Reads a `report.json`.
pub(crate) fn read(json: &Path) -> Result<Report> {
    let bad = |text: String| {
        refuse(Fault::Usage, format!("{}: {text}; make one with: cargo xtask pgo", json.display()))
    };
    let bytes = std::fs::read(json).map_err(|error| bad(error.to_string()))?;
    let Schema { schema } =
        serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    if schema != SCHEMA {
        return Err(bad(format!("its schema is {schema}, this xtask reads {SCHEMA}")));
    }
    serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))
}

/// Makes the page beside a `report.json`, of it and of what other commands left beside it.
pub(crate) fn write_page(json: &Path) -> Result<PathBuf> {
    let report = read(json)?;
    let beside = Beside::read(json.parent().unwrap_or(Path::new("")));
    let path = json.with_extension("html");
    atomic::write(&path, page::render(&report, &beside).as_bytes())?;
    Ok(path)
}

/// Prints the stage table; also after a failure, but not when nothing was begun.
pub(crate) fn print_stages(ctx: &Ctx) {
    let stages = ctx.stage_times();
    if !stages.is_empty() {
        eprintln!("\n{}", stage_table(&stages).text());
    }
}

/// The stages with their times and the sum.
pub(crate) fn stage_table(stages: &[StageTime]) -> Table {
    let mut table = Table::new(&["stage", "time", "outcome"]);
    for stage in stages {
        table.row([stage.name.clone(), seconds(stage.seconds), stage.outcome.clone()]);
    }
    let sum = stages.iter().map(|stage| stage.seconds).sum();
    table.row(["total".to_owned(), seconds(sum), String::new()]);
    table
}

pub(crate) fn profiles_table(report: &Report) -> Table {
    let mut table = Table::new(&[
        "tool",
        "cases",
        "functions run",
        "counts",
        "training slowdown",
        "size",
        "PGO size",
    ]);
    for row in &report.profiles {
        table.row([
            row.tool.clone(),
            row.cases.to_string(),
            format!("{} of {}", row.counted, row.functions),
            format!("{:.2e}", row.total as f64),
            format!("{:.1} ×", row.slowdown),
            kib(row.baseline_bytes),
            format!(
                "{} ({:+.1} %)",
                kib(row.pgo_bytes),
                (row.pgo_bytes as f64 / row.baseline_bytes as f64 - 1.0) * 100.0
            ),
        ]);
    }
    table
}

pub(crate) fn cases_table(comparison: &Comparison) -> Table {
    let mut table = Table::new(&[
        "tool",
        "evaluation case",
        "baseline",
        "gain [95 %]",
        "placebo [95 %]",
        "p",
        "verdict",
    ]);
    for case in &comparison.cases {
        table.row([
            case.tool.clone(),
            case.case.clone(),
            format!("{:.1} ms {}", case.baseline_s * 1e3, case.measure),
            gain(&case.candidate),
            gain(&case.placebo),
            format!("{:.3}", case.p_of_all),
            case.verdict.name().to_owned(),
        ]);
    }
    table
}

/// The tables of what was asked for beyond the verdict, with their titles.
pub(crate) fn proof_tables(report: &Report) -> Vec<(String, Table)> {
    let mut tables = Vec::new();
    if let Some(counts) = &report.counts {
        let title = match &counts.absent {
            Some(absent) => format!("Instructions (not counted: {absent})"),
            None => format!(
                "Instructions with {} lines (a change detector, not a gain)",
                counts.data_size
            ),
        };
        tables.push((title, counts_table(counts)));
    }
    if let Some(bolt) = &report.bolt {
        tables.push(("BOLT on top of PGO".to_owned(), bolt::table(bolt)));
    }
    tables
}

/// Instructions beside the gain in time of the same case.
fn counts_table(counts: &Counts) -> Table {
    let mut table = Table::new(&["tool", "evaluation case", "baseline", "PGO", "baseline again"]);
    let change = |ratio: f64| format!("{:+.2} %", (ratio - 1.0) * 100.0);
    for case in &counts.cases {
        table.row([
            case.tool.clone(),
            case.case.clone(),
            format!("{:.2} M", case.baseline as f64 / 1e6),
            change(case.ratio()),
            change(case.placebo_ratio()),
        ]);
    }
    table
}

/// What has to be known of a comparison in which no single case can be proven.
pub(crate) fn too_few_rounds(comparison: &Comparison) -> Option<String> {
    let (cases, rounds, least) =
        (comparison.cases.len(), comparison.max_rounds, comparison.least_rounds());
    (rounds < least).then(|| {
        format!(
            "{rounds} rounds can prove no single one of {cases} cases, only {least} or more can \
             (--rounds); the means are not concerned."
        )
    })
}

pub(crate) fn means_table(comparison: &Comparison) -> Table {
    let mut table = Table::new(&["geometric mean", "gain [95 %]", "placebo [95 %]"]);
    for mean in &comparison.means {
        table.row([mean.name.clone(), gain(&mean.candidate), gain(&mean.placebo)]);
    }
    table
}

/// Percent of time saved with its interval: positive is faster.
pub(crate) fn gain(estimate: &Estimate) -> String {
    let (gain, low, high) = estimate.gains();
    format!("{gain:+.1} % [{low:+.1}, {high:+.1}]")
}

pub(crate) fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

pub(crate) fn kib(bytes: u64) -> String {
    format!("{} KiB", bytes / 1024)
}
