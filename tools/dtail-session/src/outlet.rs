//! The way out of a session: hands outputs over, keeps the summary, and knows when to stop. Never
//! decides what is put out.

use std::fmt::Display;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use dtail_protocol::{Diagnostic, Severity, Summary};

use crate::Output;

/// Everything a session gives away goes through here.
pub(crate) struct Outlet<'a> {
    emit: &'a mut dyn FnMut(Output) -> ControlFlow<()>,
    cancel: &'a AtomicBool,
    deadline: Option<Instant>,
    receiver_is_gone: bool,
    pub(crate) summary: Summary,
}

impl<'a> Outlet<'a> {
    pub(crate) fn new(
        emit: &'a mut dyn FnMut(Output) -> ControlFlow<()>,
        cancel: &'a AtomicBool,
        deadline: Option<Instant>,
    ) -> Outlet<'a> {
        Outlet { emit, cancel, deadline, receiver_is_gone: false, summary: Summary::default() }
    }

    /// Whether to stop reading: cancelled, out of time, or nobody listens.
    pub(crate) fn is_closed(&self) -> bool {
        self.receiver_is_gone
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
    pub(crate) fn fail_file(&mut self, text: impl Display) {
        self.summary.failed_files += 1;
        self.error(text);
    }

    fn diagnose(&mut self, severity: Severity, text: impl Display) {
        self.put(Output::Diagnostic(Diagnostic { severity, text: text.to_string() }));
    }
}
