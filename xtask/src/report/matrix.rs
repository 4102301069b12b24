//! The transfer matrix: what a profile trained on one tool gives to another. Values and tables.

use serde::Serialize;

use crate::compare::statistics::{Estimate, Verdict};
use crate::report::machine::Machine;
use crate::report::table::Table;
use crate::report::{gain, kib, seconds};
use crate::toolchain::Compiler;

/// The layout of `matrix.json`; raised when a field changes its meaning.
pub(crate) const SCHEMA: u32 = 1;

/// Everything that a run of `pgo-matrix` found out.
#[derive(Debug, Serialize)]
pub(crate) struct Matrix {
    pub(crate) schema: u32,
    pub(crate) command: String,
    pub(crate) commit: Option<String>,
    pub(crate) machine: Machine,
    pub(crate) compiler: Compiler,
    pub(crate) cargo_profile: String,
    pub(crate) data_size: u64,
    pub(crate) iterations: u32,
    pub(crate) rounds: u32,
    pub(crate) seed: u64,
    pub(crate) hyperfine: String,
    /// The copy of the baseline, per tool: what the machine's noise looks like.
    pub(crate) placebo: Vec<Cell>,
    /// One row per tool, then the family.
    pub(crate) rows: Vec<Row>,
    /// Own profile against the family's, per tool: log-ratios below zero are time saved by the
    /// own one.
    pub(crate) own_beside_family: Vec<Choice>,
    pub(crate) decision: &'static str,
    pub(crate) why: String,
}

/// The programs of one build, with the profile of one tool or of the family.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) trained_on: String,
    /// Seconds to build all tools with this profile.
    pub(crate) all_tools_s: f64,
    /// Seconds to build the tool that it belongs to alone, which is what `--per-tool` does.
    pub(crate) own_tool_s: Option<f64>,
    pub(crate) cells: Vec<Cell>,
}

/// One program of a row, measured over the evaluation cases of its tool.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) measured_on: String,
    /// Log-ratio to the baseline's time: the mean over the tool's cases.
    pub(crate) time: Estimate,
    pub(crate) bytes: u64,
    pub(crate) baseline_bytes: u64,
}

/// What a tool gains by its own profile.
#[derive(Debug, Serialize)]
pub(crate) struct Choice {
    pub(crate) tool: String,
    pub(crate) time: Estimate,
    pub(crate) verdict: Verdict,
}

/// Gains: rows are what was trained on, columns what was measured.
pub(crate) fn gains(matrix: &Matrix) -> Table {
    let mut titles = vec!["trained on"];
    titles.extend(matrix.placebo.iter().map(|cell| cell.measured_on.as_str()));
    let mut table = Table::new(&titles);
    let line = |name: &str, cells: &[Cell]| -> Vec<String> {
        let gains = cells.iter().map(|cell| gain(&cell.time));
        std::iter::once(name.to_owned()).chain(gains).collect()
    };
    table.cells(line("nothing (placebo)", &matrix.placebo));
    for row in &matrix.rows {
        table.cells(line(&row.trained_on, &row.cells));
    }
    table
}

/// Build times and the sizes of the programs.
pub(crate) fn costs(matrix: &Matrix) -> Table {
    let mut titles = vec!["trained on", "build of all", "build of its own"];
    titles.extend(matrix.placebo.iter().map(|cell| cell.measured_on.as_str()));
    let mut table = Table::new(&titles);
    for row in &matrix.rows {
        let own = row.own_tool_s.map_or_else(|| "-".to_owned(), seconds);
        let mut cells = vec![row.trained_on.clone(), seconds(row.all_tools_s), own];
        cells.extend(row.cells.iter().map(|cell| {
            let growth = (cell.bytes as f64 / cell.baseline_bytes.max(1) as f64 - 1.0) * 100.0;
            format!("{} ({growth:+.1} %)", kib(cell.bytes))
        }));
        table.cells(cells);
    }
    table
}

/// Own profile against the family's.
pub(crate) fn choices(matrix: &Matrix) -> Table {
    let mut table = Table::new(&["tool", "own profile beyond the family's [95 %]", "verdict"]);
    for choice in &matrix.own_beside_family {
        let verdict = choice.verdict.name().to_owned();
        table.row([choice.tool.clone(), gain(&choice.time), verdict]);
    }
    table
}

/// The whole matrix as Markdown.
pub(crate) fn markdown(matrix: &Matrix) -> String {
    let Matrix { machine, compiler, .. } = matrix;
    let commit = matrix.commit.as_deref().map_or("an unknown commit", |it| &it[..it.len().min(9)]);
    format!(
        "# Transfer matrix\n\n\
         `{}` at {commit}, rustc {} (LLVM {}), hyperfine {}.\n\
         {} × {}, {} GiB, {}.\n\
         Cargo profile {}, {} lines per input of scale 1, {} iterations, {} rounds (seed {}).\n\n\
         ## Gain over the baseline (positive is faster)\n\n\
         Rows: what the profile was trained on. Columns: the tool whose evaluation cases were measured, \
         as the geometric mean with its 95 % interval.\n\n{}\n\
         ## Build times and sizes\n\n{}\n\
         ## Family or per tool\n\n{}\n\
         **{}**: {}\n",
        matrix.command,
        compiler.release,
        compiler.llvm,
        matrix.hyperfine,
        machine.cores,
        machine.cpu,
        machine.memory_gib,
        machine.system,
        matrix.cargo_profile,
        matrix.data_size,
        matrix.iterations,
        matrix.rounds,
        matrix.seed,
        gains(matrix).markdown(),
        costs(matrix).markdown(),
        choices(matrix).markdown(),
        matrix.decision,
        matrix.why,
    )
}
