//! Takes the events of a run in order and prints them: lines, tables, diagnostics. It decides
//! neither what is printed nor the exit code.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use dtail_client::{
    Event, FileRange, HostCounts, HostDiagnostic, HostLines, HostSource, Outcome, Report, Run,
};
use dtail_process::log::Level;
use dtail_protocol::{Request, Severity, Summary};
use dtail_query::{Query, TableStyle};

use crate::arguments::BinaryChoice;
use crate::diagnostics::{Diagnostics, tell_people};
use crate::lines::LineFormat;
use crate::live::Live;
use crate::look::Look;
use crate::output::Output;
use crate::plan::Plan;
use crate::prefixed;
use crate::results::Results;
use crate::screen::Screen;
use crate::stdout::{CopyError, StandardOutput};

/// How often a quiet run looks whether anybody still reads.
const IDLE: Duration = Duration::from_millis(500);

/// How printing ended. What there was to say about it has been said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Printed {
    /// All was printed that came. `files_named`: how many files were named because of what they do
    /// or do not hold, if that was asked for.
    Whole { outcome: Outcome, files_named: Option<u64> },
    /// The reader closed the pipe: it has seen enough.
    NobodyReads,
    /// The output could not be written, or the session broke.
    Failed,
}

/// Prints the events of one run.
#[derive(Debug)]
pub(crate) struct Printer {
    output: Output<StandardOutput>,
    look: Look,
    lines: LineFormat,
    payload: Output<Vec<u8>>,
    payload_lines: LineFormat,
    tables: TableStyle,
    query: Option<Query>,
    results: Results,
    live: Option<Live>,
    diagnostics: Diagnostics,
    warnings: Vec<String>,
    outfile_failed: bool,
    /// Files of which a part could not be copied.
    failed_copies: u64,
    /// Tables take the place of each other there.
    screen: Option<Screen>,
    /// Sources that have shown to be binary and of which nothing more is printed.
    binary: HashSet<(Option<Arc<str>>, Arc<str>)>,
    hosts: HostCounts,
}

impl Printer {
    /// Takes what concerns printing out of the plan.
    pub(crate) fn new(plan: Plan) -> io::Result<Printer> {
        let live = plan.live().then(|| Live::standard(&plan.request.files)).flatten();
        Ok(Printer {
            output: Output::standard()?,
            lines: plan.look.lines(&plan.request),
            payload: Output::empty(Vec::new()),
            payload_lines: plan.look.payload(&plan.request),
            look: plan.look,
            tables: plan.tables,
            live,
            query: plan.query,
            results: plan.results,
            diagnostics: plan.diagnostics,
            warnings: plan.warnings,
            outfile_failed: false,
            failed_copies: 0,
            screen: plan.refreshes.then(Screen::standard).flatten(),
            binary: HashSet::new(),
            hosts: HostCounts::default(),
        })
    }

    /// Prints until the run has ended or cannot be printed any more; then the run is cancelled.
    pub(crate) fn print(mut self, run: Run, cancel: &AtomicBool) -> Printed {
        let printed = self.print_events(run.events(), cancel);
        if printed.is_err() {
            cancel.store(true, Ordering::SeqCst);
        }
        let finished = run.finish();
        self.live.iter_mut().for_each(Live::clear);
        let printed = printed.and_then(|()| match &finished {
            Ok(outcome) => self.conclude(outcome),
            Err(err) => self.say(Level::Error, err),
        });
        match (printed, finished) {
            (Ok(()), Ok(mut outcome)) if !self.outfile_failed => {
                outcome.summary.files = outcome.summary.files.saturating_sub(self.failed_copies);
                outcome.summary.failed_files += self.failed_copies;
                Printed::Whole { outcome, files_named: self.lines.files_named() }
            }
            (Ok(()), _) => Printed::Failed,
            (Err(err), _) if err.kind() == io::ErrorKind::BrokenPipe => Printed::NobodyReads,
            (Err(err), _) => {
                let text = format!("cannot write to standard output: {err}");
                tell_people(self.diagnostics.program, Level::Error, &text);
                Printed::Failed
            }
        }
    }

    fn print_events(&mut self, events: &Receiver<Event>, cancel: &AtomicBool) -> io::Result<()> {
        for warning in std::mem::take(&mut self.warnings) {
            self.diagnostics.advise(&warning, &mut self.output)?;
        }
        loop {
            let event = match events.try_recv() {
                Ok(event) => event,
                Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => {
                    self.output.flush()?;
                    match events.recv_timeout(self.live.as_ref().map_or(IDLE, Live::wait)) {
                        Ok(event) => event,
                        Err(RecvTimeoutError::Disconnected) => return Ok(()),
                        Err(RecvTimeoutError::Timeout) if self.output.has_no_reader() => {
                            return Err(io::ErrorKind::BrokenPipe.into());
                        }
                        Err(RecvTimeoutError::Timeout) => {
                            self.live.iter_mut().for_each(Live::show);
                            continue;
                        }
                    }
                }
            };
            self.live.iter_mut().for_each(Live::clear);
            match event {
                Event::Lines(lines) => self.print_lines(lines)?,
                Event::Source(source) => self.print_end(&source)?,
                Event::File(range) => self.print_file(&range, cancel)?,
                Event::Report(report) => self.print_report(&report)?,
                Event::Diagnostic(diagnostic) => self.print_diagnostic(&diagnostic)?,
                Event::Hosts(counts) => self.print_counts(counts)?,
                Event::Replaced(request) => self.change_to(&request)?,
            }
        }
    }

    fn print_diagnostic(&mut self, diagnostic: &HostDiagnostic) -> io::Result<()> {
        let HostDiagnostic { host, diagnostic } = diagnostic;
        let level = match diagnostic.severity {
            Severity::Warn => Level::Warn,
            Severity::Error => Level::Error,
        };
        self.forget_screen(level);
        self.diagnostics.say_of(host.as_deref(), level, &diagnostic.text, &mut self.output)
    }

    /// DTail's line about connections.
    fn print_counts(&mut self, counts: HostCounts) -> io::Result<()> {
        let HostCounts { total, connected, connecting, failed, .. } = counts;
        let new = connected.saturating_sub(self.hosts.connected);
        self.hosts = counts;
        let percent = connected * 100 / total.max(1);
        let text = format!(
            "STATS:STATS|connected={connected}|servers={total}|connected%={percent}|new={new}|\
             throttle={connecting}|failed={failed}"
        );
        self.say(Level::Info, &text)
    }

    /// What comes from now on belongs to another request.
    fn change_to(&mut self, request: &Request) -> io::Result<()> {
        self.lines = self.look.lines(request);
        self.payload_lines = self.look.payload(request);
        // Whoever replaced the request has parsed it before.
        self.query = request.query.as_deref().and_then(|text| Query::parse(text).ok());
        self.output.flush()
    }

    fn print_lines(&mut self, mut lines: HostLines) -> io::Result<()> {
        let is_binary = self.look.form.binary.is_some_and(|choice| choice != BinaryChoice::Text)
            && self.cut_binary(&mut lines);
        self.lines.write(&lines, &mut self.output)?;
        if is_binary && self.look.form.binary == Some(BinaryChoice::Summary) {
            let name = prefixed::named(&lines.block.source);
            writeln!(self.output, "{name}: binary file matches")?;
        }
        if self.diagnostics.logs_payload {
            self.payload_lines.write(&lines, &mut self.payload)?;
            self.payload.flush()?;
            self.diagnostics.record_payload(self.payload.writer());
            self.payload.writer().clear();
        }
        Ok(())
    }

    /// Cuts lines off from the first that holds a NUL byte on, also in all blocks to come. Whether
    /// this was the first of its source.
    fn cut_binary(&mut self, lines: &mut HostLines) -> bool {
        let bytes = &mut lines.block.bytes;
        let key = || (lines.host.clone(), Arc::clone(&lines.block.source));
        if !self.binary.is_empty() && self.binary.contains(&key()) {
            bytes.clear();
            return false;
        }
        let Some(at) = memchr::memchr(0, bytes) else { return false };
        let line = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |end| end + 1);
        bytes.truncate(line);
        self.binary.insert(key())
    }

    /// A source is at its end.
    fn print_end(&mut self, source: &HostSource) -> io::Result<()> {
        if !self.binary.is_empty() {
            self.binary.remove(&(source.host.clone(), Arc::clone(&source.summary.source)));
        }
        self.lines.end(source, &mut self.output)
    }

    fn print_file(&mut self, range: &FileRange, cancel: &AtomicBool) -> io::Result<()> {
        match self.output.copy(range, cancel) {
            Ok(()) => Ok(()),
            Err(CopyError::Write(err)) => Err(err),
            Err(CopyError::Read(err)) => {
                self.failed_copies += 1;
                self.say(Level::Error, &format!("cannot read {}: {err}", range.source))
            }
        }
    }

    fn print_report(&mut self, report: &Report) -> io::Result<()> {
        let Some(query) = &self.query else { return Ok(()) };
        if let Some(live) = &mut self.live {
            live.groups = Some(report.table.rows());
        }
        if query.outfile().is_some() {
            if let Err(err) = self.results.write_outfile(query, &report.table) {
                self.outfile_failed = true;
                self.say(Level::Error, &err)?;
            }
            return Ok(());
        }
        if self.results.print(&report.table, &mut self.output)? {
            return self.output.flush();
        }
        if self.tables.limit_warning.is_none()
            && let Some(warning) = report.table.limit_warning()
        {
            self.say(Level::Warn, &warning)?;
        }
        let Some(screen) = &mut self.screen else {
            report.table.write_text(&self.tables, &mut self.output)?;
            return self.output.flush();
        };
        let mut table = Vec::new();
        report.table.write_text(&self.tables, &mut table)?;
        self.output.write_all(screen.prepare(&table).as_bytes())?;
        self.output.write_all(&table)?;
        self.output.flush()
    }

    fn conclude(&mut self, outcome: &Outcome) -> io::Result<()> {
        self.lines.finish(&mut self.output)?;
        let Outcome { summary, hosts, failed_hosts } = outcome;
        let failed = failed_hosts.len();
        if failed > 0 && *hosts > 1 {
            self.say(Level::Error, &format!("{failed} of {hosts} hosts failed"))?;
        }
        for failed in failed_hosts {
            self.say(Level::Error, &format!("{}: {}", failed.host, failed.text))?;
        }
        let Summary { bytes_read, matches, files, failed_files, .. } = summary;
        let mut text = format!(
            "files={files}|failedFiles={failed_files}|bytes={bytes_read}|lines={}|matches={matches}",
            summary.lines_read.map_or("-".to_owned(), |lines| lines.to_string())
        );
        if *hosts > 0 {
            text.push_str(&format!("|hosts={hosts}|failedHosts={failed}"));
        }
        self.say(Level::Info, &text)?;
        self.diagnostics.tell_hidden();
        self.output.flush()
    }

    /// What is said goes between two tables.
    fn forget_screen(&mut self, level: Level) {
        if let Some(screen) = self.screen.as_mut().filter(|_| level <= self.diagnostics.level) {
            screen.forget();
        }
    }

    fn say(&mut self, level: Level, text: &dyn std::fmt::Display) -> io::Result<()> {
        self.forget_screen(level);
        self.diagnostics.say(level, text, &mut self.output)
    }
}
