//! The forest plot: the gain of every case and of every tool, each beside its placebo.

use crate::compare::rounds::{CaseResult, Comparison};
use crate::compare::statistics::{Estimate, Verdict};
use crate::report::page::svg::{Anchor, Scale, Svg};
use crate::report::page::{signed, told};

const WIDTH: f64 = 1040.0;
/// Names stand left of the plot and figures right of it.
const LEFT: f64 = 250.0;
const RIGHT: f64 = 830.0;
const TOP: f64 = 34.0;
const ROW: f64 = 24.0;
/// A tool's mean gets more room, and a line above it.
const MEAN_ROW: f64 = 34.0;
/// Differences within so many percent are called equal, as in the verdict.
const MARGIN: f64 = 1.0;
/// The axis shows at most this; what goes on gets an arrow, so that one restless case does not
/// press all others together.
const WIDEST: (f64, f64) = (-30.0, 80.0);

/// Draws all tools with their cases.
pub(crate) fn forest(comparison: &Comparison) -> String {
    let height =
        TOP + comparison.means.len() as f64 * MEAN_ROW + comparison.cases.len() as f64 * ROW + 36.0;
    let scale = Scale::new(range(comparison), (LEFT, RIGHT));
    let mut svg =
        Svg::new(WIDTH, height, "Gain over the baseline with intervals, per tool and per case");
    frame(&mut svg, &scale, height - 30.0);
    let mut y = TOP;
    for mean in &comparison.means {
        svg.line("rule", (0.0, y), (WIDTH, y));
        let middle = y + MEAN_ROW / 2.0 + 1.0;
        let title =
            format!("{}: {} (placebo {})", mean.name, told(&mean.candidate), told(&mean.placebo));
        svg.open(&format!("mean {}", tone(&mean.candidate)), &title);
        svg.text("name", (0.0, middle + 5.0), Anchor::Start, &mean.name);
        interval(&mut svg, &scale, &mean.placebo, middle + 7.0, "placebo");
        interval(&mut svg, &scale, &mean.candidate, middle, "gain");
        svg.diamond("point", (scale.place(mean.candidate.gains().0), middle), 7.0);
        figures(&mut svg, &mean.candidate, middle + 5.0);
        svg.close();
        y += MEAN_ROW;
        for case in comparison.cases.iter().filter(|case| case.tool == mean.name) {
            row(&mut svg, &scale, case, y + ROW / 2.0);
            y += ROW;
        }
    }
    svg.finish()
}

/// One case: its name, the placebo below the gain, a point by which verdicts are told apart without
/// colours, and the figures.
fn row(svg: &mut Svg, scale: &Scale, case: &CaseResult, y: f64) {
    let title = format!(
        "{} {}: {} after {} rounds, placebo {}, p = {:.3}, {}",
        case.tool,
        case.case,
        told(&case.candidate),
        case.rounds,
        told(&case.placebo),
        case.p_of_all,
        case.verdict.name()
    );
    svg.open(&format!("case {}", case.verdict.name()), &title);
    svg.text("name", (14.0, y + 4.0), Anchor::Start, &case.case);
    interval(svg, scale, &case.placebo, y + 5.0, "placebo");
    interval(svg, scale, &case.candidate, y - 1.0, "gain");
    let place = (scale.place(case.candidate.gains().0), y - 1.0);
    match case.verdict {
        Verdict::Faster | Verdict::Slower => svg.circle("point", place, 4.5),
        Verdict::Equivalent => {
            svg.rect("point", (place.0 - 4.0, place.1 - 4.0), (8.0, 8.0));
        }
        Verdict::Inconclusive => svg.circle("point hollow", place, 4.0),
    }
    figures(svg, &case.candidate, y + 4.0);
    svg.close();
}

/// The line from low to high, with an arrow where it leaves the plot.
fn interval(svg: &mut Svg, scale: &Scale, interval: &Estimate, y: f64, class: &str) {
    let (_, low, high) = interval.gains();
    svg.line(class, (scale.place(low), y), (scale.place(high), y));
    for end in [low, high] {
        if scale.beyond(end) != 0 && class == "gain" {
            svg.arrow("more", (scale.place(end), y), f64::from(scale.beyond(end)));
        }
    }
}

fn figures(svg: &mut Svg, interval: &Estimate, y: f64) {
    let (median, low, high) = interval.gains();
    svg.text("figure", (RIGHT + 76.0, y), Anchor::End, &format!("{} %", signed(median)));
    let ends = format!("{} to {}", signed(low), signed(high));
    svg.text("ends", (WIDTH, y), Anchor::End, &ends);
}

fn frame(svg: &mut Svg, scale: &Scale, bottom: f64) {
    let (left, right) = (scale.place(-MARGIN), scale.place(MARGIN));
    svg.rect("margin", (left, TOP), (right - left, bottom - TOP));
    for tick in scale.ticks(8.0) {
        let x = scale.place(tick);
        let zero = tick.abs() < 1e-9;
        svg.line(if zero { "zero" } else { "grid" }, (x, TOP), (x, bottom));
        let text = if zero { "0".to_owned() } else { signed(tick).replace(".0", "") };
        svg.text("tick", (x, TOP - 8.0), Anchor::Middle, &text);
        svg.text("tick", (x, bottom + 16.0), Anchor::Middle, &text);
    }
    svg.text("tick", (LEFT - 20.0, TOP - 8.0), Anchor::End, "percent of time saved");
    svg.text("tick", (RIGHT + 76.0, TOP - 8.0), Anchor::End, "median");
    svg.text("tick", (WIDTH, TOP - 8.0), Anchor::End, "interval");
}

/// What the axis spans: all intervals as far as they are within reason, and some room.
fn range(comparison: &Comparison) -> (f64, f64) {
    let cases = comparison.cases.iter().map(|case| &case.candidate);
    let all = cases.chain(comparison.means.iter().map(|mean| &mean.candidate));
    let (mut low, mut high) = (-5.0_f64, 5.0_f64);
    for interval in all {
        let (_, from, to) = interval.gains();
        (low, high) = (low.min(from), high.max(to));
    }
    (low.max(WIDEST.0) - 1.0, high.min(WIDEST.1) + 1.0)
}

/// The colour of a mean, which has no verdict of its own.
pub(crate) fn tone(interval: &Estimate) -> &'static str {
    let (_, low, high) = interval.gains();
    if low > 0.0 {
        "faster"
    } else if high < 0.0 {
        "slower"
    } else {
        "inconclusive"
    }
}
