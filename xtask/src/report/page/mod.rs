//! The report as one page for a browser: self-contained, no scripts, light and dark. It is made of
//! report.json and the files beside it, so that it can be made again from a report that was kept.

mod forest;
mod small;
mod svg;

use std::fmt::Write as _;

use crate::compare::rounds::{CaseResult, Mean};
use crate::compare::statistics::{Estimate, Verdict};
use crate::report::Report;
use crate::report::beside::Beside;
use crate::report::page::svg::escaped;

const STYLE: &str = include_str!("style.css");

/// Renders the whole page.
pub(crate) fn render(report: &Report, beside: &Beside) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    let _infallible = write!(
        text,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>PGO report: {}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escaped(&headline(report))
    );
    head(&mut text, report);
    section(
        &mut text,
        "gains",
        "Gain over the baseline",
        GAINS,
        &forest::forest(&report.comparison),
    );
    if report.comparison.cases.iter().any(|case| !case.ratios.is_empty()) {
        let drawn = small::rounds(&report.comparison.cases);
        section(&mut text, "rounds", "Rounds in the order they were run", ROUNDS, &drawn);
    }
    if let Some(matrix) = &beside.transfer {
        let told = format!("{TRANSFER} {}", escaped(&matrix.why));
        section(&mut text, "transfer", "Whose profile helps whom", &told, &small::transfer(matrix));
    }
    if !beside.lost.is_empty() {
        section(&mut text, "lost", "Lost counts", LOST, &wide(&small::lost(&beside.lost)));
    }
    if let Some(bolt) = &report.bolt {
        section(&mut text, "bolt", "BOLT on top of PGO", "", &small::bolt(bolt));
    }
    if let Some(counts) = report.counts.as_ref().filter(|counts| !counts.cases.is_empty()) {
        let told = format!("With {} lines. {COUNTS}", counts.data_size);
        section(&mut text, "counts", "Instructions", &told, &small::counts(counts));
    }
    section(&mut text, "sizes", "Sizes", SIZES, &wide(&small::sizes(&report.profiles)));
    let sum = report.stages.iter().map(|stage| stage.seconds).sum();
    let told = format!("{} in all.", small::duration(sum));
    section(&mut text, "stages", "Stages", &told, &wide(&small::stages(&report.stages)));
    section(&mut text, "machine", "Machine and toolchain", "", &facts(report));
    section(&mut text, "cases", "Every case in figures", "", &cases(&report.comparison.cases));
    text.push_str("</main>\n</body>\n</html>\n");
    text
}

const GAINS: &str = "Median of the rounds’ ratios with its 95 % bootstrap interval. The pale line below \
     each is the placebo: a byte copy of the baseline, measured like a candidate. The shaded band is the \
     margin within which times count as equal. \
     <span class=\"key faster\">●</span> proven, \
     <span class=\"key\">■</span> equivalent, <span class=\"key\">○</span> not decided, \
     <span class=\"key\">◆</span> geometric mean of a tool’s cases.";
const ROUNDS: &str = "Each point is one round: the candidate’s time beside the baseline’s. Pale points \
     are the placebo. A slope or a step here is the machine’s doing, not the profile’s.";
const TRANSFER: &str = "Percent of time saved: a row is the tool whose workload was trained on, a column \
     the tool that was measured.";
const LOST: &str = "The share of the committed profiles’ counts that no function of today’s sources takes (cargo xtask pgo-check); pale, what a rebase brings back.";
const COUNTS: &str = "Counted by callgrind: a detector of changes, not a gain.";
const SIZES: &str =
    "Programs as built, with debug information: the baseline pale, the optimised one below.";

fn section(text: &mut String, id: &str, title: &str, told: &str, body: &str) {
    let told = if told.is_empty() { String::new() } else { format!("<p>{told}</p>\n") };
    let body = if id == "gains" { wide(body) } else { body.to_owned() };
    let _infallible =
        write!(text, "<section id=\"{id}\">\n<h2>{title}</h2>\n{told}{body}</section>\n");
}

/// A drawing that may scroll sideways on a small screen, rather than become unreadable.
fn wide(body: &str) -> String {
    format!("<div class=\"wide\">\n{body}</div>\n")
}

/// The sentence that says it all.
fn headline(report: &Report) -> String {
    let Some(mean) = report.comparison.means.last() else {
        return "nothing was compared".to_owned();
    };
    let (gain, low, high) = mean.candidate.gains();
    let word = match forest::tone(&mean.candidate) {
        "faster" => "faster",
        "slower" => "slower",
        _ => return format!("No difference proven: {} %", signed(gain)),
    };
    let (low, high) = if gain < 0.0 { (-high, -low) } else { (low, high) };
    format!("{:.1} % {word} [{low:.1}, {high:.1}]", gain.abs())
}

fn head(text: &mut String, report: &Report) {
    let commit = report.commit.as_deref().map_or("an unknown commit", |it| &it[..it.len().min(9)]);
    let count = |verdict: Verdict| {
        report.comparison.cases.iter().filter(|case| case.verdict == verdict).count()
    };
    let _infallible = write!(
        text,
        "<header>\n<p class=\"kicker\">PGO report · {}</p>\n<h1>{}</h1>\n\
         <p class=\"lead\">Profile-guided optimisation beside the same build without it: geometric mean \
         over {} evaluation cases, none of which was trained on. \
         {} faster, {} slower, {} equivalent, {} not decided.</p>\n\
         <p class=\"command\"><code>{}</code></p>\n",
        escaped(commit),
        escaped(&headline(report)),
        report.comparison.cases.len(),
        count(Verdict::Faster),
        count(Verdict::Slower),
        count(Verdict::Equivalent),
        count(Verdict::Inconclusive),
        escaped(&report.command),
    );
    text.push_str("<div class=\"tiles\">\n");
    for mean in &report.comparison.means {
        tile(text, mean);
    }
    text.push_str("</div>\n</header>\n");
}

fn tile(text: &mut String, mean: &Mean) {
    let (gain, low, high) = mean.candidate.gains();
    let _infallible = writeln!(
        text,
        "<div class=\"tile {}\"><span class=\"of\">{}</span><span class=\"big\">{}<small> %</small></span>\
         <span class=\"ends\">{} to {}</span><span class=\"ends pale\">placebo {}</span></div>",
        forest::tone(&mean.candidate),
        escaped(&mean.name),
        signed(gain),
        signed(low),
        signed(high),
        signed(mean.placebo.gains().0),
    );
}

fn facts(report: &Report) -> String {
    let Report { machine, compiler, comparison, .. } = report;
    let rounds = if comparison.max_rounds > comparison.rounds {
        format!("{}, up to {} where a case was not clear", comparison.rounds, comparison.max_rounds)
    } else {
        comparison.rounds.to_string()
    };
    let inputs = if report.corpus { "from a corpus" } else { "made from seeds" };
    let rows = [
        ("Processor", format!("{} × {}", machine.cores, machine.cpu)),
        ("Memory", format!("{} GiB", machine.memory_gib)),
        ("System", machine.system.clone()),
        ("Compiler", format!("rustc {} ({:.9})", compiler.release, compiler.commit)),
        ("LLVM", compiler.llvm.clone()),
        ("Target", compiler.host.clone()),
        ("Cargo profile", report.cargo_profile.clone()),
        ("Profile use", report.profile_use.clone()),
        (
            "Training",
            format!(
                "{} lines per input of scale 1, {inputs}; {} iterations",
                report.data_size, report.iterations
            ),
        ),
        ("Rounds", rounds),
        ("Order", format!("one run per arm and round, shuffled by seed {}", comparison.seed)),
        ("hyperfine", comparison.hyperfine.clone()),
    ];
    let mut text = String::from("<dl class=\"facts\">\n");
    for (name, value) in rows {
        let _infallible = writeln!(text, "<div><dt>{name}</dt><dd>{}</dd></div>", escaped(&value));
    }
    text.push_str("</dl>\n<div class=\"wide\"><table><thead><tr><th>tool</th><th class=\"n\">functions that ran</th><th>hottest function</th></tr></thead><tbody>\n");
    for row in &report.profiles {
        let _infallible = writeln!(
            text,
            "<tr><td>{}</td><td class=\"n\">{} of {}</td><td><code>{}</code></td></tr>",
            escaped(&row.tool),
            row.counted,
            row.functions,
            escaped(&row.hottest)
        );
    }
    text + "</tbody></table></div>\n"
}

fn cases(cases: &[CaseResult]) -> String {
    let mut text = String::from(
        "<details>\n<summary>Table of all cases</summary>\n<div class=\"wide\"><table><thead><tr><th>tool</th><th>case</th>\
         <th class=\"n\">baseline</th><th class=\"n\">gain</th><th class=\"n\">interval</th>\
         <th class=\"n\">placebo</th><th class=\"n\">p</th><th>verdict</th></tr></thead><tbody>\n",
    );
    for case in cases {
        let (gain, low, high) = case.candidate.gains();
        let _infallible = writeln!(
            text,
            "<tr class=\"{verdict}\"><td>{}</td><td>{}</td><td class=\"n\">{:.1} ms {}</td>\
             <td class=\"n\">{} %</td><td class=\"n\">{} to {}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{:.3}</td><td class=\"verdict\">{verdict}</td></tr>",
            escaped(&case.tool),
            escaped(&case.case),
            case.baseline_s * 1e3,
            escaped(&case.measure),
            signed(gain),
            signed(low),
            signed(high),
            told(&case.placebo),
            case.p_of_all,
            verdict = case.verdict.name(),
        );
    }
    text + "</tbody></table></div>\n</details>\n"
}

/// A gain with its interval in words.
fn told(estimate: &Estimate) -> String {
    let (median, low, high) = estimate.gains();
    format!("{} % [{}, {}]", signed(median), signed(low), signed(high))
}

/// A number with its sign, one decimal and a real minus; no sign for zero.
fn signed(value: f64) -> String {
    let text = format!("{:.1}", value.abs());
    match (text.as_str(), value < 0.0) {
        ("0.0", _) => text,
        (_, true) => format!("\u{2212}{text}"),
        (_, false) => format!("+{text}"),
    }
}
