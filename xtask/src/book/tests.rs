//! What the pages promise is what the code does: commands exist, flags are known, texts of errors
//! are those of the sources. Programs are not run here: what they say for `--help` stands in
//! docs/tools.md, which `cargo xtask codegen --check` compares with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Parser as _;

use super::{Page, pages};
use crate::cli::Cli;
use crate::fault::Fault;
use crate::recipe::own_root;
use crate::ship::help::Help;

const SHELL: [&str; 3] = ["sh", "console", "bash"];

fn page(path: &str) -> Page {
    let found = pages(own_root()).unwrap().into_iter().find(|page| page.path == path);
    found.unwrap_or_else(|| panic!("no {path}"))
}

/// Splits a line as a shell does, as far as examples in pages go: quotes hold words together, a
/// comment ends the line, and each command of a pipe or list is its own.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(end), _) if character == end => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(character),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => commands.last_mut().unwrap().extend(word.take()),
            (None, '|' | '&' | ';' | '>') => {
                commands.last_mut().unwrap().extend(word.take());
                commands.push(Vec::new());
            }
            (None, _) => word.get_or_insert_default().push(character),
        }
    }
    commands.last_mut().unwrap().extend(word);
    commands.retain(|command| !command.is_empty());
    commands
}

/// The lines inside of code blocks of one of these kinds, with their numbers.
fn code_lines<'a>(text: &'a str, kinds: &[&str]) -> Vec<(usize, &'a str)> {
    let mut lines = Vec::new();
    let mut block: Option<bool> = None;
    for (index, line) in text.lines().enumerate() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            block = match block {
                Some(_) => None,
                None => Some(kinds.contains(&kind)),
            };
        } else if block == Some(true) {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// Every command in a code block of a page, with its place.
fn documented() -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for page in pages(own_root()).unwrap() {
        for (number, line) in code_lines(&page.text, &SHELL) {
            let line = line.trim().trim_start_matches("$ ");
            let place = format!("{}:{number}", page.path);
            all.extend(commands(line).into_iter().map(|command| (place.clone(), command)));
        }
        // Commands in running text and tables, where the whole code span is one.
        for (index, line) in page.text.lines().enumerate() {
            let spans = line.split('`').skip(1).step_by(2);
            for span in spans.filter(|span| span.starts_with("cargo xtask ")) {
                let place = format!("{}:{}", page.path, index + 1);
                all.extend(alternatives(span).into_iter().map(|words| (place.clone(), words)));
            }
        }
    }
    all
}

/// `cargo xtask bench save|compare TAG [--quick]` stands for two commands.
fn alternatives(span: &str) -> Vec<Vec<String>> {
    if span.contains(['\'', '"']) {
        return commands(span);
    }
    let span = span.replace("\\|", "|").replace(['[', ']', '…'], "");
    let mut lines: Vec<Vec<String>> = vec![Vec::new()];
    for word in span.split_whitespace() {
        let longer = |line: &Vec<String>| {
            word.split('|').map(|choice| with(line, choice)).collect::<Vec<_>>()
        };
        lines = lines.iter().flat_map(longer).collect();
    }
    lines
}

fn with(line: &[String], word: &str) -> Vec<String> {
    line.iter().cloned().chain([word.to_owned()]).collect()
}

/// A word of a page as somebody would type it.
fn filled(word: &str) -> String {
    match word {
        "N" | "LINES" | "SECONDS" => "1000".to_owned(),
        "TOOL" | "[TOOL…]" => "dgrep".to_owned(),
        other => other.to_owned(),
    }
}

#[test]
fn every_command_of_xtask_in_the_pages_exists() {
    use clap::error::ErrorKind;
    let mut count = 0;
    for (place, command) in documented() {
        let Some(at) = command.windows(2).position(|two| two == ["cargo", "xtask"]) else {
            continue;
        };
        // Variables may stand in front, nothing else.
        assert!(command[..at].iter().all(|word| word.contains('=')), "{place}: {command:?}");
        count += 1;
        let words = command[at + 1..].iter().filter(|word| *word != "…");
        if let Err(error) = Cli::try_parse_from(words.map(|word| filled(word))) {
            // Running text may name a command without what it needs.
            let exists = [
                ErrorKind::DisplayHelp,
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
                ErrorKind::MissingRequiredArgument,
                ErrorKind::MissingSubcommand,
            ];
            assert!(exists.contains(&error.kind()), "{place}: {}: {error}", command.join(" "));
        }
    }
    assert!(count > 100, "only {count} commands were found");
}

/// The helps of the tools, as docs/tools.md shows them.
fn helps() -> BTreeMap<String, Help> {
    let text = page("docs/tools.md").text;
    let mut helps = BTreeMap::new();
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once("<!-- codegen:help-") {
        let (name, after) = after.split_once(" -->\n```text\n").unwrap();
        let (help, after) = after.split_once("\n```\n").unwrap();
        helps.insert(name.to_owned(), Help::parse(help).unwrap_or_else(|| panic!("{name}")));
        rest = after;
    }
    assert_eq!(helps.len(), 7);
    helps
}

/// The names of options, those in `[alias: --x]` too, without dashes and in one case.
fn known(help: &Help) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for option in help.options() {
        names.extend(option.long.as_deref().map(plain));
        names.extend(option.short.map(|letter| letter.to_string()));
        let aliases = option.help.split("[alias: --").nth(1);
        names.extend(aliases.and_then(|it| it.split([']', ',']).next()).map(plain));
    }
    names
}

/// camelCase and kebab-case are the same.
fn plain(name: &str) -> String {
    name.replace('-', "").to_lowercase()
}

/// Whether a word on a command line is an option that the program knows.
fn is_known(word: &str, known: &BTreeSet<String>) -> bool {
    let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
    let is_cluster = |name: &str| {
        !word.starts_with("--")
            && name.chars().next().is_some_and(|first| known.contains(&first.to_string()))
    };
    name.is_empty() || known.contains(&plain(name)) || is_cluster(name)
}

#[test]
fn every_option_of_the_tools_in_the_pages_is_known() {
    let helps = helps();
    let mut count = 0;
    for (place, command) in documented() {
        let Some(help) = helps.get(&command[0]) else { continue };
        // dprofile's commands have options of their own.
        if command[0] == "dprofile" {
            continue;
        }
        let known = known(help);
        for word in command.iter().filter(|word| word.starts_with('-') && !word.contains(' ')) {
            count += 1;
            assert!(is_known(word, &known), "{place}: {}: no {word}", command.join(" "));
        }
    }
    assert!(count > 60, "only {count} options were found");
}

/// The rows of the tables of a page below a heading: cells without blanks around.
fn rows(page: &Page, heading: &str) -> Vec<Vec<String>> {
    let (_, section) = page.text.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |line: &str| {
        let line = line.trim_start_matches('|').trim_end_matches('|').replace("\\|", "¦");
        line.split('|').map(|cell| cell.trim().replace('¦', "|")).collect()
    };
    rows.map(cells).collect()
}

/// The code spans of a cell.
fn spans(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_flags_of_dtail_are_where_the_migration_page_says() {
    let (helps, page) = (helps(), page("docs/migration.md"));
    let rows = rows(&page, "Flags");
    assert!(rows.len() > 35);
    for row in rows {
        for flag in spans(&row[0]) {
            for program in row[1].split(", ") {
                let is_there = known(&helps[program]).contains(&plain(&flag[2..]));
                let expected = match row[2].as_str() {
                    "same" | "changed" => true,
                    "gone" => false,
                    other => panic!("{flag}: what is {other}?"),
                };
                assert_eq!(is_there, expected, "{program} {flag} is not {}", row[2]);
            }
        }
    }
}

/// All of our Rust, with one mark for everything that a text is filled in with.
fn sources() -> String {
    let mut all = String::new();
    for folder in ["tools", "xtask/src"] {
        for entry in walkdir::WalkDir::new(own_root().join(folder)) {
            let path = entry.unwrap().into_path();
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            let of_programs = !path.components().any(|part| part.as_os_str() == "tests");
            if is_rust && of_programs {
                all.push_str(&normal(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    all
}

/// A source with string literals on one line and `…` for `{name}`.
fn normal(source: &str) -> String {
    let mut text = String::new();
    for part in source.split("\\\n") {
        text.push_str(if text.is_empty() { part } else { part.trim_start() });
    }
    let text = text.replace("\\\"", "\"").replace("\\\\", "\\");
    let mut filled = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        match after.find(['}', '\n', '"', ' ', '{']) {
            Some(end) if after[end..].starts_with('}') => {
                filled.push('…');
                rest = &after[end + 1..];
            }
            _ => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled + rest
}

#[test]
fn the_errors_of_the_troubleshooting_page_are_those_of_the_sources() {
    assert_eq!(normal("\"a {x} \\\n     b {} c {y:?}\"{ d }"), "\"a … b … c …\"{ d }");
    let (sources, page) = (sources(), page("docs/troubleshooting.md"));
    let sections = ["Files", "Usage", "Configuration", "Hosts", "In the log of dserver"];
    let mut count = 0;
    for section in sections.iter().chain(&["Profiles and `cargo xtask`"]) {
        for row in rows(&page, section) {
            let text = spans(&row[0])[0].to_owned();
            assert!(sources.contains(&text), "no program says: {text}");
            count += 1;
        }
    }
    assert!(count > 80, "only {count} texts were found");
}

#[test]
fn the_pipelines_page_knows_every_exit_code() {
    let text = page("docs/pgo.md").text;
    for fault in Fault::ALL {
        let row = format!("\n| {} | ", fault.code());
        assert!(text.contains(&row), "docs/pgo.md does not tell of exit code {}", fault.code());
    }
}

#[test]
fn mdbook_can_build_the_book() {
    let Some(program) = crate::toolchain::in_path("mdbook") else {
        eprintln!("SKIPPED: no mdbook, which would build docs/ (cargo install mdbook)");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let mut build = std::process::Command::new(program);
    build.args(["build", "docs", "--dest-dir"]).arg(dir.path()).current_dir(own_root());
    let output = build.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_quiet = !said.contains("WARN") && !said.contains("ERROR");
    assert!(output.status.success() && is_quiet, "{said}");
    assert!(dir.path().join("operations.html").is_file());
}

#[test]
fn the_book_is_where_mdbook_looks_for_it() {
    let text = std::fs::read_to_string(own_root().join("docs/book.toml")).unwrap();
    let book: toml::Table = text.parse().unwrap();
    assert_eq!(book["book"]["src"].as_str(), Some("."));
    assert!(Path::new(super::SUMMARY).starts_with(super::FOLDER));
}
