//! The examples of docs/queries.md are what dmap prints. With `UPDATE_EXPECT=1` they become it.

use std::path::Path;

use dtail_testkit::Scratch;

use crate::dmap;

#[test]
fn the_examples_of_the_reference_are_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/queries.md");
    let document = std::fs::read_to_string(&path).expect("the reference of queries");
    let scratch = Scratch::new();
    let mut examples = 0;
    let mut actual = String::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        put(line, &mut actual);
        let Some(kind) = line.strip_prefix("```").filter(|it| !it.is_empty()) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if kind == "console" {
            for command in block.iter().filter(|line| line.starts_with("$ ")) {
                put(command, &mut actual);
                run(command, &scratch, &mut actual);
                examples += 1;
            }
        } else {
            if let Some(file) = kind.strip_prefix("text ") {
                scratch.write(file, format!("{}\n", block.join("\n")));
            }
            block.iter().for_each(|line| put(line, &mut actual));
        }
        put("```", &mut actual);
    }
    assert!(examples > 10, "only {examples} examples were found");
    if actual != document {
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, actual).expect("the reference can be written");
            return;
        }
        let differs = |(old, new): &(&str, &str)| old != new;
        let first = document.lines().zip(actual.lines()).find(differs);
        panic!("docs/queries.md is not what dmap prints; the first difference: {first:#?}");
    }
}

fn put(line: &str, document: &mut String) {
    document.push_str(line);
    document.push('\n');
}

/// Appends what `$ dmap 'QUERY' FILE` prints: without the query, which is above, and empty lines.
fn run(command: &str, scratch: &Scratch, document: &mut String) {
    let (before, rest) = command.split_once('\'').expect("a query in quotes");
    let (query, file) = rest.rsplit_once("' ").expect("a file behind the query");
    assert_eq!(before, "$ dmap ");
    let finished = dmap(scratch, &[query, file]).run();
    let stdout = finished.stdout_text();
    let stderr = finished.stderr_text();
    for line in stdout.lines().chain(stderr.lines()) {
        let line = line.trim_end();
        if !line.is_empty() && line != query {
            put(line, document);
        }
    }
}
