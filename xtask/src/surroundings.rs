//! What a user's environment and cargo configuration would do to our builds behind their backs:
//! other flags, another compiler, other profile settings. None of it is part of a profile's
//! identity, so it is refused; what only concerns the linker is let through and said.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::ctx::Ctx;
use crate::toolchain::Problem;

/// Variables that replace the compiler or wrap it. Set to nothing they do nothing.
const COMPILERS: [&str; 6] = [
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
];
/// The same as keys of `[build]`.
const COMPILER_KEYS: [&str; 3] = ["rustc", "rustc-wrapper", "rustc-workspace-wrapper"];
/// Profiles that no flavour is built with.
const OTHER_PROFILES: [&str; 4] = ["dev", "test", "bench", "doc"];
/// Flags that reach nothing but the linker.
const LINKER_FLAGS: [&str; 4] = ["link-arg=", "link-args=", "linker=", "linker-flavor="];

/// What meddles with builds in the workspace.
pub(crate) fn meddling(ctx: &Ctx) -> Result<Vec<Problem>> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    });
    let mut found = of_variables(variables);
    for file in config_files(&ctx.root) {
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        // Cargo itself tells what is wrong with a file that is no TOML.
        let Ok(config) = text.parse::<toml::Table>() else { continue };
        found.extend(of_config(&config, &file.display().to_string()));
    }
    Ok(found)
}

fn of_variables(variables: impl Iterator<Item = (String, String)>) -> Vec<Problem> {
    let other = |name: &str| {
        OTHER_PROFILES.iter().any(|profile| {
            let prefix = format!("CARGO_PROFILE_{}_", profile.to_uppercase());
            name.starts_with(&prefix)
        })
    };
    let mut found = Vec::new();
    for (name, value) in variables {
        let why = if COMPILERS.contains(&name.as_str()) && !value.is_empty() {
            "it would build with another compiler than the profiles name"
        } else if name.starts_with("CARGO_PROFILE_") && !other(&name) {
            "it would change a cargo profile behind Cargo.toml's back"
        } else if name == "CARGO_INCREMENTAL" && !["", "0", "false"].contains(&value.as_str()) {
            "it would cut crates into other codegen units"
        } else if is_target_flags(&name) && !value.split_whitespace().all(is_glue) {
            "it would add flags to every build that the profiles do not name"
        } else {
            continue;
        };
        found
            .push(Problem { what: format!("{name} is set: {why}"), mend: format!("unset {name}") });
    }
    found.sort_by(|a, b| a.what.cmp(&b.what));
    found
}

fn is_target_flags(name: &str) -> bool {
    name.strip_prefix("CARGO_TARGET_").is_some_and(|rest| rest.ends_with("_RUSTFLAGS"))
}

/// Whether a word of flags is about linking: `-Clink-arg=-fuse-ld=lld`, or the `-C` before one.
fn is_glue(word: &str) -> bool {
    let option = word.strip_prefix("-C").unwrap_or(word);
    option.is_empty() || LINKER_FLAGS.iter().any(|flag| option.starts_with(flag))
}

fn of_config(config: &toml::Table, file: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut meddle = |key: &str, why: &str| {
        found.push(Problem {
            what: format!("{file} sets {key}: {why}"),
            mend: format!("take {key} out of {file} for this run"),
        });
    };
    let table = |name: &str| config.get(name).and_then(toml::Value::as_table);
    if let Some(build) = table("build") {
        for key in COMPILER_KEYS.iter().filter(|key| build.contains_key(**key)) {
            let why = "it would build with another compiler than the profiles name";
            meddle(&format!("build.{key}"), why);
        }
        if build.get("rustflags").is_some_and(|flags| !words(flags).is_empty()) {
            meddle("build.rustflags", "our flags would replace these without a word");
        }
        if build.get("incremental").and_then(toml::Value::as_bool) == Some(true) {
            meddle("build.incremental", "it would cut crates into other codegen units");
        }
    }
    for (target, settings) in table("target").into_iter().flatten() {
        let flags = settings.get("rustflags").map(words).unwrap_or_default();
        if !flags.iter().all(|flag| is_glue(flag)) {
            let why = "it would add flags to every build that the profiles do not name";
            meddle(&format!("target.{target}.rustflags"), why);
        } else if !flags.is_empty() {
            let flags = flags.join(" ");
            eprintln!("   {file} adds to what is linked, in every build alike: {flags}");
        }
    }
    for name in table("profile").into_iter().flat_map(toml::Table::keys) {
        if !OTHER_PROFILES.contains(&name.as_str()) {
            let why = "it would change a cargo profile behind Cargo.toml's back";
            meddle(&format!("profile.{name}"), why);
        }
    }
    found
}

/// Flags are written as a list or as words.
fn words(flags: &toml::Value) -> Vec<String> {
    match flags {
        toml::Value::Array(list) => {
            list.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect()
        }
        other => other.as_str().unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
    }
}

/// The configuration files that cargo reads in `root`: its own and those of the folders above,
/// then the one of cargo's home.
fn config_files(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = root.ancestors().map(|folder| folder.join(".cargo")).collect();
    // The home may be one of the folders above.
    folders.extend(cargo_home().filter(|home| !folders.contains(home)));
    folders
        .into_iter()
        // Without an extension is the old name, which cargo prefers when both are there.
        .filter_map(|folder| {
            ["config", "config.toml"]
                .map(|name| folder.join(name))
                .into_iter()
                .find(|f| f.is_file())
        })
        .collect()
}

/// `$CARGO_HOME`, else `~/.cargo`.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    let set =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("CARGO_HOME").or_else(|| set("HOME").map(|home| home.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check_variables(variables: &[(&str, &str)], expected: &Expect) {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let found: Vec<String> = of_variables(variables)
            .into_iter()
            .map(|m| format!("{}; {}", m.what, m.mend))
            .collect();
        expected.assert_eq(&found.join("\n"));
    }

    #[track_caller]
    fn check_config(config: &str, expected: &Expect) {
        let found = of_config(&config.parse().unwrap(), "c.toml");
        let found: Vec<String> =
            found.into_iter().map(|m| format!("{}; {}", m.what, m.mend)).collect();
        expected.assert_eq(&found.join("\n"));
    }

    #[test]
    fn variables_that_change_builds_are_found_and_others_are_not() {
        let harmless = [
            ("CARGO_PROFILE_DEV_DEBUG", "0"),
            ("RUSTC_WRAPPER", ""),
            ("CARGO_INCREMENTAL", "0"),
            ("CARGO_TARGET_DIR", "/t"),
            ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-C link-arg=-fuse-ld=lld"),
            ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "clang"),
        ];
        check_variables(&harmless, &expect![[""]]);
        check_variables(
            &[
                ("RUSTC_WRAPPER", "sccache"),
                ("CARGO_PROFILE_DIST_LTO", "off"),
                ("CARGO_INCREMENTAL", "1"),
                ("CARGO_TARGET_T_RUSTFLAGS", "-Ctarget-cpu=native"),
            ],
            &expect![[r"
                CARGO_INCREMENTAL is set: it would cut crates into other codegen units; unset CARGO_INCREMENTAL
                CARGO_PROFILE_DIST_LTO is set: it would change a cargo profile behind Cargo.toml's back; unset CARGO_PROFILE_DIST_LTO
                CARGO_TARGET_T_RUSTFLAGS is set: it would add flags to every build that the profiles do not name; unset CARGO_TARGET_T_RUSTFLAGS
                RUSTC_WRAPPER is set: it would build with another compiler than the profiles name; unset RUSTC_WRAPPER"]],
        );
    }

    #[test]
    fn configuration_that_changes_builds_is_found_and_other_is_not() {
        let harmless = "[build]\njobs = 2\nrustflags = []\n[profile.dev]\nopt-level = 1\n\
            [target.x86_64-unknown-linux-gnu]\nlinker = \"clang\"\n\
            rustflags = [\"-C\", \"link-arg=-fuse-ld=mold\"]\n[net]\nretry = 3\n";
        check_config(harmless, &expect![[""]]);
        let meddling = "[build]\nrustc-wrapper = \"w\"\nrustflags = \"-O\"\nincremental = true\n\
            [target.'cfg(unix)']\nrustflags = [\"-Ctarget-cpu=native\"]\n\
            [profile.dist]\nlto = false\n";
        check_config(
            meddling,
            &expect![[r"
                c.toml sets build.rustc-wrapper: it would build with another compiler than the profiles name; take build.rustc-wrapper out of c.toml for this run
                c.toml sets build.rustflags: our flags would replace these without a word; take build.rustflags out of c.toml for this run
                c.toml sets build.incremental: it would cut crates into other codegen units; take build.incremental out of c.toml for this run
                c.toml sets target.cfg(unix).rustflags: it would add flags to every build that the profiles do not name; take target.cfg(unix).rustflags out of c.toml for this run
                c.toml sets profile.dist: it would change a cargo profile behind Cargo.toml's back; take profile.dist out of c.toml for this run"]],
        );
    }

    #[test]
    fn the_files_of_all_folders_above_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        for folder in [dir.path(), &inner] {
            std::fs::create_dir_all(folder.join(".cargo")).unwrap();
            std::fs::write(folder.join(".cargo/config.toml"), "").unwrap();
        }
        let found = config_files(&inner);
        let ours = found.iter().filter(|file| file.starts_with(dir.path())).count();
        assert_eq!(ours, 2);
    }
}
