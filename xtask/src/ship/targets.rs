//! `ci/targets.toml`: the machines that get programs, and the matrix that a workflow makes of it.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, refuse};
use crate::registered::{CARGO_DEB, CARGO_GENERATE_RPM, Registered};

/// All targets in the order of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Targets {
    pub(crate) target: Vec<Target>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    pub(crate) triple: String,
    /// The name of the machine in the workflows.
    pub(crate) runner: String,
    /// Programs for this target run on the runner as they are, and cargo runs there.
    pub(crate) native: bool,
    pub(crate) profile: ProfileUse,
    /// The target whose profiles are taken, unless it trains.
    pub(crate) from: Option<String>,
    pub(crate) bolt: bool,
    pub(crate) tools: Tools,
    pub(crate) archive: Archive,
    pub(crate) packages: Vec<Package>,
    /// Nobody has seen it work yet: it may fail, and it is never released.
    #[serde(default)]
    pub(crate) trial: bool,
}

/// Where a target's profiles come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProfileUse {
    Trains,
    Rebases,
}

/// Which programs a target gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tools {
    All,
    /// Without the server.
    Local,
}

/// What the programs are packed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Archive {
    #[serde(rename = "tar.zst")]
    TarZst,
    #[serde(rename = "zip")]
    Zip,
}

/// A package of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Package {
    Deb,
    Rpm,
}

impl Package {
    /// The ending of its file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
        }
    }

    /// The program that makes it.
    pub(crate) fn packager(self) -> &'static Registered {
        match self {
            Self::Deb => &CARGO_DEB,
            Self::Rpm => &CARGO_GENERATE_RPM,
        }
    }
}

/// The workflows that have a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Ci,
    Check,
    Refresh,
    Release,
}

/// One machine of a matrix; the names are what workflows read as `matrix.NAME`.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    target: &'a str,
    runner: &'a str,
    trial: bool,
    profile: ProfileUse,
    bolt: bool,
    tools: Tools,
    archive: Archive,
    packages: &'a [Package],
}

/// What `fromJson` takes.
#[derive(Debug, Serialize)]
pub(crate) struct Matrix<'a> {
    include: Vec<Entry<'a>>,
}

impl Job {
    /// The job of that name.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        match name {
            "ci" => Ok(Self::Ci),
            "check" => Ok(Self::Check),
            "refresh" => Ok(Self::Refresh),
            "release" => Ok(Self::Release),
            _ => {
                let text = format!("no job {name}; the jobs are ci, check, refresh and release");
                Err(refuse(Fault::Usage, text))
            }
        }
    }

    /// Whether this job runs for `target`.
    fn takes(self, target: &Target) -> bool {
        match self {
            Self::Ci => target.native,
            Self::Check => !target.trial,
            Self::Refresh => target.profile == ProfileUse::Trains,
            // Fail closed: what nobody has seen work is not given to anybody.
            Self::Release => !target.trial,
        }
    }
}

impl Targets {
    /// Reads the file of the workspace in `root`.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let path = root.join("ci/targets.toml");
        let bad = |text: String| refuse(Fault::Usage, format!("{}: {text}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| bad(error.to_string()))?;
        let targets: Self = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
        targets.fault().map_or(Ok(()), |text| Err(bad(text)))?;
        Ok(targets)
    }

    /// What about the file cannot be meant.
    fn fault(&self) -> Option<String> {
        for (index, target) in self.target.iter().enumerate() {
            let triple = &target.triple;
            if self.target[..index].iter().any(|other| other.triple == *triple) {
                return Some(format!("{triple} is listed twice"));
            }
            match (&target.from, target.profile) {
                (Some(_), ProfileUse::Trains) => {
                    return Some(format!(
                        "{triple} trains, so it takes no profiles `from` another"
                    ));
                }
                (None, ProfileUse::Rebases) => {
                    return Some(format!("{triple} rebases: say `from` which target"));
                }
                (Some(from), ProfileUse::Rebases) => {
                    let source = self.target.iter().find(|other| other.triple == *from);
                    if source.is_none_or(|source| source.profile != ProfileUse::Trains) {
                        return Some(format!(
                            "{triple} takes profiles from {from}, which does not train"
                        ));
                    }
                }
                (None, ProfileUse::Trains) => {}
            }
        }
        None
    }

    /// The target of that name.
    pub(crate) fn of(&self, triple: &str) -> Result<&Target> {
        self.target.iter().find(|target| target.triple == triple).ok_or_else(|| {
            let names: Vec<_> = self.target.iter().map(|target| target.triple.as_str()).collect();
            let text =
                format!("no target {triple} in ci/targets.toml; there are {}", names.join(", "));
            refuse(Fault::Usage, text)
        })
    }

    /// The targets for which `job` runs.
    pub(crate) fn for_job(&self, job: Job) -> impl Iterator<Item = &Target> {
        self.target.iter().filter(move |target| job.takes(target))
    }

    /// The matrix of `job`, or of all targets.
    pub(crate) fn matrix(&self, job: Option<Job>) -> Matrix<'_> {
        let chosen = self.target.iter().filter(|target| job.is_none_or(|job| job.takes(target)));
        Matrix { include: chosen.map(Target::entry).collect() }
    }
}

impl Target {
    /// How workflows see it.
    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry {
            target: &self.triple,
            runner: &self.runner,
            trial: self.trial,
            profile: self.profile,
            bolt: self.bolt,
            tools: self.tools,
            archive: self.archive,
            packages: &self.packages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::own_root;

    #[test]
    fn the_file_is_sound_and_names_what_the_project_promises() {
        let targets = Targets::read(own_root()).unwrap();
        for promised in [
            "x86_64-unknown-linux-gnu",
            "x86_64-unknown-linux-musl",
            "aarch64-unknown-linux-gnu",
            "aarch64-unknown-linux-musl",
            "x86_64-apple-darwin",
            "aarch64-apple-darwin",
            "x86_64-pc-windows-msvc",
        ] {
            targets.of(promised).unwrap();
        }
        assert!(targets.of("vax").is_err());
        let released: Vec<_> = targets.for_job(Job::Release).collect();
        assert!(!released.is_empty() && released.iter().all(|target| !target.trial));
    }

    #[test]
    fn a_matrix_is_what_from_json_takes() {
        let targets = Targets::read(own_root()).unwrap();
        let text = serde_json::to_string(&targets.matrix(Some(Job::Release))).unwrap();
        assert!(text.starts_with(r#"{"include":[{"target":"x86_64-unknown-linux-gnu","#), "{text}");
        assert!(!text.contains('\n'));
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        let target = |triple: &str, rest: &str| {
            format!(
                "[[target]]\ntriple = \"{triple}\"\nrunner = \"r\"\nnative = true\nbolt = false\n\
                 tools = \"all\"\narchive = \"zip\"\npackages = []\n{rest}\n"
            )
        };
        let fault =
            |text: &str| toml::from_str::<Targets>(text).unwrap().fault().unwrap_or_default();
        let trains = target("a", "profile = \"trains\"");
        assert_eq!(fault(&trains), "");
        assert_eq!(fault(&format!("{trains}{trains}")), "a is listed twice");
        let rebases = target("b", "profile = \"rebases\"\nfrom = \"c\"");
        let told = fault(&format!("{trains}{rebases}"));
        assert_eq!(told, "b takes profiles from c, which does not train");
        assert!(toml::from_str::<Targets>(&target("a", "profile = \"guesses\"")).is_err());
    }
}
