//! Commands typed at a terminal while a run lasts: DTail's `:help`, `:show`, `:reload` and `:quit`.
//! Never prints what the run answers.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dtail_client::{Controls, split_words};
use dtail_protocol::{Pattern, Request};
use dtail_query::Query;

use crate::files;
use crate::form::Form;
use crate::program::Tool;

const BANNER: &str = "interactive session, :help lists the commands";
const HELP: &str = "\
:help            this
:show            what is asked now
:reload FLAGS    ask something else on all hosts, or on none; what is not given stays
:quit            end";

/// What a line asks for.
#[derive(Debug, PartialEq)]
enum Command {
    Nothing,
    Help,
    Show,
    Quit,
    Reload(Box<Wanted>),
}

/// What is asked of the hosts, and how it is shown.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    request: Request,
    quiet: bool,
}

/// Opens the terminal and obeys it on a thread of its own. The error is one line.
pub(crate) fn start(
    terminal: &Path,
    controls: Controls,
    (tool, form): (Tool, Form),
    request: Request,
    quiet: Arc<AtomicBool>,
) -> Result<(), String> {
    let shown = terminal.display().to_string();
    let fail = move |err: io::Error| format!("cannot open control terminal {shown}: {err}");
    let opened = OpenOptions::new().read(true).write(true).open(terminal).map_err(&fail)?;
    let lines = BufReader::new(opened.try_clone().map_err(&fail)?);
    let wanted = Wanted { request, quiet: quiet.load(Ordering::Relaxed) };
    let started = thread::Builder::new().name("control".to_owned()).spawn(move || {
        // A terminal that has gone away is as good as :quit.
        let _left = obey(lines, opened, &controls, (tool, &form), wanted, &quiet).is_ok();
        controls.quit();
    });
    started.map(drop).map_err(|err| format!("cannot start a thread: {err}"))
}

fn obey(
    lines: impl BufRead,
    mut terminal: impl Write,
    controls: &Controls,
    (tool, form): (Tool, &Form),
    mut current: Wanted,
    quiet: &AtomicBool,
) -> io::Result<()> {
    writeln!(terminal, "{BANNER}")?;
    for line in lines.lines() {
        match parse(&line?, tool, &current) {
            Ok(Command::Nothing) => {}
            Ok(Command::Help) => {
                writeln!(terminal, "{HELP}\nflags of :reload: {}", known(&current).join(" "))?;
            }
            Ok(Command::Show) => {
                let counts = controls.counts();
                let (capable, total) = (counts.interactive, counts.total);
                writeln!(terminal, "{} capable={capable}/{total}", show(&current))?;
            }
            Ok(Command::Quit) => return writeln!(terminal, "quitting interactive session"),
            Ok(Command::Reload(wanted)) => {
                match controls.reload(form.ask(wanted.request.clone())) {
                    Ok(()) => {
                        current = *wanted;
                        quiet.store(current.quiet, Ordering::Relaxed);
                        writeln!(terminal, "reload applied successfully")?;
                    }
                    Err(err) => writeln!(terminal, "reload failed: {err}")?,
                }
            }
            Err(text) => writeln!(terminal, "{text}")?,
        }
    }
    Ok(())
}

/// What a line means. The error is one line.
fn parse(line: &str, tool: Tool, current: &Wanted) -> Result<Command, String> {
    let (word, rest) = match line.trim().split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest),
        None => (line.trim(), ""),
    };
    match word {
        "" => Ok(Command::Nothing),
        ":help" => Ok(Command::Help),
        ":show" => Ok(Command::Show),
        ":quit" => Ok(Command::Quit),
        ":reload" => {
            let wanted = reload(rest, tool, current.clone());
            let failed = |text| format!("interactive query error: {text}");
            wanted.map(|wanted| Command::Reload(Box::new(wanted))).map_err(failed)
        }
        _ => Err(format!("unsupported command {}, see :help", word.escape_debug())),
    }
}

/// The flags that a reload may change.
fn known(current: &Wanted) -> Vec<&'static str> {
    let mut known = vec!["--files", "--plain", "--quiet", "--timeout"];
    match (&current.request.query, &current.request.mode) {
        (Some(_), _) => known.push("--query"),
        (None, dtail_protocol::Mode::Cat) => {}
        (None, _) => {
            known.extend(["--regex", "--grep", "--invert", "--before", "--after", "--max"]);
        }
    }
    known
}

fn reload(flags: &str, tool: Tool, mut wanted: Wanted) -> Result<Wanted, String> {
    let words = split_words(flags).ok_or("a quote is not closed")?;
    let known = known(&wanted);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let (name, joined) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let name = format!("--{}", name.trim_start_matches('-'));
        if !word.starts_with('-') || !known.contains(&name.as_str()) {
            let known = known.join(" ");
            return Err(format!("{} is no flag of :reload, use {known}", word.escape_debug()));
        }
        if matches!(name.as_str(), "--plain" | "--quiet" | "--invert") {
            let is_on = match &joined {
                None => true,
                Some(value) => value.parse().map_err(|_| format!("{name}: use true or false"))?,
            };
            switch(&name, is_on, &mut wanted);
            continue;
        }
        let value = joined.or_else(|| words.next());
        let value = value.ok_or_else(|| format!("{name} needs a value"))?;
        set(&name, &value, tool, &mut wanted.request)?;
    }
    Ok(wanted)
}

fn switch(name: &str, is_on: bool, wanted: &mut Wanted) {
    match name {
        "--plain" => {
            wanted.request.plain = is_on;
        }
        "--quiet" => wanted.quiet = is_on,
        _ => {
            let everything = || Pattern::of(".");
            wanted.request.pattern.get_or_insert_with(everything).invert = is_on;
        }
    }
}

fn set(name: &str, value: &str, tool: Tool, request: &mut Request) -> Result<(), String> {
    let number = || value.parse::<u64>().map_err(|_| format!("{name}: \"{value}\" is no number"));
    let lines = || number().map(|lines| usize::try_from(lines).unwrap_or(usize::MAX));
    match name {
        "--files" => {
            let named = files::named(&[], Some(value.as_ref()), false, true);
            if named.files.is_empty() {
                return Err("--files names no file".to_owned());
            }
            request.files = named.files;
        }
        "--timeout" => {
            request.timeout = Some(number()?).filter(|it| *it > 0).map(Duration::from_secs);
        }
        "--query" => {
            Query::parse(value).map_err(|err| err.to_string())?;
            request.query = Some(value.to_owned());
        }
        "--before" => request.context.before = lines()?,
        "--after" => request.context.after = lines()?,
        "--max" => request.context.max = number()?,
        _ => {
            if value.is_empty() && tool == Tool::Dgrep {
                return Err("the regular expression is empty".to_owned());
            }
            // What was said about the pattern before holds for this one, too.
            let known = request.pattern.take().unwrap_or_default();
            request.pattern = Some(Pattern { texts: vec![value.to_owned()], ..known });
        }
    }
    Ok(())
}

/// What is asked now, in DTail's fields.
fn show(wanted: &Wanted) -> String {
    let Wanted { request, quiet } = wanted;
    let mode = format!("{:?}", request.mode).to_lowercase();
    let files: Vec<_> =
        request.files.iter().map(|file: &OsString| file.to_string_lossy()).collect();
    let query = request.query.as_deref().unwrap_or_default();
    let regex =
        request.pattern.as_ref().map(|pattern| pattern.texts.join(" or ")).unwrap_or_default();
    let invert = request.pattern.as_ref().is_some_and(|pattern| pattern.invert);
    let context = request.context;
    let options = format!(
        "plain={},quiet={quiet},invert={invert},before={},after={},max={}",
        request.plain, context.before, context.after, context.max
    );
    let timeout = request.timeout.map_or(0, |timeout| timeout.as_secs());
    let files = files.join(",");
    format!(
        "mode={mode} files={files} query={query} regex={regex} options={options} timeout={timeout}"
    )
}

#[cfg(test)]
mod tests {
    use dtail_protocol::{Mode, Request};
    use expect_test::{Expect, expect};

    use super::{Command, Wanted, parse, show};
    use crate::program::Tool;

    #[track_caller]
    fn check(mode: Mode, query: Option<&str>, line: &str, expected: &Expect) {
        let request =
            Request { query: query.map(str::to_owned), ..Request::of(mode, vec!["a.log".into()]) };
        let said = match parse(line, Tool::Dgrep, &Wanted { request, quiet: false }) {
            Ok(Command::Reload(wanted)) => show(&wanted),
            Ok(command) => format!("{command:?}"),
            Err(text) => text,
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn commands_are_dtails() {
        check(Mode::Cat, None, " :help ", &expect!["Help"]);
        check(Mode::Cat, None, ":show", &expect!["Show"]);
        check(Mode::Cat, None, ":quit now", &expect!["Quit"]);
        check(Mode::Cat, None, "", &expect!["Nothing"]);
        check(Mode::Cat, None, "ls", &expect!["unsupported command ls, see :help"]);
    }

    #[test]
    fn a_reload_changes_what_it_names() {
        check(
            Mode::Grep,
            None,
            r#":reload --files "b c,d" -regex 'x y' --invert --before=2 -plain -timeout 5"#,
            &expect![
                "mode=grep files=b c,d query= regex=x y options=plain=true,quiet=false,invert=true,before=2,after=0,max=0 timeout=5"
            ],
        );
        check(
            Mode::Map,
            Some("select count($line)"),
            ":reload --query 'select count(x)' --quiet=true",
            &expect![
                "mode=map files=a.log query=select count(x) regex= options=plain=false,quiet=true,invert=false,before=0,after=0,max=0 timeout=0"
            ],
        );
        check(
            Mode::Tail,
            None,
            ":reload",
            &expect![
                "mode=tail files=a.log query= regex= options=plain=false,quiet=false,invert=false,before=0,after=0,max=0 timeout=0"
            ],
        );
    }

    #[test]
    fn what_cannot_be_reloaded_is_one_line() {
        check(
            Mode::Cat,
            None,
            ":reload --regex x",
            &expect![
                "interactive query error: --regex is no flag of :reload, use --files --plain --quiet --timeout"
            ],
        );
        check(
            Mode::Map,
            Some("select count($line)"),
            ":reload --query 'selct'",
            &expect![[
                r#"interactive query error: cannot parse query: unexpected word "selct" at column 1 (expected a clause such as select, from, where); did you mean select?"#
            ]],
        );
        check(
            Mode::Grep,
            None,
            ":reload --max x",
            &expect![[r#"interactive query error: --max: "x" is no number"#]],
        );
        check(
            Mode::Grep,
            None,
            ":reload --max",
            &expect!["interactive query error: --max needs a value"],
        );
        check(
            Mode::Grep,
            None,
            ":reload 'a",
            &expect!["interactive query error: a quote is not closed"],
        );
        check(
            Mode::Grep,
            None,
            ":reload --plain=maybe",
            &expect!["interactive query error: --plain: use true or false"],
        );
    }
}
