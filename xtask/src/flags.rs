//! The only place that spells a rustc or LLVM flag.
//!
//! Flags reach cargo through a file given as `--config`, which stays beside the artefact as a
//! record. All flavours carry the same non-empty common list: with an empty one, cargo would use
//! the user's `build.rustflags` for the baseline and not for its siblings.

use std::path::{Path, PathBuf};

/// Environment variables that would override our flags without a word; preflight refuses them.
pub(crate) const OVERRIDING_VARIABLES: [&str; 3] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"];

/// Names the file pattern that a raw profile is written to.
pub(crate) const PROFILE_FILE_VARIABLE: &str = "LLVM_PROFILE_FILE";

/// What the profile run time prints on standard error when it could not write a raw profile.
pub(crate) const PROFILE_ERROR: &str = "LLVM Profile Error";

/// v0 mangling keeps symbol names unambiguous, so that a profile can be re-keyed later.
const COMMON: [&str; 1] = ["-Csymbol-mangling-version=v0"];

/// Makes the linker keep the relocations that BOLT moves code by.
const KEEP_RELOCATIONS: &str = "-Clink-arg=-Wl,--emit-relocs";
/// Counters in a mapped file need to be found at run time, and value profiles have no place in it.
const WINDOWED: [&str; 2] = ["-Cllvm-args=-runtime-counter-relocation", "-Cllvm-args=-disable-vp"];
/// Bursts of counting with pauses in between.
const SAMPLED: &str = "-Cllvm-args=-sampled-instrumentation";

/// The ways in which the same sources are built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    Baseline,
    Instrumented,
    /// Instrumented so that a running program's counts are on disk at any time. It counts no
    /// values, such as the targets of indirect calls.
    Windowed,
    /// Instrumented so that it counts in bursts, which costs less where threads count together.
    Sampled,
    /// Built with this merged profile.
    Optimised(PathBuf),
    /// The same, and BOLT can work on it.
    Relocatable(PathBuf),
    /// As `Optimised`, in a place of its own: with a profile that is only tried.
    Trial(PathBuf),
}

impl Flavour {
    /// The folder and log name of the flavour.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Instrumented => "instrumented",
            Self::Windowed => "windowed",
            Self::Sampled => "sampled",
            Self::Optimised(_) => "optimised",
            Self::Relocatable(_) => "relocatable",
            Self::Trial(_) => "trial",
        }
    }

    /// The flags of rustc, in order. `stray` is where an instrumented program writes its profile
    /// when nobody told it where.
    pub(crate) fn rustflags(&self, stray: &Path) -> Vec<String> {
        let mut flags: Vec<String> = COMMON.map(str::to_owned).to_vec();
        let generate = format!("-Cprofile-generate={}", stray.display());
        match self {
            Self::Baseline => {}
            Self::Instrumented => flags.push(generate),
            Self::Windowed => {
                flags.push(generate);
                flags.extend(WINDOWED.map(str::to_owned));
            }
            Self::Sampled => flags.extend([generate, SAMPLED.to_owned()]),
            Self::Optimised(profile) | Self::Trial(profile) => flags.push(profile_use(profile)),
            Self::Relocatable(profile) => {
                flags.extend([profile_use(profile), KEEP_RELOCATIONS.to_owned()]);
            }
        }
        flags
    }
}

/// Keeps the names of this machine's folders out of the programs, debug information included, so
/// that the same sources give the same bytes wherever they are. Of two that fit the last one
/// counts, and the folder of intermediate artefacts is usually inside the workspace.
pub(crate) fn remapping(root: &Path, build_dir: &Path) -> [String; 2] {
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    [remap(root, "."), remap(build_dir, "./build")]
}

/// The flags every flavour shares; part of a profile's identity.
pub(crate) fn common() -> Vec<String> {
    COMMON.map(str::to_owned).to_vec()
}

/// The settings of a cargo profile that a workspace without it is built with: those of this
/// workspace. None for other names.
pub(crate) fn built_in_profile(name: &str) -> Option<toml::Table> {
    let mut settings = toml::Table::from_iter([
        ("inherits".to_owned(), "release".into()),
        ("lto".to_owned(), "fat".into()),
        ("codegen-units".to_owned(), 1.into()),
        ("panic".to_owned(), "unwind".into()),
        ("debug".to_owned(), 1.into()),
        ("strip".to_owned(), false.into()),
    ]);
    match name {
        "dist" => {}
        "dist-quick" => {
            settings.insert("lto".to_owned(), "off".into());
            settings.insert("debug".to_owned(), 0.into());
        }
        _ => return None,
    }
    Some(settings)
}

/// The cargo configuration file that applies `rustflags` to every crate of the target and keeps
/// intermediate artefacts in `build_dir`.
pub(crate) fn config_file(rustflags: &[String], build_dir: &Path) -> String {
    let list: Vec<String> =
        rustflags.iter().map(|flag| toml::Value::String(flag.clone()).to_string()).collect();
    let build_dir = toml::Value::String(build_dir.display().to_string());
    let list = list.join(", ");
    format!("[target.'cfg(all())']\nrustflags = [{list}]\n\n[build]\nbuild-dir = {build_dir}\n")
}

/// Flags that compile one instrumented file; preflight proves the profile tools with it.
pub(crate) fn probe(raw_dir: &Path) -> [String; 2] {
    ["-Copt-level=1".to_owned(), format!("-Cprofile-generate={}", raw_dir.display())]
}

/// The flag that compiles the probe with the profile it made.
pub(crate) fn probe_use(profile: &Path) -> String {
    profile_use(profile)
}

fn profile_use(profile: &Path) -> String {
    format!("-Cprofile-use={}", profile.display())
}

/// One file per process and binary: `%m` alone loses indirect-call data under address-space
/// randomisation, `%p` alone leaves a 0-byte file when the process is killed.
pub(crate) fn raw_profile_pattern(raw_dir: &Path, run: &str) -> PathBuf {
    raw_dir.join(format!("{run}.%m.%p.profraw"))
}

/// The same, written all the time: of programs built as [`Flavour::Windowed`].
pub(crate) fn continuous_profile_pattern(raw_dir: &Path, run: &str) -> PathBuf {
    raw_dir.join(format!("{run}.%m.%p%c.profraw"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(flavour: &Flavour, expected: &Expect) {
        expected.assert_eq(&config_file(
            &flavour.rustflags(Path::new("out/stray")),
            Path::new("out/shared"),
        ));
    }

    #[test]
    fn the_built_in_profiles_are_those_of_this_workspace() {
        let manifest = std::fs::read_to_string(crate::recipe::own_root().join("Cargo.toml"));
        let manifest: toml::Table = manifest.unwrap().parse().unwrap();
        // As cargo does: what a profile leaves out is its parent's.
        let release = manifest["profile"].get("release").and_then(toml::Value::as_table);
        let mut settings = release.cloned().unwrap_or_default();
        for name in ["dist", "dist-quick"] {
            settings.extend(manifest["profile"][name].as_table().unwrap().clone());
            settings.remove("package");
            settings.insert("inherits".to_owned(), "release".into());
            let mut ours = built_in_profile(name).unwrap();
            // Said where nobody can look it up, though it is cargo's own default.
            if !settings.contains_key("strip") {
                assert_eq!(ours.remove("strip"), Some(false.into()));
            }
            assert_eq!(settings, ours, "{name}");
        }
        assert!(built_in_profile("release").is_none());
    }

    #[test]
    fn flavours_differ_in_profile_flags_only() {
        check(
            &Flavour::Baseline,
            &expect![[r#"
                [target.'cfg(all())']
                rustflags = ["-Csymbol-mangling-version=v0"]

                [build]
                build-dir = "out/shared"
            "#]],
        );
        check(
            &Flavour::Instrumented,
            &expect![[r#"
                [target.'cfg(all())']
                rustflags = ["-Csymbol-mangling-version=v0", "-Cprofile-generate=out/stray"]

                [build]
                build-dir = "out/shared"
            "#]],
        );
        check(
            &Flavour::Windowed,
            &expect![[r#"
                [target.'cfg(all())']
                rustflags = ["-Csymbol-mangling-version=v0", "-Cprofile-generate=out/stray", "-Cllvm-args=-runtime-counter-relocation", "-Cllvm-args=-disable-vp"]

                [build]
                build-dir = "out/shared"
            "#]],
        );
        check(
            &Flavour::Sampled,
            &expect![[r#"
                [target.'cfg(all())']
                rustflags = ["-Csymbol-mangling-version=v0", "-Cprofile-generate=out/stray", "-Cllvm-args=-sampled-instrumentation"]

                [build]
                build-dir = "out/shared"
            "#]],
        );
        check(
            &Flavour::Optimised("a b/x.profdata".into()),
            &expect![[r#"
                [target.'cfg(all())']
                rustflags = ["-Csymbol-mangling-version=v0", "-Cprofile-use=a b/x.profdata"]

                [build]
                build-dir = "out/shared"
            "#]],
        );
        check(
            &Flavour::Relocatable("x.profdata".into()),
            &expect![[r#"
                [target.'cfg(all())']
                rustflags = ["-Csymbol-mangling-version=v0", "-Cprofile-use=x.profdata", "-Clink-arg=-Wl,--emit-relocs"]

                [build]
                build-dir = "out/shared"
            "#]],
        );
    }
}
