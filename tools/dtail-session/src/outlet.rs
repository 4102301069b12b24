//! The way out of a session: hands outputs over, keeps the summary, and knows when to stop. Never
//! decides what is put out.

use std::fmt::Display;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use dtail_lines::FileError;
use dtail_protocol::{Diagnostic, Severity, Summary};

use crate::{Output, SessionLog};

/// Everything a session gives away goes through here.
pub(crate) struct Outlet<'a> {
    emit: &'a mut dyn FnMut(Output) -> ControlFlow<()>,
    cancel: &'a AtomicBool,
    deadline: Option<Instant>,
    receiver_is_gone: bool,
    log: Option<SessionLog>,
    pub(crate) summary: Summary,
}

impl<'a> Outlet<'a> {
    pub(crate) fn new(
        emit: &'a mut dyn FnMut(Output) -> ControlFlow<()>,
        cancel: &'a AtomicBool,
        deadline: Option<Instant>,
        log: Option<SessionLog>,
    ) -> Outlet<'a> {
        let summary = Summary::default();
        Outlet { emit, cancel, deadline, receiver_is_gone: false, log, summary }
    }

    /// Whether to stop reading: cancelled, aborted, out of time, or nobody
    /// listens.
    pub(crate) fn is_closed(&self) -> bool {
        self.receiver_is_gone
            || self.summary.aborted
            || self.cancel.load(Ordering::Relaxed)
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Hands an output over unless nobody listens any more.
    pub(crate) fn put(&mut self, output: Output) {
        if !self.receiver_is_gone {
            self.receiver_is_gone = (self.emit)(output).is_break();
        }
    }

    pub(crate) fn warn(&mut self, text: impl Display) {
        self.diagnose(Severity::Warn, text);
    }

    pub(crate) fn error(&mut self, text: impl Display) {
        self.diagnose(Severity::Error, text);
    }

    /// Something that was asked for could not be read, or not to its end.
    pub(crate) fn fail_file(&mut self, err: &FileError) {
        self.summary.failed_files += 1;
        self.log(err.secret().as_deref());
        self.error(err);
    }

    /// The request is given up.
    pub(crate) fn abort(&mut self, text: impl Display) {
        self.summary.aborted = true;
        self.error(text);
    }

    /// Tells the operator of the host what the user must not know. It contains what the user typed.
    pub(crate) fn log(&self, secret: Option<&str>) {
        if let (Some(log), Some(secret)) = (&self.log, secret) {
            log(&secret.replace(char::is_control, "\u{fffd}"));
        }
    }

    fn diagnose(&mut self, severity: Severity, text: impl Display) {
        self.put(Output::Diagnostic(Diagnostic { severity, text: text.to_string() }));
    }
}
