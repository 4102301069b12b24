//! Takes the events of a run in order and prints them: lines, tables, diagnostics. It decides
//! neither what is printed nor the exit code.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use dtail_client::{
    Event, HostCounts, HostDiagnostic, HostLines, Outcome, Report, Run, write_outfile,
};
use dtail_process::log::Level;
use dtail_protocol::{Request, Severity, Summary};
use dtail_query::{Query, TableStyle};

use crate::diagnostics::{Diagnostics, tell_people};
use crate::lines::LineFormat;
use crate::output::Output;
use crate::plan::{Look, Plan};

/// How often a quiet run looks whether anybody still reads.
const IDLE: Duration = Duration::from_millis(500);

/// How printing ended. What there was to say about it has been said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All was printed that came.
    Printed(Outcome),
    /// The reader closed the pipe: it has seen enough.
    NobodyReads,
    /// The output could not be written, or the session broke.
    Failed,
}

/// Prints the events of one run.
#[derive(Debug)]
pub(crate) struct Printer {
    output: Output<File>,
    look: Look,
    lines: LineFormat,
    payload: Output<Vec<u8>>,
    payload_lines: LineFormat,
    tables: TableStyle,
    query: Option<Query>,
    diagnostics: Diagnostics,
    warnings: Vec<String>,
    outfile_failed: bool,
    hosts: HostCounts,
}

impl Printer {
    /// Takes what concerns printing out of the plan.
    pub(crate) fn new(plan: Plan) -> io::Result<Printer> {
        Ok(Printer {
            output: Output::standard()?,
            lines: plan.look.lines(plan.request.plain),
            payload: Output::new(Vec::new()),
            payload_lines: plan.look.payload(plan.request.plain),
            look: plan.look,
            tables: plan.tables,
            query: plan.query,
            diagnostics: plan.diagnostics,
            warnings: plan.warnings,
            outfile_failed: false,
            hosts: HostCounts::default(),
        })
    }

    /// Prints until the run has ended or cannot be printed any more; then the run is cancelled.
    pub(crate) fn print(mut self, run: Run, cancel: &AtomicBool) -> Ended {
        let printed = self.print_events(run.events());
        if printed.is_err() {
            cancel.store(true, Ordering::SeqCst);
        }
        let finished = run.finish();
        let printed = printed.and_then(|()| match &finished {
            Ok(outcome) => self.conclude(outcome),
            Err(err) => self.say(Level::Error, err),
        });
        match (printed, finished) {
            (Ok(()), Ok(outcome)) if !self.outfile_failed => Ended::Printed(outcome),
            (Ok(()), _) => Ended::Failed,
            (Err(err), _) if err.kind() == io::ErrorKind::BrokenPipe => Ended::NobodyReads,
            (Err(err), _) => {
                let text = format!("cannot write to standard output: {err}");
                tell_people(self.diagnostics.program, Level::Error, &text);
                Ended::Failed
            }
        }
    }

    fn print_events(&mut self, events: &Receiver<Event>) -> io::Result<()> {
        for warning in std::mem::take(&mut self.warnings) {
            self.diagnostics.advise(&warning, &mut self.output)?;
        }
        loop {
            let event = match events.try_recv() {
                Ok(event) => event,
                Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => {
                    self.output.flush()?;
                    match events.recv_timeout(IDLE) {
                        Ok(event) => event,
                        Err(RecvTimeoutError::Disconnected) => return Ok(()),
                        Err(RecvTimeoutError::Timeout) if self.output.has_no_reader() => {
                            return Err(io::ErrorKind::BrokenPipe.into());
                        }
                        Err(RecvTimeoutError::Timeout) => continue,
                    }
                }
            };
            match event {
                Event::Lines(lines) => self.print_lines(&lines)?,
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
        self.lines = self.look.lines(request.plain);
        self.payload_lines = self.look.payload(request.plain);
        // Whoever replaced the request has parsed it before.
        self.query = request.query.as_deref().and_then(|text| Query::parse(text).ok());
        self.output.flush()
    }

    fn print_lines(&mut self, lines: &HostLines) -> io::Result<()> {
        self.lines.write(lines, &mut self.output)?;
        if self.diagnostics.logs_payload {
            self.payload_lines.write(lines, &mut self.payload)?;
            self.payload.flush()?;
            self.diagnostics.record_payload(self.payload.writer());
            self.payload.writer().clear();
        }
        Ok(())
    }

    fn print_report(&mut self, report: &Report) -> io::Result<()> {
        let Some(query) = &self.query else { return Ok(()) };
        if query.outfile().is_none() {
            if self.tables.limit_warning.is_none()
                && let Some(warning) = report.table.limit_warning()
            {
                self.say(Level::Warn, &warning)?;
            }
            report.table.write_text(&self.tables, &mut self.output)?;
            return self.output.flush();
        }
        if let Err(err) = write_outfile(query, &report.table) {
            self.outfile_failed = true;
            self.say(Level::Error, &err)?;
        }
        Ok(())
    }

    fn conclude(&mut self, outcome: &Outcome) -> io::Result<()> {
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
        self.output.flush()
    }

    fn say(&mut self, level: Level, text: &dyn std::fmt::Display) -> io::Result<()> {
        self.diagnostics.say(level, text, &mut self.output)
    }
}
