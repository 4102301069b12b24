//! The bill of materials: every crate inside the programs, as CycloneDX 1.6 JSON. Made of
//! `cargo metadata` and `Cargo.lock`; the same sources give the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::digest;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// The bill of the programs that `packages` hold. `metadata` is cargo's JSON for one target, `lock`
/// the text of Cargo.lock, `time` that of the commit.
pub(crate) fn of(
    metadata: &str,
    lock: &str,
    packages: &[String],
    version: &str,
    time: &str,
) -> Result<Value> {
    let metadata: Metadata = serde_json::from_str(metadata).context("cargo metadata")?;
    let sums = checksums(lock)?;
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let by_id: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let mut inside = BTreeSet::new();
    let roots = metadata.packages.iter().filter(|package| packages.contains(&package.name));
    let mut pending: Vec<&str> = roots.map(|package| package.id.as_str()).collect();
    while let Some(id) = pending.pop() {
        if inside.insert(id) {
            pending.extend(nodes.get(id).into_iter().flat_map(|node| used(node)));
        }
    }
    let chosen = inside.iter().filter_map(|id| by_id.get(id));
    let mut components: Vec<Value> = chosen.map(|package| component(package, &sums)).collect();
    components.sort_by_key(|component| component["bom-ref"].to_string());
    let reference = |id: &str| by_id.get(id).map(|package| purl(package));
    let mut dependencies: Vec<Value> = inside
        .iter()
        .filter_map(|id| {
            let on: BTreeSet<String> = used(nodes.get(id)?).filter_map(reference).collect();
            Some(json!({"ref": reference(id)?, "dependsOn": on}))
        })
        .collect();
    dependencies.sort_by_key(|dependency| dependency["ref"].to_string());
    let content = digest::of_bytes(serde_json::to_string(&components)?.as_bytes());
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", uuid(&content)),
        "version": 1,
        "metadata": {
            "timestamp": time,
            "component": {"type": "application", "bom-ref": "dtail", "name": "dtail", "version": version},
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// What is linked or runs at build time; not what only tests use.
fn used(node: &Node) -> impl Iterator<Item = &str> {
    let is_used = |dependency: &&Dependency| {
        dependency.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"))
    };
    node.deps.iter().filter(is_used).map(|dependency| dependency.pkg.as_str())
}

fn purl(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn component(package: &Package, sums: &BTreeMap<(String, String), String>) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
    });
    if let Some(license) = &package.license {
        // An old way to write OR, which is no SPDX expression.
        let expression = license.replace('/', " OR ").replace("  ", " ");
        component["licenses"] = json!([{"expression": expression}]);
    }
    if package.source.is_some() {
        component["purl"] = purl(package).into();
    }
    if let Some(sum) = sums.get(&(package.name.clone(), package.version.clone())) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": sum}]);
    }
    component
}

/// Name and version → the checksum of the crate's file.
fn checksums(lock: &str) -> Result<BTreeMap<(String, String), String>> {
    let lock: toml::Table = lock.parse().context("Cargo.lock")?;
    let packages = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
    let sum = |package: &toml::Value| {
        let field = |name: &str| Some(package.get(name)?.as_str()?.to_owned());
        Some(((field("name")?, field("version")?), field("checksum")?))
    };
    Ok(packages.filter_map(sum).collect())
}

/// A UUID of form 8 (one's own scheme) out of a digest.
fn uuid(digest: &str) -> String {
    format!(
        "{}-{}-8{}-8{}-{}",
        &digest[..8],
        &digest[8..12],
        &digest[13..16],
        &digest[17..20],
        &digest[20..32]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{"packages": [
        {"id": "t", "name": "dcat", "version": "0.1.0", "license": "MIT OR Apache-2.0", "source": null},
        {"id": "m", "name": "memchr", "version": "2.8.3", "license": "Unlicense/MIT", "source": "registry"},
        {"id": "e", "name": "expect-test", "version": "1.5.1", "license": null, "source": "registry"}],
      "resolve": {"nodes": [
        {"id": "t", "deps": [{"pkg": "m", "dep_kinds": [{"kind": null}]},
                             {"pkg": "e", "dep_kinds": [{"kind": "dev"}]}]},
        {"id": "m", "deps": []}, {"id": "e", "deps": []}]}}"#;
    const LOCK: &str = "[[package]]\nname = \"memchr\"\nversion = \"2.8.3\"\nchecksum = \"00ff\"\n";

    #[test]
    fn a_bill_lists_what_is_inside_and_no_more() {
        let bill =
            of(METADATA, LOCK, &["dcat".to_owned()], "0.1.0", "2026-01-01T00:00:00Z").unwrap();
        let names: Vec<_> =
            bill["components"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["dcat", "memchr"]);
        assert_eq!(bill["components"][1]["hashes"][0]["content"], "00ff");
        assert_eq!(bill["components"][1]["licenses"][0]["expression"], "Unlicense OR MIT");
        assert_eq!(bill["dependencies"][0]["dependsOn"][0], "pkg:cargo/memchr@2.8.3");
        let serial = bill["serialNumber"].as_str().unwrap();
        assert_eq!(serial.len(), "urn:uuid:".len() + 36);
    }
}
