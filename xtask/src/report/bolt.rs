//! What BOLT gained beyond the profile, and why its programs were kept or not: as values and tables.

use serde::{Deserialize, Serialize};

use crate::compare::rounds::Comparison;
use crate::compare::statistics::Estimate;
use crate::profile::manifest::BoltNote;
use crate::report::table::Table;
use crate::report::{gain, kib};

/// What came of BOLT.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BoltReport {
    /// What llvm-bolt calls its version; none when there was no usable one.
    pub(crate) version: Option<String>,
    /// How llvm-bolt was called to rearrange.
    pub(crate) options: Vec<String>,
    pub(crate) tools: Vec<BoltTool>,
    /// BOLT's programs beside the PGO programs they were made from: there the baseline is PGO.
    pub(crate) comparison: Option<Comparison>,
}

/// What came of it for one tool.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BoltTool {
    pub(crate) tool: String,
    pub(crate) kept: bool,
    /// In words, with the figures that decided.
    pub(crate) why: String,
    /// Log-ratio to the PGO program's time, when it was measured.
    pub(crate) beyond_pgo: Option<Estimate>,
    /// Sizes without symbols and debug information, as they are installed.
    pub(crate) pgo_bytes: Option<u64>,
    pub(crate) bolt_bytes: Option<u64>,
}

impl BoltReport {
    /// The report when no tool can have anything from BOLT.
    pub(crate) fn without(tools: &[String], why: &str) -> Self {
        let tool = |tool: &String| BoltTool::refused(tool, why);
        Self {
            version: None,
            options: Vec::new(),
            tools: tools.iter().map(tool).collect(),
            comparison: None,
        }
    }

    /// What the manifest inside `tool`'s program says.
    pub(crate) fn note(&self, tool: &str) -> Option<BoltNote> {
        let found = self.tools.iter().find(|one| one.tool == tool)?;
        let (kept, why) = (found.kept, found.why.clone());
        Some(BoltNote { kept, why, version: self.version.clone() })
    }
}

impl BoltTool {
    /// A tool whose PGO program stays, without figures.
    pub(crate) fn refused(tool: &str, why: &str) -> Self {
        Self {
            tool: tool.to_owned(),
            kept: false,
            why: why.to_owned(),
            beyond_pgo: None,
            pgo_bytes: None,
            bolt_bytes: None,
        }
    }
}

/// One row per tool.
pub(crate) fn table(report: &BoltReport) -> Table {
    let mut table =
        Table::new(&["tool", "beyond PGO [95 %]", "size installed", "with BOLT", "kept", "why"]);
    for row in &report.tools {
        let size = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), kib);
        table.row([
            row.tool.clone(),
            row.beyond_pgo.as_ref().map_or_else(|| "-".to_owned(), gain),
            size(row.pgo_bytes),
            size(row.bolt_bytes),
            if row.kept { "yes" } else { "no" }.to_owned(),
            row.why.clone(),
        ]);
    }
    table
}
