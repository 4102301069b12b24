//! A workspace of two small programs and a shared library without dependencies: what the pipeline
//! is proven on in tests and in CI. Its builds take a second each.

use std::path::Path;

use anyhow::Result;

use crate::atomic;
use crate::recipe::own_root;

/// The manifest of the workspace.
pub(crate) const MANIFEST: &str = r#"[workspace]
members = ["core", "wordcount", "linesort"]
resolver = "3"

[workspace.package]
version = "0.0.0"
"#;
const INPUTS: &str = r#"[train]
generator = "service"
seed = 1

[eval]
generator = "service"
seed = 2
"#;
const CORE: &str = r#"//! What both programs do with a file.
pub fn words(text: &str) -> std::collections::BTreeMap<&str, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word).or_insert(0) += 1;
    }
    counts
}

pub fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_by(|a, b| a.len().cmp(&b.len()).then(b.cmp(a)));
    lines
}

/// The file named on the command line; nothing for `--version` and `--help`, which are answered.
pub fn input(name: &str) -> Option<String> {
    let path = std::env::args().nth(1)?;
    match path.as_str() {
        "--version" => println!("{name} 1"),
        "--help" => println!("{name} of a file\n\nUsage: {name} <FILE>\n\nOptions:\n  -h, --help  Print help"),
        _ => return Some(std::fs::read_to_string(path).expect("the input")),
    }
    None
}
"#;
pub(crate) const WORDCOUNT: &str = r#"fn main() {
    let Some(text) = core_of_toys::input("wordcount") else { return };
    for (word, count) in core_of_toys::words(&text) {
        println!("{count} {word}");
    }
}
"#;
const LINESORT: &str = r#"fn main() {
    let Some(text) = core_of_toys::input("linesort") else { return };
    for line in core_of_toys::sorted(&text) {
        println!("{line}");
    }
}
"#;

const TOOLS: [(&str, &str); 2] = [("linesort", LINESORT), ("wordcount", WORDCOUNT)];

/// Writes the workspace, and nothing but sources and `workloads/`: no cargo profile either.
pub(crate) fn write(root: &Path) -> Result<()> {
    let put = |path: &str, text: &str| atomic::write(&root.join(path), text.as_bytes());
    put("Cargo.toml", MANIFEST)?;
    let own = own_root().join("rust-toolchain.toml");
    put("rust-toolchain.toml", &std::fs::read_to_string(own)?)?;
    let package = |name: &str| format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n");
    put("core/Cargo.toml", &package("core_of_toys"))?;
    put("core/src/lib.rs", CORE)?;
    put("workloads/inputs.toml", INPUTS)?;
    let mut lock = "version = 4\n".to_owned();
    lock.push_str("\n[[package]]\nname = \"core_of_toys\"\nversion = \"0.0.0\"\n");
    for (tool, main) in TOOLS {
        let manifest = package(tool) + "[dependencies]\ncore_of_toys = { path = \"../core\" }\n";
        put(&format!("{tool}/Cargo.toml"), &manifest)?;
        put(&format!("{tool}/src/main.rs"), main)?;
        put(&format!("workloads/{tool}.toml"), &workload(tool, ""))?;
        lock.push_str(&format!(
            "\n[[package]]\nname = \"{tool}\"\nversion = \"0.0.0\"\ndependencies = [\n \"core_of_toys\",\n]\n"
        ));
    }
    put("Cargo.lock", &lock)
}

/// The workload of a program, with `rules` about the whole of it.
pub(crate) fn workload(tool: &str, rules: &str) -> String {
    let case = |kind: &str| {
        format!("[[case]]\nname = \"{kind}\"\nkind = \"{kind}\"\nargs = [\"{{{kind}}}\"]\n")
    };
    format!("schema = 1\ntool = \"{tool}\"\n{rules}{}{}", case("train"), case("eval"))
}
