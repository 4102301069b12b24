//! A client program from its arguments to its exit code. It always returns, within a second of
//! being told to stop, also when nobody takes its output.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Parser;
use dtail_client::{Outcome, Run, start_local, start_local_interactive, start_remote};
use dtail_process::config::Config;
use dtail_process::exit::Exit;
use dtail_process::panics;
use dtail_process::signals::{Ended, StopSignals};

use crate::arguments::{
    ColorChoice, CommonArgs, FollowArgs, GrepArgs, InputArgs, NumberArgs, QueryArgs, SearchArgs,
};
use crate::color::Style;
use crate::output::Output;
use crate::plan::{self, Plan};
use crate::printer::{Printed, Printer};
use crate::prompt::SavedTerminal;
use crate::{color_table, explanation, hosts, interactive};
use dtail_process::command_line::{self, NotParsed};

/// After a signal: time for what was read to be printed.
const GRACE: Duration = Duration::from_millis(800);

/// The client programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Prints files.
    Dcat,
    /// Prints the lines that match.
    Dgrep,
    /// Aggregates files by a query.
    Dmap,
    /// Follows files.
    Dtail,
}

impl Tool {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Tool::Dcat => "dcat",
            Tool::Dgrep => "dgrep",
            Tool::Dmap => "dmap",
            Tool::Dtail => "dtail",
        }
    }
}

/// What was typed. The parts a tool has no flags for are `None`.
#[derive(Debug)]
pub struct Typed {
    /// The tool.
    pub tool: Tool,
    /// Which files.
    pub input: InputArgs,
    /// How it is shown, and the like.
    pub common: CommonArgs,
    /// Which lines.
    pub search: Option<SearchArgs>,
    /// What of them is printed.
    pub grep: Option<GrepArgs>,
    /// Whether they are numbered.
    pub number: Option<NumberArgs>,
    /// Which query.
    pub query: Option<QueryArgs>,
    /// How to follow.
    pub follow: Option<FollowArgs>,
}

/// Runs a program whose flags are `Arguments`.
pub fn main<Arguments: Parser>(typed: impl FnOnce(Arguments) -> Typed) -> ExitCode {
    panics::guard(|| {
        let outcome = match command_line::parse(std::env::args_os().collect()) {
            Ok(arguments) => run_recorded(typed(arguments)),
            Err(NotParsed::Help(help)) => print_text(help.as_bytes()),
            Err(NotParsed::Error(line)) => {
                Err(format!("{line} (see {} --help)", Arguments::command().get_name()))
            }
        };
        let exit = outcome.unwrap_or_else(|line| {
            // With standard error closed nobody is left to tell.
            let _told = io::stderr().write_all(format!("error: {line}\n").as_bytes());
            Exit::Error
        });
        exit.into()
    })
}

/// Whatever way the run ends, what was recorded of it is written.
fn run_recorded(typed: Typed) -> Result<Exit, String> {
    let recording = typed.common.profiling.start(typed.tool.name(), None);
    let outcome = run(typed);
    recording.finish();
    outcome
}

fn run(typed: Typed) -> Result<Exit, String> {
    if typed.common.version {
        return print_text(version(&typed.common).as_bytes());
    }
    if let Some(follow) = &typed.follow {
        if follow.check_health {
            return Err("--checkHealth is gone: use dtailhealth".to_owned());
        }
        if (follow.color_table || follow.wide_color_table) && !typed.common.plain {
            return print_color_table(&typed.common, follow.wide_color_table);
        }
    }
    let cancel = Arc::new(AtomicBool::new(false));
    let signals =
        StopSignals::catch(&cancel).map_err(|err| format!("cannot catch signals: {err}"))?;
    if !hosts::is_remote(&typed.common.remote) {
        return carry_out(Plan::new(&typed)?, cancel, &signals);
    }
    match plan_with_questions(typed, &signals)? {
        Ok(plan) => carry_out(plan, cancel, &signals),
        Err(signal) => Ok(Exit::Interrupted(signal)),
    }
}

/// Makes a plan for which somebody may be asked something, or programs that list hosts may run, all
/// of which a signal ends: then it is the error.
fn plan_with_questions(typed: Typed, signals: &StopSignals) -> Result<Result<Plan, u8>, String> {
    let terminal = SavedTerminal::save();
    match signals.wait_for("plan", move || Plan::new(&typed)).map_err(|err| no_thread(&err))? {
        Ended::Done(plan) => plan.map(Ok),
        Ended::Panicked => Err("internal error, please report it".to_owned()),
        Ended::Signal(signal, _) => {
            if let Some(terminal) = terminal {
                terminal.restore();
            }
            Ok(Err(signal))
        }
    }
}

fn no_thread(err: &io::Error) -> String {
    format!("cannot start a thread: {err}")
}

fn carry_out(
    mut plan: Plan,
    cancel: Arc<AtomicBool>,
    signals: &StopSignals,
) -> Result<Exit, String> {
    let tool = plan.tool;
    if plan.explains {
        return print_text(&explanation::of(&plan)?);
    }
    let run = start(&mut plan, &cancel)?;
    if let (Some(terminal), Some(controls)) = (&plan.control, run.controls()) {
        let quiet = Arc::clone(&plan.diagnostics.quiet);
        let form = (tool, plan.look.form.clone());
        interactive::start(terminal, controls.clone(), form, plan.request.clone(), quiet)?;
    }
    let printer =
        Printer::new(plan).map_err(|err| format!("cannot write to standard output: {err}"))?;
    // A write to a reader that has stalled blocks for ever, so it must not be in this thread.
    let ended = signals.wait_for("printer", move || printer.print(run, &cancel));
    Ok(match ended.map_err(|err| no_thread(&err))? {
        Ended::Done(printed) => leave(tool, Some(printed), None),
        Ended::Panicked => Exit::Error,
        Ended::Signal(signal, rest) => leave(tool, rest.recv_timeout(GRACE).ok(), Some(signal)),
    })
}

fn start(plan: &mut Plan, cancel: &Arc<AtomicBool>) -> Result<Run, String> {
    let (request, cancel) = (plan.request.clone(), Arc::clone(cancel));
    let started = match plan.remote.take() {
        Some(remote) => start_remote(request, remote, plan.policy, cancel),
        None if plan.control.is_some() => {
            start_local_interactive(request, plan.settings.clone(), plan.policy, cancel)
        }
        None => start_local(request, plan.settings.clone(), plan.policy, cancel),
    };
    started.map_err(|err| format!("{err} (see {} --help)", plan.tool.name()))
}

/// The exit code, after a signal also of a run that did not end in time.
fn leave(tool: Tool, printed: Option<Printed>, signal: Option<u8>) -> Exit {
    match (printed, signal) {
        (Some(Printed::Failed), _) | (None, None) => Exit::Error,
        // Following has no other end, so being stopped is its success.
        (printed, Some(_)) if tool == Tool::Dtail => match printed {
            Some(Printed::Whole { outcome, .. }) if !outcome.failed_hosts.is_empty() => {
                judge(tool, &outcome, None)
            }
            _ => Exit::Ok,
        },
        (_, Some(signal)) => Exit::Interrupted(signal),
        (Some(Printed::NobodyReads), None) => Exit::Ok,
        (Some(Printed::Whole { outcome, files_named }), None) => judge(tool, &outcome, files_named),
    }
}

/// The exit code of a run that was printed to its end.
fn judge(tool: Tool, outcome: &Outcome, files_named: Option<u64>) -> Exit {
    let Outcome { summary, hosts, failed_hosts } = outcome;
    if summary.aborted || (*hosts > 0 && failed_hosts.len() == *hosts) {
        return Exit::Error;
    }
    if !failed_hosts.is_empty() {
        return Exit::SomeFailed;
    }
    // Naming files is success, whatever they were named for.
    let found = files_named.unwrap_or(summary.matches);
    match (summary.failed_files, summary.files) {
        (0, _) if tool == Tool::Dgrep && found == 0 => Exit::NoMatch,
        (0, _) => Exit::Ok,
        (_, 0) => Exit::Error,
        _ => Exit::SomeFailed,
    }
}

fn version(common: &CommonArgs) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let line = format!("DTail {version} Protocol 4.1 Have a lot of fun!");
    match plan::is_coloured(common, &Config::default()) {
        true => Style::named("White", "Blue", "Bold").paint(&line) + "\n",
        false => line + "\n",
    }
}

fn print_color_table(common: &CommonArgs, wide: bool) -> Result<Exit, String> {
    // A table of colours is of no use without, so only an explicit word makes it plain.
    let is_painted = !common.no_color && common.color != Some(ColorChoice::Never);
    let mut table = Vec::new();
    color_table::write(wide, is_painted, &mut table).map_err(|err| err.to_string())?;
    print_text(&table)
}

fn print_text(text: &[u8]) -> Result<Exit, String> {
    let print = || -> io::Result<()> {
        let mut output = Output::standard()?;
        output.write_all(text)?;
        output.flush()
    };
    match print() {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {err}"))
        }
        _ => Ok(Exit::Ok),
    }
}
