//! The static probe points are where docs/probes.md says that they are.

use std::collections::BTreeSet;
use std::process::Command;

use dtail_testkit::sibling;

/// The probe points of a program, as its ELF notes name them; nothing without readelf.
fn probes_of(program: &str) -> Option<BTreeSet<String>> {
    let path = sibling(program);
    let Ok(output) = Command::new("readelf").arg("--notes").arg(&path).output() else {
        eprintln!("SKIPPED: no readelf (apt-get install binutils)");
        return None;
    };
    let text = String::from_utf8(output.stdout).expect("readelf writes text");
    let (mut names, mut is_ours) = (BTreeSet::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(provider) = line.strip_prefix("Provider: ") {
            is_ours = provider == "dtail";
        } else if let Some(name) = line.strip_prefix("Name: ").filter(|_| is_ours) {
            names.insert(name.to_owned());
        }
    }
    Some(names)
}

/// The names in the first column of the page's table.
fn documented() -> BTreeSet<String> {
    let page = include_str!("../../../../docs/probes.md");
    let cell = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    page.lines().filter_map(cell).collect()
}

#[test]
fn a_server_has_every_point_of_the_page_and_no_other() {
    let Some(found) = probes_of("dserver") else { return };
    assert_eq!(found, documented());
}

#[test]
fn the_other_programs_have_those_of_queries_and_files() {
    for program in ["dcat", "dgrep", "dmap", "dtail"] {
        let Some(found) = probes_of(program) else { return };
        let mut expected = documented();
        expected.retain(|name| !name.starts_with("session_"));
        assert_eq!(found, expected, "{program}");
    }
}
