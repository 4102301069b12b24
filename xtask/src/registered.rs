//! Programs of the package registries that recipes run: found, or installed below `target/tools`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::cmd;

use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::recipe::own_root;
use crate::toolchain::{in_path, version_number};

/// Where they are installed, in a workspace.
const FOLDER: &str = "target/tools";

/// A program that a registry has under its own name.
pub(crate) struct Registered {
    pub(crate) name: &'static str,
    /// What is installed: a later one may need another compiler.
    version: &'static str,
    /// The oldest that will do.
    oldest: (u32, u32),
    registry: Registry,
}

enum Registry {
    /// crates.io, compiled here, without a program's own wish for link-time optimisation: it would
    /// take longer than everything that the program is run for.
    Crates,
    /// The same for a program that runs for a blink: compiled in half the time.
    CratesUnoptimised,
    /// PyPI, which has the program itself.
    PyPi,
}

/// Times programs.
pub(crate) const HYPERFINE: Registered = Registered {
    name: "hyperfine",
    version: "1.20.0",
    // The first that can feed a file to standard input (`--input`).
    oldest: (1, 16),
    registry: Registry::Crates,
};
/// Runs fuzz targets.
pub(crate) const CARGO_FUZZ: Registered = Registered {
    name: "cargo-fuzz",
    version: "0.13.2",
    oldest: (0, 13),
    registry: Registry::Crates,
};
/// Makes a Debian package.
pub(crate) const CARGO_DEB: Registered =
    Registered { name: "cargo-deb", version: "3.8.0", oldest: (3, 0), registry: Registry::Crates };
/// Makes an RPM package.
pub(crate) const CARGO_GENERATE_RPM: Registered = Registered {
    name: "cargo-generate-rpm",
    version: "0.21.1",
    oldest: (0, 15),
    registry: Registry::Crates,
};
/// Looks for what is unsafe in a workflow.
pub(crate) const ZIZMOR: Registered =
    Registered { name: "zizmor", version: "1.32.0", oldest: (1, 0), registry: Registry::PyPi };
/// Holds a workflow against GitHub's schema. Older ones do not know all permissions.
pub(crate) const ACTION_VALIDATOR: Registered = Registered {
    name: "action-validator",
    version: "0.9.0",
    oldest: (0, 9),
    registry: Registry::CratesUnoptimised,
};

/// One that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
}

impl Registered {
    /// The one in PATH, of this workspace's tools, or of the workspace that xtask is built from.
    pub(crate) fn found(&self, ctx: &Ctx) -> Option<Found> {
        let below = |root: &Path| self.place(&root.join(FOLDER));
        [in_path(self.name), Some(below(&ctx.root)), Some(below(own_root()))]
            .into_iter()
            .flatten()
            .find_map(|path| {
                let answer = ctx.ask(&path, &["--version"]).ok()?;
                let version = version_in(&answer, self.oldest)?;
                Some(Found { path, version })
            })
    }

    /// The found one, else it is installed.
    ///
    /// # Errors
    ///
    /// Fails as [`Fault::Toolchain`] when the registry or what installs from it is not to be had.
    pub(crate) fn provided(&self, ctx: &Ctx) -> Result<Found> {
        if let Some(found) = self.found(ctx) {
            return Ok(found);
        }
        let failed = ctx.run(self.install(ctx), &format!("install-{}", self.name)).err();
        ctx.children.check()?;
        self.found(ctx).ok_or_else(|| {
            let why = failed.map(|error| format!(": {error:#}")).unwrap_or_default();
            let what = self.missing();
            refuse(Fault::Toolchain, format!("{what}, and it cannot be installed{why}"))
        })
    }

    /// Says that there is none.
    pub(crate) fn missing(&self) -> String {
        let (major, minor) = self.oldest;
        format!("no {} {major}.{minor} or newer", self.name)
    }

    /// The command that installs it below the workspace.
    pub(crate) fn install<'a>(&self, ctx: &'a Ctx) -> xshell::Cmd<'a> {
        let Self { name, version, .. } = *self;
        let sh = &ctx.sh;
        match self.registry {
            Registry::Crates => {
                cmd!(
                    sh,
                    "cargo install {name} --version {version} --locked --root {FOLDER}
                     --config profile.release.lto=false --config profile.release.codegen-units=16"
                )
            }
            Registry::CratesUnoptimised => {
                cmd!(
                    sh,
                    "cargo install {name} --version {version} --debug --locked --root {FOLDER}"
                )
            }
            Registry::PyPi => {
                cmd!(
                    sh,
                    "python3 -m pip install --quiet --target {FOLDER}/{name} {name}=={version}"
                )
            }
        }
    }

    /// Where the installed program is, in a folder of tools.
    fn place(&self, folder: &Path) -> PathBuf {
        match self.registry {
            Registry::Crates | Registry::CratesUnoptimised => folder.join("bin").join(self.name),
            // What pip puts beside the program has names that others might have too.
            Registry::PyPi => folder.join(self.name).join("bin").join(self.name),
        }
    }
}

/// The version in an answer such as `zizmor 1.32.0`, when it is new enough.
fn version_in(answer: &str, oldest: (u32, u32)) -> Option<String> {
    let word = answer.split_whitespace().find(|word| version_number(word).is_some())?;
    (version_number(word)? >= oldest).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let new_enough = |answer: &str| version_in(answer, HYPERFINE.oldest);
        assert_eq!(new_enough("hyperfine 1.9.0\n"), None);
        assert_eq!(new_enough("hyperfine 1.20.0\n").as_deref(), Some("1.20.0"));
        assert_eq!(new_enough("2.0.0").as_deref(), Some("2.0.0"));
        assert_eq!(new_enough("hyperfine unknown"), None);
    }
}
