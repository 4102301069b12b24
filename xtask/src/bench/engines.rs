//! The query engines beside dmap, which are modules of python: which are installed, and what each
//! is asked. The questions are in `engines.py`. Knows no figures.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::atomic;
use crate::bench::figure::Figure;
use crate::bench::sshd::python_has;
use crate::bench::stage::Stage;
use crate::compare::hyperfine::Arm;
use crate::toolchain::in_path;

const SCRIPT: &str = include_str!("engines.py");

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    DuckDb,
    Polars,
    ChDb,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Count, mean and maximum by host of DTail's lines, whose columns are known.
    Stats,
    /// The same, looking for the keys.
    StatsAnyOrder,
    Csv,
    Json,
    /// Ten of as many groups as there are lines.
    Groups,
}

const ENGINES: [Engine; 3] = [Engine::DuckDb, Engine::Polars, Engine::ChDb];

/// The engines that are installed, and those that are not.
pub(crate) struct Engines {
    python: Option<PathBuf>,
    script: PathBuf,
    found: Vec<Engine>,
}

impl Engine {
    /// The name of the module.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DuckDb => "duckdb",
            Self::Polars => "polars",
            Self::ChDb => "chdb",
        }
    }

    fn does(self, work: Work) -> bool {
        match work {
            Work::Stats | Work::Csv | Work::Json => true,
            Work::StatsAnyOrder | Work::Groups => self == Self::DuckDb,
        }
    }
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Stats => "stats",
            Self::StatsAnyOrder => "stats-any",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Groups => "groups",
        }
    }

    /// What dmap is asked.
    pub(crate) fn query(self) -> &'static str {
        match self {
            Self::Stats | Self::StatsAnyOrder => {
                "from STATS select count($line),avg(currentConnections),max(lifetimeConnections),hostname group by hostname"
            }
            Self::Csv => {
                "select count($line),avg(duration),max(duration),user group by user logformat csv"
            }
            Self::Json => {
                "select count($line),avg(duration),max(duration),user group by user logformat json"
            }
            Self::Groups => {
                "from STATS select count($line),sum(currentConnections),lifetimeConnections group by lifetimeConnections order by sum(currentConnections) limit 10"
            }
        }
    }

    /// The first line of dmap's answer.
    pub(crate) fn titles(self) -> &'static str {
        let after = self.query().split_once("select ").map_or("", |(_, after)| after);
        after.split(' ').next().unwrap_or_default()
    }
}

impl Engines {
    /// Looks for python and its modules.
    pub(crate) fn find(stage: &Stage<'_>) -> Result<Self> {
        let python = in_path("python3");
        let script = stage.folder.join("engines.py");
        atomic::write(&script, SCRIPT.as_bytes())?;
        let has = |engine: &Engine| {
            python.as_deref().is_some_and(|python| python_has(stage, python, engine.name()))
        };
        let found: Vec<Engine> = ENGINES.into_iter().filter(has).collect();
        for engine in ENGINES.iter().filter(|engine| !found.contains(engine)) {
            eprintln!("   MISSING PEER: python3 has no {}", engine.name());
        }
        Ok(Self { python, script, found })
    }

    /// A skipped figure for each engine that is missing.
    pub(crate) fn missing(&self) -> Vec<Figure> {
        let missing = ENGINES.iter().filter(|engine| !self.found.contains(engine));
        let skipped = |engine: &Engine| {
            let name = engine.name();
            let why = format!("python3 has no {name}: python3 -m pip install {name}");
            Figure::skipped(&format!("everything / {name}"), why)
        };
        missing.map(skipped).collect()
    }

    /// An arm for each engine that does the work.
    pub(crate) fn arms(&self, work: Work, log: &Path) -> Vec<Arm> {
        let Some(python) = &self.python else { return Vec::new() };
        let arm = |engine: &Engine| {
            let words = [
                &python.display().to_string(),
                &self.script.display().to_string(),
                engine.name(),
                work.name(),
                &log.display().to_string(),
                work.titles(),
            ];
            let any = if work == Work::StatsAnyOrder { ", any order" } else { "" };
            Arm {
                name: format!("{}{any}", engine.name()),
                words: words.map(str::to_owned).to_vec(),
            }
        };
        self.found.iter().filter(|engine| engine.does(work)).map(arm).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;
    use expect_test::expect;

    #[test]
    fn every_engine_is_told_the_titles() {
        let found = ENGINES.to_vec();
        let engines = Engines { python: Some("python3".into()), script: "s.py".into(), found };
        let arms = engines.arms(Work::Csv, Path::new("f"));
        let lines: Vec<String> = arms.iter().map(|arm| words::join(&arm.words)).collect();
        expect![[r#"
            python3 s.py duckdb csv f 'count($line),avg(duration),max(duration),user'
            python3 s.py polars csv f 'count($line),avg(duration),max(duration),user'
            python3 s.py chdb csv f 'count($line),avg(duration),max(duration),user'"#]]
        .assert_eq(&lines.join("\n"));
        assert_eq!(engines.arms(Work::Groups, Path::new("f")).len(), 1);
        assert!(engines.missing().is_empty());
    }
}
