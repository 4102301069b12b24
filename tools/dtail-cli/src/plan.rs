//! From typed arguments, configuration and environment to everything a run needs. Bad usage is
//! found here. Never reads a log file and never prints.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dtail_client::{Access, Permissions, Remote, ReportPolicy, Settings};
use dtail_process::config::Config;
use dtail_process::environment;
use dtail_process::host::{HostName, LocalZone};
use dtail_process::log::{Level, LogFile, Logger, Rotation};
use dtail_protocol::{Context, FollowFrom, Mode, Request};
use dtail_query::{HostFacts, Query, TableStyle, UserFormats};

use crate::arguments::{ColorChoice, CommonArgs, FollowArgs, QueryArgs, SearchArgs, StartArg};
use crate::diagnostics::{Diagnostics, Hidden, Voice};
use crate::form::Form;
use crate::look::Look;
use crate::palette::Palette;
use crate::program::{Tool, Typed};
use crate::results::Results;
use crate::{files, hosts, patterns, table};

const MAX_LINE_LENGTH: usize = 1024 * 1024;
const TEST_MODE_MAX_LINE_LENGTH: usize = 1024;
const MAX_GLOB_TARGETS: usize = 1000;
/// DTail's default rule, which permits everything.
const PERMITS_EVERYTHING: &str = "^/.*";

/// Everything a run needs.
pub(crate) struct Plan {
    pub(crate) tool: Tool,
    pub(crate) request: Request,
    /// The hosts that are asked; `None`: this machine.
    pub(crate) remote: Option<Remote>,
    pub(crate) settings: Settings,
    pub(crate) policy: ReportPolicy,
    pub(crate) query: Option<Query>,
    /// In which form results are written.
    pub(crate) results: Results,
    /// The plan is to be explained and not carried out.
    pub(crate) explains: bool,
    pub(crate) look: Look,
    pub(crate) tables: TableStyle,
    /// Tables may take the place of each other on a terminal.
    pub(crate) refreshes: bool,
    /// Where commands come from, if they do.
    pub(crate) control: Option<PathBuf>,
    pub(crate) diagnostics: Diagnostics,
    /// What is odd about the arguments, to be said first.
    pub(crate) warnings: Vec<String>,
}

impl Plan {
    /// The error is one line.
    pub(crate) fn new(typed: &Typed) -> Result<Plan, String> {
        let config =
            Config::load(typed.common.cfg.as_deref().filter(|it| !it.as_os_str().is_empty()))
                .map_err(|err| err.to_string())?;
        let strict = typed.common.strict_dtail || environment::is_test_mode();
        let mut warnings = Vec::new();
        let (request, query) = request(typed, &mut warnings)?;
        let form = Form::new(typed, query.is_some())?;
        let results = Results::new(typed, query.as_ref())?;
        let explains = typed.query.as_ref().is_some_and(|args| args.explain);
        let request = form.ask(request);
        let args = &typed.common.remote;
        let settings = settings(&config, args.user.as_deref(), strict, query.as_ref())?;
        let remote = hosts::is_remote(args)
            .then(|| hosts::remote(typed.tool, args, &config, query.as_ref(), strict))
            .transpose()?;
        if let Some(query) = &query {
            warnings.extend(query.warnings(&settings.default_log_format, &settings.user_formats));
        }
        let host = HostName::current().short;
        let palette = is_coloured(&typed.common, &config).then(|| {
            let (palette, complaints) = Palette::new(&config.term_colors);
            warnings.extend(complaints);
            palette
        });
        let diagnostics =
            diagnostics(typed, &config, strict, &host, palette.as_ref(), &mut warnings);
        let settings = Settings {
            passes_files: remote.is_none() && form == Form::default() && !diagnostics.logs_payload,
            ..settings
        };
        let paints_plain = paints_plain(typed, &config, strict);
        let mut tables = palette.as_ref().map(table::painted).unwrap_or_default();
        tables.limit_warning = diagnostics.limit_warning();
        Ok(Plan {
            tool: typed.tool,
            refreshes: !strict && !args.interactive_query,
            policy: results.policy().unwrap_or_else(|| policy(query.as_ref(), strict)),
            results,
            explains,
            look: Look { own_name: host, palette, paints_plain, form },
            control: args.interactive_query.then(|| args.control_tty.clone()),
            request,
            remote,
            settings,
            query,
            tables,
            diagnostics,
            warnings,
        })
    }
}

impl Plan {
    /// Whether somebody at a terminal would like to know how far a query has come.
    pub(crate) fn live(&self) -> bool {
        let reads_here = self.remote.is_none() && self.control.is_none();
        let is_loud = !self.diagnostics.quiet.load(Ordering::Relaxed);
        self.tool == Tool::Dmap && reads_here && is_loud && self.refreshes
    }
}

fn request(typed: &Typed, warnings: &mut Vec<String>) -> Result<(Request, Option<Query>), String> {
    let program = typed.tool.name();
    let input = &typed.input;
    let is_remote = hosts::is_remote(&typed.common.remote);
    let takes_query = typed.query.is_some();
    let named = files::named(&input.arguments, input.files.as_deref(), takes_query, is_remote);
    let query_text = typed.query.as_ref().and_then(|args| args.query.clone());
    let query_text = query_text.filter(|text| !text.is_empty()).or(named.query);
    let mode = match typed.tool {
        Tool::Dcat => Mode::Cat,
        Tool::Dgrep => Mode::Grep,
        Tool::Dmap => Mode::Map,
        Tool::Dtail => Mode::Tail,
    };
    if mode == Mode::Map && query_text.is_none() {
        return Err(format!("no query given: use --query 'select …' (see {program} --help)"));
    }
    let query = query_text
        .as_deref()
        .map(Query::parse)
        .transpose()
        .map_err(|err| format!("{err} (see {program} --help){}", err.excerpt()))?;
    let search = typed.search.as_ref();
    let pattern = search.map(|args| patterns::pattern(typed, args, warnings)).transpose()?;
    let has_input = search.is_none_or(|args| !patterns::take_standard_input(args));
    let files = match named.files {
        files if !has_input && (files.is_empty() || files.iter().any(|file| file == "-")) => {
            return Err("standard input has the patterns: name files to search".to_owned());
        }
        files if !files.is_empty() => files,
        _ if is_remote => {
            return Err(format!("no files given: name files of the hosts (see {program} --help)"));
        }
        _ => files::standard_input(program)?,
    };
    let request = Request::of(mode, files);
    let request = if typed.common.plain { request.plain() } else { request };
    let request = Request {
        pattern: pattern.flatten(),
        context: typed.search.as_ref().map(context).unwrap_or_default(),
        query: query_text,
        timeout: timeout(typed.query.as_ref(), typed.follow.as_ref()),
        follow_from: typed.follow.as_ref().map(follow_from).transpose()?.unwrap_or_default(),
        ..request
    };
    Ok((request, query))
}

fn context(args: &SearchArgs) -> Context {
    let around = args.context;
    Context {
        before: args.before.unwrap_or(around),
        after: args.after.unwrap_or(around),
        max: args.max,
    }
}

/// Where dtail begins.
fn follow_from(args: &FollowArgs) -> Result<FollowFrom, String> {
    match (args.lines, args.bytes) {
        (Some(_), Some(_)) => Err("--lines or --bytes, not both".to_owned()),
        (Some(StartArg::Beginning), None) | (None, Some(StartArg::Beginning)) => {
            Ok(FollowFrom::Beginning)
        }
        (Some(StartArg::Before(0)), None) | (None, Some(StartArg::Before(0)) | None) => {
            Ok(FollowFrom::End)
        }
        (Some(StartArg::Before(lines)), None) => Ok(FollowFrom::Lines(lines)),
        (None, Some(StartArg::Before(bytes))) => Ok(FollowFrom::Bytes(bytes)),
    }
}

/// The sooner of --timeout and --shutdownAfter, of which 0 means never.
fn timeout(query: Option<&QueryArgs>, follow: Option<&FollowArgs>) -> Option<Duration> {
    let limits = [query.map(|args| args.timeout), follow.map(|args| args.shutdown_after)];
    let seconds = limits.into_iter().flatten().filter(|seconds| *seconds > 0).min()?;
    Some(Duration::from_secs(seconds))
}

fn settings(
    config: &Config,
    user: Option<&str>,
    strict: bool,
    query: Option<&Query>,
) -> Result<Settings, String> {
    let max_line_length = match environment::is_test_mode() {
        true => TEST_MODE_MAX_LINE_LENGTH,
        false => config.max_line_length.unwrap_or(MAX_LINE_LENGTH),
    };
    let default_log_format = config.mapreduce_log_format.clone().filter(|name| !name.is_empty());
    Ok(Settings {
        host: query.map_or_else(HostFacts::default, |_| host_facts()),
        max_line_length,
        default_log_format: default_log_format.unwrap_or_else(|| "default".to_owned()),
        user_formats: UserFormats::new(config.log_formats.iter().cloned()),
        max_glob_targets: config.max_glob_targets.unwrap_or(MAX_GLOB_TARGETS),
        strict,
        access: access(config, user)?,
        max_query_memory: config.server.max_query_memory.unwrap_or(0),
        ..Settings::default()
    })
}

fn host_facts() -> HostFacts {
    let hostname = HostName::current().full;
    let zone = LocalZone::current();
    HostFacts { hostname, timezone: zone.abbreviation, timeoffset: zone.offset }
}

/// What the configuration's rules for this machine permit the user to read.
fn access(config: &Config, user: Option<&str>) -> Result<Access, String> {
    let keys = &config.server.permissions;
    let own_rules = match user {
        _ if keys.users.is_empty() => None,
        Some(user) => keys.users.get(user),
        None => keys.users.get(&hosts::own_user()?),
    };
    let Some(rules) = own_rules.or(keys.default.as_ref()) else {
        return Ok(Access::everything());
    };
    if matches!(rules.as_slice(), [rule] if rule == PERMITS_EVERYTHING) {
        return Ok(Access::everything());
    }
    let permissions = Permissions::parse(rules);
    permissions.map(Access::from).map_err(|err| format!("config: Server.Permissions: {err}"))
}

/// Somebody who watches wants results so far; a script wants one.
fn policy(query: Option<&Query>, strict: bool) -> ReportPolicy {
    let is_watched = io::stdout().is_terminal();
    match query.is_some_and(Query::has_explicit_interval) || is_watched || strict {
        true => ReportPolicy::Interim,
        false => ReportPolicy::FinalOnly,
    }
}

/// What was typed wins over the test mode, that over the configuration, and that over the
/// environment and the kind of output.
pub(crate) fn is_coloured(common: &CommonArgs, config: &Config) -> bool {
    !common.plain && wants_colour(common, config, environment::is_test_mode())
}

/// Plain lines of tools that search have grep's colours where somebody sees them.
fn paints_plain(typed: &Typed, config: &Config, strict: bool) -> bool {
    typed.common.plain
        && typed.search.is_some()
        && (!strict || typed.common.color == Some(ColorChoice::Always))
        && wants_colour(&typed.common, config, false)
}

fn wants_colour(common: &CommonArgs, config: &Config, is_test_mode: bool) -> bool {
    if common.no_color {
        return false;
    }
    match common.color.unwrap_or_default() {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if config.term_colors_enable == Some(false) => false,
        ColorChoice::Auto => {
            is_test_mode || (!environment::forbids_colour() && io::stdout().is_terminal())
        }
    }
}

fn diagnostics(
    typed: &Typed,
    config: &Config,
    strict: bool,
    host: &str,
    palette: Option<&Palette>,
    warnings: &mut Vec<String>,
) -> Diagnostics {
    let common = &typed.common;
    let logger = common.logger.or(config.logger).unwrap_or(Logger::Fout);
    let rotation = match &config.log_rotation {
        Some(rotation) if !rotation.eq_ignore_ascii_case("daily") => {
            Rotation::Program(typed.tool.name())
        }
        _ => Rotation::Daily,
    };
    let has_file = logger.has_file();
    if common.log_payload && !has_file {
        warnings.push("--log-payload needs a log file: use --logger file or fout".to_owned());
    }
    let logs_payload = has_file && (common.log_payload || config.log_payload == Some(true));
    let voice = match (logger.has_terminal(), strict) {
        (false, _) => Voice::Silent,
        (true, true) => Voice::DTail { host: host.to_owned(), palette: palette.cloned() },
        (true, false) => Voice::People,
    };
    let directory = environment::expand_home(&common.log_dir);
    Diagnostics {
        program: typed.tool.name(),
        voice,
        level: common.log_level.or(config.log_level).unwrap_or(Level::Warn),
        quiet: Arc::new(AtomicBool::new(common.quiet && !strict)),
        log: has_file.then(|| LogFile::new(directory, rotation)),
        log_is_wanted: common.logger.is_some() || logs_payload,
        logs_payload,
        hidden: Hidden::default(),
    }
}
