//! The smaller drawings and tables: rounds in the order they were run, sizes, lost counts, stages,
//! instructions, BOLT, and what a profile of one tool does for another.

use std::fmt::Write as _;

use crate::compare::counts::Counts;
use crate::compare::rounds::CaseResult;
use crate::compare::statistics::gain;
use crate::ctx::StageTime;
use crate::report::ProfileRow;
use crate::report::beside::{Lost, Transfer};
use crate::report::bolt::BoltReport;
use crate::report::page::signed;
use crate::report::page::svg::{Anchor, Scale, Svg, escaped};

/// The rounds of every case, in a grid: drift and outliers show that an interval cannot.
pub(crate) fn rounds(cases: &[CaseResult]) -> String {
    let mut text = String::from("<div class=\"multiples\">\n");
    for case in cases.iter().filter(|case| !case.ratios.is_empty()) {
        // Writing to a String cannot fail, here and below.
        let _infallible = write!(
            text,
            "<figure class=\"{}\"><figcaption><b>{}</b> {}</figcaption>\n{}</figure>\n",
            case.verdict.name(),
            escaped(&case.tool),
            escaped(case.case.trim_start_matches("eval-")),
            scatter(case)
        );
    }
    text + "</div>\n"
}

fn scatter(case: &CaseResult) -> String {
    const SIZE: (f64, f64) = (240.0, 112.0);
    let gains: Vec<f64> = case.ratios.iter().map(|log| gain(*log)).collect();
    let placebo: Vec<f64> = case.placebo_ratios.iter().map(|log| gain(*log)).collect();
    let reach = |sign: f64| {
        let all = gains.iter().chain(&placebo).map(|value| value * sign);
        all.fold(1.0, f64::max).min(100.0) * sign
    };
    let y = Scale::new((reach(-1.0), reach(1.0)), (SIZE.1 - 8.0, 8.0));
    let x = Scale::new((1.0, gains.len().max(2) as f64), (54.0, SIZE.0 - 8.0));
    let label = format!("{} {}: gain of each round in order", case.tool, case.case);
    let mut svg = Svg::new(SIZE.0, SIZE.1, &label);
    svg.line("zero", (46.0, y.place(0.0)), (SIZE.0, y.place(0.0)));
    let median = y.place(case.candidate.gains().0);
    svg.line("median", (46.0, median), (SIZE.0, median));
    for end in [reach(1.0), reach(-1.0)] {
        let text = format!("{end:+.0} %").replace('-', "\u{2212}");
        svg.text("tick", (42.0, y.place(end) + 4.0), Anchor::End, &text);
    }
    for (class, values) in [("point placebo", &placebo), ("point", &gains)] {
        for (index, value) in values.iter().enumerate() {
            svg.circle(class, (x.place((index + 1) as f64), y.place(*value)), 2.8);
        }
    }
    svg.finish()
}

/// Two bars for each tool.
pub(crate) fn sizes(rows: &[ProfileRow]) -> String {
    let largest = rows.iter().flat_map(|row| [row.baseline_bytes, row.pgo_bytes]).max();
    let height = rows.len() as f64 * 46.0 + 4.0;
    let mut svg = Svg::new(WIDTH, height, "Size of the programs, baseline and optimised");
    let x = Scale::new((0.0, largest.unwrap_or(1) as f64), (FIRST, WIDTH - 150.0));
    for (index, row) in rows.iter().enumerate() {
        let y = index as f64 * 46.0 + 6.0;
        svg.text("name", (0.0, y + 20.0), Anchor::Start, &row.tool);
        let change = (row.pgo_bytes as f64 / row.baseline_bytes.max(1) as f64 - 1.0) * 100.0;
        for (class, bytes, y, note) in [
            ("bar before", row.baseline_bytes, y, String::new()),
            ("bar", row.pgo_bytes, y + 16.0, format!("  {} %", signed(change))),
        ] {
            let end = x.place(bytes as f64);
            svg.rect(class, (FIRST, y), (end - FIRST, 12.0));
            let text = format!("{}{note}", mebibytes(bytes));
            svg.text("figure", (end + 8.0, y + 10.5), Anchor::Start, &text);
        }
    }
    svg.finish()
}

/// How long each stage took.
pub(crate) fn stages(stages: &[StageTime]) -> String {
    let longest = stages.iter().map(|stage| stage.seconds).fold(0.0, f64::max);
    let height = stages.len() as f64 * 24.0 + 4.0;
    let mut svg = Svg::new(WIDTH, height, "Time of each stage");
    let x = Scale::new((0.0, longest), (FIRST, WIDTH - 150.0));
    for (index, stage) in stages.iter().enumerate() {
        let y = index as f64 * 24.0 + 4.0;
        svg.text("name", (0.0, y + 12.0), Anchor::Start, &stage.name);
        let end = x.place(stage.seconds).max(FIRST + 1.5);
        svg.rect("bar", (FIRST, y + 1.0), (end - FIRST, 14.0));
        let told = if stage.outcome == "ok" { "" } else { stage.outcome.as_str() };
        let text = format!("{}  {told}", duration(stage.seconds));
        svg.text("figure", (end + 8.0, y + 12.5), Anchor::Start, text.trim_end());
    }
    svg.finish()
}

/// The share of counts that each profile has lost; pale, what a rebase would bring back.
pub(crate) fn lost(rows: &[Lost]) -> String {
    let height = rows.len() as f64 * 24.0 + 4.0;
    let mut svg = Svg::new(WIDTH, height, "Share of counts that each profile has lost");
    let most = rows.iter().map(|row| row.now).fold(0.1, f64::max);
    let x = Scale::new((0.0, most), (FIRST, WIDTH - 250.0));
    for (index, row) in rows.iter().enumerate() {
        let y = index as f64 * 24.0 + 4.0;
        svg.text("name", (0.0, y + 12.0), Anchor::Start, &row.tool);
        let end = x.place(row.now).max(FIRST + 1.5);
        svg.rect("bar before", (FIRST, y + 1.0), (end - FIRST, 14.0));
        svg.rect("bar", (FIRST, y + 1.0), (x.place(row.for_good) - FIRST, 14.0));
        let text =
            format!("{:.2} %, {:.2} % after a rebase", row.now * 100.0, row.for_good * 100.0);
        svg.text("figure", (end + 8.0, y + 12.5), Anchor::Start, &text);
    }
    svg.finish()
}

/// A table whose cells are the stronger in colour the more is gained.
pub(crate) fn transfer(matrix: &Transfer) -> String {
    let mut text = String::from("<table class=\"matrix\"><thead><tr><th>trained on</th>");
    for name in &matrix.measured {
        let _infallible = write!(text, "<th>{}</th>", escaped(name));
    }
    text.push_str("</tr></thead><tbody>\n");
    let all = matrix.rows.iter().flat_map(|(_, row)| row);
    let most = all.fold(1.0_f64, |most, gain| most.max(gain.abs()));
    for (name, row) in &matrix.rows {
        let _infallible = write!(text, "<tr><th>{}</th>", escaped(name));
        for gain in row {
            let _infallible = write!(
                text,
                "<td class=\"{}\" style=\"--strength:{:.0}%\">{}</td>",
                if *gain < 0.0 { "slower" } else { "faster" },
                gain.abs() / most * 55.0,
                signed(*gain)
            );
        }
        text.push_str("</tr>\n");
    }
    text + "</tbody></table>\n"
}

/// Instructions, as a table.
pub(crate) fn counts(counts: &Counts) -> String {
    let mut text = String::from(
        "<div class=\"wide\"><table><thead><tr><th>tool</th><th>case</th><th class=\"n\">baseline</th>\
         <th class=\"n\">PGO</th><th class=\"n\">baseline again</th></tr></thead><tbody>\n",
    );
    for case in &counts.cases {
        let change = |ratio: f64| signed((ratio - 1.0) * 100.0);
        let _infallible = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{:.2} M</td><td class=\"n\">{} %</td><td class=\"n\">{} %</td></tr>",
            escaped(&case.tool),
            escaped(&case.case),
            case.baseline as f64 / 1e6,
            change(case.ratio()),
            change(case.placebo_ratio()),
        );
    }
    text + "</tbody></table></div>\n"
}

/// What came of BOLT, tool by tool.
pub(crate) fn bolt(bolt: &BoltReport) -> String {
    let mut text = String::from("<table><tbody>\n");
    for tool in &bolt.tools {
        let kept = if tool.kept { "kept" } else { "left out" };
        let _infallible = writeln!(
            text,
            "<tr><td>{}</td><td>{kept}</td><td class=\"why\">{}</td></tr>",
            escaped(&tool.tool),
            escaped(&tool.why)
        );
    }
    text + "</tbody></table>\n"
}

/// Seconds as people say them.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 100.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    format!("{} min {:02} s", whole / 60, whole % 60)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

const WIDTH: f64 = 1040.0;
/// Where bars begin.
const FIRST: f64 = 170.0;
