//! One typed `cargo build`: the command and the paths of its results come from the same values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use xshell::{Cmd, cmd};

use crate::ctx::{Artefact, Ctx, TOOLCHAIN_VARIABLE};
use crate::fault::{Fault, refuse};
use crate::flags::{self, Flavour};
use crate::{atomic, digest};

/// What is built: the same packages in every flavour, or features (and with them every symbol
/// name) could differ; the binaries may be fewer.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) packages: Vec<String>,
    pub(crate) bins: Vec<String>,
    /// Tool → the binary that is this tool when it is called by its name. A tool that is not here
    /// is a binary of its own.
    pub(crate) multicall: BTreeMap<String, String>,
    pub(crate) target: String,
    /// The profile of the workspace's Cargo.toml that every flavour is built with.
    pub(crate) cargo_profile: String,
}

impl Selection {
    /// The binary that `tool` is or is in.
    pub(crate) fn program<'a>(&'a self, tool: &'a str) -> &'a str {
        self.multicall.get(tool).map_or(tool, String::as_str)
    }
}

/// A built program. Only `build` makes one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bin {
    pub(crate) tool: String,
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

/// The programs of one flavour.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bins {
    pub(crate) rustflags: Vec<String>,
    pub(crate) bins: Vec<Bin>,
}

impl Bins {
    /// The program of `tool`.
    pub(crate) fn of(&self, tool: &str) -> Result<&Bin> {
        self.bins
            .iter()
            .find(|bin| bin.tool == tool)
            .with_context(|| format!("{tool} was not built; run again without --from"))
    }
}

impl Artefact for Bins {
    fn verify(&self) -> Result<()> {
        for bin in &self.bins {
            anyhow::ensure!(
                digest::of_file(&bin.path)? == bin.sha256,
                "{} has changed since it was built",
                bin.path.display()
            );
        }
        Ok(())
    }
}

/// Where one build puts things: `name` keeps builds with different profiles apart.
pub(crate) struct Place {
    target_dir: PathBuf,
    /// Intermediate artefacts, of this flavour alone: with `--remap-path-prefix` among the flags
    /// cargo gives a crate the same file name whatever the others are, so that flavours in one
    /// folder would push each other out and each build would begin anew.
    build_dir: PathBuf,
    config: PathBuf,
    log: String,
    /// The flags of every crate.
    rustflags: Vec<String>,
}

impl Place {
    /// The place of `flavour`'s build below the output folder.
    pub(crate) fn of(ctx: &Ctx, flavour: &Flavour) -> Self {
        let name = flavour.name();
        let build_dir = ctx.out_dir.join("build").join(format!("{name}-parts"));
        // Where an instrumented program writes when nobody told it where.
        let mut rustflags = flavour.rustflags(&ctx.out_dir.join("stray"));
        rustflags.extend(flags::remapping(&ctx.root, &build_dir));
        Self {
            target_dir: ctx.out_dir.join("build").join(name),
            build_dir,
            config: ctx.out_dir.join("build").join(format!("{name}.toml")),
            log: format!("build-{name}"),
            rustflags,
        }
    }

    /// Cargo's target folder.
    pub(crate) fn target_dir(&self) -> &Path {
        &self.target_dir
    }

    /// The configuration file that holds the flags.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    /// The text of that file. A workspace without the wanted cargo profile gets a built-in one.
    pub(crate) fn config_text(&self, ctx: &Ctx, selection: &Selection) -> Result<String> {
        let text = flags::config_file(&self.rustflags, &self.build_dir);
        let name = &selection.cargo_profile;
        let manifest = root_manifest(ctx)?;
        let written = manifest.get("profile").and_then(|profiles| profiles.get(name)).is_some();
        let Some(settings) = flags::built_in_profile(name).filter(|_| !written) else {
            return Ok(text);
        };
        Ok(format!("{text}\n[profile.{name}]\n{settings}"))
    }
}

fn root_manifest(ctx: &Ctx) -> Result<toml::Table> {
    let path = ctx.root.join("Cargo.toml");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| refuse(Fault::Usage, format!("{}: {error}", path.display())))?;
    text.parse().with_context(|| format!("cannot read {}", path.display()))
}

/// The cargo command of a build. Pure: `--dry-run` prints it.
pub(crate) fn command<'a>(ctx: &'a Ctx, selection: &Selection, place: &Place) -> Cmd<'a> {
    let Selection { packages, bins, target, cargo_profile, .. } = selection;
    let Place { target_dir, config, .. } = place;
    let packages = packages.iter().flat_map(|name| ["--package", name]);
    let bins: BTreeSet<&str> = bins.iter().map(|tool| selection.program(tool)).collect();
    let bins = bins.into_iter().flat_map(|name| ["--bin", name]);
    let command = cmd!(
        ctx.sh,
        "cargo build --locked --profile {cargo_profile} --target {target} --target-dir {target_dir}
         --config {config} {packages...} {bins...} --message-format json-render-diagnostics"
    );
    if ctx.foreign { command.env_remove(TOOLCHAIN_VARIABLE) } else { command }
}

/// Builds the selected programs in one flavour.
pub(crate) fn build(ctx: &Ctx, selection: &Selection, flavour: &Flavour) -> Result<Bins> {
    let place = Place::of(ctx, flavour);
    atomic::write(&place.config, place.config_text(ctx, selection)?.as_bytes())?;
    let messages = ctx.run(command(ctx, selection, &place), &place.log)?;
    let executables = executables(&messages);
    let mut bins = Vec::new();
    for tool in &selection.bins {
        let program = selection.program(tool);
        let built = executables
            .get(program)
            .with_context(|| format!("cargo built no program named {program}"))?;
        let path = if program == tool { built.clone() } else { called(built, tool)? };
        let sha256 = digest::of_file(&path)?;
        let bytes = std::fs::metadata(&path)?.len();
        bins.push(Bin { tool: tool.clone(), path, sha256, bytes });
    }
    Ok(Bins { rustflags: place.rustflags, bins })
}

/// The program as it goes by another of its names.
pub(crate) fn namesake(bin: &Bin, name: &str) -> Result<Bin> {
    let path = called(&bin.path, name)?;
    Ok(Bin { tool: name.to_owned(), path, ..bin.clone() })
}

/// A copy of a multi-call program beside it, by the name of one of its tools.
fn called(program: &Path, tool: &str) -> Result<PathBuf> {
    let path = program.with_file_name(tool);
    // Not a link: the next build, with another tool's profile, might write into the same file.
    atomic::replace(&path, |copy| {
        let copied = std::fs::copy(program, copy).map(|_bytes| ());
        copied.with_context(|| format!("cannot copy {} to {}", program.display(), path.display()))
    })?;
    Ok(path)
}

/// Reads cargo's JSON messages: binary name → path of the executable. Those of tests are none.
pub(crate) fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let artefact = |line: &str| -> Option<(String, PathBuf)> {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        if message["profile"]["test"] == true {
            return None;
        }
        let executable = message.get("executable")?.as_str()?;
        let name = message.get("target")?.get("name")?.as_str()?;
        Some((name.to_owned(), executable.into()))
    };
    messages.lines().filter_map(artefact).collect()
}

/// What `cargo metadata` knows about the packages that the programs are built from.
pub(crate) struct Sources {
    /// Package name → folder, for the local packages in the programs' dependency closure.
    local: BTreeMap<String, PathBuf>,
    /// The settings of the build's cargo profile and of those it inherits from, as written.
    pub(crate) cargo_profile: toml::Table,
}

impl Sources {
    /// Reads the workspace in `root`. A program without a local package is a usage error.
    pub(crate) fn read(ctx: &Ctx, selection: &Selection) -> Result<Self> {
        let text = ctx
            .ask(Path::new("cargo"), &["metadata", "--locked", "--format-version", "1"])
            .map_err(|error| refuse(Fault::Usage, format!("{error:#}")))?;
        let metadata = Metadata::parse(&text)?;
        let cargo_profile = profile_settings(&root_manifest(ctx)?, &selection.cargo_profile)?;
        Ok(Self { local: metadata.closure(&selection.packages)?, cargo_profile })
    }

    /// The digest of all the programs are built from: the workspace's manifest, and every file of
    /// their crates, paths and contents, in path order.
    pub(crate) fn digest(&self, root: &Path) -> Result<String> {
        let manifest = root.join("Cargo.toml");
        let mut files = Vec::new();
        for folder in self.local.values() {
            files.extend(source_files(folder)?);
        }
        files.sort();
        files.dedup();
        let mut all = digest::Digest::default();
        all.update(of_programs(&std::fs::read_to_string(&manifest)?)?.as_bytes());
        for file in files.into_iter().filter(|file| *file != manifest) {
            let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
            all.update(format!("{name}\0{}\n", digest::of_file(&file)?).as_bytes());
        }
        Ok(all.finish())
    }
}

/// What of the workspace's manifest decides about programs: neither comments nor lints, nor the
/// settings of builds, of which a profile's manifest has those that it was made with.
fn of_programs(manifest: &str) -> Result<String> {
    let mut table: toml::Table = manifest.parse()?;
    table.remove("profile");
    if let Some(workspace) = table.get_mut("workspace").and_then(toml::Value::as_table_mut) {
        workspace.remove("lints");
    }
    Ok(table.to_string())
}

/// The files of a crate that may end up in its programs: all but those of its folders for tests
/// and build outputs. Deeper folders of these names are modules like others.
fn source_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = walkdir::WalkDir::new(folder).into_iter().filter_entry(|entry| {
        let skipped = ["target", "tests", ".git"].iter().any(|skip| entry.file_name() == *skip);
        !(skipped && entry.depth() == 1 && entry.file_type().is_dir())
    });
    for entry in entries {
        let entry = entry.context("cannot walk the sources")?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

/// The named profile and the chain it inherits from, each as written.
fn profile_settings(manifest: &toml::Table, name: &str) -> Result<toml::Table> {
    let profiles = manifest.get("profile").and_then(toml::Value::as_table);
    let mut settings = toml::Table::new();
    let mut next = Some(name.to_owned());
    while let Some(name) = next.take() {
        match profiles.and_then(|profiles| profiles.get(&name)) {
            Some(profile) => {
                let parent = profile.get("inherits").and_then(toml::Value::as_str);
                next = parent.filter(|parent| !settings.contains_key(*parent)).map(str::to_owned);
                settings.insert(name, profile.clone());
            }
            // Cargo's own profiles need not be written down.
            None if ["release", "dev"].contains(&name.as_str()) => {}
            None => {
                let Some(ours) = flags::built_in_profile(&name) else {
                    let text = format!(
                        "Cargo.toml has no [profile.{name}]; add one that inherits release"
                    );
                    return Err(refuse(Fault::Usage, text));
                };
                settings.insert(name, ours.into());
                next = Some("release".to_owned());
            }
        }
    }
    Ok(settings)
}

/// What `cargo metadata` tells, as far as anybody here asks.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest_path: PathBuf,
    /// None for a package of the workspace.
    source: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) path: Option<PathBuf>,
    kind: Option<String>,
}

impl Dependency {
    /// Whether only tests and benchmarks need it.
    pub(crate) fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

impl Metadata {
    /// Reads cargo's JSON.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).context("cannot understand `cargo metadata`")
    }

    fn closure(&self, roots: &[String]) -> Result<BTreeMap<String, PathBuf>> {
        let mut found = BTreeMap::new();
        let mut pending: Vec<&str> = roots.iter().map(String::as_str).collect();
        while let Some(name) = pending.pop() {
            if found.contains_key(name) {
                continue;
            }
            let package = self.packages.iter().find(|p| p.name == name && p.source.is_none());
            let Some(package) = package else {
                return Err(refuse(
                    Fault::Usage,
                    format!("no package named {name} in the workspace"),
                ));
            };
            let folder = package.manifest_path.parent().unwrap_or(Path::new("")).to_owned();
            found.insert(package.name.clone(), folder);
            pending.extend(
                package
                    .dependencies
                    .iter()
                    .filter(|d| d.path.is_some() && !d.is_dev())
                    .map(|d| d.name.as_str()),
            );
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_lints_and_other_builds_do_not_make_a_profile_stale() {
        let of = |text: &str| of_programs(text).unwrap();
        let plain = of("[workspace.dependencies]\nmemchr = \"2.8\"\n");
        let more = "# Why.\n[workspace.dependencies]\nmemchr = \"2.8\"\n[workspace.lints.rust]\n\
                    unsafe_code = \"deny\"\n[profile.dev]\ndebug = 1\n";
        assert_eq!(of(more), plain);
        assert_ne!(of("[workspace.dependencies]\nmemchr = \"2.9\"\n"), plain);
    }

    #[test]
    fn only_a_crates_own_folders_of_tests_and_outputs_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let all = ["Cargo.toml", "src/follow/tests.rs", "src/tests/mod.rs", "src/target/mod.rs"];
        for file in all.iter().chain(&["tests/it/main.rs", "target/debug/x", ".git/HEAD"]) {
            atomic::write(&dir.path().join(file), b"").unwrap();
        }
        let mut found = source_files(dir.path()).unwrap();
        found.sort();
        let mut expected = all.map(|file| dir.path().join(file));
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_cargo_profile_brings_the_profiles_it_inherits_from() {
        let manifest: toml::Table = "[profile.release]\nopt-level = 3\n[profile.dist]\n\
             inherits = \"release\"\n[profile.quick]\ninherits = \"dist\"\n"
            .parse()
            .unwrap();
        let names = |name| -> Vec<String> {
            profile_settings(&manifest, name).unwrap().keys().cloned().collect()
        };
        assert_eq!(names("quick"), ["dist", "quick", "release"]);
        assert_eq!(names("dist"), ["dist", "release"]);
        assert!(profile_settings(&manifest, "dst").is_err());
        let without = profile_settings(&toml::Table::new(), "dist").unwrap();
        assert_eq!(without["dist"]["lto"].as_str(), Some("fat"));
    }

    #[test]
    fn a_binary_that_tools_share_is_built_once() {
        let dir = tempfile::tempdir().unwrap();
        let ctx = Ctx::new(dir.path(), Path::new("out"), false, None).unwrap();
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let shared = |tool: &str| (tool.to_owned(), "suite".to_owned());
        let selection = Selection {
            packages: names(&["reader", "suite"]),
            bins: names(&["dcat", "dgrep", "reader"]),
            multicall: BTreeMap::from(["dcat", "dgrep"].map(shared)),
            target: "t".to_owned(),
            cargo_profile: "dist".to_owned(),
        };
        let place = Place::of(&ctx, &Flavour::Baseline);
        let line = command(&ctx, &selection, &place).to_string();
        let bins: Vec<&str> = line.split(" --bin ").skip(1).collect();
        assert_eq!(bins, ["reader", "suite --message-format json-render-diagnostics"]);
    }

    #[test]
    fn a_multicall_program_gets_the_name_of_each_tool_anew() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("suite");
        for content in ["old", "new"] {
            atomic::write(&program, content.as_bytes()).unwrap();
            let path = called(&program, "dgrep").unwrap();
            assert_eq!(path, dir.path().join("dgrep"));
            assert_eq!(std::fs::read_to_string(path).unwrap(), content);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn executables_are_read_from_the_messages_of_programs_only() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"lib"},"executable":null}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","target":{"name":"dcat"},"executable":"/t/dcat"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found = executables(messages);
        assert_eq!(found, BTreeMap::from([("dcat".to_owned(), PathBuf::from("/t/dcat"))]));
    }
}
