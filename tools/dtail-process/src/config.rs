//! DTail's JSON configuration file: finding it and reading the keys local programs obey. Keys are
//! matched in any case and unknown keys are ignored, as Go does. It never knows what a value means.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::environment;
use crate::log::{Level, Logger};

/// What the file says; `None` and empty where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// `Client.TermColorsEnable`.
    pub term_colors_enable: Option<bool>,
    /// `Client.TermColors`, flattened.
    pub term_colors: Vec<TermColor>,
    /// `Client.LogPayload`.
    pub log_payload: Option<bool>,
    /// `Common.Logger`.
    pub logger: Option<Logger>,
    /// `Common.LogLevel`.
    pub log_level: Option<Level>,
    /// `Common.LogRotation`.
    pub log_rotation: Option<String>,
    /// `Server.MapreduceLogFormat`.
    pub mapreduce_log_format: Option<String>,
    /// `Server.MaxLineLength` in bytes, above 0.
    pub max_line_length: Option<usize>,
    /// `Server.MaxGlobTargets`, above 0.
    pub max_glob_targets: Option<usize>,
}

/// One entry of `Client.TermColors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermColor {
    /// `Remote`, `Client`, `Server`, `Common` or `MaprTable`, as spelled in the file.
    pub section: String,
    /// Such as `HostnameFg`, as spelled in the file.
    pub name: String,
    /// Such as `Red`.
    pub value: String,
}

/// The file exists, or was asked for, but cannot be used. One line.
#[derive(Debug)]
pub struct ConfigError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Unreadable(io::Error),
    NotJson(serde_json::Error),
    Value { key: String, wanted: String },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::Unreadable(err) => write!(f, "cannot read config file {path}: {err}"),
            Problem::NotJson(err) => write!(f, "config file {path} is not JSON: {err}"),
            Problem::Value { key, wanted } => write!(f, "config file {path}: {key}: {wanted}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the file named by `--cfg`, or the first that exists of `~/.config/dtail/dtail.conf`
    /// and `~/.dtail.conf`. `none` in any case means no file.
    pub fn load(asked_for: Option<&Path>) -> Result<Config, ConfigError> {
        match asked_for {
            Some(path) if path.as_os_str().eq_ignore_ascii_case("none") => Ok(Config::default()),
            Some(path) => Config::read(path),
            None => match default_path() {
                Some(path) => Config::read(&path),
                None => Ok(Config::default()),
            },
        }
    }

    fn read(path: &Path) -> Result<Config, ConfigError> {
        let fail = |problem| ConfigError { path: path.to_owned(), problem };
        let text = fs::read(path).map_err(|err| fail(Problem::Unreadable(err)))?;
        let value = serde_json::from_slice(&text).map_err(|err| fail(Problem::NotJson(err)))?;
        Config::from_json(&value).map_err(fail)
    }

    fn from_json(file: &Value) -> Result<Config, Problem> {
        let file = Section::root(file)?;
        let (client, common, server) =
            (file.section("Client")?, file.section("Common")?, file.section("Server")?);
        Ok(Config {
            term_colors_enable: client.boolean("TermColorsEnable")?,
            term_colors: term_colors(&client)?,
            log_payload: client.boolean("LogPayload")?,
            logger: common.parsed("Logger")?,
            log_level: common.parsed("LogLevel")?,
            log_rotation: common.text("LogRotation")?.map(str::to_owned),
            mapreduce_log_format: server.text("MapreduceLogFormat")?.map(str::to_owned),
            max_line_length: server.size("MaxLineLength")?,
            max_glob_targets: server.size("MaxGlobTargets")?,
        })
    }
}

fn default_path() -> Option<PathBuf> {
    let home = environment::home()?;
    [".config/dtail/dtail.conf", ".dtail.conf"]
        .iter()
        .map(|name| home.join(name))
        .find(|path| path.exists())
}

fn term_colors(client: &Section) -> Result<Vec<TermColor>, Problem> {
    let mut colors = Vec::new();
    let sections = client.section("TermColors")?;
    for section in sections.keys() {
        let entries = sections.section(section)?;
        for name in entries.keys() {
            let value = entries.text(name)?.unwrap_or_default();
            if !value.is_empty() {
                let (section, name) = (section.to_owned(), name.to_owned());
                colors.push(TermColor { section, name, value: value.to_owned() });
            }
        }
    }
    Ok(colors)
}

/// A JSON object, or nothing, with the key it stands under.
struct Section<'a> {
    path: String,
    object: Option<&'a Map<String, Value>>,
}

impl<'a> Section<'a> {
    fn root(file: &'a Value) -> Result<Section<'a>, Problem> {
        let object = file.as_object().ok_or_else(|| Problem::Value {
            key: "the whole file".to_owned(),
            wanted: "must be an object".to_owned(),
        })?;
        Ok(Section { path: String::new(), object: Some(object) })
    }

    fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.object.into_iter().flat_map(Map::keys).map(String::as_str)
    }

    /// The value of the key in any case; the exact spelling first. JSON's null is nothing.
    fn get(&self, key: &str) -> Option<&'a Value> {
        let object = self.object?;
        let in_any_case = || {
            object.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
        };
        object.get(key).or_else(in_any_case).filter(|value| !value.is_null())
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn wrong(&self, key: &str, wanted: &str) -> Problem {
        Problem::Value { key: self.path_of(key), wanted: wanted.to_owned() }
    }

    fn section(&self, key: &str) -> Result<Section<'a>, Problem> {
        let object = match self.get(key) {
            Some(value) => {
                Some(value.as_object().ok_or_else(|| self.wrong(key, "must be an object"))?)
            }
            None => None,
        };
        Ok(Section { path: self.path_of(key), object })
    }

    fn boolean(&self, key: &str) -> Result<Option<bool>, Problem> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.wrong(key, "must be true or false"))
    }

    fn text(&self, key: &str) -> Result<Option<&'a str>, Problem> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(key, "must be a string"))
    }

    /// A number above 0; DTail takes any other for "use the default".
    fn size(&self, key: &str) -> Result<Option<usize>, Problem> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = value.as_i64().ok_or_else(|| self.wrong(key, "must be a whole number"))?;
        Ok(usize::try_from(number).ok().filter(|number| *number > 0))
    }

    fn parsed<T>(&self, key: &str) -> Result<Option<T>, Problem>
    where
        T: std::str::FromStr,
        T::Err: fmt::Display,
    {
        let Some(text) = self.text(key)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        let parsed = text.parse().map(Some);
        parsed.map_err(|err: T::Err| self.wrong(key, &format!("\"{text}\" is unknown, {err}")))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use expect_test::{Expect, expect};

    use super::Config;

    #[track_caller]
    fn check(json: &str, expected: &Expect) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dtail.conf");
        std::fs::write(&path, json).unwrap();
        let said = match Config::load(Some(&path)) {
            Ok(config) => format!("{config:?}").replace(", ", ",\n"),
            Err(err) => err.to_string().replace(&path.display().to_string(), "FILE"),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn keys_match_in_any_case_and_unknown_ones_are_ignored() {
        check(
            r#"{"client": {"termcolorsenable": false, "Odd": [1],
                  "TermColors": {"Remote": {"HostnameFg": "Red", "HostnameAttr": ""}}},
                "COMMON": {"Logger": "Fout", "LogLevel": "DEBUG", "LogRotation": "daily"},
                "Server": {"MaxLineLength": 2048, "MaxGlobTargets": 0, "Permissions": {}}}"#,
            &expect![[r#"
                Config { term_colors_enable: Some(false),
                term_colors: [TermColor { section: "Remote",
                name: "HostnameFg",
                value: "Red" }],
                log_payload: None,
                logger: Some(Fout),
                log_level: Some(Debug),
                log_rotation: Some("daily"),
                mapreduce_log_format: None,
                max_line_length: Some(2048),
                max_glob_targets: None }"#]],
        );
    }

    #[test]
    fn a_bad_file_is_refused_with_the_key_at_fault() {
        check(
            "{",
            &expect![
                "config file FILE is not JSON: EOF while parsing an object at line 1 column 1"
            ],
        );
        check("[]", &expect!["config file FILE: the whole file: must be an object"]);
        check(r#"{"Client": 3}"#, &expect!["config file FILE: Client: must be an object"]);
        check(
            r#"{"Server": {"MaxLineLength": "1k"}}"#,
            &expect!["config file FILE: Server.MaxLineLength: must be a whole number"],
        );
        check(
            r#"{"Common": {"Logger": "loud"}}"#,
            &expect![[
                r#"config file FILE: Common.Logger: "loud" is unknown, use one of none stdout file fout"#
            ]],
        );
    }

    #[test]
    fn none_means_no_file_and_a_missing_file_is_an_error() {
        assert_eq!(Config::load(Some(Path::new("NONE"))).unwrap(), Config::default());
        let missing = Config::load(Some(Path::new("no/such/file"))).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read config file no/such/file: "), "{missing}");
    }
}
