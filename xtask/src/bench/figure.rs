//! A measured figure and its bar: passed, missed or skipped; as a table row and as JSON. Pure.

use serde::Serialize;

use crate::report::table::Table;

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    Milliseconds,
    Seconds,
    /// Our time divided by the peer's.
    Ratio,
    Kilobytes,
    Megabytes,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Measured {
    /// A number with its 95 % interval (both ends equal when there was one run); must not exceed
    /// the limit, which is infinite (null in JSON) for a number that is only told.
    Number { value: f64, low: f64, high: f64, limit: f64, unit: Unit },
    /// Something that holds or does not.
    Check { holds: bool },
    /// Not measured; the note says why.
    Skipped,
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) measured: Measured,
    /// What it was measured against or with, or why it was not measured.
    pub(crate) note: String,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Pass,
    Missed,
    /// The bar lies within the interval: more rounds, or a quieter machine, would tell.
    Inconclusive,
    /// There is no bar.
    Told,
    Skipped,
}

impl Figure {
    /// A figure whose outcome follows from what was measured.
    pub(crate) fn new(name: &str, measured: Measured, note: impl Into<String>) -> Self {
        let outcome = match &measured {
            Measured::Number { limit, .. } if limit.is_infinite() => Outcome::Told,
            Measured::Number { high, limit, .. } if *high <= *limit => Outcome::Pass,
            Measured::Number { low, limit, .. } if *low <= *limit => Outcome::Inconclusive,
            // A figure that is no number has missed every bar.
            Measured::Check { holds: true } => Outcome::Pass,
            Measured::Number { .. } | Measured::Check { .. } => Outcome::Missed,
            Measured::Skipped => Outcome::Skipped,
        };
        Self { name: name.to_owned(), measured, note: note.into(), outcome }
    }

    /// A single number without an interval.
    pub(crate) fn single(name: &str, value: f64, limit: f64, unit: Unit, note: &str) -> Self {
        Self::new(name, Measured::Number { value, low: value, high: value, limit, unit }, note)
    }

    /// Something that holds or does not.
    pub(crate) fn check(name: &str, holds: bool, note: impl Into<String>) -> Self {
        Self::new(name, Measured::Check { holds }, note)
    }

    /// A figure that could not be measured here.
    pub(crate) fn skipped(name: &str, why: impl Into<String>) -> Self {
        Self::new(name, Measured::Skipped, why)
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Ratio => format!("{value:.2} ×"),
            Self::Kilobytes => format!("{value:.0} KB"),
            Self::Megabytes => format!("{value:.1} MB"),
        }
    }
}

/// The figures with their bars.
pub(crate) fn table(figures: &[Figure]) -> Table {
    let mut table = Table::new(&["figure", "at most", "measured [95 %]", "outcome", "note"]);
    for figure in figures {
        let (limit, measured) = match &figure.measured {
            Measured::Number { value, low, high, limit, unit } => {
                let interval = match low == high {
                    true => String::new(),
                    false => format!(" [{}, {}]", unit.show(*low), unit.show(*high)),
                };
                let limit = if limit.is_finite() { unit.show(*limit) } else { String::new() };
                (limit, format!("{}{interval}", unit.show(*value)))
            }
            Measured::Check { holds } => (String::new(), if *holds { "yes" } else { "no" }.into()),
            Measured::Skipped => (String::new(), String::new()),
        };
        let outcome = match figure.outcome {
            Outcome::Pass => "pass",
            Outcome::Missed => "MISSED",
            Outcome::Inconclusive => "INCONCLUSIVE",
            Outcome::Told => "no bar",
            Outcome::Skipped => "SKIPPED",
        };
        let note = figure.note.clone();
        table.row([figure.name.clone(), limit, measured, outcome.to_owned(), note]);
    }
    table
}

/// The names of the figures that came out so.
pub(crate) fn with_outcome(figures: &[Figure], outcome: Outcome) -> Vec<&str> {
    let found = figures.iter().filter(|figure| figure.outcome == outcome);
    found.map(|figure| figure.name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn figures_pass_miss_or_are_skipped() {
        let number = |value| Measured::Number {
            value,
            low: value * 0.9,
            high: value * 1.1,
            limit: 1.0,
            unit: Unit::Ratio,
        };
        let figures = [
            Figure::new("100 MB", number(0.8), "ssh cat"),
            Figure::new("grep", number(1.2), "ssh rg"),
            Figure::new("nearly", number(0.95), "ssh rg"),
            Figure::new(
                "told",
                Measured::Number {
                    value: 2.0,
                    low: 1.0,
                    high: 3.0,
                    limit: f64::INFINITY,
                    unit: Unit::Ratio,
                },
                "",
            ),
            Figure::new("nothing", number(f64::NAN), ""),
            Figure::single("session", 12.34, 40.0, Unit::Milliseconds, ""),
            Figure::single("idle", 151.0, 150.0, Unit::Kilobytes, "1,000 followers"),
            Figure::new("nothing lost", Measured::Check { holds: true }, ""),
            Figure::new("names it", Measured::Check { holds: false }, "stderr: …"),
            Figure::skipped("group-by", "no python duckdb"),
        ];
        let missed = with_outcome(&figures, Outcome::Missed);
        assert_eq!(missed, ["grep", "nothing", "idle", "names it"]);
        assert_eq!(with_outcome(&figures, Outcome::Inconclusive), ["nearly"]);
        expect![[r#"
            figure        at most  measured [95 %]          outcome       note
            ------------------------------------------------------------------------------
            100 MB        1.00 ×   0.80 × [0.72 ×, 0.88 ×]  pass          ssh cat
            grep          1.00 ×   1.20 × [1.08 ×, 1.32 ×]  MISSED        ssh rg
            nearly        1.00 ×   0.95 × [0.85 ×, 1.04 ×]  INCONCLUSIVE  ssh rg
            told                   2.00 × [1.00 ×, 3.00 ×]  no bar
            nothing       1.00 ×   NaN × [NaN ×, NaN ×]     MISSED
            session       40.0 ms  12.3 ms                  pass
            idle          150 KB   151 KB                   MISSED        1,000 followers
            nothing lost           yes                      pass
            names it               no                       MISSED        stderr: …
            group-by                                        SKIPPED       no python duckdb
        "#]]
        .assert_eq(&table(&figures).text());
    }
}
