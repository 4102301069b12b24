//! What the generated parts say: each program's help, the tables of exit codes and commands, and what
//! a run of the pipeline measured. Pure: helps and report are handed in.

use std::fmt::Write as _;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::fault::Fault;
use crate::report::{Report, markdown, means_table};
use crate::ship::help::Help;

/// A program and what it prints for `--help`.
pub(crate) type ProgramHelp = (String, String);

/// The part of this name; nothing if there is none. Without a report no results can be told.
pub(crate) fn part(name: &str, helps: &[ProgramHelp], report: Option<&Report>) -> Option<String> {
    match name {
        "results-means" => {
            let report = report?;
            let told = means_table(&report.comparison).markdown();
            Some(format!("{told}\n`{}`, {}", report.command, report.machine.cpu))
        }
        // The page has a title of its own.
        "results" => {
            let told = markdown::render(report?);
            Some(told.split_once("\n\n").map_or_else(String::new, |(_, rest)| rest.to_owned()))
        }
        "exit-codes-tools" => Some(exit_codes_of_tools(helps)),
        "exit-codes-xtask" => Some(exit_codes_of_xtask()),
        "xtask-commands" => Some(commands_of_xtask()),
        _ => {
            let program = name.strip_prefix("help-")?;
            let (_, help) = helps.iter().find(|(known, _)| known == program)?;
            Some(format!("```text\n{}\n```", help.trim_end()))
        }
    }
}

/// One row for each code and meaning, with the programs that say so in their help.
fn exit_codes_of_tools(helps: &[ProgramHelp]) -> String {
    let mut rows: Vec<(String, String, Vec<&str>)> = Vec::new();
    for (program, help) in helps {
        for (codes, meaning) in exit_codes(help) {
            match rows.iter_mut().find(|row| row.0 == codes && row.1 == meaning) {
                Some((.., programs)) => programs.push(program),
                None => rows.push((codes, meaning, vec![program])),
            }
        }
    }
    let number = |codes: &str| codes.split(',').next().and_then(|code| code.parse::<u8>().ok());
    rows.sort_by_key(|(codes, ..)| number(codes));
    let mut table = "| exit | programs | meaning |\n| --- | --- | --- |\n".to_owned();
    for (codes, meaning, programs) in rows {
        let _infallible =
            writeln!(table, "| {codes} | {} | {} |", programs.join(", "), cell(&meaning));
    }
    table
}

/// The codes that a help tells of, each with its meaning.
fn exit_codes(help: &str) -> Vec<(String, String)> {
    let help = Help::parse(help).unwrap_or_default();
    let texts = help.texts.into_iter().filter(|(title, _)| title.starts_with("Exit codes"));
    let lines = texts.flat_map(|(_, lines)| lines);
    let code = |line: String| {
        let (codes, meaning) = line.trim().split_once("  ")?;
        let is_code = codes.starts_with(|first: char| first.is_ascii_digit());
        is_code.then(|| (codes.to_owned(), meaning.trim().to_owned()))
    };
    lines.filter_map(code).collect()
}

fn exit_codes_of_xtask() -> String {
    let mut table = "| exit | meaning |\n| --- | --- |\n| 0 | all was done |\n".to_owned();
    table.push_str("| 1 | cargo or another command failed |\n");
    for fault in Fault::ALL {
        let _infallible = writeln!(table, "| {} | {} |", fault.code(), fault.meaning());
    }
    table
}

/// Every command that is not hidden, with the first sentence of its help.
fn commands_of_xtask() -> String {
    let mut table = "| command | does |\n| --- | --- |\n".to_owned();
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let name = command.get_name();
        let _infallible = writeln!(table, "| `cargo xtask {name}` | {} |", cell(&about));
    }
    table
}

/// Text that a cell of a table can hold.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::part;

    fn helps() -> Vec<super::ProgramHelp> {
        let help = |codes: &str| {
            format!(
                "About\n\nUsage: x [OPTIONS]\n\nOptions:\n  -h, --help  Print help\n\nExit codes:\n{codes}"
            )
        };
        vec![
            ("dcat".to_owned(), help("  0  all was done\n  130, 143  stopped\n  A note.\n")),
            ("dgrep".to_owned(), help("  0  all was done\n  1  nothing | none\n")),
        ]
    }

    #[test]
    fn equal_meanings_share_a_row() {
        expect![[r"
            | exit | programs | meaning |
            | --- | --- | --- |
            | 0 | dcat, dgrep | all was done |
            | 1 | dgrep | nothing \| none |
            | 130, 143 | dcat | stopped |
        "]]
        .assert_eq(&part("exit-codes-tools", &helps(), None).unwrap());
    }

    #[test]
    fn a_help_is_shown_as_it_is_printed_and_other_names_are_unknown() {
        let shown = part("help-dcat", &helps(), None).unwrap();
        assert!(shown.starts_with("```text\nAbout\n\nUsage: x") && shown.ends_with("note.\n```"));
        assert_eq!(part("help-cat", &helps(), None), None);
        assert_eq!(part("help", &helps(), None), None);
    }

    #[test]
    fn results_are_those_of_the_report_and_without_one_there_are_none() {
        let report = serde_json::from_str(include_str!("../report/example.json")).unwrap();
        let whole = part("results", &[], Some(&report)).unwrap();
        assert!(whole.starts_with("`cargo xtask pgo") && whole.contains("## Evaluation cases"));
        let means = part("results-means", &[], Some(&report)).unwrap();
        assert!(means.starts_with("| geometric mean | gain [95 %] |"), "{means}");
        assert_eq!(part("results", &[], None), None);
        assert_eq!(part("results-means", &[], None), None);
    }

    #[test]
    fn commands_and_codes_are_those_of_the_code() {
        let commands = part("xtask-commands", &[], None).unwrap();
        assert!(commands.contains("| `cargo xtask codegen` | Make the generated parts"));
        let codes = part("exit-codes-xtask", &[], None).unwrap();
        assert!(codes.contains("| 11 | a generated part of the documentation"));
    }
}
