//! `report.json` as it is read back: all that the page shows, and nothing a later schema may leave
//! out. Its layout is published in docs/report.schema.json.

use serde::Deserialize;

use crate::report::machine::Machine;
use crate::toolchain::Compiler;

/// A whole report.
#[derive(Debug, Deserialize)]
pub(crate) struct Published {
    pub(crate) schema: u32,
    pub(crate) command: String,
    pub(crate) commit: Option<String>,
    pub(crate) machine: Machine,
    pub(crate) compiler: Compiler,
    pub(crate) data_size: u64,
    pub(crate) iterations: u32,
    pub(crate) corpus: bool,
    pub(crate) cargo_profile: String,
    pub(crate) profile_use: String,
    pub(crate) profiles: Vec<Sizes>,
    pub(crate) comparison: Comparison,
    pub(crate) stages: Vec<Stage>,
    /// Instructions, when they were counted.
    #[serde(default)]
    pub(crate) counts: Option<Counts>,
    /// What came of BOLT, when it was asked for.
    #[serde(default)]
    pub(crate) bolt: Option<Bolt>,
}

/// One tool's profile and the size of its programs.
#[derive(Debug, Deserialize)]
pub(crate) struct Sizes {
    pub(crate) tool: String,
    pub(crate) functions: u64,
    pub(crate) counted: u64,
    pub(crate) hottest: String,
    pub(crate) baseline_bytes: u64,
    pub(crate) pgo_bytes: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) seed: u64,
    pub(crate) rounds: u32,
    pub(crate) max_rounds: u32,
    pub(crate) hyperfine: String,
    pub(crate) cases: Vec<Case>,
    pub(crate) means: Vec<Mean>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) tool: String,
    pub(crate) case: String,
    pub(crate) measure: String,
    pub(crate) baseline_s: f64,
    pub(crate) candidate: Interval,
    pub(crate) placebo: Interval,
    pub(crate) p_of_all: f64,
    pub(crate) verdict: String,
    pub(crate) rounds: u32,
    /// ln(time / time of the baseline) of each round, in the order of the rounds.
    #[serde(default)]
    pub(crate) ratios: Vec<f64>,
    #[serde(default)]
    pub(crate) placebo_ratios: Vec<f64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Mean {
    pub(crate) name: String,
    pub(crate) candidate: Interval,
    pub(crate) placebo: Interval,
}

/// A log-ratio with its interval, as in `Estimate`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Interval {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) seconds: f64,
    pub(crate) outcome: String,
}

/// Instructions of each case.
#[derive(Debug, Deserialize)]
pub(crate) struct Counts {
    pub(crate) data_size: u64,
    pub(crate) cases: Vec<CaseCounts>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CaseCounts {
    pub(crate) tool: String,
    pub(crate) case: String,
    pub(crate) baseline: u64,
    pub(crate) placebo: u64,
    pub(crate) candidate: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Bolt {
    pub(crate) tools: Vec<BoltTool>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BoltTool {
    pub(crate) tool: String,
    pub(crate) kept: bool,
    pub(crate) why: String,
}

/// Percent of time gained for a log-ratio: positive is faster.
pub(crate) fn gain(log: f64) -> f64 {
    (1.0 - log.exp()) * 100.0
}

impl Interval {
    /// Median, low and high end as gains in percent; the ends swap sides.
    pub(crate) fn gains(&self) -> (f64, f64, f64) {
        (gain(self.median), gain(self.high), gain(self.low))
    }

    /// The gain with its interval in words.
    pub(crate) fn text(&self) -> String {
        let (median, low, high) = self.gains();
        format!("{} % [{}, {}]", signed(median), signed(low), signed(high))
    }
}

/// A number with its sign, one decimal and a real minus; no sign for zero.
pub(crate) fn signed(value: f64) -> String {
    let text = format!("{:.1}", value.abs());
    match (text.as_str(), value < 0.0) {
        ("0.0", _) => text,
        (_, true) => format!("\u{2212}{text}"),
        (_, false) => format!("+{text}"),
    }
}
