//! Rules about crates: who may import whom, who owns a heavy crate, what manifests inherit.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::cargo::{Metadata, Package};
use crate::tidy::Offences;

/// Who may import whom among our crates: imports go down. A crate that is not listed is an
/// offence, so that the picture in ARCHITECTURE.md stays complete.
const DIRECTIONS: [(&str, &[&str]); 22] = [
    (
        "dtail-suite",
        &["dcat", "dgrep", "dmap", "dprofile", "dserver", "dtail", "dtailhealth", "dtail-process"],
    ),
    ("dcat", &["dtail-cli"]),
    ("dgrep", &["dtail-cli"]),
    ("dmap", &["dtail-cli"]),
    ("dtail", &["dtail-cli"]),
    ("dtailhealth", &["dtail-cli"]),
    ("dserver", &["dtail-process", "dtail-profile", "dtail-server"]),
    ("dprofile", &["dtail-pprof", "dtail-process"]),
    (
        "dtail-cli",
        &[
            "dtail-client",
            "dtail-process",
            "dtail-profile",
            "dtail-protocol",
            "dtail-query",
            "dtail-search",
        ],
    ),
    (
        "dtail-client",
        &["dtail-session", "dtail-ssh", "dtail-protocol", "dtail-query", "dtail-search"],
    ),
    // The client only for jobs that ask other hosts.
    (
        "dtail-server",
        &[
            "dtail-client",
            "dtail-process",
            "dtail-protocol",
            "dtail-query",
            "dtail-session",
            "dtail-ssh",
        ],
    ),
    ("dtail-session", &["dtail-lines", "dtail-search", "dtail-query", "dtail-protocol"]),
    ("dtail-lines", &[]),
    ("dtail-search", &[]),
    ("dtail-query", &[]),
    ("dtail-protocol", &[]),
    ("dtail-pprof", &[]),
    ("dtail-process", &["dtail-profile"]),
    ("dtail-profile", &["dtail-pprof"]),
    ("dtail-ssh", &[]),
    ("dtail-testkit", &[]),
    ("xtask", &[]),
];

/// Heavy crates and the crates that may name them; everybody else goes through an owner.
const OWNERS: [(&str, &[&str]); 27] = [
    ("regex", &["dprofile", "dtail-query", "dtail-search"]),
    ("regex-automata", &["dtail-search"]),
    ("regex-syntax", &["dtail-search"]),
    ("aho-corasick", &["dtail-search"]),
    ("notify", &["dtail-lines"]),
    ("encoding_rs", &["dtail-lines"]),
    ("bzip2", &["dtail-lines", "xtask"]),
    ("lz4_flex", &["dtail-lines", "xtask"]),
    ("lzma-rust2", &["dtail-lines", "xtask"]),
    ("flate2", &["dtail-lines", "dtail-pprof", "xtask"]),
    ("mzstd", &["dtail-lines"]),
    ("ruzstd", &["dtail-lines", "xtask"]),
    ("glob", &["dtail-lines", "xtask"]),
    ("signal-hook", &["dtail-process", "xtask"]),
    (
        "clap",
        &[
            "dtail-process",
            "dtail-cli",
            "dcat",
            "dgrep",
            "dmap",
            "dprofile",
            "dserver",
            "dtail",
            "dtailhealth",
            "xtask",
        ],
    ),
    ("nix", &["dtail-process", "xtask"]),
    ("rpassword", &["dtail-cli"]),
    ("parquet", &["dtail-cli"]),
    ("probe", &["dtail-lines", "dtail-session", "dtail-server"]),
    ("xshell", &["xtask"]),
    ("tar", &["xtask"]),
    ("yaml-rust2", &["xtask"]),
    ("addr2line", &["dtail-profile"]),
    ("framehop", &["dtail-profile"]),
    ("libc", &["dtail-profile"]),
    ("russh", &["dtail-ssh"]),
    ("tokio", &["dtail-ssh", "dtail-client", "dtail-server"]),
];

/// Checks every manifest of the workspace.
pub(crate) fn check(root: &Path, offences: &mut Offences) -> Result<()> {
    let output = std::process::Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    anyhow::ensure!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let metadata = Metadata::parse(&String::from_utf8_lossy(&output.stdout))?;
    check_imports(&metadata, offences);
    for package in &metadata.packages {
        let path = package.manifest_path.as_path();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let shown = path.strip_prefix(root).unwrap_or(path).display().to_string();
        check_manifest(package, &shown, &text, offences);
    }
    let changelog = std::fs::read_to_string(root.join("CHANGELOG.md")).unwrap_or_default();
    let version = metadata.packages.first().map_or("", |package| package.version.as_str());
    if !changelog.lines().any(|line| line.starts_with("## ") && line.contains(version)) {
        offences.add("CHANGELOG.md", 0, &format!("no heading for version {version}"));
    }
    Ok(())
}

fn check_imports(metadata: &Metadata, offences: &mut Offences) {
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some((_, allowed)) = DIRECTIONS.iter().find(|(crate_name, _)| *crate_name == name)
        else {
            offences.add(name, 0, "a crate without a place in xtask/src/tidy/manifests.rs");
            continue;
        };
        for dependency in &package.dependencies {
            let dev = dependency.is_dev();
            let import = dependency.name.as_str();
            let ours = dependency.path.is_some();
            if ours && !allowed.contains(&import) && !(dev && import == "dtail-testkit") {
                offences.add(name, 0, &format!("must not import {import}: imports go down"));
            }
            let owners = OWNERS.iter().find(|(heavy, _)| *heavy == import);
            if let Some((_, owners)) = owners
                && !owners.contains(&name)
                && !dev
            {
                let text = format!("must not import {import}: its owner is {}", owners.join(", "));
                offences.add(name, 0, &text);
            }
        }
    }
}

fn check_manifest(package: &Package, path: &str, text: &str, offences: &mut Offences) {
    let folder = Path::new(path).parent().and_then(Path::file_name).unwrap_or_default();
    if folder != package.name.as_str() {
        offences.add(path, 0, "the folder's name is the crate's name");
    }
    let table: toml::Table = text.parse().unwrap_or_default();
    let inherits = |table: Option<&toml::Value>| {
        table.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
    };
    if !inherits(table.get("lints")) {
        offences.add(path, 0, "lints are inherited: `[lints] workspace = true`");
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let entries = table.get(section).and_then(toml::Value::as_table);
        for (name, value) in entries.into_iter().flatten() {
            if !inherits(Some(value)) {
                offences.add(path, 0, &format!("{name}: versions live in the root Cargo.toml"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn package(name: &str, imports: &[(&str, bool, &str)]) -> Package {
        let dependency = |&(name, ours, kind): &(&str, bool, &str)| {
            let (path, kind) = (ours.then_some(""), Some(kind).filter(|kind| !kind.is_empty()));
            serde_json::json!({"name": name, "path": path, "kind": kind})
        };
        let dependencies: Vec<_> = imports.iter().map(dependency).collect();
        let package = serde_json::json!({
            "name": name, "version": "0.1.0", "manifest_path": "", "dependencies": dependencies
        });
        serde_json::from_value(package).unwrap()
    }

    #[track_caller]
    fn check_one(package: Package, expected: &Expect) {
        let mut offences = Offences::default();
        check_imports(&Metadata { packages: vec![package] }, &mut offences);
        expected.assert_eq(&offences.0.join("\n"));
    }

    #[test]
    fn imports_go_down_and_heavy_crates_have_one_owner() {
        check_one(package("dcat", &[("dtail-cli", true, ""), ("clap", false, "")]), &expect![""]);
        check_one(package("dcat", &[("dtail-testkit", true, "dev")]), &expect![""]);
        check_one(
            package("dtail-lines", &[("dtail-search", true, "")]),
            &expect!["dtail-lines: must not import dtail-search: imports go down"],
        );
        check_one(
            package("xtask", &[("dtail-query", true, "")]),
            &expect!["xtask: must not import dtail-query: imports go down"],
        );
        check_one(
            package("dtail-query", &[("aho-corasick", false, "")]),
            &expect!["dtail-query: must not import aho-corasick: its owner is dtail-search"],
        );
        check_one(
            package("dserver", &[("dtail-server", true, ""), ("tokio", false, "")]),
            &expect![
                "dserver: must not import tokio: its owner is dtail-ssh, dtail-client, dtail-server"
            ],
        );
        check_one(
            package("dtail-cli", &[("dtail-ssh", true, ""), ("rpassword", false, "")]),
            &expect!["dtail-cli: must not import dtail-ssh: imports go down"],
        );
        check_one(
            package("dtail-new", &[]),
            &expect!["dtail-new: a crate without a place in xtask/src/tidy/manifests.rs"],
        );
    }

    #[test]
    fn manifests_inherit() {
        let mut offences = Offences::default();
        let text = "[package]\nname = \"x\"\n[dependencies]\nregex = \"1\"\n";
        check_manifest(&package("x", &[]), "tools/y/Cargo.toml", text, &mut offences);
        expect![[r#"
            tools/y/Cargo.toml: the folder's name is the crate's name
            tools/y/Cargo.toml: lints are inherited: `[lints] workspace = true`
            tools/y/Cargo.toml: regex: versions live in the root Cargo.toml"#]]
        .assert_eq(&offences.0.join("\n"));
    }
}
