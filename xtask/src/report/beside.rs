//! What other commands left beside `report.json`: the lost counts of `pgo-check --json` and the
//! matrix of `pgo-matrix`. Neither has to be there; a file that cannot be read is said to be so.

use std::path::Path;

use serde::Deserialize;

use crate::compare::statistics::Estimate;

/// The files, in the folder of the report.
const CHECK: &str = "check.json";
const MATRIX: &str = "matrix.json";

/// All that was there.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    pub(crate) lost: Vec<Lost>,
    pub(crate) transfer: Option<Transfer>,
}

/// The shares of a profile's counts, 0 to 1, that today's build does not take.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) tool: String,
    pub(crate) now: f64,
    /// What would be lost even after a rebase.
    pub(crate) for_good: f64,
}

/// What a profile of one tool does for another: a row is trained on, a column is measured on.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) measured: Vec<String>,
    /// Percent of time gained, for each name that was trained on.
    pub(crate) rows: Vec<(String, Vec<f64>)>,
    pub(crate) why: String,
}

impl Beside {
    /// Reads what is in `folder`.
    pub(crate) fn read(folder: &Path) -> Self {
        let checked = file::<Check>(&folder.join(CHECK));
        let lost = checked.into_iter().flat_map(|check| check.tools).map(Checked::lost);
        let transfer = file::<Matrix>(&folder.join(MATRIX)).map(Matrix::transfer);
        Self { lost: lost.collect(), transfer }
    }
}

fn file<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    let bytes = std::fs::read(path).ok()?;
    match serde_json::from_slice(&bytes) {
        Ok(value) => Some(value),
        Err(error) => {
            eprintln!("   left out of the page: {}: {error}", path.display());
            None
        }
    }
}

#[derive(Deserialize)]
struct Check {
    tools: Vec<Checked>,
}

#[derive(Deserialize)]
struct Checked {
    tool: String,
    all: Tallies,
}

#[derive(Deserialize)]
struct Tallies {
    exact: Tally,
    rebaseable: Tally,
    changed: Tally,
    gone: Tally,
}

#[derive(Deserialize)]
struct Tally {
    counts: u64,
}

impl Checked {
    fn lost(self) -> Lost {
        let Tallies { exact, rebaseable, changed, gone } = self.all;
        let [exact, rebaseable, changed, gone] =
            [exact, rebaseable, changed, gone].map(|tally| tally.counts as f64);
        let total = (exact + rebaseable + changed + gone).max(1.0);
        let for_good = (changed + gone) / total;
        Lost { tool: self.tool, now: for_good + rebaseable / total, for_good }
    }
}

#[derive(Deserialize)]
struct Matrix {
    rows: Vec<Row>,
    why: String,
}

#[derive(Deserialize)]
struct Row {
    trained_on: String,
    cells: Vec<Cell>,
}

#[derive(Deserialize)]
struct Cell {
    measured_on: String,
    time: Estimate,
}

impl Matrix {
    fn transfer(self) -> Transfer {
        let names = self.rows.first().into_iter().flat_map(|row| &row.cells);
        let measured = names.map(|cell| cell.measured_on.clone()).collect();
        let row =
            |row: Row| (row.trained_on, row.cells.iter().map(|cell| cell.time.gains().0).collect());
        Transfer { measured, rows: self.rows.into_iter().map(row).collect(), why: self.why }
    }
}
