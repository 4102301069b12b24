//! A profile under today's names: edits LLVM's text form, which `llvm-profdata merge` reads back.
//! Counters are copied as they are; what has no name today is left out. Decides nothing.

use std::collections::HashMap;

use crate::profile::facts::{Facts, Key};
use crate::profile::matching::{Fate, Matching};

/// What opens the values of an indirect call's targets.
const TARGETS: &str = "# ValueKind = IPVK_IndirectCallTarget:";
/// What opens the values of any kind.
const VALUES: &str = "# ValueKind = ";

/// The functions that indirect calls went to, as the value profiles of `text` name them.
pub(crate) fn targets(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut in_targets = false;
    for line in text.lines() {
        in_targets = still_in_targets(line, in_targets);
        if in_targets && let Some((name, _count)) = target(line) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// `text`, whose functions are `facts`, under the names that `matching` found.
pub(crate) fn rewrite(text: &str, facts: &Facts, matching: &Matching) -> Result<String, String> {
    let keys = facts.functions.iter().map(|f| (f.name.clone(), f.hash));
    let fates: HashMap<Key, &Fate> = keys.zip(&matching.fates).collect();
    let mut output = String::with_capacity(text.len());
    // The header ends with the first line that is neither a comment nor an option.
    let is_header = |line: &str| line.is_empty() || line.starts_with(['#', ':']);
    let mut rest = text;
    while let Some(line) = rest.split_inclusive('\n').next()
        && is_header(line.trim_end())
    {
        output.push_str(line);
        rest = &rest[line.len()..];
    }
    for record in records(rest) {
        let mut values = record.lines().filter(|line| !line.starts_with('#'));
        let name = values.next().unwrap_or_default();
        let hash = values.next().and_then(|hash| hash.parse().ok());
        let hash: u64 = hash.ok_or_else(|| format!("{name} has no hash in the text form"))?;
        match fates.get(&(name.to_owned(), hash)) {
            Some(Fate::Exact) => copy(record, name, matching, &mut output),
            Some(Fate::Renamed(new)) => copy(record, new, matching, &mut output),
            Some(Fate::Changed | Fate::Unclear | Fate::Gone) => {}
            None => return Err(format!("{name} was not read with the other functions")),
        }
    }
    Ok(output)
}

/// The functions of the text, without the empty lines that end each.
fn records(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n")
        .map(str::trim_end)
        .map(|record| record.trim_start_matches('\n'))
        .filter(|record| !record.is_empty())
}

fn copy(record: &str, name: &str, matching: &Matching, output: &mut String) {
    output.push_str(name);
    output.push('\n');
    let mut in_targets = false;
    for line in record.lines().skip(1) {
        in_targets = still_in_targets(line, in_targets);
        match target(line).filter(|_| in_targets) {
            Some((target, count)) => {
                output.push_str(matching.name(target));
                output.push(':');
                output.push_str(count);
            }
            None => output.push_str(line),
        }
        output.push('\n');
    }
    output.push('\n');
}

fn still_in_targets(line: &str, before: bool) -> bool {
    if line.starts_with(VALUES) { line == TARGETS } else { before && !line.is_empty() }
}

/// A call's target and how often it was called.
fn target(line: &str) -> Option<(&str, &str)> {
    let (name, count) = line.rsplit_once(':')?;
    let counts = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    (counts && !name.starts_with('#')).then_some((name, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    const TEXT: &str = "# IR level Instrumentation Flag\n:ir\n\
        _RNvCs1_1a1f\n# Func Hash:\n1\n# Num Counters:\n2\n# Counter Values:\n5\n0\n\
        # Num Value Kinds:\n2\n# ValueKind = IPVK_IndirectCallTarget:\n0\n# NumValueSites:\n2\n\
        2\n_RNvCs1_1a1g:3\n** External Symbol **:2\n1\na.00ff-cgu.0;_RNvCs1_1a1h:1\n\
        # ValueKind = IPVK_MemOPSize:\n1\n# NumValueSites:\n1\n1\n8:4\n\n\
        _RNvCs1_1a1g\n# Func Hash:\n2\n# Num Counters:\n1\n# Counter Values:\n7\n\n\
        main\n# Func Hash:\n3\n# Num Counters:\n1\n# Counter Values:\n1\n\n";

    #[test]
    fn functions_and_targets_get_todays_names_and_lost_functions_are_left_out() {
        let facts = Facts::parse(TEXT).unwrap();
        let targets = targets(TEXT);
        let expected = ["** External Symbol **", "_RNvCs1_1a1g", "a.00ff-cgu.0;_RNvCs1_1a1h"];
        assert_eq!(targets, expected);
        let key = |name: &str, hash| (name.to_owned(), hash);
        let today = [
            key("_RNvCs22_1a1f", 1),
            key("_RNvCs22_1a1g", 9),
            key("a.0123-cgu.0;_RNvCs22_1a1h", 5),
            key("main", 3),
        ];
        let matching = Matching::of(&facts, &targets, &today.into());
        expect![[r#"
            # IR level Instrumentation Flag
            :ir
            _RNvCs22_1a1f
            # Func Hash:
            1
            # Num Counters:
            2
            # Counter Values:
            5
            0
            # Num Value Kinds:
            2
            # ValueKind = IPVK_IndirectCallTarget:
            0
            # NumValueSites:
            2
            2
            _RNvCs22_1a1g:3
            ** External Symbol **:2
            1
            a.0123-cgu.0;_RNvCs22_1a1h:1
            # ValueKind = IPVK_MemOPSize:
            1
            # NumValueSites:
            1
            1
            8:4

            main
            # Func Hash:
            3
            # Num Counters:
            1
            # Counter Values:
            1

        "#]]
        .assert_eq(&rewrite(TEXT, &facts, &matching).unwrap());
    }

    #[test]
    fn a_text_without_losses_is_only_copied() {
        let facts = Facts::parse(TEXT).unwrap();
        let matching = Matching::of(&facts, &[], &facts.keys());
        assert_eq!(rewrite(TEXT, &facts, &matching).unwrap(), TEXT);
    }
}
