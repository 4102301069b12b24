//! What docs/operations.md and docs/migration.md say of the keys of the configuration is what reading
//! a file does: a key that counts refuses a value that cannot be its own, and no other key does.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::Config;

/// No key takes this: it is no whole number, no text, no list, no object.
fn wrong() -> Value {
    json!(3.5)
}

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// A file in which only this key is set: `Server.Schedule[].Name`, `Common.LogFormats.NAME`.
fn file(key: &str) -> Value {
    key.rsplit('.').fold(wrong(), |value, part| match part.strip_suffix("[]") {
        Some(list) => json!({ list: [value] }),
        None => json!({ part: value }),
    })
}

fn counts(key: &str) -> bool {
    Config::from_json(&file(key)).is_err()
}

/// The keys in the first column of tables, each with the second.
fn rows(text: &str) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (first, second) = (cells.next().unwrap(), cells.next().unwrap());
        let keys = first.split('`').skip(1).step_by(2);
        let is_key = |key: &&str| {
            ["Common.", "Server.", "Client."].iter().any(|section| key.starts_with(section))
        };
        rows.extend(keys.filter(is_key).map(|key| (key.to_owned(), second.to_owned())));
    }
    rows
}

#[test]
fn every_key_of_the_operations_page_counts() {
    let keys = rows(&page("operations.md"));
    assert!(keys.len() > 40, "{keys:?}");
    for (key, _) in keys {
        assert!(counts(&key), "{key} has no effect");
    }
    assert!(!counts("Server.Nonsense") && !counts("Server.Schedule[].Nonsense"));
}

#[test]
fn keys_are_what_the_migration_page_says() {
    let keys = rows(&page("migration.md"));
    assert!(keys.len() > 50, "{keys:?}");
    for (key, said) in keys {
        let expected = match said.as_str() {
            "same" | "changed" => true,
            "ignored" => false,
            other => panic!("{key}: what is {other}?"),
        };
        assert_eq!(counts(&key), expected, "{key} is not {said}");
    }
}

#[test]
fn every_key_that_is_read_is_documented() {
    let page = page("operations.md");
    let known: BTreeSet<String> = rows(&page)
        .into_iter()
        .flat_map(|(key, _)| key.split('.').map(str::to_owned).collect::<Vec<_>>())
        .map(|part| part.trim_end_matches("[]").to_owned())
        .collect();
    let mut count = 0;
    for source in [include_str!("../config.rs"), include_str!("server.rs")] {
        // Every key is the one argument of the method that reads it: `server.size("MaxSessions")`.
        for part in source.split("(\"").skip(1) {
            let Some((key, _)) = part.split_once("\")") else { continue };
            let is_key = |key: &str| {
                key.starts_with(|first: char| first.is_ascii_uppercase())
                    && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
            };
            if is_key(key) {
                count += 1;
                assert!(known.contains(key), "docs/operations.md does not tell of {key}");
            }
        }
    }
    assert!(count > 40, "only {count} keys were found");
}
