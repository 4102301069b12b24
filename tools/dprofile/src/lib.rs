//! The dprofile program: reads profiles and shows where time and memory went. This file has the
//! flags and the ways out; it computes nothing.

mod diff;
mod directory;
mod flame;
mod heading;
mod list;
mod peek;
mod prune;
mod recording;
mod top;
mod totals;
mod tree;
mod unit;
mod web;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, Parser, Subcommand};
use dtail_process::command_line;
use dtail_process::exit::Exit;
use dtail_process::panics;
use dtail_process::signals::{Ended, StopSignals};

use crate::recording::Recording;

const AFTER_HELP: &str = "\
Examples:
  dprofile dgrep_cpu_20261121_120000.prof          the functions that took most time
  dprofile top --cum -n 40 FILE                    those that it was spent below
  dprofile list 'parse_line$' FILE                 line by line
  dprofile peek 'memchr' FILE                      who calls it, what it calls
  dprofile diff before.prof after.prof             what became slower and faster
  dprofile flame FILE -o flame.svg                 a picture with search and zoom
  dprofile web FILE                                a page on this machine: both at once
  dprofile ls profiles                             what has been recorded
  curl -s http://host:6060/debug/pprof/heap | dprofile top --sample inuse_space -

Profiles are in pprof format, compressed or not, of these tools, of Go or converted from perf.

Exit codes:
  0  ok
  2  bad usage, or no profile that can be read";

/// Show where time and memory went: read profiles in pprof format
#[derive(Debug, Parser)]
#[command(name = "dprofile", version, after_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Dprofile {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    top: Top,
    /// The same as the command web
    #[arg(long)]
    web: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The functions with the largest share; also what a file without a command shows
    Top(Top),
    /// The source of functions, each line with its share
    List(List),
    /// Who calls a function and what it calls
    Peek(Peek),
    /// What has changed from one profile to another
    Diff(Diff),
    /// A flame graph as an SVG file, with search and zoom in a browser
    Flame(Flame),
    /// A page on this machine: flame graph and table, with search and zoom
    Web(Web),
    /// The profiles in a folder, the newest first
    Ls(Ls),
}

/// What is looked at, and how it is shown.
#[derive(Debug, Args)]
struct Look {
    /// What to show of a profile that has several types, such as alloc_space [default: the
    /// profile's own choice]
    #[arg(long, value_name = "TYPE")]
    sample: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Top {
    /// A profile; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    file: Option<PathBuf>,
    /// How many functions; 0 for all
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 20)]
    count: usize,
    /// Sort by what was spent in a function and below it
    #[arg(long)]
    cum: bool,
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Args)]
struct List {
    /// Names of functions, a regular expression
    regex: String,
    /// A profile; `-` is standard input
    file: PathBuf,
    /// How many functions; 0 for all
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 10)]
    count: usize,
    /// Where the source lies, if not where it was compiled; may be repeated [default: .]
    #[arg(long, value_name = "DIR")]
    source: Vec<PathBuf>,
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Args)]
struct Peek {
    /// Names of functions, a regular expression
    regex: String,
    /// A profile; `-` is standard input
    file: PathBuf,
    /// How many functions; 0 for all
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 10)]
    count: usize,
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Args)]
struct Diff {
    /// The profile to compare with
    base: PathBuf,
    /// The other profile
    new: PathBuf,
    /// How many functions; 0 for all
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 20)]
    count: usize,
    /// Sort by what was spent in a function and below it
    #[arg(long)]
    cum: bool,
    /// Compare shares: scale BASE to the total of NEW
    #[arg(long)]
    normalize: bool,
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Args)]
struct Flame {
    /// A profile; `-` is standard input
    file: PathBuf,
    /// The SVG file; `-` is standard output
    #[arg(short = 'o', long = "output", value_name = "SVG")]
    output: PathBuf,
    /// Colour what has grown (red) and shrunk (blue) since this profile
    #[arg(long, value_name = "BASE")]
    diff: Option<PathBuf>,
    /// Compare shares: scale BASE to the total of FILE
    #[arg(long, requires = "diff")]
    normalize: bool,
    /// What to show of a profile that has several types
    #[arg(long, value_name = "TYPE")]
    sample: Option<String>,
}

#[derive(Debug, Args)]
struct Web {
    /// A profile; `-` is standard input
    file: PathBuf,
    /// Colour what has grown (red) and shrunk (blue) since this profile
    #[arg(long, value_name = "BASE")]
    diff: Option<PathBuf>,
    /// Compare shares: scale BASE to the total of FILE
    #[arg(long, requires = "diff")]
    normalize: bool,
    /// Port on 127.0.0.1; 0 for any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
}

#[derive(Debug, Args)]
struct Ls {
    /// The folder
    #[arg(default_value = "profiles")]
    dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    panics::guard(|| {
        let exit = match command_line::parse::<Dprofile>(std::env::args_os().collect()) {
            Ok(typed) => until_stopped(typed),
            Err(command_line::NotParsed::Help(help)) => leave(print(help.as_bytes())),
            Err(command_line::NotParsed::Error(line)) => {
                leave(Err(format!("{line} (see dprofile --help)")))
            }
        };
        exit.into()
    })
}

/// Works on a thread of its own, so that a signal ends the program at once by a return.
fn until_stopped(typed: Dprofile) -> Exit {
    let stop = match StopSignals::catch(&Arc::new(AtomicBool::new(false))) {
        Ok(stop) => stop,
        Err(err) => return leave(Err(format!("cannot listen for signals: {err}"))),
    };
    let serves = typed.web || matches!(typed.command, Some(Command::Web(_)));
    match stop.wait_for("work", move || run(typed)) {
        Ok(Ended::Done(done)) => leave(done),
        Ok(Ended::Panicked) => Exit::Error,
        Ok(Ended::Signal(..)) if serves => Exit::Ok,
        Ok(Ended::Signal(signal, _)) => Exit::Interrupted(signal),
        Err(err) => leave(Err(format!("cannot start a thread: {err}"))),
    }
}

fn run(typed: Dprofile) -> Result<(), String> {
    match typed.command {
        Some(Command::Top(top)) => show_top(&top),
        None if typed.web => {
            let file = typed.top.file.unwrap_or_default();
            web::serve(&web::Wish { file, base: None, normalize: false, port: 0 }, &say)
        }
        None => show_top(&typed.top),
        Some(Command::List(list)) => {
            let wanted = regex(&list.regex)?;
            let recording = Recording::load(&list.file)?;
            let kind = recording.kind(list.look.sample.as_deref())?;
            let routines = list::Listing::new(&recording, kind, &wanted, list.count)?;
            print(&routines.render(&list.source, list.look.json))
        }
        Some(Command::Peek(peek)) => {
            let wanted = regex(&peek.regex)?;
            let recording = Recording::load(&peek.file)?;
            let kind = recording.kind(peek.look.sample.as_deref())?;
            print(&peek::render(&recording, kind, &wanted, peek.count, peek.look.json)?)
        }
        Some(Command::Diff(diff)) => {
            let base = Recording::load(&diff.base)?;
            let new = Recording::load(&diff.new)?;
            let changes =
                diff::Changes::new(&base, &new, diff.look.sample.as_deref(), diff.normalize)?;
            print(&changes.render(diff.count, diff.cum, diff.look.json))
        }
        Some(Command::Flame(flame)) => draw(&flame),
        Some(Command::Web(web)) => {
            let Web { file, diff, normalize, port } = web;
            web::serve(&web::Wish { file, base: diff, normalize, port }, &say)
        }
        Some(Command::Ls(ls)) => print(&directory::render(&ls.dir, ls.json)?),
    }
}

fn show_top(top: &Top) -> Result<(), String> {
    let recording = Recording::load(&top.file.clone().unwrap_or_default())?;
    let kind = recording.kind(top.look.sample.as_deref())?;
    print(&top::render(&recording, kind, top.count, top.cum, top.look.json))
}

fn draw(flame: &Flame) -> Result<(), String> {
    let new = Recording::load(&flame.file)?;
    let base = flame.diff.as_deref().map(Recording::load).transpose()?;
    let sample = flame.sample.as_deref();
    let tree = tree::Tree::of(&new, base.as_ref(), sample, flame.normalize)?;
    let picture = flame::svg(&tree);
    if flame.output.as_os_str() == "-" {
        return print(&picture);
    }
    write_whole(&flame.output, &picture)
        .map_err(|err| format!("cannot write {}: {err}", flame.output.display()))
}

/// Writes a file under another name first, so that nobody ever sees half of it.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // It may never have been made.
        let _gone = fs::remove_file(&temporary);
    }
    written
}

fn regex(text: &str) -> Result<regex::Regex, String> {
    regex::Regex::new(text).map_err(|err| {
        let said = err.to_string();
        let reason = said.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
        format!("bad regular expression {text:?}: {reason} (see dprofile --help)")
    })
}

fn leave(done: Result<(), String>) -> Exit {
    match done {
        Ok(()) => Exit::Ok,
        Err(line) => {
            say(&format!("error: {line}"));
            Exit::Error
        }
    }
}

fn print(text: &[u8]) -> Result<(), String> {
    match io::stdout().write_all(text) {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {err}"))
        }
        _ => Ok(()),
    }
}

fn say(line: &str) {
    // With standard error closed nobody is left to tell.
    let _told = io::stderr().write_all(format!("{line}\n").as_bytes());
}
