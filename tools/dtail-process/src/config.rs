//! DTail's JSON configuration file: finding it and reading its keys. Keys are matched in any case
//! and unknown keys are ignored, as Go does. It never knows what a value means.

mod section;
mod server;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::environment;
use crate::log::{Level, Logger};
use section::Section;

pub use server::{JobKeys, PermissionKeys, ServerKeys};

/// What the file says; `None` and empty where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// `Client.TermColorsEnable`.
    pub term_colors_enable: Option<bool>,
    /// `Client.TermColors`, flattened.
    pub term_colors: Vec<TermColor>,
    /// `Client.LogPayload`.
    pub log_payload: Option<bool>,
    /// `Client.AuthKeyPath`.
    pub auth_key_path: Option<PathBuf>,
    /// `Client.AuthKeyDisable`.
    pub auth_key_disable: Option<bool>,
    /// `Common.SSHPort`.
    pub ssh_port: Option<u16>,
    /// `Common.SSHConnectTimeoutMs`.
    pub ssh_connect_timeout: Option<Duration>,
    /// `Common.LogDir`.
    pub log_dir: Option<PathBuf>,
    /// `Common.CacheDir`.
    pub cache_dir: Option<PathBuf>,
    /// `Common.Logger`.
    pub logger: Option<Logger>,
    /// `Common.LogLevel`.
    pub log_level: Option<Level>,
    /// `Common.LogRotation`.
    pub log_rotation: Option<String>,
    /// Ours: `Common.LogFormats`, names of log formats and their expressions.
    pub log_formats: Vec<(String, String)>,
    /// `Server.MapreduceLogFormat`.
    pub mapreduce_log_format: Option<String>,
    /// `Server.MaxLineLength` in bytes, above 0.
    pub max_line_length: Option<usize>,
    /// `Server.MaxGlobTargets`, above 0.
    pub max_glob_targets: Option<usize>,
    /// The rest of `Server`.
    pub server: ServerKeys,
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
            auth_key_path: client.path("AuthKeyPath")?,
            auth_key_disable: client.boolean("AuthKeyDisable")?,
            ssh_port: common.port("SSHPort")?,
            ssh_connect_timeout: common.milliseconds("SSHConnectTimeoutMs")?,
            log_dir: common.path("LogDir")?,
            cache_dir: common.path("CacheDir")?,
            logger: common.parsed("Logger")?,
            log_level: common.parsed("LogLevel")?,
            log_rotation: common.text("LogRotation")?.map(str::to_owned),
            log_formats: log_formats(&common)?,
            mapreduce_log_format: server.text("MapreduceLogFormat")?.map(str::to_owned),
            max_line_length: server.size("MaxLineLength")?,
            max_glob_targets: server.size("MaxGlobTargets")?,
            server: ServerKeys::read(&server)?,
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

fn log_formats(common: &Section) -> Result<Vec<(String, String)>, Problem> {
    let formats = common.section("LogFormats")?;
    let format = |name: &str| {
        let expression = formats.text(name)?.unwrap_or_default();
        Ok((name.to_owned(), expression.to_owned()))
    };
    formats.keys().map(format).collect()
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

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests;
