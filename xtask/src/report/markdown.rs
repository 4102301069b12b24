//! The report as Markdown: what GitHub shows and what a note quotes.

use std::fmt::Write as _;

use crate::report::{
    Report, cases_table, means_table, profiles_table, proof_tables, stage_table, too_few_rounds,
};

/// Renders the whole report.
pub(crate) fn render(report: &Report) -> String {
    let Report { machine, compiler, comparison, .. } = report;
    let mut text = String::new();
    let corpus = if report.corpus { ", inputs from a corpus" } else { "" };
    // Writing to a String cannot fail.
    let _infallible = write!(
        text,
        "# PGO report\n\n\
         `{}` at {}, rustc {} (LLVM {}), hyperfine {}.\n\
         {} × {}, {} GiB, {}.\n\
         Training: {} lines per input of scale 1, {} iterations{corpus}; profile use: {}; cargo profile: {}.\n\
         Comparison: {} rounds, one run per arm and round in shuffled order (seed {}), \
         median of the rounds' ratios with a 95 % bootstrap interval; \
         the placebo is a byte copy of the baseline and shows what the machine's noise looks like. \
         p is that of Wilcoxon's signed-rank test, after Holm's correction for the number of cases; \
         faster or slower is only what the interval and this test both say.\n\n",
        report.command,
        report
            .commit
            .as_deref()
            .map_or("an unknown commit", |commit| &commit[..commit.len().min(9)]),
        compiler.release,
        compiler.llvm,
        comparison.hyperfine,
        machine.cores,
        machine.cpu,
        machine.memory_gib,
        machine.system,
        report.data_size,
        report.iterations,
        report.profile_use,
        report.cargo_profile,
        comparison.rounds,
        comparison.seed,
    );
    for (title, table) in [
        ("Gain over the baseline (positive is faster)", means_table(comparison)),
        ("Evaluation cases", cases_table(comparison)),
        ("Profiles and sizes", profiles_table(report)),
        ("Stages", stage_table(&report.stages)),
    ] {
        let _infallible = write!(text, "## {title}\n\n{}\n", table.markdown());
    }
    for (title, table) in proof_tables(report) {
        let _infallible = write!(text, "## {title}\n\n{}\n", table.markdown());
    }
    if let Some(told) = too_few_rounds(comparison) {
        let _infallible = writeln!(text, "{told}");
    }
    if comparison.cases.iter().all(|case| case.baseline_memory.is_none()) {
        text.push_str("Peak memory was not measured: this hyperfine is older than 1.20.\n");
    }
    text
}
